//! What virt-controller does next, as a table over run strategy, VMI phase and disks.

mod restarts;

use super::*;
use crate::table::every_row;
use serde_json::Value;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn object(value: Value) -> Object {
    serde_json::from_value(value).unwrap()
}

/// A VM whose status is up to date for the VMI given, so that tables show only the decision under test.
fn vm(strategy: &str) -> Object {
    object(json!({
        "metadata": {"namespace": "a", "name": "web", "uid": "vm1", "generation": 3, "finalizers": [VM_FINALIZER]},
        "spec": {"runStrategy": strategy, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"domain": {"devices": {}}, "volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}}]},
        }},
    }))
}

fn vmi(phase: &str) -> Object {
    let mut born = object(instance::of(&vm("Always")));
    born.metadata.uid = Some("vmi1".into());
    born.data["status"] = json!({"phase": phase});
    born
}

fn claim(phase: &str) -> Object {
    object(
        json!({"metadata": {"namespace": "a", "name": "web-root"}, "spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": phase}}),
    )
}

fn deleted(mut object: Object) -> Object {
    object.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(NOW));
    object
}

fn moves(vm: Option<&Object>, vmi: Option<&Object>, claim: Option<&Object>, failures: &[Failure]) -> Vec<Move> {
    next(&Scene { vm, vmi, claims: claim.into_iter().collect(), failures: failures.to_vec() }, NOW)
}

fn steps(moves: &[Move]) -> Vec<&'static str> {
    moves.iter().map(|m| m.step).filter(|step| *step != "report").collect()
}

/// The status that the VM has after the report, if there is one.
fn reported(mut vm: Object, moves: &[Move]) -> Object {
    for write in moves.iter().filter(|m| m.step == "report").map(|m| &m.write) {
        let Verb::MergeStatus(patch) = &write.verb else { panic!("{write:?}") };
        if vm.data.get("status").is_none() {
            vm.data["status"] = json!({});
        }
        for (key, value) in patch["status"].as_object().unwrap() {
            vm.data["status"][key] = value.clone();
        }
    }
    vm
}

#[test]
fn the_run_strategy_starts_and_stops() {
    #[rustfmt::skip]
    let cases = [
        ("Always",         None,              vec!["create-instance"]),
        ("Once",           None,              vec!["create-instance"]),
        ("RerunOnFailure", None,              vec!["create-instance"]),
        ("Manual",         None,              vec![]),
        ("Halted",         None,              vec![]),
        ("",               None,              vec![]),
        ("Always",         Some("Running"),   vec![]),
        ("Halted",         Some("Running"),   vec!["stop"]),
        ("Manual",         Some("Running"),   vec![]),
        ("Always",         Some("Succeeded"), vec!["stop"]),
        ("RerunOnFailure", Some("Succeeded"), vec!["stop"]),
        ("Once",           Some("Succeeded"), vec!["let-go"]),
        ("Manual",         Some("Failed"),    vec!["let-go"]),
    ];
    every_row(cases, |(strategy, phase, want)| {
        let vmi = phase.map(vmi);
        let first = moves(Some(&vm(strategy)), vmi.as_ref(), Some(&claim("Bound")), &[]);
        let settled = reported(vm(strategy), &first);
        let got = moves(Some(&settled), vmi.as_ref(), Some(&claim("Bound")), &[]);
        assert_eq!(steps(&got), want, "{strategy} {phase:?}");
    });
}

#[test]
fn running_true_and_false_are_always_and_halted() {
    every_row([(true, vec!["create-instance"]), (false, vec![])], |(running, want)| {
        let mut vm = vm("");
        vm.data["spec"] = json!({"running": running, "template": {"spec": {}}});
        assert_eq!(steps(&moves(Some(&vm), None, None, &[])), want);
    });
}

#[test]
fn deletion_ends_the_instance_first_and_releases_the_vm_last() {
    let bound = claim("Bound");
    let mut unprotected = vm("Always");
    unprotected.metadata.finalizers = None;
    let mut orphaning = vm("Always");
    orphaning.metadata.finalizers = Some(vec![ORPHAN.into(), VM_FINALIZER.into()]);
    #[rustfmt::skip]
    let cases = [
        ("finalizer comes first",      unprotected.clone(),      None,                           vec!["protect"]),
        ("instance is deleted",        deleted(vm("Always")),    Some(vmi("Running")),           vec!["stop"]),
        ("instance is on its way",     deleted(vm("Always")),    Some(deleted(vmi("Running"))),  vec![]),
        ("instance never had a node",  deleted(vm("Always")),    Some(deleted(vmi("Pending"))),  vec!["cancel"]),
        ("instance has ended",         deleted(vm("Always")),    Some(deleted(vmi("Succeeded"))), vec!["let-go"]),
        ("instance is gone",           deleted(vm("Always")),    None,                           vec!["release"]),
        ("released",                   deleted(unprotected),     None,                           vec![]),
        ("instance is to stay",        deleted(orphaning),       Some(vmi("Running")),           vec!["release"]),
    ];
    every_row(cases, |(name, vm, vmi, want)| {
        let settled = reported(vm.clone(), &moves(Some(&vm), vmi.as_ref(), Some(&bound), &[]));
        assert_eq!(steps(&moves(Some(&settled), vmi.as_ref(), Some(&bound), &[])), want, "{name}");
    });
}

