//! Whose a VirtualMachine on a remote cluster is, from its metadata alone. Pure. X54, R12.
//!
//! Admission asks it of every VM of a name when it searches, the controller of the one that it is to adopt: both must read
//! the same.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::names::{self, MachineKey};
use crate::text::line;

/// Bytes of a name that somebody on the cluster chose: no namespace and name are longer.
const NAMED: usize = 320;

/// A VirtualMachine, as far as its owner goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// Whose it is; nobody's when absent.
    pub owner: Option<Owner>,
    /// `vitistack.io/adopt-by`: the Machine that it is offered to, as `<namespace>/<name>`.
    pub adopt_by: Option<String>,
    /// The Machine that left it behind.
    pub left_by: Option<Box<Left>>,
    /// It is being deleted.
    pub deleting: bool,
}

/// The Machine that left an object behind when it was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// `vitistack.io/retained-from`: `<namespace>/<name>`.
    pub machine: String,
    /// `vitistack.io/retained-supervisor`: UID of its supervisor's `kube-system`; earlier versions did not say.
    pub supervisor: Option<String>,
}

impl Left {
    /// Reads it from the annotations of an object.
    pub fn read(metadata: &ObjectMeta) -> Option<Self> {
        let annotation = |key| Some(line(metadata.annotations.as_ref()?.get(key)?, NAMED));
        let machine = annotation(names::RETAINED_FROM)?;
        Some(Self { machine, supervisor: annotation(names::RETAINED_SUPERVISOR) })
    }

    /// Whether it was a Machine of this name on this supervisor.
    pub fn is(&self, machine: &MachineKey, supervisor: &str) -> bool {
        self.machine == machine.to_string() && self.supervisor.as_deref().is_none_or(|theirs| theirs == supervisor)
    }

    /// What becomes of it, in words that follow "it", to somebody in a namespace.
    pub fn said_to(&self, reader: &str) -> String {
        format!("is kept as it is, as {} left it", names::say_machine(&self.machine, reader))
    }
}

/// Who a VirtualMachine belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A Machine, by its UID and that of its supervisor's `kube-system`; any of these may be empty.
    Machine {
        /// Name of the Machine.
        name: String,
        /// UID of the supervisor's `kube-system`.
        supervisor: String,
        /// UID of the Machine.
        uid: String,
    },
    /// A controller on that cluster, as `Kind/name`.
    Controller(String),
}

/// Which VMs without an owner are taken for the Machine's (X54): the setting `ADOPTION` of both processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adoption {
    /// Every one of the right name.
    #[default]
    Unowned,
    /// Those with the annotation `vitistack.io/adopt-by`.
    Labelled,
    /// None.
    Never,
}

impl Adoption {
    /// The words of the setting.
    pub const WORDS: [&'static str; 3] = ["unowned", "labelled", "never"];

    /// The value of a word; any other word is the most careful one.
    pub fn of(word: &str) -> Self {
        match word {
            "unowned" => Adoption::Unowned,
            "labelled" => Adoption::Labelled,
            _ => Adoption::Never,
        }
    }
}

/// Reads the owner of a VirtualMachine.
pub fn read(metadata: &ObjectMeta) -> Ownership {
    let label = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(|value| line(value, NAMED));
    let (supervisor, uid) = (label(names::SUPERVISOR), label(names::MACHINE_UID));
    let controller = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let owner = if supervisor.is_some() || uid.is_some() {
        Some(Owner::Machine {
            name: label(names::MACHINE).unwrap_or_default(),
            supervisor: supervisor.unwrap_or_default(),
            uid: uid.unwrap_or_default(),
        })
    } else {
        controller.map(|owner| Owner::Controller(line(&format!("{}/{}", owner.kind, owner.name), NAMED)))
    };
    Ownership {
        owner,
        adopt_by: metadata.annotations.as_ref().and_then(|all| all.get(names::ADOPT_BY)).map(|to| line(to, NAMED)),
        left_by: Left::read(metadata).map(Box::new),
        deleting: metadata.deletion_timestamp.is_some(),
    }
}

/// A Machine that asks for a VM.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Where it is on its supervisor.
    pub machine: &'a MachineKey,
    /// Its UID; empty while it does not exist.
    pub uid: &'a str,
    /// UID of the supervisor's `kube-system`.
    pub supervisor: &'a str,
    /// Other supervisors that are lost for good, by that UID: what their Machines had, it may take over.
    pub lost: &'a [String],
    /// No other namespace than its own has its VMs where this one is.
    pub alone: bool,
    /// `vitistack.io/take-over`: UID of its earlier self.
    pub take_over: Option<&'a str>,
}

