//! What admission writes onto a Machine, and its JSON patch. Pure.
//!
//! The patch is written as text, never by comparing two trees. It touches our own keys only.

use model::names;

use crate::json;
use crate::placement::Placement;
use crate::review::{Metadata, Object};

/// One thing to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets an annotation of ours.
    Annotate(&'static str, String),
    /// Adds our finalizer.
    Guard,
}

/// The changes between the object and the decision; empty when the object carries it already.
pub fn wanted(
    object: &Object<'_>,
    placement: Option<&Placement>,
    resolved: Option<&str>,
    leaving: bool,
) -> Vec<Change> {
    let annotations = object.metadata.annotations.as_ref();
    let mut changes = Vec::new();
    let mut annotate = |key, now: Option<&str>, wanted: Option<&str>| {
        if let Some(wanted) = wanted.filter(|wanted| now != Some(wanted)) {
            changes.push(Change::Annotate(key, wanted.to_owned()));
        }
    };
    let now = annotations.and_then(|all| all.kubevirt_config.as_deref());
    annotate(names::KUBEVIRT_CONFIG, now, placement.map(|placement| placement.cluster.0.as_str()));
    let explained = object.annotation(|all| &all.placement);
    let open = placement.filter(|it| !leaving && !it.why.is_empty());
    // An explanation that an earlier pass wrote is better than that of this one, which finds the cluster named. One of a
    // settled Machine is only put back where it was dropped.
    let missing = open.filter(|it| explained.is_none_or(|why| !it.settled && !it.agrees_with(why)));
    annotate(names::PLACEMENT, explained, missing.map(|it| it.why.as_str()));
    annotate(names::RESOLVED, annotations.and_then(|all| all.resolved.as_deref()), resolved);
    let guarded =
        object.metadata.finalizers.as_deref().unwrap_or_default().iter().any(|name| **name == *names::CLEANUP);
    if !leaving && !guarded {
        changes.push(Change::Guard);
    }
    changes
}

/// The JSON patch (RFC 6902) that makes the changes on an object with this metadata.
pub fn patch(changes: &[Change], metadata: &Metadata<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'[');
    if metadata.annotations.is_none() && changes.iter().any(|change| matches!(change, Change::Annotate(..))) {
        out.extend_from_slice(br#"{"op":"add","path":"/metadata/annotations","value":{}}"#);
    }
    for change in changes {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"op":"add","path":""#);
        match change {
            Change::Annotate(key, value) => {
                out.extend_from_slice(b"/metadata/annotations");
                for (at, part) in key.split('/').enumerate() {
                    out.extend_from_slice(if at == 0 { "/" } else { "~1" }.as_bytes());
                    out.extend_from_slice(part.as_bytes());
                }
                out.extend_from_slice(br#"","value":"#);
                json::string(&mut out, value);
            }
            Change::Guard if metadata.finalizers.is_none() => {
                out.extend_from_slice(br#"/metadata/finalizers","value":["#);
                json::string(&mut out, names::CLEANUP);
                out.push(b']');
            }
            Change::Guard => {
                out.extend_from_slice(br#"/metadata/finalizers/-","value":"#);
                json::string(&mut out, names::CLEANUP);
            }
        }
        out.push(b'}');
    }
    out.push(b']');
    out
}
