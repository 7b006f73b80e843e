//! The emulated hardware of a Machine.

optional! {
    /// The emulated hardware: machine type, features, firmware.
    pub struct Domain {
        /// Board that is emulated.
        pub machine: Option<MachineType>,
        /// Hardware features that the guest sees.
        pub features: Option<Features>,
        /// Firmware that starts the guest.
        pub firmware: Option<Firmware>,
    }

    /// Board that is emulated.
    pub struct MachineType {
        /// Machine type, for example `pc-q35`. KubeVirt refuses others, `pc-i440fx` among them, unless the cluster allows
        /// them. Default: the cluster's, usually `q35`.
        #[serde(rename = "type")]
        #[schemars(length(max = 63))]
        pub type_: Option<String>,
    }

    /// Hardware features that the guest sees.
    pub struct Features {
        /// ACPI power and device tables. Default: KubeVirt's, on.
        pub acpi: Option<bool>,
        /// The interrupt controller APIC. Default: KubeVirt's.
        pub apic: Option<bool>,
        /// Hyper-V enlightenments, which make Windows guests faster. Default: off.
        pub hyperv: Option<bool>,
        /// System management mode. Default: on with `firmware.bootloader.secureBoot`, which needs it, else off.
        pub smm: Option<bool>,
    }

    /// Firmware that starts the guest.
    pub struct Firmware {
        /// Boot loader of the firmware.
        pub bootloader: Option<Bootloader>,
    }

    /// Boot loader of the firmware.
    pub struct Bootloader {
        /// Start with UEFI instead of BIOS. Default: BIOS.
        pub efi: Option<bool>,
        /// Let UEFI start signed code only. Needs `efi: true`. Default: off.
        pub secure_boot: Option<bool>,
    }
}
