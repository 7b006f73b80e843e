//! The home of the CAs: a Secret in our namespace. I/O: reads, creates, replaces and watches that Secret.
//!
//! Any replica may write it; a write carries the version it was decided on, and who loses reads again. So N replicas
//! that start at once end with one CA (CERT3).

use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};

use crate::authorities::{Authorities, ROTATE};

/// Why the CAs are not known, or not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The API server's answer, or none.
    #[error("cannot {verb} Secret {name}: {}", crate::api::said(.cause))]
    Api {
        /// What was tried.
        verb: &'static str,
        /// The Secret.
        name: String,
        /// The cause.
        cause: kube::Error,
    },
    /// Others kept changing the Secret.
    #[error("Secret {0} keeps changing")]
    Contended(String),
}

/// The Secret.
pub struct Store {
    api: Api<Secret>,
    watched: Api<PartialObjectMeta<Secret>>,
    name: String,
}

impl Store {
    /// The one of this name.
    pub fn new(client: Client, namespace: &str, name: String) -> Self {
        Self { api: Api::namespaced(client.clone(), namespace), watched: Api::namespaced(client, namespace), name }
    }

    /// The Secret as it is, if there is one.
    pub async fn read(&self) -> Result<Option<Secret>, StoreError> {
        self.api.get_opt(&self.name).await.map_err(|cause| self.error("read", cause))
    }

    /// Stores the CAs in place of what was read; false if somebody else has written it in between. `answered`: nobody has
    /// to ask for the next CA any more.
    pub async fn write(
        &self,
        read: Option<Secret>,
        authorities: &Authorities,
        answered: bool,
    ) -> Result<bool, StoreError> {
        let params = PostParams { field_manager: Some(crate::api::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let (verb, written) = match read {
            None => ("create", self.api.create(&params, &authorities.secret(&self.name)).await),
            Some(mut secret) => {
                debug_assert!(secret.resource_version().is_some(), "what was read carries its version");
                secret.data = Some(authorities.data());
                if answered {
                    secret.annotations_mut().remove(ROTATE);
                }
                ("replace", self.api.replace(&self.name, &params, &secret).await)
            }
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(cause) => Err(self.error(verb, cause)),
        }
    }

    /// The answer to somebody who lost too often.
    pub fn contended(&self) -> StoreError {
        StoreError::Contended(self.name.clone())
    }

    /// Says whenever the Secret changed, and sometimes when it did not.
    pub fn changes(&self) -> BoxStream<'static, ()> {
        crate::api::changes(self.watched.clone(), &self.name)
    }

    fn error(&self, verb: &'static str, cause: kube::Error) -> StoreError {
        StoreError::Api { verb, name: self.name.clone(), cause }
    }
}
