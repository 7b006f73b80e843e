//! Cloud-init data on a real fleet: inline in the VM, or in a Secret beside it, from every source; and that nothing of it shows
//! or stays anywhere else.

use std::fs;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tests::fleet::{self, Fleet};
use tests::install::kubectl;
use tests::wait::eventually;

use super::requests::{marks, requests, told};
use super::{Ground, condition, machine, resource};
use crate::fleet::with;
use crate::table::every_row;

/// What must never be shown.
const CANARY: &str = "c4n4ry-in-a-Secret";

#[tokio::test]
async fn c8_c24_x26_x70_x79_t19_kvo21_data_reaches_the_guest_and_nobody_else() {
    // Only what the watches tell is acted on in time.
    let fleet = with(&["east"], &[("RECONCILE_INTERVAL", "1h")]).await;
    let ground = Ground::new(&fleet, "default").await;
    inline_data_is_counted_in_bytes(&ground).await;
    a_secret_costs_one_request_on_each_side(&ground).await;
    a_changed_source_reaches_the_cluster_without_a_restart(&ground).await;
    what_is_taken_out_goes_after_the_guest_that_has_it(&ground).await;
    every_source_is_carried(&ground).await;
    what_is_missing_is_said_and_awaited(&ground).await;
    a_strangers_secret_is_left_alone(&ground).await;
    without_the_right_it_is_said(&ground).await;
    nothing_of_a_secret_is_shown(&ground).await;
    for name in ["secret", "all", "missing", "denied", "long"] {
        ground.delete(name).await;
        ground.gone(name).await;
    }
    let ours = ListParams::default().labels("vitistack.io/managed-by=kubevirt-operator");
    let left = secrets(&ground).await.list(&ours).await.expect("a list");
    assert_eq!(left.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), [""; 0], "no Secret outlives its VM");
}

fn secret(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
}

fn cloud(data: Value) -> Value {
    json!({"template": "small", "cloudInit": data})
}

async fn secrets(ground: &Ground<'_>) -> Api<Secret> {
    let east = ground.fleet.remote("east").unwrap_or_else(|error| panic!("{error}"));
    Api::namespaced(east.client().await.unwrap_or_else(|error| panic!("{error}")), &ground.namespace)
}

/// What our Secret of a Machine holds.
async fn held(ground: &Ground<'_>, machine: &str) -> Vec<(String, String)> {
    let secret = secrets(ground).await.get(&format!("{machine}-cloudinit")).await.expect("a Secret");
    let text = |(key, data): (String, k8s_openapi::ByteString)| (key, String::from_utf8(data.0).expect("text"));
    secret.data.unwrap_or_default().into_iter().map(text).collect()
}

async fn vm(ground: &Ground<'_>, machine: &str) -> DynamicObject {
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    vms.get(&format!("vm-{machine}")).await.expect("the VM")
}

