//! What the simulator knows: the last state of every watched object. No I/O; one owner, the driver.

use super::objects::{Kind, Name, Object, version};
use kube::runtime::watcher::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every object, by kind and name.
#[derive(Default)]
pub(super) struct World {
    objects: BTreeMap<Kind, BTreeMap<Name, Arc<Object>>>,
    /// Lists in progress: they replace what was known when they are complete, not before.
    lists: BTreeMap<Kind, BTreeMap<Name, Arc<Object>>>,
    listed: BTreeSet<Kind>,
    newest: BTreeMap<Kind, u64>,
}

impl World {
    /// Takes in what a watch says; answers with the objects that changed, in their last known state.
    pub(super) fn observe(&mut self, kind: Kind, event: Event<Object>) -> Vec<Arc<Object>> {
        match event {
            Event::Init => {
                self.lists.insert(kind, BTreeMap::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                self.lists.entry(kind).or_default().insert(Name::of(&object), Arc::new(object));
                Vec::new()
            }
            Event::InitDone => self.replace(kind),
            Event::Apply(object) => {
                self.reached(kind, version(&object));
                let object = Arc::new(object);
                self.objects.entry(kind).or_default().insert(Name::of(&object), object.clone());
                vec![object]
            }
            Event::Delete(object) => {
                self.reached(kind, version(&object));
                self.objects.entry(kind).or_default().remove(&Name::of(&object));
                vec![Arc::new(object)]
            }
        }
    }

    fn replace(&mut self, kind: Kind) -> Vec<Arc<Object>> {
        let new = self.lists.remove(&kind).unwrap_or_default();
        self.listed.insert(kind);
        self.reached(kind, new.values().map(|object| version(object)).max().unwrap_or_default());
        let mut old = self.objects.insert(kind, new.clone()).unwrap_or_default();
        let changed = |(name, object): (Name, Arc<Object>)| match old.remove(&name) {
            Some(before) if version(&before) == version(&object) => None,
            Some(_) | None => Some(object),
        };
        let mut touched: Vec<_> = new.into_iter().filter_map(changed).collect();
        touched.extend(old.into_values()); // what is left is gone
        touched
    }

    fn reached(&mut self, kind: Kind, version: u64) {
        let newest = self.newest.entry(kind).or_default();
        *newest = version.max(*newest);
    }

    /// Whether this kind's watch has passed the resource version.
    pub(super) fn has_reached(&self, kind: Kind, version: u64) -> bool {
        self.newest.get(&kind).is_some_and(|newest| *newest >= version)
    }

    /// Whether every kind has been listed once that each cluster has: before that, absence means nothing.
    pub(super) fn is_complete(&self) -> bool {
        Kind::ALL.iter().all(|kind| *kind == Kind::DataVolume || self.listed.contains(kind))
    }

    pub(super) fn get(&self, kind: Kind, name: &Name) -> Option<&Object> {
        self.objects.get(&kind)?.get(name).map(Arc::as_ref)
    }

    /// The objects of a kind in a namespace; an empty namespace holds the cluster-scoped ones.
    pub(super) fn within<'a>(&'a self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = &'a Object> {
        let from = self.objects.get(&kind).map(|all| all.range(Name::new(namespace, "")..));
        from.into_iter()
            .flatten()
            .map(|(_, object)| object.as_ref())
            .take_while(move |object| object.metadata.namespace.as_deref().unwrap_or_default() == namespace)
    }

    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values).map(Arc::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claim(namespace: &str, name: &str, version: u64) -> Object {
        let meta = json!({"namespace": namespace, "name": name, "resourceVersion": version.to_string()});
        serde_json::from_value(json!({"metadata": meta})).unwrap()
    }

    fn names(objects: &[Arc<Object>]) -> Vec<String> {
        objects.iter().map(|o| Name::of(o).to_string()).collect()
    }

    #[test]
    fn a_relist_reports_what_came_changed_and_went() {
        let mut world = World::default();
        for object in [claim("a", "same", 1), claim("a", "changed", 2), claim("a", "gone", 3)] {
            world.observe(Kind::Claim, Event::Apply(object));
        }
        world.observe(Kind::Claim, Event::Init);
        for object in [claim("a", "same", 1), claim("a", "changed", 5), claim("b", "new", 6)] {
            assert!(world.observe(Kind::Claim, Event::InitApply(object)).is_empty());
        }
        assert!(world.get(Kind::Claim, &Name::new("a", "gone")).is_some(), "an unfinished list replaces nothing");
        let touched = world.observe(Kind::Claim, Event::InitDone);
        assert_eq!(names(&touched), ["a/changed", "b/new", "a/gone"]);
        assert_eq!(world.within(Kind::Claim, "a").count(), 2);
        assert!(world.has_reached(Kind::Claim, 6) && !world.has_reached(Kind::Claim, 7) && !world.is_complete());
    }
}
