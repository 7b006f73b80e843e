//! The cluster registry: one connection for each KubevirtConfig, kept in line with it and its Secret.
//! I/O: watches KubevirtConfigs and Secrets on the supervisor; each connection is a task of its own (`link`).
//!
//! Nothing is shared between clusters but the map, which is swapped as a whole: a cluster that hangs stalls itself only.

mod errors;
mod link;
mod scope;
mod secrets;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use model::clusters::kubeconfig::Remote;
use model::clusters::{Fingerprint, Newest, Op, View, diff};
use model::names::ClusterName;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use errors::{code, explain, said};
pub use link::{Cluster, DEADLINE, Session, State, identify};
pub use scope::Scope;
pub use source::{KeyOrder, Source, Usable, Wanted};

use crate::client::{self, ClientError, Deadlines};
use link::Heard;

/// What is known of one KubevirtConfig's cluster.
pub struct Entry<I> {
    /// The connection; absent when there never was a usable kubeconfig.
    pub cluster: Option<Arc<Cluster<I>>>,
    /// Why the present kubeconfig cannot be used. A connection made with an earlier one goes on.
    pub rejected: Option<String>,
    /// Why the present kubeconfig does not connect, while the connection made with an earlier one goes on.
    pub failing: Option<String>,
    /// Why the webhook cannot use the kubeconfig that is meant for it alone, as the controller sees it.
    pub webhook: Option<String>,
}

impl<I> Entry<I> {
    /// How the cluster can be worked with.
    pub fn view(&self) -> View {
        let state = self.cluster.as_ref().map(|cluster| cluster.state.borrow().clone());
        view(state, self.rejected.clone(), self.failing.clone())
    }
}

fn view(state: Option<State>, rejected: Option<String>, failing: Option<String>) -> View {
    match (state, rejected, failing) {
        (Some(State::Connected { id }), Some(why), _) => View::Connected { id, newest: Newest::Refused(why) },
        (Some(State::Connected { id }), None, Some(why)) => View::Connected { id, newest: Newest::Failing(why) },
        (Some(State::Connected { id }), None, None) => View::Connected { id, newest: Newest::InUse },
        (older, Some(why), _) => View::Refused { why, older_connecting: older == Some(State::Connecting) },
        (Some(State::Unreachable(why)), None, _) => View::Unreachable(why),
        (Some(State::Unserved(why)), None, _) => View::Unserved(why),
        (Some(State::Connecting) | None, None, _) => View::Connecting,
    }
}

impl<I> Clone for Entry<I> {
    fn clone(&self) -> Self {
        let Self { cluster, rejected, failing, webhook } = self;
        let (rejected, failing, webhook) = (rejected.clone(), failing.clone(), webhook.clone());
        Self { cluster: cluster.clone(), rejected, failing, webhook }
    }
}

/// Every configured cluster, by name: an immutable snapshot.
pub type Snapshot<I> = BTreeMap<ClusterName, Entry<I>>;

/// The newest snapshot, for any number of readers.
pub struct ClusterMap<I>(ArcSwap<Snapshot<I>>);

impl<I> Default for ClusterMap<I> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(BTreeMap::new()))
    }
}

impl<I> ClusterMap<I> {
    /// The snapshot of this moment.
    pub fn load(&self) -> Arc<Snapshot<I>> {
        self.0.load_full()
    }
}

struct Running<I> {
    fingerprint: Fingerprint,
    cluster: Arc<Cluster<I>>,
    task: JoinHandle<()>,
    /// A connection with a newer kubeconfig that is not synced yet.
    next: Option<Box<Running<I>>>,
}

impl<I> Drop for Running<I> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps `map` true until the process ends. `changed` hears the name of each cluster whose connection changed.
pub async fn run<S: Session>(
    source: Source,
    session: Arc<S>,
    map: Arc<ClusterMap<S::Index>>,
    changed: mpsc::Sender<ClusterName>,
) {
    let (events, mut heard) = mpsc::channel(64);
    let mut wanted = source.watch();
    let mut running: BTreeMap<ClusterName, Running<S::Index>> = BTreeMap::new();
    let mut rejected: BTreeMap<ClusterName, String> = BTreeMap::new();
    let mut webhooks: BTreeMap<ClusterName, String> = BTreeMap::new();
    loop {
        let touched = tokio::select! {
            more = wanted.changed() => {
                if more.is_err() {
                    return;
                }
                let Some(now) = wanted.borrow_and_update().clone() else { continue };
                let mut touched =
                    step(&now, &mut running, &mut rejected, |name, remote| {
                        let client = client::remote(remote, Deadlines::default(), session.may_write())?;
                        Ok(link::start((name, client, remote.auth.validity()), &session, &events))
                    });
                let before = std::mem::replace(&mut webhooks, faults_of_webhooks(&now));
                touched.extend(now.keys().filter(|name| before.get(*name) != webhooks.get(*name)).cloned());
                touched
            }
            Some(heard) = heard.recv() => match heard {
                Heard::Changed(name) => {
                    promote(&mut running, &name);
                    vec![name]
                }
                Heard::Unauthorized(name) => {
                    source.read_again(name);
                    continue;
                }
            },
        };
        let names = running.keys().chain(rejected.keys()).cloned();
        let entry = |name: &ClusterName| Entry {
            cluster: running.get(name).map(|link| link.cluster.clone()),
            rejected: rejected.get(name).cloned(),
            failing: running.get(name).and_then(failing),
            webhook: webhooks.get(name).cloned(),
        };
        map.0.store(Arc::new(names.map(|name| (name.clone(), entry(&name))).collect()));
        for name in touched {
            if changed.send(name).await.is_err() {
                return;
            }
        }
    }
}

