//! KubeVirt is the judge: its own virt-api and virt-controller take, start, change, stop and delete what the controller writes.
//! Nodes and storage are simulated.

mod changes;
mod corpus;
mod draw;
mod moves;
mod past;
mod plugged;
mod sources;

use serde_json::{Value, json};
use tests::Error;
use tests::fleet::{Blueprint, CONFIGS_NAMESPACE, Fleet};
use tests::install::kubectl;
use tests::process::Processes;
use tokio::sync::OnceCell;

/// Name of the remote.
const REMOTE: &str = "real";

static FLEET: OnceCell<Result<Fleet, String>> = OnceCell::const_new();

/// How KubeVirt is set up: guests are moved where a live change asks for it, without waiting for each other, and what the
/// spec of a VM lists is plugged in. The gate has no other effect than that it allows CD-ROM drives without a medium.
fn settings() -> Value {
    json!({"spec": {
        "workloadUpdateStrategy": {"workloadUpdateMethods": ["LiveMigrate"]},
        "configuration": {
            "developerConfiguration": {"featureGates": ["DeclarativeHotplugVolumes"]},
            "migrations": {"parallelMigrationsPerCluster": 20, "parallelOutboundMigrationsPerNode": 20},
        },
    }})
}

/// A supervisor and one remote that KubeVirt itself runs on.
async fn judged() -> &'static Fleet {
    let up = async || {
        let blueprint = Blueprint { real_kubevirt: true, ..Blueprint::of(&[REMOTE]) };
        let fleet = Fleet::up(Processes::kept()?, blueprint).await?;
        let all = json!([{"op": "add", "path": "/spec/allowSchedulingPatches", "value": true}]).to_string();
        let args =
            ["--namespace", CONFIGS_NAMESPACE, "patch", "kubevirtconfig", REMOTE, "--type=json", "--patch", &all];
        kubectl(fleet.supervisor(), &args, "").await?;
        let settings = settings().to_string();
        let args = ["--namespace", "kubevirt", "patch", "kubevirt", "kubevirt", "--type=merge", "--patch", &settings];
        kubectl(fleet.remote(REMOTE)?, &args, "").await?;
        Ok(fleet)
    };
    let up = async || up().await.map_err(|error: Error| error.to_string());
    FLEET.get_or_init(up).await.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// A guest whose disk several nodes may use.
fn movable(more: &Value) -> Value {
    let mut spec = json!({"template": "small", "disks": [{"name": "root", "boot": true, "size": "20Gi", "accessMode": "ReadWriteMany"}]});
    spec.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    spec
}
