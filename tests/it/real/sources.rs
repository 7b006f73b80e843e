//! Cloud-init data from a Secret that changes: the guest has it with its next start, and nobody is asked for one.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use tests::wait::eventually;

use super::changes::until;
use super::moves::has;
use super::{REMOTE, judged};
use crate::machines::{Ground, condition, machine, phase};

#[tokio::test]
async fn c8_x70_a_secret_that_changes_is_carried_and_asks_for_no_restart() {
    let ground = Ground::new(judged().await, "sources").await;
    let source = |data: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "data"}, "stringData": {"userdata": data}});
    let (first, second) = ("#cloud-config\nhostname: a\n", "#cloud-config\nhostname: b\n");
    ground.applied(&source(first)).await;
    let spec = json!({"template": "small", "cloudInit": {"secretRef": {"name": "data"}}});
    ground.applied(&machine("web", Some(REMOTE), &spec)).await;
    ground.running("web").await;
    let client = ground.fleet.remote(REMOTE).expect("the remote").client().await.expect("a client");
    let secrets: Api<Secret> = Api::namespaced(client, "sources");
    let carried = async || -> Result<String, String> {
        let secret = secrets.get("web-cloudinit").await.map_err(|error| error.to_string())?;
        let data = secret.data.unwrap_or_default().remove("userdata").ok_or("no user data")?;
        String::from_utf8(data.0).map_err(|error| error.to_string())
    };
    assert_eq!(carried().await.as_deref(), Ok(first));
    let instances = ground.remote(REMOTE, "VirtualMachineInstance", "kubevirt.io").await;
    let before = until(&instances, "vm-web", |_| true).await.expect("the instance");
    let names = |it: &Value| {
        let all = it["spec"]["volumes"].as_array().into_iter().flatten();
        all.into_iter().any(|it| it["cloudInitNoCloud"]["secretRef"]["name"] == "web-cloudinit")
    };
    assert!(names(&before), "KubeVirt makes the disk of it at each start: {before}");
    let vms = ground.remote(REMOTE, "VirtualMachine", "kubevirt.io").await;
    let mark = "/metadata/annotations/vitistack.io~1cloud-init-hash";
    let hash = |it: &Value| it.pointer(mark).cloned().unwrap_or_default();
    let told = hash(&until(&vms, "vm-web", |it| hash(it).is_string()).await.expect("the VM says what it has"));

    ground.applied(&source(second)).await;
    let changed = async || carried().await.and_then(|data| if data == second { Ok(()) } else { Err(data) });
    eventually("the changed data is carried", changed).await;
    let vm = until(&vms, "vm-web", |it| hash(it).is_string() && hash(it) != told).await.expect("the VM says so");
    assert!(!has(&vm, "RestartRequired", "True"), "{vm}");
    let after = until(&instances, "vm-web", |_| true).await.expect("the instance");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "the same guest");
    let machine = ground.machines().get("web").await.expect("the Machine");
    assert_eq!(phase(&machine), "Running");
    assert!(!condition(&machine, "RestartRequired").starts_with("True"));
}
