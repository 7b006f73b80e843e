//! Which fields a kubeconfig may hold, and why others may not be there. Pure.

use serde_json::{Map, Value};

use super::refused::{Refused, refuse};

const EXEC: &str =
    "runs a program inside the operator, so it is refused: put a token or a client certificate in the Secret instead";
const FILE: &str =
    "names a file of the operator's pod, so it is refused: put the content inline, in the field ending in -data";
const TOKEN_FILE: &str = "names a file of the operator's pod, so it is refused: put the token itself in user.token";
const INSECURE: &str = "would let anyone pose as the cluster, so it is refused: set certificate-authority-data";
const SERVER_NAME: &str = "is not supported: use a server address that its certificate names";
const PROXY: &str = "is not supported: the operator connects directly";
const IMPERSONATE: &str = "is not supported: give the operator credentials of its own";
const BASIC: &str = "Kubernetes has no password authentication any more: use a token or a client certificate";
const UNKNOWN: &str = "is not a field the operator knows, and it refuses what it does not know: remove it";

/// Fields that change whom we trust, who we are, or what runs. Checked before anything else, so that the answer names them.
pub(super) const FORBIDDEN_CLUSTER: &[(&str, &str)] = &[
    ("certificate-authority", FILE),
    ("insecure-skip-tls-verify", INSECURE),
    ("tls-server-name", SERVER_NAME),
    ("proxy-url", PROXY),
];
/// As [`FORBIDDEN_CLUSTER`], of the user.
pub(super) const FORBIDDEN_USER: &[(&str, &str)] = &[
    ("exec", EXEC),
    ("auth-provider", EXEC),
    ("tokenFile", TOKEN_FILE),
    ("client-certificate", FILE),
    ("client-key", FILE),
    ("as", IMPERSONATE),
    ("as-uid", IMPERSONATE),
    ("as-groups", IMPERSONATE),
    ("as-user-extra", IMPERSONATE),
    ("username", BASIC),
    ("password", BASIC),
];
/// Fields of the document.
pub(super) const ALLOWED: &[&str] =
    &["apiVersion", "kind", "preferences", "extensions", "clusters", "users", "contexts", "current-context"];
/// Fields of the context.
pub(super) const ALLOWED_CONTEXT: &[&str] = &["cluster", "user", "namespace", "extensions"];
/// Fields of the cluster.
pub(super) const ALLOWED_CLUSTER: &[&str] =
    &["server", "certificate-authority-data", "disable-compression", "extensions"];
/// Fields of the user.
pub(super) const ALLOWED_USER: &[&str] = &["token", "client-certificate-data", "client-key-data", "extensions"];

/// Only allowed fields are set; those of the first list are named first, each with its reason.
pub(super) fn allow(
    map: &Map<String, Value>,
    path: &str,
    forbidden: &[(&str, &'static str)],
    allowed: &[&str],
) -> Result<(), Refused> {
    for (field, why) in forbidden {
        if map.get(*field).is_some_and(is_set) {
            return Err(refuse(path, field, why));
        }
    }
    let known = |key: &str| allowed.contains(&key) || forbidden.iter().any(|(field, _)| *field == key);
    match map.iter().find(|(key, value)| is_set(value) && !known(key)) {
        Some((key, _)) => Err(refuse(path, key, UNKNOWN)),
        None => Ok(()),
    }
}

/// Tools write out fields that are not in use: `false`, `""` and the like change nothing.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
