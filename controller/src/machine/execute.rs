//! Carries out a plan, in its order, up to the first failure. I/O: writes to the supervisor here, to the remote in `remote`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use model::api::Machine;
use model::machine::{Failure, Identity, Intent, Write, record};
use model::names::{CLEANUP, KUBEVIRT_CONFIG, OPERATOR};
use model::reason::Reason;
use runtime::clusters::{Cluster, said};
use serde_json::json;

use super::remote::{self, At};
use super::{Context, Fault, report};
use crate::index::Index;

/// How a plan went.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What stopped it.
    pub failure: Option<Failure>,
    /// The plan wrote to the Machine itself: the event of that brings the next pass, and nothing is reported in this one.
    pub touched: bool,
}

/// Carries out the writes, the remote ones on the connection that was observed.
pub(super) async fn execute(
    machine: &Machine,
    intent: &Intent,
    writes: &[Write],
    cluster: Option<&Cluster<Index>>,
    ctx: &Context,
) -> Result<Done, Fault> {
    let mut done = Done::default();
    let Some(identity) = intent.identity() else { return Ok(done) };
    for write in writes {
        done.touched |= matches!(write, Write::Record { .. } | Write::Guard | Write::Release(_));
        let outcome = match (write, cluster) {
            (Write::Record { cluster, id, vm }, _) => {
                let previous = machine.status.clone().unwrap_or_default();
                let next = record(&previous, intent, cluster, id, vm, Time(Timestamp::now()));
                let status = json!({"metadata": {"resourceVersion": identity.resource_version}, "status": next});
                let status = Patch::Merge(status);
                machines(ctx, identity)
                    .patch_status(&identity.key.name, &params(), &status)
                    .await
                    .map_err(supervisor)?;
                Ok(())
            }
            (Write::AskAdmission, _) => ask(ctx, identity).await,
            (Write::Guard, _) => guard(machine, ctx, identity).await.map(Ok)?,
            (Write::Release(finalizers), _) => release(machine, finalizers, ctx, identity).await.map(Ok)?,
            (Write::Refuse(why), _) => Err(why.clone()),
            (Write::Adopt(vm, _), Some(cluster)) => {
                let adopted = remote::write(&At { cluster, identity, awaited: &ctx.awaited }, write).await;
                if adopted.is_ok() {
                    report::adopted(machine, vm, &cluster.name, ctx).await;
                }
                adopted
            }
            (_, Some(cluster)) => remote::write(&At { cluster, identity, awaited: &ctx.awaited }, write).await,
            (_, None) => Ok(()),
        };
        if let Err(failure) = outcome {
            tracing::warn!(
                machine = identity.key.name,
                namespace = identity.key.namespace,
                reason = failure.reason.code(),
                error = failure.message,
                "a write failed"
            );
            ctx.metrics.failed(failure.reason.code());
            done.failure = Some(failure);
            break;
        }
    }
    Ok(done)
}

/// The field manager of every write.
pub(super) fn params() -> PatchParams {
    PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() }
}

fn machines(ctx: &Context, identity: &Identity) -> Api<Machine> {
    Api::namespaced(ctx.client.clone(), &identity.key.namespace)
}

fn supervisor(why: kube::Error) -> Fault {
    Fault::Supervisor(said(&why))
}

/// X11: the controller never places. The patch is empty; admission makes the change.
async fn ask(ctx: &Context, identity: &Identity) -> Result<(), Failure> {
    let asked = machines(ctx, identity).patch(&identity.key.name, &params(), &Patch::Merge(json!({}))).await;
    let message = match asked {
        Ok(machine) if machine.annotations().contains_key(KUBEVIRT_CONFIG) => return Ok(()),
        Ok(_) => "admission did not decide: check that the webhook is registered".to_owned(),
        Err(why) => said(&why),
    };
    Err(Failure { reason: Reason::NotAdmitted, message })
}

/// The finalizer comes before anything that it protects.
async fn guard(machine: &Machine, ctx: &Context, identity: &Identity) -> Result<(), Fault> {
    let all: Vec<&str> = machine.finalizers().iter().map(String::as_str).chain([CLEANUP]).collect();
    let patch =
        json!({"metadata": {"uid": identity.uid, "resourceVersion": identity.resource_version, "finalizers": all}});
    let patched = machines(ctx, identity).patch(&identity.key.name, &params(), &Patch::Merge(patch)).await;
    patched.map(drop).map_err(supervisor)
}

async fn release(machine: &Machine, finalizers: &[String], ctx: &Context, identity: &Identity) -> Result<(), Fault> {
    let left: Vec<&String> = machine.finalizers().iter().filter(|name| !finalizers.contains(name)).collect();
    let patch =
        json!({"metadata": {"uid": identity.uid, "resourceVersion": identity.resource_version, "finalizers": left}});
    match machines(ctx, identity).patch(&identity.key.name, &params(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(why) => Err(supervisor(why)),
    }
}
