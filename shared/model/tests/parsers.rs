//! Every parser of strangers' text that has no page of its own answers whatever it is given, and never with a secret. Z4, Z5.

use model::clusters::kubeconfig;
use model::message::names_to_look_under;
use model::names::ClusterName;
use model::quantity::thousandths;
use proptest::prelude::*;

const CASES: u32 = 2000;
const SECRET: &str = "canary-token-5f2c";
const CERTIFICATE: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmFHVnNiRzg9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K";

/// A kubeconfig in YAML, with a piece that may be anything at each of its places.
fn kubeconfig(piece: &str, place: usize, flow: bool) -> String {
    let at = |here: usize, good: &str| if here == place { piece.to_owned() } else { good.to_owned() };
    let user = if flow {
        format!("{{token: {SECRET}, {}}}", at(5, "tokenFile: ''"))
    } else {
        format!("\n    token: {SECRET}\n    {}", at(5, "username: ''"))
    };
    format!(
        "apiVersion: v1\nkind: {}\ncurrent-context: {}\ncontexts:\n- name: c\n  context: {{cluster: {}, user: u}}\nclusters:\n- name: k\n  cluster:\n    \
         server: {}\n    certificate-authority-data: {CERTIFICATE}\n    {}\nusers:\n- name: u\n  user: {user}\n",
        at(0, "Config"),
        at(1, "c"),
        at(2, "k"),
        at(3, "https://east.example.com:6443"),
        at(4, "tls-server-name: ''"),
    )
}

#[test]
fn t1_t2_t3_t4_t19_no_kubeconfig_panics_leads_astray_or_gives_its_secret_away() {
    let pieces = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "exec: {command: /bin/sh}",
            "auth-provider: {name: gcp}",
            "insecure-skip-tls-verify: true",
            "proxy-url: http://p",
            "tokenFile: /etc/passwd",
            "http://east",
            "https://",
            "&a [*a]",
            "{}",
            "[]",
            "~",
            "!!binary aGk=",
            "c: &x {c: *x}",
            "\"\\u0000\"",
            "<<: {a: b}",
        ])
        .prop_map(str::to_owned),
    ];
    let accepted = std::cell::Cell::new(0_u32);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    });
    let law = |(piece, place, flow): (String, usize, bool)| {
        match kubeconfig::parse(kubeconfig(&piece, place, flow).as_bytes()) {
            Ok(remote) => {
                accepted.set(accepted.get() + 1);
                prop_assert!(remote.server.starts_with("https://"), "{}", remote.server);
                prop_assert!(!format!("{remote:?}").contains(SECRET), "in Debug");
            }
            Err(refused) => prop_assert!(!refused.to_string().contains(SECRET), "{refused}"),
        }
        Ok(())
    };
    runner.run(&(pieces, 0..8_usize, any::<bool>()), law).unwrap_or_else(|failed| panic!("{failed}"));
    assert!(accepted.get() > CASES / 10, "only {} were accepted", accepted.get());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn any_bytes_are_a_kubeconfig_or_a_sentence(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = kubeconfig::parse(&bytes).map_err(|refused| assert!(!refused.to_string().is_empty()));
    }

    #[test]
    fn z5_thousandths_of_a_cpu_are_what_was_written(whole in 0..1_000_000_u64, fraction in 0..1000_u64) {
        prop_assert_eq!(thousandths(&format!("{whole}.{fraction:03}")), Ok(whole * 1000 + fraction));
        prop_assert_eq!(thousandths(&format!("{whole}m")), Ok(whole));
    }

    #[test]
    fn x54_whatever_an_explanation_says_only_names_of_this_machine_are_looked_under(text in ".{0,80}", vm in "[a-z-]{1,12}", cluster in "east|west") {
        let names = || vec!["vm-web".to_owned(), "web".to_owned()];
        let east = ClusterName("east".to_owned());
        let written = format!(r#"{{"rule":"named","cluster":"{cluster}","vm":"{vm}"}}"#);
        for explanation in [text, written] {
            let under = names_to_look_under(Some(&explanation), &east, names());
            prop_assert!(under.iter().all(|name| names().contains(name)), "{:?}", under);
        }
        prop_assert_eq!(names_to_look_under(None, &east, names()), names());
    }
}
