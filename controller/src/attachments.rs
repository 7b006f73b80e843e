//! The NetworkAttachmentDefinitions of a cluster, whoever made them: their names, and whether they are ours. A cluster without
//! Multus does not know the kind, and need not let us see it. I/O: a watch on the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use kube::api::{ApiResource, DynamicObject};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};
use model::clusters::facts::MULTUS;
use model::machine::networks::{Attachment, Attachments};
use model::names::{MANAGED_BY, OPERATOR, SUPERVISOR};
use runtime::clusters::{code, explain};
use runtime::listing::{Listing, Step, check_bytes, watching};
use runtime::watcher::watcher;
use tokio::sync::Notify;

use crate::objects::{ObjectKey, key_of, uid_of};

/// How long a cluster that does not know the kind, or does not let us see it, is left alone at least.
const SOON: Duration = Duration::from_secs(10);
/// How long, unless a Machine needs it.
const LATER: Duration = Duration::from_secs(600);

/// What is known of them. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub struct AttachmentIndex {
    known: RwLock<Known>,
    needed: Arc<Notify>,
}

#[derive(Debug)]
enum Known {
    Unknown(String),
    NotInstalled,
    Listed { all: BTreeMap<ObjectKey, Seen>, bytes: usize },
}

impl Default for Known {
    fn default() -> Self {
        Known::Unknown("it was not asked yet".to_owned())
    }
}

/// What is kept of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    uid: String,
    ours: bool,
}

/// What is heard of them.
#[derive(Debug)]
pub enum Heard {
    /// A step of the watch.
    Step(Step<(ObjectKey, Seen)>),
    /// The cluster does not know the kind.
    NotInstalled,
    /// The cluster does not let us see them; the sentence says so.
    Refused(String),
}

/// The kind.
pub fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk(MULTUS, "v1", "NetworkAttachmentDefinition");
    ApiResource::from_gvk_with_plural(&kind, "network-attachment-definitions")
}

fn weigh((key, seen): &(ObjectKey, Seen)) -> usize {
    size_of::<(ObjectKey, Seen)>() + key.bytes() + seen.uid.len()
}

impl Seen {
    /// What is kept of an object; `supervisor` is the UID of our `kube-system`.
    pub fn of(object: &impl ResourceExt, supervisor: &str) -> Self {
        let is = |key, value| object.labels().get(key).is_some_and(|it| it == value);
        Self { uid: uid_of(object), ours: is(MANAGED_BY, OPERATOR) && is(SUPERVISOR, supervisor) }
    }
}

/// Follows them. It ends with an error, save one that says that we see none: that is told, and asked again later.
pub(crate) fn watch(
    client: &Client,
    supervisor: &str,
    index: &AttachmentIndex,
) -> BoxStream<'static, Result<Heard, String>> {
    let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client.clone(), &resource());
    let asked = format!("list and watch {}", api.resource_url());
    let (supervisor, needed) = (supervisor.to_owned(), index.needed.clone());
    let begin = move || (watcher(api.clone(), watching().metadata()).boxed(), Listing::weighing(weigh));
    let steps = stream::unfold(Some(begin()), move |state| {
        let (begin, asked, supervisor, needed) = (begin.clone(), asked.clone(), supervisor.clone(), needed.clone());
        async move {
            let (mut events, mut listing) = if let Some(state) = state {
                state
            } else {
                tokio::time::sleep(SOON).await;
                // Whoever needs them, or nobody in that time.
                let _ = tokio::time::timeout(LATER, needed.notified()).await;
                begin()
            };
            let read = |object: &PartialObjectMeta<DynamicObject>| (key_of(object), Seen::of(object, &supervisor));
            loop {
                return match events.next().await? {
                    Ok(event) => match listing.take(&event, read) {
                        Ok(None) => continue,
                        Ok(Some(step)) => Some((Ok(Heard::Step(step)), Some((events, listing)))),
                        Err(why) => Some((Err(why), None)),
                    },
                    Err(why) => match code(&why) {
                        Some(404) => Some((Ok(Heard::NotInstalled), None)),
                        Some(403) => Some((Ok(Heard::Refused(explain(&why, &asked))), None)),
                        _ => Some((Err(explain(&why, &asked)), None)),
                    },
                };
            }
        }
    });
    steps.boxed()
}

