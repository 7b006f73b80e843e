//! Requests to end: Ctrl-C, SIGTERM, and the terminal that goes away.

use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Result, Trouble};

/// Listens from its creation on, so that no request is lost between two looks.
pub(crate) struct Signals([Signal; 3]);

impl Signals {
    /// From now on, none of these signals ends the process by itself.
    pub(crate) fn listen() -> Result<Self> {
        let on = |kind| signal(kind).map_err(|error| Trouble::Said(format!("cannot listen for signals: {error}")));
        Ok(Self([on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?]))
    }

    /// Waits for a request.
    pub(crate) async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    /// Does something until it is done or somebody asks to end.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.asked() => Err(Trouble::Interrupted),
        }
    }

    /// Stops everything; a second request leaves the rest to `cargo demo down`.
    pub(crate) async fn or_leave<T>(&mut self, dir: &Path, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.asked() => {
                let left = format!("not everything of {} is stopped: `cargo demo down` does it", dir.display());
                Err(Trouble::Said(left))
            }
        }
    }
}
