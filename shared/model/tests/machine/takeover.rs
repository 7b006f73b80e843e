//! A Machine that was restored from a backup, and its earlier self: what it takes over, when, and that nothing restarts for it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use model::machine::adoption::found;
use model::machine::networks::Networks;
use model::machine::owner::Adoption;
use model::machine::takeover::change;

use super::networks::{joining, networks};
use super::*;

const TAKE_OVER: &str = "vitistack.io/take-over";

/// A Machine of UID m-1 that takes over what m-0 had.
fn restored(machine: &mut Value) {
    machine["metadata"]["annotations"][TAKE_OVER] = json!("m-0");
}

fn left(objects: &[(Kind, &str)]) -> BTreeSet<(Kind, String)> {
    objects.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect()
}

const ALL: &[(Kind, &str)] =
    &[(Kind::Claim, "web-data"), (Kind::Claim, "web-root"), (Kind::DataVolume, "web-root"), (Kind::Vm, "vm-web")];

#[test]
fn x99_fr4_r23_the_vm_is_taken_over_last_and_what_stopped_half_way_goes_on() {
    let at = |found: Lookup, objects: &[(Kind, &str)]| Observed { found, earlier: left(objects), ..seen() };
    let vm = || Lookup::Earlier("vm-web".to_owned());
    let new = |machine: &mut Value| {
        restored(machine);
        machine["status"] = json!({});
    };
    let [data, root, import] =
        ["take over Claim web-data", "take over Claim web-root", "take over DataVolume web-root"];
    let [secret, last] = ["take over Secret web-cloudinit", "take over Vm vm-web"];
    let made = vec!["create Claim web-root", "create Claim web-data", "create Vm vm-web"];
    let done = Observed { earlier: left(ALL), ..running() };
    #[rustfmt::skip]
    let cases: Vec<(&str, Intent, Observed, Vec<&str>)> = vec![
        ("the cluster is recorded first, with the name that the VM has", intent(new), at(Lookup::Earlier("web".to_owned()), ALL), vec!["record east=c-east web"]),
        ("claims, Secret, VM",                    intent(restored), at(vm(), ALL),                          vec![data, root, import, secret, last]),
        ("a claim was done when it stopped",      intent(restored), at(vm(), &ALL[1..]),                    vec![root, import, secret, last]),
        ("only the VM was left",                  intent(restored), at(vm(), &ALL[3..]),                    vec![secret, last]),
        ("under the published operator's name",   intent(restored), at(Lookup::Earlier("web".to_owned()), &[(Kind::Vm, "web")]), vec![secret, "take over Vm web"]),
        ("the VM is gone, and its disks are not", intent(restored), at(Lookup::Absent, &ALL[..2]),          vec![secret, data, root]),
        ("nothing is left",                       intent(restored), at(Lookup::Absent, &[]),                made.clone()),
        ("another VM of it may run on the disks", intent(restored), at(Lookup::Absent, &[(Kind::Claim, "web-root"), (Kind::Vm, "old-web")]), vec!["refuse Conflict"]),
        ("whether it is gone is not known",       intent(restored), at(Lookup::Unknown("not listed".to_owned()), &[]), vec!["refuse KubeVirtApiError"]),
        ("it is not this Machine's",              intent(restored), at(Lookup::Taken("is offered to another".to_owned()), ALL), vec!["refuse Conflict"]),
        ("an annotation that stays does nothing", intent(restored), done,                                   vec![]),
    ];
    every_row(cases, |(name, intent, seen, want)| assert_eq!(brief(&plan(&intent, &seen)), want, "{name}"));
}

