//! Whatever a tenant writes on his own Machine, its status included, leads no write elsewhere (ATK4).

use model::machine::Stray;
use proptest::prelude::*;
use proptest::sample::select;

use super::places::shown;
use super::*;

/// A Machine whose author may write what he likes, its status included.
fn hostile() -> impl Strategy<Value = (Value, Option<&'static str>)> {
    let namespaces = || {
        select(vec![json!(null), json!("shop"), json!("tenants"), json!("victim"), json!("kube-system"), json!("a/b")])
    };
    let clusters = || select(vec![json!(null), json!(""), json!("east"), json!("west")]);
    let ids = select(vec![json!(null), json!(""), json!("c-east"), json!("c-west")]);
    let vms = select(vec![json!(null), json!("web"), json!("vm-web"), json!("vm-db"), json!("db")]);
    let explained =
        select(vec![json!(null), json!(r#"{"cluster":"east","vm":"db"}"#), json!(r#"{"cluster":"east","vm":"web"}"#)]);
    let policies = select(vec![json!(null), json!("Delete"), json!("Retain"), json!("Orphan"), json!("nonsense")]);
    let mapped = select(vec![None, Some("tenants"), Some("kube-system")]);
    let goes = any::<bool>();
    (namespaces(), clusters(), clusters(), ids, vms, explained, policies, mapped, goes).prop_map(
        |(namespace, recorded, assigned, id, vm, explained, policy, mapped, goes)| {
            let mut machine = json!({
                "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
                "metadata": {
                    "name": "web", "namespace": "shop", "uid": "m-1", "finalizers": ["machine.vitistack.io/cleanup"],
                    "annotations": {"vitistack.io/resolved": RESOLVED},
                },
                "spec": {"template": "small"},
                "status": {"kubevirtConfigRef": {"name": recorded, "clusterId": id, "namespace": namespace}, "vmName": vm},
            });
            let annotations = [
                ("vitistack.io/kubevirt-config", assigned), ("vitistack.io/placement", explained),
                ("vitistack.io/deletion-policy", policy),
            ];
            for (key, value) in annotations {
                if !value.is_null() {
                    machine["metadata"]["annotations"][key] = value;
                }
            }
            if goes {
                leaving(&mut machine);
            }
            (machine, mapped)
        },
    )
}

proptest! {
    /// The namespaces that count are the Machine's own or the one that its KubevirtConfig maps it to, and those that hold
    /// something with its UID already.
    #[test]
    fn atk4_i1_i2_i5_whoever_writes_status_and_annotations_leads_no_write_elsewhere(
        (machine, mapped) in hostile(),
        before in select(vec!["shop", "tenants", "older"]),
        made in any::<bool>(),
        found in select(vec![Lookup::Unasked, Lookup::Absent, Lookup::Free(Stray { name: "web".to_owned(), claims: vec!["web-root".to_owned()], ..Stray::default() }), Lookup::Earlier("web".to_owned())]),
        earlier in any::<bool>(),
    ) {
        let machine: Machine = serde_json::from_value(machine).expect("a Machine");
        let objects = [(Kind::Vm, before, "vm-web"), (Kind::Claim, before, "web-root")];
        let shown = if made { shown(&objects) } else { Shown::new() };
        let intent = Intent::of(&machine, "vm-", mapped.map(mapping).as_ref(), &shown);
        let Some(identity) = intent.identity().cloned() else { return Ok(()) };
        let near = made && identity.vm.namespace == before;
        let left = if earlier { BTreeSet::from([(Kind::Claim, "web-root".to_owned())]) } else { BTreeSet::new() };
        let seen = if near { running() } else { Observed { found, earlier: left, ..seen() } };
        let seen = if near && identity.vm.name != "vm-web" { Observed { vm: None, vmi: None, ..seen } } else { seen };
        let allowed = identity.vm.namespace == mapped.unwrap_or("shop") && mapped != Some("kube-system") || near;
        for write in plan(&intent, &seen).writes {
            let Write::There(write) = write else { continue };
            prop_assert!(allowed, "{write:?} in {}", identity.vm.namespace);
            prop_assert!(identity.cluster_id.as_deref().is_none_or(|id| id == "c-east"), "{write:?} on another cluster");
            let goes = machine.metadata.deletion_timestamp.is_some();
            match &write {
                There::Create(Kind::Vm, ..) if made => prop_assert!(near, "I1: a second VM of one Machine"),
                There::Delete(..) | There::DeleteAlone(..) => prop_assert!(goes && near, "I2: {write:?} of a Machine that stays"),
                There::Create(Kind::Vm, name, _) | There::Adopt(name, _) => prop_assert!(["vm-web", "web"].contains(&name.as_str()), "{name}"),
                There::Create(Kind::Namespace, name, _) => prop_assert_eq!(name, mapped.unwrap_or("shop")),
                There::Create(Kind::Claim | Kind::DataVolume, name, _) | There::TakeBack(name) => prop_assert!(name.starts_with("web-"), "{name}"),
                There::TakeOver(Kind::Vm, name) => prop_assert!(["vm-web", "web"].contains(&name.as_str()), "{name}"),
                There::AdoptClaim(name) => prop_assert_eq!(name, "web-root"),
                There::TakeOver(_, name) => prop_assert!(["web-cloudinit", "web-root"].contains(&name.as_str()), "{name}"),
                There::Carry(parcel) => prop_assert_eq!(&parcel.name, "web-cloudinit"),
                There::Create(Kind::Secret, ..) => prop_assert!(false, "{write:?}: a Secret is carried"),
                There::Create(Kind::Attachment, name, _) => prop_assert!(false, "{name}: it names no network"),
                There::Merge(..) | There::Update { .. } | There::Restart(..) => prop_assert!(near, "I5: {write:?}: nothing of it is there"),
            }
        }
    }
}
