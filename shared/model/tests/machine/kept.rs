//! What of a VM is kept true: edits, patches and their removal, what others change, and when that is given up.

use std::time::Duration;

use model::baseline::war::Turn;
use model::baseline::{Drift, Wanted, drift, hash};
use model::machine::restart::note;
use model::machine::{drift as words, vm as vms};

use super::*;

const PATCH: &str = "platform.kubevirt.io/patch";
const IGNORE: &str = "platform.kubevirt.io/ignore-fields";

/// What the plan makes of the VM, whether it creates or updates it.
pub(crate) fn wanted(change: impl Fn(&mut Value)) -> Box<Wanted> {
    match plan(&intent(change), &running()).writes.pop() {
        Some(Write::There(There::Update { wanted, .. })) => wanted,
        other => panic!("{other:?}"),
    }
}

fn object(change: impl Fn(&mut Value)) -> Value {
    match plan(&intent(change), &seen()).writes.pop() {
        Some(Write::There(There::Create(Kind::Vm, _, object))) => object,
        other => panic!("{other:?}"),
    }
}

/// The VM as it is on a cluster after it was made: KubeVirt has filled in what is its own.
pub(crate) fn live(change: impl Fn(&mut Value)) -> Value {
    let mut live = object(change);
    live["metadata"]["uid"] = json!("v-1");
    live["metadata"]["resourceVersion"] = json!("9");
    live["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    let instance = &mut live["spec"]["template"]["spec"];
    instance["architecture"] = json!("amd64");
    instance["domain"]["machine"] = json!({"type": "q35"});
    instance["domain"]["firmware"]["uuid"] = json!("5d307ca9-b3ef-428c-8861-06e72d69f223");
    live
}

/// `live` after `wanted` was brought to it.
pub(crate) fn merged(live: &Value, wanted: &Wanted) -> (Value, Vec<String>) {
    let mut after = live.clone();
    let Some(change) = wanted.change(live) else { return (after, Vec::new()) };
    assert_eq!(
        (&change.patch["metadata"]["uid"], &change.patch["metadata"]["resourceVersion"]),
        (&json!("v-1"), &json!("9")),
        "bound to what was read"
    );
    json_patch::merge(&mut after, &change.patch);
    (after, change.fields)
}

fn annotated(key: &'static str, value: &'static str) -> impl Fn(&mut Value) {
    move |machine| machine["metadata"]["annotations"][key] = json!(value)
}

#[test]
fn kvo20_an_edit_reaches_the_vm_and_kubevirts_own_values_stay() {
    let efi = |machine: &mut Value| {
        machine["spec"]["domain"]["firmware"]["bootloader"] = json!({"efi": true, "secureBoot": true});
    };
    let before = live(efi);
    assert_eq!(
        before["spec"]["template"]["spec"]["domain"]["firmware"]["bootloader"],
        json!({"efi": {"secureBoot": true}})
    );
    let (after, fields) = merged(&before, &wanted(|machine| machine["spec"]["runStrategy"] = json!("Halted")));
    let domain = &after["spec"]["template"]["spec"]["domain"];
    assert_eq!(
        domain["firmware"],
        json!({"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"}),
        "what was taken out of the Machine goes"
    );
    assert_eq!(domain.get("features"), None, "X72: SMM came with secure boot");
    assert_eq!(domain["machine"], json!({"type": "q35"}), "KubeVirt's default is no drift");
    assert_eq!(after["spec"]["runStrategy"], "Halted");
    assert_eq!(
        fields,
        ["spec.runStrategy", "spec.template.spec.domain.features", "spec.template.spec.domain.firmware.bootloader"]
    );
}

#[test]
fn d3_a_patch_has_its_effect_and_its_removal_takes_that_off_again() {
    let patch = r#"[{"op": "add", "path": "/spec/template/spec/hostname", "value": "named"},
        {"op": "add", "path": "/spec/template/spec/domain/devices/disks/1/cache", "value": "writeback"}]"#;
    let plain = live(|_| ());
    assert_eq!(plain["spec"]["template"]["spec"].get("hostname"), None);
    let (patched, fields) = merged(&plain, &wanted(annotated(PATCH, patch)));
    assert_eq!(patched["spec"]["template"]["spec"]["hostname"], "named");
    assert_eq!(patched["spec"]["template"]["spec"]["domain"]["devices"]["disks"][1]["cache"], "writeback");
    assert_eq!(fields, ["spec.template.spec.domain.devices.disks[data].cache", "spec.template.spec.hostname"]);
    let without = wanted(|machine| machine["spec"]["runStrategy"] = json!("Always"));
    let (back, fields) = merged(&patched, &without);
    assert_eq!(back["spec"]["template"], plain["spec"]["template"]);
    assert_eq!(fields, ["spec.template.spec.domain.devices.disks[data].cache", "spec.template.spec.hostname"]);
}

