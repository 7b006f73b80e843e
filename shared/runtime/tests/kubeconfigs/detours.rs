//! Proxies, other identities, passwords, and names that lead nowhere.

use serde_json::{Value, json};

use crate::corpus::{But, Row};
use But::{At, Cluster, User, WholeUser};

const PROXY: &str = "cluster.proxy-url: is not supported: the operator connects directly";
const AS: &str = "is not supported: give the operator credentials of its own";
const PASSWORD: &str = "Kubernetes has no password authentication any more";
const UNKNOWN: &str = "is not a field the operator knows";
const NOWHERE: &str = "names an entry that is not in the document";

fn proxy(url: &str) -> But {
    Cluster("proxy-url", json!(url))
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    vec![
        ("a proxy",                       proxy("http://127.0.0.1:3128"),                                         PROXY),
        ("a proxy over TLS",              proxy("https://proxy.example.com"),                                     PROXY),
        ("a proxy by SOCKS",              proxy("socks5://127.0.0.1:1080"),                                       PROXY),
        ("a proxy that resolves names",   proxy("socks5h://127.0.0.1:1080"),                                      PROXY),
        ("a proxy with a password",       proxy("http://user:canary@127.0.0.1:3128"),                             PROXY),
        ("a proxy of no known kind",      proxy("gopher://127.0.0.1"),                                            PROXY),
        ("a proxy that is a file",        proxy("file:///run/proxy.sock"),                                        PROXY),
        ("a proxy that is a socket",      proxy("unix:///run/proxy.sock"),                                        PROXY),
        ("a proxy that is no URL",        proxy("direct"),                                                        PROXY),
        ("a blank as a proxy",            proxy(" "),                                                             PROXY),
        ("a number as a proxy",           Cluster("proxy-url", json!(3128)),                                      PROXY),
        ("a list of proxies",             Cluster("proxy-url", json!(["http://127.0.0.1:3128"])),                 PROXY),
        ("proxyURL",                      Cluster("proxyURL", json!("http://127.0.0.1:3128")),                    UNKNOWN),
        ("proxy-url of the user",         User("proxy-url", json!("http://127.0.0.1:3128")),                      UNKNOWN),
        ("proxy-url of the document",     At("/proxy-url", json!("http://127.0.0.1:3128")),                       UNKNOWN),
        ("another user",                  User("as", json!("system:admin")),                                      AS),
        ("another user, as a list",       User("as", json!(["system:admin"])),                                    AS),
        ("another user by UID",           User("as-uid", json!("canary")),                                        AS),
        ("other groups",                  User("as-groups", json!(["system:masters"])),                           AS),
        ("other groups, as text",         User("as-groups", json!("system:masters")),                             AS),
        ("more of another user",          User("as-user-extra", json!({"scopes": ["canary"]})),                   AS),
        ("another user, and nothing else", WholeUser(json!({"as": "system:admin"})),                              AS),
        ("impersonate",                   User("impersonate", json!("system:admin")),                             UNKNOWN),
        ("asGroups",                      User("asGroups", json!(["system:masters"])),                            UNKNOWN),
        ("another user of the context",   At("/contexts/0/context/as", json!("system:admin")),                    UNKNOWN),
        ("a user name",                   User("username", json!("admin")),                                       PASSWORD),
        ("a password",                    User("password", json!("canary")),                                      PASSWORD),
        ("both",                          WholeUser(json!({"username": "admin", "password": "canary"})),          PASSWORD),
        ("a password that is a number",   User("password", json!(123_456)),                                       PASSWORD),
        ("no context in use",             At("/current-context", Value::Null),                                    "current-context: is missing"),
        ("an empty context in use",       At("/current-context", json!("")),                                      "current-context: is missing"),
        ("a context that is not there",   At("/current-context", json!("canary")),                                NOWHERE),
        ("a context of another spelling", At("/current-context", json!("C")),                                     NOWHERE),
        ("a number as the context",       At("/current-context", json!(1)),                                       "current-context: must be text"),
        ("a list as the context",         At("/current-context", json!(["c"])),                                   "current-context: must be text"),
        ("no contexts",                   At("/contexts", Value::Null),                                           NOWHERE),
        ("no clusters",                   At("/clusters", json!([])),                                             NOWHERE),
        ("no users",                      At("/users", json!([])),                                                NOWHERE),
        ("contexts by name",              At("/contexts", json!({"c": {"cluster": "east", "user": "operator"}})), "contexts: must be a list"),
        ("clusters as text",              At("/clusters", json!("east")),                                         "clusters: must be a list"),
        ("users as a number",             At("/users", json!(1)),                                                 "users: must be a list"),
        ("two contexts of the name",      At("/contexts", json!([{"name": "c", "context": {}}, {"name": "c", "context": {}}])), "contexts: has two entries of the name in use"),
        ("two users of the name",         At("/users", json!([{"name": "operator", "user": {"token": "a"}}, {"name": "operator", "user": {"token": "b"}}])), "users: has two entries of the name in use"),
        ("a context without content",     At("/contexts", json!([{"name": "c"}])),                                "context: of the current context is empty or no mapping"),
        ("a cluster that is text",        At("/clusters", json!([{"name": "east", "cluster": "https://127.0.0.1:1"}])), "cluster: of the current context is empty or no mapping"),
        ("a user that is a list",         WholeUser(json!(["canary"])),                                           "user: of the current context is empty or no mapping"),
        ("a user that is nothing",        WholeUser(Value::Null),                                                 "user: of the current context is empty or no mapping"),
        ("a context of no cluster",       At("/contexts/0/context", json!({"user": "operator"})),                 "context.cluster: is missing"),
        ("a context of no user",          At("/contexts/0/context", json!({"cluster": "east"})),                  "context.user: is missing"),
        ("a cluster that is not there",   At("/contexts/0/context", json!({"cluster": "west", "user": "operator"})), "context.cluster: names an entry"),
        ("a user that is not there",      At("/contexts/0/context", json!({"cluster": "east", "user": "canary"})), "context.user: names an entry"),
        ("a user of a number",            At("/contexts/0/context", json!({"cluster": "east", "user": 1})),       "context.user: must be text"),
    ]
}
