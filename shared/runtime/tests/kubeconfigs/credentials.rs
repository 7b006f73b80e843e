//! Tokens, certificates and keys that cannot be used.

use serde_json::{Value, json};

use crate::corpus::{But, CA, CERT, KEY, Row, encode, good, identity};
use But::{Text, User, WholeUser};

const NO_TOKEN: &str = "user.token: is missing: set it, or client-certificate-data and client-key-data";
const STRANGE: &str = "user.token: holds blanks, line ends or other characters no token has";
const TOKEN_TEXT: &str = "user.token: must be text";
const BESIDE: &str = "user.token: stands beside a client certificate: keep one of them";
const NO_KEY: &str = "user.client-key-data: is missing: a client certificate needs its key";
const NO_CERT: &str = "user.client-certificate-data: is missing: a client key needs its certificate";
const CERT_BASE64: &str = "user.client-certificate-data: is not base64";
const KEY_BASE64: &str = "user.client-key-data: is not base64";
const CERT_PEM: &str = "user.client-certificate-data: must hold PEM certificates";
const KEY_PEM: &str = "user.client-key-data: must hold one unencrypted PEM private key";
const UNKNOWN: &str = "is not a field the operator knows";
const PKCS8: &str = include_str!("pem/ec-pkcs8.key");
const RSA: &str = include_str!("pem/rsa-pkcs8.key");

fn token(text: &str) -> But {
    User("token", json!(text))
}

fn labelled(label: &str) -> But {
    identity(CERT, &PKCS8.replace("PRIVATE KEY", label))
}

fn block(label: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", encode(bytes))
}

