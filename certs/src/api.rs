//! What every request to the API server has in common. I/O: watches one object.

use std::fmt::Debug;

use futures::stream::{self, BoxStream, StreamExt};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

/// Field manager of the `caBundle`s.
pub const FIELD_MANAGER: &str = "kubevirt-operator-webhook";

/// When the API server shall end a watch, in seconds: a silent one is noticed soon after.
const WATCH: u32 = 85;

/// An API server's answer as a person wants to read it: kube's own text holds the whole status twice.
pub(crate) fn said(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("{} ({})", status.message, status.code);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Says whenever an object changed, and sometimes when it did not. Never ends. Of the object only metadata is read: whoever
/// hears looks at the rest himself.
pub(crate) fn changes<K>(api: Api<PartialObjectMeta<K>>, name: &str) -> BoxStream<'static, ()>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = Config::default().fields(&format!("metadata.name={name}")).timeout(WATCH);
    let seen = watcher(api, config).default_backoff().filter_map(async |event| match event {
        Ok(_) => Some(()),
        Err(why) => {
            tracing::debug!(error = %why, "a watch on what the certificate is kept by ended");
            None
        }
    });
    seen.chain(stream::pending()).boxed()
}
