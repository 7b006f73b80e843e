use serde_json::json;

use super::*;
use crate::table::every_row;

const CERT: &str = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nY2FuYXJ5\n-----END EC PRIVATE KEY-----\n";

fn base64(text: &str) -> String {
    BASE64.encode(text)
}

/// A kubeconfig that is accepted.
fn good() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "east", "user": "operator", "namespace": "x"}}],
        "clusters": [{"name": "east", "cluster": {
            "server": "https://east.example.com:6443", "certificate-authority-data": base64(CERT),
            "insecure-skip-tls-verify": false, "tls-server-name": "", "proxy-url": null,
        }}],
        "users": [{"name": "operator", "user": {"token": "canary-token", "as-groups": [], "username": "", "exec": {}}}],
    })
}

/// The good one with the value at a JSON pointer replaced (removed by null, as tools write it).
fn with(pointer: &str, value: Value) -> Value {
    let mut document = good();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(map) => map.insert(key.to_owned(), value),
        other => panic!("{other}"),
    };
    document
}

fn said(document: &Value) -> String {
    match parse(document.to_string().as_bytes()) {
        Ok(_) => "accepted".to_owned(),
        Err(refused) => refused.to_string(),
    }
}

/// Each field set on the user or cluster of the current context is refused by a sentence with these words.
fn refuses(cases: &[(&str, Value, &str)]) {
    every_row(cases, |(pointer, value, want)| {
        let said = said(&with(pointer, value.clone()));
        assert!(
            said.starts_with("kubeconfig field ") && said.contains(want),
            "{pointer}\n wants {want}\n said  {said}"
        );
        assert!(!said.contains("canary"), "{said}");
    });
}

const USER: &str = "/users/0/user";
const CLUSTER: &str = "/clusters/0/cluster";

fn user(field: &str) -> String {
    format!("{USER}/{field}")
}

fn cluster(field: &str) -> String {
    format!("{CLUSTER}/{field}")
}

#[test]
fn takes_the_current_context_only() {
    let remote = parse(good().to_string().as_bytes()).unwrap();
    assert_eq!(remote.server, "https://east.example.com:6443");
    assert_eq!(remote.ca_pem, CERT.as_bytes());
    assert_eq!(remote.auth, Auth::Token(Secret("canary-token".to_owned())));

    let certificate = json!({"client-certificate-data": base64(CERT), "client-key-data": base64(KEY)});
    let remote = parse(with(USER, certificate).to_string().as_bytes()).unwrap();
    assert_eq!(remote.auth, Auth::ClientCert { cert_pem: CERT.into(), key_pem: Secret(KEY.to_owned()) });
}

#[test]
fn reads_the_yaml_that_kubectl_writes() {
    let ca = base64(CERT);
    let (left, right) = ca.split_at(20);
    let document = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: https://[fd00::1]:6443/k8s/clusters/c-1\n  name: a\n\
         contexts:\n- context:\n    cluster: a\n    user: b\n  name: c\ncurrent-context: c\n\
         users:\n- name: b\n  user:\n    token: abc.def-_~+/=\n"
    );
    assert_eq!(parse(document.as_bytes()).unwrap().server, "https://[fd00::1]:6443/k8s/clusters/c-1");
    let wrapped = document.replace(&format!("-data: {ca}"), &format!("-data: |\n      {left}\n      {right}"));
    assert_ne!(wrapped, document);
    assert!(parse(wrapped.as_bytes()).is_ok());
}