#[test]
fn d4_ignored_fields_keep_what_the_cluster_has_and_never_differ() {
    let ignoring = || {
        annotated(IGNORE, "/spec/template/spec/domain/cpu/sockets, /spec/template/spec/domain/devices/disks/0/cache")
    };
    let mut before = live(|_| ());
    before["spec"]["template"]["spec"]["domain"]["cpu"]["sockets"] = json!(2);
    let (after, fields) = merged(&before, &wanted(ignoring()));
    assert_eq!(after["spec"]["template"]["spec"]["domain"]["cpu"]["sockets"], 2);
    assert_eq!(fields, Vec::<String>::new());
    assert_eq!(drift(&after), [], "what is ignored is not written down as ours");
    assert_eq!(
        object(ignoring())["spec"]["template"]["spec"]["domain"]["cpu"]["sockets"],
        1,
        "before it is there it is written like all others"
    );
}

#[test]
fn d5_an_unmanaged_vm_is_neither_made_nor_changed() {
    let unmanaged = || annotated("platform.kubevirt.io/mode", "unmanaged");
    assert_eq!(
        brief(&plan(&intent(unmanaged()), &Observed { claims: claims("Bound"), ..seen() })),
        Vec::<String>::new()
    );
    let drifted = Vm { hash: Some("another".to_owned()), ..vm("Running").expect("a VM") };
    assert_eq!(plan(&intent(unmanaged()), &Observed { vm: Some(drifted), ..running() }), Plan::default());
    let shown = status(
        &MachineStatus::default(),
        &intent(unmanaged()),
        &Observed { claims: claims("Bound"), ..seen() },
        None,
        now(1),
    );
    assert_eq!(condition(&shown, "VirtualMachineReady"), "False/Unmanaged");
    assert_eq!(condition(&shown, "Ready"), "False/Unmanaged");
}

#[test]
fn a_patch_that_admission_never_judged_is_refused_and_the_vm_left_alone() {
    let forbidden = annotated(PATCH, r#"[{"op": "replace", "path": "/metadata/name", "value": "other"}]"#);
    let planned = plan(&intent(forbidden), &running());
    assert_eq!(brief(&planned), ["refuse PatchRefused"]);
    let why = planned.refused.expect("a refusal").message;
    assert!(
        why.starts_with("metadata.annotations[platform.kubevirt.io/patch]: operation 0 (replace /metadata/name)"),
        "{why}"
    );
}

#[test]
fn what_others_add_to_a_list_stays_and_what_we_took_out_goes() {
    let mut before = live(|_| ());
    let instance = &mut before["spec"]["template"]["spec"];
    instance["volumes"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"name": "hotplugged", "persistentVolumeClaim": {"claimName": "x", "hotpluggable": true}}));
    instance["domain"]["devices"]["disks"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"name": "hotplugged", "disk": {"bus": "scsi"}}));
    assert_eq!(drift(&before), []);
    let fewer = |machine: &mut Value| {
        let sizing = RESOLVED.replace(
            r#",
    {"name":"data","size":"100Gi","storageClass":"fast-ssd","accessMode":"ReadWriteMany","volumeMode":"Block"}"#,
            "",
        );
        let sizing = sizing.replace(
            r#",
        {"name":"data""#,
            r#",{"name":"data""#,
        );
        machine["metadata"]["annotations"]["vitistack.io/resolved"] =
            json!(match sizing.split_once(r#",{"name":"data""#) {
                Some((before, _)) => format!("{before}]}}"),
                None => sizing,
            });
    };
    let (after, fields) = merged(&before, &wanted(fewer));
    let names = |list: &Value| {
        list.as_array()
            .into_iter()
            .flatten()
            .map(|it| it["name"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&after["spec"]["template"]["spec"]["volumes"]), ["root", "hotplugged"]);
    assert_eq!(names(&after["spec"]["template"]["spec"]["domain"]["devices"]["disks"]), ["root", "hotplugged"]);
    assert!(fields.contains(&"spec.template.spec.volumes[data]".to_owned()), "{fields:?}");
}

#[test]
fn kvo28_drift_is_told_by_field_and_by_who_holds_it() {
    let mut changed = live(|machine| machine["spec"]["runStrategy"] = json!("Always"));
    changed["spec"]["runStrategy"] = json!("Halted");
    changed["spec"]["template"]["spec"]["domain"]["memory"]["guest"] = json!("2048Mi");
    changed["spec"]["template"]["spec"]["domain"]["devices"]["disks"][1]["disk"]["bus"] = json!("scsi");
    changed["metadata"]["managedFields"] = json!([
        {"manager": "kubevirt-operator", "time": "2026-11-27T10:00:00Z", "fieldsV1": {"f:spec": {"f:runStrategy": {}}}},
        {"manager": "virtctl", "time": "2026-11-27T11:00:00Z", "fieldsV1": {"f:spec": {"f:runStrategy": {}}}},
        {"manager": "kubectl-edit", "time": "2026-11-27T12:00:00Z",
         "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:domain": {"f:devices": {"f:disks": {}}}}}}}},
    ]);
    let told = |field: &str, by: &str| Drift { field: field.to_owned(), by: Some(by.to_owned()) };
    let found = drift(&changed);
    assert_eq!(
        found,
        [
            told("spec.runStrategy", "virtctl"),
            told("spec.template.spec.domain.devices.disks[data].disk.bus", "kubectl-edit"),
        ],
        "2048Mi is 2Gi"
    );
    assert_eq!(
        words::corrected("web", Kind::Vm, "vm-web", &found),
        "set back to what the Machine says: spec.runStrategy (changed by virtctl), spec.template.spec.domain.devices.disks[data].disk.bus \
         (changed by kubectl-edit): set spec.runStrategy of the Machine to what it should be, such as Halted, or leave it out to let \
         virtctl decide",
        "X96: with what to declare instead"
    );
}

