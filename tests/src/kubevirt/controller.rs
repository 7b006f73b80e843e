//! virt-controller: what it does next about one name, which is a VM, its VMI, or both. Pure.
//! Order and conditions follow KubeVirt 1.8.2 (watch/vm/vm.go: sync, syncRunStrategy, updateStatus).

mod instance;
mod status;
#[cfg(test)]
mod tests;

use super::cdi::is_filling;
use super::failures::Failure;
use super::objects::{
    Kind, Object, VM_FINALIZER, claim_name, claim_names, controlled_by, deleting, has_finalizer, is_final, list, text,
    uid,
};
use super::writes::{Move, Pace, Verb, Write};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

const ACTOR: &str = "virt-controller";
/// Put on by the API server when a VM is deleted with `--cascade=orphan`: its instance stays.
const ORPHAN: &str = "orphan";

/// All that virt-controller may know about one name.
pub(super) struct Scene<'a> {
    pub(super) vm: Option<&'a Object>,
    pub(super) vmi: Option<&'a Object>,
    /// The claims of the namespace.
    pub(super) claims: Vec<&'a Object>,
    pub(super) failures: Vec<Failure>,
}

/// What happens next, in this order. Every move is one write; what depends on its outcome waits for the next look.
pub(super) fn next(scene: &Scene<'_>, now: Timestamp) -> Vec<Move> {
    let own = scene.vm.and_then(|vm| scene.vmi.filter(|vmi| controlled_by(vmi, uid(vm))));
    let report = scene.vm.and_then(|vm| status::report(vm, own, &disks(vm, scene), now));
    // KubeVirt lets a finished VMI go only when its end is recorded: a crash that nobody counted would never back off.
    let recorded = report.is_none();
    let mut moves = Vec::new();
    if let Some(vm) = scene.vm {
        moves.extend(machine(vm, own, scene.vmi.is_some(), report, now));
    }
    // A VMI that was just written has another version by now; what comes after waits for the next look.
    if let Some(vmi) = scene.vmi.filter(|_| !moves.iter().any(|m| m.write.kind == Kind::Vmi && m.pace == Pace::AtOnce))
    {
        let disks = disks(vmi, scene);
        moves.extend(instance::next(vmi, &disks, &scene.claims, &scene.failures, recorded, now));
    }
    moves
}

/// The VM's own part. `taken`: some VMI has the name, perhaps that of an earlier VM.
fn machine(vm: &Object, vmi: Option<&Object>, taken: bool, report: Option<Write>, now: Timestamp) -> Vec<Move> {
    let protected = has_finalizer(vm, VM_FINALIZER);
    if !deleting(vm) && !protected {
        let mut all = vm.metadata.finalizers.clone().unwrap_or_default();
        all.push(VM_FINALIZER.into());
        let patch = json!({"metadata": {"finalizers": all}});
        return vec![Write::merge(ACTOR, Kind::Vm, vm, patch).now("protect", vm)];
    }
    if deleting(vm) && (vmi.is_none() || has_finalizer(vm, ORPHAN)) {
        let release = || Write::finalizers(ACTOR, Kind::Vm, vm, |f| f != VM_FINALIZER).now("release", vm);
        return if protected { vec![release()] } else { Vec::new() };
    }
    let run = match (run(vm, vmi), vmi) {
        (Run::Start, None) if !taken => Some(start(vm, now)),
        (Run::Stop, Some(vmi)) if !deleting(vmi) && (report.is_none() || !is_final(vmi)) => {
            Some(Write::delete(ACTOR, Kind::Vmi, vmi).now("stop", vmi))
        }
        (_, Some(vmi)) if !deleting(vm) => instance::follow(vm, vmi), // a deletion counts as a generation, too
        (Run::Start | Run::Stop | Run::Stay, _) => None,
    };
    let report = report.map(|write| write.now("report", vm));
    report.into_iter().chain(run).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Start,
    Stop,
    Stay,
}

/// Whether the run strategy wants an instance started or stopped now.
fn run(vm: &Object, vmi: Option<&Object>) -> Run {
    if deleting(vm) {
        return Run::Stop;
    }
    let strategy = strategy(vm);
    let Some(vmi) = vmi else {
        let asked = request(vm, "Start").is_some();
        return match strategy {
            "Always" | "Once" => Run::Start,
            "RerunOnFailure" if asked || text(vm, "/status/runStrategy") != strategy => Run::Start,
            "Manual" if asked => Run::Start,
            _ => Run::Stay,
        };
    };
    let asked = request(vm, "Stop").is_some_and(|request| request["uid"] == uid(vmi));
    match strategy {
        "Halted" => Run::Stop,
        "Always" | "RerunOnFailure" if asked || is_final(vmi) => Run::Stop,
        "Manual" if asked => Run::Stop,
        _ => Run::Stay,
    }
}

/// `spec.runStrategy`, or what `spec.running` stands for.
fn strategy(vm: &Object) -> &str {
    match vm.data.pointer("/spec/running").and_then(Value::as_bool) {
        Some(true) => "Always",
        Some(false) => "Halted",
        None if text(vm, "/spec/runStrategy").is_empty() => "Halted",
        None => text(vm, "/spec/runStrategy"),
    }
}

/// The first state change request, if it is this one; KubeVirt looks at no other.
fn request<'a>(vm: &'a Object, action: &str) -> Option<&'a Value> {
    list(vm, "/status/stateChangeRequests").first().filter(|request| request["action"] == action)
}

fn start(vm: &Object, now: Timestamp) -> Move {
    let pace = match status::retry_after(vm) {
        Some(then) if then > now => Pace::After(then),
        Some(_) | None => Pace::Seeded,
    };
    let write = Write {
        actor: ACTOR,
        kind: Kind::Vmi,
        name: super::objects::Name::of(vm),
        verb: Verb::Create(instance::of(vm)),
    };
    Move { step: "create-instance", about: uid(vm).into(), pace, write }
}

/// How far the storage of a VM or VMI is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disks {
    /// This claim does not exist. A DataVolume's claim is somebody's work in progress, any other a mistake.
    Missing {
        claim: String,
        data_volume: bool,
    },
    Unbound,
    /// CDI has not filled all of them.
    Filling,
    Bound,
}

fn disks(object: &Object, scene: &Scene<'_>) -> Disks {
    let spec = object.data.pointer("/spec/template/spec").or_else(|| object.data.get("spec"));
    let spec = spec.unwrap_or(&Value::Null);
    let find = |name: &str| scene.claims.iter().find(|claim| claim.metadata.name.as_deref() == Some(name));
    if let Some(missing) = claim_names(spec).find(|name| find(name).is_none()) {
        let volumes = spec["volumes"].as_array().into_iter().flatten();
        let data_volume = volumes.filter(|v| claim_name(v) == Some(missing)).any(|v| v.get("dataVolume").is_some());
        return Disks::Missing { claim: missing.into(), data_volume };
    }
    let bound = |name: &str| find(name).is_some_and(|claim| text(claim, "/status/phase") == "Bound");
    if !claim_names(spec).all(bound) {
        Disks::Unbound
    } else if claim_names(spec).filter_map(find).any(|claim| is_filling(claim)) {
        Disks::Filling
    } else {
        Disks::Bound
    }
}
