use time::Duration;

use super::*;
use crate::issue::Lives;
use crate::table::every_row;

const LIVES: Lives = Lives { ca: Duration::days(90), leaf: Duration::hours(24) };

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn ca() -> Ca {
    Ca::new(LIVES, now()).unwrap()
}

fn with(pairs: &[(&str, &[u8])]) -> Stored {
    let data = pairs.iter().map(|(key, bytes)| ((*key).to_owned(), ByteString(bytes.to_vec()))).collect();
    Stored::of(Some(&Secret { data: Some(data), ..Secret::default() }), now())
}

/// What is said about it, and whether its current CA is one all the same.
fn said(stored: &Stored) -> (String, bool) {
    match stored {
        Stored::Absent => ("absent".to_owned(), false),
        Stored::Whole(_) => ("whole".to_owned(), true),
        Stored::Damaged(current, why) => (why.to_string(), current.is_some()),
    }
}

#[test]
fn cert5_contents_that_are_no_ca() {
    let (one, two) = (ca(), ca());
    let (cert, key, other_key) = (one.cert.pem.as_bytes(), one.key_pem().into_bytes(), two.key_pem().into_bytes());
    let leaf = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let (leaf_cert, leaf_key) = (leaf.cert.pem().into_bytes(), leaf.signing_key.serialize_pem().into_bytes());
    let junk = vec![b'x'; 1024 * 1024];
    let twice = [cert, cert].concat();
    let cut = &cert[..cert.len() / 2];
    let inner = one.cert.pem.replace("MII", "MIJ").into_bytes();
    #[rustfmt::skip]
    let cases: [(&str, &[u8], &[u8], &str); 12] = [
        ("as written",       cert,       &key,                    "whole"),
        ("empty",            b"",        b"",                     "missing"),
        ("no key",           cert,       b"",                     "missing"),
        ("bad PEM",          b"hello",   &key,                    "ca.crt is not one PEM certificate"),
        ("truncated",        cut,        &key,                    "ca.crt is not one PEM certificate"),
        ("two certificates", &twice,     &key,                    "ca.crt is not one PEM certificate"),
        ("bad DER",          &inner,     &key,                    "ca.crt is not X.509"),
        ("not a CA",         &leaf_cert, &leaf_key,               "not a CA certificate"),
        ("another's key",    cert,       &other_key,              "not the key of ca.crt"),
        ("key is a cert",    cert,       cert,                    "ca.key is not a PEM private key"),
        ("1 MiB of junk",    &junk,      &key,                    "too large"),
        ("no text",          &[0xff],    &key,                    "not text"),
    ];
    every_row(cases, |(name, cert, key, want)| {
        let said = said(&with(&[(CERT, cert), (KEY, key)]));
        assert!(said.0.contains(want), "{name}: {said:?}");
    });
    assert_eq!(said(&Stored::of(None, now())).0, "absent");
    assert!(said(&Stored::of(Some(&Secret::default()), now())).0.contains("missing"), "a Secret without data");
}

/// A name, more data of the Secret, and what is said of it.
type Case<'a> = (&'a str, Vec<(&'a str, &'a [u8])>, &'a str);

#[test]
fn cert5_what_is_damaged_beside_the_current_ca_leaves_that_one() {
    let (one, two) = (ca(), ca());
    let (cert, key, next) = (one.cert.pem.as_bytes(), one.key_pem(), two.cert.pem.as_bytes());
    #[rustfmt::skip]
    let cases: [Case<'_>; 5] = [
        ("next without key",     vec![(NEXT_CERT, next)],                                  "missing"),
        ("next with another's",  vec![(NEXT_CERT, next), (NEXT_KEY, key.as_bytes())],      "not the key"),
        ("former is junk",       vec![(FORMER_CERTS, b"x")],                               "holds no certificate"),
        ("former without since", vec![(FORMER_CERTS, next)],                               "not a time"),
        ("since is junk",        vec![(FORMER_CERTS, next), (FORMER_SINCE, b"yesterday")], "not a time"),
    ];
    every_row(cases, |(name, more, want)| {
        let all: Vec<_> = more.into_iter().chain([(CERT, cert), (KEY, key.as_bytes())]).collect();
        let said = said(&with(&all));
        assert!(said.0.contains(want) && said.1, "{name}: {said:?}");
    });
}

#[test]
fn what_is_written_is_read_again() {
    let former = vec![ca().cert, ca().cert];
    let written =
        Authorities { current: Arc::new(ca()), next: Some(Arc::new(ca())), former, since: now() - Duration::hours(3) };
    let secret = written.secret("webhook-ca");
    assert_eq!(secret.type_.as_deref(), Some("Opaque"));
    let Stored::Whole(read) = Stored::of(Some(&secret), now()) else {
        panic!("{:?}", Stored::of(Some(&secret), now()))
    };
    assert_eq!(read.certs(), written.certs());
    assert_eq!((read.next.expect("the next").key_pem(), read.since), (written.next.unwrap().key_pem(), written.since));
    let keys: Vec<_> = Authorities::only(written.current, now()).data().into_keys().collect();
    assert_eq!(keys, ["ca.crt", "ca.key"], "while nothing rotates");
}

#[test]
fn cert1_promotion_does_not_change_the_bundle() {
    let (one, two, three) = (Arc::new(ca()), Arc::new(ca()), ca());
    let announced =
        Authorities { current: one.clone(), next: Some(two.clone()), former: vec![three.cert.clone()], since: now() };
    let promoted = Authorities { current: two, next: None, former: vec![three.cert, one.cert.clone()], since: now() };
    assert_eq!(announced.bundle(), promoted.bundle());
    assert_eq!(cert::split(&announced.bundle()).len(), 3);
}

#[test]
fn only_the_certificate_of_what_somebody_stored_is_published() {
    let own = ca();
    let messy = format!("Bag Attributes\n  name: x\n{}\n\n{}", own.cert.pem.trim_end(), own.key_pem());
    let stored = with(&[(CERT, messy.as_bytes()), (KEY, own.key_pem().as_bytes())]);
    let Stored::Whole(read) = stored else { panic!("{stored:?}") };
    assert_eq!(read.bundle(), own.cert.pem);
}
