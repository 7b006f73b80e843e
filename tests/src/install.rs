//! Brings manifests onto a plane: `kubectl apply --server-side`, and what Helm renders from a chart.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::runtime::wait::{await_condition, conditions};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::binaries::{self, Tool};
use crate::error::{Error, Result, io};
use crate::plane::Plane;

/// What kubectl puts before the name of a definition that it has applied.
const DEFINITION: &str = "customresourcedefinition.apiextensions.k8s.io/";
const SERVED_WITHIN: Duration = Duration::from_secs(60);

/// Applies manifests, definitions first; these are served when this returns.
///
/// Answers with what kubectl printed, warnings of the API server included.
pub async fn apply(plane: &Plane, manifests: &str) -> Result<String> {
    let (definitions, others): (Vec<&str>, Vec<&str>) =
        documents(manifests).partition(|document| is_definition(document));
    let mut printed = String::new();
    for group in [&definitions, &others] {
        if group.is_empty() {
            continue;
        }
        let args = ["apply", "--server-side", "--force-conflicts", "--filename", "-"];
        printed += &kubectl(plane, &args, &group.join("\n---\n")).await?;
        if group == &definitions {
            until_served(plane, &printed).await?;
        }
    }
    Ok(printed)
}

/// Waits for the definitions that kubectl says it has applied. Not by `kubectl wait`: it fails on one that is so new that
/// it has no status yet.
async fn until_served(plane: &Plane, applied: &str) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(plane.client().await?);
    let names = applied.lines().filter_map(|line| line.split_once(' ')?.0.strip_prefix(DEFINITION));
    let waits = names.map(|name| {
        let established = await_condition(definitions.clone(), name, conditions::is_crd_established());
        async move {
            match timeout(SERVED_WITHIN, established).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(Error::Absent { what: format!("word about definition {name}: {error}") }),
                Err(_) => Err(Error::Absent {
                    what: format!("definition {name} on {} after {SERVED_WITHIN:?}", plane.name()),
                }),
            }
        }
    });
    try_join_all(waits).await.map(drop)
}

/// Runs kubectl as administrator of a plane; answers with all that it printed.
pub async fn kubectl(plane: &Plane, args: &[&str], stdin: &str) -> Result<String> {
    let mut command = Command::new(binaries::locate(Tool::Kubectl).await?);
    command.arg("--kubeconfig").arg(plane.kubeconfig());
    // kubectl remembers what a server offers by its address, for hours; the plane before ours may have had this port.
    command.arg("--cache-dir").arg(plane.dir().join("kubectl-cache"));
    let output = run(command.args(args), stdin).await?;
    Ok(format!("{}{}", output.stdout, output.stderr))
}

/// What to render a chart with.
#[derive(Clone, Debug)]
pub struct Render<'a> {
    /// Namespace of the release.
    pub namespace: &'a str,
    /// `--set` pairs, such as `mode=remote`.
    pub set: Vec<String>,
    /// Values files.
    pub values: Vec<PathBuf>,
}

impl<'a> Render<'a> {
    /// The chart's own values.
    pub fn in_namespace(namespace: &'a str) -> Self {
        Self { namespace, set: Vec::new(), values: Vec::new() }
    }
}

/// The folder of the product's chart.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/kubevirt-operator")
}

/// What Helm renders from a chart as release `kubevirt-operator`.
pub async fn template(chart: &Path, render: &Render<'_>) -> Result<String> {
    let Render { namespace, set, values } = render;
    let mut command = Command::new(binaries::locate(Tool::Helm).await?);
    command.args(["template", "kubevirt-operator"]).arg(chart).args(["--namespace", namespace]);
    for pair in set {
        command.args(["--set", pair]);
    }
    for file in values {
        command.arg("--values").arg(file);
    }
    Ok(run(&mut command, "").await?.stdout)
}

struct Printed {
    stdout: String,
    stderr: String,
}

/// Runs a short command to its end.
async fn run(command: &mut Command, stdin: &str) -> Result<Printed> {
    let program = PathBuf::from(command.as_std().get_program());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(io("cannot run", &program))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A command that ends without reading has its own error to tell.
        let _ = pipe.write_all(stdin.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(io("cannot wait for", &program))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() {
        return Ok(Printed { stdout, stderr });
    }
    let args: Vec<_> = command.as_std().get_args().map(|arg| arg.to_string_lossy()).collect();
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    Err(Error::Command { command: format!("{name} {}", args.join(" ")), output: stderr })
}

/// The documents of a YAML stream, without the empty ones.
fn documents(manifests: &str) -> impl Iterator<Item = &str> {
    let begins = |line: &str| line.trim_end() == "---" || line.starts_with("--- ");
    let mut start = 0;
    let mut offset = 0;
    let mut parts = Vec::new();
    for line in manifests.split_inclusive('\n') {
        if begins(line) {
            parts.push(&manifests[start..offset]);
            start = offset + line.len();
        }
        offset += line.len();
    }
    parts.push(&manifests[start..]);
    let says_something = |part: &&str| part.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#'));
    parts.into_iter().filter(says_something)
}

fn is_definition(document: &str) -> bool {
    document.lines().any(|line| line.trim_end() == "kind: CustomResourceDefinition")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_at_separators_only() {
        let text = "---\n# Source: a\nkind: A\ntext: |\n  x\n  ---\n---\n# only a comment\n---\nkind: CustomResourceDefinition\n";
        let found: Vec<_> = documents(text).collect();
        assert_eq!(found, ["# Source: a\nkind: A\ntext: |\n  x\n  ---\n", "kind: CustomResourceDefinition\n"]);
        assert_eq!(found.iter().map(|document| is_definition(document)).collect::<Vec<_>>(), [false, true]);
    }
}
