//! The closed list of what a patch may touch, with the shape of each. X46, X47, X85.

use super::pointer::Pointer;
use super::scheduling;
use super::shape::Need::{May, Must};
use super::shape::Shape::{Bool, List, Object, OneOf, Text, Whole, With};
use super::shape::{Allowed, Field, Shape};
use super::target::Target;
use super::text::{ANY, IP, IPV4, KEY, LABEL, LABEL_VALUE, NAME, PRINTABLE, SUBDOMAIN, VENDOR, ZONE, is_reserved};
use super::values;

/// Where a VM's paths begin.
const TEMPLATE: [&str; 3] = ["spec", "template", "spec"];

/// What any patch of a VM may touch.
pub(super) static VM: &[Allowed] = &[
    Allowed("domain/cpu/model", Text(NAME)),
    Allowed("domain/cpu/features", With(&List(&CPU_FEATURE, 64), values::different_names)),
    Allowed("domain/cpu/dedicatedCpuPlacement", Bool),
    Allowed("domain/cpu/isolateEmulatorThread", Bool),
    Allowed("domain/clock", With(&CLOCK, values::one_offset)),
    Allowed("domain/ioThreadsPolicy", OneOf(&["shared", "auto", "supplementalPool"])),
    Allowed("domain/ioThreads", Object(&[Field("supplementalPoolThreadCount", Must, Whole(1, 256))])),
    Allowed("domain/features", With(&FEATURES, values::hyperv)),
    Allowed("domain/memory/hugepages", Object(&[Field("pageSize", Must, OneOf(&PAGES))])),
    Allowed("domain/devices/rng", Object(&[])),
    Allowed("domain/devices/tpm", Object(&[Field("enabled", May, Bool), Field("persistent", May, Bool)])),
    Allowed("domain/devices/watchdog", WATCHDOG),
    Allowed("domain/devices/inputs", With(&List(&INPUT, 8), values::different_names)),
    Allowed("domain/devices/blockMultiQueue", Bool),
    Allowed("domain/devices/networkInterfaceMultiqueue", Bool),
    Allowed("domain/devices/autoattachPodInterface", Bool),
    Allowed("domain/devices/autoattachGraphicsDevice", Bool),
    Allowed("domain/devices/autoattachSerialConsole", Bool),
    Allowed("domain/devices/autoattachMemBalloon", Bool),
    Allowed("domain/devices/autoattachInputDevice", Bool),
    Allowed("domain/devices/autoattachVSOCK", With(&Bool, values::no_vsock)),
    Allowed("domain/devices/disks/*/cache", OneOf(&["none", "writethrough", "writeback"])),
    Allowed("domain/devices/disks/*/io", OneOf(&["native", "threads"])),
    Allowed("domain/devices/disks/*/errorPolicy", OneOf(&["stop", "ignore", "report", "enospace"])),
    Allowed("domain/devices/disks/*/blockSize", With(&BLOCK_SIZE, values::block_size)),
    Allowed("domain/devices/disks/*/dedicatedIOThread", Bool),
    Allowed("domain/devices/disks/*/disk/bus", OneOf(&["virtio", "scsi", "sata", "usb"])),
    Allowed("domain/devices/interfaces/*/model", OneOf(&MODELS)),
    Allowed("domain/devices/interfaces/*/acpiIndex", Whole(1, 16_383)),
    Allowed("domain/devices/interfaces/*/dhcpOptions", DHCP),
    Allowed("evictionStrategy", OneOf(&["None", "LiveMigrate", "LiveMigrateIfPossible", "External"])),
    Allowed("terminationGracePeriodSeconds", Whole(0, 31_536_000)),
    Allowed("hostname", Text(LABEL)),
    Allowed("subdomain", Text(LABEL)), // KubeVirt takes dots, the pod that it makes of it does not
    Allowed("dnsPolicy", OneOf(&["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"])),
    Allowed("dnsConfig", With(&DNS, values::searches)),
    Allowed("startStrategy", OneOf(&["Paused"])),
];

