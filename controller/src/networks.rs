//! The NetworkConfigurations and NetworkNamespaces of the supervisor: networks that Machines join, and the records of their
//! interfaces. Either kind may be missing, or come later. I/O: a watch of each.

mod part;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};
use model::api::MachineSpec;
use model::machine::Identity;
use model::machine::configuration::{Configuration, NetworkNamespace};
use model::machine::networks::{Attachments, IpSource, Named, Networks, Record, joined};
use model::names::{GROUP, MachineKey, VERSION};
use runtime::follow::{News, each};
use runtime::listing::watching;
use tokio::sync::{Notify, mpsc, watch};

use self::part::{Change, Part};
use crate::objects::MachineUid;
use crate::packed::Packed;

/// How long what could not be listed waits before it is asked for again.
const SOON: Duration = Duration::from_secs(10);
/// How long a kind that is not installed waits, unless a Machine needs it.
const LATER: Duration = Duration::from_secs(600);

/// All of both kinds. Locked for moments only, never across an await.
#[derive(Debug)]
pub struct NetworkIndex {
    known: RwLock<Known>,
    /// Which of the two kinds were asked for, and answered about.
    answered: watch::Sender<[bool; 2]>,
    needed: [Arc<Notify>; 2],
    /// `DEFAULT_BRIDGE`.
    default_bridge: String,
    /// `IP_SOURCE`.
    ip_source: IpSource,
}

#[derive(Debug, Default)]
struct Known {
    configurations: Part<Configuration>,
    namespaces: Part<NetworkNamespace>,
}

/// Whom to tell of changes.
pub(crate) struct Listeners {
    pub(crate) machines: Store<Packed>,
    pub(crate) touch: mpsc::UnboundedSender<MachineUid>,
}

impl NetworkIndex {
    /// Nothing is known yet. `default_bridge` is that of networks that name none, `ip_source` whose word counts about addresses.
    pub fn new(default_bridge: &str, ip_source: IpSource) -> Self {
        Self {
            known: RwLock::default(),
            answered: watch::Sender::new([false; 2]),
            needed: Default::default(),
            default_bridge: default_bridge.to_owned(),
            ip_source,
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until both kinds were asked for once: before that, nothing that is missing is missing.
    pub async fn answered(&self) {
        // The sender lives as long as this.
        let _ = self.answered.subscribe().wait_for(|answered| answered.iter().all(|it| *it)).await;
    }

    /// A Machine needs what is not known: a kind that was not installed is looked for again.
    pub fn look_again(&self) {
        for needed in &self.needed {
            needed.notify_one();
        }
    }

    /// What concerns one Machine; `earlier` is the UID of its earlier self that it takes over; `spec` is absent when it goes and joins nothing any more.
    pub fn of(
        &self,
        identity: &Identity,
        earlier: Option<&str>,
        spec: Option<&MachineSpec>,
        attachments: Attachments,
        supervisor: &str,
    ) -> Networks {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Known { configurations, namespaces } = &*known;
        let key = |name: &str| MachineKey { namespace: identity.key.namespace.clone(), name: name.to_owned() };
        let find = |name: &str| Named {
            configuration: configurations.all.get(&key(name)).map(|it| Configuration::clone(it)),
            namespace: namespaces.all.get(&key(name)).map(|it| NetworkNamespace::clone(it)),
        };
        let own = configurations.all.get(&identity.key).map(|own| &**own);
        let unknown = configurations.unlisted.is_some() || configurations.not_installed;
        Networks {
            named: spec.into_iter().flat_map(joined).map(|name| (name.to_owned(), find(name))).collect(),
            unlisted: configurations.unlisted.clone().or_else(|| namespaces.unlisted.clone()),
            record: match own {
                None if unknown => Record::Unknown,
                own => Record::of(own, &identity.key, (&identity.uid, earlier), supervisor),
            },
            attachments,
            default_bridge: self.default_bridge.clone(),
            macs_of: None,
            ip_source: self.ip_source,
        }
    }

    /// A record was written, and this is it.
    pub fn saw(&self, object: &DynamicObject) {
        let (key, now) = read_configuration(object);
        self.write().configurations.set(key, Some(now));
    }

    /// Follows both kinds for ever, and tells of every Machine that a change concerns.
    pub(crate) async fn follow(self: Arc<Self>, client: Client, to: Listeners) {
        let api = |kind| Api::<DynamicObject>::all_with(client.clone(), &resource_of(kind));
        let configurations = |news: Vec<News<_>>| {
            let known = self.answered.borrow()[0];
            let mut known_now = self.write();
            let changes: Vec<_> = news.into_iter().flat_map(|it| known_now.configurations.take(it)).collect();
            drop(known_now);
            if known {
                to.tell_of_records(&changes);
                to.tell(&changes);
            }
            self.answered.send_modify(|answered| answered[0] = true);
        };
        let namespaces = |news: Vec<News<_>>| {
            let known = self.answered.borrow()[1];
            let mut known_now = self.write();
            let changes: Vec<_> = news.into_iter().flat_map(|it| known_now.namespaces.take(it)).collect();
            drop(known_now);
            if known {
                to.tell(&changes);
            }
            self.answered.send_modify(|answered| answered[1] = true);
        };
        let [first, second] = &self.needed;
        futures::join!(
            each(
                api("NetworkConfiguration"),
                watching(),
                true,
                |absent| wait(absent, first.clone()),
                read_configuration,
                configurations
            ),
            each(
                api("NetworkNamespace"),
                watching(),
                true,
                |absent| wait(absent, second.clone()),
                |object| (key_of(object), NetworkNamespace::read(&object.data)),
                namespaces
            ),
        );
    }
}

fn resource_of(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, kind))
}

