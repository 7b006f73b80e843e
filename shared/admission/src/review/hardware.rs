//! The emulated hardware of a Machine, and what is installed on it.

use serde::Deserialize;

use super::Text;

part! {
    /// `spec.os`.
    OperatingSystem {
        /// ISO image to install from.
        "isoUri" iso_uri: Text<'a>,
        /// Image of the boot disk.
        "imageID" image_id: Text<'a>,
        /// Processor architecture.
        "architecture" architecture: Text<'a>,
    }
}

/// `spec.domain`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Domain<'a> {
    /// The board.
    #[serde(borrow)]
    pub machine: Option<Machine<'a>>,
    /// What the guest's processor offers.
    pub features: Option<Features>,
    /// What starts the guest.
    pub firmware: Option<Firmware>,
}

/// `spec.domain.machine`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Machine<'a> {
    /// Machine type.
    #[serde(rename = "type", borrow)]
    pub kind: Option<Text<'a>>,
}

/// `spec.domain.features`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Features {
    /// ACPI.
    pub acpi: Option<bool>,
    /// APIC.
    pub apic: Option<bool>,
    /// Hyper-V enlightenments.
    pub hyperv: Option<bool>,
    /// System management mode.
    pub smm: Option<bool>,
}

/// `spec.domain.firmware`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Firmware {
    /// Its boot loader.
    pub bootloader: Option<Bootloader>,
}

/// `spec.domain.firmware.bootloader`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootloader {
    /// UEFI.
    pub efi: Option<bool>,
    /// UEFI that starts signed code only.
    pub secure_boot: Option<bool>,
}
