//! KubeVirt is the judge: its own virt-api and virt-controller take, start, change, stop and delete what the controller writes.
//! Nodes and storage are simulated.

mod changes;
mod corpus;
mod draw;
mod past;

use serde_json::json;
use tests::Error;
use tests::fleet::{Blueprint, CONFIGS_NAMESPACE, Fleet};
use tests::install::kubectl;
use tests::process::Processes;
use tokio::sync::OnceCell;

/// Name of the remote.
const REMOTE: &str = "real";

static FLEET: OnceCell<Result<Fleet, String>> = OnceCell::const_new();

/// A supervisor and one remote that KubeVirt itself runs on.
async fn judged() -> &'static Fleet {
    let up = async || {
        let blueprint = Blueprint { real_kubevirt: true, ..Blueprint::of(&[REMOTE]) };
        let fleet = Fleet::up(Processes::kept()?, blueprint).await?;
        let all = json!([{"op": "add", "path": "/spec/allowSchedulingPatches", "value": true}]).to_string();
        let args =
            ["--namespace", CONFIGS_NAMESPACE, "patch", "kubevirtconfig", REMOTE, "--type=json", "--patch", &all];
        kubectl(fleet.supervisor(), &args, "").await?;
        Ok(fleet)
    };
    let up = async || up().await.map_err(|error: Error| error.to_string());
    FLEET.get_or_init(up).await.as_ref().unwrap_or_else(|error| panic!("{error}"))
}
