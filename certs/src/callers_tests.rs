use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tempfile::NamedTempFile;
use time::OffsetDateTime;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::issue::{Ca, Lives};
use crate::resolver::{Resolver, server_config};
use crate::table::every_row;

/// An authority of others: its PEM, and what it signs with.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, common: &str, dns: &[&str], usage: ExtendedKeyUsagePurpose, end: i32) -> Identity {
        let mut params = CertificateParams::new(dns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![usage];
        params.not_after = rcgen::date_time_ymd(end, 1, 1);
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        (signed.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    fn client(&self, common: &str, dns: &[&str]) -> Identity {
        self.sign(common, dns, ExtendedKeyUsagePurpose::ClientAuth, 4000)
    }
}

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    file
}

fn callers(file: &Path, names: &[&str]) -> Result<Option<Arc<Callers>>, String> {
    Callers::of(Some(file), &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

/// A server for these callers, and the authority of its own certificate.
fn server(callers: Arc<Callers>) -> (TlsAcceptor, Ca) {
    let now = OffsetDateTime::now_utc();
    let ca = Ca::new(Lives::default(), now).unwrap();
    let resolver = Arc::new(Resolver::default());
    resolver.swap(ca.sign(&["127.0.0.1".to_owned()], Lives::default(), now).unwrap().certified);
    (TlsAcceptor::from(Arc::new(server_config(resolver, Some(callers)).unwrap())), ca)
}

/// How the server ends a handshake with that client.
async fn greet(
    (server, ca): &(TlsAcceptor, Ca),
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> Result<(), (&'static str, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.cert.pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        Some((certificate, key)) => config.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap(),
        None => config.with_no_client_auth(),
    };
    let (near, far) = tokio::io::duplex(16 * 1024);
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let (accepted, _) = tokio::join!(server.accept(far), TlsConnector::from(Arc::new(config)).connect(name, near));
    accepted.map(drop).map_err(|ended| refusal(&ended).unwrap_or_else(|| panic!("for another reason: {ended:?}")))
}

#[tokio::test]
async fn t15_callers_are_known_by_authority_and_name() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let (both, extra) = (file(&format!("{}{}", ours.pem, Authority::new("second").pem)), "api.example.com");
    let server = server(callers(both.path(), &["kube-apiserver", " api.example.com "]).unwrap().unwrap());
    let stranger = |names: &str| {
        Err((
            "other-client-name",
            format!("its client certificate is of {names}, and WEBHOOK_CLIENT_NAMES lists none of these"),
        ))
    };
    let invalid = |why: &str| {
        let says = "by the authorities in WEBHOOK_CLIENT_CA_FILE, its client certificate is not valid: ";
        Err(("untrusted-client-certificate", format!("{says}{why}")))
    };
    let none = Err((
        "no-client-certificate",
        "it has no client certificate; an API server is given one by its admission configuration".to_owned(),
    ));
    let serving = ours.sign("kube-apiserver", &[], ExtendedKeyUsagePurpose::ServerAuth, 4000);
    #[rustfmt::skip]
    let cases = [
        ("by its common name",        Some(ours.client("kube-apiserver", &[])),                Ok(())),
        ("by a DNS name",             Some(ours.client("x", &["x.example.com", extra])),       Ok(())),
        ("no certificate",            None,                                                    none),
        ("another name",              Some(ours.client("kubelet", &["node.example.com"])),     stranger(r#"["kubelet", "node.example.com"]"#)),
        ("no name at all",            Some(ours.client("", &[])),                              stranger(r#"[""]"#)),
        ("begins like it",            Some(ours.client("kube-apiserver2", &[])),               stranger(r#"["kube-apiserver2"]"#)),
        ("in other letters",          Some(ours.client("Kube-APIserver", &[])),                stranger(r#"["Kube-APIserver"]"#)),
        ("both in one",               Some(ours.client("kube-apiserver,api.example.com", &[])), stranger(r#"["kube-apiserver,api.example.com"]"#)),
        ("a line of its own",         Some(ours.client("a\nb", &[])),                          stranger(r#"["a\nb"]"#)),
        ("another authority",         Some(others.client("kube-apiserver", &[])),              invalid("UnknownIssuer")),
        ("for servers",               Some(serving),                                           invalid("certificate does not allow extended key usage for client authentication, allows server authentication")),
    ];
    for version in [&TLS13, &TLS12] {
        for (case, identity, want) in &cases {
            assert_eq!(greet(&server, identity.as_ref(), version).await, *want, "{case}, {version:?}");
        }
        let expired = ours.sign("kube-apiserver", &[], ExtendedKeyUsagePurpose::ClientAuth, 2020);
        let (why, says) = greet(&server, Some(&expired), version).await.expect_err("expired");
        assert!(
            why == "untrusted-client-certificate" && says.contains("not valid: certificate expired"),
            "{why}: {says}"
        );
    }
}

#[test]
fn t15_a_setting_that_lets_in_nobody_or_too_many_is_refused() {
    let ours = Authority::new("ours");
    let leaf = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["x".to_owned()]).unwrap().self_signed(&leaf).unwrap().pem();
    let missing = Path::new("/nowhere/ca.crt");
    let none = Callers::of(None, &[String::new(), " ".to_owned()]);
    assert!(none.is_ok_and(|callers| callers.is_none()), "nothing is set");
    let without = Callers::of(None, &["api".to_owned()]).map(drop);
    assert!(
        without.is_err_and(|why| why.starts_with("WEBHOOK_CLIENT_NAMES is set without WEBHOOK_CLIENT_CA_FILE: name"))
    );
    let written = file(&ours.pem);
    let unnamed = callers(written.path(), &[" "]).map(drop);
    assert!(
        unnamed.is_err_and(|why| why.starts_with("WEBHOOK_CLIENT_CA_FILE is set without WEBHOOK_CLIENT_NAMES: list"))
    );
    let absent = callers(missing, &["api"]).map(drop);
    assert_eq!(
        absent,
        Err("WEBHOOK_CLIENT_CA_FILE: /nowhere/ca.crt: No such file or directory (os error 2)".to_owned())
    );
    let whole = |whole: usize, all: usize| {
        format!("{whole} of the {all} certificates in it are of authorities and whole: it needs one, and no others")
    };
    #[rustfmt::skip]
    let cases = [
        ("empty",                String::new(),                                whole(0, 0)),
        ("text",                 "ca.crt".to_owned(),                          whole(0, 0)),
        ("cut off",              ours.pem[..ours.pem.len() / 2].to_owned(),    whole(0, 1)),
        ("the second cut off",   format!("{}{}", ours.pem, &ours.pem[..200]),  whole(1, 2)),
        ("no authority",         leaf.clone(),                                 whole(0, 1)),
        ("one that is none",     format!("{}{leaf}", ours.pem),                whole(1, 2)),
        ("too large",            " ".repeat(64 * 1024 + 1),                    "it is no file of at most 65536 bytes".to_owned()),
    ];
    every_row(cases, |(case, text, want)| {
        let written = file(&text);
        let path = written.path().display();
        let refused = callers(written.path(), &["api"]).map(drop);
        assert_eq!(refused, Err(format!("WEBHOOK_CLIENT_CA_FILE: {path}: {want}")), "{case}");
    });
}

#[tokio::test(start_paused = true)]
async fn t15_a_changed_file_counts_and_a_damaged_one_changes_nothing() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, after) = (old.client("api", &[]), new.client("api", &[]));
    let written = file(&old.pem);
    let callers = callers(written.path(), &["api"]).unwrap().unwrap();
    let server = server(callers.clone());
    tokio::spawn(async move { callers.keep(&Metrics::default()).await });
    let greeted = async || {
        let known = |greeted: Result<(), _>| greeted.is_ok();
        (known(greet(&server, Some(&before), &TLS13).await), known(greet(&server, Some(&after), &TLS13).await))
    };
    let both = format!("{}{}", old.pem, new.pem);
    #[rustfmt::skip]
    let steps = [
        ("both",      Some(both.as_str()),     (true, true)),
        ("the new",   Some(new.pem.as_str()),  (false, true)),
        ("empty",     Some(""),                (false, true)),
        ("gone",      None,                    (false, true)),
        ("the old",   Some(old.pem.as_str()),  (true, false)),
    ];
    assert_eq!(greeted().await, (true, false));
    for (step, text, want) in steps {
        match text {
            Some(text) => fs::write(written.path(), text).unwrap(),
            None => fs::remove_file(written.path()).unwrap(),
        }
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(greeted().await, want, "{step}");
    }
}
