//! From what is planned to requests, as `controller/src/machine/{execute,record,writes,remote,changes}.rs` sends them: the same
//! names, the same preconditions, the same reading of a refusal.

use std::collections::BTreeSet;
use std::rc::Rc;

use model::machine::owner::Left;
use model::machine::restart::note;
use model::machine::status::change;
use model::machine::storage::take_back;
use model::machine::{Failure, Here, Identity, Kind, Parcel, There, record};
use model::names::{self, ClusterName};
use model::reason::Reason;
use serde_json::{Value, json};

use crate::controller::{Controller, Pass, sort_of};
use crate::seen::metadata;
use crate::store::{Key, Refused, Sort, is_leaving, key, label, text};
use crate::world::{Answer, NAMESPACE, SUPERVISOR, To, World};

/// The connection that the pass was planned on.
struct Target<'p> {
    name: &'p ClusterName,
    to: usize,
    number: usize,
    identity: &'p Identity,
}

impl Target<'_> {
    fn key(&self, kind: Kind, name: &str) -> Key {
        let namespace = if kind == Kind::Namespace { "" } else { &self.identity.vm.namespace };
        key(sort_of(kind), namespace, name)
    }

    fn is_ours(&self, object: &Value) -> bool {
        label(object, names::MACHINE_UID) == self.identity.uid && label(object, names::SUPERVISOR) == SUPERVISOR
    }
}

fn failure(kind: Kind, name: &str, why: Answer) -> Failure {
    let reason = if why == Answer::Silence { Reason::ClusterUnreachable } else { Reason::KubeVirtApiError };
    Failure { reason, message: format!("{kind:?} {name}: {why:?}") }
}

fn stranger(kind: Kind, name: &str) -> Failure {
    Failure { reason: Reason::Conflict, message: format!("{kind:?} {name} exists and is not this Machine's") }
}

impl Controller {
    /// A write to the supervisor: whether it touched the Machine itself. Without a failure to show, the pass ends.
    pub(crate) fn write_here(&mut self, write: &Here, pass: &Pass, world: &mut World) -> Result<bool, Option<Failure>> {
        let Some(identity) = pass.intent.identity() else { return Err(None) };
        let at = key(Sort::Machine, NAMESPACE, &identity.key.name);
        let finalizers = pass.machine.metadata.finalizers.clone().unwrap_or_default();
        let bound = |finalizers: Vec<String>| json!({"metadata": {"uid": identity.uid, "resourceVersion": identity.resource_version, "finalizers": finalizers}});
        let of_record = Key { sort: Sort::Record, ..at.clone() };
        let mut send = |what: &str, at: &Key, change: &Value, of_status| {
            world.send(To::Supervisor, what, |store| store.patch(at, change, of_status))
        };
        match write {
            Here::Record { cluster, id, vm } => {
                let previous = pass.machine.status.clone().unwrap_or_default();
                let now = previous
                    .last_updated
                    .clone()
                    .unwrap_or_else(|| pass.machine.metadata.creation_timestamp.clone().expect("a Machine has a time"));
                let next = record(&previous, &pass.intent, cluster, id, vm, now);
                let change = change(&pass.machine.metadata, &previous, &next);
                send("record the cluster", &at, &change, true).map_err(|_| None)?;
                Ok(true)
            }
            Here::Guard => {
                let all = finalizers.into_iter().chain([names::CLEANUP.to_owned()]).collect();
                send("guard", &at, &bound(all), false).map_err(|_| None)?;
                Ok(true)
            }
            Here::Release(gone) => {
                let left = finalizers.into_iter().filter(|name| !gone.contains(name)).collect();
                match send("release", &at, &bound(left), false) {
                    Ok(()) | Err(Answer::Refused(Refused::Missing)) => {
                        self.proven.remove(&identity.uid);
                        self.uncarried.remove(&identity.uid);
                        Ok(true)
                    }
                    Err(_) => Err(None),
                }
            }
            Here::AskAdmission => {
                world.asked.push(identity.key.name.clone());
                Ok(false)
            }
            Here::Forsake { .. } => Ok(false),
            Here::CreateRecord(object) => {
                let made = world.send(To::Supervisor, "create record", |store| store.create(&of_record, object));
                made.map_err(|why| Some(failure(Kind::Attachment, "record", why)))?;
                if let Some(made) = world.supervisor.get(&of_record) {
                    self.here.insert(of_record, made.clone());
                }
                Ok(false)
            }
            Here::ChangeRecord(change) => match send("change record", &of_record, change, false) {
                Err(Answer::Silence) => Err(Some(failure(Kind::Attachment, "record", Answer::Silence))),
                Ok(()) | Err(Answer::Refused(_)) => Ok(false),
            },
            Here::DeleteRecord(uid) => {
                let sent = world.send(To::Supervisor, "delete record", |store| store.delete(&of_record, Some(uid)));
                match sent {
                    Err(Answer::Silence) => Err(Some(failure(Kind::Attachment, "record", Answer::Silence))),
                    Ok(()) | Err(Answer::Refused(_)) => Ok(false),
                }
            }
        }
    }

