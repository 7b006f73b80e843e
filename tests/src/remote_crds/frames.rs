//! What we write around the schemas of others: names, columns, versions and subresources of KubeVirt's CRDs, and the
//! StorageClasses. Pure. Facts: KubeVirt 1.8.2, pkg/virt-operator/resource/generate/components/crds.go.

use super::PROVISIONER;
use serde_json::{Map, Value, json};

/// What KubeVirt's CRDs hold besides the schema.
pub(super) struct Frame {
    kind: &'static str,
    pub(super) singular: &'static str,
    short: &'static str,
    /// VirtualMachineInstance has no status subresource: its status is written through the main endpoint.
    status_subresource: bool,
    /// Name, path and priority of each printed column; `Age` comes first in all of them.
    columns: &'static [(&'static str, &'static str, i32)],
}

const READY: &str = ".status.conditions[?(@.type=='Ready')].status";

/// The definitions that a remote cluster needs.
pub(super) const FRAMES: [Frame; 3] = [
    Frame {
        kind: "VirtualMachine",
        singular: "virtualmachine",
        short: "vm",
        status_subresource: true,
        columns: &[("Status", ".status.printableStatus", 0), ("Ready", READY, 0)],
    },
    Frame {
        kind: "VirtualMachineInstance",
        singular: "virtualmachineinstance",
        short: "vmi",
        status_subresource: false,
        columns: &[
            ("Phase", ".status.phase", 0),
            ("IP", ".status.interfaces[0].ipAddress", 0),
            ("NodeName", ".status.nodeName", 0),
            ("Ready", READY, 0),
            ("Live-Migratable", ".status.conditions[?(@.type=='LiveMigratable')].status", 1),
            ("Paused", ".status.conditions[?(@.type=='Paused')].status", 1),
        ],
    },
    Frame {
        kind: "KubeVirt",
        singular: "kubevirt",
        short: "kv",
        status_subresource: true,
        columns: &[("Phase", ".status.phase", 0)],
    },
];

/// The CRD around a schema, which is what KubeVirt keeps under the key `openAPIV3Schema`.
pub(super) fn definition(frame: &Frame, schema: &Value) -> Value {
    let plural = format!("{}s", frame.singular);
    let age = json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"});
    let columns = frame
        .columns
        .iter()
        .map(|(name, path, priority)| json!({"name": name, "type": "string", "jsonPath": path, "priority": priority}));
    let mut v1 = json!({
        "name": "v1", "served": true, "storage": true, "schema": schema,
        "additionalPrinterColumns": std::iter::once(age).chain(columns).collect::<Vec<_>>(),
    });
    if frame.status_subresource {
        v1["subresources"] = json!({"status": {}});
    }
    let mut v1alpha3 = v1.clone();
    v1alpha3["name"] = json!("v1alpha3");
    v1alpha3["storage"] = json!(false);
    v1alpha3["deprecated"] = json!(true);
    v1alpha3["deprecationWarning"] = json!("kubevirt.io/v1alpha3 is deprecated, use kubevirt.io/v1");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.kubevirt.io"), "labels": {"kubevirt.io": ""}},
        "spec": {
            "group": "kubevirt.io",
            "scope": "Namespaced",
            "names": {
                "kind": frame.kind, "plural": plural, "singular": frame.singular,
                "shortNames": [frame.short, format!("{}s", frame.short)], "categories": ["all"],
            },
            "versions": [v1, v1alpha3],
        },
    })
}

/// CDI's kind, of any content.
pub(super) fn data_volumes() -> Value {
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "datavolumes.cdi.kubevirt.io"},
        "spec": {
            "group": "cdi.kubevirt.io",
            "scope": "Namespaced",
            "names": {
                "kind": "DataVolume", "plural": "datavolumes", "singular": "datavolume",
                "shortNames": ["dv", "dvs"], "categories": ["all"],
            },
            "versions": [{
                "name": "v1beta1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}},
                "additionalPrinterColumns": [
                    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
                    {"name": "Progress", "type": "string", "jsonPath": ".status.progress"},
                ],
            }],
        },
    })
}

pub(super) fn storage_class(name: &str, default: bool) -> Value {
    let mut annotations = Map::new();
    if default {
        annotations.insert("storageclass.kubernetes.io/is-default-class".into(), json!("true"));
    }
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_virtual_machine_instances_lack_a_status_subresource() {
        let has = |frame: &Frame| definition(frame, &json!({}))["spec"]["versions"][0].get("subresources").is_some();
        assert_eq!(
            FRAMES.iter().map(|frame| (frame.short, has(frame))).collect::<Vec<_>>(),
            [("vm", true), ("vmi", false), ("kv", true)]
        );
    }

    #[test]
    fn one_storage_class_is_the_default() {
        let marked = |class: Value| class["metadata"]["annotations"].as_object().unwrap().len();
        assert_eq!((marked(storage_class("default", true)), marked(storage_class("fast-ssd", false))), (1, 0));
    }
}
