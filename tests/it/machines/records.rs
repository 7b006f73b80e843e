//! Networks and records on the supervisor, and address management as it fills the records in.

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tests::install;
use tests::wait::eventually;

use super::{Ground, LIMIT, resource};

/// When an allocation ends.
pub(super) const SOME_DAY: &str = "2030-01-01T00:00:00Z";

pub(super) fn on_supervisor(ground: &Ground<'_>, kind: &str) -> Api<DynamicObject> {
    Api::namespaced_with(ground.supervisor.clone(), &ground.namespace, &resource(kind, "vitistack.io"))
}

/// Applies a Machine once the webhook has seen the networks that it joins.
pub(super) async fn join(ground: &Ground<'_>, manifest: &Value) {
    eventually("the webhook sees the networks", async || match ground.apply(manifest).await {
        Ok(_) => Ok(()),
        Err(said) if said.contains("not found") => Err(said),
        Err(refused) => panic!("{refused}"),
    })
    .await;
}

/// The published kind, as far as it matters, which is installed while the processes run.
pub(super) async fn install_network_namespaces(ground: &Ground<'_>) {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}});
    let version =
        json!({"name": "v1alpha1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}});
    let names = json!({"kind": "NetworkNamespace", "plural": "networknamespaces", "singular": "networknamespace"});
    let yaml = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: networknamespaces.vitistack.io}\nspec:\n";
    let spec = json!({"group": "vitistack.io", "scope": "Namespaced", "names": names, "versions": [version]});
    let yaml = spec
        .as_object()
        .expect("a map")
        .iter()
        .fold(yaml.to_owned(), |text, (key, value)| text + &format!("  {key}: {value}\n"));
    install::apply(ground.fleet.supervisor(), &yaml).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Address management: waits for the record of a Machine with an interface on this VLAN, and gives that an address.
pub(super) async fn allot(ground: &Ground<'_>, machine: &str, vlan: &str, address: &str, until: &str) {
    let records = on_supervisor(ground, "NetworkConfiguration");
    let asks = |record: &DynamicObject| record.data["spec"]["networkInterfaces"][0]["vlan"] == vlan;
    let asked = await_condition(records.clone(), machine, move |it: Option<&DynamicObject>| it.is_some_and(asks));
    let asked = tokio::time::timeout(LIMIT, asked).await.expect("in time").expect("a watch").expect("the record");
    let mut nic = asked.data["spec"]["networkInterfaces"][0].clone();
    for (field, value) in [("ipv4Addresses", json!([address])), ("allocationExpiry", json!(until))] {
        nic[field] = value;
    }
    nic["allocationMethod"] = json!("static");
    let status = Patch::Merge(json!({"status": {"networkInterfaces": [nic]}}));
    records.patch_status(machine, &PatchParams::default(), &status).await.expect("patched");
}
