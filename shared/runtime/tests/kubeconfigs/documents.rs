//! Texts that are no kubeconfig, or no plain one.

use serde_json::json;

use crate::corpus::{But, Row, encode, good};
use But::{At, Bytes, Text};

const YAML: &str = "kubeconfig is not plain YAML (line ";
const NO_DOCUMENT: &str = "kubeconfig is not one YAML document";
const UNKNOWN: &str = "is not a field the operator knows";
const CONTEXT: &str = "current-context: is missing: set it";
const LARGE: &str = "at most 65536 are read: keep only the one context";

fn text(text: &str) -> But {
    Text(text.to_owned())
}

/// The usual one with these lines before it.
fn after(lines: &str) -> But {
    let user = "users: [{name: operator, user: {token: canary}}]\n";
    Text(format!(
        "{lines}\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: east, user: operator}}}}]\n{user}"
    ))
}

fn bomb() -> String {
    let next = |at: usize| format!("l{at}: &l{at} [{}]\n", vec![format!("*l{}", at - 1); 9].join(","));
    format!("l0: &l0 [canary]\n{}", (1..9).map(next).collect::<String>())
}

fn padded(bytes: usize) -> But {
    let document = good().to_string();
    Text(format!("{document}{}", " ".repeat(bytes - document.len())))
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn sixteen(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    let good = good().to_string();
    vec![
        ("a bomb of aliases",             Text(bomb()),                                                    YAML),
        ("an anchor",                     after("x: &x canary"),                                           YAML),
        ("an alias",                      after("x: *x"),                                                  YAML),
        ("an alias of itself",            after("x: &x [*x]"),                                             YAML),
        ("a merge",                       after("users: [{<<: {name: operator}}]"),                        YAML),
        ("a merge of an anchor",          after("x: &x {token: canary}\ny:\n  <<: *x"),                    YAML),
        ("the same key twice",            after("kind: Config\nkind: canary"),                             YAML),
        ("the same key in quotes",        after("kind: Config\n\"kind\": canary"),                         YAML),
        ("the same key in a flow",        after("preferences: {a: canary, a: 2}"),                         YAML),
        ("the same key, escaped",         after("kind: Config\n\"\\x6bind\": canary"),                     YAML),
        ("two tokens",                    text("users:\n- name: a\n  user:\n    token: canary\n    token: other\n"), YAML),
        ("two documents",                 Text(format!("{good}\n---\n{good}\n")),                          YAML),
        ("a document after the end",      Text(format!("{good}\n...\nx: canary\n")),                       YAML),
        ("an empty document before it",   Text(format!("---\n---\n{good}\n")),                             YAML),
        ("deep lists",                    Text(format!("x: {}{}", "[".repeat(200), "]".repeat(200))),      YAML),
        ("deep mappings",                 Text(format!("x: {}1{}", "{a: ".repeat(200), "}".repeat(200))),  YAML),
        ("deep by lines",                 Text(lines(100, |at| format!("{}a:", " ".repeat(at)))), YAML),
        ("many values",                   Text(format!("x: [{}]", "1,".repeat(20_000))),                   YAML),
        ("many keys",                     Text(lines(6_000, |at| format!("k{at}: 1"))),      YAML),
        ("a tab before a key",            text("users:\n\t- name: canary\n"),                              YAML),
        ("a list that is not closed",     text("users: [canary"),                                          YAML),
        ("a mapping that is not closed",  text("users: {name: canary"),                                    YAML),
        ("a quote that is not closed",    text("token: \"canary"),                                         YAML),
        ("JSON cut short",                Text(good[..good.len() / 2].to_owned()),                         YAML),
        ("an escape that is none",        text("token: \"\\qcanary\""),                                    YAML),
        ("lines that do not fit",         text("a: 1\n  b: canary\n"),                                     YAML),
        ("a template",                    text("current-context: {{ .Values.canary }}\n"),                 YAML),
        ("a value alone",                 text("canary"),                                                  YAML),
        ("a number alone",                text("12345"),                                                   YAML),
        ("a list alone",                  text("- canary\n- other\n"),                                     YAML),
        ("a kubeconfig in base64",        Text(encode(&good)),                                             YAML),
        ("a kubeconfig in a list",        Text(format!("[{good}]")),                                       YAML),
        ("a kubeconfig as text",          Text(json!(good).to_string()),                                   YAML),
        ("a private key alone",           text("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"), YAML),
        ("a web page",                    text("<html><body>canary</body></html>\n"),                      YAML),
        ("a script",                      text("#!/bin/sh\ntouch executed canary\n"),                      YAML),
        ("nothing",                       text(""),                                                        CONTEXT),
        ("blanks",                        text(" \n\n  \n"),                                               CONTEXT),
        ("a comment",                     text("# canary\n"),                                              CONTEXT),
        ("a document of nothing",         text("---\n"),                                                   YAML),
        ("null",                          text("null\n"),                                                  YAML),
        ("an empty mapping",              text("{}\n"),                                                    CONTEXT),
        ("zeros",                         Bytes(vec![0; 64]),                                              YAML),
        ("bytes that are no text",        Bytes(vec![0xff, 0xfe, 0x00]),                                   NO_DOCUMENT),
        ("compressed",                    Bytes(vec![0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3]),              NO_DOCUMENT),
        ("a program",                     Bytes(b"\x7fELF\x02\x01\x01\0\xb7canary".to_vec()),              NO_DOCUMENT),
        ("another encoding",              Bytes(b"token: can\xe4ry\n".to_vec()),                           NO_DOCUMENT),
        ("16 bits, the small end first",  Bytes([vec![0xff, 0xfe], sixteen(&good, u16::to_le_bytes)].concat()), NO_DOCUMENT),
        ("16 bits, the large end first",  Bytes([vec![0xfe, 0xff], sixteen(&good, u16::to_be_bytes)].concat()), NO_DOCUMENT),
        ("16 bits without a mark",        Bytes(sixteen("a: canary\n", u16::to_le_bytes)),                 YAML),
        ("a NUL in a value",              text("current-context: c\u{0}anary\n"),                          YAML),
        ("a bell in a value",             text("current-context: c\u{7}anary\n"),                          YAML),
        ("a byte more than is read",      padded(64 * 1024 + 1),                                           LARGE),
        ("a mebibyte and a byte",         padded((1 << 20) + 1),                                           LARGE),
        ("a mebibyte of a bomb",          Text(bomb().repeat(1 << 12)),                                    LARGE),
        ("a Secret",                      Text(json!({"apiVersion": "v1", "kind": "Secret", "data": {"kubeconfig": encode(&good)}}).to_string()), "data: is not a field"),
        ("settings of another program",   text("server: https://127.0.0.1:1\ntoken: canary\n"),            UNKNOWN),
        ("a field of no kubeconfig",      At("/extra", json!("canary")),                                   UNKNOWN),
        ("a field that commands a terminal", At("/a\u{1b}[2J", json!(1)),                                  UNKNOWN),
        ("a field that turns around",     At("/a\u{202e}b", json!(1)),                                     UNKNOWN),
        ("a field with an end of a line", At("/a\nb", json!(1)),                                           UNKNOWN),
        ("a field without a name",        At("/", json!(1)),                                               UNKNOWN),
        ("a field with a long name",      Text(good.replacen('{', &format!("{{\"{}\": 1,", "x".repeat(1_000)), 1)), UNKNOWN),
        ("a field with a long strange name", Text(good.replacen('{', &format!("{{\"{}\": 1,", "\u{10ffff}".repeat(1_000)), 1)), UNKNOWN),
        ("a field with a longer name",    Text(good.replacen('{', &format!("{{\"{}\": 1,", "x".repeat(9_000)), 1)), YAML),
        ("a field of the context",        At("/contexts/0/context/server", json!("https://127.0.0.1:1")),  UNKNOWN),
        ("a field of the cluster",        At("/clusters/0/cluster/api-version", json!("v1")),              UNKNOWN),
        ("a file by a tag",               text("current-context: !include token\n"),                       "current-context"),
        ("an object by a tag",            text("current-context: !!python/object/apply:os.system [touch executed]\n"), "current-context"),
    ]
}
