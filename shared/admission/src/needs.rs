//! What has to be asked before a request can be decided, because no watch knows it: nothing, for nearly every request. Pure.
//!
//! The walk that decides notes it; the webhook asks, and decides again on a World that knows the answers. Without an answer a
//! cluster stays silent and a Secret unreadable: *unknown* decides nothing.

use std::collections::BTreeMap;

use model::machine::owner::Ownership;
use model::names::{ClusterName, VmKey};

/// Questions about one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// VirtualMachines to look for on clusters whose watches are not fresh (X43).
    pub vms: BTreeMap<ClusterName, Vec<VmKey>>,
    /// Secrets of the Machine's namespace that the author must be allowed to read (T9).
    pub secrets: Vec<String>,
}

/// The answers. What is not in them was not answered in time.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Of each cluster that answered for all it was asked: every VirtualMachine asked for; `None`: there is none.
    pub vms: BTreeMap<ClusterName, Vec<(VmKey, Option<Ownership>)>>,
    /// Of each Secret: whether the author may read it, or why that is not known.
    pub readable: BTreeMap<String, Result<bool, String>>,
}

impl Needs {
    /// Whether the request can be decided as it is.
    pub fn is_empty(&self) -> bool {
        self.vms.is_empty() && self.secrets.is_empty()
    }
}