#[test]
fn x96_power_drifts_only_where_it_is_declared() {
    let halted = |change: fn(&mut Value)| {
        let mut live = live(change);
        live["spec"]["runStrategy"] = json!("Halted");
        live
    };
    assert_eq!(drift(&halted(|_| ())), [], "virtctl stop is nobody's mistake");
    let declared = halted(|machine| machine["spec"]["runStrategy"] = json!("Always"));
    assert_eq!(drift(&declared).len(), 1);
    let (again, fields) = merged(&declared, &wanted(|machine| machine["spec"]["runStrategy"] = json!("Always")));
    assert_eq!(
        (&again["spec"]["runStrategy"], fields.as_slice()),
        (&json!("Always"), ["spec.runStrategy".to_owned()].as_slice())
    );
    let undeclared = wanted(|machine| {
        machine["metadata"]["annotations"]["vitistack.io/resolved"] =
            json!(RESOLVED.replace("\"cores\":1", "\"cores\":2"));
    });
    let (left, fields) = merged(&declared, &undeclared);
    let cores = ["spec.template.spec.domain.cpu.cores".to_owned()];
    assert_eq!(
        (&left["spec"]["runStrategy"], fields.as_slice()),
        (&json!("Halted"), cores.as_slice()),
        "no longer declared, it stays"
    );
}

#[test]
fn drift_is_corrected_when_it_is_its_turn() {
    let drifted = |turn| {
        let drift = vec![Drift { field: "spec.runStrategy".to_owned(), by: None }];
        let vm = vm("Running").map(|vm| Vm { drift, ..vm });
        brief(&plan(&intent(|_| ()), &Observed { vm, turn, ..running() }))
    };
    #[rustfmt::skip]
    let cases = [
        (Turn::Now,                               vec!["update Vm vm-web"]),
        (Turn::In(Duration::from_secs(3)),        vec![]),
        (Turn::Pause("spec.x".to_owned()),        vec!["merge Vm vm-web"]),
        (Turn::Paused,                            vec![]),
    ];
    every_row(cases, |(turn, wanted)| assert_eq!(drifted(turn), wanted));
}

