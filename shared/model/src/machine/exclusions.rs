//! What of a Machine is left alone, and why: by the words of its author, by whose it is, or by what is in the way. Pure. D19.

use kube::ResourceExt;

use super::intent::DELETION_POLICIES;
use crate::api::Machine;
use crate::message::is_ours;
use crate::names::{self, ClusterName};
use crate::patch::UserPatches;
use crate::reason::Reason;
use crate::text::line;

/// Bytes of a sentence that somebody else may have written.
const SENTENCE: usize = 512;

/// Something that we do not touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// Of which Machine, as `<namespace>/<name>`.
    pub machine: String,
    /// What: the Machine itself, or something of it.
    pub what: String,
    /// A word.
    pub reason: &'static str,
    /// A sentence.
    pub why: String,
}

/// Reasons of conditions that mean: nothing is written before somebody acts.
const STOPPED_BY: [Reason; 4] =
    [Reason::Conflict, Reason::InvalidAssignment, Reason::ClusterIdentityChanged, Reason::NotAdmitted];

/// Everything of a Machine that is left alone now. `cluster` is the one that it concerns.
pub fn exclusions(machine: &Machine, cluster: Option<&ClusterName>) -> Vec<Exclusion> {
    let mut found = Vec::new();
    let name = format!("{}/{}", machine.namespace().unwrap_or_default(), machine.name_any());
    let mut leave = |what: &str, reason, why: String| {
        found.push(Exclusion { machine: name.clone(), what: what.to_owned(), reason, why: line(&why, SENTENCE) });
    };
    let provider = machine.spec.provider.as_deref();
    if !is_ours(provider) {
        leave("the Machine", "ForeignProvider", format!("spec.provider is {:?}", provider.unwrap_or_default()));
        return found;
    }
    let on = cluster.map(|cluster| format!(" on {:?}", cluster.0)).unwrap_or_default();
    let annotations = machine.annotations().iter().map(|(key, value)| (key.as_str(), value.as_str()));
    match UserPatches::read(annotations) {
        Ok(patches) => {
            let disks = patches.disks.iter().map(|(disk, patch)| (format!("the claim of disk {disk}"), patch));
            for (what, patch) in std::iter::once(("the VirtualMachine".to_owned(), &patches.vm)).chain(disks) {
                if patch.unmanaged {
                    leave(&format!("{what}{on}"), "Unmanaged", "an annotation says mode: unmanaged".to_owned());
                }
                let fields = patch.ignored_fields();
                if !fields.is_empty() {
                    let why = format!("an annotation says to ignore {}", fields.join(", "));
                    leave(&format!("fields of {what}{on}"), "IgnoredFields", why);
                }
            }
        }
        Err(wrong) => {
            let why = wrong.first().map(|it| format!("{}: {}", it.path, it.message)).unwrap_or_default();
            leave("patches, ignored fields and modes", Reason::PatchInvalid.code(), why);
        }
    }
    let policy = machine.annotations().get(names::DELETION_POLICY).map(String::as_str);
    match policy {
        None | Some("Delete") => {}
        Some("Retain") => leave(&format!("the disks{on}"), "Retain", "they stay when the Machine goes".to_owned()),
        Some("Orphan") => {
            leave(&format!("VirtualMachine and disks{on}"), "Orphan", "they stay when the Machine goes".to_owned());
        }
        Some(unknown) => {
            let why = format!(
                "the annotation {} says {unknown:?}: nothing is deleted before it is one of {}",
                names::DELETION_POLICY,
                DELETION_POLICIES.join(", ")
            );
            leave(&format!("VirtualMachine and disks{on}"), "UnknownDeletionPolicy", why);
        }
    }
    let conditions = machine.status.iter().flat_map(|status| &status.conditions);
    for condition in conditions.filter(|condition| condition.status == "False") {
        // The summary repeats what another condition says.
        let repeated = condition.type_ == "Ready" && found_elsewhere(machine, &condition.reason);
        if let Some(reason) = STOPPED_BY.iter().find(|reason| reason.code() == condition.reason && !repeated) {
            leave(&format!("{}{on}", condition.type_), reason.code(), condition.message.clone());
        }
    }
    found
}