#[test]
fn an_instance_of_an_earlier_vm_is_neither_stopped_nor_doubled() {
    let mut stranger = vmi("Running");
    stranger.metadata.owner_references.as_mut().unwrap()[0].uid = "vm0".into();
    assert_eq!(steps(&moves(Some(&vm("Always")), Some(&stranger), None, &[])), Vec::<&str>::new());
    assert_eq!(steps(&moves(Some(&deleted(vm("Always"))), Some(&stranger), None, &[])), ["release"]);
}

#[test]
fn printable_status() {
    let with = |phase: &str, kind: &str, reason: &str| {
        let mut vmi = vmi(phase);
        vmi.data["status"]["conditions"] = json!([{"type": kind, "status": "False", "reason": reason}]);
        Some(vmi)
    };
    let unplaced = || with("Scheduling", "PodScheduled", "Unschedulable");
    let missing = || with("Pending", "Synchronized", "FailedPvcNotFound");
    let (bound, unbound) = (|| Some(claim("Bound")), || Some(claim("Pending")));
    #[rustfmt::skip]
    let cases = vec![
        (vm("Halted"),          None,                         bound(),   "Stopped"),
        (vm("Halted"),          None,                         unbound(), "Stopped"),
        (vm("Always"),          None,                         bound(),   "Starting"),
        (vm("Always"),          None,                         unbound(), "WaitingForVolumeBinding"),
        (vm("Always"),          missing(),                    None,      "ErrorPvcNotFound"),
        (vm("Always"),          Some(vmi("Pending")),         unbound(), "WaitingForVolumeBinding"),
        (vm("Always"),          Some(vmi("Scheduling")),      bound(),   "Starting"),
        (vm("Always"),          unplaced(),                   bound(),   "ErrorUnschedulable"),
        (vm("Always"),          Some(vmi("Running")),         bound(),   "Running"),
        (vm("Halted"),          Some(deleted(vmi("Running"))), bound(),  "Stopping"),
        (vm("Once"),            Some(vmi("Failed")),          bound(),   "CrashLoopBackOff"),
        (vm("Manual"),          Some(vmi("Failed")),          bound(),   "Stopped"),
        (deleted(vm("Always")), Some(vmi("Running")),         bound(),   "Terminating"),
    ];
    every_row(cases, |(vm, vmi, claim, want)| {
        let strategy = strategy(&vm).to_owned();
        let got = reported(vm.clone(), &moves(Some(&vm), vmi.as_ref(), claim.as_ref(), &[]));
        assert_eq!(
            text(&got, "/status/printableStatus"),
            want,
            "{strategy} {:?}",
            vmi.map(|v| v.data["status"].clone())
        );
    });
}

#[test]
fn an_instance_goes_through_its_phases_up_to_scheduled() {
    use Failure::{CrashLoop, Unschedulable};
    #[rustfmt::skip]
    let cases = [
        ("",           Some(claim("Bound")),   vec![],              Some(("accept", "Pending"))),
        ("Pending",    None,                   vec![],              Some(("miss", ""))),
        ("Pending",    Some(claim("Pending")), vec![],              None),
        ("Pending",    Some(claim("Bound")),   vec![Unschedulable], Some(("create-pod", "Scheduling"))),
        ("Scheduling", Some(claim("Bound")),   vec![Unschedulable], Some(("refuse", ""))),
        ("Scheduling", Some(claim("Bound")),   vec![CrashLoop],     Some(("schedule", "Scheduled"))),
        ("Scheduled",  Some(claim("Bound")),   vec![],              None),
        ("Running",    Some(claim("Bound")),   vec![],              None),
    ];
    every_row(cases, |(phase, claim, failures, want)| {
        let got = moves(None, Some(&vmi(phase)), claim.as_ref(), &failures);
        let got = got.first().map(|m| {
            let Verb::Merge(patch) = &m.write.verb else { panic!("not a merge") };
            (m.step, patch["status"]["phase"].as_str().unwrap_or_default())
        });
        assert_eq!(got, want, "{phase:?} {failures:?}");
    });
}

#[test]
fn a_born_instance_belongs_to_its_vm_and_has_its_defaults() {
    let vmi = vmi("");
    let owner = &vmi.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.uid.as_str(), owner.controller, owner.block_owner_deletion), ("vm1", Some(true), Some(true)));
    assert_eq!(vmi.metadata.labels.as_ref().unwrap()["app"], "web");
    assert!(has_finalizer(&vmi, super::super::objects::VMI_FINALIZER));
    assert_eq!(text(&vmi, "/spec/domain/machine/type"), "q35");
    assert_eq!(text(&vmi, "/spec/domain/firmware/uuid").len(), 36);
    assert_eq!(text(&vmi, "/spec/networks/0/name"), "default");
    assert_eq!(text(&vmi, "/spec/volumes/0/name"), "root");
}

#[test]
fn observed_generation_moves_only_when_the_template_stays() {
    let (mut resumed, mut resized) = (vm("Always"), vm("Always"));
    resumed.metadata.generation = Some(4);
    resized.metadata.generation = Some(4);
    resized.data["spec"]["template"]["spec"]["domain"]["cpu"] = json!({"cores": 4});
    let running = vmi("Running");
    every_row([(&resumed, vec!["follow"]), (&resized, vec![])], |(vm, want)| {
        let got = moves(Some(vm), Some(&running), Some(&claim("Bound")), &[]);
        assert_eq!(steps(&got), want);
        let shown = reported(vm.clone(), &got);
        assert_eq!(
            (&shown.data["status"]["observedGeneration"], &shown.data["status"]["desiredGeneration"]),
            (&json!(3), &json!(4))
        );
    });
}
