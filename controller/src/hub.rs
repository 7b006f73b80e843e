//! Registers the cluster that the flags `--vmaas-hub-*` name, as `model::clusters::registration` decides, and looks at the file again
//! every minute: it may have been rotated. I/O: that file, and the supervisor; nothing is asked of the cluster, and nothing ends by it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use model::clusters::kubeconfig::MAX_BYTES;
use model::clusters::registration::{Hub, Place};
use model::names::HUB_MANAGER;
use runtime::clusters::{DEADLINE, Scope, code, said};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often the file is read.
const EVERY: Duration = Duration::from_secs(60);

/// Keeps one cluster registered.
pub(crate) struct Registrar {
    pub(crate) client: Client,
    pub(crate) scope: Scope,
    /// Namespace of the Secret.
    pub(crate) namespace: String,
    pub(crate) hub: Hub,
    pub(crate) file: PathBuf,
}

/// What was registered: another value is another line in the log.
#[derive(PartialEq)]
struct Registered {
    config: Option<String>,
    secret: Option<String>,
    kept: Vec<String>,
}

impl Registrar {
    /// Never returns.
    pub(crate) async fn keep(self) {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            turns.tick().await;
            let outcome = self.register().await;
            if told.as_ref() != Some(&outcome) {
                self.tell(&outcome);
                told = Some(outcome);
            }
        }
    }

    fn tell(&self, outcome: &Result<Registered, String>) {
        let (hub_id, namespace) = (&self.hub.id, self.hub.namespace.as_deref().unwrap_or_default());
        match outcome {
            Ok(Registered { kept, .. }) => {
                tracing::info!(hub_id, namespace, "Registered VMaaS hub");
                if !kept.is_empty() {
                    let kept = kept.join(", ");
                    tracing::warn!(
                        hub_id,
                        kept,
                        "the KubevirtConfig of the VMaaS hub keeps what somebody else has set there"
                    );
                }
            }
            Err(why) => {
                tracing::error!(
                    hub_id,
                    namespace,
                    reason = why,
                    "the VMaaS hub is not registered; it is tried again every minute"
                );
            }
        }
    }

    async fn register(&self) -> Result<Registered, String> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        let document = read
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
            .map_err(|why| format!("cannot read {}: {why}", self.file.display()))?;
        let configs = self.scope.configs(self.client.clone());
        let present = answered("cannot read its KubevirtConfig", configs.get_opt(&self.hub.id)).await?;
        let place = Place { namespace: &self.namespace, cluster_scoped: self.scope == Scope::Cluster };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = answered("cannot read its Secret", secrets.get_metadata_opt(&self.hub.secret())).await?;
        let wanted =
            self.hub.register(&document, present.as_ref(), found.as_ref().map(|found| &found.metadata), place)?;
        let (mine, secret) = (PatchParams::apply(HUB_MANAGER), Patch::Apply(wanted.secret));
        // Its metadata only: an answer that cannot be read would be logged as a whole.
        let secret = answered(
            "cannot write its Secret",
            secrets.patch_metadata(&self.hub.secret(), &mine.clone().force(), &secret),
        )
        .await?;
        let config = Patch::Apply(wanted.config);
        let config = answered("cannot write its KubevirtConfig", configs.patch(&self.hub.id, &mine, &config)).await?;
        Ok(Registered { config: config.uid(), secret: secret.resource_version(), kept: wanted.kept })
    }
}

async fn answered<T>(what: &str, request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(DEADLINE, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(why)) => {
            let next = if code(&why) == Some(403) {
                ": set vmaasHub.kubeconfigSecret of the chart, which grants it"
            } else {
                ""
            };
            Err(format!("{what}: {}{next}", said(&why)))
        }
        Err(_) => Err(format!("{what}: no answer in time")),
    }
}

/// No more than is looked at of any kubeconfig, and no device or pipe, which might never end.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut document = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut document)?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x105_only_a_file_is_read_and_only_its_beginning() {
        let folder = std::env::temp_dir();
        let said = read(&folder).map_err(|why| why.to_string());
        assert_eq!(said, Err("it is no file".to_owned()));
        assert!(read(&folder.join("no-such-kubeconfig")).is_err());
        assert_eq!(read(Path::new("/dev/zero")).map_err(|why| why.to_string()), Err("it is no file".to_owned()));
    }
}
