//! The CAs of one install, as all its replicas know them: the Secret's content and the bundle that follows from it. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cert::{self, Cert, MAX_BYTES};
use crate::issue::{Ca, IssueError};

const CERT: &str = "ca.crt";
const KEY: &str = "ca.key";
const NEXT_CERT: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const FORMER_CERTS: &str = "former.crt";
const FORMER_SINCE: &str = "former.since";
/// On the Secret: somebody wants the next CA now.
pub const ROTATE: &str = "vitistack.io/rotate";

/// The CAs that API servers are to trust.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// Leaves are signed with this one.
    pub current: Arc<Ca>,
    /// Published, and not signed with before API servers know it.
    pub next: Option<Arc<Ca>>,
    /// Nothing is signed with these any more, and leaves of them may still be served.
    pub former: Vec<Cert>,
    /// When the last of the former became one.
    pub since: OffsetDateTime,
}

/// What the Secret holds.
#[derive(Debug)]
pub enum Stored {
    /// Nothing: there is no Secret.
    Absent,
    /// A whole set of CAs.
    Whole(Authorities),
    /// Something else; its current CA may be one all the same.
    Damaged(Option<Arc<Ca>>, IssueError),
}

impl Authorities {
    /// With no other CA than this.
    pub fn only(current: Arc<Ca>, now: OffsetDateTime) -> Self {
        Self { current, next: None, former: Vec::new(), since: now }
    }

    /// All their certificates.
    pub fn certs(&self) -> Vec<Cert> {
        let signing = [Some(&self.current), self.next.as_ref()].into_iter().flatten().map(|ca| ca.cert.clone());
        signing.chain(self.former.iter().cloned()).collect()
    }

    /// The `caBundle`. Promotion does not change it: every replica writes the same text, in whatever order it meets them.
    pub fn bundle(&self) -> String {
        let mut all: Vec<String> = self.certs().into_iter().map(|cert| cert.pem).collect();
        all.sort();
        all.dedup();
        all.concat()
    }

    /// The data of the Secret.
    pub(crate) fn data(&self) -> BTreeMap<String, ByteString> {
        let mut texts = vec![(CERT, self.current.cert.pem.clone()), (KEY, self.current.key_pem())];
        if let Some(next) = &self.next {
            texts.extend([(NEXT_CERT, next.cert.pem.clone()), (NEXT_KEY, next.key_pem())]);
        }
        if !self.former.is_empty() {
            let certs: String = self.former.iter().map(|cert| cert.pem.as_str()).collect();
            let since = self.since.format(&Rfc3339).expect("invariant: a date of this age is RFC 3339");
            texts.extend([(FORMER_CERTS, certs), (FORMER_SINCE, since)]);
        }
        texts.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect()
    }

    /// A Secret of that name.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        let manager = ("app.kubernetes.io/managed-by".to_owned(), crate::api::FIELD_MANAGER.to_owned());
        let labels = Some(BTreeMap::from([manager]));
        Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), labels, ..ObjectMeta::default() },
            type_: Some("Opaque".to_owned()),
            data: Some(self.data()),
            ..Secret::default()
        }
    }
}

impl Stored {
    /// What a Secret holds.
    pub fn of(secret: Option<&Secret>, now: OffsetDateTime) -> Self {
        let Some(secret) = secret else { return Self::Absent };
        let texts = Texts(secret.data.as_ref());
        let current = match texts.ca(CERT, KEY) {
            Ok(Some(ca)) => Arc::new(ca),
            Ok(None) => return Self::Damaged(None, IssueError::NotACa("ca.crt or ca.key is missing")),
            Err(why) => return Self::Damaged(None, why),
        };
        let rest = || -> Result<Authorities, IssueError> {
            let next = texts.ca(NEXT_CERT, NEXT_KEY)?.map(Arc::new);
            let listed = texts.get(FORMER_CERTS)?;
            let former = cert::split(listed);
            if former.is_empty() && !listed.is_empty() {
                return Err(IssueError::NotACa("former.crt holds no certificate"));
            }
            let since = match texts.get(FORMER_SINCE)? {
                "" if former.is_empty() => now,
                text => OffsetDateTime::parse(text, &Rfc3339)
                    .map_err(|_| IssueError::NotACa("former.since is not a time in RFC 3339"))?,
            };
            Ok(Authorities { current: current.clone(), next, former, since })
        };
        match rest() {
            Ok(whole) => Self::Whole(whole),
            Err(why) => Self::Damaged(Some(current), why),
        }
    }
}

/// The data of a Secret, as text.
struct Texts<'a>(Option<&'a BTreeMap<String, ByteString>>);

impl<'a> Texts<'a> {
    fn get(&self, key: &str) -> Result<&'a str, IssueError> {
        let bytes = self.0.and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice()).unwrap_or_default();
        if bytes.len() > MAX_BYTES {
            return Err(IssueError::NotACa("too large to be one"));
        }
        std::str::from_utf8(bytes).map_err(|_| IssueError::NotACa("it is not text"))
    }

    /// The CA of two keys; none if both are empty.
    fn ca(&self, cert: &str, key: &str) -> Result<Option<Ca>, IssueError> {
        match (self.get(cert)?, self.get(key)?) {
            ("", "") => Ok(None),
            ("", _) | (_, "") => Err(IssueError::NotACa("one of certificate and key is missing")),
            (cert, key) => Ca::from_pem(cert, key).map(Some),
        }
    }
}

#[cfg(test)]
#[path = "authorities_tests.rs"]
mod tests;
