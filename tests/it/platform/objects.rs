//! The objects of the catalogue that are looked at, by the names that people have for them. Pure.

use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

/// An object of the catalogue: version, kind, namespace (empty for one of the whole cluster), name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
);

const VIRT: &str = "kubevirt-hyperconverged";
const MACHINE_CONFIGURATION: &str = "machineconfiguration.openshift.io/v1";
pub(super) const HCO: Object = Object("hco.kubevirt.io/v1beta1", "HyperConverged", VIRT, VIRT);
pub(super) const KUBEVIRT: Object = Object("kubevirt.io/v1", "KubeVirt", "kubevirt", "kubevirt");
pub(super) const DESCHEDULER: Object =
    Object("operator.openshift.io/v1", "KubeDescheduler", "openshift-kube-descheduler-operator", "cluster");
pub(super) const FORKLIFT: Object =
    Object("forklift.konveyor.io/v1beta1", "ForkliftController", "openshift-mtv", "forklift-controller");
pub(super) const METALLB: Object = Object("metallb.io/v1beta1", "MetalLB", "metallb-system", "metallb");
pub(super) const PLUGIN: Object = Object("observability.openshift.io/v1alpha1", "UIPlugin", "", "monitoring");
pub(super) const AAQ: Object = Object("aaq.kubevirt.io/v1alpha1", "AAQ", "", "aaq");
pub(super) const HEALTH: Object =
    Object("remediation.medik8s.io/v1alpha1", "NodeHealthCheck", "", "virt-node-health-check");
pub(super) const SWAP: Object = Object(MACHINE_CONFIGURATION, "MachineConfig", "", "50-swap-enable");
pub(super) const WATERMARKS: Object =
    Object(MACHINE_CONFIGURATION, "MachineConfig", "", "99-kubevirt-swap-optimization");
pub(super) const PASSTHROUGH: Object = Object(MACHINE_CONFIGURATION, "MachineConfig", "", "50-virt-pci-passthrough");
pub(super) const KUBELET: Object = Object(MACHINE_CONFIGURATION, "KubeletConfig", "", "virt-kubelet");
pub(super) const POOL: Object = Object(MACHINE_CONFIGURATION, "MachineConfigPool", "", "worker");
pub(super) const REMEDIATION: Object = Object(
    "self-node-remediation.medik8s.io/v1alpha1",
    "SelfNodeRemediationTemplate",
    "openshift-workload-availability",
    "self-node-remediation-automatic-strategy-template",
);

/// Label by which an object of the platform is ours.
pub(super) const MANAGED_BY: &str = "platform.kubevirt.io/managed-by";

/// The label that makes an object ours.
pub(super) fn ours() -> Value {
    json!({"labels": {MANAGED_BY: "kubevirt-operator"}})
}

impl Object {
    pub(super) fn resource(self) -> ApiResource {
        let (group, version) = self.0.split_once('/').expect("group and version");
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, self.1))
    }
}
