//! One object of the catalogue: its state, and the step that is due. Pure. P2, P3, P13, X81, X82, X83, X86, X87, X88. What is
//! written and what is taken out says [`crate::baseline`].

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::case::{Case, mark};
use super::fit::fit;
use super::memory::Memory;
use super::snapshot::{BEFORE, Disruption, Live, MANAGED_BY, Mode, texts};
use super::state::{ITSELF, Key, Made, Said, State, Step, say};
use super::words::{before, differences};
use crate::baseline::war::{PAUSED, Turn};
use crate::baseline::{Change, Wanted, hash};
use crate::names::{LAST_APPLIED, OPERATOR, SUPERVISOR};
use crate::patch::{UserPatch, of_asset};

/// What is done about an object.
#[derive(Default)]
pub(super) struct Due {
    pub(super) step: Option<Step>,
    pub(super) wait: Option<Duration>,
}

/// How the object stands, what is due, and what was made of it on the way. `held` says what it waits for before anything is
/// written.
pub(super) fn judge(case: &Case<'_>, held: Option<String>, memory: &mut Memory, now: Timestamp) -> (Said, Due, Made) {
    let mut baseline = case.desired.clone();
    let left_out = fit(&mut baseline, case.schema);
    let parts = case.parts.iter().map(|it| (*it).to_owned()).collect();
    let mut made = Made { key: case.key.clone(), parts, baseline, effective: None };
    let (said, due) = decide(case, &left_out, held, (&mut made, memory, now));
    for object in std::iter::once(&mut made.baseline).chain(&mut made.effective) {
        name(object, case.key);
    }
    (said, due, made)
}

/// The root has its name from the cluster alone.
fn name(object: &mut Value, key: &Key) {
    object["metadata"]["name"] = json!(key.name);
    if let Some(namespace) = &key.namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
}

fn decide(
    case: &Case<'_>,
    left_out: &[(String, String)],
    held: Option<String>,
    (made, memory, now): (&mut Made, &mut Memory, Timestamp),
) -> (Said, Due) {
    let live = case.live.object().unwrap_or(&Value::Null);
    let (user, wrong) = of_asset(&case.parts, &case.snapshot.asked.annotations, &texts(live, "annotations"));
    if let Some(said) = case.left_alone(live, &user) {
        return (said, Due::default());
    }
    if let Some(first) = wrong.first() {
        return (say(State::Refused, format!("{}: {}", first.path, first.message)), Due::default());
    }
    let (wanted, notes) = match wanted(case, &made.baseline, left_out, live, user) {
        Ok(wanted) => wanted,
        Err(said) => return (said, Due::default()),
    };
    made.effective = Some(wanted.shown((!matches!(case.live, Live::Metadata(_))).then_some(live)));
    let tried = fingerprint(case, live, &wanted);
    let (said, due) = match case.live {
        _ if !live["metadata"]["deletionTimestamp"].is_null() => {
            (say(State::Missing, "it is being deleted, and is made again when it is gone"), Due::default())
        }
        Live::Absent => {
            let step = Step::Create(wanted.object().clone());
            write(case, (State::Missing, "it is not there"), step, &[ITSELF.to_owned()], (held, memory, &tried, now))
        }
        // What was compared with this very object still holds: it is read only where it can be written now.
        Live::Metadata(_) => match memory.compared.clone() {
            Some((of, _, says)) if of == tried && says.is_empty() => (say(State::Applied, ""), Due::default()),
            Some((of, fields, says)) if of == tried => {
                write(case, (State::Differs, &says), Step::Read, &fields, (held, memory, &tried, now))
            }
            _ => (say(State::Unknown, "it is being read"), Due { step: Some(Step::Read), wait: None }),
        },
        Live::Whole(_) => compare(case, live, wanted.change(live), (held, memory, &tried, now)),
    };
    let said = if notes.is_empty() { said } else { say(said.0, [said.1, notes].join("; ").trim_start_matches("; ")) };
    (said, due)
}

/// How an object stands that was read.
fn compare(case: &Case<'_>, live: &Value, change: Option<Change>, mut when: When<'_>) -> (Said, Due) {
    let (_, memory, tried, _) = &mut when;
    let audits = case.snapshot.asked.mode == Mode::Audit;
    let Some(change) = change.filter(|change| !(audits && change.fields.is_empty())) else {
        memory.compared = Some(((*tried).to_owned(), Vec::new(), String::new()));
        return (say(State::Applied, ""), Due::default());
    };
    // Without fields, only the note of what was written last is to be mended.
    let says = if change.fields.is_empty() { String::new() } else { differences(&change.patch, live) };
    let state = if change.fields.is_empty() { State::Applied } else { State::Differs };
    memory.compared = (!says.is_empty()).then(|| ((*tried).to_owned(), change.fields.clone(), says.clone()));
    let Change { patch, fields } = with_before(change, live);
    write(case, (state, &says), Step::Change { patch, fields: fields.clone() }, &fields, when)
}

/// What a write waits for, what is remembered, what it is made of, and the time.
type When<'w> = (Option<String>, &'w mut Memory, &'w str, Timestamp);

