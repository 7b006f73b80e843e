//! The driver of one Machine: reads, asks `model::machine`, writes, reports. `model/src/machine.rs` says what; this does it.

mod adopt;
mod changes;
mod data;
mod execute;
mod forsake;
mod gather;
mod lookup;
pub(crate) mod preview;
pub(crate) mod reap;
mod record;
mod remains;
mod remote;
mod report;
mod writes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use model::machine::{drift, network_in_trouble, plan, status, storage};
use model::reason::Retry;
use runtime::pause::spread;
use tokio::task::JoinSet;

use self::gather::{Asking, Read};
pub(crate) use self::remote::kind_name;
use crate::context::{Context, Fault, LONGEST_PASS};
use crate::packed::Packed;

/// When one that got no turn asks again. It is told before that.
const ASKED_AGAIN: Duration = Duration::from_secs(5);

/// Makes one Machine true, as far as its cluster allows now.
///
/// A pass is a task of its own: kube asks everything that runs whether it is over whenever anything happens.
///
/// # Panics
///
/// As a pass does.
pub async fn reconcile(machine: Arc<Packed>, ctx: Arc<Context>) -> Result<Action, Fault> {
    let uid = machine.uid().unwrap_or_default();
    let Some(turn) = ctx.turns.take(machine.cluster().cloned(), &uid) else {
        return Ok(Action::requeue(spread(ASKED_AGAIN, &uid)));
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _turn = turn;
        tokio::time::timeout(LONGEST_PASS, Box::pin(pass(machine, ctx))).await.map_err(Fault::Late)?
    });
    match tasks.join_next().await {
        Some(Ok(ended)) => ended,
        Some(Err(why)) => std::panic::resume_unwind(why.into_panic()),
        None => unreachable!("invariant: there is one task"),
    }
}

async fn pass(packed: Arc<Packed>, ctx: Arc<Context>) -> Result<Action, Fault> {
    let (started, now, _running) = (Instant::now(), Time(Timestamp::now()), ctx.metrics.begin());
    let machine = match packed.open().0 {
        Ok(machine) => machine,
        Err(broken) => {
            tracing::error!(
                controller = "Machine",
                machine = broken.metadata.name,
                namespace = broken.metadata.namespace,
                phase = "Unknown",
                error = broken.error,
                "the Machine cannot be read"
            );
            return Ok(Action::await_change());
        }
    };
    let machine = &machine;
    let Read { config, connection, intent } = gather::read(machine, &ctx);
    let Some(identity) = intent.identity() else { return Ok(Action::await_change()) };
    // The watch shows it a moment longer.
    if ctx.departures.is_released(&identity.uid, identity.resource_version.as_deref()) {
        return Ok(Action::await_change());
    }
    // Its own deletion is next, and nothing else is done in a namespace that goes (FR17).
    let stays = machine.metadata.deletion_timestamp.is_none();
    if stays && ctx.terminating.is(&identity.key.namespace, started) {
        return Ok(Action::requeue(ctx.interval));
    }
    let (seen, cluster) = gather::gather(&intent, config.as_deref(), connection, Asking::Clusters(&now), &ctx).await?; // I/O in: a snapshot of the indexes, and a lookup only on doubt
    if let Some(network) = network_in_trouble(&intent, &seen) {
        ctx.metrics.network_failed(&network);
        ctx.networks.look_again();
        if let Some(cluster) = &cluster {
            cluster.index.attachments.look_again();
        }
    }
    let plan = plan(&intent, &seen); // pure
    let mut done = execute::execute(machine, &intent, plan, cluster.as_deref(), &now, &ctx).await?; // I/O out: stops at the first failure
    done.paused = drift::pauses(&seen);
    let previous = machine.status.clone().unwrap_or_default();
    let next = status(&previous, &intent, &seen, done.failure.as_ref(), now.clone()); // pure
    let later = report::report(machine, &intent, &previous, &next, &done, &now, &ctx).await?; // I/O out: /status and Events
    if later.is_none() {
        let since = machine.metadata.creation_timestamp.as_ref().map_or(0, |since| since.0.as_second());
        for (class, seconds) in storage::provisioned(&previous, &next, &seen, since, now.0.as_second()) {
            ctx.metrics.bound(class, seconds);
        }
    }
    ctx.metrics.took(started.elapsed().as_secs_f64());
    let next_look = match done.failure.map(|failure| failure.reason.retry()) {
        Some(Retry::Backoff) => ctx.retries.failed(&identity.uid),
        Some(Retry::Event | Retry::Author) | None => {
            ctx.retries.settled(&identity.uid);
            gather::next_look(&identity.uid, &seen, &ctx)
        }
    };
    Ok(Action::requeue(later.map_or(next_look, |later| later.min(next_look))))
}
