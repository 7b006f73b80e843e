//! The objects that are made for a Machine.

use super::*;

/// Hash of the VM of [`machine`], which is `vm.json`. Both are what every version so far has made of it: another hash patches
/// every VM of a fleet when the operator is upgraded, so a change here needs a line in CHANGELOG.md.
pub(crate) const HASH: &str = "b1eb47bcabe031e3";

/// The same of each of its claims: the first half of the SHA-256 of `{"metadata":{"labels":{...}}}` with the five labels.
pub(crate) const CLAIM_HASH: &str = "0f81aae2540fb590";

/// The VM that is made for [`machine`].
fn created(seen: Observed) -> Value {
    match plan(&intent(|_| ()), &seen).writes.pop() {
        Some(Write::There(There::Create(Kind::Vm, _, object))) => object,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_upgrade_does_not_patch_a_vm_that_nobody_changed() {
    let vm = created(seen());
    let applied = vm["metadata"]["annotations"]["vitistack.io/last-applied"].as_str().map(model::baseline::hash);
    assert_eq!(applied.as_deref(), Some(HASH));
    let golden: Value = serde_json::from_str(include_str!("vm.json")).expect("JSON");
    assert_eq!(vm, golden);
}

#[test]
fn fr6_x96_power_is_the_clusters_until_the_machine_declares_it() {
    let edited = |strategy: Option<&str>, cores: i64| {
        let intent = intent(|machine| {
            machine["spec"]["runStrategy"] = json!(strategy);
            let sizing = RESOLVED.replace("\"cores\":1", &format!("\"cores\":{cores}"));
            machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!(sizing);
        });
        let mut live = created(seen());
        // As after `virtctl stop`, and as an older KubeVirt says it.
        live["spec"]["running"] = json!(false);
        live["spec"]["runStrategy"] = Value::Null;
        match plan(&intent, &running()).writes.pop() {
            None => "nothing".to_owned(),
            Some(Write::There(There::Update { wanted, .. })) => {
                let change = wanted.change(&live).expect("a change").patch;
                format!("{:?}", (change["spec"].get("runStrategy"), change["spec"].get("running")))
            }
            other => panic!("{other:?}"),
        }
    };
    let declared = |strategy: &str| format!("(Some(String({strategy:?})), Some(Null))");
    #[rustfmt::skip]
    let cases = [
        ("nobody changed anything",          None,           1, "nothing".to_owned()),
        ("an edit of another field",         None,           2, "(None, None)".to_owned()),
        ("declared",                         Some("Halted"), 1, declared("Halted")),
        ("the default is declared",          Some("Always"), 1, declared("Always")),
        ("an empty one says nothing",        Some(""),       1, "nothing".to_owned()),
    ];
    every_row(cases, |(case, strategy, cores, wanted)| assert_eq!(edited(strategy, cores), wanted, "{case}"));
    assert_eq!(created(seen())["spec"]["runStrategy"], "Always", "written once, when it is made");
}

#[test]
fn x13_an_owner_reference_is_set_only_where_the_cluster_is_the_supervisor() {
    assert_eq!(created(seen())["metadata"]["ownerReferences"], Value::Null);
    let same = Observed { supervisor: "c-east".to_owned(), ..seen() };
    assert_eq!(created(same)["metadata"]["ownerReferences"][0]["uid"], "m-1");
}

#[test]
fn x14_c16_c18_the_vm_is_the_machines_in_labels_size_and_disks() {
    let vm = created(seen());
    let labels = json!({
        "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
        "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup",
    });
    assert_eq!(vm["apiVersion"], "kubevirt.io/v1");
    assert_eq!((&vm["metadata"]["name"], &vm["metadata"]["namespace"]), (&json!("vm-web"), &json!("shop")));
    assert_eq!((&vm["metadata"]["labels"], &vm["spec"]["template"]["metadata"]["labels"]), (&labels, &labels));
    assert_eq!(vm["spec"]["runStrategy"], "Always");
    let spec = &vm["spec"]["template"]["spec"];
    assert_eq!(spec["domain"]["cpu"], json!({"cores": 1, "threads": 1, "sockets": 1}));
    assert_eq!(spec["domain"]["memory"], json!({"guest": "2Gi"}));
    assert_eq!(
        spec["domain"]["devices"]["disks"],
        json!([
            {"name": "root", "disk": {"bus": "virtio"}, "bootOrder": 1}, {"name": "data", "disk": {"bus": "virtio"}},
        ])
    );
    assert_eq!(
        spec["domain"]["devices"]["interfaces"],
        json!([{"name": "default", "masquerade": {}, "model": "virtio"}]),
        "X64"
    );
    assert_eq!(spec["networks"], json!([{"name": "default", "pod": {}}]));
    assert_eq!(
        spec["volumes"],
        json!([
            {"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}}, {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}},
        ])
    );
}

#[test]
fn x16_x23_a_claim_for_each_disk_and_default_means_the_clusters_default() {
    let claims = |classes: &[&str]| -> Vec<Value> {
        let seen = Observed {
            storage_classes: classes.iter().map(|name| ((*name).to_owned(), StorageClass::default())).collect(),
            ..seen()
        };
        plan(&intent(|_| ()), &seen)
            .writes
            .into_iter()
            .filter_map(|write| match write {
                Write::There(There::Create(Kind::Claim, _, object)) => Some(object),
                _ => None,
            })
            .collect()
    };
    let other = claims(&["fast-ssd"]);
    assert_eq!(other[0]["metadata"]["name"], "web-root");
    assert_eq!(other[0]["metadata"]["labels"]["vitistack.io/machine"], "web", "C40");
    assert_eq!(
        other[0]["spec"],
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}})
    );
    assert_eq!(
        other[1]["spec"],
        json!({
            "accessModes": ["ReadWriteMany"], "volumeMode": "Block", "storageClassName": "fast-ssd", "resources": {"requests": {"storage": "100Gi"}},
        })
    );
    assert_eq!(claims(&["default", "fast-ssd"])[0]["spec"]["storageClassName"], "default", "a class of that name wins");
}
