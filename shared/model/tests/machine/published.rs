//! What the published Go operator left: its VM is adopted with the disks that it made for it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use model::api::machine::status::DiskStatus;
use model::machine::published::{adopt_claim, claims as claims_of};
use model::machine::{Stray, storage};

use super::*;

fn metadata(labels: Value) -> ObjectMeta {
    serde_json::from_value(json!({"name": "web", "uid": "c-1", "resourceVersion": "3", "labels": labels}))
        .expect("metadata")
}

fn published() -> Value {
    json!({"vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/source-machine": "web", "disk-type": "boot"})
}

#[test]
fn x2_x14_x16_the_disks_of_a_published_vm_are_adopted_before_it() {
    let volumes = |claims: &[&str]| {
        let volumes = claims.iter().map(|claim| json!({"name": "d", "persistentVolumeClaim": {"claimName": claim}}));
        let mut volumes: Vec<Value> = volumes.collect();
        volumes.push(json!({"name": "cdrom-iso", "dataVolume": {"name": "web-iso"}}));
        json!({"template": {"spec": {"volumes": volumes}}})
    };
    let other = json!({"vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/source-machine": "db"});
    let bare = json!({"vitistack.io/source-machine": "web"});
    let mut taken = published();
    taken["vitistack.io/machine-uid"] = json!("m-2");
    #[rustfmt::skip]
    let cases = [
        ("named after the Machine",         published(), vec!["web", "web-data"], "web web-data"),
        ("the ISO image goes with the VM",  published(), vec![],                  ""),
        ("a claim that somebody attached",  published(), vec!["web", "website"],  "web"),
        ("T14: a name that leads elsewhere", published(), vec!["web-/../db"],     ""),
        ("made by hand",                    json!({}),   vec!["web"],             ""),
        ("X16: without the labels",         bare,        vec!["web"],             ""),
        ("another Machine's",               other,       vec!["web"],             ""),
        ("somebody has it",                 taken,       vec!["web"],             ""),
    ];
    every_row(cases, |(name, labels, volumes_of, want)| {
        assert_eq!(claims_of(&metadata(labels), &volumes(&volumes_of), "web").join(" "), want, "{name}");
    });
    let stray =
        Stray { name: "web".to_owned(), claims: vec!["web".to_owned(), "web-data".to_owned()], ..Stray::default() };
    let writes = plan(&intent(|_| ()), &Observed { found: Lookup::Free(stray), ..seen() });
    assert_eq!(brief(&writes), ["adopt claim web", "adopt claim web-data", "adopt web"]);
}

#[test]
fn x16_a_claim_is_adopted_if_it_is_the_published_operators_and_nobodys_since() {
    let intent = intent(|_| ());
    let identity = intent.identity().expect("an identity");
    let with = |change: fn(&mut ObjectMeta)| {
        let mut claim = metadata(published());
        change(&mut claim);
        claim
    };
    let owned = |claim: &mut ObjectMeta| {
        let owner = json!([{"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": "web", "uid": "d", "controller": true}]);
        claim.owner_references = Some(serde_json::from_value(owner).expect("owners"));
    };
    let going = |claim: &mut ObjectMeta| claim.deletion_timestamp = Some(now(1));
    let ours = |claim: &mut ObjectMeta| {
        claim.labels.get_or_insert_default().insert("vitistack.io/supervisor".to_owned(), "sup".to_owned());
    };
    let other = json!({"vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/source-machine": "web-data"});
    #[rustfmt::skip]
    let cases = [
        ("it is",                 with(|_| ()),          true),
        ("KVO8: another Machine's", metadata(other),     false),
        ("nobody's",              metadata(json!({})),   false),
        ("a DataVolume's",        with(owned),           false),
        ("on its way out",        with(going),           false),
        ("it was taken since",    with(ours),            false),
    ];
    every_row(cases, |(name, claim, adopted)| {
        assert_eq!(adopt_claim(&claim, identity, "sup").is_some(), adopted, "{name}");
    });
    assert_eq!(
        adopt_claim(&with(|_| ()), identity, "sup").expect("a change"),
        json!({"metadata": {"uid": "c-1", "resourceVersion": "3", "labels": {
            "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
            "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup",
        }}})
    );
}

/// A Machine whose VM was adopted with two claims.
fn adopted() -> Observed {
    let claim = |name: &str, size: u64| {
        let claim =
            Claim { uid: format!("uid-{name}"), phase: "Bound".to_owned(), size: Some(size), ..Claim::default() };
        (name.to_owned(), claim)
    };
    let asked = r#"{"runStrategy":"Always","cores":1,"threads":1,"sockets":1,"memory":"2Gi"}"#;
    let vm = vm("Running").map(|vm| Vm { name: "web".to_owned(), adopted: Some(asked.to_owned()), ..vm });
    Observed {
        vm,
        vmi: vmi("Running", true),
        claims: BTreeMap::from([claim("web", 10), claim("web-data", 20)]),
        ..seen()
    }
}

/// Name, claim and size of each disk.
fn disks(status: &MachineStatus) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let said = |it: &DiskStatus| format!("{} {} {}", text(&it.name), text(&it.pvc_name), it.size.unwrap_or_default());
    status.disks.iter().map(said).collect()
}

#[test]
fn x16_adopted_disks_are_shown_kept_and_deleted_with_their_machine() {
    let shown = status(&MachineStatus::default(), &intent(|_| ()), &adopted(), None, now(1));
    assert_eq!(disks(&shown), ["root web 10", "data web-data 20"]);
    assert_eq!(plan(&intent(|_| ()), &adopted()), Plan::default(), "no second claim is made, and none is changed");
    let gone = || Observed { vm: None, vmi: None, ..adopted() };
    let goes = brief(&plan(&intent(leaving), &gone()));
    assert_eq!(goes, ["delete Claim web uid-web", "delete Claim web-data uid-web-data"]);
    let kept = brief(&plan(&intent(policy("Retain")), &gone()));
    assert_eq!(kept, ["merge Claim web", "merge Claim web-data"]);
    // Somebody else deletes the VM: the next one starts from the same disks.
    let again = intent(|machine| {
        machine["status"]["disks"] =
            json!([{"name": "root", "pvcName": "web"}, {"name": "data", "pvcName": "web-data"}]);
    });
    let Intent::Run(admitted) = &again else { panic!("{again:?}") };
    let made =
        storage::claims(admitted, &gone()).into_iter().map(|(disk, claim)| (disk, claim["metadata"]["name"].clone()));
    assert_eq!(made.collect::<Vec<_>>(), [("root".to_owned(), json!("web")), ("data".to_owned(), json!("web-data"))]);
    let writes = brief(&plan(&again, &gone()));
    assert_eq!(writes, ["create Vm vm-web", "update Claim web", "update Claim web-data"], "kept true from now on");
    let forged = intent(|machine| machine["status"]["disks"] = json!([{"name": "root", "pvcName": "db"}]));
    assert_eq!(brief(&plan(&forged, &seen()))[0], "create Claim web-root");
}
