//! One cluster and its KubevirtConfig, as the administrators of both see them.

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};
use tests::fleet::{CONFIGS_NAMESPACE, Fleet};
use tests::install::apply;
use tests::plane::Plane;
use tests::platform_crds::{Definition, manifests};
use tests::wait::{LIMIT, eventually};

use super::objects::{FORKLIFT, Object, REMEDIATION};

pub(super) struct Site<'f> {
    pub(super) fleet: &'f Fleet,
    pub(super) plane: &'f Plane,
    pub(super) client: Client,
    pub(super) configs: Api<DynamicObject>,
    pub(super) supervisor: Client,
}

impl<'f> Site<'f> {
    pub(super) async fn of(fleet: &'f Fleet, name: &'static str) -> Self {
        let plane = fleet.remote(name).unwrap_or_else(|error| panic!("{error}"));
        let client = async |plane: &Plane| plane.client().await.unwrap_or_else(|error| panic!("{error}"));
        let supervisor = client(fleet.supervisor()).await;
        let kind = Object("vitistack.io/v1alpha1", "KubevirtConfig", CONFIGS_NAMESPACE, name).resource();
        let configs = Api::namespaced_with(supervisor.clone(), CONFIGS_NAMESPACE, &kind);
        Self { fleet, plane, client: client(plane).await, configs, supervisor }
    }

    pub(super) fn name(&self) -> &str {
        self.plane.name()
    }

    /// Installs definitions.
    pub(super) async fn install(&self, definitions: &[Definition]) {
        let text = manifests(definitions).unwrap_or_else(|error| panic!("{error}"));
        apply(self.plane, &text).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Makes the namespaces of these objects, and every node a worker.
    pub(super) async fn prepare(&self, objects: &[Object]) {
        for Object(_, _, namespace, _) in objects.iter().filter(|it| !it.2.is_empty()) {
            self.plane.ensure_namespace(namespace).await.unwrap_or_else(|error| panic!("{error}"));
        }
        for node in ["node-1", "node-2", "node-3"] {
            self.node(node, &json!({"metadata": {"labels": {"node-role.kubernetes.io/worker": ""}}})).await;
        }
    }

    /// Installs what restarts nodes.
    pub(super) async fn with_remediation(&self) {
        self.prepare(&[REMEDIATION]).await;
        self.create(REMEDIATION, &json!({"spec": {"template": {"spec": {}}}})).await;
    }

    pub(super) async fn node(&self, name: &str, change: &Value) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let params = PatchParams::default();
        let patch = Patch::Merge(change);
        let changed = if change["status"].is_null() {
            nodes.patch(name, &params, &patch).await
        } else {
            nodes.patch_status(name, &params, &patch).await
        };
        changed.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub(super) fn api(&self, object: Object) -> Api<DynamicObject> {
        let kind = object.resource();
        match object.2 {
            "" => Api::all_with(self.client.clone(), &kind),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &kind),
        }
    }

    /// Creates an object as somebody.
    pub(super) async fn create(&self, object: Object, body: &Value) {
        let mut whole = json!({"apiVersion": object.0, "kind": object.1, "metadata": {}});
        merge(&mut whole, body);
        whole["metadata"]["name"] = json!(object.3);
        let whole = serde_json::from_value(whole).expect("an object");
        self.api(object)
            .create(&Default::default(), &whole)
            .await
            .unwrap_or_else(|error| panic!("{object:?}: {error}"));
    }

    /// The object, or null.
    pub(super) async fn get(&self, object: Object) -> Value {
        let found = self.api(object).get_opt(object.3).await.unwrap_or_else(|error| panic!("{object:?}: {error}"));
        found.map(|it| serde_json::to_value(it).expect("JSON")).unwrap_or_default()
    }

    /// Somebody changes it.
    pub(super) async fn edit(&self, object: Object, change: &Value) {
        let as_somebody = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        let changed = self.api(object).patch(object.3, &as_somebody, &Patch::Merge(change)).await;
        changed.unwrap_or_else(|error| panic!("{object:?}: {error}"));
    }

    pub(super) async fn delete(&self, object: Object) {
        let deleted = self.api(object).delete(object.3, &Default::default()).await;
        deleted.unwrap_or_else(|error| panic!("{object:?}: {error}"));
    }

    /// Waits until it is as wanted; null is an object that is not there.
    pub(super) async fn becomes(&self, object: Object, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        match until(&self.api(object), object.3, &wanted).await {
            Some(found) => found,
            None => panic!(
                "{} on {} does not become {what}: {:#}\n{:#}",
                object.3,
                self.name(),
                self.get(object).await,
                self.status().await
            ),
        }
    }

    /// What the KubevirtConfig asks for.
    pub(super) async fn ask(&self, platform: &Value) {
        self.config(&json!({"spec": {"platform": platform}})).await;
    }

