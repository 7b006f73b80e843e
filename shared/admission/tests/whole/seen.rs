//! From objects of a cluster to the records that a controller keeps of them, as `controller/src/{objects,disks}.rs` reads them.

use std::rc::Rc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use model::baseline::{LAST_APPLIED, drift, hash};
use model::machine::{Claim, Nic, Vm, Vmi};
use model::names;
use serde_json::Value;

use crate::store::{is_leaving, text};

pub(crate) fn metadata(object: &Value) -> ObjectMeta {
    serde_json::from_value(object["metadata"].clone()).expect("metadata of an object")
}

fn annotation(object: &Value, key: &str) -> Option<String> {
    object["metadata"]["annotations"][key].as_str().map(str::to_owned)
}

fn has_secret(object: &Value, pointer: &str) -> bool {
    let mut volumes = object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    volumes.any(|volume| volume.pointer("/cloudInitNoCloud/secretRef").is_some())
}

pub(crate) fn read_vm(object: &Value) -> Vm {
    Vm {
        name: text(object, "/metadata/name").to_owned(),
        uid: text(object, "/metadata/uid").to_owned(),
        resource_version: text(object, "/metadata/resourceVersion").to_owned(),
        deleting: is_leaving(object),
        hash: annotation(object, LAST_APPLIED).map(|text| hash(&text)),
        drift: annotation(object, LAST_APPLIED).map_or_else(Vec::new, |_| drift(object)),
        adopted: annotation(object, names::ADOPTED),
        run_strategy: Some(text(object, "/spec/runStrategy").to_owned()),
        cloud_init: annotation(object, names::CLOUD_INIT),
        printable: text(object, "/status/printableStatus").to_owned(),
        macs_of: annotation(object, names::MACS_OF),
        ..Vm::default()
    }
}

pub(crate) fn controller_of(object: &Value) -> Option<&str> {
    object.pointer("/metadata/ownerReferences/0/uid").and_then(Value::as_str)
}

pub(crate) fn read_vmi(object: &Value) -> Vmi {
    let nic = || Nic { name: Some("default".to_owned()), ips: vec!["10.0.0.5".to_owned()], ..Nic::default() };
    Vmi {
        name: text(object, "/metadata/name").to_owned(),
        uid: text(object, "/metadata/uid").to_owned(),
        phase: text(object, "/status/phase").to_owned(),
        ready: object.pointer("/status/conditions/0/status").is_some_and(|status| status == "True"),
        interfaces: object.pointer("/status/interfaces").map(|_| nic()).into_iter().collect(),
        cloud_init: has_secret(object, "/spec/volumes"),
        controller: controller_of(object).map(str::to_owned),
        ..Vmi::default()
    }
}

pub(crate) fn read_claim(object: &Rc<Value>) -> Claim {
    Claim {
        uid: text(object, "/metadata/uid").to_owned(),
        resource_version: text(object, "/metadata/resourceVersion").to_owned(),
        phase: text(object, "/status/phase").to_owned(),
        size: object.pointer("/status/capacity").map(|_| 20 << 30),
        requested: Some(text(object, "/spec/resources/requests/storage").to_owned()),
        hash: annotation(object, LAST_APPLIED).map(|text| hash(&text)),
        drift: annotation(object, LAST_APPLIED).map_or_else(Vec::new, |_| drift(object)),
        deleting: is_leaving(object),
        ..Claim::default()
    }
}
