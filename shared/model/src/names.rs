//! Every annotation, label, finalizer and field manager that we read or write, every name that is made of others, and the
//! newtypes for names.

mod namespaces;
mod networks;

use std::fmt;

pub use namespaces::{NAMESPACE_LENGTH, OWN_NAMESPACE, is_alone, is_reserved, judge_mapping, namespace_on_cluster};
pub use networks::{attachment_name, is_bridge, is_identifier, record_name};

/// API group of all our kinds.
pub const GROUP: &str = "vitistack.io";
/// The only version served today.
pub const VERSION: &str = "v1alpha1";
/// Field manager of every write, and the value of [`MANAGED_BY`].
pub const OPERATOR: &str = "kubevirt-operator";
/// Field manager of what the flags `--vmaas-hub-*` say: an administrator's word beside it stays (X105).
pub const HUB_MANAGER: &str = "kubevirt-operator-vmaas-hub";
/// Field manager of what the gateway writes for its callers.
pub const GATEWAY_MANAGER: &str = "kubevirt-operator-gateway";

/// Annotation: hash of the request that made the object, which may come again under its `Idempotency-Key` (X108).
pub const REQUEST: &str = "vitistack.io/request";
/// Annotation: the KubevirtConfig that a Machine is assigned to.
pub const KUBEVIRT_CONFIG: &str = "vitistack.io/kubevirt-config";
/// Annotation: the size that admission resolved, as JSON ([`crate::message::Sizing`]).
pub const RESOLVED: &str = "vitistack.io/resolved";
/// Annotation: a changed value asks admission to read the MachineClass again (X60).
pub const REFRESH_CLASS: &str = "vitistack.io/refresh-class";
/// Annotation: `Delete`, `Retain` or `Orphan` (X57).
pub const DELETION_POLICY: &str = "vitistack.io/deletion-policy";
/// Annotation of a Machine that is to go without its cluster, which is gone for good: the name of that (R4).
pub const RELEASE_FROM: &str = "vitistack.io/release-from";
/// Annotation: why the Machine is where it is, written together with a new assignment, as JSON
/// ([`crate::message::Explanation`]).
pub const PLACEMENT: &str = "vitistack.io/placement";
/// Annotation: `strict` or `balanced`, how one of several clusters is chosen for this Machine, whatever the webhook is set to (X106).
pub const PLACEMENT_STRATEGY: &str = "vitistack.io/placement-strategy";
/// Annotation on a VM without an owner: the Machine that may adopt it, as `<namespace>/<name>` (X54).
pub const ADOPT_BY: &str = "vitistack.io/adopt-by";
/// Annotation of a Machine: UID of an earlier Machine of its namespace and name, whose VM and disks it takes over (X99).
pub const TAKE_OVER: &str = "vitistack.io/take-over";
/// Annotation on a VM: UID of the Machine that the MAC addresses of its interfaces are made from, where that is an earlier one.
pub const MACS_OF: &str = "vitistack.io/macs-of";
/// Annotation of a Machine: each new value restarts its guest once.
pub const RESTART: &str = "vitistack.io/restart";
/// Annotation, after a prefix of [`PATCH_PREFIXES`]: `"true"` on a VM while nothing of it is set back, because somebody changes it
/// again each time; `"false"`, there or on its Machine, ends that (X88).
pub const RECONCILE_PAUSED: &str = "reconcile-paused";
/// Annotations of a Machine that the controller alone reads.
pub const WORDS_FOR_THE_CONTROLLER: [&str; 4] =
    [RESTART, RELEASE_FROM, "platform.kubevirt.io/reconcile-paused", "vitistack.io/reconcile-paused"];
