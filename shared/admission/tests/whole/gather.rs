//! What a pass sees, as `controller/src/machine/{gather,lookup,adopt,remains,data}.rs` gathers it: nothing is asked but what no watch
//! shows.

use std::collections::BTreeMap;
use std::rc::Rc;

use model::api::Machine;
use model::clusters::{Newest, View};
use model::machine::carried::{Carried, carry};
use model::machine::configuration::Configuration;
use model::machine::networks::{Attachments, Networks, Record};
use model::machine::owner::{self, Adoption};
use model::machine::standing::{Standing, standing};
use model::machine::{
    Admitted, Claim, DataSecret, DeletionPolicy, Identity, Imports, Intent, Kind, Leaving, Lookup, Observed, Remote,
    Shown, Terms, Vm, Vmi, adoption, cluster_of,
};
use model::names::{self, ClusterName, VmKey, cloud_init_secret};
use serde_json::Value;

use crate::cluster::claims;
use crate::controller::{Controller, Link, Waiting, kind_of};
use crate::seen::{controller_of, metadata, read_claim, read_vm, read_vmi};
use crate::store::{Key, Sort, key, label, text};
use crate::world::{NAMESPACE, SUPERVISOR, World};

type At = Option<(ClusterName, usize, usize)>;

/// What is known of one Machine on one cluster.
#[derive(Default)]
struct Own {
    vm: Option<Vm>,
    vmi: Option<Vmi>,
    claims: BTreeMap<String, Claim>,
}

fn own(link: &Link, identity: &Identity) -> Own {
    let mut own = Own::default();
    let mine = |at: &Key, object: &Value| {
        let by_name = at.sort == Sort::Claim || at.name == identity.vm.name;
        by_name && at.namespace == identity.vm.namespace && label(object, names::MACHINE_UID) == identity.uid
    };
    for (at, object) in link.index.iter().filter(|(at, object)| mine(at, object)) {
        match at.sort {
            Sort::Vm => own.vm = Some(read_vm(object)),
            Sort::Vmi => own.vmi = Some(read_vmi(object)),
            _ => drop(own.claims.insert(at.name.clone(), read_claim(object))),
        }
    }
    if let (Some(vm), None) = (&own.vm, &own.vmi) {
        let instance = link.index.get(&key(Sort::Vmi, &identity.vm.namespace, &identity.vm.name));
        own.vmi = instance.filter(|it| controller_of(it) == Some(&vm.uid)).map(|it| read_vmi(it));
    }
    own
}

impl Controller {
    /// What a pass about a Machine decides on; nothing where it ends before that.
    pub(crate) fn gather(&mut self, machine: &Machine, world: &World) -> Option<(Intent, Observed, At)> {
        let uid = machine.metadata.uid.clone().unwrap_or_default();
        let name = cluster_of(machine);
        let link = name.as_ref().and_then(|name| Some((name, self.links.get(name)?)));
        let mut shown = Shown::new();
        if let Some((name, link)) = link {
            let own = link.index.iter().filter(|(_, object)| label(object, names::MACHINE_UID) == uid);
            let at = |namespace: &str, name: &str| VmKey { namespace: namespace.to_owned(), name: name.to_owned() };
            shown.extend(own.map(|(key, _)| (kind_of(key.sort), at(&key.namespace, &key.name))));
            let waiting = self.waiting(name, &uid, world.second);
            shown.extend(waiting.all.into_iter().map(|(kind, name)| (kind, at(NAMESPACE, &name))));
        }
        let config = name.as_ref().and_then(|name| world.configs.get(name));
        let intent = Intent::of(machine, "vm-", config.map(|config| &config.spec), &shown);
        let view = link.map(|(_, link)| {
            if link.up {
                View::Connected { id: world.clusters[link.to].id.to_owned(), newest: Newest::InUse }
            } else {
                View::Unreachable("it does not answer".to_owned())
            }
        });
        let nothing = |remote| Observed { terms: Terms::of(config), ..Observed::nothing(SUPERVISOR, remote) };
        let (Some(identity), Some(name)) = (intent.identity().cloned(), intent.cluster().cloned()) else {
            return Some((intent, nothing(Remote::Missing), None));
        };
        let remote = Remote::of(view, config, identity.cluster_id.as_deref());
        let Some(link) = self.links.get(&name) else { return Some((intent, nothing(remote), None)) };
        let at = Some((name.clone(), link.to, link.number));
        let waiting = self.look_up(&name, &identity, &remote, matches!(intent, Intent::Leave(_)), world)?;
        let link = &self.links[&name];
        let mut own = own(link, &identity);
        let its_own =
            matches!(&remote, Remote::Connected { id } if identity.cluster_id.as_ref().is_none_or(|it| it == id));
        let to = link.to;
        let found = match &intent {
            Intent::Run(admitted) if its_own => look(admitted, &mut own, &waiting, to, world)?,
            Intent::Leave(leaving) if its_own && waiting.all.is_empty() => self.remains(leaving, &mut own, to, world),
            _ => Lookup::Unasked,
        };
        let (cloud_init, data_secret) = match &intent {
            Intent::Run(admitted) if its_own && is_made(&own, &found, &identity) => {
                self.uncarried.remove(&identity.uid);
                (carry(&admitted.spec, &identity.uid, None, |_| Ok(Vec::new())), DataSecret::Unasked)
            }
            Intent::Leave(leaving) if its_own && waiting.all.is_empty() => {
                (Ok(Carried::default()), self.find_left(leaving, &own, &found, to, world))
            }
            _ => (Ok(Carried::default()), DataSecret::Unasked),
        };
        let link = &self.links[&name];
        let used = link.index.keys().any(|key| key.namespace == identity.vm.namespace);
        let record = self.here.get(&key(Sort::Record, NAMESPACE, &identity.key.name));
        let record = record.map(|record| Configuration::read(&metadata(record), record));
        let seen = Observed {
            vm: own.vm,
            vmi: own.vmi,
            claims: own.claims,
            imports: Imports::Missing,
            namespace_known: used || link.namespaces.contains(&identity.vm.namespace),
            awaited: if matches!(intent, Intent::Leave(_)) { waiting.all } else { waiting.stored },
            found,
            cloud_init,
            data_secret,
            networks: Networks {
                record: Record::of(record.as_ref(), &identity.key, (&identity.uid, None), SUPERVISOR),
                attachments: Attachments::NotInstalled,
                ..Networks::default()
            },
            ..nothing(remote)
        };
        Some((intent, seen, at))
    }

