//! When credentials end, by certificate and by token.

use base64::engine::general_purpose::URL_SAFE;

use super::super::Secret;
use super::*;
use crate::table::every_row;

/// From 2026-01-01 to 2027-01-01.
const LEAF: &str = "MIIBBDCBrAIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARsZWFmMB4XDTI2MDEwMTAwMDAwMFoXDTI3MDEwMTAwMDAwMFowDzENMAsGA1UEAwwEbGVhZjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKD/l+SSsyLyeYkv65IIsgSB2zDkBRL0OBDjcro9NuCEHVOCEZJS58vyuCqCJaU5sbbzS1x738QoOxYm1CzFvTgwCgYIKoZIzj0EAwIDRwAwRAIgBqLTFSRHFXY/Tmphrk3cHXxHb5E8puYfy6rwoy+5BpICIDGph8kP2rubSVF9GbwMiGjiLz6JGtImbUH/9IUrfFun";
/// From 2025-06-01 12:00:00 to 2026-06-30 23:59:59.
const ISSUER: &str = "MIIBCTCBsAIBAjAKBggqhkjOPQQDAjARMQ8wDQYDVQQDDAZpc3N1ZXIwHhcNMjUwNjAxMTIwMDAwWhcNMjYwNjMwMjM1OTU5WjARMQ8wDQYDVQQDDAZpc3N1ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATmciSk2WAw8KwSnsoe7bFV9h493TbNoMNgFtvPWLPrcsEf2rBttet+Gw6vBln2FQFs5bNO182me1TqVS3rs4DGMAoGCCqGSM49BAMCA0gAMEUCIDg5gHztRwDr6aJV29oNTxZ3vQE0X+SLvLg3x+V0+wJYAiEAiP2ik/9JhxpUx7KQ+8zElDaLQ/aZTUTziZ/7/ORLS/8=";
/// From 2049-01-01 to 2051-01-01: the end is written in the other form of X.509.
const FAR: &str = "MIIBBDCBrAIBAzAKBggqhkjOPQQDAjAOMQwwCgYDVQQDDANnZW4wIBcNNDkwMTAxMDAwMDAwWhgPMjA1MTAxMDEwMDAwMDBaMA4xDDAKBgNVBAMMA2dlbjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMa29Dqkq7i60uwwvxuBzahj3PTvK6P84g0Eu5WIu4/zqFXDMBKRzDbthgeN4lEbfWDCRjHK2B/e1JG8/NdUjnEwCgYIKoZIzj0EAwIDRwAwRAIgXCuqkT09X/lZ8FWRTa21+B9pVrAsg4OUyUojvhIRzEACIDVgZhuucGGM/Yr/r/GgdbJNvwyeLdlDANyOkq6MPel4";

fn of_certificate(bodies: &[&str]) -> Option<Validity> {
    let block = |body: &&str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let cert_pem = bodies.iter().map(block).collect::<String>().into_bytes();
    Auth::ClientCert { cert_pem, key_pem: Secret("canary".to_owned()) }.validity()
}

fn jwt(claims: &str) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn a_client_certificate_ends_with_the_first_of_its_chain() {
    #[rustfmt::skip]
    let cases = [
        ("one",                          vec![LEAF],         Some((1_767_225_600, 1_798_761_600))),
        ("with the one that issued it",  vec![LEAF, ISSUER], Some((1_748_779_200, 1_782_863_999))),
        ("after 2050",                   vec![FAR],          Some((2_493_072_000, 2_556_144_000))),
        ("not X.509",                    vec!["aGVsbG8="],   None),
        ("one that reads, one that does not", vec!["aGVsbG8=", LEAF], Some((1_767_225_600, 1_798_761_600))),
        ("cut short",                    vec![&LEAF[..120]], None),
        ("none",                         vec![],             None),
    ];
    every_row(cases, |(name, bodies, want)| {
        let want = want.map(|(from, until)| Validity { from: Some(from), until });
        assert_eq!(of_certificate(&bodies), want, "{name}");
    });
}

#[test]
fn a_token_ends_when_its_claims_say_so() {
    let padded = format!("e30.{}.c2ln", URL_SAFE.encode(r#"{"exp":1798761600}"#));
    #[rustfmt::skip]
    let cases = [
        ("of a service account",   jwt(r#"{"exp":1798761600,"iat":1798758000,"nbf":1798758001,"sub":"system:serviceaccount:a:b"}"#), Some((Some(1_798_758_001), 1_798_761_600))),
        ("no beginning",           jwt(r#"{"exp":1798761600}"#),             Some((None, 1_798_761_600))),
        ("only when it was issued", jwt(r#"{"exp":1798761600,"iat":5}"#),    Some((Some(5), 1_798_761_600))),
        ("a fraction",             jwt(r#"{"exp":1798761600.9}"#),           Some((None, 1_798_761_600))),
        ("padded",                 padded,                                   Some((None, 1_798_761_600))),
        ("no end",                 jwt(r#"{"iat":1798758000}"#),             None),
        ("an end as text",         jwt(r#"{"exp":"1798761600"}"#),           None),
        ("an end before time",     jwt(r#"{"exp":-1}"#),                     None),
        ("an end beyond time",     jwt(r#"{"exp":1e300}"#),                  None),
        ("claims that are a list", jwt("[1798761600]"),                      None),
        ("claims that are no JSON", jwt("exp=1798761600"),                   None),
        ("not base64",             "a.!!!.c".to_owned(),                     None),
        ("two parts",              "e30.e30".to_owned(),                     None),
        ("five parts, encrypted",  "e30.a.b.c.d".to_owned(),                 None),
        ("a static token",         "abcdef.0123456789abcdef".to_owned(),     None),
        ("empty parts",            "..".to_owned(),                          None),
    ];
    every_row(cases, |(name, token, want)| {
        let want = want.map(|(from, until)| Validity { from, until });
        assert_eq!(Auth::Token(Secret(token)).validity(), want, "{name}");
    });
}

#[test]
fn an_end_is_told_of_a_week_before_or_in_the_last_third_of_a_short_life() {
    let (hour, day) = (3600, 86_400);
    #[rustfmt::skip]
    let cases = [
        ("a year",                   Some(0),            365 * day, 358 * day),
        ("three weeks",              Some(0),            21 * day,  14 * day),
        ("a day",                    Some(0),            24 * hour, 16 * hour),
        ("an hour",                  Some(9 * hour),     10 * hour, 9 * hour + 2400),
        ("no beginning",             None,               365 * day, 358 * day),
        ("it ends before it begins", Some(20 * day),     10 * day,  10 * day),
    ];
    every_row(cases, |(name, from, until, want)| assert_eq!(Validity { from, until }.told_from(), want, "{name}"));
}
