//! Carries out a plan, in its order, up to the first failure. I/O: writes to the supervisor here, to the remote in `remote`.

use std::time::Instant;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::Patch;
use model::api::Machine;
use model::machine::status::change;
use model::machine::{Failure, Here, Identity, Intent, Kind, Plan, There, Write, drift, record};
use model::names::{CLEANUP, KUBEVIRT_CONFIG};
use model::reason::{Reason, ShownIn};
use runtime::clusters::{Cluster, said};
use serde_json::{Value, json};

use super::forsake;
use super::record as interfaces;
use super::remote::{Target, kind_name};
use super::report::Done;
use super::writes::{self, Outcome};
use crate::context::{Context, Fault, UNREAD, phase_of};
use crate::objects::patch_params;
use crate::session::ClusterIndex;

/// Carries out the plan, its remote writes on the connection that was observed.
pub(super) async fn execute(
    machine: &Machine,
    intent: &Intent,
    plan: Plan,
    cluster: Option<&Cluster<ClusterIndex>>,
    now: &Time,
    ctx: &Context,
) -> Result<Done, Fault> {
    let mut done = Done::default();
    let phase = phase_of(machine);
    let mut sentence = "a write failed";
    let Some(identity) = intent.identity() else { return Ok(done) };
    for write in &plan.writes {
        done.touched |= matches!(write, Write::Here(Here::Record { .. } | Here::Guard | Here::Release(_)));
        let outcome = match write {
            Write::Here(Here::Record { cluster, id, vm }) => {
                let previous = machine.status.clone().unwrap_or_default();
                let next = record(&previous, intent, cluster, id, vm, now.clone());
                write_status(change(&machine.metadata, &previous, &next), ctx, identity).await.map(Ok)?
            }
            Write::Here(Here::Guard) => guard(machine, ctx, identity).await.map(Ok)?,
            Write::Here(Here::AskAdmission) => ask_admission(ctx, identity, &mut done.refused_for).await,
            Write::Here(Here::Forsake { cluster, orphan }) => {
                let recorded = forsake::record(cluster, orphan, ctx).await;
                done.forsaken = recorded.is_ok().then(|| orphan.virtual_machine.clone());
                recorded
            }
            Write::Here(Here::Release(finalizers)) => {
                release(machine, finalizers, ctx, identity).await?;
                ctx.departures.release(&identity.uid, identity.resource_version.as_deref());
                ctx.carriers.forget(&identity.uid);
                Ok(())
            }
            Write::Here(Here::CreateRecord(object)) => interfaces::create(object, ctx, identity).await,
            Write::Here(Here::ChangeRecord(change)) => interfaces::change(change, ctx, identity).await,
            Write::Here(Here::DeleteRecord(uid)) => interfaces::delete(uid, ctx, identity).await,
            Write::There(write) => {
                let outcome = write_there(write, identity, phase, cluster, ctx).await;
                match (write, &outcome) {
                    (There::Adopt(vm, _), Ok(_)) => done.adopted = Some(vm.clone()),
                    (There::TakeOver(kind, name), Ok(Outcome::Done)) => {
                        done.taken_over.push(format!("{} {name}", kind_name(*kind)));
                    }
                    (There::Carry(parcel), Ok(Outcome::Done)) => done.data_changed |= parcel.known,
                    (There::Update { kind, name, drift, .. }, Ok(Outcome::Done)) if !drift.is_empty() => {
                        ctx.wars.corrected((identity.uid.clone(), *kind, name.clone()), drift, now);
                        done.corrected.push(drift::corrected(&identity.key.name, *kind, name, drift));
                    }
                    (There::Create(_, name, _) | There::TakeBack(name), Ok(Outcome::Reattached)) => {
                        done.reattached.push(name.clone());
                    }
                    // Another one has its name: whose that is is asked before the Machine goes.
                    (There::Delete(..) | There::DeleteAlone(..), Ok(Outcome::Unchanged)) => {
                        ctx.departures.doubt(&identity.uid);
                    }
                    (There::Delete(Kind::Secret, ..) | There::Merge(Kind::Secret, ..), Ok(_))
                        if matches!(intent, Intent::Leave(_)) =>
                    {
                        ctx.carriers.done(&identity.uid);
                    }
                    _ => {}
                }
                outcome.map(drop)
            }
        };
        if let Err(failure) = outcome {
            match write {
                Write::There(There::Create(Kind::Vm, ..)) => {
                    sentence = "Failed to create VirtualMachine in remote cluster"; // B32
                }
                Write::Here(Here::AskAdmission) => sentence = "Failed to update machine annotations", // A9
                Write::Here(_) | Write::There(_) => {}
            }
            done.failure = Some(failure);
            break;
        }
    }
    if let (None, Some(refused)) = (&done.failure, &plan.refused) {
        // What could not be looked up is the one refusal of this kind.
        let unread = refused.reason == Reason::KubeVirtApiError;
        sentence = if unread { UNREAD } else { "nothing more can be written" };
    }
    done.failure = done.failure.or(plan.refused);
    if let Some(failure) = &done.failure {
        tracing::warn!(
            controller = "Machine",
            machine = identity.key.name,
            namespace = identity.key.namespace,
            phase,
            reason = failure.reason.code(),
            error = failure.message,
            "{sentence}"
        );
        ctx.metrics.failed(done.refused_for.unwrap_or(failure.reason).code());
    }
    Ok(done)
}

