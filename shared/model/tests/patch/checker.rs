//! Judges a patched VM without anything of the product: it knows X46 as patterns over the leaves of the object. T7.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::vm;

/// What may differ, as patterns over flattened paths: `*` is one segment, `**` any number at the end.
pub(crate) const MAY_DIFFER: [&str; 35] = [
    "spec.template.spec.domain.cpu.model",
    "spec.template.spec.domain.cpu.features.**",
    "spec.template.spec.domain.cpu.dedicatedCpuPlacement",
    "spec.template.spec.domain.cpu.isolateEmulatorThread",
    "spec.template.spec.domain.clock.**",
    "spec.template.spec.domain.ioThreadsPolicy",
    "spec.template.spec.domain.ioThreads.**",
    "spec.template.spec.domain.features.**",
    "spec.template.spec.domain.memory.hugepages.**",
    "spec.template.spec.domain.devices.rng.**",
    "spec.template.spec.domain.devices.tpm.**",
    "spec.template.spec.domain.devices.watchdog.**",
    "spec.template.spec.domain.devices.inputs.**",
    "spec.template.spec.domain.devices.blockMultiQueue",
    "spec.template.spec.domain.devices.networkInterfaceMultiqueue",
    "spec.template.spec.domain.devices.autoattachPodInterface",
    "spec.template.spec.domain.devices.autoattachGraphicsDevice",
    "spec.template.spec.domain.devices.autoattachSerialConsole",
    "spec.template.spec.domain.devices.autoattachMemBalloon",
    "spec.template.spec.domain.devices.autoattachInputDevice",
    "spec.template.spec.domain.devices.autoattachVSOCK",
    "spec.template.spec.domain.devices.disks.*.cache",
    "spec.template.spec.domain.devices.disks.*.io",
    "spec.template.spec.domain.devices.disks.*.errorPolicy",
    "spec.template.spec.domain.devices.disks.*.blockSize.**",
    "spec.template.spec.domain.devices.disks.*.dedicatedIOThread",
    "spec.template.spec.domain.devices.disks.*.disk.bus",
    "spec.template.spec.domain.devices.interfaces.*.model",
    "spec.template.spec.domain.devices.interfaces.*.acpiIndex",
    "spec.template.spec.domain.devices.interfaces.*.dhcpOptions.**",
    "spec.template.spec.evictionStrategy",
    "spec.template.spec.terminationGracePeriodSeconds",
    "spec.template.spec.dnsConfig.**",
    "spec.template.spec.dnsPolicy",
    "spec.template.spec.startStrategy",
];
pub(crate) const MAY_DIFFER_TOO: [&str; 2] = ["spec.template.spec.hostname", "spec.template.spec.subdomain"];
pub(crate) const SCHEDULING: [&str; 5] = [
    "spec.template.spec.nodeSelector.**",
    "spec.template.spec.tolerations.**",
    "spec.template.spec.affinity.**",
    "spec.template.spec.topologySpreadConstraints.**",
    "spec.template.spec.priorityClassName",
];

/// Every leaf by its path; what is empty is a leaf, too. A list of named entries is walked by index *and* name.
fn flatten(value: &Value, path: &str, leaves: &mut BTreeMap<String, String>) {
    let join = |segment: &str| if path.is_empty() { segment.to_owned() } else { format!("{path}.{segment}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| flatten(value, &join(&key.replace('.', "·")), leaves));
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
                flatten(value, &join(&format!("{index}={name}")), leaves);
            }
        }
        leaf => drop(leaves.insert(path.to_owned(), leaf.to_string())),
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('.'), path.split('.'));
    loop {
        match (pattern.next(), path.next()) {
            (Some("**"), _) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
}

fn may_differ(path: &str, scheduling: bool) -> bool {
    let extra: &[&str] = if scheduling { &SCHEDULING } else { &[] };
    // `disk: {}` is what is left of a disk without its bus.
    let bus = "spec.template.spec.domain.devices.disks.*.disk";
    MAY_DIFFER.iter().chain(&MAY_DIFFER_TOO).chain(extra).chain([&bus]).any(|pattern| matches(pattern, path))
}

pub(crate) fn below_what_may_differ(path: &str) -> bool {
    path.match_indices('.').any(|(end, _)| may_differ(&path[..end], true))
}

/// The first leaf that differs and must not.
pub(crate) fn forbidden(before: &Value, after: &Value, scheduling: bool) -> Option<String> {
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    flatten(before, "", &mut one);
    flatten(after, "", &mut other);
    let differs = |path: &&String| one.get(*path) != other.get(*path);
    one.keys().chain(other.keys()).filter(differs).find(|path| !may_differ(path, scheduling)).cloned()
}

#[test]
fn t7_the_checker_sees_what_it_is_there_for() {
    let change = |pointer: &str, key: &str, value: Value| {
        let mut after = vm();
        after.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap().insert(key.to_owned(), value);
        forbidden(&vm(), &after, false)
    };
    let spec = "/spec/template/spec";
    assert_eq!(change(spec, "hostname", json!("x")), None);
    assert_eq!(change(&format!("{spec}/domain/devices/disks/0"), "cache", json!("none")), None);
    assert_eq!(change(spec, "nodeName", json!("x")).as_deref(), Some("spec.template.spec.nodeName"));
    assert_eq!(change(spec, "nodeSelector", json!({"a": "b"})).as_deref(), Some("spec.template.spec.nodeSelector.a"));
    assert_eq!(change("/metadata", "finalizers", json!([])).as_deref(), Some("metadata.finalizers"));
    assert!(change(&format!("{spec}/domain/devices/disks/0"), "name", json!("data")).is_some());
    assert!(change(&format!("{spec}/volumes/0"), "hostDisk", json!({})).is_some());
}
