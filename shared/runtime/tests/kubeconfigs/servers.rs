//! Addresses that are none of a cluster.

use serde_json::{Value, json};

use crate::corpus::{But, Row};
use But::Cluster;

const PLAIN: &str = "cluster.server: must begin with https://, because anything else sends credentials in the clear";
const USER: &str = "cluster.server: must not hold a user or password";
const FORM: &str = "cluster.server: must be an address like https://east.example.com:6443";
const OWN: &str = "cluster.server: leads to the operator's own node or its cloud's metadata service";
const MISSING: &str = "cluster.server: is missing";
const TEXT: &str = "cluster.server: must be text";

fn at(url: &str) -> But {
    Cluster("server", json!(url))
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    vec![
        ("no server",                     Cluster("server", Value::Null),                   MISSING),
        ("an empty server",               at(""),                                           MISSING),
        ("a number",                      Cluster("server", json!(6443)),                   TEXT),
        ("a list",                        Cluster("server", json!(["https://127.0.0.1:1"])), TEXT),
        ("in the clear",                  at("http://127.0.0.1:8080"),                      PLAIN),
        ("in large letters",              at("HTTPS://127.0.0.1:1"),                        PLAIN),
        ("after a blank",                 at(" https://127.0.0.1:1"),                       PLAIN),
        ("no scheme",                     at("127.0.0.1:6443"),                             PLAIN),
        ("no scheme and two slashes",     at("//127.0.0.1:6443"),                           PLAIN),
        ("one slash",                     at("https:/127.0.0.1:6443"),                      PLAIN),
        ("a socket",                      at("unix:///var/run/docker.sock"),                PLAIN),
        ("a socket by HTTP",              at("http+unix://%2Fvar%2Frun%2Fdocker.sock"),     PLAIN),
        ("a socket with https in front",  at("https+unix:///var/run/docker.sock"),          PLAIN),
        ("a pipe",                        at("npipe:////./pipe/docker_engine"),             PLAIN),
        ("a file",                        at("file:///etc/passwd"),                         PLAIN),
        ("a web socket",                  at("wss://127.0.0.1:6443"),                       PLAIN),
        ("a script",                      at("javascript:alert(1)//https://"),              PLAIN),
        ("a user",                        at("https://canary@127.0.0.1:6443"),              USER),
        ("a user and a password",         at("https://user:canary@127.0.0.1:6443"),         USER),
        ("a user that looks like a host", at("https://east.example.com:443@127.0.0.1"),     USER),
        ("no host",                       at("https://"),                                   FORM),
        ("a port alone",                  at("https://:6443"),                              FORM),
        ("port 0",                        at("https://east:0"),                             FORM),
        ("port 65536",                    at("https://east:65536"),                         FORM),
        ("a port below 0",                at("https://east:-1"),                            FORM),
        ("a port by name",                at("https://east:https"),                         FORM),
        ("a query",                       at("https://east/?a=b"),                          FORM),
        ("a query without a path",        at("https://east?a=b"),                           FORM),
        ("a fragment",                    at("https://east/#canary"),                       FORM),
        ("an end of a line",              at("https://east\r\nx-canary: 1"),                FORM),
        ("an end of text",                at("https://east\u{0}.example.com"),              FORM),
        ("a tab",                         at("https://east\t.example.com"),                 FORM),
        ("a command for a terminal",      at("https://east\u{1b}[2J"),                      FORM),
        ("a blank inside",                at("https://east example.com"),                   FORM),
        ("a backslash",                   at("https://east\\@127.0.0.1"),                   USER),
        ("a backslash in the path",       at("https://east/\\canary"),                      FORM),
        ("percent in the host",           at("https://%31%32%37.0.0.1"),                    FORM),
        ("percent in the path",           at("https://east/%2e%2e/"),                       FORM),
        ("another alphabet",              at("https://\u{435}ast.example.com"),             FORM),
        ("a host that turns around",      at("https://\u{202e}tsae.example.com"),           FORM),
        ("an underline",                  at("https://east_1.example.com"),                 FORM),
        ("a variable",                    at("https://$HOST:6443"),                         FORM),
        ("a star",                        at("https://*.example.com"),                      FORM),
        ("version 6 that is not closed",  at("https://[::1"),                               FORM),
        ("version 6 of nonsense",         at("https://[canary]:6443"),                      FORM),
        ("version 6 without brackets",    at("https://fd00::1:6443"),                       FORM),
        ("version 6 with a zone",         at("https://[fe80::1%25eth0]:6443"),              FORM),
        ("an address as a number",        at("https://2130706433:6443"),                    FORM),
        ("an address in two parts",       at("https://127.1"),                              FORM),
        ("an address that ends in octal", at("https://127.0.0.01"),                         FORM),
        ("credentials of a cloud",        at("https://169.254.169.254"),                    OWN),
        ("credentials with a path",       at("https://169.254.169.254/latest/meta-data/"),  OWN),
        ("credentials of a task",         at("https://169.254.170.2:443"),                  OWN),
        ("credentials of another cloud",  at("https://100.100.100.200"),                    OWN),
        ("credentials of a third",        at("https://168.63.129.16"),                      OWN),
        ("credentials by version 6",      at("https://[fd00:ec2::254]"),                    OWN),
        ("version 4 inside of 6",         at("https://[::ffff:169.254.169.254]"),           OWN),
        ("version 4 behind a translator", at("https://[64:ff9b::a9fe:a9fe]"),               OWN),
        ("our own link",                  at("https://[fe80::1]:6443"),                     OWN),
        ("any address",                   at("https://0.0.0.0:6443"),                       OWN),
        ("any address of version 6",      at("https://[::]:6443"),                          OWN),
        ("everybody",                     at("https://255.255.255.255"),                    OWN),
        ("a group",                       at("https://224.0.0.1:6443"),                     OWN),
        ("credentials by name",           at("https://metadata.google.internal"),           OWN),
        ("the same with a dot",           at("https://metadata.google.internal.:443"),      OWN),
        ("the same in large letters",     at("https://METADATA.google.INTERNAL"),           OWN),
        ("a short name",                  at("https://metadata"),                           OWN),
        ("the name of another cloud",     at("https://instance-data"),                      OWN),
    ]
}
