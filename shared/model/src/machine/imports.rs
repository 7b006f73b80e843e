//! What one reconcile saw of the classes of disks and of what fills them. Pure.

use std::collections::BTreeMap;

/// A StorageClass, as far as it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageClass {
    /// Its claims may grow.
    pub expands: bool,
    /// Its claims are bound when somebody uses them.
    pub waits: bool,
}

/// What is known of a Machine's DataVolumes. Unknown is never absent.
#[derive(Clone, Debug, PartialEq)]
pub enum Imports {
    /// They were not listed; the sentence says why.
    Unknown(String),
    /// We have no right to see them, nor ever had one to make any; the sentence says what it takes.
    Refused(String),
    /// The cluster serves no such kind: there is no CDI.
    Missing,
    /// These are there, by name, and no others.
    Known(BTreeMap<String, Import>),
}

impl Imports {
    /// Those that are known.
    pub fn known(&self) -> impl Iterator<Item = (&String, &Import)> {
        let known = if let Imports::Known(known) = self { Some(known) } else { None };
        known.into_iter().flatten()
    }

    /// The one of a name, if it is known.
    pub fn find(&self, name: &str) -> Option<&Import> {
        if let Imports::Known(known) = self { known.get(name) } else { None }
    }
}

/// A DataVolume, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// `metadata.uid`.
    pub uid: String,
    /// Its claim is filled.
    pub done: bool,
    /// How much of it is filled, in steps of 25.
    pub percent: u8,
    /// Why it does not get on.
    pub failure: Option<String>,
    /// Which source it was made with.
    pub source: Option<String>,
    /// Deletion was asked for.
    pub deleting: bool,
}
