//! Reads the files of a catalogue and judges them. Pure. X92, X94.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ACTIVE, Asset, Catalogue, Condition, METADATA, Row, Scope, TOMBSTONES, Tombstone, kinds};
use crate::names::OPERATOR;
use crate::platform::snapshot::MANAGED_BY;
use crate::platform::state::Key;
use crate::reason::did_you_mean;

/// Longest name of an asset: that of `ignore-fields.asset.NAME` must fit into an annotation.
const NAME: usize = 43;
/// Annotation of a tombstone in its file: the plural of its kind.
const PLURAL: &str = "platform.kubevirt.io/plural";
/// Kinds whose objects restart nodes when they go.
const DISRUPTIVE: [&str; 2] = ["KubeletConfig", "MachineConfig"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    assets: Vec<Value>,
}

impl Catalogue {
    /// Reads the files of a catalogue, by path and text, or says everything that is wrong with them, one sentence each.
    ///
    /// Guarantees for what is read: every kind may be written by us and has the scope that its row says; no two parts of an
    /// object set one field differently; what an asset waits for comes before it; no tombstone means an object of an asset.
    pub fn read<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Catalogue, Vec<String>> {
        read(&files.into_iter().collect())
    }
}

fn read(files: &BTreeMap<&str, &str>) -> Result<Catalogue, Vec<String>> {
    let mut wrong = Vec::new();
    let assets = assets(files, &mut wrong);
    let mut catalogue = Catalogue { tombstones: tombstones(files, &assets, &mut wrong), assets };
    catalogue.assets.sort_by_key(|asset| asset.row.reconcile_order);
    for path in files.keys().filter(|path| path.starts_with(ACTIVE)) {
        let used = |it: &Asset| it.row.path == **path || it.row.fallback.as_deref() == Some(path);
        if wrong.is_empty() && !catalogue.assets.iter().any(used) {
            wrong.push(format!("{path}: no row of {METADATA} names it"));
        }
    }
    for (index, asset) in catalogue.assets.iter().enumerate() {
        let earlier = &catalogue.assets[..index];
        if earlier.iter().any(|other| other.row.name == asset.row.name) {
            wrong.push(format!("{}: two rows have this name", asset.row.name));
        }
        for name in asset.row.after.iter().filter(|name| !earlier.iter().any(|other| other.row.name == **name)) {
            let near = did_you_mean(name, earlier.iter().map(|other| other.row.name.as_str()));
            wrong.push(format!("{}: waits for {name:?}, which is no asset before it{near}", asset.row.name));
        }
        for other in earlier.iter().filter(|other| other.key == asset.key) {
            parts(other, asset, &mut wrong);
        }
    }
    for tombstone in &catalogue.tombstones {
        if let Some(asset) = catalogue.assets.iter().find(|asset| asset.key == tombstone.key) {
            wrong.push(format!("{}: {} is the object of the asset {}", tombstone.path, tombstone.key, asset.row.name));
        }
    }
    if wrong.is_empty() { Ok(catalogue) } else { Err(wrong) }
}

fn assets(files: &BTreeMap<&str, &str>, wrong: &mut Vec<String>) -> Vec<Asset> {
    let rows = parse(files, METADATA).and_then(|value| {
        serde_json::from_value::<Metadata>(value).map(|it| it.assets).map_err(|why| format!("{METADATA}: {why}"))
    });
    let rows = rows.unwrap_or_else(|why| {
        wrong.push(why);
        Vec::new()
    });
    let mut assets = Vec::new();
    for (index, value) in rows.into_iter().enumerate() {
        let name = value["name"].as_str().map_or_else(|| format!("row {index}"), str::to_owned);
        let row = serde_json::from_value::<Row>(value).map_err(|why| format!("{METADATA}: {name}: {why}"));
        match row.and_then(|row| asset(files, row).map_err(|why| format!("{name}: {why}"))) {
            Ok(asset) => assets.push(asset),
            Err(why) => wrong.push(why),
        }
    }
    assets
}

fn asset(files: &BTreeMap<&str, &str>, mut row: Row) -> Result<Asset, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if row.name.is_empty() || row.name.len() > NAME || !row.name.chars().all(plain) {
        return Err(format!("the name must have 1 to {NAME} lower-case letters, digits and '-'"));
    }
    for condition in &row.conditions {
        if let Condition::Object { crd, .. } = condition {
            kinds::judge_crd(crd)?;
        }
    }
    let mut objects = Vec::new();
    let mut keys = Vec::new();
    for path in std::iter::once(&row.path).chain(&row.fallback) {
        if !path.starts_with(ACTIVE) {
            return Err(format!("{path}: must be in {ACTIVE}"));
        }
        let object = parse(files, path)?;
        keys.push(key(&object, &row.plural, row.scope, row.root).map_err(|why| format!("{path}: {why}"))?);
        for pointer in row.fills.iter().map(|fill| &fill.to) {
            let parent = pointer.rsplit_once('/').and_then(|(parent, _)| object.pointer(parent));
            if !parent.is_some_and(|it| it.is_object() || it.is_array()) {
                return Err(format!("{path}: there is nothing that {pointer} could be filled into"));
            }
        }
        objects.push(object);
    }
    row.disruptive |= keys.iter().any(|key| DISRUPTIVE.contains(&key.kind.as_str()));
    match keys.as_slice() {
        [key] => Ok(Asset { key: key.clone(), row, objects }),
        [key, other] if key == other => Ok(Asset { key: key.clone(), row, objects }),
        _ => Err("path and fallback must be versions of one object".to_owned()),
    }
}

