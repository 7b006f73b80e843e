//! The check in Rust of each static rule, whose CEL text stands in the CRD (X55).

use model::api::machine::rules::Rule;

use super::ask::Check;
use super::{disks, firmware, name, networks, size, sources, spec};

/// The check that refuses what the rule refuses.
pub const fn check_of(rule: Rule) -> Check {
    match rule {
        Rule::NameLength => name::length,
        Rule::NameLabel => name::label,
        Rule::TemplatesAgree => size::templates,
        Rule::CpuAgrees => size::cpu,
        Rule::MemoryAgrees => size::memory,
        Rule::MachineTypesAgree => firmware::types_agree,
        Rule::SecureBootNeedsQ35 => firmware::secure_boot_needs_q35,
        Rule::DiskNamedIso => disks::iso,
        Rule::PublishedMemoryBounds => size::published_memory,
        Rule::MemoryBounds => size::memory_bounds,
        Rule::DisksUnique => disks::unique,
        Rule::DisksStandIn => disks::standing_in,
        Rule::OneBootDisk => disks::boot,
        Rule::DiskSizesAgree => disks::agree,
        Rule::DiskNameReserved => disks::reserved,
        Rule::DiskBounds => disks::bounds,
        Rule::HttpNotLocal => sources::http,
        Rule::RegistryNotLocal => sources::registry,
        Rule::IsoNotLocal => sources::remote_iso,
        Rule::ImageNotLocal => sources::remote_image,
        Rule::NetworksUnique => networks::unique,
        Rule::MacsUnique => networks::unique_macs,
        Rule::OnePodNetwork => networks::one_pod_network,
        Rule::MacsReserved => networks::reserved_macs,
        Rule::BootOrderUnique => spec::boot_order,
        Rule::SelectorValues => spec::selector,
        Rule::SecureBootNeedsEfi => firmware::secure_boot_needs_efi,
        Rule::SecureBootNeedsSmm => firmware::secure_boot_needs_smm,
    }
}
