//! What makes the controller look at a Machine: its own watch, its objects on a remote cluster, its cluster's connection.
//! I/O: the watch of Machines, and the status of KubevirtConfigs through `configs`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use model::api::KubevirtConfig;
use model::machine::cluster_of;
use model::names::{ClusterName, KUBEVIRT_CONFIG};
use runtime::clusters::{ClusterMap, Scope, said};
use runtime::listing::watching;
use runtime::shutdown::Shutdown;
use tokio::sync::mpsc;

use crate::configs;
use crate::context::Guarded;
use crate::objects::MachineUid;
use crate::pruned::prune;
use crate::session::ClusterIndex;
use crate::uids::Uids;

/// The Machines to look at, as they come. It ends when the process shall stop.
pub(crate) fn queue(
    machines: Api<Guarded>,
    writer: Writer<Guarded>,
    touched: mpsc::UnboundedReceiver<MachineUid>,
    uids: Arc<Uids>,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<ObjectRef<Guarded>, watcher::Error>> {
    let known = uids.clone();
    let events = watcher(machines, watching()).default_backoff().modify(prune).reflect(writer);
    let events = events.inspect_ok(move |event| known.take_in(event));
    let own = events.applied_objects().filter_map(|event| async {
        match event {
            Ok(machine) => Some(Ok(ObjectRef::from_obj(&machine))),
            Err(why) => {
                tracing::warn!(error = said(&why), "the watch of Machines failed; it is tried again");
                None
            }
        }
    });
    let remote = stream::unfold((touched, uids), |(mut touched, uids)| async {
        loop {
            let uid = touched.recv().await?;
            if let Some(machine) = uids.find(&uid) {
                return Some((Ok(machine), (touched, uids)));
            }
        }
    });
    stream::select(own.boxed(), remote.boxed()).take_until(async move { shutdown.asked().await })
}

/// How long a status that could not be written waits for the next try.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Follows connections and KubevirtConfigs.
pub(crate) struct Configs {
    pub(crate) client: Client,
    pub(crate) scope: Scope,
    pub(crate) clusters: Arc<ClusterMap<ClusterIndex>>,
    pub(crate) configs: Store<KubevirtConfig>,
    pub(crate) machines: Store<Guarded>,
    pub(crate) touch: mpsc::UnboundedSender<MachineUid>,
}

impl Configs {
    /// Reports every change in the KubevirtConfig's status, and looks at the Machines of that cluster again.
    pub(crate) async fn follow(
        self,
        mut links: mpsc::Receiver<ClusterName>,
        mut changed: mpsc::UnboundedReceiver<KubevirtConfig>,
        mut offers: mpsc::UnboundedReceiver<ClusterName>,
    ) {
        let mut unwritten = BTreeSet::new();
        loop {
            let name = tokio::select! {
                Some(name) = links.recv() => {
                    self.wake(&name);
                    name
                }
                Some(config) = changed.recv() => ClusterName(config.name_any()),
                Some(name) = offers.recv() => name,
                () = tokio::time::sleep(TRY_AGAIN), if !unwritten.is_empty() => match unwritten.pop_first() {
                    Some(name) => name,
                    None => continue,
                },
                else => return,
            };
            if !configs::write_status(&self.client, &self.scope, &name, &self.configs, &self.clusters).await {
                unwritten.insert(name);
            }
        }
    }

    fn wake(&self, cluster: &ClusterName) {
        for machine in self.machines.state() {
            let concerned = machine.0.as_ref().ok().and_then(cluster_of);
            if machine.annotations().get(KUBEVIRT_CONFIG) == Some(&cluster.0) || concerned.as_ref() == Some(cluster) {
                // The receiver lives as long as the process.
                let _ = self.touch.send(machine.uid().unwrap_or_default());
            }
        }
    }
}
