//! Makes certificates: a CA, and leaves signed by it. No I/O but randomness; `now` is given.
//!
//! ECDSA P-256. Everything is backdated by an hour, so that clocks that far apart do not matter.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use time::{Duration, OffsetDateTime};

/// How long a CA is valid.
pub const CA_LIFE: Duration = Duration::days(90);
/// How long a leaf is valid, unless its CA ends earlier.
pub const LEAF_LIFE: Duration = Duration::hours(24);
const BACKDATED: Duration = Duration::hours(1);

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
    /// Stored text that is no CA of ours; says in which way.
    #[error("not a usable CA: {0}")]
    NotACa(&'static str),
}

/// A CA with its key. Debug shows neither.
pub struct Ca {
    cert_pem: String,
    key: KeyPair,
    /// End of validity.
    pub not_after: OffsetDateTime,
}

/// A serving certificate with its key, which exists in memory only.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// As rustls serves it.
    pub certified: Arc<CertifiedKey>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Ca {
    /// A new CA.
    pub fn new(now: OffsetDateTime) -> Result<Self, IssueError> {
        let mut params = params(now, CA_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        // A name of its own for each: a verifier that finds CAs by name must not mistake the next one for this one.
        let name = format!("kubevirt-operator webhook CA {}", now.unix_timestamp());
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let cert_pem = params.self_signed(&key)?.pem();
        Ok(Self { cert_pem, key, not_after: params.not_after })
    }

    /// The CA that was stored as PEM. Refuses what it could not sign with: other than one CA certificate, or a key
    /// that is not the certificate's. Whether it is still valid is not judged.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, IssueError> {
        use IssueError::NotACa;
        let mut certificates = CertificateDer::pem_slice_iter(cert.as_bytes());
        let (Some(Ok(der)), None) = (certificates.next(), certificates.next()) else {
            return Err(NotACa("ca.crt is not one PEM certificate"));
        };
        let (_, x509) = x509_parser::parse_x509_certificate(&der).map_err(|_| NotACa("ca.crt is not X.509"))?;
        if !x509.is_ca() {
            return Err(NotACa("ca.crt is not a CA certificate"));
        }
        let key = KeyPair::from_pem(key).map_err(|_| NotACa("ca.key is not a PEM private key"))?;
        if key.subject_public_key_info() != x509.public_key().raw {
            return Err(NotACa("ca.key is not the key of ca.crt"));
        }
        Ok(Self { cert_pem: cert.to_owned(), key, not_after: x509.validity().not_after.to_datetime() })
    }

    /// The certificate, PEM.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The key, PEM: for the Secret and nothing else.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Past two thirds of a CA's life: its successor should take over.
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        self.not_after - now < CA_LIFE / 3
    }

    /// A new leaf for these DNS names and IP addresses.
    pub fn sign(&self, names: &[String], now: OffsetDateTime) -> Result<Leaf, IssueError> {
        let mut params = params(now, LEAF_LIFE)?;
        params.not_after = params.not_after.min(self.not_after);
        params.subject_alt_names = names.iter().map(|name| san(name)).collect::<Result<_, _>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &Issuer::from_ca_cert_pem(&self.cert_pem, &self.key)?)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let certified = CertifiedKey::new(vec![certificate.der().clone()], ring::sign::any_supported_type(&key)?);
        Ok(Leaf { certified: Arc::new(certified), not_before: params.not_before, not_after: params.not_after })
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl Leaf {
    /// Past half of its life, or the clock was set back to before it.
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        now < self.not_before || now > self.not_before + (self.not_after - self.not_before) / 2
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
mod tests {
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{ServerName, UnixTime};
    use rustls::{Error, RootCertStore};

    use super::*;
    use crate::table::every_row;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
    }

    fn verify(ca: &Ca, leaf: &Leaf, name: &'static str, at: OffsetDateTime) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.cert_pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.unix_timestamp().try_into().unwrap()));
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(&leaf.certified.cert[0], &[], &name, &[], at).map(|_| ())
    }

    #[test]
    fn a_leaf_verifies_for_its_names_while_it_is_valid() {
        let ca = Ca::new(now()).unwrap();
        let names = ["webhook.ns.svc".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let leaf = ca.sign(&names, now()).unwrap();
        let hours = |n| now() + Duration::hours(n);
        #[rustfmt::skip]
        let cases = [
            ("webhook.ns.svc", now(), true), ("127.0.0.1", now(), true), ("::1", now(), true),
            ("other.ns.svc", now(), false), ("127.0.0.2", now(), false),
            ("webhook.ns.svc", hours(-1), true), ("webhook.ns.svc", hours(-2), false),
            ("webhook.ns.svc", hours(23), true), ("webhook.ns.svc", hours(25), false),
        ];
        every_row(cases, |(name, at, want)| {
            let verified = verify(&ca, &leaf, name, at);
            assert_eq!(verified.is_ok(), want, "{name} at {at}: {verified:?}");
        });
        assert!(verify(&Ca::new(now()).unwrap(), &leaf, "127.0.0.1", now()).is_err(), "another CA");
    }

    #[test]
    fn serials_are_random_and_a_leaf_ends_with_its_ca() {
        let ca = Ca::new(now()).unwrap();
        let serial = |leaf: &Leaf| {
            x509_parser::parse_x509_certificate(&leaf.certified.cert[0]).unwrap().1.raw_serial().to_owned()
        };
        let late = now() + CA_LIFE - Duration::hours(2);
        let (a, b) = (ca.sign(&[], now()).unwrap(), ca.sign(&[], late).unwrap());
        assert_ne!(serial(&a), serial(&b));
        assert_eq!((a.not_after, b.not_after), (now() + LEAF_LIFE, ca.not_after));
    }

    #[test]
    fn renewal_is_due() {
        let ca = Ca::new(now()).unwrap();
        let leaf = ca.sign(&[], now()).unwrap();
        let leaves = [(-2, true), (-1, false), (0, false), (11, false), (12, true), (48, true)];
        every_row(leaves, |(hours, due)| {
            assert_eq!(leaf.is_due(now() + Duration::hours(hours)), due, "leaf after {hours} h");
        });
        every_row([(0, false), (59, false), (61, true), (89, true), (91, true)], |(days, due)| {
            assert_eq!(ca.is_due(now() + Duration::days(days)), due, "CA after {days} d");
        });
    }

    #[test]
    fn a_ca_survives_its_pem_and_nothing_shows_its_key() {
        let ca = Ca::new(now()).unwrap();
        let again = Ca::from_pem(ca.cert_pem(), &ca.key_pem()).unwrap();
        assert_eq!(again.not_after, ca.not_after);
        let leaf = again.sign(&["127.0.0.1".to_owned()], now()).unwrap();
        verify(&ca, &leaf, "127.0.0.1", now()).unwrap();
        assert_eq!(format!("{ca:?}"), format!("Ca {{ not_after: {:?}, .. }}", ca.not_after));
    }

    #[test]
    fn names_that_are_none_are_refused() {
        every_row(["", "a b", "ü.example", "a..b", "https://x"], |bad| {
            let refused = Ca::new(now()).unwrap().sign(&[bad.to_owned()], now());
            assert!(matches!(refused, Err(IssueError::Name(_))), "{bad}");
        });
    }
}