const PAGES: [&str; 6] = ["64Ki", "1Mi", "2Mi", "32Mi", "512Mi", "1Gi"];
const MODELS: [&str; 7] = ["virtio", "e1000", "e1000e", "igb", "ne2k_pci", "pcnet", "rtl8139"];
const STATE: Shape = Object(&[Field("enabled", May, Bool)]);
const PRESENT: Field = Field("present", May, Bool);
/// Largest that the schema of KubeVirt's CRD takes.
const INT32: i64 = i32::MAX as i64;

static CPU_FEATURE: Shape = Object(&[
    Field("name", Must, Text(NAME)),
    Field("policy", May, OneOf(&["force", "require", "optional", "disable", "forbid"])),
]);

static CLOCK: Shape = Object(&[
    Field("utc", May, Object(&[Field("offsetSeconds", May, Whole(-INT32, INT32))])),
    Field("timezone", May, Text(ZONE)),
    Field(
        "timer",
        May,
        Object(&[
            Field(
                "hpet",
                May,
                Object(&[PRESENT, Field("tickPolicy", May, OneOf(&["delay", "catchup", "merge", "discard"]))]),
            ),
            Field("kvm", May, Object(&[PRESENT])),
            Field("pit", May, Object(&[PRESENT, Field("tickPolicy", May, OneOf(&["delay", "catchup", "discard"]))])),
            Field(
                "rtc",
                May,
                Object(&[
                    PRESENT,
                    Field("tickPolicy", May, OneOf(&["delay", "catchup"])),
                    Field("track", May, OneOf(&["guest", "wall"])),
                ]),
            ),
            Field("hyperv", May, Object(&[PRESENT])),
        ]),
    ),
]);

static FEATURES: Shape = Object(&[
    Field("acpi", May, STATE),
    Field("apic", May, Object(&[Field("enabled", May, Bool), Field("endOfInterrupt", May, Bool)])),
    Field(
        "hyperv",
        May,
        Object(&[
            Field("relaxed", May, STATE),
            Field("vapic", May, STATE),
            Field(
                "spinlocks",
                May,
                Object(&[Field("enabled", May, Bool), Field("spinlocks", May, Whole(4096, INT32))]),
            ),
            Field("vpindex", May, STATE),
            Field("runtime", May, STATE),
            Field("synic", May, STATE),
            Field("synictimer", May, Object(&[Field("enabled", May, Bool), Field("direct", May, STATE)])),
            Field("reset", May, STATE),
            Field("vendorid", May, Object(&[Field("enabled", May, Bool), Field("vendorid", May, Text(VENDOR))])),
            Field("frequencies", May, STATE),
            Field("reenlightenment", May, STATE),
            Field(
                "tlbflush",
                May,
                Object(&[Field("enabled", May, Bool), Field("direct", May, STATE), Field("extended", May, STATE)]),
            ),
            Field("ipi", May, STATE),
            Field("evmcs", May, STATE),
        ]),
    ),
    Field("hypervPassthrough", May, STATE),
    Field("kvm", May, Object(&[Field("hidden", May, Bool)])),
    Field("pvspinlock", May, STATE),
    Field("smm", May, STATE),
]);

/// `diag288` exists on s390x alone, and this one on amd64 alone.
const WATCHDOG: Shape = Object(&[
    Field("name", Must, Text(NAME)),
    Field("i6300esb", Must, Object(&[Field("action", May, OneOf(&["poweroff", "reset", "shutdown"]))])),
]);

static INPUT: Shape = Object(&[
    Field("name", Must, Text(NAME)),
    Field("type", Must, OneOf(&["tablet"])),
    Field("bus", May, OneOf(&["virtio", "usb"])),
]);

static BLOCK_SIZE: Shape = Object(&[
    Field(
        "custom",
        May,
        Object(&[
            Field("logical", Must, Whole(512, 2 << 20)),
            Field("physical", Must, Whole(512, 2 << 20)),
            Field("discardGranularity", May, Whole(0, INT32)),
        ]),
    ),
    Field("matchVolume", May, STATE),
]);

