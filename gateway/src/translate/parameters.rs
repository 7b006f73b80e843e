//! The parameters of virtual machines: one table says of each its type, which fields of a Machine it is, and how it is read and
//! set there (X107). Pure.

use model::reason::Reason;
use serde_json::{Value, json};

use super::disks::{self, Place};
use super::fields::{get, plain, set};
use super::form::{Mistakes, join};
use crate::api::any::Kind;
use crate::problem::{Mistake, unknown};

/// Where parameters stand in a request.
pub const AT: &str = "#/spec/template_parameters";

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its wrapper.
    pub kind: Kind,
    /// What it means, for people.
    pub about: &'static str,
    /// What causes of admission call it; entries of `spec.disks` by what they are, see [`pointer`].
    pub fields: &'static [&'static str],
    /// Its value in the spec of a Machine.
    pub read: fn(&Value) -> Option<Value>,
    /// Sets it there, or takes it away.
    pub write: fn(&mut Value, Option<&Value>),
}

/// All of them, in the order of their names.
pub const TABLE: [Parameter; 8] = [
    Parameter {
        name: "additional_disks",
        kind: Kind::Json,
        about: "Disks beside the template's: a list of {\"name\", \"size\", \"storage_class\"}",
        fields: &["spec.disks"],
        read: disks::read,
        write: disks::write,
    },
    Parameter {
        name: "cloud_init_config",
        kind: Kind::Text,
        about: "User data for cloud-init",
        fields: &["spec.cloudInit", "spec.userData"],
        read: |spec| get(spec, &["cloudInit", "userData"]).or_else(|| get(spec, &["userData"])).cloned(),
        write: |spec, value| {
            set(spec, &["userData"], None);
            set(spec, &["cloudInit", "userData"], value.cloned());
        },
    },
    Parameter {
        name: "disk_size",
        kind: Kind::Text,
        about: "Size of the template's disk, such as 20Gi",
        fields: &["root.size", "root.sizeGB", "root"],
        read: |spec| disks::size(disks::root(spec)?),
        write: |spec, value| disks::set_root(spec, "size", value),
    },
    Parameter {
        name: "memory",
        kind: Kind::Text,
        about: "Memory, such as 4Gi",
        fields: &["spec.resources.memory", "spec.memory"],
        read: read_memory,
        write: |spec, value| {
            set(spec, &["memory"], None);
            set(spec, &["resources", "memory", "size"], value.cloned());
        },
    },
    Parameter {
        name: "run_strategy",
        kind: Kind::Text,
        about: "When it runs: Always, Halted, Manual, RerunOnFailure or Once",
        fields: &["spec.runStrategy"],
        read: |spec| get(spec, &["runStrategy"]).cloned(),
        write: |spec, value| set(spec, &["runStrategy"], value.cloned()),
    },
    Parameter {
        name: "ssh_public_key",
        kind: Kind::Text,
        about: "Public SSH keys, one on each line",
        fields: &["spec.sshKeys"],
        read: read_keys,
        write: write_keys,
    },
    Parameter {
        name: "storage_class",
        kind: Kind::Text,
        about: "StorageClass of the template's disk",
        fields: &["root.storageClass"],
        read: |spec| disks::root(spec)?.get("storageClass").cloned(),
        write: |spec, value| disks::set_root(spec, "storageClass", value),
    },
    Parameter {
        name: "vcpus",
        kind: Kind::Int32,
        about: "CPUs in all: so many cores in one socket",
        fields: &["spec.resources.cpu", "spec.cpu"],
        read: read_vcpus,
        write: |spec, value| {
            set(spec, &["cpu"], None);
            set(spec, &["resources", "cpu"], value.map(|n| json!({"cores": n, "sockets": 1, "threads": 1})));
        },
    },
];

/// The parameters of a request, by the rows of the table: what they are set to. Null is none.
pub fn read(form: &Value, template: &str, wrong: &mut Mistakes) -> Vec<(&'static Parameter, Value)> {
    let names = TABLE.map(|row| row.name);
    let all = match form {
        Value::Null => return Vec::new(),
        Value::Object(all) => all,
        _ => {
            wrong.push(Mistake::at(AT, Reason::TypeInvalid, "must be an object"));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (name, given) in all.iter().filter(|(_, given)| !given.is_null()) {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            let says = unknown("parameter", name, &names);
            wrong.push(Mistake::at(join(AT, name), Reason::FieldNotSupported, says));
            continue;
        };
        match row.kind.unwrap(given, &format!("parameter '{name}' of template '{template}'")) {
            Ok(value) => {
                if row.kind == Kind::Json {
                    disks::check(&value, &join(AT, name), wrong);
                }
                found.push((row, value));
            }
            Err((below, reason, says)) => wrong.push(Mistake::at(join(AT, name) + below, reason, says)),
        }
    }
    found
}

/// The part of a request that a field of a Machine with this spec comes from, by the longest prefix.
pub fn pointer(field: &str, spec: &Value) -> Option<String> {
    match disks::place(field, spec) {
        None => {}
        Some(Place::Root(rest)) => {
            return Some(join(AT, row_of(&["root", rest].concat()).map_or("disk_size", |row| row.name)));
        }
        Some(Place::Other(at, key)) => return Some(format!("{AT}/additional_disks/value/{at}{key}")),
    }
    row_of(field).map(|row| join(AT, row.name))
}

fn row_of(field: &str) -> Option<&'static Parameter> {
    let begins =
        |prefix: &&str| field.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let longest = |row: &'static Parameter| {
        row.fields.iter().copied().filter(begins).map(str::len).max().map(|length| (length, row))
    };
    TABLE.iter().filter_map(longest).max_by_key(|(length, _)| *length).map(|(_, row)| row)
}

fn read_memory(spec: &Value) -> Option<Value> {
    let bytes = || get(spec, &["memory"]).filter(|bytes| bytes.as_i64() != Some(0));
    get(spec, &["resources", "memory", "size"]).or_else(bytes).map(plain)
}

fn read_keys(spec: &Value) -> Option<Value> {
    let keys = get(spec, &["sshKeys"])?.as_array()?.iter().filter_map(Value::as_str).collect::<Vec<_>>();
    (!keys.is_empty()).then(|| keys.join("\n").into())
}

fn write_keys(spec: &mut Value, value: Option<&Value>) {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    let keys: Vec<Value> = text.lines().map(str::trim).filter(|key| !key.is_empty()).map(Value::from).collect();
    set(spec, &["sshKeys"], (!keys.is_empty()).then_some(Value::Array(keys)));
}

/// The product: what is not said of a topology is one.
fn read_vcpus(spec: &Value) -> Option<Value> {
    let said =
        |paths: [&[&str]; 2]| paths.iter().find_map(|path| get(spec, path)?.as_i64().filter(|number| *number != 0));
    let cores = said([&["resources", "cpu", "cores"], &["cpu", "cores"]]);
    let sockets = said([&["resources", "cpu", "sockets"], &["cpu", "sockets"]]);
    let threads = said([&["resources", "cpu", "threads"], &["cpu", "threadsPerCore"]]);
    let all = [cores, sockets, threads];
    let product = || all.into_iter().flatten().try_fold(1_i64, i64::checked_mul);
    all.iter().any(Option::is_some).then(product).flatten().map(Value::from)
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
