//! The rules in the order in which they are asked, for one cluster. Pure. P1 to P18, X80 to X94.
//!
//! The whole cluster first: is a baseline asked for, is it the recorded cluster, has it a root, are the exclusions read, is no
//! other program at work. Then each asset: is it selected, is its CRD served and new enough, is its namespace there, do its
//! conditions hold, is it excluded. Then each object, of one part or several: does it yield, is it unmanaged, is it ours, is it
//! paused. Then it is compared, and written if nodes may be restarted for it. The root comes first, and the others are made of it.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::case::Case;
use super::catalogue::{Asset, Catalogue, Scope};
use super::context::Context;
use super::engine::{self, Due};
use super::exclusion::Rule;
use super::fill::{fill, united};
use super::fit::{Crd, Schema, fit};
use super::memory::Memory;
use super::snapshot::{DISABLED, Live, Snapshot};
use super::state::{Key, Made, Outcome, Pass, Said, State, Step, say};
use super::{conditions, held, root, tombstone};

/// Judges a cluster. `memory` has what is remembered of each object.
///
/// Guarantees: the same snapshot and memory give the same answer; nothing is written on a cluster that is held; what is not known
/// is never taken for absent; no failure of one asset keeps another back that does not wait for it.
pub fn judge(catalogue: &Catalogue, snapshot: &Snapshot, memory: &mut BTreeMap<Key, Memory>, now: Timestamp) -> Pass {
    made(catalogue, snapshot, memory, now).0
}

/// The same, with the objects that were put together on the way. P9: there is no second way to put one together.
pub fn made(
    catalogue: &Catalogue,
    snapshot: &Snapshot,
    memory: &mut BTreeMap<Key, Memory>,
    now: Timestamp,
) -> (Pass, Vec<Made>) {
    match held::admit(catalogue, snapshot) {
        Err(held) => (Pass { root: root::of_held(&held, snapshot), held: Some(held), ..Pass::default() }, Vec::new()),
        Ok((root, exclusions)) => {
            let pass = Pass { root: Some(root::told(root)), ..Pass::default() };
            let mut round = Round { catalogue, snapshot, root: root.clone(), exclusions, pass, made: Vec::new() };
            round.notes();
            for (key, assets) in round.objects() {
                round.object(&key, &assets, memory.entry(key.clone()).or_default(), now);
            }
            for stone in &catalogue.tombstones {
                let memory = memory.entry(stone.key.clone()).or_default();
                let (outcome, Due { step, wait }) = tombstone::judge(stone, snapshot, &round.exclusions, memory, now);
                round.pass.steps.extend(step.map(|step| (stone.key.clone(), step)));
                round.pass.wait = [round.pass.wait, wait].into_iter().flatten().min();
                round.pass.outcomes.push(outcome);
            }
            (round.pass, round.made)
        }
    }
}

struct Round<'r> {
    catalogue: &'r Catalogue,
    snapshot: &'r Snapshot,
    /// As it is, and from its own step on as it will be.
    root: Value,
    exclusions: Vec<Rule>,
    pass: Pass,
    made: Vec<Made>,
}

impl<'r> Round<'r> {
    /// The objects in their order, each with its parts. Parts of a root of the other kind are objects that no cluster has.
    fn objects(&self) -> Vec<(Key, Vec<&'r Asset>)> {
        let root = root::key(&self.root);
        let mut objects: Vec<(Key, Vec<&Asset>)> = Vec::new();
        for asset in &self.catalogue.assets {
            let key = if asset.row.root && asset.key.crd == root.crd { &root } else { &asset.key };
            match objects.iter_mut().find(|(known, _)| known == key) {
                Some((_, parts)) => parts.push(asset),
                None => objects.push((key.clone(), vec![asset])),
            }
        }
        objects
    }

    /// What was asked for and means nothing.
    fn notes(&mut self) {
        let keys: Vec<Key> = self.objects().into_iter().map(|(key, _)| key).collect();
        let idle = self.exclusions.iter().filter_map(|rule| rule.idle(&keys));
        let unknown = self.snapshot.asked.assets.iter().filter_map(|name| self.catalogue.unknown(name));
        self.pass.notes = idle.chain(unknown).collect();
    }

