//! Certificates of authorities as they are stored and published: PEM text. No I/O.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;

/// Begins the name of every CA of ours.
pub(crate) const NAME: &str = "kubevirt-operator webhook CA";
/// Begins a certificate in a PEM text.
pub(crate) const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// More than this is not parsed.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// The certificate of a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cert {
    /// As it is stored and published; ends with a newline.
    pub pem: String,
    /// Begin of validity.
    pub not_before: OffsetDateTime,
    /// End of validity.
    pub not_after: OffsetDateTime,
    /// Its name is one that we give.
    pub is_ours: bool,
    pub(crate) der: CertificateDer<'static>,
}

impl Cert {
    /// The one CA certificate in a PEM text, or what is wrong with it.
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_BYTES {
            return Err("too large to be one");
        }
        let mut certificates = CertificateDer::pem_slice_iter(text.as_bytes());
        let (Some(Ok(der)), None) = (certificates.next(), certificates.next()) else {
            return Err("ca.crt is not one PEM certificate");
        };
        let (_, x509) = x509_parser::parse_x509_certificate(&der).map_err(|_| "ca.crt is not X.509")?;
        if !x509.is_ca() {
            return Err("ca.crt is not a CA certificate");
        }
        let names = x509.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let is_ours = names.into_iter().any(|name| name.starts_with(NAME));
        let (not_before, not_after) =
            (x509.validity().not_before.to_datetime(), x509.validity().not_after.to_datetime());
        // It is published: whatever else stands in the text, such as a key, must not be.
        let begin = text.find(BEGIN).unwrap_or_default();
        let end = text.find(END).map_or(text.len(), |at| at + END.len());
        let pem = text.get(begin..end).map(|pem| format!("{pem}\n")).ok_or("ca.crt is not one PEM certificate")?;
        Ok(Self { pem, not_before, not_after, is_ours, der })
    }

    /// A clock that shows `now` takes it.
    pub fn is_valid(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && !self.has_ended(now)
    }

    /// No clock takes it any more.
    pub fn has_ended(&self, now: OffsetDateTime) -> bool {
        now >= self.not_after
    }

    /// It stands in a list, in whatever spelling.
    pub fn is_in(&self, list: &[Self]) -> bool {
        list.iter().any(|other| other.der == self.der)
    }

    /// This public key (DER) is the one that it is about.
    pub(crate) fn has_key(&self, public_key: &[u8]) -> bool {
        x509_parser::parse_x509_certificate(&self.der).is_ok_and(|(_, x509)| x509.public_key().raw == public_key)
    }
}

/// The CA certificates in a PEM text, one after the other; whatever else stands there is left out.
pub fn split(text: &str) -> Vec<Cert> {
    if text.len() > MAX_BYTES {
        return Vec::new();
    }
    text.split_inclusive(END).filter_map(|one| Cert::from_pem(one).ok()).collect()
}
