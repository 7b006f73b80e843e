//! Virtual machines that were there before their Machine: adopted as they are, or left to whom they belong.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::names::{ADOPTED, KUBEVIRT_CONFIG, MACHINE_UID, SUPERVISOR};
use serde_json::{Value, json};
use tests::fleet::Component;
use tests::install::kubectl;
use tests::plane::Plane;
use tests::process::Stop;
use tests::wait::eventually;

use super::{Ground, LIMIT, condition, machine, resource, said};
use crate::fleet::{fresh, shared};

/// A VM on west as a person makes one, with a disk of its own.
pub(super) fn by_hand(namespace: &str, name: &str, strategy: &str) -> DynamicObject {
    DynamicObject::new(name, &resource("VirtualMachine", "kubevirt.io")).within(namespace).data(json!({"spec": {
        "runStrategy": strategy,
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "domain": {
                    "cpu": {"cores": 2, "sockets": 2}, "memory": {"guest": "1536Mi"}, "firmware": {"serial": "old-serial"},
                    "devices": {"disks": [{"name": "system", "disk": {"bus": "sata"}}], "interfaces": [{"name": "lan", "bridge": {}}]},
                },
                "networks": [{"name": "lan", "pod": {}}],
                "volumes": [{"name": "system", "persistentVolumeClaim": {"claimName": "system-of-web"}}],
            },
        },
    }}))
}

async fn disk(ground: &Ground<'_>) -> DynamicObject {
    let claim = DynamicObject::new("system-of-web", &resource("PersistentVolumeClaim", ""))
        .within(&ground.namespace)
        .data(json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}}));
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    claims.create(&PostParams::default(), &claim).await.expect("a claim")
}

async fn claims(ground: &Ground<'_>) -> Vec<String> {
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    claims.list(&ListParams::default()).await.expect("a list").iter().map(ResourceExt::name_any).collect()
}

/// Waits until a VM on west is as wanted.
async fn until(ground: &Ground<'_>, vm: &str, wanted: impl Fn(&DynamicObject) -> bool) -> DynamicObject {
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let ready = await_condition(vms, vm, move |vm: Option<&DynamicObject>| vm.is_some_and(&wanted));
    tokio::time::timeout(LIMIT, ready).await.expect("in time").expect("a watch").expect("it exists")
}

#[tokio::test]
async fn a4_x2_x54_a_vm_made_by_hand_becomes_the_machines_as_it_is() {
    let ground = Ground::new(shared().await, "adopt").await;
    ground.fleet.remote("west").expect("west").ensure_namespace("adopt").await.expect("a namespace");
    let system = disk(&ground).await;
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let vmis = ground.remote("west", "VirtualMachineInstance", "kubevirt.io").await;
    vms.create(&PostParams::default(), &by_hand("adopt", "web", "Always")).await.expect("a VM made by hand");
    let before = until(&ground, "web", |vm| vm.data["status"]["ready"] == true).await;
    let instance = vmis.get("web").await.expect("its instance").uid();

    // No cluster is named, and there are two.
    let manifest = |spec: Value| machine("web", None, &spec);
    until_seen(&ground, &manifest(json!({"template": "small"})), "web").await;
    ground.applied(&manifest(json!({"template": "small"}))).await;
    let running = ground.running("web").await;
    assert_eq!(running.annotations()[KUBEVIRT_CONFIG], "west", "A4");
    let status = running.status.as_ref().expect("a status");
    assert_eq!((status.vm_name.as_deref(), status.vmi_name.as_deref()), (Some("web"), Some("web")), "X2");
    assert!(status.node_name.is_some() && !status.ip_addresses.is_empty(), "{status:?}");
    assert_eq!(condition(&running, "StorageReady"), "True/PVCBound");
    let adopted = vms.get("web").await.expect("the VM");
    assert_eq!(adopted.labels().get(MACHINE_UID), running.uid().as_ref());
    assert!(adopted.annotations()[ADOPTED].contains("\"memory\":\"2Gi\""), "{:?}", adopted.annotations());
    assert_eq!((adopted.uid(), &adopted.data["spec"]), (before.uid(), &before.data["spec"]), "metadata only");
    assert_eq!(claims(&ground).await, ["system-of-web"], "no disks were made for it");
    assert!(told(&ground, "web").await.contains("VirtualMachine web on \"west\" was there before"), "an Event");

    let bigger = json!({"template": "small", "resources": {"memory": {"size": "3Gi"}}});
    ground.applied(&manifest(bigger)).await;
    let memory = |vm: &DynamicObject| vm.data["spec"]["template"]["spec"]["domain"]["memory"]["guest"] == "3Gi";
    let edited = until(&ground, "web", memory).await;
    let mut want = before.data["spec"].clone();
    want["template"]["spec"]["domain"]["memory"]["guest"] = json!("3Gi");
    assert_eq!(edited.data["spec"], want, "what was edited, and nothing else");
    assert_eq!(vmis.get("web").await.expect("its instance").uid(), instance, "it was never restarted");

    ground.delete("web").await;
    ground.gone("web").await;
    assert!(vms.get_opt("web").await.expect("an answer").is_none());
    assert!(vmis.get_opt("web").await.expect("an answer").is_none());
    let kept: Api<PersistentVolumeClaim> =
        Api::namespaced(ground.fleet.remote("west").expect("west").client().await.expect("a client"), "adopt");
    let kept = kept.get("system-of-web").await.expect("a disk that is not ours");
    assert_eq!((kept.uid(), kept.metadata.deletion_timestamp.as_ref()), (system.uid(), None));
    assert!(kept.labels().is_empty(), "{:?}", kept.labels());
}

