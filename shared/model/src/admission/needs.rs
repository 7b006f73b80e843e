//! What has to be asked before a request can be decided, because no watch knows it: nothing, for nearly every request. Pure.
//!
//! The webhook asks, and decides on a World that knows the answers. Without an answer a cluster stays silent and a Secret
//! unreadable: *unknown* decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::review::Request;
use super::world::{Vm, World};
use super::{placement, rules};
use crate::names::{ClusterName, VmKey};

/// Questions about one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// VirtualMachines to look for on clusters whose watches are not fresh.
    pub vms: BTreeMap<ClusterName, Vec<VmKey>>,
    /// Secrets of the Machine's namespace that the author must be allowed to read (T9).
    pub secrets: Vec<String>,
}

/// The answers. What is not in them was not answered in time.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Of each cluster that answered for all it was asked: every VirtualMachine asked for; `None`: there is none.
    pub vms: BTreeMap<ClusterName, Vec<(VmKey, Option<Vm>)>>,
    /// Of each Secret: whether the author may read it, or why that is not known.
    pub readable: BTreeMap<String, Result<bool, String>>,
}

impl Needs {
    /// Whether the request can be decided as it is.
    pub fn is_empty(&self) -> bool {
        self.vms.is_empty() && self.secrets.is_empty()
    }
}

impl World {
    /// This World together with the answers, for the one request that they were asked for.
    #[must_use]
    pub fn knowing(&self, answers: Answers) -> World {
        let mut world = self.clone();
        for (cluster, asked) in answers.vms {
            let Some(config) = world.configs.get_mut(&cluster) else { continue };
            let link = &mut Arc::make_mut(config).link;
            // It was asked for VirtualMachines alone: what else its watches hold is as old as before.
            link.classes_silent = link.silent.take().or(link.classes_silent.take());
            for (key, vm) in asked {
                match vm {
                    Some(vm) => link.vms.insert_mut(key, vm),
                    // It was deleted while nobody watched.
                    None => drop(link.vms.remove_mut(&key)),
                }
            }
        }
        world.readable = answers.readable;
        world
    }
}

fn secrets(request: &Request<'_>) -> Vec<String> {
    let old = request.old_object.as_ref();
    let leaving = old.is_some_and(|old| old.metadata.deletion_timestamp.is_some());
    let Some(object) = request.object.as_ref().filter(|object| !leaving && super::ours(object)) else {
        return Vec::new();
    };
    // Another provider's Machine that becomes ours is judged like a new one (X79).
    let old = old.filter(|old| super::ours(old) && placement::judged(old));
    rules::cloudinit::secrets(object, old).into_iter().map(str::to_owned).collect()
}

/// What has to be asked before this request can be decided.
pub fn needs(request: &Request<'_>, world: &World) -> Needs {
    Needs { vms: placement::doubts(request, world), secrets: secrets(request) }
}