fn data(cert: Value, key: Value) -> But {
    WholeUser(json!({"client-certificate-data": cert, "client-key-data": key}))
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    let other = include_str!("pem/ed25519.key");
    vec![
        ("none",                          WholeUser(json!({"extensions": [{"name": "x"}]})),              NO_TOKEN),
        ("no token",                      User("token", Value::Null),                                     NO_TOKEN),
        ("an empty token",                token(""),                                                      NO_TOKEN),
        ("a number",                      User("token", json!(12_345)),                                   TOKEN_TEXT),
        ("true",                          User("token", json!(true)),                                     TOKEN_TEXT),
        ("a list",                        User("token", json!(["canary"])),                               TOKEN_TEXT),
        ("a mapping",                     User("token", json!({"valueFrom": "canary"})),                  TOKEN_TEXT),
        ("a blank alone",                 token(" "),                                                     STRANGE),
        ("a line end after it",           token("canary\n"),                                              STRANGE),
        ("a blank before it",             token(" canary"),                                               STRANGE),
        ("a blank inside",                token("can ary"),                                               STRANGE),
        ("with its word",                 token("Bearer canary"),                                         STRANGE),
        ("a tab",                         token("can\tary"),                                              STRANGE),
        ("another header",                token("canary\r\nImpersonate-User: system:admin"),              STRANGE),
        ("a NUL",                         token("canary\u{0}"),                                           STRANGE),
        ("a command for a terminal",      token("canary\u{1b}[2J"),                                       STRANGE),
        ("the last of ASCII",             Text(good().to_string().replace("canary-token", "canary\\u007f")),  STRANGE),
        ("the last of ASCII as it is",    token("canary\u{7f}"),                                         "kubeconfig is not plain YAML (line 1, column "),
        ("a letter of another alphabet",  token("c\u{430}nary"),                                          STRANGE),
        ("a mark at its beginning",       token("\u{feff}canary"),                                        STRANGE),
        ("what is not seen",              token("canary\u{200b}"),                                        STRANGE),
        ("Token",                         WholeUser(json!({"Token": "canary"})),                          UNKNOWN),
        ("bearer-token",                  User("bearer-token", json!("canary")),                          UNKNOWN),
        ("id-token",                      User("id-token", json!("canary")),                              UNKNOWN),
        ("tokenRef",                      User("tokenRef", json!({"secret": "canary"})),                  UNKNOWN),
        ("a token beside a certificate",  WholeUser(json!({"token": "canary", "client-certificate-data": encode(CERT), "client-key-data": encode(KEY)})), BESIDE),
        ("a token beside a key",          User("client-key-data", json!(encode(KEY))),                    BESIDE),
        ("a certificate alone",           data(json!(encode(CERT)), Value::Null),                         NO_KEY),
        ("a certificate with an empty key", data(json!(encode(CERT)), json!("")),                         NO_KEY),
        ("a key alone",                   data(Value::Null, json!(encode(KEY))),                          NO_CERT),
        ("a certificate that is a number", data(json!(1), json!(encode(KEY))),                            "user.client-certificate-data: must be text"),
        ("a key that is a list",          data(json!(encode(CERT)), json!([encode(KEY)])),                "user.client-key-data: must be text"),
        ("a certificate as PEM",          data(json!(CERT), json!(encode(KEY))),                          CERT_BASE64),
        ("a key as PEM",                  data(json!(encode(CERT)), json!(KEY)),                          KEY_BASE64),
        ("a key cut short",               data(json!(encode(CERT)), json!(&encode(KEY)[..33])),           KEY_BASE64),
        ("a certificate twice in base64", data(json!(encode(encode(CERT))), json!(encode(KEY))),          CERT_PEM),
        ("a key twice in base64",         data(json!(encode(CERT)), json!(encode(encode(KEY)))),          KEY_PEM),
        ("each in the other's place",     identity(KEY, CERT),                                            CERT_PEM),
        ("a key as a certificate",        identity(KEY, KEY),                                             CERT_PEM),
        ("a certificate as a key",        identity(CERT, CERT),                                           KEY_PEM),
        ("a certificate with its key",    identity(&format!("{CERT}{KEY}"), KEY),                         CERT_PEM),
        ("a key with its certificate",    identity(CERT, &format!("{KEY}{CERT}")),                        KEY_PEM),
        ("two keys",                      identity(CERT, &format!("{KEY}{PKCS8}")),                       KEY_PEM),
        ("parameters alone",              identity(CERT, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), KEY_PEM),
        ("a key with a password",         identity(CERT, include_str!("pem/encrypted.key")),              KEY_PEM),
        ("a key with a password of old",  identity(CERT, &include_str!("pem/rsa-pkcs1.key").replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)), KEY_PEM),
        ("a key of SSH",                  labelled("OPENSSH PRIVATE KEY"),                                KEY_PEM),
        ("a key of DSA",                  labelled("DSA PRIVATE KEY"),                                    KEY_PEM),
        ("a public key",                  labelled("PUBLIC KEY"),                                         KEY_PEM),
        ("a key in small letters",        labelled("private key"),                                        KEY_PEM),
        ("a key without an end",          identity(CERT, &KEY.replace("-----END EC PRIVATE", "-----")),   KEY_PEM),
        ("a key that is no text",         data(json!(encode(CERT)), json!(encode([0xff, 0xfe, 0x00]))),   KEY_PEM),
        ("the key of another kind",       identity(CERT, RSA),                                            "user.client-key-data cannot be used"),
        ("the key of somebody else",      identity(include_str!("pem/ca.crt"), KEY),                      "user.client-key-data cannot be used"),
        ("a key of Edwards",              identity(CERT, other),                                          "user.client-key-data cannot be used"),
        ("a key that is none",            identity(CERT, &block("PRIVATE KEY", b"canary")),               "user.client-key-data cannot be used"),
        ("a key of the wrong form",       identity(CERT, &PKCS8.replace("PRIVATE", "RSA PRIVATE")),       "user.client-key-data cannot be used"),
        ("a certificate that is none",    identity(&block("CERTIFICATE", b"canary"), KEY),                "user.client-key-data cannot be used"),
        ("a chain with what is none",     identity(&format!("{CERT}{CA}{}", block("CERTIFICATE REQUEST", b"canary")), KEY), CERT_PEM),
    ]
}
