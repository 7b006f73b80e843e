//! What would let somebody pose as the cluster.

use serde_json::{Value, json};

use crate::corpus::{But, CA, KEY, Row, encode};
use But::{At, Cluster};

const INSECURE: &str = "cluster.insecure-skip-tls-verify: would let anyone pose as the cluster";
const NAME: &str = "cluster.tls-server-name: is not supported: use a server address that its certificate names";
const MISSING: &str =
    "cluster.certificate-authority-data: is missing: without it the cluster cannot be told from an impostor";
const PEM: &str = "cluster.certificate-authority-data: must hold PEM certificates";
const BASE64: &str = "cluster.certificate-authority-data: is not base64";
const TEXT: &str = "cluster.certificate-authority-data: must be text";
const UNUSABLE: &str = "cluster.certificate-authority-data cannot be used";
const UNKNOWN: &str = "is not a field the operator knows";

fn authority(pem: &str) -> But {
    Cluster("certificate-authority-data", json!(encode(pem)))
}

fn labelled(label: &str) -> But {
    authority(&CA.replace("CERTIFICATE", label))
}

fn url_safe() -> String {
    // Bytes whose usual base64 has a plus and a slash.
    encode([0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff]).replace('+', "-").replace('/', "_")
}

fn der() -> Vec<u8> {
    use base64::Engine;
    let body: String = CA.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("base64")
}

fn block(bytes: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", encode(bytes))
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    vec![
        ("any certificate",               Cluster("insecure-skip-tls-verify", json!(true)),                       INSECURE),
        ("any certificate, as text",      Cluster("insecure-skip-tls-verify", json!("true")),                     INSECURE),
        ("any certificate, as a word",    Cluster("insecure-skip-tls-verify", json!("yes")),                      INSECURE),
        ("any certificate, as false text", Cluster("insecure-skip-tls-verify", json!("false")),                   INSECURE),
        ("any certificate, as a number",  Cluster("insecure-skip-tls-verify", json!(1)),                          INSECURE),
        ("any certificate, and no authority", At("/clusters/0/cluster", json!({"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": true})), INSECURE),
        ("insecure",                      Cluster("insecure", json!(true)),                                       UNKNOWN),
        ("insecureSkipTLSVerify",         Cluster("insecureSkipTLSVerify", json!(true)),                          UNKNOWN),
        ("insecure-skip-tls-verify of the document", At("/insecure-skip-tls-verify", json!(true)),                UNKNOWN),
        ("another name",                  Cluster("tls-server-name", json!("kubernetes.default.svc")),            NAME),
        ("another name, as a number",     Cluster("tls-server-name", json!(1)),                                   NAME),
        ("no authority",                  Cluster("certificate-authority-data", Value::Null),                     MISSING),
        ("an empty authority",            Cluster("certificate-authority-data", json!("")),                       MISSING),
        ("an authority of the system alone", At("/clusters/0/cluster", json!({"server": "https://127.0.0.1:1"})), MISSING),
        ("an authority as a number",      Cluster("certificate-authority-data", json!(7)),                        TEXT),
        ("an authority as a list",        Cluster("certificate-authority-data", json!([encode(CA)])),             TEXT),
        ("an authority as true",          Cluster("certificate-authority-data", json!(true)),                     TEXT),
        ("PEM as it is",                  Cluster("certificate-authority-data", json!(CA)),                       BASE64),
        ("base64 for URLs",               Cluster("certificate-authority-data", json!(url_safe())),               BASE64),
        ("base64 cut short",              Cluster("certificate-authority-data", json!(encode(CA)[..101])),        BASE64),
        ("base64 with a NUL",             Cluster("certificate-authority-data", json!(format!("{}\u{0}", encode(CA)))), BASE64),
        ("hexadecimal",                   Cluster("certificate-authority-data", json!("2d2d2d2d2d4")),            BASE64),
        ("base64 twice",                  Cluster("certificate-authority-data", json!(encode(encode(CA)))),       PEM),
        ("blanks alone",                  Cluster("certificate-authority-data", json!("  \n ")),                  PEM),
        ("DER",                           Cluster("certificate-authority-data", json!(encode(der()))),            PEM),
        ("a key",                         authority(KEY),                                                         PEM),
        ("a certificate and a key",       authority(&format!("{CA}{KEY}")),                                       PEM),
        ("a request",                     labelled("CERTIFICATE REQUEST"),                                        PEM),
        ("a list of revoked ones",        labelled("X509 CRL"),                                                   PEM),
        ("a public key",                  labelled("PUBLIC KEY"),                                                 PEM),
        ("a certificate with trust",      labelled("TRUSTED CERTIFICATE"),                                        PEM),
        ("small letters",                 labelled("certificate"),                                                PEM),
        ("text alone",                    authority("canary"),                                                    PEM),
        ("without an end",                authority(&CA.replace("-----END", "-----")),                            PEM),
        ("with another end",              authority(&CA.replace("END CERTIFICATE", "END PRIVATE KEY")),           PEM),
        ("nothing inside",                authority("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),  PEM),
        ("no base64 inside",              authority("-----BEGIN CERTIFICATE-----\n!canary!\n-----END CERTIFICATE-----\n"), PEM),
        ("one that is not closed after one that is", authority(&format!("{CA}-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n")), PEM),
        ("in 16 bits",                    Cluster("certificate-authority-data", json!(encode(CA.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>()))), PEM),
        ("no X.509 inside",               authority(&block(b"canary")),                                           UNUSABLE),
        ("X.509 cut short",               authority(&block(&der()[..120])),                                       UNUSABLE),
        ("X.509 beside what is none",     authority(&format!("{CA}{}", block(b"canary"))),                        UNUSABLE),
        ("certificateAuthorityData",      Cluster("certificateAuthorityData", json!(encode(CA))),                 UNKNOWN),
    ]
}
