//! Definitions that no Go module brings: the fields that are written, with the types that their projects give them. Pure.

use serde_json::{Value, json};

/// Group, version, kind, short name, whether it is in namespaces.
struct Frame(&'static str, &'static str, &'static str, &'static str, bool);

impl Frame {
    fn around(&self, spec: &Value) -> Value {
        let Frame(group, version, kind, short, namespaced) = self;
        let singular = kind.to_lowercase();
        let plural = format!("{singular}s");
        let status = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let schema = json!({"type": "object", "properties": {"spec": spec, "status": status}});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group,
                "scope": if *namespaced { "Namespaced" } else { "Cluster" },
                "names": {
                    "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular,
                    "shortNames": [short],
                },
                "versions": [{
                    "name": version, "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }],
            },
        })
    }
}

fn object(fields: &Value) -> Value {
    json!({"type": "object", "properties": fields})
}

fn text() -> Value {
    json!({"type": "string"})
}

/// What HyperConverged sets where nobody says anything is set here, too: it counts as set by the creator.
pub(super) fn hyperconverged() -> Value {
    let set = |value: bool| json!({"type": "boolean", "default": value});
    let number = |value: i32| json!({"type": "integer", "default": value});
    let mut migrations = object(&json!({
        "allowAutoConverge": set(false),
        "allowPostCopy": set(false),
        "bandwidthPerMigration": text(),
        "completionTimeoutPerGiB": number(20),
        "network": text(),
        "parallelMigrationsPerCluster": number(5),
        "parallelOutboundMigrationsPerNode": number(1),
        "progressTimeout": number(150),
    }));
    migrations["default"] = json!({});
    let mut gates = object(&json!({"downwardMetrics": set(false), "alignCPUs": set(false)}));
    gates["default"] = json!({});
    let device = object(&json!({"pciDeviceSelector": text(), "resourceName": text(), "disabled": {"type": "boolean"}}));
    let devices = json!({
        "type": "array", "items": device, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["pciDeviceSelector"],
    });
    let mut devices = object(&json!({"pciHostDevices": devices}));
    devices["properties"]["pciHostDevices"]["items"]["required"] = json!(["pciDeviceSelector", "resourceName"]);
    Frame("hco.kubevirt.io", "v1beta1", "HyperConverged", "hco", true).around(&object(&json!({
        "enableApplicationAwareQuota": set(false),
        "featureGates": gates,
        "liveMigrationConfig": migrations,
        "permittedHostDevices": devices,
    })))
}

/// UIPlugin with the page that is asked for.
pub(super) fn ui_plugin() -> Value {
    let perses = object(&json!({"enabled": {"type": "boolean"}}));
    let types = ["Dashboards", "TroubleshootingPanel", "DistributedTracing", "Logging", "Monitoring"];
    let mut spec = object(&json!({
        "type": {"type": "string", "enum": types},
        "monitoring": object(&json!({"perses": perses})),
    }));
    spec["required"] = json!(["type"]);
    Frame("observability.openshift.io", "v1alpha1", "UIPlugin", "uiplugin", false).around(&spec)
}

/// The rule that a health check needs a remediator is its webhook's, and not here.
pub(super) fn node_health_check() -> Value {
    let expression = object(
        &json!({"key": text(), "operator": text(), "values": {"type": "array", "items": text(), "x-kubernetes-list-type": "atomic"}}),
    );
    let selector = object(&json!({
        "matchExpressions": {"type": "array", "items": expression, "x-kubernetes-list-type": "atomic"},
        "matchLabels": {"type": "object", "additionalProperties": text()},
    }));
    let mut template = object(&json!({"apiVersion": text(), "kind": text(), "name": text(), "namespace": text()}));
    template["x-kubernetes-map-type"] = json!("atomic");
    let mut unhealthy = object(&json!({"type": text(), "status": text(), "duration": text()}));
    unhealthy["required"] = json!(["duration", "status", "type"]);
    Frame("remediation.medik8s.io", "v1alpha1", "NodeHealthCheck", "nhc", false).around(&object(&json!({
        "minHealthy": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true},
        "remediationTemplate": template,
        "selector": selector,
        "unhealthyConditions": {"type": "array", "items": unhealthy},
    })))
}

/// What a health check hands nodes to.
pub(super) fn remediation() -> Value {
    let strategy = json!({"type": "string", "default": "Automatic", "enum": ["Automatic", "ResourceDeletion", "OutOfServiceTaint"]});
    let template = object(&json!({"spec": object(&json!({"remediationStrategy": strategy}))}));
    Frame("self-node-remediation.medik8s.io", "v1alpha1", "SelfNodeRemediationTemplate", "snrt", true)
        .around(&object(&json!({"template": template})))
}

/// Its switches are text.
pub(super) fn forklift() -> Value {
    let switch = json!({"type": "string", "default": "true", "enum": ["true", "false"]});
    Frame("forklift.konveyor.io", "v1beta1", "ForkliftController", "forklift", true).around(&object(&json!({
        "controller_max_vm_inflight": {"type": "integer"},
        "feature_ui_plugin": switch,
        "feature_validation": switch,
        "feature_volume_populator": switch,
    })))
}