const DHCP: Shape = Object(&[
    Field("bootFileName", May, Text(PRINTABLE)),
    Field("tftpServerName", May, Text(PRINTABLE)),
    Field("ntpServers", May, List(&Text(IPV4), 16)),
    Field("privateOptions", May, With(&List(&PRIVATE_OPTION, 31), values::different_options)),
]);

static PRIVATE_OPTION: Shape = Object(&[Field("option", Must, Whole(224, 254)), Field("value", Must, Text(PRINTABLE))]);

static DNS: Shape = Object(&[
    Field("nameservers", May, List(&Text(IP), 3)),
    Field("searches", May, List(&Text(SUBDOMAIN), 6)),
    Field("options", May, List(&DNS_OPTION, 16)),
]);

static DNS_OPTION: Shape = Object(&[Field("name", Must, Text(PRINTABLE)), Field("value", May, Text(PRINTABLE))]);

/// What only `ignore-fields` may name besides: sizes and the run strategy, which people change on the cluster itself.
const IGNORED: [&[&str]; 5] = [
    &["spec", "runStrategy"],
    &["spec", "template", "spec", "domain", "cpu", "cores"],
    &["spec", "template", "spec", "domain", "cpu", "sockets"],
    &["spec", "template", "spec", "domain", "cpu", "threads"],
    &["spec", "template", "spec", "domain", "memory", "guest"],
];

/// Annotations of CDI that a disk's patch may touch (X47).
const CDI: [&str; 3] = [
    "cdi.kubevirt.io/storage.bind.immediate.requested",
    "cdi.kubevirt.io/storage.usePopulator",
    "cdi.kubevirt.io/storage.deleteAfterCompletion",
];

static LABELS: Shape = Text(LABEL_VALUE);
static ANNOTATIONS: Shape = Text(ANY);
static FREE: Shape = Shape::Any;

/// A label of another domain that an asset's patch may touch: which nodes a MachineConfig means.
const ROLE: &str = "machineconfiguration.openshift.io/role";

/// The shape of what stands at `path`, if a patch may touch it there as a whole. Scheduling needs permission.
pub(super) fn shape(target: Target, scheduling: bool, path: &[String]) -> Option<&'static Shape> {
    match target {
        Target::Vm => {
            let below = path.strip_prefix(&TEMPLATE.map(str::to_owned))?;
            let tables = [VM, if scheduling { scheduling::VM } else { &[] }];
            let fits = |allowed: &&Allowed| {
                let wanted = allowed.0.split('/');
                wanted.clone().count() == below.len()
                    && wanted.zip(below).all(|(wanted, segment)| wanted == "*" || wanted == segment)
            };
            tables.into_iter().flatten().find(fits).map(|allowed| &allowed.1)
        }
        Target::Disk => of_metadata(path, &[], &CDI),
        Target::Asset if path.len() > 1 && path[0] == "spec" => Some(&FREE),
        Target::Asset => of_metadata(path, &[ROLE], &[]),
    }
}

/// Labels and annotations of no reserved domain, and those that are named.
fn of_metadata(path: &[String], labels: &[&str], annotations: &[&str]) -> Option<&'static Shape> {
    let [metadata, map, key] = path else { return None };
    let free = (KEY.0)(key) && !is_reserved(key);
    match (metadata.as_str(), map.as_str()) {
        ("metadata", "labels") if free || labels.contains(&key.as_str()) => Some(&LABELS),
        ("metadata", "annotations") if free || annotations.contains(&key.as_str()) => Some(&ANNOTATIONS),
        _ => None,
    }
}

/// Whether `ignore-fields` may name this path: one that a patch may touch, or a part of it, or a size or the run strategy.
/// So nothing that says whose the object is, where its disks come from or what it is connected to can be masked.
pub(super) fn ignorable(target: Target, path: &Pointer) -> bool {
    (1..=path.0.len()).any(|end| shape(target, true, &path.0[..end]).is_some())
        || target == Target::Vm && IGNORED.iter().any(|known| path.0 == *known)
}
