//! An API server and what it stores: versions, UIDs, preconditions and finalizers, and the log of events that every watch reads at
//! its own pace.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Namespace,
    Machine,
    Record,
    Claim,
    Secret,
    Vm,
    Vmi,
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) sort: Sort,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Who changed something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum By {
    /// A user, somebody on the cluster, or the cluster itself.
    Others,
    /// The controller of this number, in a pass about the Machine of this UID.
    Controller(usize, String),
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) key: Key,
    pub(crate) before: Option<Rc<Value>>,
    pub(crate) after: Option<Rc<Value>>,
    pub(crate) by: By,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// 409 AlreadyExists.
    Exists,
    /// 404.
    Missing,
    /// 409 Conflict: another UID or version.
    Changed,
}

/// An API server.
pub(crate) struct Store {
    /// UID of its `kube-system` namespace.
    pub(crate) id: &'static str,
    pub(crate) log: Vec<Event>,
    /// Who asks now.
    pub(crate) by: By,
    pub(crate) objects: BTreeMap<Key, Rc<Value>>,
}

pub(crate) fn key(sort: Sort, namespace: &str, name: &str) -> Key {
    Key { sort, namespace: namespace.to_owned(), name: name.to_owned() }
}

/// A text in an object; empty where there is none.
pub(crate) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn label<'v>(object: &'v Value, key: &str) -> &'v str {
    object["metadata"]["labels"][key].as_str().unwrap_or_default()
}

pub(crate) fn is_leaving(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

impl Store {
    pub(crate) fn new(id: &'static str) -> Self {
        Self { id, log: Vec::new(), by: By::Others, objects: BTreeMap::new() }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Rc<Value>> {
        self.objects.get(key)
    }

    pub(crate) fn of(&self, sort: Sort) -> impl Iterator<Item = (&Key, &Rc<Value>)> {
        self.objects.iter().filter(move |(key, _)| key.sort == sort)
    }

    fn put(&mut self, key: &Key, mut object: Value) {
        object["metadata"]["resourceVersion"] = json!((self.log.len() + 1).to_string());
        let after = Rc::new(object);
        let before = self.objects.insert(key.clone(), after.clone());
        self.log.push(Event { key: key.clone(), before, after: Some(after), by: self.by.clone() });
    }

    fn remove(&mut self, key: &Key) {
        let before = self.objects.remove(key);
        self.log.push(Event { key: key.clone(), before, after: None, by: self.by.clone() });
    }

    pub(crate) fn create(&mut self, key: &Key, object: &Value) -> Result<(), Refused> {
        if self.objects.contains_key(key) {
            return Err(Refused::Exists);
        }
        let of_cluster = matches!(key.sort, Sort::Namespace);
        let namespace = Key { sort: Sort::Namespace, namespace: String::new(), name: key.namespace.clone() };
        if !of_cluster && !self.objects.contains_key(&namespace) {
            return Err(Refused::Missing);
        }
        let mut object = object.clone();
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(key.name);
        metadata["uid"] = json!(format!("{}-{}", self.id, self.log.len()));
        metadata["generation"] = json!(1);
        metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        // What runs or is used goes only when its cluster has let it go.
        if matches!(key.sort, Sort::Vm | Sort::Claim) {
            metadata["finalizers"] = json!(["cluster"]);
        }
        self.put(key, object);
        Ok(())
    }

    /// A merge patch of everything but the status, or of that alone.
    pub(crate) fn patch(&mut self, key: &Key, change: &Value, of_status: bool) -> Result<(), Refused> {
        let before = self.objects.get(key).ok_or(Refused::Missing)?;
        for bound in ["uid", "resourceVersion"] {
            let wanted = &change["metadata"][bound];
            if !wanted.is_null() && *wanted != before["metadata"][bound] {
                return Err(Refused::Changed);
            }
        }
        let mut after = Value::clone(before);
        if of_status {
            let mut status = after["status"].take();
            json_patch::merge(&mut status, &change["status"]);
            after["status"] = status;
        } else {
            let status = after["status"].take();
            json_patch::merge(&mut after, change);
            after["status"] = status;
            if after["spec"] != before["spec"] {
                after["metadata"]["generation"] = json!(before["metadata"]["generation"].as_i64().unwrap_or(1) + 1);
            }
        }
        after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
        let finalizers = after["metadata"]["finalizers"].as_array().map_or(0, Vec::len);
        if is_leaving(&after) && finalizers == 0 {
            self.remove(key);
        } else if after != **before {
            self.put(key, after);
        }
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: &Key, uid: Option<&str>) -> Result<(), Refused> {
        let before = self.objects.get(key).ok_or(Refused::Missing)?;
        if uid.is_some_and(|uid| text(before, "/metadata/uid") != uid) {
            return Err(Refused::Changed);
        }
        if before["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
            self.remove(key);
        } else if !is_leaving(before) {
            let mut after = Value::clone(before);
            after["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
            self.put(key, after);
        }
        Ok(())
    }

    /// What the first events of the log come to.
    pub(crate) fn at(&self, revision: usize) -> BTreeMap<Key, Rc<Value>> {
        let mut objects = BTreeMap::new();
        for event in &self.log[..revision] {
            match &event.after {
                Some(after) => drop(objects.insert(event.key.clone(), after.clone())),
                None => drop(objects.remove(&event.key)),
            }
        }
        objects
    }
}
