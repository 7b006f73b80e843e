//! TLS as API servers speak it to a webhook: they trust what stands in its configuration, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, Client};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The `caBundle` of a mutating configuration.
pub async fn bundle(supervisor: &Client, configuration: &str) -> Result<Vec<u8>, String> {
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(supervisor.clone());
    let found = configurations.get(configuration).await.map_err(|error| error.to_string())?;
    let bundle = found.webhooks.unwrap_or_default().into_iter().find_map(|it| it.client_config.ca_bundle);
    bundle.map(|bundle| bundle.0).ok_or_else(|| format!("{configuration} has no caBundle"))
}

/// A client certificate and its key.
pub type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// Trusts the certificates in a PEM text, and shows one of its own or none.
pub fn connector(bundle: &[u8], identity: Option<Identity>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle) {
        roots.add(root.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match identity {
        Some((certificate, key)) => {
            config.with_client_auth_cert(vec![certificate], key).map_err(|error| error.to_string())?
        }
        None => config.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A connection to a webhook as that, or why there is none.
pub async fn connect(address: SocketAddr, bundle: &[u8]) -> Result<TlsStream<TcpStream>, String> {
    connect_as(None, address, bundle).await
}

/// The same, by somebody with a client certificate or without.
pub async fn connect_as(
    who: Option<Identity>,
    address: SocketAddr,
    bundle: &[u8],
) -> Result<TlsStream<TcpStream>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let connected = connector(bundle, who)?.connect(ServerName::from(address.ip()), stream).await;
    connected.map_err(|error| error.to_string())
}