fn found_elsewhere(machine: &Machine, reason: &str) -> bool {
    let mut conditions = machine.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|it| it.type_ != "Ready" && it.status == "False" && it.reason == reason)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::table::every_row;

    fn said(change: Value) -> Vec<String> {
        let mut machine = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
            "metadata": {"namespace": "shop", "name": "web"}, "spec": {}});
        json_patch::merge(&mut machine, &change);
        let machine = serde_json::from_value(machine).expect("a Machine");
        let all = exclusions(&machine, Some(&ClusterName("east".to_owned())));
        all.into_iter().map(|it| format!("{} | {} | {} | {}", it.machine, it.what, it.reason, it.why)).collect()
    }

    fn annotated(key: &str, value: &str) -> Value {
        json!({"metadata": {"annotations": {key: value}}})
    }

    #[test]
    fn d19_what_is_left_alone_is_said_with_its_reason() {
        let condition = |kind: &str, reason: &str| {
            json!({"type": kind, "status": "False", "reason": reason, "message": "VM a/b\n exists",
                "lastTransitionTime": "2026-11-21T00:00:00Z"})
        };
        let conflict = json!({"status": {"conditions": [condition("Ready", "Conflict"), condition("VirtualMachineReady", "Conflict")]}});
        #[rustfmt::skip]
        let cases = [
            ("nothing special", json!({}), vec![]),
            ("another provider", json!({"spec": {"provider": "proxmox"}, "metadata": {"annotations": {"vitistack.io/deletion-policy": "Retain"}}}),
                vec!["shop/web | the Machine | ForeignProvider | spec.provider is \"proxmox\""]),
            ("unmanaged", annotated("platform.kubevirt.io/mode", "unmanaged"),
                vec!["shop/web | the VirtualMachine on \"east\" | Unmanaged | an annotation says mode: unmanaged"]),
            ("a disk", annotated("vitistack.io/mode.disk.data", "unmanaged"),
                vec!["shop/web | the claim of disk data on \"east\" | Unmanaged | an annotation says mode: unmanaged"]),
            ("fields", annotated("platform.kubevirt.io/ignore-fields", "/spec/template/spec/nodeSelector"),
                vec!["shop/web | fields of the VirtualMachine on \"east\" | IgnoredFields | an annotation says to ignore /spec/template/spec/nodeSelector"]),
            ("a mode that is none", annotated("platform.kubevirt.io/mode", "manual"),
                vec!["shop/web | patches, ignored fields and modes | PatchInvalid | metadata.annotations[platform.kubevirt.io/mode]: Unsupported value: \"manual\": supported values: unmanaged"]),
            ("kept disks", annotated("vitistack.io/deletion-policy", "Retain"),
                vec!["shop/web | the disks on \"east\" | Retain | they stay when the Machine goes"]),
            ("kept VM", annotated("vitistack.io/deletion-policy", "Orphan"),
                vec!["shop/web | VirtualMachine and disks on \"east\" | Orphan | they stay when the Machine goes"]),
            ("an unknown word", annotated("vitistack.io/deletion-policy", "Keep"),
                vec!["shop/web | VirtualMachine and disks on \"east\" | UnknownDeletionPolicy | the annotation vitistack.io/deletion-policy says \"Keep\": nothing is deleted before it is one of Delete, Retain, Orphan"]),
            ("in conflict", conflict,
                vec!["shop/web | VirtualMachineReady on \"east\" | Conflict | VM a/b exists"]),
            ("not admitted", json!({"status": {"conditions": [condition("Ready", "NotAdmitted")]}}),
                vec!["shop/web | Ready on \"east\" | NotAdmitted | VM a/b exists"]),
            ("only on its way", json!({"status": {"conditions": [condition("Ready", "Creating")]}}), vec![]),
        ];
        every_row(cases, |(name, change, want)| assert_eq!(said(change), want, "{name}"));
    }
}