/// The object as it should be, with what is to be told of it; or how it stands, if it cannot be made so.
fn wanted(
    case: &Case<'_>,
    baseline: &Value,
    left_out: &[(String, String)],
    live: &Value,
    user: UserPatch,
) -> Result<(Wanted, String), Said> {
    let mut desired = baseline.clone();
    if !case.is_root {
        desired["metadata"]["labels"][MANAGED_BY] = json!(OPERATOR);
        desired["metadata"]["labels"][SUPERVISOR] = json!(case.snapshot.supervisor);
    }
    let mut notes: Vec<String> = left_out.iter().map(|(path, why)| format!("left out {path}: it {why}")).collect();
    let mut object = user.apply(&desired, false).map_err(|wrong| {
        let first = wrong.first().map(|it| format!("{}: {}", it.path, it.message)).unwrap_or_default();
        say(State::Refused, format!("left as it is: {first}"))
    })?;
    if let Some((path, why)) = fit(&mut object, case.schema).first() {
        return Err(say(State::Refused, format!("left as it is: the patch sets {path}, which {why} on this cluster")));
    }
    if let Some(first) = user.refused_fields(&object).first() {
        return Err(say(State::Refused, format!("left as it is: {}: {}", first.path, first.message)));
    }
    for pointer in user.ignored_fields() {
        let somewhere = [&object, live].iter().any(|it| it.pointer(&pointer).is_some());
        if !somewhere && case.schema.at(&pointer).is_none() {
            notes.push(format!("the ignored field {pointer} is nowhere"));
        }
    }
    let mut kept = object.clone();
    for (at, fields) in [("", &["apiVersion", "kind"]), ("/metadata", &["name", "namespace"])] {
        if let Some(Value::Object(map)) = kept.pointer_mut(at) {
            map.retain(|name, _| !fields.contains(&name.as_str()));
        }
    }
    Ok((Wanted::new(object, kept, user, &[]).uniting(case.united.clone()), notes.join("; ")))
}

/// What an answer was made of: while it is the same, the answer is.
fn fingerprint(case: &Case<'_>, live: &Value, wanted: &Wanted) -> String {
    let metadata = &live["metadata"];
    let version = if metadata["generation"].is_null() { &metadata["resourceVersion"] } else { &metadata["generation"] };
    let applied = &metadata["annotations"][LAST_APPLIED];
    let mode = format!("{:?}", case.snapshot.asked.mode);
    hash(&json!([wanted.hash(), metadata["uid"], version, metadata["labels"], applied, mode]).to_string())
}

/// Whether a write that is due may happen now.
fn write(
    case: &Case<'_>,
    (state, says): (State, &str),
    step: Step,
    fields: &[String],
    (held, memory, tried, now): When<'_>,
) -> (Said, Due) {
    let snapshot = case.snapshot;
    if snapshot.asked.mode != Mode::Enforce {
        return (say(state, says), Due::default());
    }
    if case.disruptive && !fields.is_empty() {
        if snapshot.asked.disruption == Disruption::Withhold {
            let says = format!("{says}; writing it restarts nodes: allow that with nodeDisruption: Allow");
            return (say(State::Withheld, says), Due::default());
        }
        if let Err(why) = &snapshot.turn {
            return (say(State::Withheld, format!("writing it restarts nodes, and not now: {why}")), Due::default());
        }
    }
    if let Some(why) = held {
        return (say(state, format!("{says}; {why}")), Due::default());
    }
    if let Some((said, wait)) = memory.holds_back(tried, now) {
        return (said, Due { step: None, wait });
    }
    let live = case.live.object().unwrap_or(&Value::Null);
    match memory.war.turn(fields, mark(live), now) {
        Turn::Now => {
            tried.clone_into(&mut memory.tried);
            (say(state, says), Due { step: Some(step), wait: None })
        }
        Turn::In(wait) => {
            (say(State::Throttled, format!("written often, so it waits: {says}")), Due { step: None, wait: Some(wait) })
        }
        // What is not there can have no mark: it is made again when the pause is over.
        Turn::Pause(_) | Turn::Paused if live.is_null() => {
            let says = "it is deleted each time that it is made, so it rests for a while: find out who does it";
            (say(State::Paused, says), Due { step: None, wait: memory.war.rests(now) })
        }
        Turn::Pause(field) => {
            let says = format!(
                "{field} is changed back each time: find out who does it, then set {PAUSED}: \"false\" on {}; {says}",
                case.key
            );
            (say(State::Paused, says), Due { step: pause(live), wait: memory.war.rests(now) })
        }
        Turn::Paused => (
            say(State::Paused, format!("it was changed back each time, so it rests for a while: {says}")),
            Due { step: None, wait: memory.war.rests(now) },
        ),
    }
}

/// The mark of a pause. An object that is not there cannot have one.
fn pause(live: &Value) -> Option<Step> {
    let metadata = live.get("metadata")?;
    Some(Step::Pause(json!({"metadata": {
        "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"], "annotations": {PAUSED: "true"},
    }})))
}

/// The first write keeps what it takes the place of.
fn with_before(mut change: Change, live: &Value) -> Change {
    let annotations = &live["metadata"]["annotations"];
    let is_first = !change.fields.is_empty() && annotations[LAST_APPLIED].is_null() && annotations[BEFORE].is_null();
    if let Some(kept) = is_first.then(|| before(&change.patch, live)).flatten() {
        change.patch["metadata"]["annotations"][BEFORE] = json!(kept);
    }
    change
}
