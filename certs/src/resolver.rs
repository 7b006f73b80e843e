//! Serves the leaf of the moment. No I/O.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::crypto::ring;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};

use crate::callers::Callers;

/// Holds the leaf that new connections are answered with; connections that exist go on. Empty, it refuses handshakes.
#[derive(Debug, Default)]
pub struct Resolver(pub(crate) ArcSwapOption<CertifiedKey>);

impl Resolver {
    /// The next connection gets this one.
    pub fn swap(&self, certified: Arc<CertifiedKey>) {
        self.0.store(Some(certified));
    }

    /// The one that the next connection gets.
    pub fn serving(&self) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// TLS 1.2 and 1.3, HTTP/1.1, for anybody or for these callers. Nothing of a session outlives its connection: a resumed one would
/// not meet a new leaf.
pub fn server_config(resolver: Arc<Resolver>, callers: Option<Arc<Callers>>) -> Result<ServerConfig, Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match callers {
        Some(callers) => builder.with_client_cert_verifier(callers),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
    use time::{Duration, OffsetDateTime};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::issue::{Ca, Lives};

    const LIVES: Lives = Lives { ca: Duration::days(90), leaf: Duration::hours(24) };

    fn client(ca: &Ca, version: &'static SupportedProtocolVersion) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.cert.pem.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    /// The certificate that one connection to 127.0.0.1 sees. A full handshake, or an error.
    async fn connect(server: &TlsAcceptor, client: &TlsConnector) -> std::io::Result<CertificateDer<'static>> {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let (accepted, connected) = tokio::join!(server.accept(far), client.connect(name, near));
        let (_, session) = connected?.into_inner();
        accepted?;
        assert_eq!(session.alpn_protocol(), Some(b"http/1.1".as_slice()));
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        Ok(session.peer_certificates().unwrap()[0].clone().into_owned())
    }

    #[tokio::test]
    async fn cert4_the_next_connection_sees_the_swapped_leaf() {
        let now = OffsetDateTime::now_utc();
        let ca = Ca::new(LIVES, now).unwrap();
        let resolver = Arc::new(Resolver::default());
        let server = TlsAcceptor::from(Arc::new(server_config(resolver.clone(), None).unwrap()));
        for version in [&TLS13, &TLS12] {
            let client = client(&ca, version);
            for _ in 0..2 {
                let leaf = ca.sign(&["127.0.0.1".to_owned()], LIVES, now).unwrap();
                resolver.swap(leaf.certified.clone());
                for _ in 0..2 {
                    assert_eq!(connect(&server, &client).await.unwrap(), leaf.certified.cert[0], "{version:?}");
                }
            }
        }
        let stranger = client(&Ca::new(LIVES, now).unwrap(), &TLS13);
        assert!(connect(&server, &stranger).await.is_err(), "a leaf of another CA is not trusted");
    }

    #[tokio::test]
    async fn cert4_a_connection_that_exists_goes_on_when_the_leaf_and_its_ca_change() {
        let now = OffsetDateTime::now_utc();
        let (old, new) = (Ca::new(LIVES, now).unwrap(), Ca::new(LIVES, now).unwrap());
        let sign = |ca: &Ca| ca.sign(&["127.0.0.1".to_owned()], LIVES, now).unwrap().certified;
        let resolver = Arc::new(Resolver::default());
        resolver.swap(sign(&old));
        let server = TlsAcceptor::from(Arc::new(server_config(resolver.clone(), None).unwrap()));
        let connector = client(&old, &TLS13);
        let (near, far) = tokio::io::duplex(16 * 1024);
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let (accepted, connected) = tokio::join!(server.accept(far), connector.connect(name, near));
        let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());

        resolver.swap(sign(&new));
        connected.write_all(b"still").await.unwrap();
        connected.flush().await.unwrap();
        let mut heard = [0; 5];
        accepted.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"still");
        assert!(connect(&server, &connector).await.is_err(), "a new connection meets the new leaf");
        connect(&server, &client(&new, &TLS13)).await.unwrap();
    }

    #[tokio::test]
    async fn without_a_leaf_there_is_no_connection() {
        let ca = Ca::new(LIVES, OffsetDateTime::now_utc()).unwrap();
        let server = TlsAcceptor::from(Arc::new(server_config(Arc::default(), None).unwrap()));
        assert!(connect(&server, &client(&ca, &TLS13)).await.is_err());
    }
}