#[test]
fn t1_programs_are_refused() {
    #[rustfmt::skip]
    refuses(&[
        (&user("exec"), json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": ["/tmp/canary"]}), "user.exec: runs a program inside the operator"),
        (&user("exec"), json!("x"), "user.exec: runs a program"),
        (&user("auth-provider"), json!({"name": "gcp", "config": {"cmd-path": "/bin/touch"}}), "user.auth-provider: runs a program"),
        (&user("Exec"), json!({"command": "touch"}), "user.Exec: is not a field the operator knows"),
        (&user("plugin"), json!(1), "user.plugin: is not a field"),
    ]);
}

#[test]
fn t2_files_are_refused() {
    #[rustfmt::skip]
    refuses(&[
        (&user("tokenFile"), json!("/var/run/secrets/kubernetes.io/serviceaccount/token"), "user.tokenFile: names a file of the operator's pod"),
        (&user("client-certificate"), json!("/c"), "user.client-certificate: names a file"),
        (&user("client-key"), json!("/k"), "user.client-key: names a file"),
        (&cluster("certificate-authority"), json!("/ca"), "cluster.certificate-authority: names a file"),
    ]);
}

#[test]
fn t3_doubtful_tls_is_refused() {
    #[rustfmt::skip]
    refuses(&[
        (&cluster("insecure-skip-tls-verify"), json!(true), "cluster.insecure-skip-tls-verify: would let anyone pose as the cluster"),
        (&cluster("insecure-skip-tls-verify"), json!("true"), "would let anyone pose"),
        (&cluster("tls-server-name"), json!("other"), "cluster.tls-server-name: is not supported"),
        (&cluster("certificate-authority-data"), Value::Null, "cluster.certificate-authority-data: is missing"),
        (&cluster("certificate-authority-data"), json!(""), "cluster.certificate-authority-data: is missing"),
        (&cluster("certificate-authority-data"), json!("%%%"), "is not base64"),
        (&cluster("certificate-authority-data"), json!(base64("hello")), "must hold PEM certificates"),
        (&cluster("certificate-authority-data"), json!(base64(KEY)), "must hold PEM certificates"),
        (&cluster("certificate-authority-data"), json!(base64(&CERT[..40])), "must hold PEM certificates"),
        (&cluster("certificate-authority-data"), json!(base64(&base64(CERT))), "must hold PEM certificates"),
        (&cluster("server"), json!("http://east.example.com"), "cluster.server: must begin with https://"),
        (&cluster("server"), json!("east.example.com:6443"), "must begin with https://"),
        (&cluster("server"), json!("HTTPS://east"), "must begin with https://"),
        (&cluster("server"), Value::Null, "cluster.server: is missing"),
        (&cluster("server"), json!("https://u:canary@east"), "must not hold a user"),
        (&cluster("server"), json!("https://"), "must be an address"),
        (&cluster("server"), json!("https://east:0"), "must be an address"),
        (&cluster("server"), json!("https://east:port"), "must be an address"),
        (&cluster("server"), json!("https://[::1"), "must be an address"),
        (&cluster("server"), json!("https://[nonsense]:1"), "must be an address"),
        (&cluster("server"), json!("https://east\r\nx: y"), "must be an address"),
        (&cluster("server"), json!("https://east/?a=b"), "must be an address"),
        (&cluster("server"), json!("https://east#x"), "must be an address"),
        (&cluster("server"), json!(12), "must be text"),
    ]);
}

#[test]
fn t4_detours_and_other_identities_are_refused() {
    let both = json!({"token": "canary", "client-certificate-data": base64(CERT), "client-key-data": base64(KEY)});
    #[rustfmt::skip]
    refuses(&[
        (&cluster("proxy-url"), json!("http://proxy"), "cluster.proxy-url: is not supported"),
        (&user("as"), json!("system:admin"), "user.as: is not supported: give the operator credentials of its own"),
        (&user("as-uid"), json!("1"), "user.as-uid: is not supported"),
        (&user("as-groups"), json!(["system:masters"]), "user.as-groups: is not supported"),
        (&user("as-user-extra"), json!({"a": ["b"]}), "user.as-user-extra: is not supported"),
        (&user("username"), json!("admin"), "user.username: Kubernetes has no password authentication"),
        (&user("password"), json!("canary"), "user.password: Kubernetes has no password authentication"),
        (&user("token"), Value::Null, "user.token: is missing: set it, or client-certificate-data"),
        (&user("token"), json!("canary\n"), "user.token: holds blanks, line ends"),
        (&user("token"), json!("can\u{e4}ry"), "user.token: holds blanks"),
        (&user("token"), json!(12345), "user.token: must be text"),
        (USER, both, "user.token: stands beside a client certificate"),
        (USER, json!({"client-certificate-data": base64(CERT)}), "user.client-key-data: is missing"),
        (USER, json!({"client-key-data": base64(KEY)}), "user.client-certificate-data: is missing"),
        (USER, json!({"client-certificate-data": base64(CERT), "client-key-data": base64(CERT)}), "user.client-key-data: must hold one unencrypted"),
        (USER, json!({"client-certificate-data": base64(KEY), "client-key-data": base64(KEY)}), "user.client-certificate-data: must hold PEM"),
        (USER, json!({"client-certificate-data": base64(CERT), "client-key-data": base64(&KEY.replace("EC PRIVATE", "ENCRYPTED PRIVATE"))}), "user.client-key-data: must hold one unencrypted"),
        (USER, Value::Null, "user: of the current context is empty"),
    ]);
}

#[test]
fn t4_other_contexts_have_no_influence() {
    let mut document = good();
    let extra = json!({"name": "admin", "user": {"exec": {"command": "touch"}}});
    document["users"].as_array_mut().unwrap().insert(0, extra);
    document["clusters"].as_array_mut().unwrap().push(json!({"name": "x", "cluster": {"server": "http://x"}}));
    document["contexts"].as_array_mut().unwrap().push(json!("nonsense"));
    assert_eq!(said(&document), "accepted");

    let same_name = json!({"name": "operator", "user": {"token": "other"}});
    document["users"].as_array_mut().unwrap().push(same_name);
    assert!(said(&document).contains("users: has two entries of the name in use"));
}

#[test]
fn dangling_names_are_named() {
    #[rustfmt::skip]
    refuses(&[
        ("/current-context", Value::Null, "current-context: is missing"),
        ("/current-context", json!("other"), "current-context: names an entry that is not in the document"),
        ("/contexts/0/context/cluster", json!("other"), "context.cluster: names an entry that is not"),
        ("/contexts/0/context/user", json!("other"), "context.user: names an entry that is not"),
        ("/contexts/0/context/user", Value::Null, "context.user: is missing"),
        ("/contexts/0/context/token", json!("x"), "context.token: is not a field"),
        ("/contexts", json!({}), "contexts: must be a list"),
        ("/users", Value::Null, "context.user: names an entry that is not"),
        ("/a\u{1b}[31m", json!(1), "\\u{1b}[31m: is not a field"),
    ]);
}

#[test]
fn documents_that_are_not_plain_yaml_are_refused_without_being_quoted() {
    let bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\ncanary: 1\n".to_owned();
    let deep = "[".repeat(100) + &"]".repeat(100);
    let nodes = format!("x: [{}]", "1,".repeat(10_000));
    let merged = "base: {token: canary}\nuser:\n  <<: {token: canary}\n".to_owned();
    #[rustfmt::skip]
    let cases = [
        bomb, deep, nodes, merged, "canary".to_owned(), "a: canary\na: canary\n".to_owned(),
        "a: 1\n---\nb: canary\n".to_owned(), "a: [canary".to_owned(), "token: \"canary".to_owned(), "- canary\n".to_owned(),
    ];
    every_row(cases, |document| match parse(document.as_bytes()) {
        Err(refused @ Refused::NotYaml(_)) => assert!(!refused.to_string().contains("canary"), "{refused}"),
        other => panic!("{other:?} for {}", &document[..document.len().min(40)]),
    });
    assert!(matches!(parse(b""), Err(Refused::Field { .. })), "an empty document has no current-context");
    assert_eq!(parse(b"\xff\xfe\x00"), Err(Refused::NotYaml(None)));
    let large = vec![b' '; MAX_BYTES + 1];
    assert_eq!(parse(&large), Err(Refused::TooLarge(MAX_BYTES + 1)));
}

#[test]
fn t19_debug_shows_no_credential() {
    let token = parse(good().to_string().as_bytes()).unwrap();
    let certificate = json!({"client-certificate-data": base64(CERT), "client-key-data": base64(KEY)});
    let certificate = parse(with(USER, certificate).to_string().as_bytes()).unwrap();
    every_row([token, certificate], |remote| {
        let shown = format!("{remote:?} {remote:#?}");
        assert!(shown.contains("[redacted]") && !shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    });
}