/// Does one write on the Machine's cluster.
pub(super) async fn write_there(
    write: &There,
    identity: &Identity,
    phase: &str,
    cluster: Option<&Cluster<ClusterIndex>>,
    ctx: &Context,
) -> Result<Outcome, Failure> {
    let Some(cluster) = cluster else {
        let message = "there is no connection to the cluster".to_owned();
        return Err(Failure { reason: Reason::ClusterUnreachable, message });
    };
    let deleted = match write {
        There::Delete(_, _, object) | There::DeleteAlone(_, _, object) => Some(object),
        _ => None,
    };
    // Its watch is behind.
    if deleted.is_some_and(|object| ctx.departures.is_deleted(&identity.uid, object, Instant::now())) {
        return Ok(Outcome::Done);
    }
    let at = Target { cluster, identity, supervisor: &ctx.supervisor, awaited: &ctx.awaited, phase };
    let outcome = writes::write(&at, write).await?;
    if let (Some(object), Outcome::Done) = (deleted, outcome) {
        ctx.departures.delete(&identity.uid, object, Instant::now());
    }
    Ok(outcome)
}

/// What the next status does not say any more goes: whoever wrote it before us would have it count as ours (ATK4).
async fn write_status(change: Value, ctx: &Context, identity: &Identity) -> Result<(), Fault> {
    let machines = ctx.machines(&identity.key.namespace);
    let patched = machines.patch_status(&identity.key.name, &patch_params(), &Patch::Merge(change)).await;
    patched.map(drop).map_err(Fault::Supervisor)
}

/// X11: the controller never places. The patch is empty; admission makes the change.
async fn ask_admission(ctx: &Context, identity: &Identity, refused_for: &mut Option<Reason>) -> Result<(), Failure> {
    let asked = ctx
        .machines(&identity.key.namespace)
        .patch(&identity.key.name, &patch_params(), &Patch::Merge(json!({})))
        .await;
    let message = match asked {
        Ok(machine) if machine.annotations().contains_key(KUBEVIRT_CONFIG) => return Ok(()),
        Ok(_) => "admission did not decide: check that the webhook is registered".to_owned(),
        Err(why) => {
            *refused_for = cause_of(&why);
            said(&why)
        }
    };
    Err(Failure { reason: Reason::NotAdmitted, message })
}

/// The reason that admission gave first, such as an unknown template (C41).
fn cause_of(refused: &kube::Error) -> Option<Reason> {
    let kube::Error::Api(answer) = refused else { return None };
    let mut causes = answer.details.iter().flat_map(|details| &details.causes);
    let known =
        |code: &str| Reason::ALL.iter().copied().find(|it| it.shown_in() == ShownIn::Admission && it.code() == code);
    causes.find_map(|cause| known(&cause.reason))
}

/// The finalizer comes before anything that it protects.
async fn guard(machine: &Machine, ctx: &Context, identity: &Identity) -> Result<(), Fault> {
    let all: Vec<&str> = machine.finalizers().iter().map(String::as_str).chain([CLEANUP]).collect();
    let patch =
        json!({"metadata": {"uid": identity.uid, "resourceVersion": identity.resource_version, "finalizers": all}});
    let patched =
        ctx.machines(&identity.key.namespace).patch(&identity.key.name, &patch_params(), &Patch::Merge(patch)).await;
    patched.map(drop).map_err(Fault::Supervisor)
}

async fn release(machine: &Machine, finalizers: &[String], ctx: &Context, identity: &Identity) -> Result<(), Fault> {
    let left: Vec<&String> = machine.finalizers().iter().filter(|name| !finalizers.contains(name)).collect();
    let patch =
        json!({"metadata": {"uid": identity.uid, "resourceVersion": identity.resource_version, "finalizers": left}});
    match ctx.machines(&identity.key.namespace).patch(&identity.key.name, &patch_params(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(why) => Err(Fault::Supervisor(why)),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn c41_c46_c47_c48_c49_a_refusal_of_admission_counts_under_its_own_name() {
        let refused = |causes: &[&str]| {
            let causes: Vec<_> =
                causes.iter().map(|reason| json!({"reason": reason, "message": "", "field": ""})).collect();
            let status: Status = serde_json::from_value(json!({
                "status": "Failure", "message": "no", "reason": "Invalid", "code": 422, "details": {"causes": causes},
            }))
            .expect("a Status");
            cause_of(&kube::Error::Api(Box::new(status))).map(Reason::code)
        };
        every_row(
            ["TemplateNotFound", "NetworkConfigurationNotFound", "StorageClassNotFound", "InsufficientResources"],
            |code| assert_eq!(refused(&[code, "FieldValueInvalid"]), Some(code)),
        );
        assert_eq!(refused(&["Made up", "AmbiguousPlacement"]), Some("AmbiguousPlacement"));
        assert_eq!(refused(&["Running"]), None, "that is no refusal");
        assert_eq!(refused(&[]), None);
    }
}
