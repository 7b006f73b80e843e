//! Programs that whoever may write the Secret would have us run.

use serde_json::{Value, json};

use crate::corpus::{But, Row};
use But::{At, Cluster, User, WholeUser};

const EXEC: &str = "user.exec: runs a program inside the operator";
const PROVIDER: &str = "user.auth-provider: runs a program inside the operator";
const UNKNOWN: &str = "is not a field the operator knows";

fn exec(version: &str) -> Value {
    json!({"apiVersion": format!("client.authentication.k8s.io/{version}"), "command": "run", "interactiveMode": "Never"})
}

fn with(field: &str, value: Value) -> Value {
    let mut exec = exec("v1");
    exec[field] = value;
    exec
}

fn provider(name: &str, config: Value) -> Value {
    json!({"name": name, "config": config})
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    vec![
        ("exec v1",                       WholeUser(json!({"exec": exec("v1")})),                                          EXEC),
        ("exec v1beta1",                  WholeUser(json!({"exec": exec("v1beta1")})),                                     EXEC),
        ("exec v1alpha1",                 WholeUser(json!({"exec": exec("v1alpha1")})),                                    EXEC),
        ("exec beside a token",           User("exec", exec("v1")),                                                        EXEC),
        ("exec by path",                  User("exec", with("command", json!("./run"))),                                   EXEC),
        ("exec of the system",            User("exec", with("command", json!("/bin/touch"))),                              EXEC),
        ("exec with arguments",           User("exec", with("args", json!(["-c", "touch executed"]))),                     EXEC),
        ("exec with an environment",      User("exec", with("env", json!([{"name": "LD_PRELOAD", "value": "./run"}]))),    EXEC),
        ("exec with a hint",              User("exec", with("installHint", json!("canary \u{1b}[2J"))),                    EXEC),
        ("exec that is told the cluster", User("exec", with("provideClusterInfo", json!(true))),                           EXEC),
        ("exec that asks",                User("exec", with("interactiveMode", json!("Always"))),                          EXEC),
        ("exec of a cloud",               User("exec", json!({"command": "aws", "args": ["eks", "get-token"]})),           EXEC),
        ("exec without a version",        User("exec", json!({"command": "run"})),                                         EXEC),
        ("exec without a command",        User("exec", json!({"apiVersion": "client.authentication.k8s.io/v1"})),          EXEC),
        ("exec as text",                  User("exec", json!("run")),                                                      EXEC),
        ("exec as a list",                User("exec", json!(["run"])),                                                    EXEC),
        ("exec as a number",              User("exec", json!(1)),                                                          EXEC),
        ("exec as true",                  User("exec", json!(true)),                                                       EXEC),
        ("a plugin of Google",            User("auth-provider", provider("gcp", json!({"cmd-path": "./run", "cmd-args": "token"}))), PROVIDER),
        ("a plugin of Azure",             User("auth-provider", provider("azure", json!({"apiserver-id": "x"}))),           PROVIDER),
        ("a plugin for OpenID Connect",   User("auth-provider", provider("oidc", json!({"idp-certificate-authority": "ca.crt"}))), PROVIDER),
        ("a plugin of OpenStack",         User("auth-provider", provider("openstack", json!({}))),                          PROVIDER),
        ("a plugin alone",                WholeUser(json!({"auth-provider": provider("gcp", json!({"cmd-path": "./run"}))})), PROVIDER),
        ("a plugin as text",              User("auth-provider", json!("gcp")),                                              PROVIDER),
        ("Exec",                          User("Exec", exec("v1")),                                                        UNKNOWN),
        ("EXEC",                          User("EXEC", exec("v1")),                                                        UNKNOWN),
        ("exec with a blank",             User("exec ", exec("v1")),                                                       UNKNOWN),
        ("exec in other letters",         User("\u{435}x\u{435}c", exec("v1")),                                            UNKNOWN),
        ("exec with a character that is not seen", User("ex\u{200b}ec", exec("v1")),                                       UNKNOWN),
        ("authProvider",                  User("authProvider", provider("gcp", json!({"cmd-path": "./run"}))),              UNKNOWN),
        ("a plugin of another name",      User("credential-plugin", json!("run")),                                         UNKNOWN),
        ("exec of the context",           At("/contexts/0/context/exec", exec("v1")),                                      UNKNOWN),
        ("exec of the cluster",           Cluster("exec", exec("v1")),                                                     UNKNOWN),
        ("exec of the document",          At("/exec", exec("v1")),                                                         UNKNOWN),
    ]
}
