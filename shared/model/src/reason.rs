//! Every reason code: where it shows, when it is tried again, how grave it is, and the sentence that says what to do next.
//!
//! A [`Violation`] is the request's fault and goes back to its author; a reason in a condition is the state of things.
//! `docs/reasons.md` is generated from [`Reason::ALL`].

/// Condition types of a Machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// The summary.
    Ready,
    /// The VirtualMachine exists and is what was asked for.
    VirtualMachineReady,
    /// Every disk is bound.
    StorageReady,
    /// The instance has its interfaces.
    NetworkReady,
    /// The assigned cluster answers and is the one recorded.
    ClusterReachable,
    /// KubeVirt will apply a change only when the VM restarts.
    RestartRequired,
    /// Everything that the Machine asks for has its effect.
    SpecApplied,
}

impl Condition {
    /// The type as it is written in `status.conditions`.
    pub const fn name(self) -> &'static str {
        match self {
            Condition::Ready => "Ready",
            Condition::VirtualMachineReady => "VirtualMachineReady",
            Condition::StorageReady => "StorageReady",
            Condition::NetworkReady => "NetworkReady",
            Condition::ClusterReachable => "ClusterReachable",
            Condition::RestartRequired => "RestartRequired",
            Condition::SpecApplied => "SpecApplied",
        }
    }
}

/// What ends the state that a reason names, and so when a write that failed for it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Its author changes the request.
    Author,
    /// A watch event; nothing is asked in between.
    Event,
    /// Time: it is tried again with backoff.
    Backoff,
}

impl Retry {
    /// The word used in `docs/reasons.md`.
    pub const fn name(self) -> &'static str {
        match self {
            Retry::Author => "when the request is changed",
            Retry::Event => "by itself, on the next event",
            Retry::Backoff => "by itself, with backoff",
        }
    }
}

/// How grave a state is: the type of the Event that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It is as it should be, or on its way there.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// Where a reason is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownIn {
    /// In the answer to the request.
    Admission,
    /// In a condition of the Machine.
    Machine(Condition),
    /// In `status` of a KubevirtConfig.
    KubevirtConfig,
}

macro_rules! reasons {
    ($($name:ident, $code:literal, $shown:expr, $retry:ident, $severity:ident, $next:literal;)*) => {
        /// A reason code. The code never changes its meaning; alerts and scripts match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $next] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),*];

            /// The code as it is written in causes, conditions, events and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)* }
            }

            /// Where it shows.
            pub const fn shown_in(self) -> ShownIn {
                match self { $(Reason::$name => $shown,)* }
            }

            /// What ends it.
            pub const fn retry(self) -> Retry {
                match self { $(Reason::$name => Retry::$retry,)* }
            }

            /// How grave it is.
            pub const fn severity(self) -> Severity {
                match self { $(Reason::$name => Severity::$severity,)* }
            }

            /// The next step of the person who reads it.
            pub const fn next_step(self) -> &'static str {
                match self { $(Reason::$name => $next,)* }
            }
        }
    };
}

use Condition::{
    ClusterReachable, NetworkReady, Ready, RestartRequired, SpecApplied, StorageReady, VirtualMachineReady,
};
use ShownIn::{Admission, KubevirtConfig, Machine};