    /// A write to the Machine's cluster, on the connection that the pass was planned on.
    pub(crate) fn write_there(&mut self, write: &There, pass: &Pass, world: &mut World) -> Result<(), Failure> {
        let (Some(identity), Some((name, to, number))) = (pass.intent.identity(), &pass.at) else {
            return Err(failure(Kind::Vm, "no connection", Answer::Silence));
        };
        let at = Target { name, to: *to, number: *number, identity };
        match write {
            There::Create(kind, name, object) => self.make(&at, *kind, name, object, world),
            There::TakeBack(name) => match ask(&at, Kind::Claim, name, world)? {
                Some(found) => self.take_left(&at, name, &found, true, world),
                None => Err(failure(Kind::Claim, name, Answer::Refused(Refused::Missing))),
            },
            There::Update { kind, name, wanted, .. } => {
                let Some(live) = ask(&at, *kind, name, world)? else {
                    self.forget(&at, *kind, name);
                    return Ok(());
                };
                let Some(mut change) = wanted.change(&live).filter(|_| at.is_ours(&live)) else { return Ok(()) };
                if *kind == Kind::Vm {
                    note(&mut change, &live);
                }
                self.merge(&at, *kind, name, &change.patch, world)
            }
            There::Merge(kind, name, change) => {
                self.merge(&at, *kind, name, change, world)?;
                if *kind == Kind::Secret {
                    self.uncarried.insert(identity.uid.clone());
                }
                Ok(())
            }
            There::Delete(kind, name, uid) => {
                let object = at.key(*kind, name);
                let what = format!("delete {kind:?} {name} {uid}");
                match world.send(To::Cluster(at.to), &what, |store| store.delete(&object, Some(uid))) {
                    Ok(()) => {}
                    Err(Answer::Refused(why)) => {
                        self.forget(&at, *kind, name);
                        if why == Refused::Changed {
                            self.proven.remove(&identity.uid);
                        }
                    }
                    Err(why) => return Err(failure(*kind, name, why)),
                }
                if *kind == Kind::Secret {
                    self.uncarried.insert(identity.uid.clone());
                }
                Ok(())
            }
            There::Adopt(name, change) => self.take(&at, Kind::Vm, name, change, world),
            There::Carry(parcel) => carry(&at, parcel, world),
            There::AdoptClaim(_) | There::Restart(..) | There::DeleteAlone(..) | There::TakeOver(..) => {
                panic!("no Machine here needs {write:?}")
            }
        }
    }

    fn make(
        &mut self,
        at: &Target<'_>,
        kind: Kind,
        name: &str,
        object: &Value,
        world: &mut World,
    ) -> Result<(), Failure> {
        if kind != Kind::Namespace {
            self.sent(at.name, kind, name, &at.identity.uid, world.second);
        }
        let where_to = at.key(kind, name);
        match world
            .send(To::Cluster(at.to), &format!("create {kind:?} {name}"), |store| store.create(&where_to, object))
        {
            Ok(()) => {}
            Err(Answer::Refused(Refused::Exists)) if kind == Kind::Namespace => {}
            Err(Answer::Refused(Refused::Exists)) => {
                let Some(found) = ask(at, kind, name, world)? else {
                    return Err(failure(kind, name, Answer::Refused(Refused::Missing)));
                };
                if !at.is_ours(&found) {
                    self.refused(at.name, kind, name);
                    return match kind {
                        Kind::Claim => self.take_left(at, name, &found, false, world),
                        _ => Err(stranger(kind, name)),
                    };
                }
            }
            Err(why) => {
                if let Answer::Refused(_) = why {
                    self.refused(at.name, kind, name);
                    self.namespaces(at, BTreeSet::clear);
                }
                return Err(failure(kind, name, why));
            }
        }
        if kind == Kind::Namespace {
            self.namespaces(at, |known| known.extend([name.to_owned()]));
        }
        self.created(at.name, kind, name);
        Ok(())
    }

