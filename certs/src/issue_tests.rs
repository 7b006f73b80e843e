use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{Error, RootCertStore};

use super::*;
use crate::table::every_row;

const LIVES: Lives = Lives { ca: Duration::days(90), leaf: Duration::hours(24) };

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn verify(ca: &Ca, leaf: &Leaf, name: &'static str, at: OffsetDateTime) -> Result<(), Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.cert.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.unix_timestamp().try_into().unwrap()));
    let name = ServerName::try_from(name).unwrap();
    verifier.verify_server_cert(&leaf.certified.cert[0], &[], &name, &[], at).map(|_| ())
}

#[test]
fn cert6_a_leaf_verifies_for_its_names_while_it_is_valid_and_an_hour_before() {
    let ca = Ca::new(LIVES, now()).unwrap();
    let names = ["webhook.ns.svc".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let leaf = ca.sign(&names, LIVES, now()).unwrap();
    let hours = |n| now() + Duration::hours(n);
    #[rustfmt::skip]
    let cases = [
        ("webhook.ns.svc", now(), true), ("127.0.0.1", now(), true), ("::1", now(), true),
        ("other.ns.svc", now(), false), ("127.0.0.2", now(), false),
        ("webhook.ns.svc", hours(-1), true), ("webhook.ns.svc", hours(-2), false),
        ("webhook.ns.svc", hours(23), true), ("webhook.ns.svc", hours(25), false),
    ];
    every_row(cases, |(name, at, want)| {
        let verified = verify(&ca, &leaf, name, at);
        assert_eq!(verified.is_ok(), want, "{name} at {at}: {verified:?}");
    });
    assert!(verify(&Ca::new(LIVES, now()).unwrap(), &leaf, "127.0.0.1", now()).is_err(), "another CA");
}

#[test]
fn serials_are_random_and_a_leaf_ends_with_its_ca() {
    let ca = Ca::new(LIVES, now()).unwrap();
    let serial =
        |leaf: &Leaf| x509_parser::parse_x509_certificate(&leaf.certified.cert[0]).unwrap().1.raw_serial().to_owned();
    let late = now() + LIVES.ca - Duration::hours(2);
    let (a, b) = (ca.sign(&[], LIVES, now()).unwrap(), ca.sign(&[], LIVES, late).unwrap());
    assert_ne!(serial(&a), serial(&b));
    assert_eq!((a.not_after, b.not_after), (now() + LIVES.leaf, ca.cert.not_after));
}

#[test]
fn cert6_renewal_is_due_by_the_wall_clock_however_it_jumps() {
    let short = Lives { ca: Duration::seconds(90), leaf: Duration::seconds(10) };
    let ca = Ca::new(LIVES, now()).unwrap();
    let leaf = ca.sign(&[], LIVES, now()).unwrap();
    let leaves = [(-2, true), (-1, false), (0, false), (11, false), (12, true), (48, true), (24 * 365, true)];
    every_row(leaves, |(hours, due)| {
        assert_eq!(leaf.is_due(now() + Duration::hours(hours)), due, "leaf after {hours} h");
    });
    let cas = [(-1, true), (0, false), (59, false), (61, true), (89, true), (91, true), (365, true)];
    every_row(cas, |(days, due)| {
        assert_eq!(ca.is_due(LIVES, now() + Duration::days(days)), due, "CA after {days} d");
    });
    let ca = Ca::new(short, now()).unwrap();
    let leaf = ca.sign(&[], short, now()).unwrap();
    every_row([(0, false, false), (4, false, false), (5, true, false), (59, true, false), (61, true, true)], |row| {
        let (seconds, leaf_due, ca_due) = row;
        let later = now() + Duration::seconds(seconds);
        assert_eq!((leaf.is_due(later), ca.is_due(short, later)), (leaf_due, ca_due), "after {seconds} s");
    });
}

#[test]
fn a_ca_survives_its_pem_and_nothing_shows_its_key() {
    let ca = Ca::new(LIVES, now()).unwrap();
    let again = Ca::from_pem(&ca.cert.pem, &ca.key_pem()).unwrap();
    assert_eq!(again.cert, ca.cert);
    let leaf = again.sign(&["127.0.0.1".to_owned()], LIVES, now()).unwrap();
    verify(&ca, &leaf, "127.0.0.1", now()).unwrap();
    assert_eq!(format!("{ca:?}"), format!("Ca {{ not_after: {:?}, .. }}", ca.cert.not_after));
}

#[test]
fn names_that_are_none_are_refused() {
    every_row(["", "a b", "ü.example", "a..b", "https://x"], |bad| {
        let refused = Ca::new(LIVES, now()).unwrap().sign(&[bad.to_owned()], LIVES, now());
        assert!(matches!(refused, Err(IssueError::Name(_))), "{bad}");
    });
}