    /// What is awaited; a creation that no watch has shown for long is asked for, and in a deletion every one.
    fn look_up(
        &mut self,
        name: &ClusterName,
        identity: &Identity,
        remote: &Remote,
        leaving: bool,
        world: &World,
    ) -> Option<Waiting> {
        let waiting = self.waiting(name, &identity.uid, world.second);
        let doubtful = waiting.overdue || leaving && !waiting.all.is_empty();
        if !doubtful || !matches!(remote, Remote::Connected { .. }) {
            return Some(waiting);
        }
        let link = self.links.get_mut(name)?;
        let store = world.ask(link.to).ok()?;
        for (at, object) in &store.objects {
            let ours =
                label(object, names::MACHINE_UID) == identity.uid && label(object, names::SUPERVISOR) == SUPERVISOR;
            if ours && waiting.all.contains(&(kind_of(at.sort), at.name.clone())) && at.sort != Sort::Vmi {
                link.index.insert(at.clone(), object.clone());
            }
        }
        self.looked_up(name, &identity.uid, world.second);
        Some(self.waiting(name, &identity.uid, world.second))
    }

    /// Whether VM and instance are gone, by name; claims that no watch shows.
    fn remains(&mut self, leaving: &Leaving, own: &mut Own, to: usize, world: &World) -> Lookup {
        let identity = &leaving.identity;
        let goes = matches!(leaving.policy, Ok(DeletionPolicy::Delete | DeletionPolicy::Retain));
        let unmade = identity.cluster_id.is_none() && own.claims.is_empty();
        let nothing_seen = own.vm.is_none() && own.vmi.is_none() && !unmade;
        if !goes || !nothing_seen || leaving.finalizers.is_empty() || self.proven.contains(&identity.uid) {
            return Lookup::Unasked;
        }
        let Ok(store) = world.ask(to) else { return Lookup::Unknown("no answer".to_owned()) };
        let find = |sort| store.get(&key(sort, &identity.vm.namespace, &identity.vm.name));
        let (vm, vmi) = (find(Sort::Vm), find(Sort::Vmi));
        let [of_vm, of_vmi] = [vm, vmi].map(|object| object.map(|object| metadata(object)).unwrap_or_default());
        let uses = |object: &Rc<Value>, pointer| claims(object, pointer).any(|claim| own.claims.contains_key(claim));
        let vm = vm.map(|it| Standing { metadata: &of_vm, uses_disk: uses(it, "/spec/template/spec/volumes") });
        let vmi = vmi.map(|it| Standing { metadata: &of_vmi, uses_disk: uses(it, "/spec/volumes") });
        let found = standing(vm, vmi, leaving, SUPERVISOR);
        let all = own.claims.len();
        for name in leaving.claims.iter().filter(|_| found == Lookup::Absent) {
            let claim = store.get(&key(Sort::Claim, &identity.vm.namespace, name)).filter(|claim| {
                label(claim, names::MACHINE_UID) == identity.uid && label(claim, names::SUPERVISOR) == SUPERVISOR
            });
            if let Some(claim) = claim {
                own.claims.entry(name.clone()).or_insert_with(|| read_claim(claim));
            }
        }
        if found == Lookup::Absent && own.claims.len() == all {
            self.proven.insert(identity.uid.clone());
        }
        found
    }