    fn namespaces(&mut self, at: &Target<'_>, change: impl FnOnce(&mut BTreeSet<String>)) {
        if let Some(link) = self.links.get_mut(at.name).filter(|link| link.number == at.number) {
            change(&mut link.namespaces);
        }
    }

    fn forget(&mut self, at: &Target<'_>, kind: Kind, name: &str) {
        if let Some(link) = self.links.get_mut(at.name).filter(|link| link.number == at.number) {
            link.index.remove(&at.key(kind, name));
        }
    }

    fn merge(
        &mut self,
        at: &Target<'_>,
        kind: Kind,
        name: &str,
        change: &Value,
        world: &mut World,
    ) -> Result<(), Failure> {
        let object = at.key(kind, name);
        match world
            .send(To::Cluster(at.to), &format!("merge {kind:?} {name}"), |store| store.patch(&object, change, false))
        {
            Ok(()) | Err(Answer::Refused(Refused::Changed)) => Ok(()),
            Err(Answer::Refused(Refused::Missing)) => {
                self.forget(at, kind, name);
                Ok(())
            }
            Err(why) => Err(failure(kind, name, why)),
        }
    }

    /// Makes an object the Machine's, and awaits it.
    fn take(
        &mut self,
        at: &Target<'_>,
        kind: Kind,
        name: &str,
        change: &Value,
        world: &mut World,
    ) -> Result<(), Failure> {
        self.sent(at.name, kind, name, &at.identity.uid, world.second);
        let object = at.key(kind, name);
        let taken = world
            .send(To::Cluster(at.to), &format!("take {kind:?} {name}"), |store| store.patch(&object, change, false));
        match taken {
            Ok(()) => self.created(at.name, kind, name),
            Err(Answer::Refused(_)) => self.refused(at.name, kind, name),
            Err(Answer::Silence) => {}
        }
        taken.map_err(|why| failure(kind, name, why))
    }

    /// Takes a claim that a Machine left behind.
    fn take_left(
        &mut self,
        at: &Target<'_>,
        name: &str,
        found: &Value,
        named: bool,
        world: &mut World,
    ) -> Result<(), Failure> {
        if at.is_ours(found) {
            if !is_leaving(found) {
                self.sent(at.name, Kind::Claim, name, &at.identity.uid, world.second);
                self.created(at.name, Kind::Claim, name);
            }
            return Ok(());
        }
        let judged = take_back(&metadata(found), named, at.identity, SUPERVISOR, &at.name.0);
        let change = judged.unwrap_or_else(|| Err(stranger(Kind::Claim, name)))?;
        self.take(at, Kind::Claim, name, &change, world)
    }
}

fn ask(at: &Target<'_>, kind: Kind, name: &str, world: &World) -> Result<Option<Rc<Value>>, Failure> {
    let store = world.ask(at.to).map_err(|why| failure(kind, name, why))?;
    Ok(store.get(&at.key(kind, name)).cloned())
}

/// Makes the Secret, or brings in line what is the Machine's already or what an earlier self of it left.
fn carry(at: &Target<'_>, parcel: &Parcel, world: &mut World) -> Result<(), Failure> {
    let (kind, name) = (Kind::Secret, parcel.name.as_str());
    let where_to = at.key(kind, name);
    let mut found = if parcel.known { ask(at, kind, name, world)? } else { None };
    if found.is_none() {
        let object = parcel.object();
        match world.send(To::Cluster(at.to), &format!("create Secret {name}"), |store| store.create(&where_to, &object))
        {
            Ok(()) => return Ok(()),
            Err(Answer::Refused(Refused::Exists)) => found = ask(at, kind, name, world)?,
            Err(why) => return Err(failure(kind, name, why)),
        }
    }
    let Some(found) = found else { return Ok(()) };
    let left = || Left::read(&metadata(&found)).is_some_and(|left| left.is(&at.identity.key, SUPERVISOR));
    if !(at.is_ours(&found) || label(&found, names::MACHINE_UID).is_empty() && left()) {
        return Err(stranger(kind, name));
    }
    let change = parcel.change(text(&found, "/metadata/uid"), text(&found, "/metadata/resourceVersion"));
    let sent =
        world.send(To::Cluster(at.to), &format!("merge Secret {name}"), |store| store.patch(&where_to, &change, false));
    sent.map_err(|why| failure(kind, name, why))
}
