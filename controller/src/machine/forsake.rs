//! Records on its KubevirtConfig what a Machine leaves on a cluster that is gone for good (R4). I/O: the supervisor.

use kube::api::Patch;
use model::api::config::Orphan;
use model::machine::Failure;
use model::names::ClusterName;
use model::reason::Reason;
use runtime::clusters::{code, said};
use serde_json::json;

use crate::context::Context;
use crate::objects::patch_params;

/// Orphans that are kept of one cluster; the oldest go.
const KEPT: usize = 256;

/// Adds the orphan to those of the KubevirtConfig, unless it is there. Where there is no KubevirtConfig any more, the log alone has it.
pub(super) async fn record(cluster: &ClusterName, orphan: &Orphan, ctx: &Context) -> Result<(), Failure> {
    add(cluster, orphan, ctx).await?;
    tracing::warn!(controller = "Machine", machine = orphan.machine, kubevirtConfig = %cluster, vm = orphan.virtual_machine, uid = orphan.uid, clusterId = orphan.cluster_id, "released without its cluster, which is said to be gone for good");
    Ok(())
}

async fn add(cluster: &ClusterName, orphan: &Orphan, ctx: &Context) -> Result<(), Failure> {
    let api = ctx.scope.configs(ctx.client.clone());
    let failed = |why: &kube::Error| Failure {
        reason: Reason::ClusterUnreachable,
        message: format!("KubevirtConfig {cluster}: what is left behind was not recorded: {}", said(why)),
    };
    let Some(config) = api.get_opt(&cluster.0).await.map_err(|why| failed(&why))? else { return Ok(()) };
    let mut orphans = config.status.map(|status| status.orphans).unwrap_or_default();
    if orphans.iter().any(|known| known.uid == orphan.uid) {
        return Ok(());
    }
    orphans.push(orphan.clone());
    orphans.drain(..orphans.len().saturating_sub(KEPT));
    let version = &config.metadata.resource_version;
    let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "status": {"orphans": orphans}}));
    match api.patch_status(&cluster.0, &patch_params(), &patch).await {
        Ok(_) => Ok(()),
        Err(why) if code(&why) == Some(404) => Ok(()),
        Err(why) => Err(failed(&why)),
    }
}