#[tokio::test]
async fn x54_kvo6_kvo7_a_vm_that_belongs_to_somebody_is_a_conflict_and_stays_untouched() {
    let fleet = fresh(&["west"]).await;
    let ground = Ground::new(&fleet, "owned").await;
    let west = fleet.remote("west").unwrap_or_else(|error| panic!("{error}"));
    west.ensure_namespace("owned").await.expect("a namespace");
    let maps: Api<ConfigMap> = Api::namespaced(west.client().await.expect("a client"), "owned");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pool"}});
    let map: ConfigMap = serde_json::from_value(map).expect("a ConfigMap");
    let owner = maps.create(&PostParams::default(), &map).await.expect("an owner").uid();
    let labels = json!({"labels": {SUPERVISOR: "another", MACHINE_UID: "m-1"}});
    let controller = json!({"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "pool", "uid": owner, "controller": true}]});
    let offer = json!({"annotations": {"vitistack.io/adopt-by": "owned/other"}});
    let cases = [
        ("labelled", labels, "exists and is not this Machine's: it belongs to another supervisor"),
        ("controlled", controller, "exists and is not this Machine's: it belongs to ConfigMap/pool"),
        ("offered", offer, "exists and is not this Machine's: it is offered to Machine owned/other"),
        // Admission did not find this one.
        ("late", json!({}), "exists and is not this Machine's: give the Machine another name"),
    ];
    forbid_reading(west, true).await;
    // They become somebody's between admission and adoption.
    fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let mut before = Vec::new();
    for (name, metadata, _) in &cases {
        let vm = format!("vm-{name}");
        let manifest = machine(name, Some("west"), &json!({"template": "small"}));
        let by_hand = by_hand("owned", &vm, "Halted");
        if *name == "late" {
            ground.applied(&manifest).await;
            vms.create(&PostParams::default(), &by_hand).await.expect("a VM");
        } else {
            vms.create(&PostParams::default(), &by_hand).await.expect("a VM");
            until_seen(&ground, &manifest, &vm).await;
            ground.applied(&manifest).await;
        }
        let patch = Patch::Merge(json!({"metadata": metadata}));
        before.push(vms.patch(&vm, &PatchParams::default(), &patch).await.expect("patched"));
    }
    fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
    for (name, ..) in &cases[..3] {
        let unknown = ground.until(name, "unknown", |it| condition(it, "Ready") == "False/KubeVirtApiError").await;
        assert_eq!(unknown.status.expect("a status").kubevirt_config_ref, None, "{name}: nothing may be made yet");
    }
    forbid_reading(west, false).await;
    for ((name, _, says), before) in cases.into_iter().zip(before) {
        let failed = ground.until(name, "in conflict", |it| condition(it, "Ready") == "False/Conflict").await;
        let message = failed.status.and_then(|status| status.message).expect("a message");
        assert!(message.starts_with(&format!("VirtualMachine owned/vm-{name} on \"west\" {says}")), "{message}");
        assert!(!claims(&ground).await.contains(&format!("{name}-root")) || name == "late", "{name}: a disk was made");
        ground.delete(name).await;
        ground.gone(name).await;
        let after = vms.get(&before.name_any()).await.expect("still there");
        assert_eq!((after.uid(), &after.data["spec"]), (before.uid(), &before.data["spec"]), "{name}");
        let metadata = |vm: &DynamicObject| {
            let owners = vm.owner_references().to_vec();
            (vm.labels().clone(), vm.annotations().clone(), owners, vm.metadata.deletion_timestamp.clone())
        };
        assert_eq!(metadata(&after), metadata(&before), "{name}");
    }
}

/// Waits until admission finds the VM: the webhook's watch has no other signal.
pub(super) async fn until_seen(ground: &Ground<'_>, manifest: &Value, vm: &str) {
    let args = ["--namespace", &ground.namespace, "apply", "--dry-run=server", "--output", "yaml", "--filename", "-"];
    let named = format!(r#""vm":"{vm}""#);
    eventually(&format!("{vm} is found"), async || {
        let stored = said(kubectl(ground.fleet.supervisor(), &args, &manifest.to_string()).await)?;
        if stored.contains(&named) { Ok(()) } else { Err(stored) }
    })
    .await;
}

/// Takes the controller the right to read single VMs, and gives it back; what it watches goes on.
async fn forbid_reading(west: &Plane, forbidden: bool) {
    let roles: Api<ClusterRole> = Api::all(west.client().await.expect("a client"));
    let mut role = roles.get("kubevirt-operator-remote-controller").await.expect("the controller's role");
    let rules = role.rules.iter_mut().flatten();
    for rule in rules.filter(|rule| rule.resources.iter().flatten().any(|it| it == "virtualmachines")) {
        rule.verbs.retain(|verb| verb != "get");
        rule.verbs.extend((!forbidden).then(|| "get".to_owned()));
    }
    roles.replace("kubevirt-operator-remote-controller", &PostParams::default(), &role).await.expect("replaced");
}

/// What the Event `Adopted` of a Machine says; it is written before the status that was waited for.
async fn told(ground: &Ground<'_>, name: &str) -> String {
    let events: Api<Event> = Api::namespaced(ground.supervisor.clone(), &ground.namespace);
    let events = events.list(&ListParams::default()).await.expect("a list");
    let about = |event: &&Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(name));
    let adopted = events.iter().filter(about).find(|event| event.reason.as_deref() == Some("Adopted"));
    adopted.and_then(|event| event.note.clone()).unwrap_or_else(|| panic!("no such Event: {events:#?}"))
}
