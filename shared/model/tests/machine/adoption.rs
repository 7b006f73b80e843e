//! A VM that was there before its Machine: when it becomes the Machine's, and what is written to it then and later.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use model::machine::owner::Adoption;
use model::machine::{Stray, adoption};

use super::*;

/// A Machine whose VM admission found, under the name that we give.
fn found(vm: &'static str) -> impl Fn(&mut Value) {
    move |machine| {
        machine["metadata"]["annotations"]["vitistack.io/placement"] =
            json!(format!(r#"{{"rule":"adopted","cluster":"east","vm":"{vm}"}}"#));
    }
}

/// Of these Machines no cluster is recorded yet.
fn new(vm: &'static str) -> impl Fn(&mut Value) {
    move |machine| {
        found(vm)(machine);
        machine["status"] = json!({});
    }
}

fn free(name: &str) -> Lookup {
    Lookup::Free(Stray {
        name: name.to_owned(),
        uid: "s-1".to_owned(),
        resource_version: "5".to_owned(),
        claims: Vec::new(),
        owners: Vec::new(),
    })
}

/// The VM of [`found`], once adopted with what `machine` asks for.
fn adopted(printable: &str) -> Observed {
    let writes = plan(&intent(found("vm-web")), &Observed { found: free("vm-web"), ..seen() }).writes;
    let [Write::There(There::Adopt(name, change))] = writes.as_slice() else { panic!("{writes:?}") };
    let vm = Vm {
        name: name.clone(),
        uid: "s-1".to_owned(),
        resource_version: "6".to_owned(),
        printable: printable.to_owned(),
        adopted: change["metadata"]["annotations"]["vitistack.io/adopted"].as_str().map(str::to_owned),
        ..Vm::default()
    };
    Observed { vm: Some(vm), ..seen() }
}

fn with(change: impl Fn(&mut Value)) -> Intent {
    intent(|machine| {
        found("vm-web")(machine);
        change(machine);
    })
}

#[test]
fn a4_x54_what_is_found_is_adopted_made_or_left_alone() {
    let at = |found: Lookup| Observed { found, ..seen() };
    let taken = || at(Lookup::Taken("belongs to another supervisor".to_owned()));
    let vm_awaited = BTreeSet::from([(Kind::Vm, "vm-web".to_owned())]);
    let nowhere = Observed { remote: Remote::Unreachable("down".to_owned()), ..at(free("vm-web")) };
    let dying = Observed { vm: adopted("Running").vm.map(|vm| Vm { deleting: true, ..vm }), ..seen() };
    let halted = |machine: &mut Value| machine["spec"]["runStrategy"] = json!("Halted");
    let both = |machine: &mut Value| {
        machine["metadata"]["finalizers"] = json!(["machine.vitistack.io/cleanup", "machine.vitistack.io/finalizer"]);
    };
    let leaves = |policy: &'static str| {
        with(move |machine| {
            leaving(machine);
            machine["metadata"]["annotations"]["vitistack.io/deletion-policy"] = json!(policy);
        })
    };
    let all = vec!["create Claim web-root", "create Claim web-data", "create Vm vm-web"];
    #[rustfmt::skip]
    let cases: Vec<(&str, Intent, Observed, Vec<&str>)> = vec![
        ("X2: the published operator's name is recorded for good", intent(new("web")), at(free("web")), vec!["record east=c-east web"]),
        ("X2: and so is ours",                             intent(new("vm-web")), at(free("vm-web")), vec!["record east=c-east vm-web"]),
        ("X2: an old name is never given anew",            intent(new("web")), at(Lookup::Absent), vec!["record east=c-east vm-web"]),
        ("X2 X54: nor taken from a stranger",              intent(new("web")), at(Lookup::Taken("belongs to Pool/p".to_owned())), vec!["record east=c-east vm-web"]),
        ("A4 X54: what is free is adopted, and no disk is made", with(|_| ()), at(free("vm-web")), vec!["adopt vm-web"]),
        ("A4 X54: what went meanwhile is made as usual",   with(|_| ()), at(Lookup::Absent), all.clone()),
        ("X54 KVO6 KVO7: a stranger's is a conflict",      with(|_| ()), taken(), vec!["refuse Conflict"]),
        ("X54: unknown is not absent",                     with(|_| ()), nowhere, vec![]),
        ("X54: nor is what did not answer",                with(|_| ()), at(Lookup::Unknown("403".to_owned())), vec!["refuse KubeVirtApiError"]),
        ("X2: not even a name is recorded then",           intent(new("web")), at(Lookup::Unknown("403".to_owned())), vec!["refuse KubeVirtApiError"]),
        ("X54: an adoption on its way makes no disks",     with(|_| ()), Observed { awaited: vm_awaited, ..seen() }, vec![]),
        ("X54: nothing is left to do afterwards",          with(|_| ()), adopted("Running"), vec![]),
        ("X54: an edit reaches it",                        with(halted), adopted("Running"), vec!["merge Vm vm-web"]),
        ("R13: a dying one is waited for",                 with(halted), dying, vec![]),
        ("X12: the published operator's guard is taken off", with(both), adopted("Running"), vec!["release"]),
        ("X12: but not from what is not ours yet",         with(both), at(free("vm-web")), vec!["adopt vm-web"]),
        ("X57: Delete takes the VM",                       leaves("Delete"), adopted("Running"), vec!["delete Vm vm-web s-1"]),
        ("X57: and nothing else, for nothing else is ours", leaves("Delete"), seen(), vec!["release"]),
        ("X57: Retain is the same",                        leaves("Retain"), adopted("Running"), vec!["delete Vm vm-web s-1"]),
        ("X57: Orphan stops nothing",                      leaves("Orphan"), adopted("Running"), vec!["merge Vm vm-web"]),
    ];
    every_row(cases, |(name, intent, seen, want)| {
        assert_eq!(brief(&plan(&intent, &seen)), want, "{name}");
    });
}

#[test]
fn x54_x57_what_an_earlier_self_left_after_admission_looked_is_looked_for_once_it_is_met() {
    let searched = |reason: &'static str| {
        intent(move |machine| {
            machine["metadata"]["annotations"]["vitistack.io/placement"] =
                json!(r#"{"rule":"named","cluster":"east"}"#);
            machine["status"]["conditions"] = json!([{"type": "Ready", "status": "False", "reason": reason}]);
        })
    };
    let looks = |intent: Intent| {
        let Intent::Run(admitted) = intent else { panic!("it runs") };
        (admitted.adopt.clone(), admitted)
    };
    assert_eq!(looks(searched("Creating")).0, [] as [&str; 0], "admission has looked");
    let (under, admitted) = looks(searched("Conflict"));
    assert_eq!(under, ["vm-web"], "and there is one now");
    let vm = |annotations: Value| -> ObjectMeta {
        serde_json::from_value(json!({"name": "vm-web", "annotations": annotations})).expect("metadata")
    };
    let left = |from: &str| vm(json!({"vitistack.io/retained-from": from, "vitistack.io/retained-supervisor": "sup"}));
    #[rustfmt::skip]
    let cases = [
        ("what it left itself",                 left("shop/web"),                                true),
        ("what another one left",               left("shop/db"),                                 false),
        ("one that is nobody's",                vm(json!({})),                                   false),
        ("its own, which has lost its labels",  vm(json!({"vitistack.io/last-applied": "{}"})),  false),
    ];
    every_row(cases, |(case, vm, wanted)| {
        assert_eq!(adoption::is_looked_for(&vm, &admitted, "sup"), wanted, "{case}");
        let (_, first) = looks(with(|_| ()));
        assert!(adoption::is_looked_for(&vm, &first, "sup"), "{case}: admission has found it");
    });
}

#[test]
fn x54_the_annotation_only_says_where_to_look() {
    let adopt = |annotation: &str, status: Value| {
        let machine = intent(|machine| {
            machine["metadata"]["annotations"]["vitistack.io/placement"] = json!(annotation);
            machine["status"] = status.clone();
        });
        let Intent::Run(admitted) = machine else { panic!("{machine:?}") };
        admitted.adopt
    };
    let on_east = |vm: &str| json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-east"}, "vmName": vm});
    #[rustfmt::skip]
    let cases = [
        ("ours",                        r#"{"rule":"adopted","cluster":"east","vm":"vm-web"}"#,      json!({}), "vm-web"),
        ("the published operator's",    r#"{"rule":"named","cluster":"east","vm":"web"}"#,           json!({}), "web"),
        ("once it is recorded",         r#"{"rule":"named","cluster":"east","vm":"web"}"#,           on_east("web"), "web"),
        ("another one is recorded",     r#"{"rule":"named","cluster":"east","vm":"web"}"#,           on_east("vm-web"), ""),
        ("a name that was only shown",  r#"{"rule":"named","cluster":"east","vm":"web"}"#,           json!({"vmName": "vm-web"}), "web"),
        ("none was found",              r#"{"rule":"only-cluster","cluster":"east"}"#,               json!({}), ""),
        ("it was not searched",         r#"{"rule":"named","cluster":"east","searched":false}"#,     json!({}), "vm-web web"),
        ("it was not searched, recorded", r#"{"rule":"named","cluster":"east","searched":false}"#,   on_east("vm-web"), "vm-web"),
        ("somebody else's name",        r#"{"rule":"adopted","cluster":"east","vm":"vm-payroll"}"#,  json!({}), "vm-web web"),
        ("another cluster",             r#"{"rule":"adopted","cluster":"west","vm":"vm-web"}"#,      json!({}), "vm-web web"),
        ("nonsense",                    r#"{"vm":["vm-web"]"#,                                       json!({}), "vm-web web"),
    ];
    every_row(cases, |(name, annotation, status, want)| {
        assert_eq!(adopt(annotation, status).join(" "), want, "{name}");
    });
}

#[test]
fn x54_the_controller_adopts_no_more_than_its_setting_allows() {
    let intent = intent(|_| ());
    let identity = intent.identity().expect("an identity");
    let offered = json!({"annotations": {"vitistack.io/adopt-by": "shop/web"}});
    #[rustfmt::skip]
    let cases = [
        (Adoption::Unowned, json!({}), true), (Adoption::Unowned, offered.clone(), true),
        (Adoption::Labelled, json!({}), false), (Adoption::Labelled, offered.clone(), true),
        (Adoption::Never, json!({}), false), (Adoption::Never, offered, false),
    ];
    every_row(cases, |(setting, metadata, free)| {
        let read: ObjectMeta = serde_json::from_value(metadata.clone()).expect("metadata");
        let found = adoption::found(&read, identity, "sup", setting);
        assert_eq!(matches!(found, Lookup::Free(_)), free, "{setting:?} {metadata}: {found:?}");
        assert_eq!(matches!(found, Lookup::Taken(_)), !free, "{setting:?} {metadata}: {found:?}");
    });
}

#[test]
fn x54_r14_kvo6_kvo7_the_vm_itself_says_whose_it_is() {
    let intent = intent(|_| ());
    let identity = intent.identity().expect("an identity");
    let reference = |kind: &str, version: &str, uid: &str, controller: bool| json!({"apiVersion": version, "kind": kind, "name": "web", "uid": uid, "controller": controller});
    let labels = |supervisor: &str, uid: &str| json!({"labels": {"vitistack.io/supervisor": supervisor, "vitistack.io/machine-uid": uid}});
    let owned = |references: &[Value]| json!({"ownerReferences": references});
    let old = |controller| reference("Machine", "vitistack.io/v1alpha1", "m-1", controller);
    let older = reference("Machine", "vitistack.io/v1alpha1", "m-0", false);
    let group = reference("Group", "example.com/v1", "g-1", false);
    #[rustfmt::skip]
    let cases = [
        ("nobody's",                             json!({}),                                                        "free []"),
        ("offered to this Machine",              json!({"annotations": {"vitistack.io/adopt-by": "shop/web"}}),    "free []"),
        ("KVO6 X54: offered to another",         json!({"annotations": {"vitistack.io/adopt-by": "shop/db"}}),     "is offered to Machine shop/db"),
        ("X54: left by Orphan",                  json!({"labels": {"vitistack.io/retained": "true"}}),             "free []"),
        ("the Machine's",                        labels("sup", "m-1"),                                             "ours"),
        ("KVO7 X54: another Machine's",          labels("sup", "m-2"),                                             "belongs to another Machine of this fleet"),
        ("KVO7 X54: another supervisor's",       labels("other", "m-1"),                                           "belongs to another supervisor"),
        ("X54: without a supervisor",            json!({"labels": {"vitistack.io/machine-uid": "m-1"}}),           "belongs to another supervisor"),
        ("KVO6 X54: a controller's",             owned(&[reference("VirtualMachinePool", "pool.kubevirt.io/v1beta1", "p-1", true)]), "belongs to VirtualMachinePool/web"),
        ("X54: a Machine's of another group",    owned(&[reference("Machine", "cluster.x-k8s.io/v1beta1", "m-1", true)]), "belongs to Machine/web"),
        ("R14: another Machine's as controller", owned(&[reference("Machine", "vitistack.io/v1alpha1", "m-0", true)]), "belongs to Machine/web"),
        ("R14: the Machine's own, as controller", owned(&[old(true)]),                                             "free []"),
        ("R14: those that control nothing",      owned(&[old(false), older, group]),                               "free [\"Group\"]"),
        ("going",                                json!({"deletionTimestamp": "2026-11-21T00:00:00Z"}),             "is being deleted"),
    ];
    every_row(cases, |(name, metadata, want)| {
        let metadata: ObjectMeta = serde_json::from_value(metadata).expect("metadata");
        let got = match adoption::found(&metadata, identity, "sup", Adoption::Unowned) {
            Lookup::Free(stray) => {
                format!("free {:?}", stray.owners.into_iter().map(|owner| owner.kind).collect::<Vec<_>>())
            }
            Lookup::Ours => "ours".to_owned(),
            Lookup::Taken(whose) => whose,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(got, want, "{name}");
    });
}

#[test]
fn x54_r14_to_adopt_writes_metadata_only_and_to_the_version_that_was_judged() {
    let writes = plan(&intent(found("vm-web")), &Observed { found: free("vm-web"), ..seen() }).writes;
    let [Write::There(There::Adopt(name, change))] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!(name, "vm-web");
    assert_eq!(
        *change,
        json!({"metadata": {
            "uid": "s-1", "resourceVersion": "5",
            "labels": {
                "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
                "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup", "vitistack.io/retained": null,
            },
            "annotations": {
                "vitistack.io/adopted": r#"{"runStrategy":"Always","cores":1,"threads":1,"sockets":1,"memory":"2Gi"}"#,
                "vitistack.io/retained-from": null, "vitistack.io/retained-supervisor": null, "vitistack.io/desired-hash": null, "vitistack.io/last-applied": null,
            },
            "ownerReferences": [],
        }})
    );
}

#[test]
fn x28_x54_an_edit_changes_what_was_edited_and_nothing_else() {
    let resolved = |old: &'static str, new: &'static str| {
        move |machine: &mut Value| {
            machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!(RESOLVED.replace(old, new));
        }
    };
    let halted = |machine: &mut Value| machine["spec"]["runStrategy"] = json!("Halted");
    let broken = Observed { vm: adopted("").vm.map(|vm| Vm { adopted: Some("true".to_owned()), ..vm }), ..seen() };
    let domain = |change: Value| json!({"template": {"spec": {"domain": change}}});
    #[rustfmt::skip]
    let cases = [
        ("memory",                            with(resolved("2Gi", "3Gi")),                         adopted(""), domain(json!({"memory": {"guest": "3Gi"}}))),
        ("cores, as a whole topology",        with(resolved(r#""cores":1"#, r#""cores":4"#)),       adopted(""), domain(json!({"cpu": {"cores": 4, "threads": 1, "sockets": 1}}))),
        ("X28: running gives way",            with(halted),                                         adopted(""), json!({"running": null, "runStrategy": "Halted"})),
        ("a record that cannot be read only is made anew", with(halted),                            broken,      Value::Null),
    ];
    every_row(cases, |(name, intent, seen, want)| {
        let writes = plan(&intent, &seen).writes;
        let [Write::There(There::Merge(Kind::Vm, _, change))] = writes.as_slice() else { panic!("{name}: {writes:?}") };
        assert_eq!(change.get("spec").unwrap_or(&Value::Null), &want, "{name}");
        assert_eq!((&change["metadata"]["uid"], &change["metadata"]["resourceVersion"]), (&json!("s-1"), &json!("6")));
        let text = change["metadata"]["annotations"]["vitistack.io/adopted"].as_str().map(str::to_owned);
        let after = Observed { vm: seen.vm.clone().map(|vm| Vm { adopted: text, ..vm }), ..seen };
        assert_eq!(plan(&intent, &after), Plan::default(), "{name}: and then it is done");
    });
    let disks = with(resolved("20Gi", "30Gi"));
    assert_eq!(plan(&disks, &adopted("")), Plan::default(), "its disks are its own");
}

#[test]
fn x57_an_adopted_vm_is_given_back_as_it_was() {
    let writes = plan(&intent(policy("Orphan")), &adopted("Running")).writes;
    let [Write::There(There::Merge(Kind::Vm, _, change))] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!(change.get("spec"), None);
    assert_eq!(change["metadata"].get("ownerReferences"), None, "we set none, so those it has are not ours");
    assert_eq!(
        change["metadata"]["annotations"],
        json!({"vitistack.io/retained-from": "shop/web", "vitistack.io/retained-supervisor": "sup", "vitistack.io/adopted": null})
    );
    assert_eq!(change["metadata"]["labels"]["vitistack.io/machine-uid"], Value::Null);
}

#[test]
fn x54_an_adopted_vm_shows_what_it_is() {
    let failed = Failure { reason: Reason::Conflict, message: "somebody else's".to_owned() };
    let at = |printable, vmi| Observed { vmi, ..adopted(printable) };
    let taken = Observed { found: Lookup::Taken("belongs to Pool/p".to_owned()), ..seen() };
    #[rustfmt::skip]
    let cases = [
        ("runs",                 at("Running", vmi("Running", true)), None, "Running",  "True/Running",     "True/VMCreated",    "True/PVCBound"),
        ("stopped",              at("Stopped", None),                 None, "Stopped",  "False/Stopped",    "True/VMCreated",    "True/PVCBound"),
        ("its disks are missing", at("ErrorPvcNotFound", None),       None, "Creating", "False/VMFailed",   "False/VMFailed",    "False/PVCPending"),
        ("its disks are slow",   at("WaitingForVolumeBinding", None), None, "Creating", "False/PVCPending", "True/VMCreated",    "False/PVCPending"),
        ("just adopted",         Observed { found: free("vm-web"), ..seen() }, None, "Creating", "False/Creating", "False/VMPending", "True/PVCBound"),
        ("KVO7: a stranger's",   taken, Some(failed),                       "Failed",   "False/Conflict",   "False/Conflict",    "False/PVCPending"),
    ];
    every_row(cases, |(name, seen, failure, phase, ready, machine, storage)| {
        let shown = status(&MachineStatus::default(), &with(|_| ()), &seen, failure.as_ref(), now(1));
        assert_eq!(shown.phase.as_deref(), Some(phase), "{name}");
        assert_eq!(condition(&shown, "Ready"), ready, "{name}");
        assert_eq!(condition(&shown, "VirtualMachineReady"), machine, "{name}");
        assert_eq!(condition(&shown, "StorageReady"), storage, "{name}");
        assert!(shown.disks.is_empty() || failure.is_some(), "{name}: {:?}", shown.disks);
    });
    let shown = record(
        &MachineStatus::default(),
        &intent(new("web")),
        &ClusterName("east".to_owned()),
        "c-east",
        "web",
        now(1),
    );
    assert_eq!(shown.vm_name.as_deref(), Some("web"), "X2: it is recorded before anything is written there");
}