    /// The Secret of a Machine that goes.
    fn find_left(&mut self, leaving: &Leaving, own: &Own, found: &Lookup, to: usize, world: &World) -> DataSecret {
        let identity = &leaving.identity;
        let uid = &identity.uid;
        if let Some(vm) = &own.vm {
            self.carried.insert(uid.clone(), vm.cloud_init.is_some());
        }
        let gone = own.vm.is_none() && own.vmi.is_none() && matches!(found, Lookup::Absent | Lookup::Unasked);
        let due = match leaving.policy {
            Ok(DeletionPolicy::Orphan) => true,
            Ok(DeletionPolicy::Delete | DeletionPolicy::Retain) => gone && self.proven.contains(uid),
            Err(_) => false,
        };
        let made = identity.cluster_id.is_some() && !leaving.finalizers.is_empty();
        let may_be = leaving.may_have_secret || self.carried.get(uid).copied().unwrap_or(true);
        if !due || !made || !may_be || self.uncarried.contains(uid) {
            return DataSecret::Unasked;
        }
        let Ok(store) = world.ask(to) else { return DataSecret::Unknown("no answer".to_owned()) };
        let secret = store.get(&key(Sort::Secret, &identity.vm.namespace, &cloud_init_secret(&identity.key.name)));
        let ours = |it: &&Rc<Value>| label(it, names::MACHINE_UID) == uid && label(it, names::SUPERVISOR) == SUPERVISOR;
        if let Some(secret) = secret.filter(ours) {
            return DataSecret::Ours { uid: text(secret, "/metadata/uid").to_owned() };
        }
        self.uncarried.insert(uid.clone());
        DataSecret::Absent
    }
}

/// The VM to adopt, and the instance of one that was.
fn look(admitted: &Admitted, own: &mut Own, waiting: &Waiting, to: usize, world: &World) -> Option<Lookup> {
    let (mut found, identity) = (Lookup::Unasked, &admitted.identity);
    let awaited = admitted.adopt.iter().any(|name| waiting.stored.contains(&(Kind::Vm, name.clone())));
    if own.vm.is_none() && !awaited {
        for name in &admitted.adopt {
            let Ok(store) = world.ask(to) else { return Some(Lookup::Unknown("no answer".to_owned())) };
            let vm = store.get(&key(Sort::Vm, &identity.vm.namespace, name));
            let vm = vm.filter(|vm| adoption::is_looked_for(&metadata(vm), admitted, SUPERVISOR));
            let judge = |vm: &Rc<Value>| adoption::found(&metadata(vm), identity, SUPERVISOR, Adoption::Unowned);
            let judged = vm.map_or(Lookup::Absent, judge);
            let earlier =
                vm.is_some_and(|vm| identity.asking(SUPERVISOR).is_earlier_selfs(&owner::read(&metadata(vm))));
            let in_the_way = *name == identity.vm.name || admitted.adopt.len() == 1 || earlier;
            own.vm = vm.filter(|_| judged == Lookup::Ours).map(|vm| read_vm(vm));
            found = if matches!(judged, Lookup::Taken(_)) && !in_the_way { Lookup::Absent } else { judged };
            if found != Lookup::Absent {
                break;
            }
        }
    }
    if let (Some(vm), None) = (&own.vm, &own.vmi)
        && (vm.adopted.is_some() || vm.macs_of.is_some())
    {
        let vmi = world.ask(to).ok()?.get(&key(Sort::Vmi, &identity.vm.namespace, &vm.name));
        own.vmi = vmi.filter(|vmi| controller_of(vmi) == Some(&vm.uid)).map(|vmi| read_vmi(vmi));
    }
    Some(found)
}

/// A VM is made for it, or was.
fn is_made(own: &Own, found: &Lookup, identity: &Identity) -> bool {
    let adopted = own.vm.as_ref().is_some_and(|vm| vm.adopted.is_some());
    identity.cluster_id.is_some() && !adopted && matches!(found, Lookup::Unasked | Lookup::Absent | Lookup::Ours)
}
