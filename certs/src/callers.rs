//! Who may call, where that is said: whoever has a client certificate of an authority in a file, under one of some names. An
//! authority alone says nothing: that of a cluster signs the certificates of many. I/O: that file, read again and again, and the
//! time for a metric.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme,
};
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use x509_parser::extensions::GeneralName;

use crate::cert::{self, BEGIN, MAX_BYTES};
use crate::metrics::Metrics;

/// How often the file is read. kubelet itself takes up to a minute until a changed Secret is there.
const EVERY: Duration = Duration::from_secs(10);

/// Who may call. New connections meet what the file said last; those that exist go on.
#[derive(Debug)]
pub struct Callers {
    file: PathBuf,
    names: Vec<String>,
    trusted: ArcSwap<Trusted>,
}

/// What a file of authorities says.
#[derive(Debug)]
struct Trusted {
    text: String,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Callers {
    /// Callers by the settings; none are asked for a certificate where neither file nor names are set. Either without the other
    /// would let in nobody, or too many.
    pub fn of(file: Option<&Path>, names: &[String]) -> Result<Option<Arc<Self>>, String> {
        let names: Vec<_> = names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        match (file, names.is_empty()) {
            (None, true) => Ok(None),
            (None, false) => Err("WEBHOOK_CLIENT_NAMES is set without WEBHOOK_CLIENT_CA_FILE: name the file with the authorities \
                                  of client certificates, or take the names away"
                .to_owned()),
            (Some(_), true) => Err("WEBHOOK_CLIENT_CA_FILE is set without WEBHOOK_CLIENT_NAMES: list the names in the client \
                                    certificates of the API servers, or anybody with a certificate of that authority may call"
                .to_owned()),
            (Some(file), false) => {
                let trusted = Trusted::read(file)
                    .map_err(|why| format!("WEBHOOK_CLIENT_CA_FILE: {}: {why}", file.display()))?;
                Ok(Some(Arc::new(Self { file: file.to_owned(), names, trusted: ArcSwap::from_pointee(trusted) })))
            }
        }
    }

    /// Reads the file again and again, without end. One that says nothing usable changes nothing.
    pub(crate) async fn keep(&self, metrics: &Metrics) {
        let mut told = String::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let file = self.file.clone();
            let read = spawn_blocking(move || Trusted::read(&file)).await;
            match read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
                Ok(trusted) => {
                    told.clear();
                    if trusted.text != self.trusted.load().text {
                        self.trusted.store(Arc::new(trusted));
                        tracing::info!(file = %self.file.display(), "the authorities of client certificates have changed");
                    }
                }
                Err(why) => {
                    metrics.failed("client-authorities", OffsetDateTime::now_utc());
                    if why != told {
                        tracing::warn!(file = %self.file.display(), reason = why, "cannot use the authorities of client \
                            certificates: those of before count until the file is whole");
                        told = why;
                    }
                }
            }
        }
    }
}

impl Trusted {
    fn read(file: &Path) -> Result<Self, String> {
        let about = fs::metadata(file).map_err(|why| why.to_string())?;
        if !about.is_file() || about.len() > MAX_BYTES as u64 {
            return Err(format!("it is no file of at most {MAX_BYTES} bytes"));
        }
        Self::from_pem(fs::read_to_string(file).map_err(|why| why.to_string())?)
    }

    /// Refuses what is not whole: a file that is half written must not shut anybody out.
    fn from_pem(text: String) -> Result<Self, String> {
        let (authorities, all) = (cert::split(&text), text.matches(BEGIN).count());
        if authorities.is_empty() || authorities.len() != all {
            let whole = authorities.len();
            return Err(format!(
                "{whole} of the {all} certificates in it are of authorities and whole: it needs one, and no others"
            ));
        }
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.der).map_err(|why| why.to_string())?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider())).build();
        Ok(Self { verifier: verifier.map_err(|why| why.to_string())?, text })
    }
}

impl ClientCertVerifier for Callers {
    /// No hints: a caller with another certificate shall send it, and learn why it is refused.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.trusted.load().verifier.verify_client_cert(end_entity, intermediates, now)?;
        let found = names(end_entity).ok_or(CertificateError::BadEncoding)?;
        if found.iter().any(|name| self.names.contains(name)) {
            return Ok(verified);
        }
        Err(CertificateError::Other(OtherError(Arc::new(Stranger(found)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.load().verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.load().verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.load().verifier.supported_verify_schemes()
    }
}

/// Common names and DNS names of a certificate; nothing where it cannot be read.
fn names(certificate: &[u8]) -> Option<Vec<String>> {
    let (_, x509) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let common = x509.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let others = x509.subject_alternative_name().ok()?.map(|it| it.value.general_names.as_slice()).unwrap_or_default();
    let dns = others.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    Some(common.chain(dns).map(str::to_owned).collect())
}

/// A certificate of the right authority has none of the right names.
#[derive(Debug)]
struct Stranger(Vec<String>);

impl std::error::Error for Stranger {}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its client certificate is of {:?}, and WEBHOOK_CLIENT_NAMES lists none of these", self.0)
    }
}

/// Why a handshake ended, where it ended because of who called: a fixed word, and a sentence.
pub fn refusal(ended: &io::Error) -> Option<(&'static str, String)> {
    match ended.get_ref()?.downcast_ref()? {
        Error::NoCertificatesPresented => Some((
            "no-client-certificate",
            "it has no client certificate; an API server is given one by its admission configuration".to_owned(),
        )),
        Error::InvalidCertificate(CertificateError::Other(OtherError(stranger))) => {
            Some(("other-client-name", stranger.to_string()))
        }
        Error::InvalidCertificate(why) => Some((
            "untrusted-client-certificate",
            format!("by the authorities in WEBHOOK_CLIENT_CA_FILE, its client certificate is not valid: {why}"),
        )),
        _ => None,
    }
}

#[cfg(test)]
#[path = "callers_tests.rs"]
mod tests;
