//! Keeps one replica's certificate in order: a pass that makes everything true once, and when the next one is. I/O: the
//! Secret, the two webhook configurations, the monotonic clock.
//!
//! Nothing it meets ends it: it keeps serving what it has, and tries again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::api::DynamicObject;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::authorities::{Authorities, ROTATE, Stored};
use crate::cert::Cert;
use crate::inject::{self, InjectError, Target};
use crate::issue::{Ca, IssueError, Leaf};
use crate::metrics::Metrics;
use crate::plan::{self, Pace, Seen, Step};
use crate::resolver::Resolver;
use crate::store::{Store, StoreError};

/// The wall clock.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Without any change, everything is looked at again this often.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// Between two looks at the wall clock, which may jump.
const TICK: Duration = Duration::from_secs(5);
/// Changes that come together are one. Nor is something else that writes the same field answered faster than this.
const GATHER: Duration = Duration::from_secs(1);
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
const PASS_DEADLINE: Duration = Duration::from_secs(20);
/// Writes of the Secret in one pass, lost ones among them.
const ATTEMPTS: usize = 8;

/// Why a pass did not get through. Logged, and tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Inject(#[from] InjectError),
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error("the API server takes too long")]
    Slow(#[source] tokio::time::error::Elapsed),
}

impl Fault {
    /// For metrics.
    fn at(&self) -> &'static str {
        match self {
            Self::Store(_) => "secret",
            Self::Inject(_) => "webhook-configuration",
            Self::Issue(_) => "certificate",
            Self::Slow(_) => "api-server",
        }
    }
}

/// What is served now and where it comes from.
pub(crate) struct Keeper {
    pub(crate) store: Store,
    pub(crate) targets: [Target; 2],
    pub(crate) names: Vec<String>,
    pub(crate) pace: Pace,
    pub(crate) clock: Clock,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) metrics: Metrics,
    /// What the Secret held when it was last read.
    pub(crate) held: Option<Authorities>,
    pub(crate) serving: Option<(Arc<Ca>, Leaf)>,
    /// The bundle that stands in both configurations, and since when it was seen there unchanged. By the monotonic clock:
    /// a wall clock that jumps shortens no announcement.
    pub(crate) live: Option<(String, Instant)>,
}

/// Passes without end. `published` becomes true with the first that gets through.
pub(crate) async fn keep(mut keeper: Keeper, published: watch::Sender<bool>) {
    let watched = [keeper.store.changes(), keeper.targets[0].changes(), keeper.targets[1].changes()];
    let mut changes = stream::select_all(watched).boxed();
    let (mut backoff, mut last) = (RETRY.0, String::new());
    loop {
        let now = (keeper.clock)();
        let due = keeper.due_in(now);
        let fault = tokio::select! {
            ended = timeout(PASS_DEADLINE, keeper.pass(now)) => match ended {
                Ok(Ok(())) => None,
                Ok(Err(fault)) => Some(fault),
                Err(elapsed) => Some(Fault::Slow(elapsed)),
            },
            // Another pass begins with the leaf; what this one waits for, it asks again.
            () = sleep(due) => continue,
        };
        let pause = match fault {
            None => {
                if !published.send_replace(true) {
                    tracing::info!("serving certificate loaded and trusted by both webhook configurations");
                }
                keeper.metrics.in_order(now);
                (backoff, last) = (RETRY.0, String::new());
                keeper.check_every()
            }
            Some(fault) => {
                // Nobody knows what stood there meanwhile.
                keeper.live = None;
                keeper.metrics.failed(fault.at(), now);
                let said = fault.to_string();
                if said != last {
                    tracing::warn!(
                        error = &fault as &dyn std::error::Error,
                        "webhook certificate not in order, trying again"
                    );
                }
                last = said;
                let pause = backoff;
                backoff = (backoff * 2).min(RETRY.1);
                pause
            }
        };
        rest(pause, now, &keeper.clock, &mut changes).await;
    }
}

/// Waits until something changed, the pause is over, or the wall clock says that it is, because it jumped or the machine slept.
async fn rest(pause: Duration, from: OffsetDateTime, clock: &Clock, changes: &mut BoxStream<'static, ()>) {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        let now = clock();
        if now < from || now - from >= pause {
            return;
        }
        let look = (Instant::now() + TICK).min(until);
        if timeout_at(look, changes.next()).await.is_ok() {
            let gathered = sleep(GATHER);
            tokio::pin!(gathered);
            loop {
                tokio::select! {
                    _ = changes.next() => {}
                    () = &mut gathered => return,
                }
            }
        }
    }
}