    /// Sets a word on the KubevirtConfig, or takes it away.
    pub(super) async fn annotate(&self, word: &str, text: Option<&str>) {
        self.config(&json!({"metadata": {"annotations": {format!("platform.kubevirt.io/{word}"): text}}})).await;
    }

    async fn config(&self, change: &Value) {
        let changed = self.configs.patch(self.name(), &PatchParams::default(), &Patch::Merge(change)).await;
        changed.unwrap_or_else(|error| panic!("{change}: {error}"));
    }

    pub(super) async fn status(&self) -> Value {
        let config = self.configs.get(self.name()).await.unwrap_or_else(|error| panic!("{error}"));
        config.data["status"].clone()
    }

    /// Waits until the status of the KubevirtConfig is as wanted.
    pub(super) async fn shows(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        match until(&self.configs, self.name(), &|config: &Value| wanted(&config["status"])).await {
            Some(config) => config["status"].clone(),
            None => panic!("{} does not show {what}: {:#}", self.name(), self.status().await),
        }
    }

    /// Waits until an asset is in a state; returns the message.
    pub(super) async fn state(&self, asset: &str, state: &str) -> String {
        let status = self.shows(&format!("{asset} as {state}"), |status| of(status, asset)["state"] == state).await;
        of(&status, asset)["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The same for several.
    pub(super) async fn states(&self, wanted: &[(&str, &str)]) {
        let all = |status: &Value| wanted.iter().all(|(asset, state)| of(status, asset)["state"] == *state);
        self.shows(&format!("{wanted:?}"), all).await;
    }

    /// Waits until the condition says so; returns its message.
    pub(super) async fn ready(&self, wanted: &str) -> String {
        let found = |status: &Value| {
            let all = status["conditions"].as_array().into_iter().flatten();
            all.into_iter().find(|it| it["type"] == "PlatformReady").cloned().unwrap_or_default()
        };
        let is = |it: &Value| {
            format!("{}/{}", it["status"].as_str().unwrap_or_default(), it["reason"].as_str().unwrap_or_default())
        };
        let status = self.shows(&format!("PlatformReady={wanted}"), |status| is(&found(status)) == wanted).await;
        found(&status)["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The Events about the KubevirtConfig: reason and note.
    pub(super) async fn events(&self) -> Vec<(String, String)> {
        let events: Api<Event> = Api::namespaced(self.supervisor.clone(), CONFIGS_NAMESPACE);
        let all = events.list(&ListParams::default()).await.expect("Events").items;
        let about = |event: &Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(self.name()));
        all.into_iter()
            .filter(about)
            .map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default()))
            .collect()
    }

    /// Waits for an Event whose note has all of this.
    pub(super) async fn told(&self, parts: &[&str]) {
        eventually(&format!("an Event with {parts:?}"), async || {
            let events = self.events().await;
            let found = events.iter().any(|(_, note)| parts.iter().all(|part| note.contains(part)));
            if found { Ok(()) } else { Err(format!("{events:#?}")) }
        })
        .await;
    }

    /// Somebody turns off a switch of the object that has no other part here, and it is turned on again: what happened before has
    /// been seen then. Each switch may be turned nine times before that is a war.
    pub(super) async fn goes_on(&self, switch: &str) {
        let mark = self.mark();
        self.edit(FORKLIFT, &json!({"spec": {switch: "false"}})).await;
        self.becomes(FORKLIFT, "as it was", |it| it["spec"][switch] == "true").await;
        // A log may tell of a request after a watch has told of what it did.
        let correction = "patch forkliftcontrollers";
        tests::wait::eventually("the audit log tells of the correction", async || {
            let written = self.written(mark);
            if written.iter().any(|it| it.starts_with(correction)) { Ok(()) } else { Err(format!("{written:?}")) }
        })
        .await;
    }
}

/// An asset in a status; null if it is not told of.
pub(super) fn of<'s>(status: &'s Value, asset: &str) -> &'s Value {
    let all = status["platform"]["assets"].as_array().into_iter().flatten();
    all.into_iter().find(|it| it["name"] == asset).unwrap_or(&Value::Null)
}

async fn until(api: &Api<DynamicObject>, name: &str, wanted: &impl Fn(&Value) -> bool) -> Option<Value> {
    let value =
        |object: Option<&DynamicObject>| object.map(|it| serde_json::to_value(it).expect("JSON")).unwrap_or_default();
    let there = await_condition(api.clone(), name, |object: Option<&DynamicObject>| wanted(&value(object)));
    match tokio::time::timeout(LIMIT, there).await {
        Ok(Ok(object)) => Some(value(object.as_ref())),
        _ => None,
    }
}

fn merge(object: &mut Value, change: &Value) {
    let (Some(fields), Some(changes)) = (object.as_object_mut(), change.as_object()) else {
        object.clone_from(change);
        return;
    };
    for (name, value) in changes {
        merge(fields.entry(name.clone()).or_insert(Value::Null), value);
    }
}
