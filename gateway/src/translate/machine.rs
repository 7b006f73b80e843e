//! A virtual machine of the API as a Machine, and back. Pure.

use std::collections::BTreeMap;

use model::merge;
use model::names::{GROUP, KUBEVIRT_CONFIG, PLACEMENT_STRATEGY, REQUEST, TEMPLATE_LABEL, VERSION};
use model::reason::Reason;
use serde_json::{Value, json};

use super::fields::{get, set, text};
use super::form::{Form, Mistakes, id, is_label};
use super::parameters::{self, Parameter, TABLE};
use super::state;
use crate::api::machine::{Metadata, Spec, Status, VirtualMachine};
use crate::problem::Mistake;

/// Fields that name a template, the first one ours.
const TEMPLATES: [&str; 3] = ["template", "instanceType", "machineClass"];
/// Longest part of a template's name in the name of a Machine that is made from it.
const STEM: usize = 40;

/// What is asked for.
#[derive(Debug)]
pub struct Ask {
    /// The name, if the client chose one.
    pub id: Option<String>,
    /// The tenant that the body names.
    pub tenant: Option<String>,
    labels: BTreeMap<String, String>,
    template: String,
    parameters: Vec<(&'static Parameter, Value)>,
}

/// Reads a request. What is wrong is among the mistakes, and the rest is what was asked for. What only the server says, such as the
/// status, is known and not read: who sends back what he was shown is right.
pub fn read(whole: &Value, wrong: &mut Mistakes) -> Ask {
    let form = Form::of(whole, "#", &["id", "metadata", "spec", "status"], wrong);
    let known = ["tenant", "labels", "creation_timestamp", "deletion_timestamp"];
    let metadata = form.part("metadata", &known, wrong);
    let spec = form.part("spec", &["template", "template_parameters"], wrong);
    let template = spec.text("template", wrong).unwrap_or_default().to_owned();
    Ask {
        id: id(&form, wrong).map(str::to_owned),
        tenant: metadata.text("tenant", wrong).map(str::to_owned),
        labels: metadata.labels("labels", wrong),
        parameters: parameters::read(spec.value("template_parameters"), &template, wrong),
        template,
    }
}

impl Ask {
    /// The name of the Machine: the client's choice, or one made of the template and an ending.
    pub fn name(&self, ending: &str) -> String {
        if let Some(id) = &self.id {
            return id.clone();
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let stem: String = self.template.chars().map(plain).take(STEM).collect();
        let stem = stem.trim_matches('-');
        let begins = stem.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
        if begins { format!("{stem}-{ending}") } else { format!("vm-{stem}-{ending}").replace("--", "-") }
    }

    /// The spec of the Machine.
    pub fn spec(&self) -> Value {
        let mut spec = json!({});
        set(&mut spec, &["template"], (!self.template.is_empty()).then(|| self.template.clone().into()));
        for (row, value) in &self.parameters {
            (row.write)(&mut spec, Some(value));
        }
        spec
    }

    /// The Machine. It is placed by load (X106), whatever the webhook does with those of others. `request` is the hash of a request
    /// that may come again (X108).
    pub fn machine(&self, name: &str, namespace: &str, request: Option<&str>) -> Value {
        let mut machine = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "Machine",
            "metadata": {"name": name, "namespace": namespace, "annotations": {PLACEMENT_STRATEGY: "balanced"}},
            "spec": self.spec(),
        });
        let labels = (!self.labels.is_empty()).then(|| json!(self.labels));
        set(&mut machine, &["metadata", "labels"], labels);
        set(&mut machine, &["metadata", "annotations", REQUEST], request.map(Value::from));
        machine
    }
}

