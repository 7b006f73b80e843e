//! Files of ours that whoever may write the Secret would have us read and send.

use serde_json::{Value, json};

use crate::corpus::{But, CERT, KEY, Row, encode};
use But::{At, Cluster, User, WholeUser};

const TOKEN: &str = "user.tokenFile: names a file of the operator's pod";
const CERTIFICATE: &str = "user.client-certificate: names a file of the operator's pod";
const PRIVATE: &str = "user.client-key: names a file of the operator's pod";
const AUTHORITY: &str = "cluster.certificate-authority: names a file of the operator's pod";
const UNKNOWN: &str = "is not a field the operator knows";
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

fn token_file(path: &str) -> But {
    WholeUser(json!({"tokenFile": path}))
}

fn identity(user: Value) -> But {
    WholeUser(user)
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    vec![
        ("the token of the pod",          token_file(ACCOUNT),                                                      TOKEN),
        ("a token beside us",             token_file("token"),                                                      TOKEN),
        ("a token by a detour",           token_file("./x/../token"),                                               TOKEN),
        ("a token at home",               token_file("~/token"),                                                    TOKEN),
        ("a token from a variable",       token_file("$HOME/token"),                                                TOKEN),
        ("a token by URL",                token_file("file:///proc/self/environ"),                                  TOKEN),
        ("our environment",               token_file("/proc/self/environ"),                                         TOKEN),
        ("our memory",                    token_file("/proc/self/mem"),                                             TOKEN),
        ("a file without end",            token_file("/dev/zero"),                                                  TOKEN),
        ("our input",                     token_file("/dev/stdin"),                                                 TOKEN),
        ("a folder",                      token_file("."),                                                          TOKEN),
        ("a path with an end inside",     token_file("token\u{0}.txt"),                                             TOKEN),
        ("a token beside one",            User("tokenFile", json!("token")),                                        TOKEN),
        ("a token from a list",           User("tokenFile", json!(["token"])),                                      TOKEN),
        ("a token from a number",         User("tokenFile", json!(0)),                                              TOKEN),
        ("a token from true",             User("tokenFile", json!(true)),                                           TOKEN),
        ("token-file",                    User("token-file", json!("token")),                                       UNKNOWN),
        ("tokenfile",                     User("tokenfile", json!("token")),                                        UNKNOWN),
        ("tokenFile of the cluster",      Cluster("tokenFile", json!("token")),                                     UNKNOWN),
        ("tokenFile of the context",      At("/contexts/0/context/tokenFile", json!("token")),                      UNKNOWN),
        ("certificate and key",           identity(json!({"client-certificate": "client.crt", "client-key": "client.key"})), CERTIFICATE),
        ("a certificate",                 identity(json!({"client-certificate": "client.crt", "client-key-data": encode(KEY)})), CERTIFICATE),
        ("a certificate beside a token",  User("client-certificate", json!("client.crt")),                          CERTIFICATE),
        ("a key",                         identity(json!({"client-certificate-data": encode(CERT), "client-key": "client.key"})), PRIVATE),
        ("a key beside one",              identity(json!({"client-certificate-data": encode(CERT), "client-key-data": encode(KEY), "client-key": "client.key"})), PRIVATE),
        ("a key beside a token",          User("client-key", json!("client.key")),                                  PRIVATE),
        ("a key of the node",             User("client-key", json!("/etc/kubernetes/pki/ca.key")),                  PRIVATE),
        ("a key in a module",             User("client-key", json!("pkcs11:token=canary")),                         PRIVATE),
        ("an authority",                  Cluster("certificate-authority", json!("ca.crt")),                        AUTHORITY),
        ("an authority of the system",    Cluster("certificate-authority", json!("/etc/ssl/certs/ca-certificates.crt")), AUTHORITY),
        ("an authority by URL",           Cluster("certificate-authority", json!("https://169.254.169.254/ca")),    AUTHORITY),
        ("an authority, and no other",    At("/clusters/0/cluster", json!({"server": "https://127.0.0.1:1", "certificate-authority": "ca.crt"})), AUTHORITY),
        ("an authority as a list",        Cluster("certificate-authority", json!(["ca.crt"])),                      AUTHORITY),
        ("certificate-authority-file",    Cluster("certificate-authority-file", json!("ca.crt")),                   UNKNOWN),
        ("clientKey",                     User("clientKey", json!("client.key")),                                   UNKNOWN),
        ("another kubeconfig",            At("/include", json!("kubeconfig")),                                      UNKNOWN),
    ]
}
