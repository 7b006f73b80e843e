//! API servers that are replaced: they restart, forget their history, are away for a while, and come back without an API.

use std::time::{Duration, Instant};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use serde_json::json;
use tests::fleet::{self, CONFIGS_NAMESPACE, Component, Endpoint, Fleet};
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;

use super::{Ground, LIMIT, condition, machine};
use crate::configs::{self, says};
use crate::fleet::fresh;

const OURS: [&str; 2] = ["controller", "webhook"];

#[tokio::test]
async fn kvo19_r17_r19_r21_replaced_api_servers_end_no_process_and_no_deletion_is_missed() {
    let fleet = fresh(&["east", "west"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    a_start_without_any_cluster_ends_nothing(&ground, &configs).await;
    let processes = OURS.map(|name| pid(&fleet, name));
    what_is_deleted_while_nobody_watches_is_made_again(&ground).await;
    both_processes_stay_ready_without_the_supervisor(&ground).await;
    a_version_that_is_gone_is_said_and_its_return_is_noticed(&ground, &configs).await;
    assert_eq!(OURS.map(|name| pid(&fleet, name)), processes, "R17: no process has ended");
}

fn pid(fleet: &Fleet, name: &str) -> i32 {
    fleet.processes().running(name).unwrap_or_else(|| panic!("{name} does not run any more")).pid
}

async fn stop(fleet: &Fleet, component: &Component, how: Stop) {
    fleet.stop(component, how).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn start(fleet: &Fleet, component: &Component) {
    fleet.start(component).await.unwrap_or_else(|error| panic!("{error}"));
}

/// KVO19: starting waits until a process is ready.
async fn a_start_without_any_cluster_ends_nothing(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    let remotes = ["east", "west"].map(|name| Component::Remote(name.to_owned()));
    for component in [Component::Controller, Component::Webhook].iter().chain(&remotes) {
        stop(ground.fleet, component, Stop::AtOnce).await;
    }
    for component in [Component::Controller, Component::Webhook] {
        start(ground.fleet, &component).await;
    }
    let processes = OURS.map(|name| pid(ground.fleet, name));
    eventually("KVO19: the checks say that they are away", async || {
        let log = std::fs::read_to_string(ground.fleet.processes().log("controller")).expect("a log");
        let away = |name: &str| log.contains(&format!("⚠️ cluster {name} cannot be reached, and is asked again: "));
        if away("east") && away("west") { Ok(()) } else { Err(log) }
    })
    .await;
    for remote in &remotes {
        start(ground.fleet, remote).await;
    }
    for name in ["east", "west"] {
        says(configs, name, "the cluster answers").await;
    }
    assert_eq!(OURS.map(|name| pid(ground.fleet, name)), processes, "KVO19");
}

/// R19, R21: the controller sleeps, a VM is deleted, and the history of that is gone when it wakes up.
async fn what_is_deleted_while_nobody_watches_is_made_again(ground: &Ground<'_>) {
    let east = Component::Remote("east".to_owned());
    ground.applied(&machine("through", Some("east"), &json!({"template": "small"}))).await;
    ground.running("through").await;
    let before = ground.remote("east", "VirtualMachine", "kubevirt.io").await.get("vm-through").await.expect("the VM");
    let processes = ground.fleet.processes();
    processes.pause("controller", true).unwrap_or_else(|error| panic!("{error}"));
    stop(ground.fleet, &east, Stop::Gracefully).await;
    start(ground.fleet, &east).await;
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    vms.delete("vm-through", &DeleteParams::default()).await.expect("deleted");
    let uid = before.uid().expect("a UID");
    let gone = await_condition(vms.clone(), "vm-through", conditions::is_deleted(&uid));
    tokio::time::timeout(LIMIT, gone).await.expect("in time").expect("a watch");
    ground.fleet.etcd().compact().await.unwrap_or_else(|error| panic!("{error}"));
    let audit = ground.fleet.remote("east").unwrap_or_else(|error| panic!("{error}")).audit();
    let (mark, awake) = (audit.mark(), Instant::now());
    processes.pause("controller", false).unwrap_or_else(|error| panic!("{error}"));
    let another = |vm: Option<&DynamicObject>| vm.is_some_and(|vm| vm.uid() != before.uid());
    let again = tokio::time::timeout(LIMIT, await_condition(vms, "vm-through", another)).await;
    again.expect("R21: in time").expect("a watch");
    ground.running("through").await;
    let log = std::fs::read_to_string(ground.fleet.processes().log("controller")).expect("a log");
    assert!(log.contains("the cluster does not remember enough to continue a watch"), "R19: {log}");
    let user = fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT);
    let records = audit.since(mark).expect("an audit log");
    let lists = records.iter().filter(|it| it.user == user && it.verb == "list" && it.resource == "virtualmachines");
    let (lists, most) = (lists.count(), awake.elapsed().as_secs() / 10 + 1);
    assert!(lists as u64 <= most, "R19: {lists} lists in {:?}", awake.elapsed());
}

/// What they know is not less true than a moment before, and nobody else would know more.
async fn both_processes_stay_ready_without_the_supervisor(ground: &Ground<'_>) {
    let endpoints = [Endpoint::ControllerHealth, Endpoint::WebhookHealth];
    let addresses = endpoints.map(|it| ground.fleet.address(it).unwrap_or_else(|error| panic!("{error}")));
    stop(ground.fleet, &Component::Supervisor, Stop::Gracefully).await;
    for address in addresses {
        for path in ["/readyz", "/healthz"] {
            probe::get(address, path).await.unwrap_or_else(|error| panic!("without the supervisor: {error}"));
        }
    }
    start(ground.fleet, &Component::Supervisor).await;
    let halted = machine("through", Some("east"), &json!({"template": "small", "runStrategy": "Halted"}));
    eventually("R17: the webhook decides", async || ground.apply(&halted).await).await;
    ground.until("through", "R17: stopped", |machine| super::phase(machine) == "Stopped").await;
    for address in addresses {
        probe::get(address, "/readyz").await.unwrap_or_else(|error| panic!("{error}"));
    }
}

async fn a_version_that_is_gone_is_said_and_its_return_is_noticed(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    ground.applied(&machine("kept", Some("west"), &json!({"template": "small"}))).await;
    ground.running("kept").await;
    let before = ground.remote("west", "VirtualMachine", "kubevirt.io").await.get("vm-kept").await.expect("the VM");
    let west = ground.fleet.remote("west").unwrap_or_else(|error| panic!("{error}"));
    let definitions: Api<CustomResourceDefinition> =
        Api::all(west.client().await.unwrap_or_else(|error| panic!("{error}")));
    let serve = async |served: bool| {
        let change = json!([
            {"op": "test", "path": "/spec/versions/0/name", "value": "v1"},
            {"op": "replace", "path": "/spec/versions/0/served", "value": served},
        ]);
        let change = Patch::<()>::Json(serde_json::from_value(change).expect("a patch"));
        definitions.patch("virtualmachines.kubevirt.io", &PatchParams::default(), &change).await.expect("patched");
    };
    serve(false).await;
    let sentence = "the cluster does not have what was asked for: list and watch /apis/kubevirt.io/v1/virtualmachines";
    let gone = says(configs, "west", sentence).await;
    assert_eq!(configs::condition(&gone, "Ready"), "False/UnsupportedAPI", "R17");
    let unreached =
        |machine: &model::api::Machine| condition(machine, "VirtualMachineReady") == "Unknown/ClusterUnreachable";
    ground.until("kept", "R17: unknown, and not absent", unreached).await;
    serve(true).await;
    let again = Instant::now();
    says(configs, "west", "the cluster answers").await;
    assert!(again.elapsed() <= Duration::from_secs(60), "only after {:?}", again.elapsed());
    ground.running("kept").await;
    let after = ground.remote("west", "VirtualMachine", "kubevirt.io").await.get("vm-kept").await.expect("the VM");
    assert_eq!(after.uid(), before.uid(), "R17");
}
