//! Whoever may write `machines/status` in a namespace decides nothing there: the policy of the chart refuses it, with the webhook
//! and without, and what is forged all the same the controller does not follow (ATK4).

use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use model::names::{KUBEVIRT_CONFIG, MACHINE_UID};
use serde_json::{Value, json};
use tests::fleet::Component;
use tests::install::kubectl;
use tests::process::Stop;
use tests::wait::eventually;

use super::{HOLD, Machines, all};
use crate::machines::{Ground, condition, machine, resource};

const POLICY: &str = "kubevirt-operator-status";

fn patched(status: &Value) -> Patch<Value> {
    Patch::Merge(json!({"status": status}))
}

/// Tried by somebody with all rights on Machines and their status in his namespace, on a Machine that runs on east.
pub(super) async fn no_tenant_writes_what_is_recorded(tenant: &Machines, when: &str) {
    let reference = |change: Value| json!({"kubevirtConfigRef": change});
    #[rustfmt::skip]
    let forged = [
        (reference(json!({"namespace": "kube-system"})),             "status.kubevirtConfigRef: Forbidden: it says where"),
        (reference(json!({"name": "west", "clusterId": "another"})), "status.kubevirtConfigRef: Forbidden: it says where"),
        (reference(Value::Null),                                     "status.kubevirtConfigRef: Forbidden: it says where"),
        (json!({"vmName": "of-somebody-else"}),                      "status.vmName: Forbidden: it says which VM"),
        (json!({"disks": []}),                                       "status.disks: Forbidden: it says which disks"),
    ];
    for (status, refusal) in forged {
        for name in ["moves", "leaving"] {
            let answer = tenant.patch_status(name, &PatchParams::default(), &patched(&status)).await;
            let refused = answer.expect_err("forged").to_string();
            assert!(refused.contains(refusal), "{status} of {name} {when}: {refused}");
        }
    }
    nothing_forged_becomes_ours(tenant, when).await;
    let word = patched(&json!({"message": "a word of a person's"}));
    tenant.patch_status("moves", &PatchParams::default(), &word).await.expect("the rest of a status decides nothing");
}

/// Of a Machine of another provider the same person may write the status; but then it does not become ours, and neither does
/// one that is being deleted.
async fn nothing_forged_becomes_ours(tenant: &Machines, when: &str) {
    let theirs = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {"name": "theirs", "finalizers": [HOLD]}, "spec": {"provider": "aws"}});
    let theirs: DynamicObject = serde_json::from_value(theirs).expect("a Machine");
    tenant.create(&PostParams::default(), &theirs).await.expect("of another provider");
    let ours = Patch::Merge(json!({
        "metadata": {"annotations": {KUBEVIRT_CONFIG: "east"}}, "spec": {"provider": "kubevirt", "template": "small"},
    }));
    let is_refused = async |what: &str, says: &str| {
        let answer = tenant.patch("theirs", &PatchParams::default(), &ours).await;
        let refused = answer.expect_err(what).to_string();
        assert!(refused.contains(says) || refused.contains("failed calling webhook"), "{what} {when}: {refused}");
    };
    let forged = [
        json!({"vmName": "of-somebody-else"}),
        json!({"vmName": null, "kubevirtConfigRef": {"namespace": "victim"}}),
        json!({"kubevirtConfigRef": {"namespace": null, "name": "west"}}),
        json!({"kubevirtConfigRef": {"name": null, "clusterId": "c1"}}),
        json!({"kubevirtConfigRef": null, "disks": [{"name": "root"}]}),
    ];
    for status in forged {
        let written = tenant.patch_status("theirs", &PatchParams::default(), &patched(&status)).await;
        written.expect("another provider's status");
        is_refused(&status.to_string(), "the status records what another provider made").await;
    }
    let nothing = patched(&json!({"disks": null}));
    tenant.patch_status("theirs", &PatchParams::default(), &nothing).await.expect("another provider's status");
    tenant.delete("theirs", &DeleteParams::default()).await.expect("deleted");
    is_refused("on its way out", "the Machine is being deleted").await;
    let released = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    tenant.patch("theirs", &PatchParams::default(), &released).await.expect("released");
}

/// Takes the policy out of force, and waits until the API server knows: it follows its own watch.
pub(super) async fn anybody_may_write_what_is_recorded(ground: &Ground<'_>) {
    let args = ["delete", "validatingadmissionpolicybinding", POLICY];
    kubectl(ground.fleet.supervisor(), &args, "").await.unwrap_or_else(|error| panic!("{error}"));
    let machines = all(ground);
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let any = patched(&json!({"vmName": "any"}));
    eventually("the API server lets the status be forged", async || {
        machines.patch_status("undecided", &params, &any).await
    })
    .await;
}

