//! How long credentials are good, by what they say of themselves. Pure. They are read and not believed: a cluster may refuse
//! them at any time, and only warnings follow from this.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::{Auth, pem};

/// The end of the year 9999: what is later has no end that anybody could act on.
const LAST: i64 = 253_402_300_799;
/// How long before their end credentials are told of.
const WEEK: i64 = 7 * 24 * 60 * 60;

/// When credentials begin and cease to be good, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The beginning, if they say it.
    pub from: Option<i64>,
    /// The end.
    pub until: i64,
}

impl Validity {
    /// From when on their end is told of: a week before it, and for such as live less than three weeks, which somebody renews
    /// all the time, in the last third of their life.
    pub fn told_from(&self) -> i64 {
        let third = self.from.map_or(WEEK, |from| self.until.saturating_sub(from).max(0) / 3);
        self.until - third.min(WEEK)
    }
}

impl Auth {
    /// How long these credentials are good; `None` if they do not say it.
    pub fn validity(&self) -> Option<Validity> {
        match self {
            Auth::Token(token) => of_token(token.expose()),
            Auth::ClientCert { cert_pem, .. } => of_certificates(cert_pem),
        }
    }
}

/// What is read of a JWT. Times are numbers, which may have fractions (RFC 7519, NumericDate).
#[derive(Deserialize)]
struct Claims {
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

/// Of a token that is a JWT.
fn of_token(token: &str) -> Option<Validity> {
    let mut parts = token.split('.');
    let (_head, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let Claims { exp, nbf, iat } = serde_json::from_slice(&payload).ok()?;
    Some(Validity { from: nbf.or(iat).and_then(seconds), until: seconds(exp)? })
}

fn seconds(time: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "within these bounds nothing is lost"
    )]
    (0.0..=LAST as f64).contains(&time).then_some(time as i64)
}

/// Of a certificate and those that it rests on: the first end counts.
fn of_certificates(pem: &[u8]) -> Option<Validity> {
    let chain = pem::certificates(pem).into_iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let validity = certificate.validity();
        Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
    });
    let (from, until) = chain.min_by_key(|(_, until)| *until)?;
    (0..=LAST).contains(&until).then_some(Validity { from: Some(from), until })
}

#[cfg(test)]
#[path = "validity_tests.rs"]
mod tests;
