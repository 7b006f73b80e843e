//! Templates in the API's words. Pure.

use model::api::class::{BUILT_IN, BuiltIn, ROOT_DISK};
use serde_json::{Value, json};

use super::fields::{get, plain, text};
use super::parameters::TABLE;
use crate::api::machine::{Parameter, Template};

/// A MachineClass as a template, unless it is not for new machines.
pub fn show(class: &Value) -> Option<Template> {
    let spec = &class["spec"];
    if spec["enabled"] == false {
        return None;
    }
    let name = text(class, &["metadata", "name"]);
    let said = |key: &str| text(spec, &[key]).to_owned();
    let title = Some(said("displayName")).filter(|title| !title.is_empty()).unwrap_or_else(|| name.to_owned());
    let number = |key: &str| get(spec, &["cpu", key]).and_then(Value::as_i64).unwrap_or(1);
    let vcpus = number("cores").saturating_mul(number("sockets")).saturating_mul(number("threads"));
    let memory = get(spec, &["memory", "quantity"]).map(plain).unwrap_or_default();
    let parameters = parameters(vcpus, memory, ROOT_DISK);
    Some(Template { id: name.to_owned(), title, description: said("description"), parameters })
}

/// What is built in and not hidden by one of these classes.
pub fn built_in(classes: &[Value]) -> Vec<Template> {
    let hidden = |size: &&BuiltIn| classes.iter().any(|class| text(class, &["metadata", "name"]) == size.name);
    let shown = BUILT_IN.iter().filter(|size| !hidden(size)).map(|size| Template {
        id: size.name.to_owned(),
        title: size.name.to_owned(),
        description: format!("{} CPUs, {} of memory, a disk of {}", size.cores, size.memory, size.disk),
        parameters: parameters(size.cores, size.memory.into(), size.disk),
    });
    shown.collect()
}

fn parameters(vcpus: i64, memory: Value, disk: &str) -> Vec<Parameter> {
    let all = TABLE.iter().map(|row| {
        let default = match row.name {
            "vcpus" => Some(json!(vcpus)),
            "memory" => Some(memory.clone()),
            "disk_size" => Some(json!(disk)),
            _ => None,
        };
        let default = default.map(|value| row.kind.wrap(value));
        Parameter { name: row.name, description: row.about, required: false, type_: row.kind.url(), default }
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x104_x107_a_template_says_every_parameter_its_type_and_what_counts_without_it() {
        let class = |spec: Value| json!({"metadata": {"name": "small"}, "spec": spec});
        let own =
            class(json!({"displayName": "Own", "cpu": {"cores": 2, "sockets": 2}, "memory": {"quantity": "3Gi"}}));
        assert_eq!(show(&class(json!({"enabled": false, "cpu": {"cores": 1}}))), None, "X104: for nobody new");
        let shown = show(&own).expect("a template");
        assert_eq!((shown.id.as_str(), shown.title.as_str()), ("small", "Own"));
        let said: Vec<_> = shown
            .parameters
            .iter()
            .map(|it| {
                (
                    it.name,
                    it.type_.rsplit('.').next().unwrap_or_default(),
                    it.default.as_ref().map(|it| it.value.clone()),
                )
            })
            .collect();
        #[rustfmt::skip]
        let wanted = [
            ("additional_disks", "Value", None), ("cloud_init_config", "StringValue", None), ("disk_size", "StringValue", Some(json!("20Gi"))),
            ("memory", "StringValue", Some(json!("3Gi"))), ("run_strategy", "StringValue", None), ("ssh_public_key", "StringValue", None),
            ("storage_class", "StringValue", None), ("vcpus", "Int32Value", Some(json!(4))),
        ];
        assert_eq!(said, wanted);
        let names = |classes: &[Value]| built_in(classes).into_iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!(names(&[]), ["small", "medium", "large"]);
        assert_eq!(names(&[own]), ["medium", "large"], "X104: a class of that name hides it");
    }
}