/// Annotation on an object of ours: what of it is kept true, as it was written last, in JSON.
pub const LAST_APPLIED: &str = "vitistack.io/last-applied";
/// Annotation on a DataVolume: hash of what it was made from. Earlier versions wrote one on VMs, in place of [`LAST_APPLIED`].
pub const DESIRED: &str = "vitistack.io/desired-hash";
/// Annotation on a VM: the restart that was asked for last, as JSON.
pub const RESTARTED: &str = "vitistack.io/restarted";
/// Annotation on a VM: fields of its instance that were changed since that started.
pub const CHANGED_FIELDS: &str = "vitistack.io/changed-fields";
/// Prefixes of the three annotations below; the first is the documented one (X41).
pub const PATCH_PREFIXES: [&str; 2] = ["platform.kubevirt.io/", "vitistack.io/"];
/// Annotation, after a prefix of [`PATCH_PREFIXES`]: a JSON Patch (RFC 6902) of the object that is written (X46, X47).
pub const PATCH: &str = "patch";
/// Annotation, after a prefix of [`PATCH_PREFIXES`]: JSON pointers, separated by commas, to fields that are left as they are.
pub const IGNORE_FIELDS: &str = "ignore-fields";
/// Annotation, after a prefix of [`PATCH_PREFIXES`]: `unmanaged` leaves the whole object alone.
pub const MODE: &str = "mode";
/// Between one of these three and the name of a disk: that disk's claim is meant, and not the VM (X47).
pub const OF_DISK: &str = ".disk.";
/// Annotation on a VM: hash of the cloud-init data that the Secret beside it holds (X70).
pub const CLOUD_INIT: &str = "vitistack.io/cloud-init-hash";
/// Annotation on an adopted VM: what its Machine asked for when the VM was last written, as JSON.
pub const ADOPTED: &str = "vitistack.io/adopted";
/// Finalizer of a Machine: there may be something of it on a cluster.
pub const CLEANUP: &str = "machine.vitistack.io/cleanup";
/// Finalizer of a KubevirtConfig: Machines are recorded on its cluster (R5).
pub const IN_USE: &str = "kubevirtconfig.vitistack.io/in-use";
/// Finalizer of the published Go operator, taken off together with [`CLEANUP`] (X12).
pub const LEGACY_FINALIZER: &str = "machine.vitistack.io/finalizer";

/// Label: who manages a remote object; the value is [`OPERATOR`].
pub const MANAGED_BY: &str = "vitistack.io/managed-by";
/// Label: name of the Machine that a remote object belongs to.
pub const MACHINE: &str = "vitistack.io/machine";
/// Label the published Go operator used for the same thing (X14).
pub const SOURCE_MACHINE: &str = "vitistack.io/source-machine";
/// Label: UID of the Machine that a remote object belongs to. Ownership is judged by this one.
pub const MACHINE_UID: &str = "vitistack.io/machine-uid";
/// Label: UID of the supervisor's `kube-system` namespace.
pub const SUPERVISOR: &str = "vitistack.io/supervisor";
/// Label on a Machine, an alias of `spec.template` (C1).
pub const TEMPLATE_LABEL: &str = "vitistack.io/machine-template";
/// Label on disks that outlived their Machine (X57).
pub const RETAINED: &str = "vitistack.io/retained";
/// Annotation on what outlived its Machine: `<namespace>/<machine>` (X57).
pub const RETAINED_FROM: &str = "vitistack.io/retained-from";
/// Annotation beside [`RETAINED_FROM`]: UID of that Machine's supervisor, as in [`SUPERVISOR`].
pub const RETAINED_SUPERVISOR: &str = "vitistack.io/retained-supervisor";
/// Annotation beside [`RETAINED_FROM`] on a claim: the disk that it was of that Machine (X116).
pub const RETAINED_DISK: &str = "vitistack.io/retained-disk";
/// Annotation: names of disks, separated by commas, that are made anew if they are lost (FR7).
pub const REPLACE_LOST_DISK: &str = "vitistack.io/replace-lost-disk";
/// Annotation: size of the CD-ROM's claim, a quantity; [`ISO_BYTES`] without it.
pub const ISO_SIZE: &str = "vitistack.io/iso-size";
/// Size of the CD-ROM's claim, a quantity. How large the image is, is never asked.
pub const ISO_BYTES: &str = "10Gi";

