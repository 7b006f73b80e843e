//! What a later invocation must know about a fleet beside ports, keys and process ids: `fleet.json` in its folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result, io as io_error};

/// Environment of a process.
pub(super) type Env = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) remotes: Vec<String>,
    #[serde(default)]
    pub(super) real_kubevirt: bool,
    /// The supervisor has an etcd of its own.
    #[serde(default)]
    pub(super) own_etcd: bool,
    /// Folder of the product's binaries.
    pub(super) bins: PathBuf,
    pub(super) webhook: Env,
    pub(super) controller: Env,
}

impl State {
    pub(super) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = file(dir);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|error| Error::Content { path, reason: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("cannot read", &path)(error)),
        }
    }

    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = file(dir);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Content { path: path.clone(), reason: error.to_string() })?;
        fs::write(&path, text).map_err(io_error("cannot write", &path))
    }

    /// Both processes get what the chart gives their pods, and `extra` on top.
    pub(super) fn take_env(&mut self, rendered: &str, extra: &[(String, String)]) -> Result<()> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(rendered)
            .map_err(|error| Error::Absent { what: format!("YAML in what Helm rendered: {error}") })?;
        for (env, deployment) in [
            (&mut self.webhook, "kubevirt-operator-webhook"),
            (&mut self.controller, "kubevirt-operator-controller-manager"),
        ] {
            let of_pod = pod_env(&objects, deployment)
                .ok_or_else(|| Error::Absent { what: format!("Deployment {deployment} in what Helm rendered") })?;
            *env = of_pod.into_iter().chain(extra.iter().cloned()).collect();
        }
        Ok(())
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join("fleet.json")
}

/// The plain values of the environment of a Deployment's first container; references (the pod's namespace) are left out.
fn pod_env(objects: &[Value], deployment: &str) -> Option<Env> {
    let named = |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["name"] == deployment;
    let container = &objects.iter().find(named)?["spec"]["template"]["spec"]["containers"][0];
    let pair = |env: &Value| Some((env["name"].as_str()?.to_owned(), env["value"].as_str()?.to_owned()));
    Some(container["env"].as_array().into_iter().flatten().filter_map(pair).collect())
}
