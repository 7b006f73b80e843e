//! A Machine with what was decided about it, as the rules about its surroundings see it. Pure.

use std::sync::Arc;

use model::message::Sizing;
use model::names::{ClusterName, MachineKey};

use crate::review::Object;
use crate::rules::ask::Ask;
use crate::world::Config;

/// Names that a sentence lists.
const LISTED: usize = 8;
/// Names that are compared with a misspelt one.
pub(super) const COMPARED: usize = 512;

/// What was decided about a Machine before its surroundings are judged.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'r> {
    /// Its cluster, or the one that its author means where placement failed.
    pub cluster: Option<&'r ClusterName>,
    /// Its size, unless that failed.
    pub sizing: Option<&'r Sizing>,
}

/// A Machine on the cluster that it is decided to be on.
#[derive(Clone, Copy)]
pub(super) struct Placed<'r> {
    pub(super) ask: &'r Ask<'r>,
    pub(super) cluster: &'r ClusterName,
    pub(super) config: &'r Arc<Config>,
    /// Namespace of its objects there.
    pub(super) namespace: &'r str,
    /// The Machine as it was on this same cluster: nothing about a cluster that it was not on is held already.
    pub(super) old: Option<&'r Object<'r>>,
}

/// The name of the Machine, unless the API server has still to make it (X77).
pub(super) fn called<'r>(ask: &Ask<'r>) -> Option<&'r str> {
    ask.object.metadata.name.as_deref().filter(|name| !name.is_empty())
}

pub(super) fn key(ask: &Ask<'_>) -> MachineKey {
    MachineKey { namespace: (*ask.request.namespace).to_owned(), name: ask.object.name().to_owned() }
}

/// `known are a, b`, sorted, or that there is none.
pub(super) fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.len() {
        0 => "there is none".to_owned(),
        count => {
            names.truncate(LISTED);
            format!("known are {}{}", names.join(", "), if count > LISTED { ", …" } else { "" })
        }
    }
}
