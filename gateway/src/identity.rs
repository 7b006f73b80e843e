//! The serving certificate from two files, which may change while they are served. I/O: those files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use certs::resolver::{Resolver, server_config};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::task::spawn_blocking;

/// How often the files are read. kubelet itself takes up to a minute until a changed Secret is there.
const EVERY: Duration = Duration::from_secs(10);
/// Longer files are not read.
const MOST: u64 = 1 << 20;

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What is served, and how it is kept.
pub struct Identity {
    files: Files,
    resolver: Arc<Resolver>,
    certificate: Vec<u8>,
}

impl Identity {
    /// The identity in these files.
    ///
    /// Errors: they are no pair.
    pub fn of(files: Files) -> Result<Self, String> {
        let resolver = Arc::new(Resolver::default());
        let (certificate, pair) = read(&files)?;
        resolver.swap(pair);
        Ok(Self { files, resolver, certificate })
    }

    /// For the listener.
    pub fn tls(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        server_config(self.resolver.clone(), None).map(Arc::new)
    }

    /// Reads the files again and again, without end. Files that are no pair, as when one of them is written before the other, change
    /// nothing.
    pub async fn keep(mut self) {
        let mut told = String::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let files = self.files.clone();
            let read = spawn_blocking(move || read(&files)).await;
            match read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
                Ok((certificate, pair)) => {
                    told.clear();
                    if certificate != self.certificate {
                        self.resolver.swap(pair);
                        self.certificate = certificate;
                        tracing::info!(file = %self.files.certificate.display(), "the serving certificate has changed");
                    }
                }
                Err(why) if why != told => {
                    tracing::warn!(
                        reason = why,
                        "cannot use the serving certificate: the one of before is served until the files are whole"
                    );
                    told = why;
                }
                Err(_) => {}
            }
        }
    }
}

/// The text of the certificate, and the pair.
fn read(files: &Files) -> Result<(Vec<u8>, Arc<CertifiedKey>), String> {
    let text = |setting: &str, path: &Path| {
        let wrong = |why: io::Error| format!("{setting}: {}: {why}", path.display());
        let about = fs::metadata(path).map_err(wrong)?;
        if !about.is_file() || about.len() > MOST {
            return Err(format!("{setting}: {}: it is no file of at most {MOST} bytes", path.display()));
        }
        fs::read(path).map_err(wrong)
    };
    let (certificate, key) =
        (text("GATEWAY_TLS_CERTIFICATE", &files.certificate)?, text("GATEWAY_TLS_KEY", &files.key)?);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or("GATEWAY_TLS_CERTIFICATE: the file holds no whole certificate in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| "GATEWAY_TLS_KEY: the file holds no key in PEM")?;
    let pair = CertifiedKey::from_der(chain, key, &ring::default_provider())
        .map_err(|why| format!("GATEWAY_TLS_KEY is not the key of GATEWAY_TLS_CERTIFICATE: {why}"))?;
    Ok((certificate, Arc::new(pair)))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn e12_a_changed_pair_is_served_and_half_of_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
        let pair = || generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let wrong = Identity::of(files.clone()).err().expect("E12: there is nothing yet");
        assert!(wrong.starts_with("GATEWAY_TLS_CERTIFICATE: ") && wrong.contains("tls.crt"), "{wrong}");
        let write = |which: &CertifiedKey<_>, key: &CertifiedKey<rcgen::KeyPair>| {
            fs::write(&files.certificate, which.cert.pem()).expect("written");
            fs::write(&files.key, key.signing_key.serialize_pem()).expect("written");
        };
        let (first, second) = (pair(), pair());
        write(&first, &second);
        let wrong = Identity::of(files.clone()).err().expect("E12: no pair");
        assert!(wrong.starts_with("GATEWAY_TLS_KEY is not the key of GATEWAY_TLS_CERTIFICATE"), "{wrong}");
        write(&first, &first);
        let identity = Identity::of(files.clone()).expect("a pair");
        let resolver = identity.resolver.clone();
        let served = || resolver.serving().expect("a certificate").cert[0].clone();
        assert_eq!(served(), *first.cert.der());
        let keeping = tokio::spawn(identity.keep());
        fs::write(&files.certificate, second.cert.pem()).expect("written");
        tokio::time::sleep(EVERY * 3).await;
        assert_eq!(served(), *first.cert.der(), "E12: half of a pair");
        write(&second, &second);
        while served() != *second.cert.der() {
            tokio::time::sleep(EVERY).await;
        }
        keeping.abort();
    }
}
