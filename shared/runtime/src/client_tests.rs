use model::clusters::kubeconfig;

use super::*;
use crate::table::every_row;

/// The kubeconfig an operator would be given, with parts replaced by the test.
fn accepted(user: &str) -> Remote {
    let ca = BASE64.encode(CA);
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:6443', certificate-authority-data: {ca}}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n"
    );
    kubeconfig::parse(text.as_bytes()).unwrap()
}

/// A CA of kube's own tests, valid until 2126.
const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBgDCCASWgAwIBAgIUVrQf5d//S01a0fbXxYRIx9wc0VQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJdGVzdC1jYS0xMCAXDTI2MDMwNDEzMDk1MFoYDzIxMjYwMjA4
MTMwOTUwWjAUMRIwEAYDVQQDDAl0ZXN0LWNhLTEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARg57mWJPDsAIEQAgXqMOOfjMQP+PE9HqcZobycO8z94r/uRuV0wKx/
0SvMsKFtnreut0bjgFtmZaWY+6d87Is9o1MwUTAdBgNVHQ4EFgQUjtGuhkM7LtHB
gMPCJIxMwbY69OQwHwYDVR0jBBgwFoAUjtGuhkM7LtHBgMPCJIxMwbY69OQwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAj/WzNVJDg/cBtLqQVM77
tkB+QyIXLG3Vi9Xj1YfW9QECIQDDFW8yFtgLeCg2Zhr4xQNq3/24r/01kI2rjFPO
xBkDMw==
-----END CERTIFICATE-----
";

#[tokio::test]
async fn t4_a_remote_config_takes_nothing_from_around_it() {
    let config = tuned(config(&accepted("token: abc")).unwrap(), Deadlines::default());
    assert_eq!(config.cluster_url.to_string(), "https://127.0.0.1:6443/");
    assert_eq!(config.proxy_url, None);
    assert_eq!(config.tls_server_name, None);
    assert!(!config.accept_invalid_certs && !config.default_retry && config.reset_reader_on_write);
    assert_eq!(config.root_cert.as_ref().map(Vec::len), Some(1));
    assert_eq!(config.root_cert_file, None);
    assert_eq!(
        (config.connect_timeout, config.read_timeout),
        (Some(Duration::from_secs(5)), Some(Duration::from_secs(95)))
    );
    let auth = &config.auth_info;
    assert!(auth.token.is_some() && auth.exec.is_none() && auth.token_file.is_none() && auth.impersonate.is_none());
    assert!(remote(&accepted("token: abc"), Deadlines::default(), MayWrite::default()).is_ok());
}

#[tokio::test]
async fn parts_that_only_look_right_are_an_error_without_their_content() {
    let junk = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let with_junk_ca = Remote { ca_pem: junk.into(), ..accepted("token: canary") };
    let certificate = BASE64.encode(junk);
    let key = BASE64.encode("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n");
    let with_junk_key = accepted(&format!("client-certificate-data: {certificate}, client-key-data: {key}"));
    every_row([with_junk_ca, with_junk_key], |broken| {
        let error = remote(&broken, Deadlines::default(), MayWrite::default()).map(|_| ()).unwrap_err();
        assert!(!format!("{error:?}").contains("canary") && !format!("{error:?}").contains("Y2FuYXJ5"), "{error:?}");
    });
}

#[tokio::test]
async fn a_missing_supervisor_says_what_to_set() {
    let nowhere = supervisor(Some(Path::new("/nonexistent/kubeconfig"))).await.map(|_| ()).unwrap_err();
    assert!(nowhere.to_string().contains("/nonexistent/kubeconfig"), "{nowhere}");
    let outside = supervisor(None).await.map(|_| ()).unwrap_err();
    assert!(outside.to_string().contains("KUBECONFIG"), "{outside}");
}
