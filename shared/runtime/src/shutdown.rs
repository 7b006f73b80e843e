//! The one signal that the process shall stop, from SIGTERM or SIGINT. I/O: signals.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Tells whether the process shall stop. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Asks for the stop; dropping it asks, too.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Shutdown {
    /// A shutdown that only its trigger asks for.
    pub fn manual() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
    }

    /// Asked for by the first SIGTERM or SIGINT; the second one ends the process at once with code 1.
    pub fn on_signals() -> io::Result<Self> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (trigger, shutdown) = Self::manual();
        tokio::spawn(async move {
            let name = either(&mut terminate, &mut interrupt).await;
            tracing::info!(signal = name, "shutting down");
            trigger.ask();
            either(&mut terminate, &mut interrupt).await;
            std::process::exit(1);
        });
        Ok(shutdown)
    }

    /// Returns when the stop is asked for, at once if it was. Cancel safe.
    pub async fn asked(&self) {
        // An error means that the trigger is gone, which asks as well.
        let _ = self.0.clone().wait_for(|asked| *asked).await;
    }

    /// Whether the stop was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

impl Trigger {
    /// Asks for the stop.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_hears_it() {
        let (trigger, shutdown) = Shutdown::manual();
        let (early, other) = (shutdown.clone(), shutdown.clone());
        let waiting = tokio::spawn(async move { early.asked().await });
        assert!(!shutdown.is_asked());
        trigger.ask();
        waiting.await.unwrap();
        other.asked().await;
        assert!(other.is_asked());
    }

    #[tokio::test]
    async fn a_dropped_trigger_asks() {
        let (trigger, shutdown) = Shutdown::manual();
        drop(trigger);
        shutdown.asked().await;
        assert!(shutdown.is_asked());
    }
}
