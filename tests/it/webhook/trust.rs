//! What an API server trusts the webhook by.

use std::net::SocketAddr;
use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::ListParams;
use kube::{Api, Client};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The `caBundle` of the mutating webhook.
pub(super) async fn bundle(supervisor: &Client) -> Vec<u8> {
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(supervisor.clone());
    let found = configurations.list(&ListParams::default()).await.expect("webhooks").items;
    let webhook = found.into_iter().flat_map(|it| it.webhooks.unwrap_or_default()).next().expect("a webhook");
    webhook.client_config.ca_bundle.expect("a bundle").0
}

/// A client certificate and its key.
pub(super) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// Trusts the certificates in a PEM text, and shows one of its own or none.
pub(super) fn connector(bundle: &[u8], identity: Option<Identity>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle) {
        roots.add(root.expect("a certificate")).expect("a root");
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match identity {
        Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).expect("a pair"),
        None => config.with_no_client_auth(),
    };
    TlsConnector::from(Arc::new(config))
}

/// A connection to a webhook as that, or why there is none.
pub(super) async fn connect(address: SocketAddr, bundle: &[u8]) -> Result<TlsStream<TcpStream>, String> {
    connect_as(None, address, bundle).await
}

/// The same, by somebody with a client certificate or without.
pub(super) async fn connect_as(
    who: Option<Identity>,
    address: SocketAddr,
    bundle: &[u8],
) -> Result<TlsStream<TcpStream>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let connected = connector(bundle, who).connect(ServerName::from(address.ip()), stream).await;
    connected.map_err(|error| error.to_string())
}