/// Disk and volume of a VM that carry its cloud-init data; no disk of a Machine has this name (C24).
pub const CLOUD_INIT_DISK: &str = "cloudinitdisk";
/// Disk of a VM that carries the ISO image of `spec.os.isoUri`; its claim is `<machine>-iso`.
pub const ISO_DISK: &str = "iso";

/// Key of a kubeconfig Secret that the controller uses, and the webhook where [`KUBECONFIG_READONLY_KEY`] is absent.
pub const KUBECONFIG_KEY: &str = "kubeconfig";
/// Key of a kubeconfig Secret with read-only rights, for the webhook.
pub const KUBECONFIG_READONLY_KEY: &str = "kubeconfig-readonly";

/// Name of a KubevirtConfig, which names one remote cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(pub String);

/// Namespace and name of a Machine on the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineKey {
    /// Namespace of the Machine.
    pub namespace: String,
    /// Name of the Machine.
    pub name: String,
}

/// Namespace and name of a VirtualMachine on one remote cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VmKey {
    /// Namespace on the remote cluster.
    pub namespace: String,
    /// Name of the VirtualMachine.
    pub name: String,
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for VmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A Machine in a message to somebody in a namespace: `machine` is `<namespace>/<name>`, and what is in another namespace is
/// none of the reader's business.
pub fn say_machine(machine: &str, reader: &str) -> String {
    match machine.split_once('/') {
        Some((namespace, _)) if namespace == reader => format!("Machine {machine}"),
        _ => "a Machine of another namespace".to_owned(),
    }
}

/// A name on a cluster that one object only can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The cluster.
    pub cluster: ClusterName,
    /// Namespace on the cluster.
    pub namespace: String,
    /// [`VM`] or [`CLAIM`].
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

/// The kind of a VM's [`Name`].
pub const VM: &str = "VirtualMachine";
/// The kind of a disk's [`Name`].
pub const CLAIM: &str = "PersistentVolumeClaim";

/// The name of a new Machine's VM.
pub fn vm_name(prefix: &str, machine: &str) -> String {
    [prefix, machine].concat()
}

/// The names that a Machine's VM may have: the one that we give, and the one that the published operator gave (X2).
pub fn vm_names(prefix: &str, machine: &str) -> Vec<String> {
    let bare = (!prefix.is_empty()).then(|| machine.to_owned());
    std::iter::once(vm_name(prefix, machine)).chain(bare).collect()
}

/// The name of a disk's claim (X16).
pub fn claim_name(machine: &str, disk: &str) -> String {
    [machine, "-", disk].concat()
}

/// The name of the Secret that carries a Machine's cloud-init data to its VM (X70).
pub fn cloud_init_secret(machine: &str) -> String {
    [machine, "-cloudinit"].concat()
}

/// Whether an API server may take a name: another one never reaches it.
pub fn is_plain(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !matches!(name, "" | "." | "..") && name.len() <= 253 && name.bytes().all(known)
}

/// The disk that a claim of this name belongs to, if it is a Machine's.
pub fn disk_of_claim<'c>(machine: &str, claim: &'c str) -> Option<&'c str> {
    claim.strip_prefix(machine)?.strip_prefix('-')
}

/// Every name that a Machine takes on a cluster: its VM's, and a claim's for each disk. `namespace` is the remote one.
pub fn names_on_cluster<'d>(
    cluster: &ClusterName,
    namespace: &str,
    machine: &str,
    vm: String,
    disks: impl IntoIterator<Item = &'d str>,
) -> Vec<Name> {
    let name = |kind, name| Name { cluster: cluster.clone(), namespace: namespace.to_owned(), kind, name };
    let claims = disks.into_iter().map(|disk| name(CLAIM, claim_name(machine, disk)));
    std::iter::once(name(VM, vm)).chain(claims).collect()
}