impl AttachmentIndex {
    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// They are known.
    pub(crate) fn are_listed(&self) -> bool {
        matches!(&*self.known.read().unwrap_or_else(PoisonError::into_inner), Known::Listed { .. })
    }

    /// A Machine needs one, and none are known: they are asked for again.
    pub fn look_again(&self) {
        self.needed.notify_one();
    }

    /// Takes in what was heard, and says which are gone.
    pub(crate) fn take(&self, heard: Heard) -> Result<Vec<ObjectKey>, String> {
        let mut known = self.write();
        let listed = match heard {
            Heard::NotInstalled => {
                *known = Known::NotInstalled;
                return Ok(Vec::new());
            }
            Heard::Refused(why) => {
                *known = Known::Unknown(why);
                return Ok(Vec::new());
            }
            Heard::Step(Step::Seen(one)) => {
                known.put(one);
                return known.check().map(|()| Vec::new());
            }
            Heard::Step(Step::Deleted((key, seen))) => {
                return Ok(known.forget(&key, &seen.uid).then_some(key).into_iter().collect());
            }
            Heard::Step(Step::Listed(all)) => all,
        };
        let names: BTreeSet<ObjectKey> = listed.iter().map(|(key, _)| key.clone()).collect();
        let gone = match &*known {
            Known::Listed { all, .. } => all.keys().filter(|key| !names.contains(key)).cloned().collect(),
            Known::Unknown(_) | Known::NotInstalled => Vec::new(),
        };
        *known = Known::Listed { all: BTreeMap::new(), bytes: 0 };
        for one in listed {
            known.put(one);
        }
        known.check()?;
        Ok(gone)
    }

    /// One was created.
    pub(crate) fn saw(&self, key: ObjectKey, seen: Seen) {
        self.write().put((key, seen));
    }

    /// One stood in the way of that. Whose it is the watch tells, or has told.
    pub(crate) fn saw_some(&self, key: ObjectKey) {
        let mut known = self.write();
        if matches!(&*known, Known::Listed { all, .. } if !all.contains_key(&key)) {
            known.put((key, Seen { uid: String::new(), ours: false }));
        }
    }

    /// One is gone for certain.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.write().forget(key, "");
    }

    /// Those of a namespace. `used` are the names that VMs of other Machines are attached to; nothing means that it is not known.
    pub fn of(&self, namespace: &str, used: impl FnOnce() -> Option<BTreeSet<String>>) -> Attachments {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let all = match &*known {
            Known::Unknown(why) => return Attachments::Unknown(why.clone()),
            Known::NotInstalled => return Attachments::NotInstalled,
            Known::Listed { all, .. } => all,
        };
        let first = ObjectKey { namespace: namespace.to_owned(), name: String::new() };
        let here: Vec<_> = all.range(first..).take_while(|(key, _)| key.namespace == namespace).collect();
        let used = if here.iter().any(|(_, seen)| seen.ours) { used() } else { None };
        let one = |(key, seen): (&ObjectKey, &Seen)| {
            let in_use = used.as_ref().is_none_or(|used| used.contains(&key.name));
            (key.name.clone(), Attachment { uid: seen.uid.clone(), ours: seen.ours, in_use })
        };
        Attachments::Listed(here.into_iter().map(one).collect())
    }
}

impl Known {
    fn put(&mut self, (key, seen): (ObjectKey, Seen)) {
        let Known::Listed { all, bytes } = self else { return };
        *bytes += weigh(&(key.clone(), seen.clone()));
        if let Some(before) = all.insert(key.clone(), seen) {
            *bytes -= weigh(&(key, before));
        }
    }

    /// Whether it was there. One that took its name is another; an empty UID is any.
    fn forget(&mut self, key: &ObjectKey, uid: &str) -> bool {
        let Known::Listed { all, bytes } = self else { return false };
        let same = |seen: &Seen| uid.is_empty() || seen.uid.is_empty() || seen.uid == uid;
        if !all.get(key).is_some_and(same) {
            return false;
        }
        if let Some((key, seen)) = all.remove_entry(key) {
            *bytes -= weigh(&(key, seen));
        }
        true
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Known::Listed { bytes, .. } => check_bytes(*bytes),
            Known::Unknown(_) | Known::NotInstalled => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "attachments_tests.rs"]
mod tests;
