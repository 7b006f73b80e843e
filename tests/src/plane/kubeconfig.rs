//! Kubeconfigs with everything inline: the operator refuses paths and commands in those it is given. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::Result;

/// For a user known by a client certificate.
pub(super) fn with_certificate(
    cluster: &str,
    url: &str,
    authority: &str,
    user: &str,
    certificate: &str,
    key: &str,
) -> Result<String> {
    let proof = json!({
        "client-certificate-data": STANDARD.encode(certificate),
        "client-key-data": STANDARD.encode(key),
    });
    kubeconfig(cluster, url, authority, user, &proof)
}

/// For a user known by a bearer token.
pub(super) fn with_token(cluster: &str, url: &str, authority: &str, user: &str, token: &str) -> Result<String> {
    kubeconfig(cluster, url, authority, user, &json!({ "token": token }))
}

fn kubeconfig(cluster: &str, url: &str, authority: &str, user: &str, proof: &Value) -> Result<String> {
    let authority = STANDARD.encode(authority);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": cluster, "cluster": { "server": url, "certificate-authority-data": authority } }],
        "users": [{ "name": user, "user": proof }],
        "contexts": [{ "name": cluster, "context": { "cluster": cluster, "user": user } }],
        "current-context": cluster,
    });
    serde_saphyr::to_string(&config)
        .map_err(|error| crate::error::Error::Absent { what: format!("YAML for this kubeconfig: {error}") })
}
