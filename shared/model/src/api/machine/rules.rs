//! The static rules of a Machine that schema keywords cannot say: what the API server checks, and what it says (X55).
//!
//! The CEL costs no hop and holds while the webhook is away; `admission` has a check in Rust for each, so that one answer
//! carries every mistake, with its value. A zero of the published Go type (0, an empty string) means unset (X79). A number
//! is subtracted from a quantity and not made one: the cost estimate of `string(number)` knows no bound.

use crate::api::CelRule;

macro_rules! rules {
    ($($name:ident, $path:literal, $message:expr, $cel:expr;)*) => {
        /// A static rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $(#[doc = concat!("About `", $path, "`.")] $name,)*
        }

        impl Rule {
            /// Every rule, in the order of the fields.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),*];

            /// What the API server checks.
            pub const fn cel(self) -> CelRule {
                match self { $(Rule::$name => CelRule { path: $path, message: $message, cel: $cel },)* }
            }
        }
    };
}

const LOCAL: &str =
    "must not lead to the machine that fetches it: localhost, 127.0.0.0/8, 169.254.0.0/16 and their like are refused";

rules! {
    // Only on CREATE: a name cannot change, and an old Machine with such a name must still be deletable.
    NameLength, "", "metadata.name is too long: the virtual machine is named after it",
        "oldSelf.hasValue() || self.metadata.name.size() <= 63";
    NameLabel, "", "metadata.name must be a DNS label, without dots: the virtual machine is named after it",
        "oldSelf.hasValue() || !self.metadata.name.contains('.')";
    TemplatesAgree, "spec", "spec.template, spec.instanceType and spec.machineClass name different templates",
        "(!has(self.template) || !has(self.instanceType) || self.template == self.instanceType) \
         && (!has(self.template) || !has(self.machineClass) || self.template == self.machineClass) \
         && (!has(self.instanceType) || !has(self.machineClass) || self.instanceType == self.machineClass)";
    CpuAgrees, "spec", "spec.cpu and spec.resources.cpu disagree",
        "!has(self.cpu) || !has(self.resources) || !has(self.resources.cpu) || (\
         (!has(self.cpu.cores) || self.cpu.cores == 0 || !has(self.resources.cpu.cores) || self.cpu.cores == self.resources.cpu.cores) \
         && (!has(self.cpu.sockets) || self.cpu.sockets == 0 || !has(self.resources.cpu.sockets) || self.cpu.sockets == self.resources.cpu.sockets) \
         && (!has(self.cpu.threadsPerCore) || self.cpu.threadsPerCore == 0 || !has(self.resources.cpu.threads) \
         || self.cpu.threadsPerCore == self.resources.cpu.threads))";
    MemoryAgrees, "spec", "spec.memory and spec.resources.memory.size disagree",
        "!has(self.memory) || self.memory == 0 || !has(self.resources) || !has(self.resources.memory) || !has(self.resources.memory.size) \
         || quantity(string(self.resources.memory.size)).sub(self.memory).compareTo(quantity('0')) == 0";
    MachineTypesAgree, "spec", "spec.machineType and spec.domain.machine.type disagree",
        "!has(self.machineType) || self.machineType == '' || !has(self.domain) || !has(self.domain.machine) || !has(self.domain.machine.type) \
         || self.domain.machine.type == '' || self.machineType == self.domain.machine.type";
    SecureBootNeedsQ35, "spec", "secureBoot: true needs a machine type with q35",
        "!has(self.domain) || !has(self.domain.firmware) || !has(self.domain.firmware.bootloader) \
         || !has(self.domain.firmware.bootloader.secureBoot) || !self.domain.firmware.bootloader.secureBoot \
         || (has(self.domain.machine) && has(self.domain.machine.type) && self.domain.machine.type != '' \
         ? self.domain.machine.type.contains('q35') : !has(self.machineType) || self.machineType == '' || self.machineType.contains('q35'))";
    DiskNamedIso, "spec", "a disk named iso has no place beside spec.os.isoUri: the CD-ROM has that name",
        "!has(self.os) || !has(self.os.isoUri) || self.os.isoUri == '' || !has(self.disks) \
         || !self.disks.exists(disk, has(disk.name) && disk.name == 'iso')";
    PublishedMemoryBounds, "spec.memory", "spec.memory must be at least 33554432 bytes (32Mi) and at most 64Ti, or 0 for unset",
        "self == 0 || (self >= 33554432 && self <= 70368744177664)";
    MemoryBounds, "spec.resources.memory.size", "spec.resources.memory.size must be at least 32Mi and at most 64Ti",
        "quantity(string(self)).compareTo(quantity('32Mi')) >= 0 && quantity(string(self)).compareTo(quantity('64Ti')) <= 0";
    DisksUnique, "spec.disks", "names of spec.disks must be unique",
        "self.all(disk, !has(disk.name) || disk.name == '' || self.exists_one(other, has(other.name) && other.name == disk.name))";
    DisksStandIn, "spec.disks", "a disk without a name is called root at the first place and diskN at place N, and no other disk may have that name",
        "(self.size() == 0 || (has(self[0].name) && self[0].name != '') || !self.exists(disk, has(disk.name) && disk.name == 'root')) \
         && self.all(disk, !has(disk.name) || !disk.name.matches('^disk[1-9][0-9]{0,2}$') || int(disk.name.substring(4)) >= self.size() \
         || (has(self[int(disk.name.substring(4))].name) && self[int(disk.name.substring(4))].name != ''))";
    OneBootDisk, "spec.disks", "at most one of spec.disks may have boot: true",
        "self.filter(disk, has(disk.boot) && disk.boot).size() <= 1";
    DiskSizesAgree, "spec.disks[]", "size and sizeGB of a disk disagree: sizeGB counts GiB",
        "!has(self.size) || !has(self.sizeGB) || self.sizeGB == 0 \
         || quantity(string(self.size)).sub(self.sizeGB * 1073741824).compareTo(quantity('0')) == 0";
    DiskNameReserved, "spec.disks[].name", "cloudinitdisk is the name of the volume with the cloud-init data",
        "self != 'cloudinitdisk'";
    DiskBounds, "spec.disks[].size", "the size of a disk must be between 1Mi and 64Ti",
        "quantity(string(self)).compareTo(quantity('1Mi')) >= 0 && quantity(string(self)).compareTo(quantity('64Ti')) <= 0";
    HttpNotLocal, "spec.disks[].source.http.url", LOCAL, NOT_LOCAL;
    RegistryNotLocal, "spec.disks[].source.registry.url", LOCAL, NOT_LOCAL;
    IsoNotLocal, "spec.os.isoUri", LOCAL, NOT_LOCAL;
    ImageNotLocal, "spec.os.imageID", LOCAL, NOT_LOCAL;
    NetworksUnique, "spec.networks", "names of spec.networks must be unique",
        "self.all(network, self.exists_one(other, other.name == network.name))";
    MacsUnique, "spec.networks", "values of macAddress in spec.networks must be unique",
        "self.all(network, !has(network.macAddress) \
         || self.exists_one(other, has(other.macAddress) && other.macAddress.lowerAscii() == network.macAddress.lowerAscii()))";
    OnePodNetwork, "spec.networks", "at most one of spec.networks may be on the pod network, which an entry without networkName is",
        "self.filter(network, !has(network.networkName) || network.networkName == '').size() <= 1";
    MacsReserved, "spec.networks[].macAddress", "the addresses 00:00:00:00:00:00 and 02:00:00:00:00:00 are taken: the second is that of KubeVirt's bridge",
        "self != '00:00:00:00:00:00' && self != '02:00:00:00:00:00'";
    BootOrderUnique, "spec.bootOrder", "entries of spec.bootOrder must be unique",
        "self.all(device, self.exists_one(other, other == device))";
    SelectorValues, "spec.clusterSelector.matchExpressions[]", crate::api::selector::VALUES_FIT_MESSAGE, crate::api::selector::VALUES_FIT;
    SecureBootNeedsEfi, "spec.domain.firmware.bootloader", "secureBoot: true needs efi: true",
        "!has(self.secureBoot) || !self.secureBoot || (has(self.efi) && self.efi)";
    SecureBootNeedsSmm, "spec.domain", "secureBoot: true needs system management mode: features.smm must not be false",
        "!has(self.features) || !has(self.features.smm) || self.features.smm || !has(self.firmware) || !has(self.firmware.bootloader) \
         || !has(self.firmware.bootloader.secureBoot) || !self.firmware.bootloader.secureBoot";
}

/// A URL that does not lead to the machine that fetches it (T6). Every IPv6 address that begins with a zero is refused: the
/// loopback, the unspecified and the mapped IPv4 addresses have dozens of spellings, and nothing else is in that block.
const NOT_LOCAL: &str = "!self.lowerAscii().matches('^[a-z]+://(localhost([:/?]|$)|127[.]|169[.]254[.]|0[.]0[.]0[.]0|\\\\[[0:]|\\\\[fe[89ab][0-9a-f])')";

/// The rules as the CRD has them.
pub fn cel() -> Vec<CelRule> {
    Rule::ALL.iter().map(|rule| rule.cel()).collect()
}
