//! A hub of the API as a KubevirtConfig and its Secret, and back. Pure. X101.

use model::api::KubevirtConfigSpec;
use model::clusters::capability::{CLUSTERS, Capabilities, VIRTUAL_MACHINES, capabilities};
use model::merge;
use model::names::{GROUP, REQUEST, VERSION, is_plain};
use model::reason::Reason;
use serde_json::{Value, json};

use super::fields::{set, text};
use super::form::{Form, Mistakes, id};
use super::kubeconfig::{self, Document};
use super::machine::labels;
use super::state;
use crate::api::hub::{Hub, Metadata, Status};
use crate::problem::Mistake;

/// What is asked for.
pub struct Ask {
    /// Its name.
    pub id: String,
    /// The kubeconfig, if one was given.
    pub kubeconfig: Option<Document>,
    labels: Value,
    namespace: String,
    capabilities: Vec<String>,
    hub_type: String,
}

/// Reads a request, for a new hub or not. What only the server says, such as the status, is known and not read: who sends back what
/// he was shown is right.
pub fn read(whole: &Value, is_new: bool, wrong: &mut Mistakes) -> Ask {
    let known = ["id", "kubeconfig", "namespace", "capabilities", "hub_type", "metadata", "status"];
    let form = Form::of(whole, "#", &known, wrong);
    let metadata = form.part("metadata", &["labels", "creation_timestamp", "deletion_timestamp"], wrong);
    let id = if is_new {
        let id = id(&form, wrong);
        if id.is_none() && form.value("id").is_null() {
            wrong.push(Mistake::at("#/id", Reason::FieldRequired, "name the hub"));
        }
        id
    } else {
        form.text("id", wrong)
    };
    Ask {
        id: id.unwrap_or_default().to_owned(),
        kubeconfig: kubeconfig::read(&form, is_new, wrong),
        labels: json!(metadata.labels("labels", wrong)),
        namespace: form.text("namespace", wrong).unwrap_or_default().to_owned(),
        capabilities: form.texts("capabilities", wrong).into_iter().map(str::to_owned).collect(),
        hub_type: form.text("hub_type", wrong).unwrap_or_default().to_owned(),
    }
}

impl Ask {
    /// The name of the Secret.
    pub fn secret_name(&self) -> String {
        format!("{}-kubeconfig", self.id)
    }

    /// The KubevirtConfig. `request` is the hash of a request that may come again (X108).
    pub fn config(&self, namespace: &str, request: Option<&str>) -> Value {
        let mut config = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "KubevirtConfig",
            "metadata": {"name": self.id, "namespace": namespace},
            "spec": {"name": self.id, "kubeconfigSecretRef": self.secret_name()},
        });
        let labels = Some(self.labels.clone()).filter(|labels| *labels != json!({}));
        set(&mut config, &["metadata", "labels"], labels);
        set(&mut config, &["metadata", "annotations", REQUEST], request.map(Value::from));
        set(&mut config, &["spec", "namespace"], given(&self.namespace));
        set(&mut config, &["spec", "hubType"], given(&self.hub_type));
        set(&mut config, &["spec", "capabilities"], self.list());
        config
    }

    fn list(&self) -> Option<Value> {
        (!self.capabilities.is_empty()).then(|| json!(self.capabilities))
    }
}

