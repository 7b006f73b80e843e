//! The files of the catalogue that is built in. `assets/` has them; a test compares the two.

use super::catalogue::Catalogue;

macro_rules! files {
    ($($path:literal)*) => {
        const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../assets/", $path)))),*];
    };
}

files! {
    "metadata.yaml"
    "active/descheduler/loadaware.yaml"
    "active/hco/application-aware-quota-v1.yaml"
    "active/hco/application-aware-quota.yaml"
    "active/hco/golden-config-v1.yaml"
    "active/hco/golden-config.yaml"
    "active/kubelet/cpu-manager.yaml"
    "active/kubelet/numa.yaml"
    "active/kubelet/perf-settings.yaml"
    "active/kubevirt/golden-config.yaml"
    "active/kubevirt/usb-passthrough.yaml"
    "active/machine-config/pci-passthrough.yaml"
    "active/machine-config/psi-enable.yaml"
    "active/machine-config/swap-enable.yaml"
    "active/machine-config/swap-optimization.yaml"
    "active/machine-config/vfio-assign.yaml"
    "active/node-health/node-health-check.yaml"
    "active/operators/aaq.yaml"
    "active/operators/metallb.yaml"
    "active/operators/mtv.yaml"
    "active/operators/observability.yaml"
}

/// The catalogue that is built in.
pub fn catalogue() -> Catalogue {
    Catalogue::read(FILES.iter().copied()).unwrap_or_else(|wrong| {
        unreachable!("invariant: a test reads the catalogue that is built in: {}", wrong.join("; "))
    })
}
