//! The webhook's serving identity without cert-manager. I/O: one Secret, two webhook configurations, randomness, clock.
//!
//! One CA in a Secret; every replica signs its own leaf in memory; API servers learn the CA from the `caBundle` of the
//! webhook configurations. A task re-derives all of it from what it observes, each minute by the wall clock.
//! Nothing it meets ends the process: it keeps serving what it has and tries again (CERT1 to CERT10).
//!
//! Caveat: a CA that is due, or that someone replaced, takes over in one step, so other replicas may serve the old one's
//! leaf for up to a minute. The phases publish, observe, promote, retire come as `plan.rs` between `store` and `inject`.

pub mod api;
pub mod inject;
pub mod issue;
pub mod resolver;
pub mod store;
#[cfg(test)]
#[path = "../../tests/table.rs"]
mod table;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use rustls::ServerConfig;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use inject::{InjectError, Target};
use issue::{Ca, IssueError, Leaf};
use resolver::Resolver;
use store::StoreError;

const CHECK_EVERY: Duration = Duration::from_secs(60);
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
const PASS_DEADLINE: Duration = Duration::from_secs(20);

/// What the identity is for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret that holds the CA.
    pub secret: String,
    /// Name of the MutatingWebhookConfiguration.
    pub mutating: String,
    /// Name of the ValidatingWebhookConfiguration.
    pub validating: String,
    /// DNS names and IP addresses that the API server reaches the webhook by.
    pub names: Vec<String>,
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

/// Why a pass did not get through. Logged, and tried again.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Inject(#[from] InjectError),
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error("the API server takes too long")]
    Slow(#[source] tokio::time::error::Elapsed),
}

/// Starts the identity. Returns at once: what is not there yet is waited for in the background.
///
/// Fails only for names that cannot stand in a certificate.
pub fn start(client: Client, settings: Settings) -> Result<Identity, IssueError> {
    let now = OffsetDateTime::now_utc();
    Ca::new(now)?.sign(&settings.names, now)?;
    let resolver = Arc::new(Resolver::default());
    let tls = Arc::new(resolver::server_config(resolver.clone())?);
    let (published, ready) = watch::channel(false);
    let keeper = Keeper {
        secrets: Api::namespaced(client.clone(), &settings.namespace),
        targets: [
            Target::mutating(client.clone(), &settings.mutating),
            Target::validating(client, &settings.validating),
        ],
        secret: settings.secret,
        names: settings.names,
        resolver,
        serving: None,
    };
    Ok(Identity { tls, ready, task: tokio::spawn(keep(keeper, published)) })
}

/// What serves now and where it comes from.
struct Keeper {
    secrets: Api<Secret>,
    targets: [Target; 2],
    secret: String,
    names: Vec<String>,
    resolver: Arc<Resolver>,
    serving: Option<(Ca, Leaf)>,
}

async fn keep(mut keeper: Keeper, published: watch::Sender<bool>) {
    let mut pause = RETRY.0;
    let mut last = String::new();
    loop {
        let fault = match tokio::time::timeout(PASS_DEADLINE, keeper.pass(OffsetDateTime::now_utc())).await {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(elapsed) => Some(Fault::Slow(elapsed)),
        };
        match fault {
            None => {
                if !published.send_replace(true) {
                    tracing::info!("serving certificate loaded and trusted by both webhook configurations");
                }
                (pause, last) = (RETRY.0, String::new());
                tokio::time::sleep(CHECK_EVERY).await;
            }
            Some(fault) => {
                let said = fault.to_string();
                if said != last {
                    tracing::warn!(
                        error = &fault as &dyn std::error::Error,
                        "webhook certificate not in order, trying again"
                    );
                }
                last = said;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

impl Keeper {
    /// Makes everything true once. May be dropped at any await.
    async fn pass(&mut self, now: OffsetDateTime) -> Result<(), Fault> {
        // First, because it needs no API server: a leaf must not run out because that is away.
        if let Some((ca, leaf)) = &mut self.serving
            && leaf.is_due(now)
        {
            *leaf = ca.sign(&self.names, now)?;
            self.resolver.swap(leaf.certified.clone());
        }
        let held = self.serving.as_ref().map(|(ca, _)| ca);
        let stored = store::ensure(&self.secrets, &self.secret, held, now).await?;
        match held.map(|held| held.cert_pem() == stored.cert_pem()) {
            Some(true) => self.publish(stored.cert_pem()).await,
            // Trusted first, used then: nobody trusts it yet, and the leaf in use may still be trusted.
            Some(false) => {
                self.publish(stored.cert_pem()).await?;
                Ok(self.serve(stored, now)?)
            }
            None => {
                let bundle = stored.cert_pem().to_owned();
                self.serve(stored, now)?;
                self.publish(&bundle).await
            }
        }
    }

    fn serve(&mut self, ca: Ca, now: OffsetDateTime) -> Result<(), IssueError> {
        let leaf = ca.sign(&self.names, now)?;
        self.resolver.swap(leaf.certified.clone());
        self.serving = Some((ca, leaf));
        Ok(())
    }

    async fn publish(&self, bundle: &str) -> Result<(), Fault> {
        for target in &self.targets {
            target.publish(bundle).await?;
        }
        Ok(())
    }
}
