//! Disks of a Machine as the parameters `disk_size`, `storage_class` and `additional_disks`. Pure.

use model::reason::Reason;
use serde_json::{Map, Value, json};

use super::fields::{get, plain, set, text};
use super::form::{Form, Mistakes, join};
use crate::problem::Mistake;

/// The disk that a template brings.
const ROOT: &str = "root";

/// Which disk a field of a Machine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'f> {
    /// The template's, and the rest of the field.
    Root(&'f str),
    /// So many after the first of the additional ones, and the key in it as the rest of a pointer.
    Other(usize, &'static str),
}

/// Which disk of this spec a field is about, if it is about one.
pub fn place<'f>(field: &'f str, spec: &Value) -> Option<Place<'f>> {
    let (index, rest) = disk_of(field)?;
    Some(match position(spec, index) {
        None => Place::Root(rest),
        Some(at) => Place::Other(
            at,
            match rest {
                "" => "",
                ".name" => "/name",
                ".storageClass" => "/storage_class",
                _ => "/size",
            },
        ),
    })
}

/// Index and rest of a field of a disk.
fn disk_of(field: &str) -> Option<(usize, &str)> {
    let (index, rest) = field.strip_prefix("spec.disks[")?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// Which of the additional disks the one at an index is; nothing for the template's.
fn position(spec: &Value, index: usize) -> Option<usize> {
    let before = disks(spec).iter().enumerate().take(index + 1);
    let others = before.filter(|(at, disk)| !is_root(*at, disk)).map(|(at, _)| at).collect::<Vec<_>>();
    (others.last() == Some(&index)).then(|| others.len() - 1)
}

fn disks(spec: &Value) -> &[Value] {
    get(spec, &["disks"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The first disk is called like that when it has no name.
fn is_root(index: usize, disk: &Value) -> bool {
    match text(disk, &["name"]) {
        "" => index == 0,
        name => name == ROOT,
    }
}

/// The template's disk, where the spec says something of it.
pub fn root(spec: &Value) -> Option<&Value> {
    disks(spec).iter().enumerate().find(|(index, disk)| is_root(*index, disk)).map(|(_, disk)| disk)
}

/// Sets a field of the template's disk, or takes it away.
pub fn set_root(spec: &mut Value, key: &str, value: Option<&Value>) {
    let mut all = disks(spec).to_vec();
    let at = all.iter().enumerate().position(|(index, disk)| is_root(index, disk));
    let at = match (at, value) {
        (Some(at), _) => at,
        (None, None) => return,
        (None, Some(_)) => {
            all.insert(0, json!({"name": ROOT}));
            0
        }
    };
    if key == "size" {
        set(&mut all[at], &["sizeGB"], None);
    }
    set(&mut all[at], &[key], value.cloned());
    // The template's own disk needs no entry that says nothing, unless others stand beside it.
    let says_nothing = all[at].as_object().is_some_and(|disk| disk.keys().all(|key| key == "name"));
    if says_nothing && all.len() == 1 {
        all.clear();
    }
    set(spec, &["disks"], (!all.is_empty()).then_some(Value::Array(all)));
}

/// The size of a disk as text.
pub fn size(disk: &Value) -> Option<Value> {
    let gigabytes = || disk.get("sizeGB").and_then(Value::as_i64).filter(|size| *size != 0);
    get(disk, &["size"]).map(plain).or_else(|| Some(format!("{}Gi", gigabytes()?).into()))
}

/// The additional disks of a spec.
pub fn read(spec: &Value) -> Option<Value> {
    let others = disks(spec).iter().enumerate().filter(|(index, disk)| !is_root(*index, disk));
    let shown = others.map(|(index, disk)| {
        let mut shown = Map::new();
        let name = match text(disk, &["name"]) {
            "" => format!("disk{index}"),
            name => name.to_owned(),
        };
        shown.insert("name".to_owned(), name.into());
        shown.extend(size(disk).map(|size| ("size".to_owned(), size)));
        shown.extend(get(disk, &["storageClass"]).map(|class| ("storage_class".to_owned(), class.clone())));
        Value::Object(shown)
    });
    let shown: Vec<Value> = shown.collect();
    (!shown.is_empty()).then_some(Value::Array(shown))
}

/// The disks of the list beside the template's. What a disk of that name has besides stays, such as its source.
pub fn write(spec: &mut Value, value: Option<&Value>) {
    let before = disks(spec).to_vec();
    let wanted = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let root = before.iter().enumerate().find(|(index, disk)| is_root(*index, disk)).map(|(_, disk)| disk.clone());
    // Of disks beside which none is the template's, a MachineClass makes all there are.
    let root = root.or_else(|| (before.is_empty() && !wanted.is_empty()).then(|| json!({"name": ROOT})));
    let others = wanted.iter().enumerate().map(|(at, wanted)| {
        let name = match text(wanted, &["name"]) {
            "" => format!("disk{}", at + 1),
            name => name.to_owned(),
        };
        let was = before.iter().enumerate().find(|(index, disk)| match text(disk, &["name"]) {
            "" => format!("disk{index}") == name,
            other => other == name,
        });
        let mut disk = was.map_or_else(|| json!({}), |(_, disk)| disk.clone());
        set(&mut disk, &["sizeGB"], None);
        set(&mut disk, &["size"], wanted.get("size").cloned());
        set(&mut disk, &["storageClass"], wanted.get("storage_class").cloned());
        set(&mut disk, &["name"], Some(name.into()));
        disk
    });
    let all: Vec<Value> = root.into_iter().chain(others).collect();
    set(spec, &["disks"], (!all.is_empty()).then_some(Value::Array(all)));
}

/// What is wrong with the value of `additional_disks`, which stands at a pointer.
pub fn check(value: &Value, at: &str, wrong: &mut Mistakes) {
    let at = join(at, "value");
    let Some(list) = value.as_array() else {
        wrong.push(Mistake::at(at, Reason::TypeInvalid, "must be a list of {\"name\", \"size\", \"storage_class\"}"));
        return;
    };
    for (index, disk) in list.iter().enumerate() {
        let form = Form::of(disk, join(&at, &index.to_string()), &["name", "size", "storage_class"], wrong);
        if form.text("name", wrong) == Some(ROOT) {
            let says = "is the template's own disk: use disk_size and storage_class for it";
            wrong.push(Mistake::at(form.pointer("name"), Reason::FieldForbidden, says));
        }
        form.text("storage_class", wrong);
        if form.text("size", wrong).is_none() && form.value("size").is_null() {
            wrong.push(Mistake::at(form.pointer("size"), Reason::FieldRequired, "name a size, such as 20Gi"));
        }
    }
}
