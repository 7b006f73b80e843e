//! What a test does in its namespace, and how it waits: on watches, with a deadline that no healthy run comes near.

use std::time::Duration;

use kube::api::{Api, ApiResource, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tests::plane::Plane;
use tokio::time::{Instant, sleep, timeout_at};

fn resource(kind: &str) -> ApiResource {
    let (group, kind) = match kind {
        "vm" => ("kubevirt.io", "VirtualMachine"),
        "vmi" => ("kubevirt.io", "VirtualMachineInstance"),
        "pvc" => ("", "PersistentVolumeClaim"),
        "pv" => ("", "PersistentVolume"),
        "configmap" => ("", "ConfigMap"),
        other => panic!("{other}"),
    };
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}

/// A namespace of a plane that a test has to itself.
pub(super) struct Space {
    pub(super) client: kube::Client,
    pub(super) namespace: &'static str,
}

impl Space {
    pub(super) async fn new(plane: &Plane, namespace: &'static str) -> Self {
        plane.ensure_namespace(namespace).await.expect("namespace");
        Self { client: plane.client().await.expect("client"), namespace }
    }

    pub(super) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = resource(kind);
        match kind {
            "pv" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), self.namespace, &resource),
        }
    }

    pub(super) async fn create(&self, kind: &str, spec: Value, name: &str) {
        let resource = resource(kind);
        let object = DynamicObject::new(name, &resource).data(json!({ "spec": spec }));
        self.api(kind)
            .create(&PostParams::default(), &object)
            .await
            .unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }

    pub(super) async fn claim(&self, name: &str) {
        let spec = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
        self.create("pvc", spec, name).await;
    }

    /// A VM with one disk on the claim of its own name.
    pub(super) async fn machine(&self, name: &str) {
        let spec = json!({
            "runStrategy": "Always",
            "template": { "metadata": { "labels": { "app": name } }, "spec": {
                "domain": { "memory": { "guest": "1Gi" }, "devices": { "disks": [{ "name": "root", "disk": { "bus": "virtio" } }] } },
                "volumes": [{ "name": "root", "persistentVolumeClaim": { "claimName": name } }],
            } },
        });
        self.create("vm", spec, name).await;
    }

    pub(super) async fn set(&self, kind: &str, name: &str, patch: Value) {
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }

    /// Waits until the object is as wanted; an API server that is away meanwhile is waited for.
    pub(super) async fn until(&self, kind: &str, name: &str, wanted: impl Fn(Option<&Value>) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let condition = |object: Option<&DynamicObject>| wanted(object.map(|object| &object.data));
            match timeout_at(deadline, await_condition(self.api(kind), name, condition)).await {
                Ok(Ok(object)) => return object.map(|object| object.data).unwrap_or_default(),
                Ok(Err(_)) => sleep(Duration::from_millis(200)).await, // not a synchronisation: the watch broke
                Err(_) => {
                    let last = self.api(kind).get_opt(name).await;
                    panic!("{kind} {name} is not as wanted; last seen: {last:?}");
                }
            }
        }
    }

    pub(super) async fn shows(&self, name: &str, printable: &str) -> Value {
        self.until("vm", name, |vm| vm.is_some_and(|vm| vm["status"]["printableStatus"] == printable)).await
    }

    pub(super) async fn is_gone(&self, kind: &str, name: &str) {
        self.until(kind, name, |object| object.is_none()).await;
    }

    pub(super) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.expect("deleted");
    }

    /// Adds rules to the ConfigMap that the simulator watches, or takes this test's rules away again.
    pub(super) async fn fail(&self, failure: &str, globs: &str) {
        let maps: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), "default", &resource("configmap"));
        let empty = DynamicObject::new("kubevirt-sim", &resource("configmap"));
        match maps.create(&PostParams::default(), &empty).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            created => drop(created.expect("rules")),
        }
        let globs = if globs.is_empty() { Value::Null } else { json!(globs) };
        let patch = Patch::Merge(json!({ "data": { failure: globs } }));
        maps.patch("kubevirt-sim", &PatchParams::default(), &patch).await.expect("rules");
    }

    /// Waits until the last object of a kind is gone.
    pub(super) async fn none_left(&self, kind: &str) {
        let left = self.api(kind).list(&ListParams::default()).await.expect("list").items;
        for object in left {
            self.is_gone(kind, &object.metadata.name.expect("name")).await;
        }
    }
}