impl Keeper {
    /// Often enough for each phase of a rotation and for half the life of a leaf.
    pub(crate) fn check_every(&self) -> Duration {
        let short = self.pace.announcement.min(self.pace.lives.leaf / 8);
        CHECK_EVERY.min(Duration::try_from(short).unwrap_or_default()).max(Duration::from_millis(500))
    }

    /// When the next leaf has to be signed: an API server that is slow must not hold that up.
    fn due_in(&self, now: OffsetDateTime) -> Duration {
        let left = self.serving.as_ref().map(|(_, leaf)| leaf.due() - now).filter(|left| left.is_positive());
        // One that is due already is signed at the beginning of the pass. Toward the end of a CA, leaves are short.
        let left = left.unwrap_or(self.pace.lives.leaf / 2).max(time::Duration::seconds(1));
        Duration::try_from(left).unwrap_or(PASS_DEADLINE)
    }

    /// Makes everything true once. May be dropped at any await.
    pub(crate) async fn pass(&mut self, now: OffsetDateTime) -> Result<(), Fault> {
        // First, because it needs no API server: a leaf must not run out because that is away.
        if let Some((ca, leaf)) = &self.serving
            && leaf.is_due(now)
        {
            self.serve(ca.clone(), now)?;
        }
        let configurations = [self.targets[0].read().await?, self.targets[1].read().await?];
        let live: Vec<Vec<Cert>> = configurations.iter().flatten().flat_map(inject::trusted).collect();
        let stored = self.settle(&live, now).await?;
        self.metrics.stored(&stored);
        let (current, bundle) = (stored.current.clone(), stored.bundle());
        self.held = Some(stored);
        // Before anything is published: whoever serves nothing can lose nothing.
        let serving = self.serving.as_ref().map(|(ca, _)| &ca.cert);
        if plan::should_switch(serving, &current.cert, &live, self.live_for(&bundle), &self.pace, now) {
            self.serve(current, now)?;
        }
        self.publish(configurations, bundle).await
    }

    /// Brings the Secret step by step to where it should be; answers with what it holds then.
    ///
    /// Guarantees: what is returned was read from the Secret without anyone writing in between its steps.
    async fn settle(&self, live: &[Vec<Cert>], now: OffsetDateTime) -> Result<Authorities, Fault> {
        for _ in 0..ATTEMPTS {
            let secret = self.store.read().await?;
            let stored = Stored::of(secret.as_ref(), now);
            let annotations = secret.as_ref().and_then(|secret| secret.metadata.annotations.as_ref());
            let asked = annotations.is_some_and(|all| all.contains_key(ROTATE));
            let serving = self.serving.as_ref().map(|(ca, _)| &ca.cert);
            let live_for = match &stored {
                Stored::Whole(whole) => self.live_for(&whole.bundle()),
                Stored::Absent | Stored::Damaged(..) => time::Duration::ZERO,
            };
            let seen = Seen { stored: &stored, asked, held: self.held.as_ref(), serving, live, live_for };
            let Some(step) = plan::next_step(&seen, &self.pace, now) else {
                match stored {
                    Stored::Whole(whole) => return Ok(whole),
                    Stored::Absent | Stored::Damaged(..) => return Err(self.store.contended().into()),
                }
            };
            let after = plan::take(&step, &seen, &self.pace, now)?;
            if self.store.write(secret, &after, step == Step::Announce).await? {
                if let Stored::Damaged(_, why) = &stored {
                    tracing::warn!(error = %why, "the Secret with the webhook's certificate authorities was damaged");
                }
                tracing::info!(step = step.name(), "changed the webhook's certificate authorities");
                self.metrics.done(step.name());
            }
        }
        Err(self.store.contended().into())
    }

    /// How long this bundle was seen live without a break.
    fn live_for(&self, bundle: &str) -> time::Duration {
        let since = self.live.as_ref().filter(|(text, _)| text == bundle).map(|(_, since)| since.elapsed());
        since.and_then(|elapsed| elapsed.try_into().ok()).unwrap_or_default()
    }

    fn serve(&mut self, ca: Arc<Ca>, now: OffsetDateTime) -> Result<(), IssueError> {
        let leaf = ca.sign(&self.names, self.pace.lives, now)?;
        self.resolver.swap(leaf.certified.clone());
        self.metrics.signed(&leaf);
        self.serving = Some((ca, leaf));
        Ok(())
    }

    async fn publish(&mut self, read: [Option<DynamicObject>; 2], bundle: String) -> Result<(), Fault> {
        let mut written = false;
        for (target, live) in self.targets.iter().zip(read) {
            written |= target.publish(live, &bundle).await?;
        }
        if written {
            self.metrics.done("publish");
        }
        if written || self.live.as_ref().is_none_or(|(text, _)| *text != bundle) {
            self.live = Some((bundle, Instant::now()));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