#[test]
fn x71_a_change_that_waits_for_a_restart_names_its_fields() {
    let mut before = live(|_| ());
    let edited = |machine: &mut Value| {
        machine["metadata"]["annotations"]["vitistack.io/resolved"] =
            json!(RESOLVED.replace("\"cores\":1", "\"cores\":2"));
    };
    let noted = |live: &Value| {
        let mut change = wanted(edited).change(live).expect("a change");
        note(&mut change, live);
        change.patch["metadata"]["annotations"]["vitistack.io/changed-fields"].clone()
    };
    assert_eq!(noted(&before), "domain.cpu.cores");
    before["metadata"]["annotations"]["vitistack.io/changed-fields"] = json!("domain.machine.type");
    assert_eq!(noted(&before), "domain.cpu.cores", "it was restarted since");
    before["status"]["conditions"] = json!([{"type": "RestartRequired", "status": "True"}]);
    assert_eq!(noted(&before), "domain.machine.type, domain.cpu.cores");
    let mut drifted = live(|_| ());
    drifted["spec"]["template"]["spec"]["domain"]["memory"]["guest"] = json!("9Gi");
    assert_eq!(noted(&drifted), "domain.cpu.cores", "what is only set back is nothing new to the guest");
    let waiting = Vm {
        restart_required: Some("a non-live-updatable field".to_owned()),
        changed: Some("domain.cpu.cores".to_owned()),
        ..vm("Running").expect("a VM")
    };
    let shown =
        status(&MachineStatus::default(), &intent(|_| ()), &Observed { vm: Some(waiting), ..running() }, None, now(1));
    assert_eq!(condition(&shown, "RestartRequired"), "True/RestartRequired");
    assert_eq!(condition(&shown, "SpecApplied"), "False/PartlyApplied", "FR19");
    let says = shown
        .conditions
        .iter()
        .find(|it| it.type_ == "RestartRequired")
        .map(|it| it.message.clone())
        .unwrap_or_default();
    assert!(says.starts_with("the guest still has the old domain.cpu.cores: a restart brings the change: set the annotation vitistack.io/restart"), "{says}");
}

const DONE: &str = r#"{"value":"1","instance":"i-1"}"#;

#[test]
fn a_new_value_of_restart_restarts_the_running_instance_once() {
    let asked = || annotated("vitistack.io/restart", "1");
    let marked = |text: &str| Some(text.to_owned());
    let of = |restarted: Option<String>, restarting, strategy: &str, vmi: Option<Vmi>| {
        let vm = vm("Running").map(|vm| Vm { restarted, restarting, run_strategy: Some(strategy.to_owned()), ..vm });
        brief(&plan(&intent(asked()), &Observed { vm, vmi, ..running() }))
    };
    let instance = |uid: &str| vmi("Running", true).map(|vmi| Vmi { uid: uid.to_owned(), ..vmi });
    #[rustfmt::skip]
    let cases = [
        ("it is written down first",            None,                                            false, "Always", instance("i-1"), vec!["merge Vm vm-web"]),
        ("then asked for",                      marked(DONE),                                    false, "Always", instance("i-1"), vec!["restart vm-web"]),
        ("once",                                marked(DONE),                                    true,  "Always", instance("i-1"), vec![]),
        ("another instance is there already",   marked(DONE),                                    false, "Always", instance("i-2"), vec![]),
        ("it is on its way",                    marked(DONE),                                    false, "Always", None,            vec![]),
        ("an older value",                      marked(r#"{"value":"0","instance":"i-1"}"#),     false, "Always", instance("i-1"), vec!["merge Vm vm-web"]),
        ("what is to be stopped is not started", marked(DONE),                                   false, "Halted", instance("i-1"), vec![]),
    ];
    every_row(cases, |(name, restarted, restarting, strategy, vmi, wanted)| {
        assert_eq!(of(restarted, restarting, strategy, vmi), wanted, "{name}");
    });
    let made = object(asked());
    assert_eq!(
        made["metadata"]["annotations"]["vitistack.io/restarted"], r#"{"value":"1","instance":""}"#,
        "a new VM needs none"
    );
}

#[test]
fn fr13_x97_t13_listed_labels_reach_the_vm_and_reserved_ones_never() {
    let labelled = |machine: &mut Value| {
        machine["metadata"]["labels"] = json!({
            "cluster.vitistack.io/cluster-name": "shop-1", "team": "blue", "vitistack.io/machine-uid": "forged", "kubevirt.io/x": "y",
        });
    };
    let copied = ["cluster.vitistack.io/", "vitistack.io/", "kubevirt.io/"].map(str::to_owned).to_vec();
    let Intent::Run(admitted) = intent(labelled) else { panic!("a VM") };
    let seen = Observed { copied_labels: copied, ..seen() };
    let made = vms::desired(&admitted, &seen);
    let claims = model::machine::storage::claims(&admitted, &seen);
    let expected = json!({
        "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
        "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup", "cluster.vitistack.io/cluster-name": "shop-1",
    });
    assert_eq!((&made["metadata"]["labels"], &made["spec"]["template"]["metadata"]["labels"]), (&expected, &expected));
    assert_eq!(claims.len(), 2);
    every_row(claims, |(disk, claim)| assert_eq!(claim["metadata"]["labels"], expected, "{disk}"));
}

#[test]
fn the_hash_is_that_of_what_stands_on_the_vm() {
    let text = live(|_| ())["metadata"]["annotations"]["vitistack.io/last-applied"].as_str().map(hash);
    assert_eq!(text.as_deref(), Some(written::HASH));
}
