//! Disks that grow, are lost, are filled by CDI, and are kept and taken back.

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use model::api::Machine;
use serde_json::{Value, json};
use tests::fleet::Endpoint;
use tests::probe;
use tests::remote_crds::PROVISIONER;
use tests::wait::eventually;

use super::{Ground, LIMIT, condition, machine};
use crate::fleet::{fresh, shared};

async fn client(ground: &Ground<'_>, remote: &str) -> Client {
    ground.fleet.remote(remote).expect(remote).client().await.unwrap_or_else(|error| panic!("{error}"))
}

/// Makes a StorageClass on a remote and waits until the webhook knows it.
async fn class(ground: &Ground<'_>, remote: &str, name: &str, more: &Value) -> Api<StorageClass> {
    let classes: Api<StorageClass> = Api::all(client(ground, remote).await);
    let mut class = json!({"metadata": {"name": name}, "provisioner": PROVISIONER});
    class.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    classes.create(&PostParams::default(), &serde_json::from_value(class).expect("a class")).await.expect("made");
    classes
}

/// Applies, as soon as the webhook knows the class.
async fn applied(ground: &Ground<'_>, manifest: &Value) {
    eventually("the webhook knows the class", async || ground.apply(manifest).await).await;
}

/// A Machine whose boot disk is so.
fn with_root(name: &str, root: &Value) -> Value {
    let mut root = root.clone();
    root["name"] = json!("root");
    machine(name, Some("west"), &json!({"template": "small", "disks": [root]}))
}

fn disk(machine: &Machine, place: usize) -> Value {
    let disks = machine.status.as_ref().map(|status| &status.disks);
    serde_json::to_value(disks.and_then(|disks| disks.get(place))).expect("JSON")
}

fn says(machine: &Machine, kind: &str) -> String {
    let all = machine.status.iter().flat_map(|status| &status.conditions);
    all.into_iter().find(|it| it.type_ == kind).map(|it| it.message.clone()).unwrap_or_default()
}

/// Waits for an Event about a Machine, and returns its type.
async fn told(ground: &Ground<'_>, name: &str, reason: &str) -> String {
    let events: Api<Event> = Api::namespaced(ground.supervisor.clone(), &ground.namespace);
    let find = async || {
        let all = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let about = |event: &&Event| event.regarding.as_ref().and_then(|it| it.name.as_deref()) == Some(name);
        let found = all.items.iter().filter(about).find(|event| event.reason.as_deref() == Some(reason));
        found.and_then(|event| event.type_.clone()).ok_or_else(|| format!("no Event {reason} about {name}"))
    };
    eventually(reason, find).await
}

#[tokio::test]
async fn b30_c42_c52_fr19_a_disk_grows_where_its_class_lets_it_and_says_so_where_not() {
    let ground = Ground::new(shared().await, "growing").await;
    let classes = class(&ground, "west", "fixed", &json!({})).await;
    ground.applied(&with_root("free", &json!({"size": "20Gi"}))).await;
    applied(&ground, &with_root("tight", &json!({"size": "20Gi", "storageClass": "fixed"}))).await;
    ground.running("free").await;
    ground.running("tight").await;

    ground.applied(&with_root("free", &json!({"size": "40Gi"}))).await;
    let grown = ground.until("free", "grown", |machine| disk(machine, 0)["size"] == json!(40_u64 << 30)).await;
    assert_eq!(
        (&disk(&grown, 0)["requestedSize"], condition(&grown, "Ready").as_str()),
        (&json!("40Gi"), "True/Running")
    );
    ground.until("free", "done", |machine| condition(machine, "StorageReady") == "True/PVCBound").await;

    let address = ground.fleet.address(Endpoint::ControllerMetrics).unwrap_or_else(|error| panic!("{error}"));
    let metrics = probe::get(address, "/metrics").await.expect("an answer");
    let counted = "kubevirt_operator_storage_provisioning_duration_seconds_count{storage_class=\"fixed\"} 1";
    assert!(metrics.lines().any(|line| line == counted), "C42: {metrics}");

    let west = ground.fleet.remote("west").expect("west");
    let before = west.audit().mark();
    ground.applied(&with_root("tight", &json!({"size": "30Gi", "storageClass": "fixed"}))).await;
    let refused = |machine: &Machine| condition(machine, "StorageReady") == "False/ExpansionRefused";
    let tight = ground.until("tight", "refused", refused).await;
    let why = says(&tight, "StorageReady");
    assert!(
        why.contains("root stays at 20Gi and does not get 30Gi: StorageClass \"fixed\" does not allow expansion"),
        "{why}"
    );
    assert_eq!(condition(&tight, "Ready"), "True/Running", "it hinders nothing");
    let asked = west.audit().since(before).expect("an audit log");
    let ours = tests::fleet::user(tests::fleet::REMOTE_CONTROLLER_ACCOUNT);
    let about = |record: &&tests::audit::Record| record.user == ours && record.uri.contains("/tight-root");
    let hammered = asked.iter().filter(about).count();
    assert_eq!(hammered, 0, "what is known to be refused is not tried");

    let allowed = Patch::Merge(json!({"allowVolumeExpansion": true}));
    classes.patch("fixed", &PatchParams::default(), &allowed).await.expect("patched");
    ground.until("tight", "grown", |machine| disk(machine, 0)["size"] == json!(30_u64 << 30)).await;
}

