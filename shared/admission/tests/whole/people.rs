//! What people do: users to their Machines, through the webhook, and whoever may on a cluster, past everybody.

use model::names::{self, ClusterName};
use serde_json::{Value, json};

use crate::laws::Laws;
use crate::run::Run;
use crate::store::{By, Key, Sort, is_leaving, key, label, text};
use crate::webhook::admit;
use crate::world::{NAMESPACE, SUPERVISOR};

/// Words that keep or delete what a Machine has; most Machines say nothing.
const POLICIES: [&str; 6] = ["Delete", "Delete", "Delete", "Delete", "Retain", "Orphan"];
/// More than stands in a VM: it is carried by a Secret.
const LONG: usize = 2500;

impl Run {
    /// The Machines that users have: two, whose disks may get one name if both are on one cluster.
    pub(crate) fn names(&self) -> [(&'static str, &'static str); 2] {
        if self.alike { [("a", "b-c"), ("a-b", "c")] } else { [("web", "root"), ("db", "root")] }
    }

    /// Sends a Machine through the webhooks; what they refuse does not happen.
    pub(crate) fn submit(&mut self, name: &str, object: &Value) {
        let at = key(Sort::Machine, NAMESPACE, name);
        let old = self.world.supervisor.get(&at).cloned();
        let replicas = (self.dice.below(2), self.dice.below(2));
        let judged = admit(&mut self.webhooks, replicas, (object, old.as_deref()), self.strategy, &self.world);
        self.world.supervisor.by = By::Others;
        let outcome = match judged {
            Err(why) => Err(why),
            Ok(admitted) if old.is_none() => {
                self.world.supervisor.create(&at, &admitted).map_err(|why| format!("{why:?}"))
            }
            Ok(admitted) => {
                let now = &admitted["metadata"];
                let change = json!({
                    "metadata": {"annotations": now["annotations"], "finalizers": now["finalizers"]}, "spec": admitted["spec"],
                });
                self.world.supervisor.patch(&at, &change, false).map_err(|why| format!("{why:?}"))
            }
        };
        let assigned = Laws::stored(&self.world, name);
        let assigned = assigned.map(|it| text(&it, "/metadata/annotations/vitistack.io~1kubevirt-config").to_owned());
        self.world.note(format!("admission of {name} by {replicas:?}: {outcome:?}, now on {assigned:?}"));
    }

    /// A new Machine. `cluster` is named by its author, if at all; without a webhook it is stored as it is.
    pub(crate) fn apply(&mut self, which: usize, cluster: Option<&str>, policy: &str, secret: bool, judged: bool) {
        let (name, disk) = self.names()[which];
        let mut machine = json!({
            "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {}},
            "spec": {"template": "small", "runStrategy": "Always"},
        });
        if disk != "root" {
            machine["spec"]["disks"] = json!([{"name": disk, "size": "20Gi"}]);
        }
        if secret {
            machine["spec"]["cloudInit"] = json!({"userData": format!("#cloud-config\n{:#<1$}", "", LONG)});
        }
        let annotations = &mut machine["metadata"]["annotations"];
        annotations[names::DELETION_POLICY] = json!(policy);
        if let Some(cluster) = cluster {
            annotations[names::KUBEVIRT_CONFIG] = json!(cluster);
        }
        self.world
            .note(format!("create {name}, policy {policy}, cluster {cluster:?}, judged {judged}, secret {secret}"));
        if judged {
            self.submit(name, &machine);
        } else {
            self.world.supervisor.by = By::Others;
            let stored = self.world.supervisor.create(&key(Sort::Machine, NAMESPACE, name), &machine);
            self.world.note(format!("stored without a webhook: {stored:?}"));
        }
    }

    /// An edit of a Machine that is there.
    pub(crate) fn edit(&mut self, which: usize, pointer: &str, value: Value) {
        let (name, _) = self.names()[which];
        let Some(stored) = Laws::stored(&self.world, name) else { return };
        let mut machine = Value::clone(&stored);
        self.world.note(format!("edit {name}: {pointer} = {value}"));
        if let Some(at) = machine.pointer_mut(pointer) {
            *at = value;
        }
        self.submit(name, &machine);
    }

    pub(crate) fn remove(&mut self, which: usize) {
        let (name, _) = self.names()[which];
        self.world.supervisor.by = By::Others;
        let deleted = self.world.supervisor.delete(&key(Sort::Machine, NAMESPACE, name), None);
        self.world.note(format!("delete {name}: {deleted:?}"));
    }

    /// Somebody does something, most of the time with what is there.
    pub(crate) fn somebody_acts(&mut self) {
        let which = self.dice.below(2);
        let (name, _) = self.names()[which];
        let Some(machine) = Laws::stored(&self.world, name) else {
            let named = self.strategy_is_strict() || self.dice.one_in(2);
            let cluster = if self.dice.one_in(2) { "east" } else { "west" };
            let policy = POLICIES[self.dice.below(POLICIES.len())];
            let (secret, judged) = (self.dice.one_in(3), !self.dice.one_in(6));
            return self.apply(which, named.then_some(cluster), policy, secret, judged);
        };
        match self.dice.below(10) {
            0..=2 => self.remove(which),
            3 | 4 => {
                let next = if text(&machine, "/spec/runStrategy") == "Always" { "Halted" } else { "Always" };
                self.edit(which, "/spec/runStrategy", json!(next));
            }
            5 => {
                let pointer = "/metadata/annotations/vitistack.io~1kubevirt-config";
                let next = if text(&machine, pointer) == "east" { "west" } else { "east" };
                self.edit(which, pointer, json!(next));
            }
            6 if is_leaving(&machine) && !self.world.cut.is_empty() => self.forsake(name, &machine),
            _ => self.somebody_acts_there(name),
        }
    }

