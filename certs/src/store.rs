//! The CA's one home: a Secret in our namespace. I/O: reads, creates and replaces that Secret.
//!
//! Any replica may write it; a write carries the version it was decided on, and who loses reads again. So N replicas
//! that start at once end with one CA. Content that is no CA is replaced, never a reason to stop (CERT3, CERT5).

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt};
use time::OffsetDateTime;

use crate::issue::{Ca, IssueError};

const CERT: &str = "ca.crt";
const KEY: &str = "ca.key";
/// More than this is not parsed.
const MAX_BYTES: usize = 64 * 1024;
/// Lost races until the caller tries later.
const ATTEMPTS: usize = 5;

/// Why there is no CA.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The API server's answer, or none.
    #[error("cannot {verb} Secret {name}: {}", crate::api::said(.cause))]
    Api {
        /// What was tried.
        verb: &'static str,
        /// The Secret.
        name: String,
        /// The cause.
        cause: kube::Error,
    },
    /// Others kept changing the Secret.
    #[error("Secret {0} keeps changing")]
    Contended(String),
    /// No new CA could be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// The stored CA. If there is none to go on with, the one in memory is stored again, else a new one (CERT5).
///
/// Guarantees: the CA that is returned is the one that was read from the Secret or written to it without anyone
/// writing in between. Caveat: a CA that is due is replaced in one step; overlapping rotation comes with `plan.rs`.
pub async fn ensure(api: &Api<Secret>, name: &str, held: Option<&Ca>, now: OffsetDateTime) -> Result<Ca, StoreError> {
    let wrong = |verb| move |cause| StoreError::Api { verb, name: name.to_owned(), cause };
    for _ in 0..ATTEMPTS {
        let found = api.get_opt(name).await.map_err(wrong("read"))?;
        if let Some(stored) = found.as_ref().map(|secret| parse(secret.data.as_ref())) {
            match stored {
                Ok(ca) if !ca.is_due(now) => return Ok(ca),
                Ok(_) => tracing::info!(secret = name, "the webhook's CA is near its end, making the next"),
                Err(error) => tracing::warn!(secret = name, %error, "replacing the webhook's CA"),
            }
        }
        let ca = match held.filter(|ca| !ca.is_due(now)) {
            Some(held) => Ca::from_pem(held.cert_pem(), &held.key_pem())?,
            None => Ca::new(now)?,
        };
        let written = match found {
            None => api.create(&PostParams::default(), &secret(name, &ca)).await.map_err(wrong("create")),
            Some(old) => {
                debug_assert!(old.resource_version().is_some(), "what was read carries its version");
                let new = Secret { data: Some(data(&ca)), ..old };
                api.replace(name, &PostParams::default(), &new).await.map_err(wrong("replace"))
            }
        };
        match written {
            Ok(_) => return Ok(ca),
            Err(StoreError::Api { cause: kube::Error::Api(status), .. }) if matches!(status.code, 404 | 409) => {}
            Err(other) => return Err(other),
        }
    }
    Err(StoreError::Contended(name.to_owned()))
}

/// The CA in a Secret's data, or what is wrong with it. Pure.
fn parse(data: Option<&BTreeMap<String, ByteString>>) -> Result<Ca, IssueError> {
    let text = |key| {
        let bytes = data.and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice()).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            _ if bytes.len() > MAX_BYTES => Err(IssueError::NotACa("too large to be one")),
            Ok("") => Err(IssueError::NotACa("ca.crt or ca.key is missing")),
            Ok(text) => Ok(text),
            Err(_) => Err(IssueError::NotACa("ca.crt or ca.key is not text")),
        }
    };
    Ca::from_pem(text(CERT)?, text(KEY)?)
}

fn data(ca: &Ca) -> BTreeMap<String, ByteString> {
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    BTreeMap::from([(CERT.to_owned(), bytes(ca.cert_pem())), (KEY.to_owned(), bytes(&ca.key_pem()))])
}

fn secret(name: &str, ca: &Ca) -> Secret {
    let labels = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), crate::api::FIELD_MANAGER.to_owned())]);
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        type_: Some("Opaque".to_owned()),
        data: Some(data(ca)),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn contents_that_are_no_ca() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let (one, two) = (Ca::new(now).unwrap(), Ca::new(now).unwrap());
        let (cert, key, other_key) =
            (one.cert_pem().as_bytes(), one.key_pem().into_bytes(), two.key_pem().into_bytes());
        let leaf = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
        let (leaf_cert, leaf_key) = (leaf.cert.pem().into_bytes(), leaf.signing_key.serialize_pem().into_bytes());
        let junk = vec![b'x'; 1024 * 1024];
        let twice = [cert, cert].concat();
        let cut = &cert[..cert.len() / 2];
        let inner = String::from_utf8(cert.to_vec()).unwrap().replace("MII", "MIJ").into_bytes();
        #[rustfmt::skip]
        let cases: [(&str, &[u8], &[u8], &str); 11] = [
            ("as written",       cert,       &key,                    "a CA"),
            ("empty",            b"",        b"",                     "missing"),
            ("no key",           cert,       b"",                     "missing"),
            ("bad PEM",          b"hello",   &key,                    "ca.crt is not one PEM certificate"),
            ("truncated",        cut,        &key,                    "ca.crt is not one PEM certificate"),
            ("two certificates", &twice,     &key,                    "ca.crt is not one PEM certificate"),
            ("bad DER",          &inner,     &key,                    "ca.crt is not X.509"),
            ("not a CA",         &leaf_cert, &leaf_key,               "not a CA certificate"),
            ("another's key",    cert,       &other_key,              "not the key of ca.crt"),
            ("key is a cert",    cert,       cert,                    "ca.key is not a PEM private key"),
            ("1 MiB of junk",    &junk,      &key,                    "too large"),
        ];
        every_row(cases, |(name, cert, key, want)| {
            let bytes = |b: &[u8]| ByteString(b.to_vec());
            let data = BTreeMap::from([(CERT.to_owned(), bytes(cert)), (KEY.to_owned(), bytes(key))]);
            let said = parse(Some(&data)).map_or_else(|e| e.to_string(), |_| "a CA".to_owned());
            assert!(said.contains(want), "{name}: {said}");
        });
        assert!(parse(None).is_err());
        let binary = BTreeMap::from([(CERT.to_owned(), ByteString(vec![0xff]))]);
        assert!(parse(Some(&binary)).unwrap_err().to_string().contains("not text"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let ca = Ca::new(now).unwrap();
        let written = secret("webhook-ca", &ca);
        assert_eq!(written.type_.as_deref(), Some("Opaque"));
        assert_eq!(parse(written.data.as_ref()).unwrap().cert_pem(), ca.cert_pem());
    }
}