#[tokio::test]
async fn fr7_a_lost_disk_is_not_replaced_before_its_owner_says_so() {
    let ground = Ground::new(shared().await, "losing").await;
    let halted = json!({"template": "small", "runStrategy": "Halted"});
    ground.applied(&machine("db", Some("west"), &json!({"template": "small", "runStrategy": "Always"}))).await;
    let first = ground.running("db").await;
    let uid = disk(&first, 0)["uid"].as_str().expect("a UID").to_owned();
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;

    // What is in use is held, and goes with its VM.
    let held = json!({"metadata": {"finalizers": ["kubernetes.io/pvc-protection", "example.org/held"]}});
    claims.patch("db-root", &PatchParams::default(), &Patch::Merge(held)).await.expect("held");
    claims.delete("db-root", &DeleteParams::default()).await.expect("deleted");
    let going = |machine: &Machine| condition(machine, "StorageReady") == "False/DiskTerminating";
    ground.until("db", "about to lose its disk", going).await;
    ground.applied(&machine("db", Some("west"), &halted)).await;
    ground.until("db", "Stopped", |machine| super::phase(machine) == "Stopped").await;
    let free = json!({"metadata": {"finalizers": null}});
    claims.patch("db-root", &PatchParams::default(), &Patch::Merge(free)).await.expect("let go");

    let lost = ground.until("db", "lost", |machine| condition(machine, "StorageReady") == "False/DiskLost").await;
    let why = says(&lost, "StorageReady");
    let named =
        format!("disk \"root\" of 20Gi is lost: PersistentVolumeClaim losing/db-root, last of UID {uid}, is gone");
    assert!(why.starts_with(&named), "{why}");
    assert_eq!((disk(&lost, 0)["uid"].as_str(), condition(&lost, "Ready").as_str()), (Some(&*uid), "False/DiskLost"));
    assert_eq!(told(&ground, "db", "DiskLost").await, "Warning");
    assert!(claims.get_opt("db-root").await.expect("an answer").is_none(), "no blank disk takes its place");

    let mut replaced = machine("db", Some("west"), &json!({"template": "small", "runStrategy": "Always"}));
    replaced["metadata"]["annotations"]["vitistack.io/replace-lost-disk"] = json!("root");
    ground.applied(&replaced).await;
    let again = ground.running("db").await;
    let anew = claims.get("db-root").await.expect("a new one").uid().expect("a UID");
    assert_ne!(anew, uid);
    let shown = ground.until("db", "shown", |machine| disk(machine, 0)["uid"] == json!(anew)).await;
    assert_eq!(disk(&shown, 0)["replaced"], json!(uid), "{again:?}");
}

