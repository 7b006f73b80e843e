//! KubeVirt without nodes: plays virt-controller, the storage provisioner and the node on a real kube-apiserver that
//! holds KubeVirt's real CRDs. Level-triggered: every step is derived from the objects, so a restart converges.
//! Facts: KubeVirt 1.8.2, pkg/virt-controller/watch/vm and vmi. I/O: the API server that the client points at.
//!
//! # Failures on request
//!
//! | name | on | effect, until it is cleared |
//! |---|---|---|
//! | `unschedulable` | VM, VMI | VMI stays Scheduling with PodScheduled=False/Unschedulable, VM is ErrorUnschedulable |
//! | `crash-loop` | VM, VMI | VMI goes Failed, before or after Running; VM is CrashLoopBackOff between growing waits |
//! | `stuck-terminating` | VM, VMI | a deleted VMI that has a node does not go away, VM is Stopping or Terminating |
//! | `pvc-pending` | PVC | PVC stays Pending, VM is WaitingForVolumeBinding |
//!
//! Ways to ask for one, all with the same names:
//! - the annotation `sim.kubevirt.io/<name>: "true"` on the object (for a VMI: through the VM or its template);
//! - ConfigMap `kubevirt-sim` in namespace `default`: key `<name>`, value one `namespace/name` glob per line (`*` stands
//!   for anything, `#` starts a comment). It is watched: editing it injects and clears failures while all else runs;
//! - the flag `--fail <name>=<namespace>/<glob>`.
//!
//! # What differs from a real cluster
//!
//! Nodes and the KubeVirt object are made once, at start, where there are none. No pods, Events, ControllerRevisions, live updates or moves, which KubeVirt's own virt-controller brings; RestartRequired for every edit of an instance. A VMI whose PVC is unbound waits in
//! Pending (a real scheduler would make it Unschedulable). A PVC in use can be deleted. CDI fills a disk as `cdi` says. Defaults that virt-api's webhooks fill in are put on the VMI only.

mod cdi;
mod conditions;
mod controller;
mod driver;
mod failures;
mod furniture;
mod kubelet;
mod node;
mod objects;
mod pace;
mod progress;
mod storage;
mod watch;
mod world;
mod writes;

pub use driver::run;
pub use failures::{BadRule, Failure, Rule};
pub use pace::Delays;

/// Name of the ConfigMap (namespace `default`) that asks for failures.
pub const RULES: &str = "kubevirt-sim";

/// Which parts to play. Where KubeVirt's own virt-controller runs, all but the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// virt-controller: VirtualMachine to VirtualMachineInstance, up to phase Scheduled; stop and delete.
    Controller,
    /// The provisioner and the PV controller: claims become Bound, volumes go with their claims. And CDI, where it is.
    Storage,
    /// virt-handler: Scheduled to Running, shutdown, and what virt-controller hands over of a move or of a volume to plug in.
    Node,
    /// The scheduler and the kubelet, for the pods that KubeVirt's own virt-controller makes.
    Kubelet,
}

/// How the simulator behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long each simulated step takes.
    pub delays: Delays,
    /// Parts to play.
    pub roles: Vec<Role>,
    /// Failures that hold as long as the simulator runs.
    pub rules: Vec<Rule>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { delays: Delays::default(), roles: vec![Role::Controller, Role::Storage, Role::Node], rules: Vec::new() }
    }
}