    /// Whoever may says that the cluster of a Machine does not come back.
    fn forsake(&mut self, name: &str, machine: &Value) {
        let cluster = text(machine, "/metadata/annotations/vitistack.io~1kubevirt-config");
        let change = json!({"metadata": {"annotations": {names::RELEASE_FROM: cluster}}});
        self.world.supervisor.by = By::Others;
        let released = self.world.supervisor.patch(&key(Sort::Machine, NAMESPACE, name), &change, false);
        self.world.note(format!("{name} may go without {cluster}: {released:?}"));
    }

    /// Somebody on a cluster deletes a VM, takes the labels off one, or makes one of a Machine's name.
    fn somebody_acts_there(&mut self, name: &str) {
        let cluster = self.dice.below(3);
        let vm = key(Sort::Vm, NAMESPACE, &format!("vm-{name}"));
        let what = self.dice.below(4);
        let controlled = self.dice.one_in(2);
        let store = &mut self.world.clusters[cluster];
        store.by = By::Others;
        let there = store.get(&vm).cloned();
        let done = match (there, what) {
            (Some(_), 0 | 1) => store.delete(&vm, None),
            (Some(_), 2) => {
                let bare = json!({"metadata": {"labels": {names::MACHINE_UID: null, names::SUPERVISOR: null}}});
                store.patch(&vm, &bare, false)
            }
            (None, 0) => {
                let _known = store.create(&key(Sort::Namespace, "", NAMESPACE), &json!({}));
                let mut object = json!({"metadata": {}, "spec": {"runStrategy": "Always", "template": {"metadata": {}, "spec": {"domain": {}}}}});
                if controlled {
                    let owner = json!({"apiVersion": "example.org/v1", "kind": "Pool", "name": "pool", "uid": "p-1", "controller": true});
                    object["metadata"]["ownerReferences"] = json!([owner]);
                }
                store.create(&vm, &object)
            }
            _ => return,
        };
        let id = store.id;
        self.world.note(format!("somebody on {id}: deed {what} to {}, controlled {controlled}: {done:?}", vm.name));
    }

    /// A life, from one state of rest to the next.
    pub(crate) fn live(&mut self, policy: &str) -> Result<(), String> {
        self.apply(0, Some("east"), policy, true, true);
        self.rest()?;
        for power in ["Halted", "Always"] {
            self.edit(0, "/spec/runStrategy", json!(power));
            self.rest()?;
        }
        self.remove(0);
        self.rest()?;
        self.apply(0, Some("east"), "Delete", false, true);
        self.settle()?;
        self.remove(0);
        self.settle()
    }

    /// What only people can put right: a name that a stranger holds, lost labels, and what a Machine left that is gone.
    pub(crate) fn people_tidy_up(&mut self) {
        let known: Vec<String> =
            self.world.supervisor.of(Sort::Machine).map(|(_, it)| text(it, "/metadata/uid").to_owned()).collect();
        for cluster in 0..self.world.clusters.len() {
            let mut done: Vec<(Key, Option<String>)> = Vec::new();
            for (at, object) in &self.world.clusters[cluster].objects {
                let owner = label(object, names::MACHINE_UID);
                let lost = self.laws.machine_of(object).filter(|_| at.sort == Sort::Vm);
                let orphan = self.laws.orphans.contains(owner) && !known.iter().any(|uid| uid == owner);
                match lost {
                    Some(uid) if known.contains(uid) && at.name.len() % 2 == 0 => {
                        done.push((at.clone(), Some(uid.clone())));
                    }
                    Some(_) => done.push((at.clone(), None)),
                    None if orphan && at.sort != Sort::Vmi => done.push((at.clone(), None)),
                    None if at.sort == Sort::Vm && owner.is_empty() && Self::is_in_the_way(object) => {
                        done.push((at.clone(), None));
                    }
                    None => {}
                }
            }
            let store = &mut self.world.clusters[cluster];
            store.by = By::Others;
            for (at, uid) in done {
                let labels = json!({"metadata": {"labels": {names::MACHINE_UID: uid, names::SUPERVISOR: SUPERVISOR}}});
                let tidied = if uid.is_some() { store.patch(&at, &labels, false) } else { store.delete(&at, None) };
                tidied.expect("it is there");
            }
        }
    }

    /// A VM that no Machine left behind.
    fn is_in_the_way(vm: &Value) -> bool {
        vm["metadata"]["annotations"][names::RETAINED_FROM].is_null()
    }

    pub(crate) fn clusters(&self) -> Vec<ClusterName> {
        self.world.configs.keys().cloned().collect()
    }
}
