//! Carries out a plan, in its order, up to the first failure. I/O: writes to the supervisor and to one remote cluster.
//!
//! Every call has a deadline. A create that meets an object of that name looks whose it is: ours is as good as created, a
//! stranger's is a conflict and stays untouched.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use model::api::Machine;
use model::machine::{Failure, Identity, Intent, Kind, Write, record};
use model::names::{MACHINE_UID, OPERATOR};
use model::reason::Reason;
use runtime::clusters::{Cluster, DEADLINE, said};
use serde_json::{Value, json};

use super::{Context, Fault};
use crate::index::Index;
use crate::session::resource;

/// How a plan went.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What stopped it.
    pub failure: Option<Failure>,
    /// The status was written by the plan itself: it is not reported again in this pass.
    pub recorded: bool,
    /// The Machine is gone, so there is nothing to report on.
    pub released: bool,
    /// What was made, for events.
    pub created: Vec<(Kind, String)>,
}

/// Carries out the writes.
pub(super) async fn execute(
    machine: &Machine,
    intent: &Intent,
    writes: &[Write],
    ctx: &Context,
) -> Result<Done, Fault> {
    let mut done = Done::default();
    let Some(identity) = intent.identity() else { return Ok(done) };
    let clusters = ctx.clusters.load();
    let cluster = intent.cluster().and_then(|name| clusters.get(name)?.cluster.clone());
    for write in writes {
        let outcome = match write {
            Write::Record { cluster, id } => {
                let previous = machine.status.clone().unwrap_or_default();
                let next = record(&previous, intent, cluster, id, Time(Timestamp::now()));
                let status = json!({"metadata": {"resourceVersion": identity.resource_version}, "status": next});
                done.recorded = true;
                machines(ctx, identity)
                    .patch_status(&identity.key.name, &params(), &Patch::Merge(status))
                    .await
                    .map(drop)
                    .map_err(supervisor)?;
                Ok(())
            }
            Write::AskAdmission => ask(ctx, identity).await,
            Write::Release(finalizers) => {
                release(machine, finalizers, ctx, identity).await?;
                done.released = true;
                Ok(())
            }
            Write::Create(kind, name, object) => {
                let outcome = with(cluster.as_ref(), |cluster| create(cluster, identity, *kind, name, object)).await;
                if matches!(outcome, Ok(true)) {
                    done.created.push((*kind, name.clone()));
                }
                outcome.map(drop)
            }
            Write::Merge(kind, name, change) => {
                with(cluster.as_ref(), |cluster| merge(cluster, identity, *kind, name, change)).await
            }
            Write::Delete(kind, name, uid) => {
                with(cluster.as_ref(), |cluster| delete(cluster, identity, *kind, name, uid)).await
            }
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

fn params() -> PatchParams {
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
    asked.map(drop).map_err(|why| Failure { reason: Reason::NotAdmitted, message: said(&why) })
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

/// Runs a remote write under its deadline; a cluster that went away since the snapshot is a failure like any other.
async fn with<'c, T, F: Future<Output = Result<T, Failure>>>(
    cluster: Option<&'c Arc<Cluster<Index>>>,
    write: impl FnOnce(&'c Cluster<Index>) -> F,
) -> Result<T, Failure> {
    let late = |why: &str| Failure { reason: Reason::ClusterUnreachable, message: why.to_owned() };
    let Some(cluster) = cluster else { return Err(late("the cluster is not connected any more")) };
    tokio::time::timeout(DEADLINE, write(cluster)).await.map_err(|_| late("the cluster did not answer in time"))?
}

fn api(cluster: &Cluster<Index>, identity: &Identity, kind: Kind) -> Api<DynamicObject> {
    let namespace = &identity.vm.namespace;
    let client = cluster.client.clone();
    match kind {
        Kind::Namespace => Api::all_with(client, &ApiResource::erase::<Namespace>(&())),
        Kind::Claim => Api::namespaced_with(client, namespace, &ApiResource::erase::<PersistentVolumeClaim>(&())),
        Kind::Vm => Api::namespaced_with(client, namespace, &resource("VirtualMachine")),
    }
}

/// True when the object was made by this call.
async fn create(
    cluster: &Cluster<Index>,
    identity: &Identity,
    kind: Kind,
    name: &str,
    object: &Value,
) -> Result<bool, Failure> {
    let api = api(cluster, identity, kind);
    let object: DynamicObject =
        serde_json::from_value(object.clone()).expect("invariant: builders make Kubernetes objects");
    let key = (identity.vm.namespace.clone(), name.to_owned());
    if kind != Kind::Namespace {
        cluster.index.await_creation(kind, key, &identity.uid);
    }
    let made =
        api.create(&PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() }, &object).await;
    match made {
        Ok(_) => {
            if kind == Kind::Namespace {
                cluster.index.saw_namespace(name);
            }
            tracing::info!(machine = identity.key.name, namespace = identity.key.namespace, kubevirtConfig = %cluster.name, kind = ?kind, object = name, "created");
            Ok(true)
        }
        Err(kube::Error::Api(answer)) if answer.code == 409 && answer.reason == "AlreadyExists" => {
            exists(cluster, &api, identity, kind, name).await.map(|()| false)
        }
        Err(why) => {
            if matches!(&why, kube::Error::Api(answer) if answer.code == 404) {
                cluster.index.forget_namespace(&identity.vm.namespace);
            }
            if matches!(why, kube::Error::Api(_)) {
                cluster.index.stop_awaiting(&identity.uid);
            }
            Err(refused(kind, name, &why))
        }
    }
}

async fn exists(
    cluster: &Cluster<Index>,
    api: &Api<DynamicObject>,
    identity: &Identity,
    kind: Kind,
    name: &str,
) -> Result<(), Failure> {
    if kind == Kind::Namespace {
        cluster.index.saw_namespace(name);
        return Ok(());
    }
    cluster.index.stop_awaiting(&identity.uid);
    let found = api.get(name).await.map_err(|why| refused(kind, name, &why))?;
    if found.labels().get(MACHINE_UID) == Some(&identity.uid) {
        return Ok(());
    }
    let what = if kind == Kind::Vm { "VirtualMachine" } else { "PersistentVolumeClaim" };
    Err(Failure {
        reason: Reason::Conflict,
        message: format!(
            "{what} {}/{name} on {:?} exists and is not this Machine's: rename the Machine, or remove that object",
            identity.vm.namespace, cluster.name.0
        ),
    })
}

async fn merge(
    cluster: &Cluster<Index>,
    identity: &Identity,
    kind: Kind,
    name: &str,
    change: &Value,
) -> Result<(), Failure> {
    match api(cluster, identity, kind).patch(name, &params(), &Patch::Merge(change)).await {
        Ok(_) => Ok(()),
        Err(why) => Err(refused(kind, name, &why)),
    }
}

async fn delete(
    cluster: &Cluster<Index>,
    identity: &Identity,
    kind: Kind,
    name: &str,
    uid: &str,
) -> Result<(), Failure> {
    let only_this = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match api(cluster, identity, kind).delete(name, &only_this).await {
        Ok(_) => Ok(()),
        // Gone, or another object by that name: either way this one is no more.
        Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => Ok(()),
        Err(why) => Err(refused(kind, name, &why)),
    }
}

fn refused(kind: Kind, name: &str, why: &kube::Error) -> Failure {
    let reason = match why {
        kube::Error::Api(answer) if kind == Kind::Vm && matches!(answer.code, 400 | 422) => Reason::VmRefused,
        kube::Error::Api(_) => Reason::KubeVirtApiError,
        _ => Reason::ClusterUnreachable,
    };
    let what = match kind {
        Kind::Namespace => "Namespace",
        Kind::Claim => "PersistentVolumeClaim",
        Kind::Vm => "VirtualMachine",
    };
    Failure { reason, message: format!("{what} {name}: {}", said(why)) }
}
