//! What an API server trusts the webhook by.

use kube::Client;
use tests::trust::Identity;
pub(super) use tests::trust::{connect, connect_as};
use tokio_rustls::TlsConnector;

/// The `caBundle` of the mutating webhook.
pub(super) async fn bundle(supervisor: &Client) -> Vec<u8> {
    tests::trust::bundle(supervisor, "kubevirt-operator").await.expect("a bundle")
}

/// Trusts the certificates in a PEM text, and shows one of its own or none.
pub(super) fn connector(bundle: &[u8], identity: Option<Identity>) -> TlsConnector {
    tests::trust::connector(bundle, identity).expect("certificates")
}