/// The kind NetworkConfiguration.
pub fn configurations() -> ApiResource {
    resource_of("NetworkConfiguration")
}

async fn wait(absent: bool, needed: Arc<Notify>) {
    tokio::time::sleep(SOON).await;
    if absent {
        // Whoever needs it, or nobody in that time.
        let _ = tokio::time::timeout(LATER, needed.notified()).await;
    }
}

fn key_of(object: &impl ResourceExt) -> MachineKey {
    MachineKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

fn read_configuration(object: &DynamicObject) -> (MachineKey, Configuration) {
    (key_of(object), Configuration::read(&object.metadata, &object.data))
}

impl Listeners {
    /// Tells the Machines that records belong to or are called after: they are as many as there are Machines, so that none is
    /// searched for.
    fn tell_of_records(&self, changes: &[Change<Configuration>]) {
        let states = changes.iter().flat_map(|(_, before, now)| [before, now]);
        let owners = states.flatten().filter_map(|it| it.owner.clone());
        let named = changes.iter().filter_map(|(key, ..)| {
            let machine = ObjectRef::new(&key.name).within(&key.namespace);
            self.machines.get(&machine)?.uid()
        });
        for owner in owners.chain(named).collect::<BTreeSet<_>>() {
            // The receiver lives as long as the process.
            let _ = self.touch.send(owner);
        }
    }

    /// Tells the Machines that join a network.
    fn tell<T: Shared>(&self, changes: &[Change<T>]) {
        let shared = |it: &Option<T>| it.as_ref().is_some_and(Shared::is_shared);
        let names: BTreeSet<&MachineKey> =
            changes.iter().filter(|(_, before, now)| shared(before) || shared(now)).map(|(key, ..)| key).collect();
        if names.is_empty() {
            return;
        }
        for machine in self.machines.state() {
            let Ok(known) = machine.open().0 else { continue };
            let namespace = known.namespace().unwrap_or_default();
            let join = |name: &str| names.contains(&MachineKey { namespace: namespace.clone(), name: name.to_owned() });
            if joined(&known.spec).any(join) {
                let _ = self.touch.send(known.uid().unwrap_or_default());
            }
        }
    }
}

/// Whether something may concern more Machines than the one that it belongs to.
trait Shared {
    fn is_shared(&self) -> bool;
}

impl Shared for Configuration {
    fn is_shared(&self) -> bool {
        self.owner.is_none() || !self.is_record
    }
}

impl Shared for NetworkNamespace {
    fn is_shared(&self) -> bool {
        true
    }
}