#[tokio::test]
async fn x116_fr20_t14_a_kept_disk_comes_back_to_its_machine_and_to_nobody_else_unasked() {
    let ground = Ground::new(shared().await, "keeping").await;
    let mut kept = with_root("db", &json!({"size": "20Gi"}));
    kept["metadata"]["annotations"]["vitistack.io/deletion-policy"] = json!("Retain");
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    let keep = async || {
        ground.applied(&kept).await;
        ground.running("db").await;
        let uid = claims.get("db-root").await.expect("the disk").uid();
        ground.delete("db").await;
        ground.gone("db").await;
        uid
    };
    let uid = keep().await;
    let left = claims.get("db-root").await.expect("kept");
    assert_eq!(left.annotations()["vitistack.io/retained-disk"], "root");
    // A larger wish grows it.
    kept["spec"]["disks"][0]["size"] = json!("30Gi");
    ground.applied(&kept).await;
    let back = ground.until("db", "grown", |machine| disk(machine, 0)["size"] == json!(30_u64 << 30)).await;
    assert_eq!(disk(&back, 0)["uid"], json!(uid), "the same disk");
    assert_eq!(told(&ground, "db", "DiskReattached").await, "Normal");
    let ours = claims.get("db-root").await.expect("the disk");
    assert!(
        !ours.labels().contains_key("vitistack.io/retained")
            && !ours.annotations().contains_key("vitistack.io/retained-from")
    );
    ground.running("db").await;
    ground.delete("db").await;
    ground.gone("db").await;

    let named =
        json!({"template": "small", "disks": [{"name": "old", "size": "1Gi", "source": {"retained": "db-root"}}]});
    let strangers = Ground::new(ground.fleet, "strangers-of-keeping").await;
    strangers.applied(&machine("thief", Some("west"), &named)).await;
    let invalid = |machine: &Machine| condition(machine, "StorageReady") == "False/SourceInvalid";
    let thief = strangers.until("thief", "refused", invalid).await;
    assert!(
        says(&thief, "StorageReady").contains("there is no PersistentVolumeClaim strangers-of-keeping/db-root"),
        "{thief:?}"
    );
    let taker = machine("other", Some("west"), &named);
    ground.applied(&taker).await;
    ground.running("other").await;
    let given = claims.get("db-root").await.expect("the disk");
    assert_eq!((given.uid(), given.labels()["vitistack.io/machine"].as_str()), (uid, "other"));
    assert_eq!(told(&ground, "other", "DiskReattached").await, "Normal");
    // Now it is taken, and whoever left it has to do without.
    ground.applied(&kept).await;
    let late = ground.until("db", "in conflict", |machine| condition(machine, "Ready") == "False/Conflict").await;
    assert!(says(&late, "Ready").contains("keeping/db-root on \"west\" exists and is not this Machine's"), "{late:?}");
}

#[tokio::test]
async fn c22_c52_t6_disks_are_filled_by_cdi_and_an_iso_boots_second() {
    let ground = Ground::new(shared().await, "filling").await;
    let os = json!({"imageID": "docker://quay.io/containerdisks/ubuntu:24.04", "isoUri": "https://images.example.org/tools.iso"});
    let mut guest = with_root("guest", &json!({"size": "20Gi"}));
    guest["spec"]["os"] = os;
    ground.applied(&guest).await;
    ground.running("guest").await;
    let vm = ground.remote("west", "VirtualMachine", "kubevirt.io").await.get("vm-guest").await.expect("the VM");
    let spec = &vm.data["spec"]["template"]["spec"];
    let volumes = json!([{"name": "root", "dataVolume": {"name": "guest-root"}}, {"name": "iso", "dataVolume": {"name": "guest-iso"}}]);
    assert_eq!(spec["volumes"], volumes);
    assert_eq!(spec["domain"]["devices"]["disks"][1], json!({"name": "iso", "cdrom": {"bus": "sata"}, "bootOrder": 2}));
    assert_eq!(ground.remains("west", "guest").await.len(), 4, "C40: VM, instance and two claims");
    // What CDI filled can be kept, too.
    let retain = json!({"metadata": {"annotations": {"vitistack.io/deletion-policy": "Retain"}}});
    ground.machines().patch("guest", &PatchParams::default(), &Patch::Merge(retain)).await.expect("annotated");
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    let uid = claims.get("guest-root").await.expect("the disk").uid();
    ground.delete("guest").await;
    ground.gone("guest").await;
    let kept = claims.get("guest-root").await.expect("kept");
    assert_eq!((kept.uid(), kept.metadata.owner_references.clone()), (uid.clone(), None), "its DataVolume let it go");
    ground.applied(&guest).await;
    let back = ground.running("guest").await;
    assert_eq!(disk(&back, 0)["uid"], json!(uid), "X116: what is kept is not filled again");
    ground.delete("guest").await;
    ground.gone("guest").await;
    let left: Vec<String> =
        claims.list(&ListParams::default()).await.expect("a list").iter().map(ResourceExt::name_any).collect();
    assert_eq!(left, Vec::<String>::new(), "with Delete nothing is left");

    // One that fails is said, and a corrected source begins anew.
    let from = |url: &str| with_root("sick", &json!({"size": "20Gi", "source": {"http": {"url": url}}}));
    ground.applied(&from("https://images.example.org/broken.img")).await;
    let failed = |machine: &Machine| condition(machine, "Ready") == "False/ImportFailed";
    let sick = ground.until("sick", "said to fail", failed).await;
    assert!(says(&sick, "StorageReady").contains("404 Not Found"), "{sick:?}");
    ground.applied(&from("https://images.example.org/held.img")).await;
    let held = |machine: &Machine| says(machine, "StorageReady") == "root is filled to 50 %";
    let held = ground.until("sick", "half filled", held).await;
    assert_eq!((condition(&held, "Ready").as_str(), disk(&held, 0)["uid"].as_str()), ("False/ImportInProgress", None));

    // A class that binds with the first user keeps nothing waiting for ever.
    let late = json!({"volumeBindingMode": "WaitForFirstConsumer"});
    class(&ground, "west", "late", &late).await;
    let source = json!({"registry": {"url": "docker://quay.io/containerdisks/ubuntu:24.04"}});
    applied(&ground, &with_root("blank", &json!({"size": "1Gi", "storageClass": "late"}))).await;
    ground.applied(&with_root("image", &json!({"size": "1Gi", "storageClass": "late", "source": source}))).await;
    ground.running("blank").await;
    ground.running("image").await;
}

