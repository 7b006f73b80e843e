//! `/debug/render`: every Machine and what a pass would do with it now; of one, all that would be written. D10, D18.

use std::fmt::Write;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use model::api::Machine;
use model::baseline::{LAST_APPLIED, hash};
use model::machine::{Here, Intent, Remote, There};
use model::text::line;
use serde_json::{Value, json};

use super::hidden::hide;
use crate::context::Known;
use crate::machine::kind_name;
use crate::machine::preview::{Preview, preview};
use crate::packed::Packed;

/// Bytes of a name or a word that is shown.
const WORD: usize = 253;

/// A line for each Machine: cluster, phase, the hash that its VM was last written from, and the writes that a pass would do.
pub(super) fn all(known: &Known) -> String {
    let mut machines = known.machines.state();
    machines.sort_by_key(|machine| (machine.namespace(), machine.name_any()));
    if machines.is_empty() {
        return "there are no Machines\n".to_owned();
    }
    let mut page = String::new();
    for packed in machines {
        let key = format!("{}/{}", packed.namespace().unwrap_or_default(), packed.name_any());
        let said = match packed.open().0 {
            Ok(machine) => brief(&machine, &preview(&machine, &known.ctx)),
            Err(_) => "cannot be read: see /debug/exclusions".to_owned(),
        };
        // Writing to a String does not fail.
        let _ = writeln!(page, "{key}  {said}");
    }
    page
}

fn brief(machine: &Machine, preview: &Preview) -> String {
    let phase = machine.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("-");
    let cluster = preview.intent.cluster().map_or("-", |cluster| cluster.0.as_str());
    let hash = preview.seen.vm.as_ref().and_then(|vm| vm.hash.as_deref()).unwrap_or("-");
    let mut next: Vec<String> = Vec::new();
    next.extend(preview.asks_first.then(|| "ask the cluster".to_owned()));
    next.extend(preview.plan.writes.iter().map(|write| words(write).join(" ")));
    next.extend(preview.plan.refused.iter().map(|failure| format!("refuse: {}", failure.reason.code())));
    let next = if next.is_empty() { "nothing to do".to_owned() } else { next.join(", ") };
    let [phase, cluster, hash] = [phase, cluster, hash].map(|word| line(word, WORD));
    format!("cluster={cluster} phase={phase} hash={hash}: {next}")
}

/// All of one Machine, as JSON. None: there is none of that name.
pub(super) fn one(known: &Known, namespace: &str, name: &str) -> Option<String> {
    let packed = known.machines.get(&ObjectRef::<Packed>::new(name).within(namespace))?;
    let document = match packed.open().0 {
        Ok(machine) => document(&machine, &preview(&machine, &known.ctx)),
        Err(broken) => json!({"machine": format!("{namespace}/{name}"), "unreadable": broken.error}),
    };
    Some(format!("{document:#}\n"))
}

fn document(machine: &Machine, preview: &Preview) -> Value {
    let Preview { intent, seen, plan, desired, asks_first } = preview;
    let writes = plan.writes.iter().map(|write| {
        let said = words(write);
        let mut shown = json!({"do": said.join(" ")});
        if let Some(mut object) = content(write).cloned() {
            hide(&mut object);
            shown["object"] = object;
        }
        shown
    });
    let mut document = json!({
        "machine": format!("{}/{}", machine.namespace().unwrap_or_default(), machine.name_any()),
        "uid": machine.uid(),
        "phase": machine.status.as_ref().and_then(|status| status.phase.clone()),
        "cluster": intent.cluster().map(|cluster| cluster.0.clone()),
        "connection": connection(&seen.remote),
        "intent": said(intent),
        "asksTheClusterFirst": asks_first,
        "writes": writes.collect::<Vec<_>>(),
        "refused": plan.refused.as_ref().map(|it| json!({"reason": it.reason.code(), "message": it.message})),
    });
    if let Some(mut vm) = desired.clone() {
        document["hash"] = json!({
            "wanted": vm["metadata"]["annotations"][LAST_APPLIED].as_str().map(hash),
            "written": seen.vm.as_ref().and_then(|vm| vm.hash.clone()),
        });
        // It repeats what stands below, cloud-init data included.
        if let Some(annotations) = vm["metadata"]["annotations"].as_object_mut() {
            annotations.remove(LAST_APPLIED);
        }
        hide(&mut vm);
        document["virtualMachine"] = vm;
    }
    document
}