/// The policy is not in force any more, and the webhook decides again.
pub(super) async fn what_is_forged_all_the_same_leads_nowhere(ground: &Ground<'_>) {
    let victim = victim(ground).await;
    ground.applied(&machine("forged", Some("east"), &json!({"template": "small"}))).await;
    let uid = ground.running("forged").await.metadata.uid.expect("a UID");
    let machines = all(ground);
    let forge = async |status: Value| {
        let forged = machines.patch_status("forged", &PatchParams::default(), &patched(&status)).await;
        forged.unwrap_or_else(|error| panic!("{status}: {error}"));
    };
    let west: Api<DynamicObject> =
        Api::all_with(ground.supervisor.clone(), &resource("KubevirtConfig", "vitistack.io"));
    let configs = west.list(&ListParams::default()).await.expect("KubevirtConfigs").items;
    let id = |name: &str| {
        let config = configs.iter().find(|config| config.metadata.name.as_deref() == Some(name)).expect(name);
        config.data["status"]["clusterId"].clone()
    };
    let truth = json!({"kubevirtConfigRef": {"name": "east", "clusterId": id("east"), "namespace": null}});
    // Its VM has the Machine's UID where it was made, which a forged namespace or cluster has not.
    #[rustfmt::skip]
    let forged = [
        (json!({"kubevirtConfigRef": {"namespace": "victim"}}),                           "in namespace \"victim\" of the cluster, where nothing of this Machine is"),
        (json!({"kubevirtConfigRef": {"namespace": "kube-system"}}),                      "in namespace \"kube-system\" of the cluster, where nothing"),
        (json!({"kubevirtConfigRef": {"name": "west", "clusterId": id("west"), "namespace": null}}), "says \"east\", but the VM is on \"west\""),
    ];
    for (status, says) in forged {
        forge(status).await;
        let is_refused = |machine: &model::api::Machine| {
            let message = machine.status.as_ref().and_then(|status| status.message.as_deref()).unwrap_or_default();
            condition(machine, "Ready") == "False/InvalidAssignment" && message.contains(says)
        };
        ground.until("forged", says, is_refused).await;
        forge(truth.clone()).await;
        ground.running("forged").await;
    }
    forge(json!({"vmName": "precious"})).await;
    let vm = |machine: &model::api::Machine| machine.status.as_ref().and_then(|status| status.vm_name.clone());
    ground.until("forged", "told the name of its own VM", |machine| vm(machine).as_deref() == Some("vm-forged")).await;

    ground.fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    ground.delete("forged").await;
    forge(json!({"kubevirtConfigRef": null, "vmName": null, "disks": null})).await;
    ground.applied(&machine("early", Some("east"), &json!({"template": "small"}))).await;
    let before = patched(&json!({"kubevirtConfigRef": {"name": "west", "namespace": "victim"}}));
    machines.patch_status("early", &PatchParams::default(), &before).await.expect("forged before anything is recorded");
    ground.fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
    ground.gone("forged").await;
    let early = ground.running("early").await.status.and_then(|status| status.kubevirt_config_ref).expect("recorded");
    assert_eq!((early.name.as_deref(), early.namespace), (Some("east"), None), "the record is the controller's alone");
    assert_eq!(
        ground.remains("east", "forged").await,
        Vec::<String>::new(),
        "what is taken out of a status leaks nothing"
    );

    let after = victim.get("precious").await.expect("untouched");
    assert_eq!((after.metadata.labels, after.data["spec"]["runStrategy"].as_str()), (None, Some("Halted")));
    for cluster in ["east", "west"] {
        let args = [
            "get",
            "vm,vmi,pvc",
            "--all-namespaces",
            "--output",
            "name",
            "--selector",
            &format!("{MACHINE_UID}={uid}"),
        ];
        let plane = ground.fleet.remote(cluster).unwrap_or_else(|error| panic!("{error}"));
        let left = kubectl(plane, &args, "").await.unwrap_or_else(|error| panic!("{error}"));
        assert!(!left.contains('/'), "{cluster}: {left}");
    }
}

/// VMs of another tenant on east that nobody owns: of the name that a forged status gives, and of the Machine's own.
async fn victim(ground: &Ground<'_>) -> Api<DynamicObject> {
    let east = ground.fleet.remote("east").unwrap_or_else(|error| panic!("{error}"));
    east.ensure_namespace("victim").await.unwrap_or_else(|error| panic!("{error}"));
    let client = east.client().await.unwrap_or_else(|error| panic!("{error}"));
    let vms = Api::namespaced_with(client, "victim", &resource("VirtualMachine", "kubevirt.io"));
    let spec = json!({"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}}}});
    for name in ["precious", "vm-forged"] {
        let vm = DynamicObject::new(name, &resource("VirtualMachine", "kubevirt.io")).data(json!({"spec": spec}));
        vms.create(&PostParams::default(), &vm).await.unwrap_or_else(|error| panic!("{error}"));
    }
    vms
}