/// The volume with the data.
fn volume(vm: &DynamicObject) -> Value {
    let volumes = vm.data["spec"]["template"]["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    volumes.into_iter().find(|volume| volume["name"] == "cloudinitdisk").unwrap_or_default()
}

fn from_secret() -> Value {
    json!({"name": "cloudinitdisk", "cloudInitNoCloud": {"secretRef": {"name": "secret-cloudinit"}}})
}

async fn inline_data_is_counted_in_bytes(ground: &Ground<'_>) {
    let (fits, long) = ("é".repeat(1024), format!("{}x", "é".repeat(1024)));
    let keys = json!({"template": "small", "sshKeys": ["ssh-ed25519 AAAA ann"], "userData": "#cloud-config\nhostname: web # mine\n"});
    ground.applied(&machine("fits", None, &cloud(json!({"userData": fits})))).await;
    ground.applied(&machine("long", None, &cloud(json!({"userData": long, "type": "configDrive"})))).await;
    ground.applied(&machine("keys", None, &keys)).await;
    for name in ["fits", "long", "keys"] {
        ground.running(name).await;
    }
    let inline = |data: &str| json!({"name": "cloudinitdisk", "cloudInitNoCloud": {"userData": data}});
    assert_eq!(volume(&vm(ground, "fits").await), inline(&fits), "X70: 2048 bytes");
    let drive = json!({"name": "cloudinitdisk", "cloudInitConfigDrive": {"secretRef": {"name": "long-cloudinit"}}});
    assert_eq!(volume(&vm(ground, "long").await), drive, "X70: 2049 bytes");
    assert_eq!(held(ground, "long").await, [("userdata".to_owned(), long)]);
    let merged = "#cloud-config\nssh_authorized_keys:\n- \"ssh-ed25519 AAAA ann\"\nhostname: web # mine\n";
    assert_eq!(volume(&vm(ground, "keys").await), inline(merged), "X79");
    for name in ["fits", "keys"] {
        ground.delete(name).await;
        ground.gone(name).await;
    }
}

async fn a_secret_costs_one_request_on_each_side(ground: &Ground<'_>) {
    let data = format!("#cloud-config\n# {CANARY}\n");
    ground.applied(&secret("source", json!({"userdata": data}))).await;
    let before = marks(ground.fleet);
    ground.applied(&machine("secret", None, &cloud(json!({"secretRef": {"name": "source"}})))).await;
    ground.running("secret").await;
    told(ground, "secret", "Running").await;
    let all = requests(ground.fleet, &before);
    let about = all.iter().filter(|(kind, _)| ["secrets", "configmaps"].contains(&kind.resource.as_str()));
    let mut about: Vec<_> =
        about.map(|(kind, count)| (kind.verb.as_str(), *count)).filter(|(verb, _)| *verb != "list").collect();
    about.sort_unstable();
    assert_eq!(about, [("create", 1), ("get", 1)], "{all:?}");
    let vm = vm(ground, "secret").await;
    assert_eq!(volume(&vm), from_secret());
    assert!(!serde_json::to_string(&vm).expect("JSON").contains(CANARY));
    assert_eq!(held(ground, "secret").await, [("userdata".to_owned(), data)]);
}

async fn a_changed_source_reaches_the_cluster_without_a_restart(ground: &Ground<'_>) {
    let before = vm(ground, "secret").await;
    let instances = ground.remote("east", "VirtualMachineInstance", "kubevirt.io").await;
    let instance = instances.get("vm-secret").await.expect("an instance").uid();
    let changed = format!("#cloud-config\n# {CANARY}, another\n");
    ground.applied(&secret("source", json!({"userdata": changed}))).await;
    told(ground, "secret", "CloudInitChanged").await;
    assert_eq!(held(ground, "secret").await, [("userdata".to_owned(), changed)]);
    eventually("the VM says which data its Secret holds", async || {
        let after = vm(ground, "secret").await;
        let mark = |vm: &DynamicObject| vm.annotations().get("vitistack.io/cloud-init-hash").cloned();
        if mark(&after) == mark(&before) {
            return Err(format!("{:?}", after.annotations()));
        }
        assert_eq!(after.metadata.generation, before.metadata.generation, "nothing to restart for");
        Ok(())
    })
    .await;
    assert_eq!(instances.get("vm-secret").await.expect("an instance").uid(), instance);
    // A touch of its metadata changes no data.
    let before = marks(ground.fleet);
    let mut touched = secret("source", json!({}));
    touched["metadata"]["labels"] = json!({"touched": "yes"});
    touched.as_object_mut().expect("an object").remove("stringData");
    let client = ground.supervisor.clone();
    let sources: Api<Secret> = Api::namespaced(client, &ground.namespace);
    let label = kube::api::Patch::Merge(&touched);
    sources.patch("source", &kube::api::PatchParams::default(), &label).await.expect("touched");
    eventually("the touch was looked at", async || {
        let all = requests(ground.fleet, &before);
        let gets = all.iter().filter(|(kind, _)| kind.resource == "secrets" && kind.verb == "get");
        if gets.map(|(_, count)| count).sum::<usize>() == 1 { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await;
}

async fn what_is_taken_out_goes_after_the_guest_that_has_it(ground: &Ground<'_>) {
    ground.applied(&machine("secret", None, &json!({"template": "small"}))).await;
    eventually("the VM has no such disk any more", async || match volume(&vm(ground, "secret").await) {
        Value::Null => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert!(secrets(ground).await.get_opt("secret-cloudinit").await.expect("an answer").is_some(), "it still runs");
    // What `virtctl restart` does.
    let instances = ground.remote("east", "VirtualMachineInstance", "kubevirt.io").await;
    instances.delete("vm-secret", &DeleteParams::default()).await.expect("restarted");
    eventually("the Secret is gone", async || {
        let left = secrets(ground).await.get_opt("secret-cloudinit").await.expect("an answer");
        let mark = vm(ground, "secret").await.annotations().get("vitistack.io/cloud-init-hash").cloned();
        if left.is_none() && mark.is_none() {
            Ok(())
        } else {
            Err(format!("{:?} {mark:?}", left.map(|it| it.metadata)))
        }
    })
    .await;
    // And back again, to be deleted with the Machine.
    ground.applied(&machine("secret", None, &cloud(json!({"secretRef": {"name": "source"}})))).await;
    eventually("it is back", async || {
        let back = secrets(ground).await.get_opt("secret-cloudinit").await.expect("an answer");
        let volume = volume(&vm(ground, "secret").await);
        if back.is_some() && volume == from_secret() { Ok(()) } else { Err(volume.to_string()) }
    })
    .await;
}

async fn every_source_is_carried(ground: &Ground<'_>) {
    ground.applied(&secret("network", json!({"net": format!("# {CANARY}")}))).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"userdata": "#cloud-config\n"}});
    ground.applied(&map).await;
    let every = json!({
        "userDataConfigMapRef": {"name": "map"}, "networkDataSecretRef": {"name": "network", "key": "net"},
        "networkDataConfigMapRef": {"name": "map"},
    });
    ground.applied(&machine("all", None, &cloud(every))).await;
    ground.running("all").await;
    let wanted = json!({"userData": "#cloud-config\n", "networkDataSecretRef": {"name": "all-cloudinit"}});
    assert_eq!(volume(&vm(ground, "all").await)["cloudInitNoCloud"], wanted);
    assert_eq!(held(ground, "all").await, [("networkdata".to_owned(), format!("# {CANARY}"))]);
    let mut changed = map;
    changed["data"]["userdata"] = json!("#cloud-config\nhostname: all\n");
    ground.applied(&changed).await;
    eventually("the ConfigMap's new text is in the VM", async || {
        let text = volume(&vm(ground, "all").await)["cloudInitNoCloud"]["userData"].clone();
        if text == "#cloud-config\nhostname: all\n" { Ok(()) } else { Err(text.to_string()) }
    })
    .await;
}

async fn what_is_missing_is_said_and_awaited(ground: &Ground<'_>) {
    let spec = cloud(json!({"secretRef": {"name": "late"}}));
    let says = async |what: &str| {
        let said = |machine: &model::api::Machine| {
            let message = machine.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
            condition(machine, "Ready") == "False/CloudInitSourceMissing" && message.contains(what)
        };
        ground.until("missing", what, said).await;
    };
    ground.applied(&machine("missing", None, &spec)).await;
    says("Secret default/late does not exist: create it with the key \"userdata\"").await;
    ground.applied(&secret("late", json!({"other": CANARY}))).await;
    says("Secret default/late has no key \"userdata\": add it, or name another key").await;
    ground.applied(&secret("late", json!({"userdata": CANARY}))).await;
    ground.running("missing").await;
    assert_eq!(held(ground, "missing").await, [("userdata".to_owned(), CANARY.to_owned())]);
}

async fn a_strangers_secret_is_left_alone(ground: &Ground<'_>) {
    let theirs = Secret {
        metadata: kube::api::ObjectMeta { name: Some("strange-cloudinit".to_owned()), ..Default::default() },
        string_data: Some([("userdata".to_owned(), "theirs".to_owned())].into()),
        ..Secret::default()
    };
    let secrets = secrets(ground).await;
    let before = secrets.create(&PostParams::default(), &theirs).await.expect("a stranger's");
    ground.applied(&machine("strange", None, &cloud(json!({"secretRef": {"name": "source"}})))).await;
    let failed =
        ground.until("strange", "in conflict", |machine| condition(machine, "Ready") == "False/Conflict").await;
    let message = failed.status.and_then(|status| status.message).expect("a message");
    assert!(
        message.contains("Secret default/strange-cloudinit on \"east\" exists and is not this Machine's"),
        "{message}"
    );
    ground.delete("strange").await;
    ground.gone("strange").await;
    assert_eq!(secrets.get("strange-cloudinit").await.expect("still there"), before);
}

async fn without_the_right_it_is_said(ground: &Ground<'_>) {
    let bindings: Api<ClusterRoleBinding> = Api::all(ground.supervisor.clone());
    let mut binding = bindings.get("kubevirt-operator-controller-sources").await.expect("the chart's");
    bindings.delete("kubevirt-operator-controller-sources", &DeleteParams::default()).await.expect("taken away");
    let controller = fleet::user(fleet::CONTROLLER_ACCOUNT);
    let may = ["auth", "can-i", "get", "secrets", "--namespace", "default", "--as", &controller];
    eventually("the right is gone", async || match kubectl(ground.fleet.supervisor(), &may, "").await {
        Ok(yes) => Err(yes),
        Err(_) => Ok(()),
    })
    .await;
    ground.applied(&machine("denied", None, &cloud(json!({"userDataSecretRef": {"name": "source"}})))).await;
    let denied = |machine: &model::api::Machine| condition(machine, "Ready") == "False/CloudInitSourceUnreadable";
    let failed = ground.until("denied", "denied", denied).await;
    let message = failed.status.and_then(|status| status.message).expect("a message");
    let says =
        "Secret default/source cannot be read: the controller lacks the right to get, list and watch secrets there";
    assert_eq!(message, says);
    binding.metadata.resource_version = None;
    binding.metadata.uid = None;
    bindings.create(&PostParams::default(), &binding).await.expect("given back");
    ground.running("denied").await;
}

async fn nothing_of_a_secret_is_shown(ground: &Ground<'_>) {
    let fleet: &Fleet = ground.fleet;
    let mut shown = Vec::new();
    for component in ["controller", "webhook"] {
        shown.push((component.to_owned(), fs::read_to_string(fleet.processes().log(component)).expect("a log")));
    }
    let list = ListParams::default();
    let events: Api<DynamicObject> =
        Api::namespaced_with(ground.supervisor.clone(), &ground.namespace, &resource("Event", "events.k8s.io"));
    let machines = ground.machines().list(&list).await.expect("Machines");
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await.list(&list).await.expect("VMs");
    let vmis = ground.remote("east", "VirtualMachineInstance", "kubevirt.io").await.list(&list).await.expect("VMIs");
    shown.extend(machines.iter().map(|it| (it.name_any(), serde_json::to_string(&it.status).expect("JSON"))));
    for object in events.list(&list).await.expect("Events").iter().chain(vms.iter()).chain(vmis.iter()) {
        shown.push((object.name_any(), serde_json::to_string(object).expect("JSON")));
    }
    assert!(shown.len() > 10);
    every_row(shown, |(what, text)| {
        // The second is the middle of the first in base64.
        assert!(!text.contains(CANARY) && !text.contains("YzRuNHJ5"), "T19: {what}");
    });
}
