//! What becomes of an edit of CPUs.

use model::machine::Waits;
use model::machine::restart::note;

use super::kept::{live, merged, wanted};
use super::*;

#[test]
fn x73_cores_stay_cores_and_a_restart_is_said_to_change_them() {
    let cpu = |live: &Value| live["spec"]["template"]["spec"]["domain"]["cpu"].clone();
    let before = live(|_| ());
    #[rustfmt::skip]
    let cases = [
        ("cores",   json!({"cores": 4, "threads": 1, "sockets": 1})),
        ("threads", json!({"cores": 1, "threads": 4, "sockets": 1})),
        ("sockets", json!({"cores": 1, "threads": 1, "sockets": 4})),
    ];
    every_row(cases, |(part, want)| {
        let edited = |machine: &mut Value| {
            let sizing = RESOLVED.replace(&format!("\"{part}\":1"), &format!("\"{part}\":4"));
            machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!(sizing);
        };
        let (after, fields) = merged(&before, &wanted(edited));
        assert_eq!((cpu(&after), fields), (want, vec![format!("spec.template.spec.domain.cpu.{part}")]), "{part}");
        let mut change = wanted(edited).change(&before).expect("a change");
        note(&mut change, &before);
        let changed =
            change.patch["metadata"]["annotations"]["vitistack.io/changed-fields"].as_str().map(str::to_owned);
        // KubeVirt says so for cores and threads, and plugs sockets in.
        let told = Some("a non-live-updatable field".to_owned()).filter(|_| part != "sockets");
        let vm = vm("Running").map(|vm| Vm { changed, restart_required: told.clone(), ..vm });
        let shown = status(&MachineStatus::default(), &intent(edited), &Observed { vm, ..running() }, None, now(1));
        let waits = shown.conditions.iter().find(|it| it.type_ == "RestartRequired" && it.status == "True");
        let says = waits.map(|it| it.message.split(": ").next().unwrap_or_default().to_owned());
        assert_eq!(says, told.map(|_| format!("the guest still has the old domain.cpu.{part}")), "{part}");
    });
}

#[test]
fn x71_fr19_what_comes_with_a_move_of_the_guest_is_said_until_it_is_there() {
    let shown = |waits: Option<Waits>| {
        let vmi = vmi("Running", true).map(|vmi| Vmi { waits: waits.map(Box::new), ..vmi });
        let shown = status(&MachineStatus::default(), &intent(|_| ()), &Observed { vmi, ..running() }, None, now(1));
        let applied = shown.conditions.into_iter().find(|it| it.type_ == "SpecApplied").expect("there is a VM");
        (applied.status, applied.message)
    };
    let said = |message: &str| ("False".to_owned(), message.to_owned());
    let both = Waits { cpus: true, interfaces: true, ..Waits::default() };
    let stuck = Waits { memory: true, stuck: Some("a disk is not shared".to_owned()), ..Waits::default() };
    #[rustfmt::skip]
    let cases = [
        (Some(both),  said("the guest has its new CPUs, interfaces when it moves to another node: KubeVirt moves it by itself where its workloadUpdateMethods name LiveMigrate; elsewhere use virtctl migrate")),
        (Some(stuck), said("the guest has its new memory when it moves to another node, which it cannot (a disk is not shared), or starts again: set the annotation vitistack.io/restart of the Machine to a new value, or use virtctl restart")),
        (None,        ("True".to_owned(), "everything that the Machine asks for is carried out".to_owned())),
    ];
    every_row(cases, |(waits, want)| assert_eq!(shown(waits), want));
}
