//! Where a Machine's objects are: what its status says counts as far as its cluster bears it out (ATK4, X38), and nothing goes
//! before what may use it is proven gone (ATK9).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use model::machine::adoption::found;
use model::machine::owner::Adoption;
use model::machine::standing::{Standing, standing};
use model::names::{MachineKey, VmKey};

use super::*;

pub(super) fn shown(objects: &[(Kind, &str, &str)]) -> Shown {
    let key = |namespace: &str, name: &str| VmKey { namespace: namespace.to_owned(), name: name.to_owned() };
    objects.iter().map(|(kind, namespace, name)| (*kind, key(namespace, name))).collect()
}

fn recorded(namespace: Value) -> Value {
    json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-east", "namespace": namespace}})
}

/// Namespace and name of the VM, or why nothing is written.
fn place(status: &Value, mapped: Option<&str>, shown: &Shown) -> String {
    let machine = machine(|it| it["status"] = status.clone());
    match Intent::of(&machine, "vm-", mapped.map(mapping).as_ref(), shown) {
        Intent::Run(admitted) => admitted.identity.vm.to_string(),
        Intent::Undecided(_, Reason::InvalidAssignment, why) => {
            let intent = Intent::of(&machine, "vm-", mapped.map(mapping).as_ref(), shown);
            assert_eq!(plan(&intent, &seen()), Plan::default(), "{why}");
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn x38_atk4_a_recorded_namespace_counts_where_the_cluster_bears_it_out() {
    let nothing: &[(Kind, &str, &str)] = &[];
    let there: &[(Kind, &str, &str)] = &[(Kind::Claim, "tenants", "web-root")];
    #[rustfmt::skip]
    let cases = [
        // status,                     KubevirtConfig,   on the cluster, the VM
        (json!({}),                    None,             nothing, "shop/vm-web"),
        (json!({}),                    Some("tenants"),  nothing, "tenants/vm-web"),
        (recorded(json!(null)),        None,             nothing, "shop/vm-web"),
        (recorded(json!("tenants")),   Some("tenants"),  nothing, "tenants/vm-web"),
        (recorded(json!("tenants")),   Some("others"),   there,   "tenants/vm-web"),
        (recorded(json!("tenants")),   None,             there,   "tenants/vm-web"),
        (recorded(json!(null)),        Some("others"),   &[(Kind::Vm, "shop", "vm-web")], "shop/vm-web"),
        // Forged: a namespace of another tenant, of Kubernetes, its own where the KubevirtConfig says another one.
        (recorded(json!("victim")),    None,             there,   "the VM is in namespace \"victim\" of the cluster, where nothing of this Machine is, and its KubevirtConfig sends it to \"shop\""),
        (recorded(json!("kube-system")), None,           nothing, "in namespace \"kube-system\" of the cluster, where nothing"),
        (recorded(json!(null)),        Some("tenants"),  nothing, "in namespace \"shop\" of the cluster, where nothing of this Machine is, and its KubevirtConfig sends it to \"tenants\""),
        // I1: what it has is elsewhere.
        (json!({}),                    None,             there,   "carries the UID of this Machine, which would be made in namespace \"shop\": set spec.namespace of its KubevirtConfig to \"tenants\""),
        // X67: whoever asks for it.
        (json!({}),                    Some("kube-system"), nothing, "the reserved namespace \"kube-system\""),
    ];
    every_row(&cases, |(status, mapped, objects, wanted)| {
        let place = place(status, *mapped, &shown(objects));
        assert!(place.contains(wanted), "{place}");
    });
}

#[test]
fn atk4_a_recorded_name_counts_if_it_can_be_the_machines() {
    let named = |name: &str| json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-east"}, "vmName": name});
    let vm = |name| vec![(Kind::Vm, "shop", name)];
    #[rustfmt::skip]
    let cases = [
        (named("web"),    vec![],       "shop/web"),
        (named("kv-web"), vec![],       "shop/vm-web"),
        (named("kv-web"), vm("kv-web"), "shop/kv-web"),
        (named("db"),     vec![],       "shop/vm-web"),
        (named("vm-db"),  vm("vm-web"), "shop/vm-web"),
        (named("web"),    vm("vm-web"), "shop/vm-web"),
        (json!({}),       vm("web"),    "shop/web"),
    ];
    every_row(&cases, |(status, objects, wanted)| assert_eq!(place(status, None, &shown(objects)), *wanted));
}

#[test]
fn atk4_what_is_taken_out_of_the_status_of_a_machine_that_goes_leaks_nothing() {
    let brief_of = |status: Value, shown: &Shown, seen: &Observed| {
        let machine = machine(|it| {
            leaving(it);
            it["status"] = status.clone();
        });
        brief(&plan(&Intent::of(&machine, "vm-", None, shown), seen))
    };
    let there = shown(&[(Kind::Vm, "shop", "vm-web")]);
    let away = Observed { remote: Remote::Unreachable("no answer".to_owned()), ..running() };
    let asked = Observed::nothing("sup", Remote::Connecting);
    #[rustfmt::skip]
    let cases = [
        ("nothing was ever made",                  json!({}),                  Shown::new(),  seen(),    vec!["release"]),
        ("and the cluster is gone",                json!({}),                  Shown::new(),  Observed::nothing("sup", Remote::Missing), vec!["release"]),
        ("it is not asked to the end yet",         json!({}),                  Shown::new(),  asked,     vec![]),
        ("the record is taken out",                json!({}),                  there.clone(), running(), vec!["delete Vm vm-web v-1"]),
        ("and the cluster does not answer",        json!({}),                  there.clone(), away,      vec![]),
        ("another cluster is recorded",            json!({"kubevirtConfigRef": {"name": "west", "clusterId": "c-west"}}), there.clone(), running(), vec![]),
        ("another namespace is recorded",          recorded(json!("victim")),  there,         running(), vec!["delete Vm vm-web v-1"]),
    ];
    every_row(&cases, |(case, status, shown, seen, wanted)| {
        assert_eq!(brief_of(status.clone(), shown, seen), *wanted, "{case}");
    });
}

#[test]
fn atk9_a_disk_goes_only_after_vm_and_instance_are_proven_gone_by_name() {
    let Intent::Leave(goes) = intent(leaving) else { panic!("it goes") };
    let Intent::Leave(keeps) = intent(policy("Retain")) else { panic!("it goes") };
    let object = |metadata: Value| serde_json::from_value::<ObjectMeta>(metadata).expect("metadata");
    let bare = object(json!({"name": "vm-web", "annotations": {"vitistack.io/desired-hash": "x"}}));
    let left =
        object(json!({"annotations": {"vitistack.io/desired-hash": "x", "vitistack.io/retained-from": "shop/web"}}));
    let strange = object(json!({"name": "vm-web"}));
    let ours = object(json!({"labels": {"vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup"}}));
    let others = object(json!({"labels": {"vitistack.io/machine-uid": "m-2", "vitistack.io/supervisor": "sup"}}));
    let at = |metadata, uses_disk| Some(Standing { metadata, uses_disk });
    #[rustfmt::skip]
    let cases = [
        ("nothing is there",                  None,                None,                &goes,  "gone"),
        ("our VM without labels",             at(&bare, true),     None,                &goes,  "refuse Conflict"),
        ("and without a disk",                at(&bare, false),    None,                &goes,  "refuse Conflict"),
        ("and its disks are kept",            at(&bare, false),    None,                &keeps, "refuse Conflict"),
        ("its instance without labels",       None,                at(&strange, true),  &goes,  "refuse Conflict"),
        ("a stranger's on our disk",          at(&strange, true),  None,                &goes,  "refuse Conflict"),
        ("its volumes were taken off it",     at(&strange, false), at(&strange, true),  &goes,  "refuse Conflict"),
        ("a stranger's that took the name",   at(&strange, false), at(&strange, false), &goes,  "gone"),
        ("another Machine's, on our disk",    at(&others, true),   None,                &goes,  "refuse Conflict"),
        ("another Machine's",                 at(&others, false),  None,                &goes,  "gone"),
        ("one that was left",                 at(&left, false),    None,                &goes,  "gone"),
        ("ours, which no watch shows yet",    at(&ours, true),     None,                &goes,  "waits"),
    ];
    every_row(&cases, |(case, vm, vmi, leaving, wanted)| {
        let found = standing(*vm, *vmi, leaving, "sup");
        let seen = Observed { found, claims: claims("Bound"), ..seen() };
        let said = match brief(&plan(&Intent::Leave((*leaving).clone()), &seen)).first() {
            Some(first) if first.starts_with("refuse") => first.clone(),
            Some(_) => "gone".to_owned(),
            None => "waits".to_owned(),
        };
        assert_eq!(said, *wanted, "{case}");
    });
    let unknown = Observed { found: Lookup::Unknown("no answer".to_owned()), claims: claims("Bound"), ..seen() };
    assert_eq!(brief(&plan(&Intent::Leave(goes), &unknown)), ["refuse KubeVirtApiError"], "unknown is never absent");
}

#[test]
fn x38_t14_atk6_where_others_are_recorded_nothing_is_adopted_or_copied_for_being_nobodys() {
    // All were sent to vmaas-shop, and each to its own by a template now.
    let template = mapping("vmaas-{namespace}");
    let disk = json!([{"name": "data", "size": "1Gi", "source": {"pvc": {"name": "golden"}}}]);
    let machine = machine(|it| (it["status"], it["spec"]["disks"]) = (json!({}), disk.clone()));
    let read = || Intent::of(&machine, "vm-", Some(&template), &Shown::new());
    let judged = |intent: &Intent| {
        let Intent::Run(admitted) = intent else { panic!("it runs") };
        let vm = ObjectMeta { name: Some("vm-web".to_owned()), ..ObjectMeta::default() };
        let found = match found(&vm, &admitted.identity, "sup", Adoption::Unowned) {
            Lookup::Free(_) => "free".to_owned(),
            Lookup::Taken(whose) => whose,
            other => panic!("{other:?}"),
        };
        (admitted.identity.vm.to_string(), found, admitted.shared.clone())
    };
    let place = || "vmaas-shop/vm-web".to_owned();
    assert_eq!(judged(&read()), (place(), "free".to_owned(), None), "by the template alone it is its own");
    let mut shared = read();
    shared.share();
    let named = "is nobody's, and is adopted only with the annotation vitistack.io/adopt-by: shop/web".to_owned();
    assert_eq!(judged(&shared), (place(), named, Some("vmaas-shop".to_owned())));
}

#[test]
fn atk10_a_second_machine_with_an_address_gets_no_vm_and_a_first_one_keeps_its() {
    let elder = |namespace: &str| {
        Some(("52:54:00:00:00:0a".to_owned(), MachineKey { namespace: namespace.to_owned(), name: "db".to_owned() }))
    };
    let waits = plan(&intent(|_| ()), &Observed { address_of: elder("shop"), ..seen() });
    assert_eq!(brief(&waits), ["refuse Conflict"]);
    let says = waits.refused.expect("a reason").message;
    assert!(
        says.starts_with("spec.networks: Machine shop/db, which is older, has the MAC address 52:54:00:00:00:0a"),
        "{says}"
    );
    let far =
        plan(&intent(|_| ()), &Observed { address_of: elder("bank"), ..seen() }).refused.expect("a reason").message;
    assert!(!far.contains("bank"), "ATK12: {far}");
    assert_eq!(plan(&intent(|_| ()), &Observed { address_of: elder("shop"), ..running() }), Plan::default(), "it runs");
}

#[test]
fn atk6_atk12_what_a_machine_left_behind_is_a_strangers_for_every_other() {
    let left = |from: &str, supervisor: &str| json!({"annotations": {"vitistack.io/retained-from": from, "vitistack.io/retained-supervisor": supervisor}});
    let kept = "is kept as it is, as a Machine of another namespace left it";
    let labelled = |name: &str| json!({"labels": {"vitistack.io/supervisor": "sup", "vitistack.io/machine-uid": "m-0", "vitistack.io/machine": name}});
    let named = "is nobody's, and is adopted only with the annotation vitistack.io/adopt-by: shop/web";
    #[rustfmt::skip]
    let cases = [
        // the VM,                                          its namespace is the Machine's own, and one that several share
        (json!({}),                                          "free",                                           named),
        (json!({"annotations": {"vitistack.io/adopt-by": "shop/web"}}), "free",                                "free"),
        (left("shop/web", "sup"),                            "free",                                           "free"),
        (json!({"annotations": {"vitistack.io/retained-from": "shop/web"}}), "free",                           "free"),
        (left("shop/web", "another"),                        "is kept as it is, as Machine shop/web left it",  "is kept as it is, as Machine shop/web left it"),
        (left("shop/db", "sup"),                             "is kept as it is, as Machine shop/db left it",   "is kept as it is, as Machine shop/db left it"),
        (left("victim/web", "sup"),                          kept,                                             kept),
        (labelled("web"),                                    "belongs to an earlier self of this Machine, of UID m-0: it is kept as it is, with its disks, and taken over only with the annotation vitistack.io/take-over: m-0 on this Machine", "belongs to an earlier self of this Machine, or to a Machine of this name in another namespace: it is kept as it is, with its disks, and taken over only with the annotations vitistack.io/take-over, the UID of the earlier self, on this Machine, and vitistack.io/adopt-by: shop/web on the VirtualMachine"),
        (labelled("db"),                                     "belongs to another Machine of this fleet, \"db\"", "belongs to another Machine of this fleet"),
        (json!({"annotations": {"vitistack.io/adopt-by": "victim/web"}}), "is offered to a Machine of another namespace", "is offered to a Machine of another namespace"),
    ];
    every_row(&cases, |(vm, own, shared)| {
        // That the shared one is called as the Machine's own changes nothing.
        for (mapped, wanted) in [(None, own), (Some("tenants"), shared), (Some("shop"), shared)] {
            let intent =
                Intent::of(&machine(|it| it["status"] = json!({})), "vm-", mapped.map(mapping).as_ref(), &Shown::new());
            let vm: ObjectMeta = serde_json::from_value(vm.clone()).expect("metadata");
            let found = match found(&vm, intent.identity().expect("an identity"), "sup", Adoption::Unowned) {
                Lookup::Free(_) => "free".to_owned(),
                Lookup::Taken(whose) => whose,
                other => panic!("{other:?}"),
            };
            assert_eq!(found, *wanted, "{vm:?} in {mapped:?}");
        }
    });
}