    fn object(&mut self, key: &Key, assets: &[&'r Asset], memory: &mut Memory, now: Timestamp) {
        let context = Context::of(&self.root, self.snapshot);
        let parts: Vec<_> = assets.iter().map(|asset| (*asset, self.part(asset, key, &context))).collect();
        let admitted: Vec<Part<'_>> = parts
            .iter()
            .filter_map(|(asset, part)| part.as_ref().ok().map(|(object, schema)| (*asset, object, *schema)))
            .collect();
        let held = parts.iter().find_map(|(asset, part)| holds_the_others(asset, part.as_ref().err()?));
        let (said, Due { step, wait }, made) = match held {
            Some(said) => (said, Due::default(), None),
            None => self.compare(key, assets, &admitted, memory, now),
        };
        self.made.extend(made);
        for (asset, part) in parts {
            let (state, message) = part.err().unwrap_or_else(|| said.clone());
            let key = Some(key.clone()).filter(|key| !key.name.is_empty());
            self.pass.outcomes.push(Outcome { asset: asset.row.name.clone(), key, state, message });
        }
        if let (true, Some(Step::Change { patch, .. })) = (assets[0].row.root, &step) {
            json_patch::merge(&mut self.root, patch);
        }
        self.pass.steps.extend(step.map(|step| (key.clone(), step)));
        self.pass.wait = [self.pass.wait, wait].into_iter().flatten().min();
    }

    /// The object that a part wants, unless something comes before.
    fn part(&self, asset: &Asset, key: &Key, context: &Context) -> Result<(Value, &'r Schema), Said> {
        let asked = &self.snapshot.asked.assets;
        if !asked.is_empty() && !asked.iter().any(|name| asset.is_called(name)) {
            return Err(say(State::NotSelected, "the KubevirtConfig does not ask for it"));
        }
        if asset.row.root && key.name.is_empty() {
            let says = format!("the root of this cluster is a {}, not a {}", context.kind, key.kind);
            return Err(say(State::ConditionNotMet, says));
        }
        let crd = self.snapshot.crd(&key.crd).map_err(|why| say(State::Unknown, why))?;
        let (object, schema) = served(asset, key, crd)?;
        if let Some(namespace) = key.namespace.as_ref().filter(|_| !asset.row.root) {
            match self.snapshot.namespaces.get(namespace) {
                Some(Ok(true)) => {}
                Some(Ok(false)) => {
                    let says = format!("the namespace {namespace} is not there: install what it belongs to");
                    return Err(say(State::DependencyMissing, says));
                }
                Some(Err(why)) => {
                    return Err(say(
                        State::Unknown,
                        format!("whether the namespace {namespace} is there is not known: {why}"),
                    ));
                }
                None => return Err(say(State::Unknown, format!("the namespace {namespace} was not asked for yet"))),
            }
        }
        for condition in &asset.row.conditions {
            conditions::met(condition, context, self.snapshot)?;
        }
        if let Some(rule) = self.exclusions.iter().find(|rule| rule.excludes(key)) {
            return Err(say(State::Excluded, format!("{DISABLED} names {}", rule.text())));
        }
        Ok((fill(asset, object, context, schema)?, schema))
    }

    /// How the object of these parts stands. `assets` are all of its parts.
    fn compare(
        &self,
        key: &Key,
        assets: &[&'r Asset],
        admitted: &[Part<'_>],
        memory: &mut Memory,
        now: Timestamp,
    ) -> (Said, Due, Option<Made>) {
        let unknown = |why: String| (say(State::Unknown, why), Due::default(), None);
        let Some((first, _, schema)) = admitted.first() else { return unknown(String::new()) };
        let root = Live::Whole(self.root.clone());
        let live = match self.snapshot.object(key) {
            _ if first.row.root => &root,
            Ok(live) => live,
            Err(why) => return unknown(why),
        };
        let mut desired = json!({});
        for (_, object, _) in admitted {
            json_patch::merge(&mut desired, object);
        }
        // What a part wrote that has no say any more stays as it is.
        let mut united: Vec<String> = assets.iter().flat_map(|asset| united(asset)).map(str::to_owned).collect();
        let silent = assets.iter().filter(|asset| !admitted.iter().any(|(part, ..)| part.row.name == asset.row.name));
        for object in silent.flat_map(|asset| &asset.objects) {
            leaves(&object["spec"], "/spec", &mut united);
        }
        let case = Case {
            snapshot: self.snapshot,
            key,
            parts: admitted.iter().map(|(asset, ..)| asset.row.name.as_str()).collect(),
            desired,
            schema,
            united,
            live,
            is_root: first.row.root,
            yields: first.row.yields,
            disruptive: first.row.disruptive,
        };
        let held = admitted.iter().flat_map(|(asset, ..)| &asset.row.after).find_map(|name| self.unfinished(name));
        let (said, due, made) = engine::judge(&case, held, memory, now);
        (said, due, Some(made))
    }

    /// Why what waits for an asset has to wait.
    fn unfinished(&self, name: &str) -> Option<String> {
        let outcome = self.pass.outcomes.iter().find(|outcome| outcome.asset == name)?;
        let waits = match outcome.state {
            State::Missing
            | State::Differs
            | State::Throttled
            | State::DependencyMissing
            | State::Withheld
            | State::Refused
            | State::Forbidden
            | State::Failed
            | State::Unknown => true,
            State::Applied
            | State::Paused
            | State::Unmanaged
            | State::Excluded
            | State::NotSelected
            | State::ConditionNotMet
            | State::Foreign => false,
        };
        waits.then(|| format!("waits for {name}, which is {}", outcome.state.name()))
    }
}

/// Why an object is left as it is for the sake of one of its parts: without a part that should be there, what that part wrote
/// before would be taken out, and nodes restarted for it.
fn holds_the_others(asset: &Asset, (state, message): &Said) -> Option<Said> {
    let holds = matches!(state, State::Unknown | State::Refused);
    holds.then(|| say(*state, format!("its part {} is {}: {message}", asset.row.name, state.name())))
}

/// Pointers to all that a part has written, or may have.
fn leaves(object: &Value, at: &str, found: &mut Vec<String>) {
    match object {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                leaves(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// A part that has a say: its asset, what it wants, and what its CRD takes.
type Part<'p> = (&'p Asset, &'p Value, &'p Schema);

/// The object of an asset in a version that is served, if that is new enough.
fn served<'a, 'c>(asset: &'a Asset, key: &Key, crd: Option<&'c Crd>) -> Result<(&'a Value, &'c Schema), Said> {
    let missing = |says: String| say(State::DependencyMissing, says);
    let Some(crd) = crd else {
        return Err(missing(format!("the cluster does not serve {}: install what it belongs to", key.crd)));
    };
    if crd.namespaced != (asset.row.scope == Scope::Namespaced) {
        let says = format!("the catalogue has the wrong scope for {}: correct its row", key.kind);
        return Err(say(State::Refused, says));
    }
    let version = |object: &Value| object["apiVersion"].as_str().and_then(|it| Some(it.split_once('/')?.1.to_owned()));
    let found = asset.objects.iter().find_map(|it| Some((it, crd.versions.get(&version(it)?)?)));
    let Some((object, schema)) = found else {
        let wanted = asset.objects.first().and_then(version).unwrap_or_default();
        return Err(missing(format!("the CRD {} does not serve {wanted}", key.crd)));
    };
    let dropped = fit(&mut object.clone(), schema);
    let lacks = |pointer: &&String| {
        let out = |(path, _): &(String, String)| path == *pointer || pointer.starts_with(&format!("{path}/"));
        schema.at(pointer).is_none() || dropped.iter().any(out)
    };
    match asset.row.required.iter().find(lacks) {
        Some(pointer) => Err(missing(format!("the CRD {} is too old: it does not take {pointer}", key.crd))),
        None => Ok((object, schema)),
    }
}
