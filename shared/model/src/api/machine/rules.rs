//! The static rules of a Machine that schema keywords cannot say, in CEL (X55).
//!
//! They cost no hop and hold while the webhook is away. Admission checks the same in Rust, to report every mistake in one
//! answer. A zero of the published Go type (0, an empty string) means unset (X79). A number is subtracted from a quantity
//! and not made one: the cost estimate of `string(number)` knows no bound.

use crate::api::CelRule;

/// Every rule, in the order of the fields.
#[rustfmt::skip]
pub const RULES: &[CelRule] = &[
    // Only on CREATE: a name cannot change, and an old Machine with such a name must still be deletable.
    CelRule {
        path: "",
        cel: "oldSelf.hasValue() || self.metadata.name.size() <= 63",
        message: "metadata.name must have at most 63 characters: the virtual machine is named after it",
    },
    CelRule {
        path: "",
        cel: "oldSelf.hasValue() || !self.metadata.name.contains('.')",
        message: "metadata.name must be a DNS label, without dots: the virtual machine is named after it",
    },
    CelRule {
        path: "spec",
        cel: "(!has(self.template) || !has(self.instanceType) || self.template == self.instanceType) \
              && (!has(self.template) || !has(self.machineClass) || self.template == self.machineClass) \
              && (!has(self.instanceType) || !has(self.machineClass) || self.instanceType == self.machineClass)",
        message: "spec.template, spec.instanceType and spec.machineClass name different templates",
    },
    CelRule {
        path: "spec",
        cel: "!has(self.cpu) || !has(self.resources) || !has(self.resources.cpu) || (\
              (!has(self.cpu.cores) || !has(self.resources.cpu.cores) || self.cpu.cores == self.resources.cpu.cores) \
              && (!has(self.cpu.sockets) || !has(self.resources.cpu.sockets) || self.cpu.sockets == self.resources.cpu.sockets) \
              && (!has(self.cpu.threadsPerCore) || !has(self.resources.cpu.threads) || self.cpu.threadsPerCore == self.resources.cpu.threads))",
        message: "spec.cpu and spec.resources.cpu disagree",
    },
    CelRule {
        path: "spec",
        cel: "!has(self.memory) || self.memory == 0 || !has(self.resources) || !has(self.resources.memory) || !has(self.resources.memory.size) \
              || quantity(string(self.resources.memory.size)).sub(self.memory).compareTo(quantity('0')) == 0",
        message: "spec.memory and spec.resources.memory.size disagree",
    },
    CelRule {
        path: "spec",
        cel: "!has(self.machineType) || self.machineType == '' || !has(self.domain) || !has(self.domain.machine) || !has(self.domain.machine.type) \
              || self.domain.machine.type == '' || self.machineType == self.domain.machine.type",
        message: "spec.machineType and spec.domain.machine.type disagree",
    },
    CelRule {
        path: "spec.memory",
        cel: "self == 0 || self >= 33554432",
        message: "spec.memory must be at least 33554432 bytes (32Mi), or 0 for unset",
    },
    CelRule {
        path: "spec.resources.memory.size",
        cel: "quantity(string(self)).compareTo(quantity('32Mi')) >= 0",
        message: "spec.resources.memory.size must be at least 32Mi",
    },
    CelRule {
        path: "spec.disks",
        cel: "self.all(disk, !has(disk.name) || disk.name == '' || self.exists_one(other, has(other.name) && other.name == disk.name))",
        message: "names of spec.disks must be unique",
    },
    CelRule {
        path: "spec.disks",
        cel: "self.filter(disk, has(disk.boot) && disk.boot).size() <= 1",
        message: "at most one of spec.disks may have boot: true",
    },
    CelRule {
        path: "spec.disks[]",
        cel: "!has(self.size) || !has(self.sizeGB) \
              || quantity(string(self.size)).sub(self.sizeGB * 1073741824).compareTo(quantity('0')) == 0",
        message: "size and sizeGB of a disk disagree: sizeGB counts GiB",
    },
    CelRule {
        path: "spec.disks[].size",
        cel: "quantity(string(self)).isGreaterThan(quantity('0'))",
        message: "the size of a disk must be more than 0",
    },
    CelRule {
        path: "spec.networks",
        cel: "self.all(network, self.exists_one(other, other.name == network.name))",
        message: "names of spec.networks must be unique",
    },
    CelRule {
        path: "spec.networks",
        cel: "self.all(network, !has(network.macAddress) \
              || self.exists_one(other, has(other.macAddress) && other.macAddress.lowerAscii() == network.macAddress.lowerAscii()))",
        message: "values of macAddress in spec.networks must be unique",
    },
    CelRule {
        path: "spec.bootOrder",
        cel: "self.all(device, self.exists_one(other, other == device))",
        message: "entries of spec.bootOrder must be unique",
    },
    CelRule {
        path: "spec.clusterSelector.matchExpressions[]",
        cel: crate::api::selector::VALUES_FIT,
        message: crate::api::selector::VALUES_FIT_MESSAGE,
    },
    CelRule {
        path: "spec.domain.firmware.bootloader",
        cel: "!has(self.secureBoot) || !self.secureBoot || (has(self.efi) && self.efi)",
        message: "secureBoot: true needs efi: true",
    },
    CelRule {
        path: "spec.domain",
        cel: "!has(self.features) || !has(self.features.smm) || self.features.smm || !has(self.firmware) || !has(self.firmware.bootloader) \
              || !has(self.firmware.bootloader.secureBoot) || !self.firmware.bootloader.secureBoot",
        message: "secureBoot: true needs system management mode: features.smm must not be false",
    },
];
