//! Frames of the CRDs that the catalogue is written for: the fields that are written, with the types of their projects.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::platform::conditions::dependency;
use model::platform::fit::Crd;
use model::platform::state::Key;
use serde_json::{Map, Value, json};

use crate::crd;

/// An object of these fields: `name:type`, and `name` for anything.
fn object(fields: &[(&str, Value)]) -> Value {
    let fields: Map<String, Value> = fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": fields})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

fn whole() -> Value {
    json!({"type": "integer"})
}

fn free() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn migrations() -> Value {
    object(&[
        ("allowAutoConverge", flag()),
        ("allowPostCopy", flag()),
        ("completionTimeoutPerGiB", whole()),
        ("parallelMigrationsPerCluster", whole()),
        ("parallelOutboundMigrationsPerNode", whole()),
        ("progressTimeout", whole()),
    ])
}

fn selector() -> Value {
    object(&[
        ("matchLabels", json!({"type": "object", "additionalProperties": text()})),
        ("matchExpressions", json!({"type": "array", "items": object(&[("key", text()), ("operator", text())])})),
    ])
}

/// HyperConverged as `v1beta1` has it.
pub(crate) fn hyperconverged() -> Value {
    object(&[
        ("enableApplicationAwareQuota", flag()),
        ("featureGates", object(&[("downwardMetrics", flag())])),
        ("liveMigrationConfig", migrations()),
        ("permittedHostDevices", free()),
    ])
}

/// The same in `v1`.
pub(crate) fn hyperconverged_v1() -> Value {
    object(&[
        ("deployment", object(&[("applicationAwareConfig", object(&[("enable", flag())]))])),
        ("virtualization", object(&[("liveMigrationConfig", migrations()), ("permittedHostDevices", free())])),
    ])
}

fn kubevirt() -> Value {
    let developer = object(&[("featureGates", json!({"type": "array", "items": text()}))]);
    object(&[(
        "configuration",
        object(&[
            ("developerConfiguration", developer),
            ("migrations", migrations()),
            ("permittedHostDevices", free()),
        ]),
    )])
}

/// KubeDescheduler with these profiles, and with the limit of a node if it is new.
pub(crate) fn descheduler(profiles: &[&str], is_new: bool) -> Value {
    let mut limits = vec![("total", whole())];
    limits.extend(is_new.then(|| ("node", whole())));
    object(&[
        ("deschedulingIntervalSeconds", whole()),
        ("evictionLimits", object(&limits)),
        ("managementState", text()),
        ("mode", json!({"type": "string", "enum": ["Automatic", "Predictive"]})),
        ("profiles", json!({"type": "array", "items": {"type": "string", "enum": profiles}})),
    ])
}

/// UIPlugin with these types.
pub(crate) fn plugin(types: &[&str]) -> Value {
    let perses = object(&[("perses", object(&[("enabled", flag())]))]);
    object(&[("type", json!({"type": "string", "enum": types})), ("monitoring", perses)])
}

fn health_check() -> Value {
    let reference = ["apiVersion", "kind", "name", "namespace"].map(|name| (name, text()));
    let unhealthy = object(&[("type", text()), ("status", text()), ("duration", text())]);
    object(&[
        ("minHealthy", json!({"x-kubernetes-int-or-string": true})),
        ("remediationTemplate", object(&reference)),
        ("selector", selector()),
        ("unhealthyConditions", json!({"type": "array", "items": unhealthy})),
    ])
}

/// Every CRD, as the newest clusters serve it.
pub(crate) fn crds() -> BTreeMap<String, Result<Option<Arc<Crd>>, String>> {
    let config = object(&[("config", free()), ("kernelArguments", json!({"type": "array", "items": text()}))]);
    let kubelet =
        object(&[("autoSizingReserved", flag()), ("kubeletConfig", free()), ("machineConfigPoolSelector", selector())]);
    let forklift = ["feature_ui_plugin", "feature_validation", "feature_volume_populator"].map(|name| (name, text()));
    let profiles = ["KubeVirtRelieveAndMigrate", "LongLifecycle"];
    let all = [
        ("hyperconvergeds.hco.kubevirt.io", crd(hyperconverged(), true, "v1beta1")),
        ("kubevirts.kubevirt.io", crd(kubevirt(), true, "v1")),
        ("machineconfigs.machineconfiguration.openshift.io", crd(config, false, "v1")),
        ("kubeletconfigs.machineconfiguration.openshift.io", crd(kubelet, false, "v1")),
        ("nodehealthchecks.remediation.medik8s.io", crd(health_check(), false, "v1alpha1")),
        ("selfnoderemediationtemplates.self-node-remediation.medik8s.io", crd(free(), true, "v1alpha1")),
        ("kubedeschedulers.operator.openshift.io", crd(descheduler(&profiles, true), true, "v1")),
        ("forkliftcontrollers.forklift.konveyor.io", crd(object(&forklift), true, "v1beta1")),
        ("metallbs.metallb.io", crd(object(&[("logLevel", text())]), true, "v1beta1")),
        ("uiplugins.observability.openshift.io", crd(plugin(&["Logging", "Monitoring"]), false, "v1alpha1")),
        ("aaqs.aaq.kubevirt.io", crd(free(), false, "v1alpha1")),
    ];
    all.into_iter().map(|(name, crd)| (name.to_owned(), Ok(Some(Arc::new(crd))))).collect()
}

/// What the health check of nodes hands them to.
pub(crate) fn remediation() -> Key {
    dependency(
        "selfnoderemediationtemplates.self-node-remediation.medik8s.io",
        Some(&"openshift-workload-availability".to_owned()),
        "self-node-remediation-automatic-strategy-template",
    )
}