fn tombstones(files: &BTreeMap<&str, &str>, assets: &[Asset], wrong: &mut Vec<String>) -> Vec<Tombstone> {
    let mut found = Vec::new();
    for path in files.keys().filter(|path| path.starts_with(TOMBSTONES)) {
        let tombstone = parse(files, path).and_then(|object| {
            let of_kind = |asset: &&Asset| {
                let group =
                    |version: &Value| version.as_str().and_then(|it| it.split_once('/')).map(|it| it.0.to_owned());
                object["kind"] == asset.key.kind
                    && group(&object["apiVersion"]) == group(&asset.objects[0]["apiVersion"])
            };
            let known = assets.iter().find(of_kind).map(|asset| asset.row.plural.as_str());
            let plural = known.or_else(|| object["metadata"]["annotations"][PLURAL].as_str());
            let plural = plural.ok_or_else(|| {
                format!(
                    "{path}: no asset is of its kind, so it must have the annotation {PLURAL} with the plural of that"
                )
            })?;
            let scope = if object["metadata"]["namespace"].is_null() { Scope::Cluster } else { Scope::Namespaced };
            let key = key(&object, plural, scope, false).map_err(|why| format!("{path}: {why}"))?;
            let disruptive = DISRUPTIVE.contains(&key.kind.as_str());
            Ok(Tombstone { path: (*path).to_owned(), key, disruptive })
        });
        match tombstone {
            Ok(tombstone) => found.push(tombstone),
            Err(why) => wrong.push(why),
        }
    }
    found
}

/// Which object a file means, if it is one that a catalogue may have.
fn key(object: &Value, plural: &str, scope: Scope, root: bool) -> Result<Key, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned).filter(|text| !text.is_empty());
    let (Some(version), Some(kind)) = (text(&object["apiVersion"]), text(&object["kind"])) else {
        return Err("must have apiVersion and kind".to_owned());
    };
    let group = version.split_once('/').map_or("", |(group, _)| group);
    kinds::judge(&kind, group, plural)?;
    let (name, namespace) = (text(&object["metadata"]["name"]), text(&object["metadata"]["namespace"]));
    match (root, &name, &namespace, scope) {
        (true, None, None, _)
        | (false, Some(_), Some(_), Scope::Namespaced)
        | (false, Some(_), None, Scope::Cluster) => {}
        (true, ..) => return Err("is a part of the root, so it has neither name nor namespace".to_owned()),
        (false, None, ..) => return Err("must have a name".to_owned()),
        (false, _, None, Scope::Namespaced) => return Err(format!("{kind} is in a namespace: name it")),
        (false, _, Some(_), Scope::Cluster) => {
            return Err(format!("{kind} belongs to the whole cluster: it has no namespace"));
        }
    }
    if !root && object["metadata"]["labels"][MANAGED_BY] != OPERATOR {
        return Err(format!("must have the label {MANAGED_BY}: {OPERATOR}, by which its object is known as ours"));
    }
    if has_null(object) {
        return Err("must have no null".to_owned());
    }
    Ok(Key { crd: format!("{plural}.{group}"), kind, namespace, name: name.unwrap_or_default() })
}

/// Two parts of one object may say the same, such as which nodes it means, but not two things about one field.
fn parts(one: &Asset, other: &Asset, wrong: &mut Vec<String>) {
    let names = (&one.row.name, &other.row.name);
    if one.row.disruptive != other.row.disruptive
        || one.row.yields != other.row.yields
        || one.row.root != other.row.root
    {
        wrong.push(format!("{} and {}: are parts of {}, so their rows must agree", names.0, names.1, one.key));
    }
    for (one, other) in one.objects.iter().zip(&other.objects) {
        if let Some(pointer) = conflict(one, other, "") {
            wrong.push(format!("{} and {}: both set {pointer} of one object", names.0, names.1));
        }
    }
}

/// The first field that two objects set differently.
fn conflict(one: &Value, other: &Value, at: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.iter().find_map(|(name, value)| conflict(value, other.get(name)?, &format!("{at}/{name}")))
        }
        _ => (one != other).then(|| at.to_owned()),
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// One YAML document, an object.
fn parse(files: &BTreeMap<&str, &str>, path: &str) -> Result<Value, String> {
    let text = files.get(path).ok_or_else(|| format!("{path}: there is no such file"))?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: 32, max_nodes: 16384, max_documents: 1 },
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    let read: Result<Map<String, Value>, _> = serde_saphyr::from_str_with_options(text, options);
    read.map(Value::Object).map_err(|why| format!("{path}: {why}"))
}
