//! Kubeconfigs as tools write them, which are used; and what has no influence on one.

use serde_json::{Value, json};

use crate::corpus::{But, CA, CERT, KEY, encode, good, identity};
use But::{At, Bytes, Cluster, Text, User, WholeUser};

/// As kubectl writes it, with something in the place of a value.
fn kubectl(ca: &str, server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: {server}\n  name: a\n\
         contexts:\n- context:\n    cluster: a\n    user: b\n  name: b@a\ncurrent-context: b@a\npreferences: {{}}\n\
         users:\n- name: b\n  user:\n    token: canary.def-_~+/=\n"
    )
}

fn folded(mark: &str) -> String {
    let authority = encode(CA);
    let lines: Vec<_> = authority.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    kubectl(&format!("{mark}\n      {}", lines.join("\n      ")), "https://east.example.com:6443")
}

fn at(server: &str) -> But {
    Cluster("server", json!(server))
}

fn padded(bytes: usize) -> But {
    let document = good().to_string();
    Text(format!("{document}{}", " ".repeat(bytes - document.len())))
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<(&'static str, But)> {
    let usual = kubectl(&encode(CA), "https://east.example.com:6443");
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "run"});
    let hostile = json!([
        {"name": "other", "user": {"exec": exec, "tokenFile": "token", "client-key": "client.key"}},
        {"name": "operator", "user": {"token": "canary"}},
    ]);
    vec![
        ("as JSON",                       Text(good().to_string())),
        ("as JSON for people",            Text(serde_json::to_string_pretty(&good()).expect("plain data"))),
        ("as kubectl writes it",          Text(usual.clone())),
        ("an authority in lines",         Text(folded("|"))),
        ("an authority in folded lines",  Text(folded(">-"))),
        ("ends of lines of Windows",      Text(usual.replace('\n', "\r\n"))),
        ("with a beginning and an end",   Text(format!("---\n{usual}...\n"))),
        ("with a version of YAML",        Text(format!("%YAML 1.2\n---\n{usual}"))),
        ("with comments",                 Text(format!("# canary\n{}", usual.replace("kind: Config", "kind: Config # exec: run")))),
        ("with quotes",                   Text(usual.replace("token: canary.def-_~+/=", "\"token\": 'canary.def-_~+/='"))),
        ("without a kind",                Text(usual.replace("apiVersion: v1\nkind: Config\n", ""))),
        ("with a mark at its beginning",  Bytes([b"\xef\xbb\xbf", usual.as_bytes()].concat())),
        ("as long as is read",            padded(64 * 1024)),
        ("an address of version 4",       at("https://10.0.0.1:6443")),
        ("an address of version 6",       at("https://[fd00::1]:6443")),
        ("this machine",                  at("https://localhost:6443")),
        ("a path, as Rancher has it",     at("https://rancher.example.com/k8s/clusters/c-m-1")),
        ("a slash at the end",            at("https://east.example.com:6443/")),
        ("no port",                       at("https://east.example.com")),
        ("a name of one part",            at("https://kubernetes")),
        ("a key with its parameters",     identity(CERT, KEY)),
        ("a key of PKCS#8",               identity(CERT, include_str!("pem/ec-pkcs8.key"))),
        ("a key of RSA, PKCS#1",          identity(include_str!("pem/rsa.crt"), include_str!("pem/rsa-pkcs1.key"))),
        ("a key of RSA, PKCS#8",          identity(include_str!("pem/rsa.crt"), include_str!("pem/rsa-pkcs8.key"))),
        ("a key of Edwards",              identity(include_str!("pem/ed25519.crt"), include_str!("pem/ed25519.key"))),
        ("a chain",                       identity(&format!("{CERT}{CA}"), KEY)),
        ("two authorities",               Cluster("certificate-authority-data", json!(encode(format!("{CA}{CERT}"))))),
        ("an authority with its text",    Cluster("certificate-authority-data", json!(encode(format!("Certificate:\n    Data:\n{CA}"))))),
        ("a token of a service account",  User("token", json!("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3OTg3NjE2MDB9.c2lnbmF0dXJl"))),
        ("a token of many characters",    User("token", json!("x".repeat(8_000)))),
        ("fields that are not in use",    WholeUser(json!({"token": "canary", "exec": {}, "auth-provider": null, "tokenFile": "", "client-certificate": "", "as": "", "as-groups": [], "username": ""}))),
        ("trust that is not lowered",     Cluster("insecure-skip-tls-verify", json!(false))),
        ("a proxy that is not in use",    Cluster("proxy-url", json!(""))),
        ("no compression",                Cluster("disable-compression", json!(true))),
        ("what tools keep for themselves", Cluster("extensions", json!([{"name": "cluster_info", "extension": {"exec": exec, "provider": "minikube"}}]))),
        ("colours",                       At("/preferences", json!({"colors": true}))),
        ("other users run programs",      At("/users", hostile)),
        ("other clusters are not trusted", At("/clusters", json!([good()["clusters"][0], {"name": "other", "cluster": {"server": "http://169.254.169.254", "insecure-skip-tls-verify": true, "proxy-url": "http://127.0.0.1:3128"}}]))),
        ("other contexts are nonsense",   At("/contexts", json!([good()["contexts"][0], 7, "text", null, {"name": 1}]))),
        ("two of a name that is not in use", At("/users", json!([good()["users"][0], {"name": "x", "user": {"exec": exec}}, {"name": "x"}]))),
        ("a namespace that is none",      At("/contexts/0/context/namespace", json!("../kube-system"))),
        ("nothing as extensions",         At("/extensions", Value::Null)),
    ]
}
