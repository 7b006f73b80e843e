//! What makes the controller look at a Machine: its own watch, and whatever `touched` hears of: its objects on a remote cluster,
//! its cluster's connection. I/O: the watch of Machines.

use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use runtime::clusters::said;
use runtime::listing::watching;
use runtime::pause::Tries;
use runtime::shutdown::Shutdown;
use runtime::watcher;
use tokio::sync::mpsc;

use crate::objects::MachineUid;
use crate::packed::{Guarded, Packed, pack};
use crate::pruned::prune;
use crate::uids::Uids;

/// The Machines to look at, as they come. It ends when the process shall stop.
pub(crate) fn queue(
    machines: Api<Guarded>,
    mut writer: Writer<Packed>,
    touched: mpsc::UnboundedReceiver<MachineUid>,
    uids: Arc<Uids>,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<ObjectRef<Packed>, watcher::Error>> {
    let (known, kept) = (uids.clone(), writer.as_reader());
    let events = watcher(machines, watching()).backoff(Tries::default()).modify(prune);
    // As `reflect` does it. The store first: whoever hears that all are listed finds them there.
    let events = events.map_ok(move |event| {
        let packed = pack(&event, &kept);
        writer.apply_watcher_event(&packed);
        known.take_in(&event);
        packed
    });
    let own = events.applied_objects().filter_map(|event| async {
        match event {
            Ok(machine) => Some(Ok(machine.at())),
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