#[test]
fn x99_fr4_only_the_uid_that_the_vm_has_takes_it_over() {
    let vm = |name: &str, supervisor: &str| json!({"name": "vm-web", "labels": {"vitistack.io/supervisor": supervisor, "vitistack.io/machine-uid": "m-0", "vitistack.io/machine": name}});
    let offered = |to: &str| {
        let mut vm = vm("web", "sup");
        vm["annotations"] = json!({"vitistack.io/adopt-by": to});
        vm
    };
    let mut going = vm("web", "sup");
    going["deletionTimestamp"] = json!("2026-11-27T00:00:00Z");
    let named = "annotation vitistack.io/take-over: m-0 on this Machine";
    let both = "annotations vitistack.io/take-over, the UID of the earlier self, on this Machine, and vitistack.io/adopt-by: shop/web on the VirtualMachine";
    #[rustfmt::skip]
    let cases = [
        // the annotation, its namespace is mapped to, the VM, and what that is to the Machine
        (Some("m-0"), None,            vm("web", "sup"),      "takes over vm-web"),
        (None,        None,            vm("web", "sup"),      named),
        (Some(""),    None,            vm("web", "sup"),      named),
        (Some("m-9"), None,            vm("web", "sup"),      "take-over: m-0 on this Machine, which says \"m-9\""),
        (Some("m-1"), None,            vm("web", "sup"),      named),
        (Some("m-0"), None,            vm("db", "sup"),       "belongs to another Machine of this fleet, \"db\""),
        (Some("m-0"), None,            vm("web", "other"),    "belongs to another supervisor"),
        (Some("m-0"), None,            vm("", "sup"),         "belongs to another Machine of this fleet"),
        (Some("m-0"), None,            going,                 "is being deleted"),
        // Several share the namespace, and the labels do not say of which the Machine was.
        (Some("m-0"), Some("tenants"), vm("web", "sup"),      both),
        (Some("m-0"), Some("shop"),    vm("web", "sup"),      both),
        (Some("m-0"), Some("tenants"), offered("shop/web"),   "takes over vm-web"),
        (Some("m-0"), Some("tenants"), offered("bank/web"),   both),
        (None,        Some("tenants"), offered("shop/web"),   both),
    ];
    every_row(&cases, |(annotation, mapped, vm, wanted)| {
        let machine = machine(|it| {
            it["metadata"]["annotations"][TAKE_OVER] = json!(annotation.unwrap_or_default());
            it["status"] = json!({});
        });
        let intent = Intent::of(&machine, "vm-", mapped.map(mapping).as_ref(), &Shown::new());
        let metadata: ObjectMeta = serde_json::from_value(vm.clone()).expect("metadata");
        let found = match found(&metadata, intent.identity().expect("an identity"), "sup", Adoption::Unowned) {
            Lookup::Earlier(name) => format!("takes over {name}"),
            Lookup::Taken(whose) => whose,
            other => panic!("{other:?}"),
        };
        assert!(found.contains(wanted), "{annotation:?} in {mapped:?}: {found}");
        assert!(mapped.is_none() || !found.contains("m-0"), "ATK12: {found}");
    });
}

