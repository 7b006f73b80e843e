//! The message that admission leaves on a Machine and the controller acts on: the contract of the two processes. Pure.
//!
//! Four parts: the assignment, the size, the explanation of the assignment, and the cluster that the controller records.
//! Each is written by one function and read by one function, all of them here; what an earlier version wrote is read, too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::ClusterName;

/// Whether a Machine of this `spec.provider` is this operator's.
pub fn is_ours(provider: Option<&str>) -> bool {
    matches!(provider, None | Some("" | "kubevirt"))
}

/// A text of the message: an empty one says nothing.
pub fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// `status.kubevirtConfigRef` as it is stored, whatever type holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reference<'a> {
    /// `name`.
    pub name: Option<&'a str>,
    /// `clusterId`.
    pub cluster_id: Option<&'a str>,
    /// `namespace`.
    pub namespace: Option<&'a str>,
}

/// The cluster that holds a Machine's objects, once that is certain: it is recorded before the first write there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// Name of the KubevirtConfig; absent where neither the record nor an assignment names one.
    pub cluster: Option<&'a str>,
    /// UID of the cluster's `kube-system` namespace.
    pub id: &'a str,
    /// Namespace of the objects there; absent where it is the Machine's own.
    pub namespace: Option<&'a str>,
}

impl<'a> Recorded<'a> {
    /// Reads the record of a Machine with this assignment; without an identity nothing was made anywhere yet.
    pub fn read(reference: Reference<'a>, assigned: Option<&'a str>) -> Option<Self> {
        let id = said(reference.cluster_id)?;
        Some(Self { cluster: said(reference.name).or(said(assigned)), id, namespace: said(reference.namespace) })
    }
}

/// The size that admission resolved, as it stands in `vitistack.io/resolved`. The spec stays the author's intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sizing {
    /// The name of the size; absent when the spec gives everything itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Where the size of that name came from.
    pub source: SizeSource,
    /// `metadata.generation` of the MachineClass it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Cores per socket.
    pub cores: i64,
    /// Threads per core.
    pub threads: i64,
    /// Sockets.
    pub sockets: i64,
    /// Guest memory, a quantity.
    pub memory: String,
    /// Every disk, the template's first.
    pub disks: Vec<SizedDisk>,
}

/// Where a size came from (X21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SizeSource {
    /// One of small, medium and large.
    #[serde(rename = "built-in")]
    BuiltIn,
    /// A MachineClass object.
    MachineClass,
    /// The spec alone.
    #[serde(rename = "spec")]
    Spec,
}

impl SizeSource {
    /// The word in the annotation and in the status.
    pub const fn name(self) -> &'static str {
        match self {
            SizeSource::BuiltIn => "built-in",
            SizeSource::MachineClass => "MachineClass",
            SizeSource::Spec => "spec",
        }
    }
}

/// One disk of a [`Sizing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SizedDisk {
    /// Name within the Machine, from which that of the claim is made.
    pub name: String,
    /// Capacity, a quantity.
    pub size: String,
    /// StorageClass; `default` means the cluster's default unless a class of that name exists (X23). Absent: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Access mode of the claim.
    pub access_mode: String,
    /// Volume mode of the claim; absent: the API server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mode: Option<String>,
    /// The machine boots from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boot: bool,
}

impl Sizing {
    /// The text of the annotation.
    ///
    /// # Panics
    ///
    /// Never: it is plain data.
    pub fn write(&self) -> String {
        written(self)
    }

    /// Reads the text of the annotation.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// Why a Machine is where it is, as it stands in `vitistack.io/placement`: for people, and for the controller, which looks
/// for a VM by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation<'a> {
    /// The rule that decided.
    #[serde(borrow, default)]
    pub rule: Cow<'a, str>,
    /// The KubevirtConfig that it is about.
    #[serde(borrow)]
    pub cluster: Cow<'a, str>,
    /// The VM that was found there.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<Cow<'a, str>>,
    /// Whether the cluster was searched for a VM: one that does not answer was not.
    #[serde(default = "searched", skip_serializing_if = "Clone::clone")]
    pub searched: bool,
    /// The default that the author's selector passed over.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub default_passed_over: Option<Cow<'a, str>>,
    /// How many clusters were left out, by reason.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: BTreeMap<Cow<'a, str>, usize>,
    /// The first of those that had no room: how much there is, in words.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub room: Vec<Cow<'a, str>>,
    /// How many there were to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<usize>,
    /// The first names of those.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub among: Vec<Cow<'a, str>>,
}

/// What an explanation says that does not mention it.
const fn searched() -> bool {
    true
}

impl<'a> Explanation<'a> {
    /// Longer texts are nobody's of ours.
    const LONGEST: usize = 4096;

    /// The text of the annotation.
    ///
    /// # Panics
    ///
    /// Never: it is plain data.
    pub fn write(&self) -> String {
        written(self)
    }

    /// Reads the text of the annotation; nothing where it is not an explanation of ours.
    pub fn read(text: &'a str) -> Option<Self> {
        if text.len() > Self::LONGEST { None } else { serde_json::from_str(text).ok() }
    }
}

/// The JSON of plain data, in a text that has room from the beginning: one that grows is copied each time.
fn written(data: &impl Serialize) -> String {
    let mut out = Vec::with_capacity(1024);
    serde_json::to_writer(&mut out, data).expect("invariant: it is plain data");
    String::from_utf8(out).expect("invariant: JSON is UTF-8")
}

/// Under which of its names a VM has to be looked for before one is made, by the explanation of admission: under the one
/// that was found, under none when the cluster was searched in vain, and under all of them when it was not searched or
/// nothing is said about it. No hint is not *no VM*.
pub fn names_to_look_under(explanation: Option<&str>, cluster: &ClusterName, names: Vec<String>) -> Vec<String> {
    let explanation = explanation.and_then(Explanation::read).filter(|it| *it.cluster == *cluster.0);
    match explanation.map(|it| (it.vm, it.searched)) {
        Some((Some(vm), _)) if names.iter().any(|name| *name == *vm) => vec![vm.into_owned()],
        Some((None, true)) => Vec::new(),
        _ => names,
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