reasons! {
    TemplateNotFound, "TemplateNotFound", Admission, Author, Warning, "Use a valid template name: `kubectl get machineclasses` lists the classes; small, medium and large are built in.";
    TemplateConflict, "TemplateConflict", Admission, Author, Warning, "Keep one of spec.template, spec.instanceType, spec.machineClass and the label, or give them the same value.";
    SizingConflict, "SizingConflict", Admission, Author, Warning, "Give the value once: the two forms of one setting disagree.";
    FieldRequired, "FieldValueRequired", Admission, Author, Warning, "Set the field that the message names.";
    FieldInvalid, "FieldValueInvalid", Admission, Author, Warning, "Correct the value; the message says what is allowed.";
    FieldNotSupported, "FieldValueNotSupported", Admission, Author, Warning, "Use one of the values that the message lists.";
    FieldDuplicate, "FieldValueDuplicate", Admission, Author, Warning, "Give every entry of the list a name of its own.";
    FieldForbidden, "FieldValueForbidden", Admission, Author, Warning, "Take the change back: this field cannot be changed here.";
    TypeInvalid, "FieldValueTypeInvalid", Admission, Author, Warning, "Give the field a value of the type that the message names.";
    AmbiguousPlacement, "AmbiguousPlacement", Admission, Author, Warning, "Set the annotation `vitistack.io/kubevirt-config` to a name that `kubectl get kubevirtconfigs -A` lists.";
    NoKubevirtConfigs, "NoKubevirtConfigs", Admission, Author, Warning, "Create a KubevirtConfig, or make one schedulable: `kubectl get kubevirtconfigs -A`.";
    KubevirtConfigNotFound, "KubevirtConfigNotFound", Admission, Author, Warning, "Use a name that `kubectl get kubevirtconfigs -A` lists, or create the missing KubevirtConfig.";
    KubevirtConfigNotAllowed, "KubevirtConfigNotAllowed", Admission, Author, Warning, "Use a KubevirtConfig that allows the namespace, or label the namespace as its spec.allowedNamespaces asks: `kubectl get kubevirtconfigs -A -o yaml`.";
    CapabilityMissing, "CapabilityMissing", Admission, Author, Warning, "Name a cluster that runs virtual machines, or add `virtualmachines` to the spec.capabilities of its KubevirtConfig.";
    ClusterDuplicate, "ClusterDuplicate", Admission, Author, Warning, "Name the older KubevirtConfig of that cluster: `kubectl get kubevirtconfigs -A -o wide`.";
    SelectorMatchesNone, "SelectorMatchesNone", Admission, Author, Warning, "Correct spec.clusterSelector: `kubectl get kubevirtconfigs -A --show-labels` lists the labels.";
    VirtualMachineTaken, "VirtualMachineTaken", Admission, Author, Warning, "Rename the Machine, or place it on another cluster: a VirtualMachine of that name is somebody else's.";
    VirtualMachineElsewhere, "VirtualMachineElsewhere", Admission, Author, Warning, "Set the annotation `vitistack.io/kubevirt-config` to the cluster whose VirtualMachine is to be adopted.";
    ClusterSilent, "ClusterSilent", Admission, Author, Warning, "Apply again when the cluster answers, or set the annotation `vitistack.io/kubevirt-config`: `kubectl get kubevirtconfigs -A`.";
    AssignmentConflict, "AssignmentConflict", Admission, Author, Warning, "Keep the annotation or spec.kubevirtConfigRef, or give both the same name.";
    AssignmentImmutable, "AssignmentImmutable", Admission, Author, Warning, "Delete the Machine and create it again to place it elsewhere: nothing moves its disks.";
    ProviderImmutable, "ProviderImmutable", Admission, Author, Warning, "Delete the Machine with `vitistack.io/deletion-policy: Orphan` to hand its VM over.";
    ResolvedImmutable, "ResolvedImmutable", Admission, Author, Warning, "Leave `vitistack.io/resolved` alone; change the spec instead.";
    PatchInvalid, "PatchInvalid", Admission, Author, Warning, "Correct the annotation; the message names the operation, counted from 0, or the entry that is wrong.";
    PatchForbidden, "PatchForbidden", Admission, Author, Warning, "Take the operation out; the message says where the field is set instead, if anywhere.";
    NetworkConfigurationNotFound, "NetworkConfigurationNotFound", Admission, Author, Warning, "Create the required NetworkConfiguration in the Machine's namespace, or use a name that `kubectl get networkconfigurations` lists.";
    StorageClassNotFound, "StorageClassNotFound", Admission, Author, Warning, "Update storageClass to a class that the cluster has, or create the StorageClass there.";
    InsufficientResources, "InsufficientResources", Admission, Author, Warning, "Scale the cluster, choose another one, or reduce the resource requests.";
    NameTaken, "NameTaken", Admission, Author, Warning, "Choose another name: something that is not this Machine's has it already.";
    NamespaceReserved, "NamespaceReserved", Admission, Author, Warning, "Use a namespace of your own: those of Kubernetes, KubeVirt and this operator hold no Machines.";
    SecretNotReadable, "SecretNotReadable", Admission, Author, Warning, "Ask for the verb get on the Secret: a Machine brings its content to its author.";
    NotStable, "NotStable", Admission, Author, Warning, "Apply again; if it stays, another webhook edits what admission decided: `kubectl get mutatingwebhookconfigurations`.";

    NotAdmitted, "NotAdmitted", Machine(Ready), Backoff, Warning, "Check that the webhook runs: `kubectl -n kubevirt-operator-system get pods`, then `kubectl describe machine`.";
    InvalidAssignment, "InvalidAssignment", Machine(Ready), Author, Warning, "The annotations of the Machine do not fit together; apply the Machine again with the webhook running.";
    Creating, "Creating", Machine(Ready), Event, Normal, "Wait; `kubectl describe machine` shows what is being waited for.";
    Running, "Running", Machine(Ready), Event, Normal, "Nothing to do.";
    Stopped, "Stopped", Machine(Ready), Event, Normal, "Nothing to do if it shall be stopped; else start the VM, for example with `virtctl start`, or set spec.runStrategy to Always.";
    Stopping, "Stopping", Machine(Ready), Event, Normal, "Wait until the VM has stopped.";
    Terminating, "Terminating", Machine(Ready), Event, Normal, "Wait until the VM and its disks are gone; the message names what is left.";

    VmCreated, "VMCreated", Machine(VirtualMachineReady), Event, Normal, "Nothing to do.";
    VmPending, "VMPending", Machine(VirtualMachineReady), Event, Normal, "Wait; the message says what comes before the VirtualMachine.";
    VmFailed, "VMFailed", Machine(VirtualMachineReady), Event, Warning, "Look at the VM on its cluster: `kubectl describe vm,vmi -l vitistack.io/machine=NAME`.";
    VmRefused, "VMRefused", Machine(VirtualMachineReady), Backoff, Warning, "The cluster refused the VirtualMachine; its message says which field.";
    Unmanaged, "Unmanaged", Machine(VirtualMachineReady), Event, Normal, "Make the VirtualMachine yourself, or take the annotation `platform.kubevirt.io/mode` off the Machine.";
    KubeVirtApiError, "KubeVirtApiError", Machine(VirtualMachineReady), Backoff, Warning, "Check the KubeVirt installation and the permissions of the kubeconfig: `kubectl get pods -n kubevirt`.";
    PatchRefused, "PatchRefused", Machine(VirtualMachineReady), Author, Warning, "Correct the annotation that the message names: it is older than the webhook, or was written while that was away.";
    CloudInitSourceMissing, "CloudInitSourceMissing", Machine(VirtualMachineReady), Event, Warning, "Create the Secret or ConfigMap with the key that the message names, in the namespace of the Machine, or correct what it says of it.";
    CloudInitSourceUnreadable, "CloudInitSourceUnreadable", Machine(VirtualMachineReady), Backoff, Warning, "Let the controller read Secrets and ConfigMaps of that namespace: values cloudInit.sources of the chart; the message says what went wrong.";
    SshKeysNotAdded, "SSHKeysNotAdded", Machine(VirtualMachineReady), Event, Warning, "Put the keys into the user data yourself and empty spec.sshKeys, or correct the user data as the message says.";
    QuotaExceeded, "QuotaExceeded", Machine(VirtualMachineReady), Backoff, Warning, "Ask for more room in the ResourceQuota of the namespace on the cluster, or make the Machine smaller.";
    NamespaceTerminating, "NamespaceTerminating", Machine(VirtualMachineReady), Backoff, Warning, "Wait until the namespace is gone from the cluster; if it stays, `kubectl describe namespace` there says what keeps it.";
    Conflict, "Conflict", Machine(VirtualMachineReady), Backoff, Warning, "An object of that name exists and is not this Machine's; give the Machine another name.";
    PvcBound, "PVCBound", Machine(StorageReady), Event, Normal, "Nothing to do.";
    PvcPending, "PVCPending", Machine(StorageReady), Event, Normal, "Check that the StorageClass exists and has room: `kubectl describe pvc -l vitistack.io/machine=NAME`.";
    DiskGrowing, "DiskGrowing", Machine(StorageReady), Event, Normal, "Wait until the volume has grown; the message says from which size to which.";
    ExpansionRefused, "ExpansionRefused", Machine(StorageReady), Backoff, Warning, "Have `allowVolumeExpansion: true` set on the StorageClass by whoever runs the cluster, or set the size back.";
    DiskLost, "DiskLost", Machine(StorageReady), Event, Warning, "Restore the claim, or set the annotation `vitistack.io/replace-lost-disk` to the name of the disk: docs/disks.md.";
    DiskTerminating, "DiskTerminating", Machine(StorageReady), Event, Warning, "Save what is on the disk while the VM runs: its claim is being deleted.";
    SourceInvalid, "SourceInvalid", Machine(StorageReady), Backoff, Warning, "Correct what the disk is filled with; the message says what is possible.";
    CdiMissing, "CDIMissing", Machine(StorageReady), Backoff, Warning, "Have CDI installed on the cluster, or leave out what the disk is filled with.";
    ImportInProgress, "ImportInProgress", Machine(StorageReady), Event, Normal, "Wait until the disk is filled; the message says how far it is.";
    ImportFailed, "ImportFailed", Machine(StorageReady), Backoff, Warning, "Correct the source of the disk, or what it leads to; the message says what went wrong.";
    NetworkConfigured, "NetworkConfigured", Machine(NetworkReady), Event, Normal, "Nothing to do.";
    NetworkPending, "NetworkPending", Machine(NetworkReady), Event, Normal, "Wait until the instance reports its interfaces.";
    NetworkFailed, "NetworkFailed", Machine(NetworkReady), Backoff, Warning, "Create or correct what the message names: the NetworkConfiguration or NetworkNamespace, Multus on the cluster, or a right.";
    ClusterConnected, "Connected", Machine(ClusterReachable), Event, Normal, "Nothing to do.";
    ClusterUnreachable, "ClusterUnreachable", Machine(ClusterReachable), Backoff, Warning, "Check the cluster and its KubevirtConfig: `kubectl describe kubevirtconfig -A`.";
    KubevirtConfigMissing, "KubevirtConfigMissing", Machine(ClusterReachable), Event, Warning, "Create the KubevirtConfig again: the VM may still be running on that cluster.";
    ClusterIdentityChanged, "ClusterIdentityChanged", Machine(ClusterReachable), Event, Warning, "The kubeconfig leads to another cluster than the one recorded; correct its Secret.";
    RestartPending, "RestartRequired", Machine(RestartRequired), Event, Normal, "Restart the guest when it suits you: set the annotation `vitistack.io/restart` of the Machine to a new value, or use `virtctl restart`.";
    SpecApplied, "Applied", Machine(SpecApplied), Event, Normal, "Nothing to do.";
    SpecPartlyApplied, "PartlyApplied", Machine(SpecApplied), Event, Normal, "The message names what has no effect, or not yet, and what brings it.";

    KubeconfigInvalid, "KubeconfigInvalid", KubevirtConfig, Event, Warning, "Correct the Secret that spec.kubeconfigSecretRef names; the message says what is wrong with it.";
    ConnectionFailed, "ConnectionFailed", KubevirtConfig, Backoff, Warning, "Check the address, the certificate and the token in the kubeconfig; the message says what went wrong.";
    UnsupportedApi, "UnsupportedAPI", KubevirtConfig, Backoff, Warning, "Install KubeVirt on the cluster, or bring it to a version that serves the API that the message names; it is asked again by itself.";
    ClusterChanged, "ClusterIdentityChanged", KubevirtConfig, Event, Warning, "The kubeconfig leads to another cluster than the one recorded; correct its Secret, or create another KubevirtConfig for that cluster.";
    ConfigConnected, "Connected", KubevirtConfig, Event, Normal, "Nothing to do.";
    KubeconfigInUse, "InUse", KubevirtConfig, Event, Normal, "Nothing to do.";
    CredentialsExpiring, "CredentialsExpiring", KubevirtConfig, Event, Warning, "Put a kubeconfig with new credentials into the Secret before the time that the message names; it is taken up by itself.";
    CredentialsExpired, "CredentialsExpired", KubevirtConfig, Event, Warning, "Put a kubeconfig with new credentials into the Secret; it is taken up by itself.";
    KubeVirtRunning, "KubeVirtRunning", KubevirtConfig, Event, Normal, "Nothing to do.";
    KubeVirtNotRunning, "KubeVirtNotRunning", KubevirtConfig, Event, Warning, "Look at KubeVirt on the cluster: `kubectl -n kubevirt get kubevirts,pods`.";
    KubeVirtMissing, "KubeVirtMissing", KubevirtConfig, Event, Warning, "Install KubeVirt on the cluster; without it, no Machine gets a VM there.";
    Draining, "Draining", KubevirtConfig, Event, Normal, "Delete the Machines that the message names, or set spec.schedulable to true again.";
    Drained, "Drained", KubevirtConfig, Event, Normal, "Delete the KubevirtConfig, or set spec.schedulable to true again.";
    SameCluster, "SameCluster", KubevirtConfig, Event, Warning, "Name the older KubevirtConfig in new Machines, and delete this one when none are left.";
    MachinesRemain, "MachinesRemain", KubevirtConfig, Event, Warning, "Delete the Machines that are recorded on the cluster: `kubectl get machines -A`. Until they are gone they are cared for as before.";
    PlatformApplied, "PlatformApplied", KubevirtConfig, Event, Normal, "Nothing to do.";
    PlatformDiffers, "PlatformDiffers", KubevirtConfig, Event, Normal, "Read in status.platform.assets what `Enforce` would write; exclude, patch or ignore what shall stay, then set spec.platform.mode.";
    PlatformIncomplete, "PlatformIncomplete", KubevirtConfig, Backoff, Warning, "Do what the message says of the asset that it names; status.platform.assets has the others.";
    PlatformPaused, "PlatformPaused", KubevirtConfig, Event, Warning, "Find out who changes the object back each time; then set its annotation `platform.kubevirt.io/reconcile-paused` to \"false\", or name the field in `platform.kubevirt.io/ignore-fields`.";
    PlatformForbidden, "PlatformForbidden", KubevirtConfig, Backoff, Warning, "Grant the rights on the cluster: the chart with mode=remote and platform.enabled=true. It is tried again every ten minutes.";
    ExclusionInvalid, "ExclusionInvalid", KubevirtConfig, Event, Warning, "Correct the annotation `disabled-resources` that the message names; until then nothing of the baseline is written on the cluster.";
    NoVirtualization, "NoVirtualization", KubevirtConfig, Event, Warning, "Install KubeVirt or HyperConverged on the cluster, or set spec.platform.mode to Off.";
    RootConflict, "Conflict", KubevirtConfig, Event, Warning, "Keep one of the objects that the message names: which of them configures the cluster is not clear.";
    AnotherAutopilot, "AnotherAutopilot", KubevirtConfig, Event, Warning, "Remove virt-platform-autopilot from the cluster with its labels, or set spec.platform.mode to Off.";
    PlatformOff, "PlatformOff", KubevirtConfig, Event, Normal, "Delete on the cluster what status.platform.left names, if it shall not stay.";
    AssetWritten, "AssetWritten", KubevirtConfig, Event, Normal, "Nothing to do; to keep a value of your own, name the field in `platform.kubevirt.io/ignore-fields`.";
    AssetDeleted, "AssetDeleted", KubevirtConfig, Event, Normal, "Nothing to do.";
    AssetChanged, "AssetChanged", KubevirtConfig, Event, Normal, "Nothing to do, if the state is the one that you want.";
    AssetDiffers, "AssetDiffers", KubevirtConfig, Event, Normal, "Decide whether the value of the baseline or that of the cluster shall stay.";
    AssetPaused, "AssetPaused", KubevirtConfig, Event, Warning, "Find out who changes the object back each time; then set its annotation `platform.kubevirt.io/reconcile-paused` to \"false\".";
    AssetIncomplete, "AssetIncomplete", KubevirtConfig, Backoff, Warning, "Do what the message says; docs/platform.md has every state.";
}

