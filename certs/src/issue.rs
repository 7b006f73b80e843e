//! Makes certificates: a CA, and leaves signed by it. No I/O but randomness; `now` is given.
//!
//! ECDSA P-256. Everything is backdated by an hour, so that clocks that far apart do not matter (CERT6).

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use time::{Duration, OffsetDateTime};

use crate::cert::{Cert, NAME};

const BACKDATED: Duration = Duration::hours(1);

/// How long what is made is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lives {
    /// A CA. Past two thirds of it, its successor is made.
    pub ca: Duration,
    /// A leaf, unless its CA ends earlier. Past half of it, it is signed anew.
    pub leaf: Duration,
}

impl Default for Lives {
    fn default() -> Self {
        Self { ca: Duration::days(90), leaf: Duration::hours(24) }
    }
}

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The name is neither a DNS name nor an IP address.
    #[error("{0:?} cannot be a name in a certificate")]
    Name(String),
    /// rcgen refused.
    #[error("cannot make a certificate")]
    Rcgen(#[from] rcgen::Error),
    /// rustls refused.
    #[error("cannot use a certificate")]
    Rustls(#[from] rustls::Error),
    /// The system gives no random numbers.
    #[error("no random numbers")]
    Random,
    /// A text that is no CA of ours; says in which way.
    #[error("not a usable CA: {0}")]
    NotACa(&'static str),
}

/// A CA with its key. Debug shows no key.
pub struct Ca {
    /// Its certificate.
    pub cert: Cert,
    key: KeyPair,
}

/// A serving certificate with its key, which exists in memory only.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// As rustls serves it.
    pub certified: Arc<CertifiedKey>,
    /// End of validity.
    pub not_after: OffsetDateTime,
    signed: OffsetDateTime,
}

impl Ca {
    /// A new CA.
    pub fn new(lives: Lives, now: OffsetDateTime) -> Result<Self, IssueError> {
        let mut params = params(now, lives.ca)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        // A name of its own for each: a verifier that finds CAs by name must not mistake the next one for this one.
        params.distinguished_name.push(DnType::CommonName, format!("{NAME} {}", now.unix_timestamp()));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let cert = Cert::from_pem(&params.self_signed(&key)?.pem()).map_err(IssueError::NotACa)?;
        Ok(Self { cert, key })
    }

    /// The CA that was stored as PEM. Refuses what it could not sign with: other than one CA certificate, or a key
    /// that is not the certificate's. Whether it is still valid is not judged.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, IssueError> {
        use IssueError::NotACa;
        let cert = Cert::from_pem(cert).map_err(NotACa)?;
        let key = KeyPair::from_pem(key).map_err(|_| NotACa("ca.key is not a PEM private key"))?;
        if !cert.has_key(&key.subject_public_key_info()) {
            return Err(NotACa("ca.key is not the key of ca.crt"));
        }
        Ok(Self { cert, key })
    }

    /// The key, PEM: for the Secret and nothing else.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Past two thirds of a CA's life, or made by a clock that runs ahead by more than clocks may: its successor should take
    /// over.
    pub fn is_due(&self, lives: Lives, now: OffsetDateTime) -> bool {
        now < self.cert.not_before - BACKDATED || self.cert.not_after - now < lives.ca / 3
    }

    /// A new leaf for these DNS names and IP addresses.
    pub fn sign(&self, names: &[String], lives: Lives, now: OffsetDateTime) -> Result<Leaf, IssueError> {
        let mut params = params(now, lives.leaf)?;
        params.not_after = params.not_after.min(self.cert.not_after);
        params.subject_alt_names = names.iter().map(|name| san(name)).collect::<Result<_, _>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &Issuer::from_ca_cert_pem(&self.cert.pem, &self.key)?)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let certified = CertifiedKey::new(vec![certificate.der().clone()], ring::sign::any_supported_type(&key)?);
        Ok(Leaf { certified: Arc::new(certified), not_after: params.not_after, signed: now })
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").field("not_after", &self.cert.not_after).finish_non_exhaustive()
    }
}

impl Leaf {
    /// Past half of its life, or the clock was set back to before it.
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        now < self.signed - BACKDATED || now >= self.due()
    }

    /// Half of its life.
    pub(crate) fn due(&self) -> OffsetDateTime {
        self.signed + (self.not_after - self.signed) / 2
    }
}

fn params(now: OffsetDateTime, life: Duration) -> Result<CertificateParams, IssueError> {
    let mut serial = [0; 16];
    ring::default_provider().secure_random.fill(&mut serial).map_err(|_| IssueError::Random)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = now - BACKDATED;
    params.not_after = now + life;
    Ok(params)
}

fn san(name: &str) -> Result<SanType, IssueError> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => match name.try_into() {
            Ok(dns) if is_dns(name) => Ok(SanType::DnsName(dns)),
            _ => Err(IssueError::Name(name.to_owned())),
        },
    }
}

fn is_dns(name: &str) -> bool {
    rustls::pki_types::DnsName::try_from(name).is_ok()
}

#[cfg(test)]
#[path = "issue_tests.rs"]
mod tests;