#[test]
fn x99_the_vm_of_an_earlier_self_is_looked_for_whatever_was_found_before() {
    let adopt = |earlier: &str, status: Value| {
        let intent = intent(|machine| {
            machine["metadata"]["annotations"]["vitistack.io/placement"] =
                json!(r#"{"rule":"named","cluster":"east"}"#);
            machine["metadata"]["annotations"][TAKE_OVER] = json!(earlier);
            machine["status"] = status.clone();
        });
        let Intent::Run(admitted) = intent else { panic!("{intent:?}") };
        admitted.adopt.join(" ")
    };
    let recorded = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-east"}, "vmName": "vm-web"});
    let cases = [("m-0", json!({}), "vm-web web"), ("m-0", recorded, "vm-web web"), ("", json!({}), "")];
    every_row(cases, |(earlier, status, want)| assert_eq!(adopt(earlier, status), want));
}

/// What is made for a Machine of this UID.
fn vm_of(uid: &str, networks: Networks) -> Value {
    let intent = intent(|machine| {
        machine["metadata"]["uid"] = json!(uid);
        if networks != Networks::default() {
            joining(json!([{"name": "eth0", "networkName": "dhcp"}]))(machine);
        }
    });
    let seen = Observed { claims: claims("Bound"), networks, ..seen() };
    match plan(&intent, &seen)
        .writes
        .into_iter()
        .find(|write| matches!(write, Write::There(There::Create(Kind::Vm, ..))))
    {
        Some(Write::There(There::Create(Kind::Vm, _, object))) => object,
        other => panic!("{other:?}"),
    }
}

/// The same as it is on the cluster.
fn live(uid: &str, networks: Networks) -> Value {
    let mut vm = vm_of(uid, networks);
    vm["metadata"]["uid"] = json!("v-1");
    vm["metadata"]["resourceVersion"] = json!("9");
    vm
}

fn changed(live: &Value, kind: Kind) -> Result<Value, String> {
    change(live, kind, intent(restored).identity().expect("an identity"), "sup")
}

#[test]
fn x99_a_vm_that_was_taken_over_is_as_if_it_had_been_made_for_its_machine() {
    let mut vm = live("m-0", Networks::default());
    let owner = |uid: &str| json!([{"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "name": "web", "uid": uid, "controller": true}]);
    vm["metadata"]["ownerReferences"] = owner("m-0");
    let change = changed(&vm, Kind::Vm).expect("it is its own");
    assert_eq!((&change["metadata"]["uid"], &change["metadata"]["resourceVersion"]), (&json!("v-1"), &json!("9")));
    let spec = json!({"template": {"metadata": {"labels": {"vitistack.io/machine-uid": "m-1"}}}});
    assert_eq!(change["spec"], spec, "a label of the template, which restarts nothing");
    json_patch::merge(&mut vm, &change);
    let mut wanted = live("m-1", Networks::default());
    wanted["metadata"]["annotations"]["vitistack.io/macs-of"] = json!("m-0");
    wanted["metadata"]["ownerReferences"] = owner("m-1");
    assert_eq!(vm, wanted);
    let text = vm["metadata"]["annotations"]["vitistack.io/last-applied"].as_str().expect("a baseline");
    assert_eq!(model::baseline::hash(text), written::HASH, "so that nothing is left to write");
    assert_eq!(model::baseline::drift(&vm), [], "and nobody has changed it");
}

#[test]
fn x99_an_adopted_vm_keeps_its_template_and_a_second_restore_the_first_addresses() {
    let labels =
        json!({"vitistack.io/supervisor": "sup", "vitistack.io/machine-uid": "m-0", "vitistack.io/machine": "web"});
    let vm = json!({
        "metadata": {"uid": "v-1", "resourceVersion": "9", "labels": labels, "annotations": {"vitistack.io/adopted": "{}", "vitistack.io/macs-of": "m-first"}},
        "spec": {"template": {"metadata": {"labels": {"app": "shop"}}}},
    });
    let change = changed(&vm, Kind::Vm).expect("it is its own");
    assert_eq!(change.get("spec"), None);
    assert_eq!(change["metadata"]["annotations"], json!({"vitistack.io/macs-of": "m-first"}));
    let claim = json!({"metadata": {"uid": "c-1", "resourceVersion": "3", "labels": labels}});
    assert_eq!(
        changed(&claim, Kind::Claim).expect("it is its own"),
        json!({"metadata": {"uid": "c-1", "resourceVersion": "3", "labels": {
            "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
            "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup",
        }}})
    );
}

#[test]
fn x99_what_changed_hands_meanwhile_stays_what_it_is() {
    let object = |supervisor: &str, uid: &str, name: &str| json!({"metadata": {"labels": {"vitistack.io/supervisor": supervisor, "vitistack.io/machine-uid": uid, "vitistack.io/machine": name}}});
    let mut going = object("sup", "m-0", "web");
    going["metadata"]["deletionTimestamp"] = json!("2026-11-27T00:00:00Z");
    let not = "is not of the earlier self of UID m-0: give the Machine another name, or correct the annotation vitistack.io/take-over";
    #[rustfmt::skip]
    let cases = [
        ("it is its own",           object("sup", "m-0", "web"),    Kind::Claim,  ""),
        ("a disk that is on its way out", going.clone(),            Kind::Claim,  ""),
        ("a VM that is",            going,                          Kind::Vm,     "is being deleted: it is waited for"),
        ("another's",               object("sup", "m-2", "web"),    Kind::Claim,  not),
        ("another supervisor's",    object("other", "m-0", "web"),  Kind::Secret, not),
        ("nobody's",                json!({"metadata": {}}),        Kind::Secret, not),
        ("under another name",      object("sup", "m-0", "db"),     Kind::Claim,  "carries UID m-0, but its label vitistack.io/machine says \"db\": set that to web, or take the label vitistack.io/machine-uid off what was not this Machine's"),
    ];
    every_row(cases, |(name, object, kind, want)| {
        assert_eq!(changed(&object, kind).err().unwrap_or_default(), want, "{name}");
    });
    let unnamed = intent(|_| ());
    let refused = change(&object("sup", "", "web"), Kind::Vm, unnamed.identity().expect("an identity"), "sup");
    assert!(refused.is_err(), "a Machine that names none takes nothing over: {refused:?}");
}

#[test]
fn x99_x65_the_guest_keeps_its_mac_addresses() {
    let mac = |vm: &Value| vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"][0]["macAddress"].clone();
    let mut vm = live("m-0", networks());
    assert_eq!((mac(&vm), mac(&vm_of("m-1", networks()))), (json!("32:50:d6:e5:16:78"), json!("be:11:ea:59:c1:1f")));
    let change = changed(&vm, Kind::Vm).expect("it is its own");
    json_patch::merge(&mut vm, &change);
    let text = vm["metadata"]["annotations"]["vitistack.io/last-applied"].as_str().expect("a baseline");
    let kept = Vm {
        hash: Some(model::baseline::hash(text)),
        macs_of: vm["metadata"]["annotations"]["vitistack.io/macs-of"].as_str().map(str::to_owned),
        ..super::vm("Running").expect("a VM")
    };
    let joined = intent(joining(json!([{"name": "eth0", "networkName": "dhcp"}])));
    let remembers = Networks { macs_of: kept.macs_of.clone(), ..networks() };
    let after = Observed { vm: Some(kept.clone()), networks: remembers, ..running() };
    let writes =
        |seen: &Observed| brief(&plan(&joined, seen)).into_iter().filter(|it| it.contains("Vm")).collect::<Vec<_>>();
    assert_eq!(writes(&after), Vec::<String>::new());
    let forgotten = Observed { vm: Some(kept), networks: networks(), ..running() };
    assert_eq!(writes(&forgotten), ["update Vm vm-web"]);
}

/// A Machine that takes over m-0, whose KubevirtConfig lists the supervisor "old" as lost.
fn restored_elsewhere(namespace: Option<&str>) -> Intent {
    let config = KubevirtConfigSpec {
        take_over_from: vec!["older".to_owned(), "old".to_owned()],
        namespace: namespace.map(str::to_owned),
        ..KubevirtConfigSpec::default()
    };
    Intent::of(&machine(restored), "vm-", Some(&config), &Shown::new())
}

#[test]
fn x99_what_another_supervisor_made_is_taken_over_where_the_kubevirtconfig_lists_it() {
    let vm = |supervisor: &str, uid: &str, name: &str| json!({"name": "vm-web", "labels": {"vitistack.io/supervisor": supervisor, "vitistack.io/machine-uid": uid, "vitistack.io/machine": name}});
    let (listed, unlisted) = (restored_elsewhere(None), intent(restored));
    let (mapped, unnamed) = (restored_elsewhere(Some("tenants")), intent(|_| ()));
    let lost = "belongs to another supervisor, old: if that is lost for good, whoever runs the fleet lists it in spec.takeOverFrom of the KubevirtConfig";
    let earlier = "belongs to an earlier self of this Machine, of UID m-9: it is kept as it is, with its disks, and taken over only with the annotation vitistack.io/take-over: m-9 on this Machine, which says \"m-0\"";
    let shared = "belongs to an earlier self of this Machine, or to a Machine of this name in another namespace: it is kept as it is, with its disks, and taken over only with the annotations vitistack.io/take-over, the UID of the earlier self, on this Machine, and vitistack.io/adopt-by: shop/web on the VirtualMachine";
    #[rustfmt::skip]
    let cases = [
        ("listed",                         &listed,   vm("old", "m-0", "web"),   "takes over vm-web"),
        ("the Machine names another UID",  &listed,   vm("old", "m-9", "web"),   earlier),
        ("another Machine's",              &listed,   vm("old", "m-0", "db"),    "belongs to another supervisor"),
        ("not listed",                     &listed,   vm("third", "m-9", "web"), "belongs to another supervisor"),
        ("not listed, and it is named",    &unlisted, vm("old", "m-0", "web"),   lost),
        ("nobody names it",                &unnamed,  vm("old", "m-0", "web"),   "belongs to another supervisor"),
        ("its own UID is no other's",      &listed,   vm("old", "m-1", "web"),   "belongs to another supervisor"),
        ("several share the namespace",    &mapped,   vm("old", "m-0", "web"),   shared),
    ];
    every_row(cases, |(name, intent, vm, wanted)| {
        let metadata: ObjectMeta = serde_json::from_value(vm).expect("metadata");
        let found = match found(&metadata, intent.identity().expect("an identity"), "sup", Adoption::Unowned) {
            Lookup::Earlier(vm) => format!("takes over {vm}"),
            Lookup::Taken(whose) => whose,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(found, wanted, "{name}");
    });
}

#[test]
fn x99_the_labels_of_the_other_supervisor_go_and_nothing_restarts() {
    let text = live("m-0", Networks::default()).to_string().replace("\"sup\"", "\"old\"");
    let mut vm: Value = serde_json::from_str(&text.replace("\\\"sup\\\"", "\\\"old\\\"")).expect("JSON");
    assert_eq!(vm["spec"]["template"]["metadata"]["labels"]["vitistack.io/supervisor"], "old");
    let listed = restored_elsewhere(None);
    let identity = listed.identity().expect("an identity");
    let refused = changed(&vm, Kind::Vm).expect_err("its KubevirtConfig does not list it");
    assert!(refused.starts_with("is not of the earlier self of UID m-0"), "{refused}");
    let change = change(&vm, Kind::Vm, identity, "sup").expect("it is its own");
    assert_eq!((&change["metadata"]["uid"], &change["metadata"]["resourceVersion"]), (&json!("v-1"), &json!("9")));
    let labels = json!({"vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup"});
    assert_eq!(change["spec"], json!({"template": {"metadata": {"labels": labels}}}), "labels of the template");
    json_patch::merge(&mut vm, &change);
    let mut wanted = live("m-1", Networks::default());
    wanted["metadata"]["annotations"]["vitistack.io/macs-of"] = json!("m-0");
    assert_eq!(vm, wanted);
    let text = vm["metadata"]["annotations"]["vitistack.io/last-applied"].as_str().expect("a baseline");
    assert_eq!(model::baseline::hash(text), written::HASH, "so that nothing is left to write");
}
