//! How the tables become kubeconfigs, and how one is judged as the product does it. No I/O.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::clusters::kubeconfig;
use runtime::client::{Deadlines, MayWrite, remote};
use serde_json::{Value, json};

use crate::{accepted, credentials, detours, documents, files, programs, servers, trust};

// Certificates and keys of nobody, made for this.
pub(crate) const CA: &str = include_str!("pem/ca.crt");
pub(crate) const CERT: &str = include_str!("pem/ec.crt");
pub(crate) const KEY: &str = include_str!("pem/ec-sec1.key");

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Kubeconfig {
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
    /// A part of the reason; `None` for one that is used.
    pub(crate) refused: Option<&'static str>,
}

/// What is different from a kubeconfig that is used.
#[derive(Clone, Debug)]
pub(crate) enum But {
    /// The value at a JSON pointer, whose parent is there.
    At(&'static str, Value),
    /// A field of the user in use.
    User(&'static str, Value),
    /// All that is said of the user in use.
    WholeUser(Value),
    /// A field of the cluster in use.
    Cluster(&'static str, Value),
    /// Everything.
    Text(String),
    /// Everything, and it is no text.
    Bytes(Vec<u8>),
}

/// A line of a table: name, difference, part of the reason.
pub(crate) type Row = (&'static str, But, &'static str);

/// All of them. `@dir@` in them is the folder that a process which judges them stands in.
pub(crate) fn all() -> Vec<Kubeconfig> {
    let refused = [
        ("T1", programs::rows()),
        ("T2", files::rows()),
        ("T3", trust::rows()),
        ("T4", detours::rows()),
        ("T5", servers::rows()),
        ("T1 to T4, the document", documents::rows()),
        ("T1 to T4, the credentials", credentials::rows()),
    ];
    let refused = refused.into_iter().flat_map(|(of, rows)| {
        rows.into_iter().map(move |(name, but, why)| Kubeconfig {
            name: format!("{of}: {name}"),
            text: but.text(),
            refused: Some(why),
        })
    });
    let accepted = accepted::rows().into_iter().map(|(name, but)| Kubeconfig {
        name: format!("used: {name}"),
        text: but.text(),
        refused: None,
    });
    refused.chain(accepted).collect()
}

/// What must not be found in a refusal.
pub(crate) fn secrets() -> Vec<String> {
    let inner =
        |pem: &str| pem.lines().filter(|line| line.len() > 32 && !line.starts_with('-')).map(str::to_owned).collect();
    let keys =
        [KEY, include_str!("pem/ec-pkcs8.key"), include_str!("pem/rsa-pkcs1.key"), include_str!("pem/ed25519.key")];
    let bodies = keys.iter().flat_map(|key| -> Vec<String> { inner(key) });
    let encoded = keys.iter().map(|key| encode(key)[..64].to_owned());
    bodies.chain(encoded).chain(["canary".to_owned(), encode("canary")[..6].to_owned()]).collect()
}

/// As the registry does it: read, then made into a client, which sends nothing yet. The reason is what the status shows.
pub(crate) fn judged(text: &[u8]) -> Result<(), String> {
    let accepted = kubeconfig::parse(text).map_err(|refused| refused.to_string())?;
    remote(&accepted, Deadlines::default(), MayWrite::default()).map(drop).map_err(|refused| refused.to_string())
}

pub(crate) fn encode(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

/// A kubeconfig that is used.
pub(crate) fn good() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "east", "user": "operator", "namespace": "x"}}],
        "clusters": [{"name": "east", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": encode(CA)}}],
        "users": [{"name": "operator", "user": {"token": "canary-token"}}],
    })
}

/// A user with this certificate and key.
pub(crate) fn identity(cert: &str, key: &str) -> But {
    But::WholeUser(json!({"client-certificate-data": encode(cert), "client-key-data": encode(key)}))
}

impl But {
    /// The whole text.
    pub(crate) fn text(self) -> Vec<u8> {
        let (pointer, value) = match self {
            But::Bytes(bytes) => return bytes,
            But::Text(text) => return text.into_bytes(),
            But::At(pointer, value) => (pointer.to_owned(), value),
            But::User(field, value) => (format!("/users/0/user/{field}"), value),
            But::WholeUser(value) => ("/users/0/user".to_owned(), value),
            But::Cluster(field, value) => (format!("/clusters/0/cluster/{field}"), value),
        };
        let mut document = good();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = document.pointer_mut(parent).and_then(Value::as_object_mut).expect("a parent");
        parent.insert(key.to_owned(), value);
        document.to_string().into_bytes()
    }
}