impl Asking<'_> {
    /// Whether it names this VM as one of its earlier self, and may. In a namespace that several share, the VM has to be offered
    /// to it, too: nothing else there says of which namespace the Machine was that had it (ATK6).
    fn may_take_over(&self, vm: &Ownership) -> bool {
        let Some(Owner::Machine { name, supervisor, uid }) = &vm.owner else { return false };
        let offered = || vm.adopt_by.as_deref() == Some(self.machine.to_string().as_str());
        self.is_left(uid, supervisor) && *name == self.machine.name && (self.alone || offered())
    }

    /// Whether an object with these two UIDs is one of the earlier self that it names.
    pub fn is_left(&self, uid: &str, supervisor: &str) -> bool {
        !uid.is_empty() && self.take_over == Some(uid) && self.is_of(supervisor)
    }

    /// Whether a Machine of this supervisor may have been its earlier self.
    fn is_of(&self, supervisor: &str) -> bool {
        supervisor == self.supervisor || self.lost.iter().any(|lost| lost == supervisor)
    }

    /// Whether it is of an earlier self for certain. That one had its name, so it is gone.
    pub fn is_earlier_selfs(&self, found: &Ownership) -> bool {
        self.alone && self.earlier_self(found).is_some()
    }

    /// What an object is that an earlier self of the Machine left, in words that follow "it"; nothing of any other object.
    pub fn earlier_self(&self, found: &Ownership) -> Option<String> {
        let Some(Owner::Machine { name, supervisor, uid }) = &found.owner else { return None };
        if !self.is_of(supervisor) || *name != self.machine.name || uid == self.uid {
            return None;
        }
        let key = names::TAKE_OVER;
        // In a namespace that several share, nothing says which of them the Machine is in, so nothing of it is told (ATK12).
        if !self.alone {
            return Some(format!(
                "belongs to an earlier self of this Machine, or to a Machine of this name in another namespace: it is kept as it is, with its disks, and taken over only with the annotations {key}, the UID of the earlier self, on this Machine, and {}: {} on the VirtualMachine",
                names::ADOPT_BY,
                self.machine
            ));
        }
        let said = self.take_over.map(|said| format!(", which says {:?}", line(said, NAMED))).unwrap_or_default();
        Some(format!(
            "belongs to an earlier self of this Machine, of UID {uid}: it is kept as it is, with its disks, and taken over only with the annotation {key}: {uid} on this Machine{said}"
        ))
    }
}

/// Whose a VM on a cluster is, in words that follow "VirtualMachine X", unless it is the Machine's, its earlier self's that it
/// takes over, or free for it.
pub fn stranger(vm: &Ownership, asking: Asking<'_>, adoption: Adoption) -> Option<String> {
    let Asking { machine, uid, supervisor, alone, .. } = asking;
    match (&vm.owner, &vm.adopt_by) {
        (Some(Owner::Machine { supervisor: theirs, uid: owner, name }), _) if theirs == supervisor => {
            if !uid.is_empty() && owner == uid || asking.may_take_over(vm) {
                return None;
            }
            let another = || match name.as_str() {
                name if alone && !name.is_empty() => format!("belongs to another Machine of this fleet, {name:?}"),
                _ => "belongs to another Machine of this fleet".to_owned(),
            };
            Some(asking.earlier_self(vm).unwrap_or_else(another))
        }
        (Some(Owner::Machine { supervisor: theirs, uid, .. }), _) => {
            if asking.may_take_over(vm) {
                return None;
            }
            // Whoever names that UID knows of the other supervisor already.
            let another = || match asking
                .take_over
                .filter(|said| !uid.is_empty() && said == uid && !asking.is_of(theirs))
            {
                Some(_) => format!(
                    "belongs to another supervisor, {theirs}: if that is lost for good, whoever runs the fleet lists it in spec.takeOverFrom of the KubevirtConfig"
                ),
                None => "belongs to another supervisor".to_owned(),
            };
            Some(asking.earlier_self(vm).unwrap_or_else(another))
        }
        (Some(Owner::Controller(name)), _) => Some(format!("belongs to {name}")),
        (None, Some(offered)) if *offered != machine.to_string() => {
            Some(format!("is offered to {}", names::say_machine(offered, &machine.namespace)))
        }
        (None, Some(_)) if adoption != Adoption::Never => None,
        (None, None) if vm.left_by.as_ref().is_some_and(|left| !left.is(machine, supervisor)) => {
            vm.left_by.as_ref().map(|left| left.said_to(&machine.namespace))
        }
        // In a namespace that several share, that it is nobody's does not make it this Machine's (ATK6).
        (None, None) if adoption == Adoption::Unowned && (alone || vm.left_by.is_some()) => None,
        (None, _) => Some(format!(
            "is nobody's, and is adopted only with the annotation {}: {machine}{}",
            names::ADOPT_BY,
            if adoption == Adoption::Never { " and another setting of ADOPTION" } else { "" }
        )),
    }
}