/// A Machine as the API shows it.
pub fn show(machine: &Value) -> VirtualMachine {
    let metadata = &machine["metadata"];
    let said = |key: &str| text(metadata, &[key]).to_owned();
    let spec = &machine["spec"];
    let typed = |row: &Parameter| Some((row.name, row.kind.wrap((row.read)(spec)?)));
    let hub = match text(metadata, &["annotations", KUBEVIRT_CONFIG]) {
        "" => text(machine, &["status", "kubevirtConfigRef", "name"]),
        assigned => assigned,
    };
    VirtualMachine {
        id: said("name"),
        metadata: Metadata {
            creation_timestamp: said("creationTimestamp"),
            deletion_timestamp: Some(said("deletionTimestamp")).filter(|when| !when.is_empty()),
            tenant: said("namespace"),
            labels: labels(metadata),
        },
        spec: Spec {
            template: template(machine).to_owned(),
            template_parameters: TABLE.iter().filter_map(typed).collect(),
        },
        status: Status {
            state: state::of_machine(machine),
            hub: hub.to_owned(),
            ip_address: get(machine, &["status", "ipAddresses"])
                .and_then(|all| all.get(0)?.as_str())
                .unwrap_or_default()
                .to_owned(),
            conditions: state::conditions(machine),
        },
    }
}

/// The name of the template, under whichever of its names.
fn template(machine: &Value) -> &str {
    let spec = TEMPLATES.iter().map(|key| text(&machine["spec"], &[key]));
    let label = text(&machine["metadata"], &["labels", TEMPLATE_LABEL]);
    spec.chain([label]).find(|name| !name.is_empty()).unwrap_or_default()
}

/// The labels of an object.
pub fn labels(metadata: &Value) -> BTreeMap<String, String> {
    let all = get(metadata, &["labels"]).and_then(Value::as_object).into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The merge patch of a Machine for a merge patch of what the API shows of it. What the API does not show stays as it is.
///
/// # Panics
///
/// Never: it is plain data.
pub fn edit(machine: &Value, patch: &Value, wrong: &mut Mistakes) -> Value {
    let before = serde_json::to_value(show(machine)).expect("invariant: a virtual machine is plain data");
    let mut after = before.clone();
    json_patch::merge(&mut after, patch);
    let ask = read(&after, wrong);
    for (at, is, now) in [
        ("#/id", &before["id"], &after["id"]),
        ("#/metadata/tenant", &before["metadata"]["tenant"], &after["metadata"]["tenant"]),
    ] {
        if is != now {
            wrong.push(Mistake::at(at, Reason::FieldForbidden, "cannot be changed: create another one"));
        }
    }
    let mut spec = machine["spec"].clone();
    if ask.template != template(machine) {
        for key in TEMPLATES {
            set(&mut spec, &[key], None);
        }
        set(&mut spec, &["template"], (!ask.template.is_empty()).then(|| ask.template.clone().into()));
    }
    for row in &TABLE {
        let wanted = ask.parameters.iter().find(|(other, _)| other.name == row.name).map(|(_, value)| value);
        if wanted != (row.read)(&spec).as_ref() {
            (row.write)(&mut spec, wanted);
        }
    }
    let mut changes = json!({});
    set(&mut changes, &["spec"], some(merge::changes(&machine["spec"], &spec)));
    set(&mut changes, &["metadata", "labels"], some(merge::changes(&labels(&machine["metadata"]), &ask.labels)));
    changes
}

fn some(changes: Value) -> Option<Value> {
    changes.as_object().is_some_and(|changes| !changes.is_empty()).then_some(changes)
}

/// The part of a request that a field of a Machine with this spec comes from.
pub fn pointer(field: &str, spec: &Value) -> Option<String> {
    let annotation = format!("metadata.annotations[{KUBEVIRT_CONFIG}]");
    let label = format!("metadata.labels[{TEMPLATE_LABEL}]");
    let of_template = TEMPLATES.iter().any(|key| field.strip_prefix("spec.") == Some(key)) || field == label;
    match field {
        _ if of_template => Some("#/spec/template".to_owned()),
        "metadata.name" => Some("#/id".to_owned()),
        "metadata.namespace" => Some("#/metadata/tenant".to_owned()),
        "spec" | "spec.clusterSelector" => Some("#/spec".to_owned()),
        _ if field == annotation => Some("#/spec".to_owned()),
        _ if field.starts_with("metadata.labels") => Some("#/metadata/labels".to_owned()),
        _ => parameters::pointer(field, spec),
    }
}

/// Whether a Machine may have this name: another one cannot exist.
pub fn may_exist(name: &str) -> bool {
    is_label(name, 63)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
