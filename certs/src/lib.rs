//! The webhook's serving identity without cert-manager, and who may call it. I/O: one Secret, two webhook configurations, a file,
//! randomness, clock.
//!
//! CAs in a Secret; every replica signs its own leaf in memory; API servers learn the CAs from the `caBundle` of the
//! webhook configurations. A task re-derives all of it from what it observes, whenever one of the three changes and each
//! minute by the wall clock. Nothing it meets ends the process: it keeps serving what it has and tries again (CERT1 to
//! CERT10). `docs/certificates.md` tells it to users.

pub mod api;
pub mod authorities;
pub mod callers;
pub mod cert;
pub mod inject;
pub mod issue;
mod keeper;
pub mod metrics;
pub mod plan;
pub mod resolver;
pub mod store;
#[cfg(test)]
#[path = "../../tests/table.rs"]
mod table;

use std::path::PathBuf;
use std::sync::Arc;

use kube::Client;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use callers::Callers;
use inject::Target;
use issue::{Ca, IssueError};
pub use keeper::Clock;
use keeper::Keeper;
use metrics::Metrics;
use plan::Pace;
use resolver::Resolver;
use store::Store;

/// What the identity is for.
#[derive(Clone)]
pub struct Settings {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret that holds the CAs.
    pub secret: String,
    /// Name of the MutatingWebhookConfiguration.
    pub mutating: String,
    /// Name of the ValidatingWebhookConfiguration.
    pub validating: String,
    /// DNS names and IP addresses that the API server reaches the webhook by.
    pub names: Vec<String>,
    /// File with the authorities of callers' client certificates; without it, nobody is asked for one.
    pub client_authorities: Option<PathBuf>,
    /// The names in these certificates.
    pub client_names: Vec<String>,
    /// How long things take.
    pub pace: Pace,
    /// What time it is.
    pub clock: Clock,
}

/// A serving identity that keeps itself valid.
pub struct Identity {
    /// For the TLS listener. Until there is a leaf, handshakes fail.
    pub tls: Arc<ServerConfig>,
    /// Becomes true when a leaf is loaded and both live configurations were seen to trust it, and stays true: a pod
    /// that is not ready is not reached at all, while a spoilt bundle is mended by the next pass.
    pub ready: watch::Receiver<bool>,
    /// Never ends by itself; a process whose task ended should end.
    pub task: JoinHandle<()>,
}

/// Why there can be no identity of these settings.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Names that cannot stand in a certificate, or no randomness.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Lives that do not fit together.
    #[error("{0}")]
    Pace(String),
    /// Callers that nobody can be, or a file that says nothing of them.
    #[error("{0}")]
    Callers(String),
}

/// Starts the identity. Returns at once: what is not there yet is waited for in the background.
///
/// Fails only for settings that can never work.
pub fn start(client: Client, settings: Settings, metrics: Metrics) -> Result<Identity, StartError> {
    let Settings { namespace, secret, mutating, validating, names, client_authorities, client_names, pace, clock } =
        settings;
    pace.check().map_err(StartError::Pace)?;
    let now = clock();
    Ca::new(pace.lives, now)?.sign(&names, pace.lives, now)?;
    let callers = Callers::of(client_authorities.as_deref(), &client_names).map_err(StartError::Callers)?;
    let resolver = Arc::new(Resolver::default());
    let tls = Arc::new(resolver::server_config(resolver.clone(), callers.clone()).map_err(IssueError::from)?);
    let (published, ready) = watch::channel(false);
    let counted = metrics.clone();
    let following = async move {
        match callers {
            Some(callers) => callers.keep(&counted).await,
            None => std::future::pending().await,
        }
    };
    let keeper = Keeper {
        store: Store::new(client.clone(), &namespace, secret),
        targets: [Target::mutating(client.clone(), &mutating), Target::validating(client, &validating)],
        names,
        pace,
        clock,
        resolver,
        metrics,
        held: None,
        serving: None,
        live: None,
    };
    let task = tokio::spawn(async move {
        tokio::select! { () = keeper::keep(keeper, published) => {}, () = following => {} }
    });
    Ok(Identity { tls, ready, task })
}