fn given(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

/// A KubevirtConfig as the API shows it.
pub fn show(config: &Value) -> Hub {
    let (metadata, spec, status) = (&config["metadata"], &config["spec"], &config["status"]);
    let said = |part: &Value, key: &str| text(part, &[key]).to_owned();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let may = effective(spec);
    let hub_type = match text(spec, &["hubType"]) {
        "" => derived(may).to_owned(),
        named => named.to_owned(),
    };
    Hub {
        id: said(metadata, "name"),
        metadata: Metadata {
            creation_timestamp: said(metadata, "creationTimestamp"),
            deletion_timestamp: some(said(metadata, "deletionTimestamp")),
            labels: labels(metadata),
        },
        namespace: said(spec, "namespace"),
        capabilities: words(may).into_iter().map(str::to_owned).collect(),
        hub_type,
        status: Status {
            state: state::of_hub(config),
            message: said(status, "message"),
            kubevirt_version: said(status, "kubevirtVersion"),
            last_contact: some(said(status, "lastContact")),
        },
    }
}

fn effective(spec: &Value) -> Capabilities {
    let listed = spec["capabilities"].as_array().into_iter().flatten().filter_map(Value::as_str);
    capabilities(&KubevirtConfigSpec {
        capabilities: listed.map(str::to_owned).collect(),
        hub_type: Some(text(spec, &["hubType"]).to_owned()).filter(|it| !it.is_empty()),
        ..KubevirtConfigSpec::default()
    })
}

fn words(may: Capabilities) -> Vec<&'static str> {
    [(may.clusters, CLUSTERS), (may.virtualmachines, VIRTUAL_MACHINES)]
        .into_iter()
        .filter(|(may, _)| *may)
        .map(|(_, word)| word)
        .collect()
}

fn derived(may: Capabilities) -> &'static str {
    match (may.clusters, may.virtualmachines) {
        (true, true) => "hybrid",
        (true, false) => "cluster",
        (false, true) => "vmaas",
        (false, false) => "",
    }
}

/// What is said of a hub whose type and list say different things: the list counts (X101).
pub fn contradiction(config: &Value) -> Option<String> {
    let spec = &config["spec"];
    let (named, may) = (text(spec, &["hubType"]), effective(spec));
    (!named.is_empty() && named != derived(may)).then(|| {
        format!(
            "hub_type {named:?} and capabilities {} contradict each other: the capabilities count",
            json!(words(may))
        )
    })
}

/// The merge patch of a KubevirtConfig for a merge patch of what the API shows of it, and the new kubeconfig.
///
/// # Panics
///
/// Never: it is plain data.
pub fn edit(config: &Value, patch: &Value, wrong: &mut Mistakes) -> (Value, Option<Document>) {
    let before = serde_json::to_value(show(config)).expect("invariant: a hub is plain data");
    let mut after = before.clone();
    json_patch::merge(&mut after, patch);
    let ask = read(&after, false, wrong);
    if before["id"] != after["id"] {
        wrong.push(Mistake::at("#/id", Reason::FieldForbidden, "cannot be changed: create another one"));
    }
    if patch.get("kubeconfig").is_some_and(Value::is_null) {
        let says = "cannot be taken away: leave it out to keep it, or delete the hub";
        wrong.push(Mistake::at("#/kubeconfig", Reason::FieldForbidden, says));
    }
    let mut spec = config["spec"].clone();
    for (key, field, now) in [
        ("namespace", "namespace", given(&ask.namespace)),
        ("hub_type", "hubType", given(&ask.hub_type)),
        ("capabilities", "capabilities", ask.list()),
    ] {
        if before[key] != after[key] {
            set(&mut spec, &[field], now);
        }
    }
    let mut changes = json!({});
    let some = |it: Value| Some(it).filter(|it| *it != json!({}));
    set(&mut changes, &["spec"], some(merge::changes(&config["spec"], &spec)));
    set(&mut changes, &["metadata", "labels"], some(merge::changes(&before["metadata"]["labels"], &ask.labels)));
    (changes, ask.kubeconfig)
}

/// The part of a request that a field of a KubevirtConfig comes from.
pub fn pointer(field: &str) -> Option<String> {
    let (key, index) = field.split_once('[').map_or((field, ""), |(key, rest)| (key, rest.trim_end_matches(']')));
    Some(match key {
        "metadata.name" | "spec.name" => "#/id".to_owned(),
        "metadata.labels" => "#/metadata/labels".to_owned(),
        "spec.namespace" => "#/namespace".to_owned(),
        "spec.hubType" => "#/hub_type".to_owned(),
        "spec.capabilities" if index.is_empty() => "#/capabilities".to_owned(),
        "spec.capabilities" => format!("#/capabilities/{index}"),
        _ => return None,
    })
}

/// Whether a KubevirtConfig may have this name: another one cannot exist.
pub fn may_exist(name: &str) -> bool {
    is_plain(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