#[tokio::test]
async fn x45_t14_a_cluster_without_cdi_says_so_and_fills_disks_once_it_has_it() {
    let fleet = fresh(&["west"]).await;
    let ground = Ground::new(&fleet, "bare").await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client(&ground, "west").await);
    let mut cdi = definitions.get("datavolumes.cdi.kubevirt.io").await.expect("CDI");
    definitions.delete("datavolumes.cdi.kubevirt.io", &DeleteParams::default()).await.expect("deleted");
    let gone =
        await_condition(definitions.clone(), "datavolumes.cdi.kubevirt.io", |it: Option<&CustomResourceDefinition>| {
            it.is_none()
        });
    tokio::time::timeout(LIMIT, gone).await.expect("in time").expect("a watch");

    let source = json!({"http": {"url": "https://images.example.org/a.img"}});
    ground.applied(&with_root("image", &json!({"size": "20Gi", "source": source}))).await;
    ground.applied(&with_root("blank", &json!({"size": "20Gi"}))).await;
    ground.running("blank").await;
    let missing = |machine: &Machine| {
        condition(machine, "Ready") == "False/CDIMissing" && says(machine, "StorageReady").contains("does not have")
    };
    ground.until("image", "without CDI", missing).await;
    ground.delete("blank").await;
    ground.gone("blank").await;

    cdi.metadata = serde_json::from_value(json!({"name": cdi.name_any()})).expect("metadata");
    cdi.status = None;
    definitions.create(&PostParams::default(), &cdi).await.expect("CDI again");
    ground.running("image").await;
    ground.delete("image").await;
    ground.gone("image").await;

    let shared: Api<DynamicObject> = ground.remote("west", "PersistentVolumeClaim", "").await;
    let image = DynamicObject::new("golden", &super::resource("PersistentVolumeClaim", ""))
        .data(json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}));
    shared.create(&PostParams::default(), &image).await.expect("an image");
    let copy = |name: &str, of: &str| with_root(name, &json!({"size": "1Gi", "source": {"pvc": {"name": of}}}));
    ground.applied(&copy("first", "golden")).await;
    ground.running("first").await;
    ground.applied(&copy("second", "first-root")).await;
    let theft = |machine: &Machine| condition(machine, "StorageReady") == "False/SourceInvalid";
    let second = ground.until("second", "refused", theft).await;
    assert!(says(&second, "StorageReady").contains("bare/first-root on \"west\" is another Machine's"), "{second:?}");
}