fn said(intent: &Intent) -> String {
    match intent {
        Intent::Run(_) => "a virtual machine".to_owned(),
        Intent::Leave(leaving) => match &leaving.policy {
            Ok(policy) => format!("to go: {policy:?}"),
            Err(unknown) => format!("to go, by the unknown policy {unknown:?}"),
        },
        Intent::Undecided(_, reason, why) => format!("undecided, {}: {why}", reason.code()),
        Intent::Foreign => "another operator's".to_owned(),
    }
}

fn connection(remote: &Remote) -> String {
    match remote {
        Remote::Missing => "there is no such KubevirtConfig".to_owned(),
        Remote::Connecting => "is being asked".to_owned(),
        Remote::Unreachable(why) => format!("does not answer: {why}"),
        Remote::Connected { id } => format!("connected to {id}"),
    }
}

/// What a write is, in words: what is done, and to what.
fn words(write: &model::machine::Write) -> Vec<String> {
    use model::machine::Write;
    let words = |words: &[&str]| words.iter().map(|word| line(word, WORD)).collect();
    match write {
        Write::Here(Here::Record { cluster, vm, .. }) => words(&["record cluster", &cluster.0, "and VM", vm]),
        Write::Here(Here::Guard) => words(&["put the finalizer on the Machine"]),
        Write::Here(Here::AskAdmission) => words(&["ask admission to decide"]),
        Write::Here(Here::Forsake { cluster, orphan }) => {
            words(&["record on KubevirtConfig", &cluster.0, "what is left behind:", &orphan.virtual_machine])
        }
        Write::Here(Here::Release(finalizers)) => words(&["take off the Machine:", &finalizers.join(" ")]),
        Write::Here(Here::CreateRecord(_)) => words(&["create the NetworkConfiguration of its interfaces"]),
        Write::Here(Here::ChangeRecord(_)) => words(&["change the NetworkConfiguration of its interfaces"]),
        Write::Here(Here::DeleteRecord(_)) => words(&["delete the NetworkConfiguration of its interfaces"]),
        Write::There(There::Create(kind, name, _)) => words(&["create", kind_name(*kind), name]),
        Write::There(There::Adopt(name, _)) => words(&["adopt VirtualMachine", name]),
        Write::There(There::Update { kind, name, drift, .. }) => {
            let fields: Vec<&str> = drift.iter().map(|drift| drift.field.as_str()).collect();
            words(&["bring in line", kind_name(*kind), name, &fields.join(" ")])
        }
        Write::There(There::Restart(name, _)) => words(&["restart VirtualMachine", name]),
        Write::There(There::Merge(kind, name, _)) => words(&["merge into", kind_name(*kind), name]),
        Write::There(There::Carry(parcel)) => words(&["write Secret", &parcel.name]),
        Write::There(There::TakeBack(name)) => words(&["take back PersistentVolumeClaim", name]),
        Write::There(There::AdoptClaim(name)) => words(&["adopt PersistentVolumeClaim", name]),
        Write::There(There::TakeOver(kind, name)) => words(&["take over", kind_name(*kind), name]),
        Write::There(There::DeleteAlone(kind, name, _)) => {
            words(&["delete, and nothing with it,", kind_name(*kind), name])
        }
        Write::There(There::Delete(kind, name, _)) => words(&["delete", kind_name(*kind), name]),
    }
}

fn content(write: &model::machine::Write) -> Option<&Value> {
    use model::machine::Write;
    match write {
        Write::There(
            There::Create(_, _, object)
            | There::Merge(_, _, object)
            | There::Adopt(_, object)
            | There::Restart(_, object),
        ) => Some(object),
        Write::There(There::Update { wanted, .. }) => Some(wanted.object()),
        Write::There(
            There::Delete(..)
            | There::DeleteAlone(..)
            | There::TakeBack(_)
            | There::TakeOver(..)
            | There::AdoptClaim(_)
            | There::Carry(_),
        )
        | Write::Here(_) => None,
    }
}