fn faults_of_webhooks(wanted: &Wanted) -> BTreeMap<ClusterName, String> {
    let faults =
        wanted.iter().filter_map(|(name, usable)| Some((name.clone(), usable.as_ref().ok()?.webhook.clone()?)));
    faults.collect()
}

fn step<I>(
    wanted: &Wanted,
    running: &mut BTreeMap<ClusterName, Running<I>>,
    rejected: &mut BTreeMap<ClusterName, String>,
    start: impl Fn(ClusterName, &Remote) -> Result<(Arc<Cluster<I>>, JoinHandle<()>), ClientError>,
) -> Vec<ClusterName> {
    let fingerprints = wanted.iter().map(|(name, kubeconfig)| {
        (name.clone(), kubeconfig.as_ref().map(|usable| usable.fingerprint.clone()).map_err(Clone::clone))
    });
    let newest = |link: &Running<I>| {
        link.next.as_ref().map_or_else(|| link.fingerprint.clone(), |next| next.fingerprint.clone())
    };
    let current = running.iter().map(|(name, link)| (name.clone(), newest(link))).collect();
    let before = rejected.clone();
    rejected.retain(|name, _| matches!(wanted.get(name), Some(Err(_))));
    let mut touched: Vec<ClusterName> = before.keys().filter(|name| !rejected.contains_key(*name)).cloned().collect();
    for op in diff(&fingerprints.collect(), &current) {
        let (Op::Start(name) | Op::Replace(name) | Op::Stop(name) | Op::Reject(name, _)) = &op;
        let name = name.clone();
        match op {
            Op::Stop(_) => drop(running.remove(&name)),
            Op::Reject(_, why) => {
                if before.get(&name) == Some(&why) {
                    rejected.insert(name, why);
                    continue;
                }
                tracing::warn!(kubevirtConfig = %name, reason = why, "kubeconfig refused");
                outdated(running.get_mut(&name));
                rejected.insert(name.clone(), why);
            }
            Op::Start(_) | Op::Replace(_) => {
                let Some(Ok(Usable { fingerprint, remote, .. })) = wanted.get(&name) else { continue };
                match start(name.clone(), remote) {
                    Err(why) => {
                        outdated(running.get_mut(&name));
                        rejected.insert(name.clone(), why.to_string());
                    }
                    Ok((cluster, task)) => {
                        let link = Running { fingerprint: fingerprint.clone(), cluster, task, next: None };
                        match running.get_mut(&name) {
                            Some(old) => old.next = Some(Box::new(link)),
                            None => drop(running.insert(name.clone(), link)),
                        }
                    }
                }
            }
        }
        touched.push(name);
    }
    touched
}

/// A replacement that was not synced yet is not wanted any more: what replaced its kubeconfig cannot be used.
fn outdated<I>(link: Option<&mut Running<I>>) {
    if let Some(link) = link {
        link.next = None;
    }
}

/// Why a replacement does not take over.
fn failing<I>(link: &Running<I>) -> Option<String> {
    match &*link.next.as_ref()?.cluster.state.borrow() {
        State::Unreachable(why) | State::Unserved(why) => Some(why.clone()),
        State::Connecting | State::Connected { .. } => None,
    }
}

/// A replacement takes over once it is synced, or when the old connection was asked and does not work anyway.
fn promote<I>(running: &mut BTreeMap<ClusterName, Running<I>>, name: &ClusterName) {
    let Some(link) = running.get_mut(name) else { return };
    let synced = |link: &Running<I>| matches!(*link.cluster.state.borrow(), State::Connected { .. });
    let away = matches!(*link.cluster.state.borrow(), State::Unreachable(_) | State::Unserved(_));
    let ripe = away || link.next.as_ref().is_some_and(|next| synced(next));
    if ripe && let Some(next) = link.next.take() {
        *link = *next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn a_connection_that_works_counts_and_else_the_kubeconfig_that_is_refused() {
        let up = || Some(State::Connected { id: "c-1".to_owned() });
        let connected = |newest| View::Connected { id: "c-1".to_owned(), newest };
        let refused = |older_connecting| View::Refused { why: "no key".to_owned(), older_connecting };
        #[rustfmt::skip]
        let cases = [
            ("it answers",                          up(),                    None,           None,            connected(Newest::InUse)),
            ("the new kubeconfig is refused",       up(),                    Some("no key"), None,            connected(Newest::Refused("no key".into()))),
            ("the new kubeconfig leads nowhere",    up(),                    None,           Some("refused"), connected(Newest::Failing("refused".into()))),
            ("there never was one to use",          None,                    Some("no key"), None,            refused(false)),
            ("refused, the old connection is away", Some(State::Unreachable("no route".into())), Some("no key"), None, refused(false)),
            ("refused, the old one is being made",  Some(State::Connecting), Some("no key"), None,            refused(true)),
            ("it is away",                          Some(State::Unreachable("no route".into())), None, None,  View::Unreachable("no route".into())),
            ("R17: it does not serve what is needed", Some(State::Unserved("no v1".into())), None, None,      View::Unserved("no v1".into())),
            ("it is being asked",                   Some(State::Connecting), None,           None,            View::Connecting),
        ];
        every_row(cases, |(name, state, rejected, failing, want)| {
            assert_eq!(view(state, rejected.map(str::to_owned), failing.map(str::to_owned)), want, "{name}");
        });
    }
}
