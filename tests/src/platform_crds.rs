//! The kinds that a platform baseline may find on a cluster: the CRDs of their own projects where the Go proxy has these, else
//! frames of our own with the fields that are written.
//!
//! I/O: runs `go mod download` and reads the files it names, once per machine, as [`crate::remote_crds`] does.

mod frames;

use crate::remote_crds::{CrdsError, cached, document, download, raw, read};

const GENERATOR: &str = concat!(include_str!("platform_crds.rs"), include_str!("remote_crds.rs"));

const OPENSHIFT: &str = "github.com/openshift/api@v0.0.0-20260325070019-86893981287e";
const DESCHEDULER: &str = "github.com/openshift/cluster-kube-descheduler-operator@v0.0.0-20251008211450-f537ae654848";
const OLD_DESCHEDULER: &str =
    "github.com/openshift/cluster-kube-descheduler-operator@v0.0.0-20240916113608-1a30f3be33fa";
const DESCHEDULER_FILE: &str = "manifests/kube-descheduler-operator.crd.yaml";
const PLUGIN: &str = "github.com/rhobs/observability-operator@v1.0.0";
const OLD_PLUGIN: &str = "github.com/rhobs/observability-operator@v0.3.1";
const PLUGIN_FILE: &str = "deploy/crds/common/observability.openshift.io_uiplugins.yaml";
const METALLB: &str = "github.com/metallb/metallb-operator@v0.0.0-20231019113803-fbc3c30718ef";
const HYPERCONVERGED: &str = "github.com/kubevirt/hyperconverged-cluster-operator@v1.7.0";
const QUOTA: &str = "kubevirt.io/application-aware-quota@v1.6.0";

/// A kind as one release of its project defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Settings of nodes.
    MachineConfig,
    /// Settings of kubelets.
    KubeletConfig,
    /// Nodes that are restarted one after the other.
    MachineConfigPool,
    /// What moves VMs, of 2025: its profiles know KubeVirt, its limits know nodes.
    KubeDescheduler,
    /// The same of 2024: neither.
    OldKubeDescheduler,
    /// Addresses for services.
    MetalLb,
    /// Pages of the console, as a frame: the proxy has no release that knows Perses.
    UiPlugin,
    /// The same of release 1.0: it has monitoring, and not Perses.
    UiPluginWithoutPerses,
    /// The same of release 0.3: it has no monitoring.
    OldUiPlugin,
    /// Quotas that know guests.
    Aaq,
    /// HyperConverged `v1beta1` as it is today, as a frame.
    HyperConverged,
    /// HyperConverged `v1beta1` of 2022: it has fewer fields.
    OldHyperConverged,
    /// Restarts of nodes that do not answer, as a frame.
    NodeHealthCheck,
    /// What a restart is, as a frame.
    SelfNodeRemediationTemplate,
    /// Import of VMs, as a frame.
    ForkliftController,
}

/// Every kind once, as new clusters have it.
pub const CURRENT: [Definition; 11] = [
    Definition::MachineConfig,
    Definition::KubeletConfig,
    Definition::MachineConfigPool,
    Definition::KubeDescheduler,
    Definition::MetalLb,
    Definition::UiPlugin,
    Definition::Aaq,
    Definition::HyperConverged,
    Definition::NodeHealthCheck,
    Definition::SelfNodeRemediationTemplate,
    Definition::ForkliftController,
];

impl Definition {
    /// Its CRD, as a YAML document.
    ///
    /// Guarantees: the same text on every call; Go and the network are needed only while the cache has none of it.
    pub fn manifest(self) -> Result<String, CrdsError> {
        let (module, path) = match self {
            Self::MachineConfig => (OPENSHIFT, config("machineconfigs")),
            Self::KubeletConfig => (OPENSHIFT, config("kubeletconfigs")),
            Self::MachineConfigPool => (OPENSHIFT, config("machineconfigpools-Default")),
            Self::KubeDescheduler => (DESCHEDULER, DESCHEDULER_FILE.to_owned()),
            Self::OldKubeDescheduler => (OLD_DESCHEDULER, DESCHEDULER_FILE.to_owned()),
            Self::MetalLb => (METALLB, "config/crd/bases/metallb.io_metallbs.yaml".to_owned()),
            Self::UiPluginWithoutPerses => (PLUGIN, PLUGIN_FILE.to_owned()),
            Self::OldUiPlugin => (OLD_PLUGIN, PLUGIN_FILE.to_owned()),
            Self::OldHyperConverged => (HYPERCONVERGED, "deploy/crds/hco00.crd.yaml".to_owned()),
            Self::Aaq => (QUOTA, "pkg/aaq-operator/resources/crds_generated.go".to_owned()),
            Self::UiPlugin => return Ok(document(&frames::ui_plugin())),
            Self::HyperConverged => return Ok(document(&frames::hyperconverged())),
            Self::NodeHealthCheck => return Ok(document(&frames::node_health_check())),
            Self::SelfNodeRemediationTemplate => return Ok(document(&frames::remediation())),
            Self::ForkliftController => return Ok(document(&frames::forklift())),
        };
        cached(&format!("{self:?}"), GENERATOR, || {
            let file = read(download(module)?.join(path))?;
            let text = if self == Self::Aaq { raw(&file, "aaq")? } else { file.1 };
            Ok(format!("---\n{}\n", text.trim_start_matches("---\n")))
        })
    }
}

/// Several of them, one document after the other.
pub fn manifests(definitions: &[Definition]) -> Result<String, CrdsError> {
    definitions.iter().map(|definition| definition.manifest()).collect()
}

fn config(plural: &str) -> String {
    format!("machineconfiguration/v1/zz_generated.crd-manifests/0000_80_machine-config_01_{plural}.crd.yaml")
}