/// One thing that is wrong with a request. Its author reads `path: message`, so the message stands alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Field path as kubectl users write it, for example `spec.disks[1].size`.
    pub path: String,
    /// Which rule.
    pub reason: Reason,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A reason and a path, waiting for its sentence.
#[derive(Debug)]
pub struct At {
    path: String,
    reason: Reason,
}

impl Reason {
    /// Starts a violation at a field path.
    pub fn at(self, path: impl Into<String>) -> At {
        At { path: path.into(), reason: self }
    }
}

impl At {
    /// Completes the violation.
    pub fn says(self, message: impl Into<String>) -> Violation {
        Violation { path: self.path, reason: self.reason, message: message.into() }
    }
}

/// The end of a sentence about an unknown name: the known one that it may be a slip of, if there is one.
pub fn did_you_mean<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    nearest(written, known).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default()
}

/// The known name that is the fewest edits away from what was written: three at most, fewer if that is short. Only 64
/// characters count: names are short, and the text is a stranger's.
pub fn nearest<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (written.chars().count() / 2).clamp(1, 3);
    let start = |text: &str| text.to_lowercase().chars().take(64).collect::<String>();
    let written = start(written);
    known
        .into_iter()
        .map(|name| (strsim::levenshtein(&written, &start(name)), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
#[path = "reason_tests.rs"]
mod tests;
