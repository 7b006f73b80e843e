//! Judges a kubeconfig from a Secret. Pure. Controls T1 to T4: whoever may write that Secret must not be able to run
//! programs, read files, pick a proxy or another identity, or take the place of the remote API server.
//!
//! An allow-list: what is not known to be harmless is refused, by a sentence that names the field and the way out.
//! Nothing of a credential is ever in an error or in Debug (T19).

mod fields;
mod pem;
mod refused;
mod server;
mod validity;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use self::refused::refuse;
pub use self::refused::{MAX_BYTES, Refused};
pub use self::validity::Validity;

/// All that is taken over from a kubeconfig: the current context's server and credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// An `https` URL without user, query or fragment.
    pub server: String,
    /// One or more certificates, PEM: the only ones trusted for the server.
    pub ca_pem: Vec<u8>,
    /// Who we are there.
    pub auth: Auth,
}

/// Credentials, exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A bearer token of visible ASCII characters.
    Token(Secret),
    /// A client certificate and its key.
    ClientCert {
        /// Certificate and chain, PEM.
        cert_pem: Vec<u8>,
        /// The key, PEM, not encrypted.
        key_pem: Secret,
    },
}

/// Text that must not be shown: Debug prints a placeholder, and there is no Display.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Takes from the document what leads to its current context's cluster, or says what stands in the way.
///
/// Guarantees: other contexts, clusters and users have no influence; memory and time are bounded by [`MAX_BYTES`].
pub fn parse(document: &[u8]) -> Result<Remote, Refused> {
    let root = read(document)?;
    fields::allow(&root, "", &[], fields::ALLOWED)?;
    let current =
        text(&root, "", "current-context")?.ok_or_else(|| refuse("", "current-context", "is missing: set it"))?;
    let context = entry(&root, "contexts", "context", current, "current-context")?;
    fields::allow(context, "context.", &[], fields::ALLOWED_CONTEXT)?;
    let named = |key| text(context, "context.", key)?.ok_or_else(|| refuse("context.", key, "is missing: name one"));
    let cluster = entry(&root, "clusters", "cluster", named("cluster")?, "context.cluster")?;
    let user = entry(&root, "users", "user", named("user")?, "context.user")?;
    fields::allow(cluster, "cluster.", fields::FORBIDDEN_CLUSTER, fields::ALLOWED_CLUSTER)?;
    fields::allow(user, "user.", fields::FORBIDDEN_USER, fields::ALLOWED_USER)?;
    Ok(Remote { server: server::read(text(cluster, "cluster.", "server")?)?, ca_pem: ca(cluster)?, auth: auth(user)? })
}

fn read(document: &[u8]) -> Result<Map<String, Value>, Refused> {
    if document.len() > MAX_BYTES {
        return Err(Refused::TooLarge(document.len()));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: 16, max_nodes: 4096, max_documents: 1 },
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    // Only the place is taken from the error: its text may quote the document.
    serde_saphyr::from_slice_with_options(document, options)
        .map_err(|error| Refused::NotYaml(error.location().map(|place| (place.line(), place.column()))))
}

fn ca(cluster: &Map<String, Value>) -> Result<Vec<u8>, Refused> {
    const FIELD: &str = "certificate-authority-data";
    let pem = data(cluster, "cluster.", FIELD)?.ok_or_else(|| {
        refuse("cluster.", FIELD, "is missing: without it the cluster cannot be told from an impostor")
    })?;
    if pem::is_certificates(&pem) { Ok(pem) } else { Err(refuse("cluster.", FIELD, pem::NOT_CERTIFICATES)) }
}

fn auth(user: &Map<String, Value>) -> Result<Auth, Refused> {
    const CERT: &str = "client-certificate-data";
    const KEY: &str = "client-key-data";
    let token = text(user, "user.", "token")?;
    match (token, data(user, "user.", CERT)?, data(user, "user.", KEY)?) {
        (Some(token), None, None) if token.chars().all(|c| c.is_ascii_graphic()) => {
            Ok(Auth::Token(Secret(token.to_owned())))
        }
        (Some(_), None, None) => {
            Err(refuse("user.", "token", "holds blanks, line ends or other characters no token has: paste it again"))
        }
        (None, Some(cert_pem), Some(key)) => {
            if !pem::is_certificates(&cert_pem) {
                return Err(refuse("user.", CERT, pem::NOT_CERTIFICATES));
            }
            let key_pem = pem::private_key(key).ok_or_else(|| refuse("user.", KEY, pem::NOT_A_KEY))?;
            Ok(Auth::ClientCert { cert_pem, key_pem: Secret(key_pem) })
        }
        (Some(_), ..) => Err(refuse("user.", "token", "stands beside a client certificate: keep one of them")),
        (None, Some(_), None) => Err(refuse("user.", KEY, "is missing: a client certificate needs its key")),
        (None, None, Some(_)) => Err(refuse("user.", CERT, "is missing: a client key needs its certificate")),
        (None, None, None) => {
            Err(refuse("user.", "token", "is missing: set it, or client-certificate-data and client-key-data"))
        }
    }
}

/// The one entry of a named list; `from` is the field that holds the name.
fn entry<'d>(
    root: &'d Map<String, Value>,
    list: &str,
    inner: &str,
    name: &str,
    from: &str,
) -> Result<&'d Map<String, Value>, Refused> {
    let entries = match root.get(list) {
        Some(Value::Array(entries)) => entries.as_slice(),
        None | Some(Value::Null) => &[],
        Some(_) => return Err(refuse("", list, "must be a list")),
    };
    let mut named = entries.iter().filter(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
    match (named.next(), named.next()) {
        (None, _) => {
            Err(refuse("", from, "names an entry that is not in the document: correct the name or add the entry"))
        }
        (Some(_), Some(_)) => Err(refuse("", list, "has two entries of the name in use: remove one")),
        (Some(entry), None) => {
            let content = entry.get(inner).and_then(Value::as_object);
            content.ok_or_else(|| refuse("", inner, "of the current context is empty or no mapping: fill it in"))
        }
    }
}

fn text<'d>(map: &'d Map<String, Value>, path: &str, key: &str) -> Result<Option<&'d str>, Refused> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(refuse(path, key, "must be text: put it in quotes")),
    }
}

fn data(map: &Map<String, Value>, path: &str, key: &str) -> Result<Option<Vec<u8>>, Refused> {
    let Some(text) = text(map, path, key)? else { return Ok(None) };
    // Block scalars and wrapped lines are usual.
    let packed: String = text.split_ascii_whitespace().collect();
    BASE64
        .decode(packed)
        .map(Some)
        .map_err(|_| refuse(path, key, "is not base64: encode the PEM text, as `base64 -w0` does"))
}

#[cfg(test)]
mod tests;
