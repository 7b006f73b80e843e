//! Who calls: a bearer token, and the tenant that is meant. Pure. X102.
//!
//! A token is not verified here: it only says which namespace is *asked* for, and the API server judges it.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use model::reason::Reason;
use serde_json::Value;

use crate::problem::{Mistake, Problem};
use crate::translate::form::is_label;

/// Longer tokens are no tokens.
const LONGEST: usize = 16 * 1024;
/// What stands before namespace and name of a service account.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who is whose tenant.
#[derive(Clone, Debug, Default)]
pub struct Tenancy {
    /// The claim that says it: a name, or a JSON pointer.
    pub claim: Option<String>,
    /// The tenant of those who say nothing.
    pub default: Option<String>,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What is sent on in his name. Debug does not show it.
    pub authorization: HeaderValue,
    /// The tenant that his token, or else the settings, name.
    pub tenant: Option<String>,
}

impl Caller {
    /// Whoever sends this head.
    ///
    /// Errors: 401 without one bearer token. To an API server, whoever has none is somebody.
    pub fn of(head: &HeaderMap, tenancy: &Tenancy) -> Result<Self, Problem> {
        let mut all = head.get_all(header::AUTHORIZATION).iter();
        let (Some(given), None) = (all.next(), all.next()) else {
            return Err(Problem::nobody(
                "send one header `Authorization: Bearer <token>`, such as of `kubectl create token`",
            ));
        };
        let token = given
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.map(|(_, token)| token.trim()).filter(|token| is_token(token));
        let token = token.ok_or_else(|| Problem::nobody("the header Authorization holds no bearer token"))?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Problem::nobody("the header Authorization holds no bearer token"))?;
        authorization.set_sensitive(true);
        let tenant = claimed(token, tenancy.claim.as_deref()).or_else(|| tenancy.default.clone());
        Ok(Self { authorization, tenant: tenant.filter(|tenant| !tenant.is_empty()) })
    }

    /// The tenant of a request whose query and body name these.
    pub fn tenant(&self, query: Option<&str>, body: Option<&str>) -> Result<String, Mistake> {
        let (named, at) = match (query, body) {
            (Some(query), Some(body)) if query != body => {
                let says = format!("is not the tenant {query:?} of the query: name one");
                return Err(Mistake::at("#/metadata/tenant", Reason::FieldInvalid, says));
            }
            (_, Some(body)) => (Some(body), true),
            (query, None) => (query, false),
        };
        let mistake = |reason, says: &str| {
            if at { Mistake::at("#/metadata/tenant", reason, says) } else { Mistake::of("tenant", reason, says) }
        };
        match named.or(self.tenant.as_deref()) {
            Some(tenant) if is_label(tenant, 63) => Ok(tenant.to_owned()),
            Some(_) => Err(mistake(Reason::FieldInvalid, "must be the name of a namespace")),
            None => {
                Err(mistake(Reason::FieldRequired, "name the tenant, `?tenant=<namespace>`: the token does not say it"))
            }
        }
    }
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.len() <= LONGEST && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a token says of the tenant, if it can be read.
fn claimed(token: &str, claim: Option<&str>) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&BASE64.decode(payload.trim_end_matches('=')).ok()?).ok()?;
    let account = claims["sub"].as_str().and_then(|sub| sub.strip_prefix(SERVICE_ACCOUNT)?.split_once(':'));
    let named = || match claim? {
        pointer if pointer.starts_with('/') => claims.pointer(pointer),
        name => claims.get(name),
    };
    account.map(|(namespace, _)| namespace.to_owned()).or_else(|| named()?.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", BASE64.encode(claims.to_string()))
    }

    fn head(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).expect("a value"))).collect()
    }

    #[test]
    fn x102_only_one_bearer_token_is_somebody() {
        #[rustfmt::skip]
        let cases = [
            (vec!["Bearer abc"],                true), (vec!["bearer abc"],       true),  (vec!["BEARER  abc"],  true),
            (vec![],                            false), (vec![""],                false), (vec!["abc"],          false),
            (vec!["Bearer"],                    false), (vec!["Bearer "],         false), (vec!["Basic abc"],    false),
            (vec!["Bearer a b"],                false), (vec!["Bearer a", "Bearer b"], false),
        ];
        every_row(cases, |(values, good)| {
            let caller = Caller::of(&head(&values), &Tenancy::default());
            assert_eq!(caller.is_ok(), good, "X102: {values:?}");
            if let Ok(caller) = caller {
                assert!(!format!("{caller:?}").contains("abc"), "X102: a token is not shown: {caller:?}");
                assert_eq!(caller.authorization.to_str().ok(), Some("Bearer abc"));
            }
        });
        let long = format!("Bearer {}", "a".repeat(LONGEST + 1));
        assert_eq!(Caller::of(&head(&[&long]), &Tenancy::default()).err().map(|it| it.status), Some(401));
    }

    #[test]
    fn x102_the_tenant_is_what_the_request_says_then_the_token_then_the_setting() {
        let account = token(&json!({"sub": "system:serviceaccount:team-a:alice", "org": "team-b"}));
        let person = token(&json!({"sub": "bob", "org": "team-b", "deep": {"org": "team-c"}}));
        let opaque = "opaque".to_owned();
        #[rustfmt::skip]
        let cases = [
            (&account, None,              None,      None,      None,      Ok("team-a")),
            (&account, Some("org"),       Some("d"), None,      None,      Ok("team-a")),
            (&person,  Some("org"),       Some("d"), None,      None,      Ok("team-b")),
            (&person,  Some("/deep/org"), None,      None,      None,      Ok("team-c")),
            (&person,  Some("none"),      Some("d"), None,      None,      Ok("d")),
            (&person,  None,              None,      None,      None,      Err("tenant")),
            (&opaque,  Some("org"),       None,      None,      None,      Err("tenant")),
            (&opaque,  None,              Some("d"), None,      None,      Ok("d")),
            (&account, None,              None,      Some("q"), None,      Ok("q")),
            (&account, None,              None,      None,      Some("b"), Ok("b")),
            (&account, None,              None,      Some("b"), Some("b"), Ok("b")),
            (&account, None,              None,      Some("q"), Some("b"), Err("#/metadata/tenant")),
            (&account, None,              None,      None,      Some("B"), Err("#/metadata/tenant")),
            (&account, None,              None,      Some("../x"), None,   Err("tenant")),
            (&account, None,              None,      Some("*"), None,      Err("tenant")),
        ];
        every_row(cases, |(token, claim, default, query, body, want)| {
            let tenancy = Tenancy { claim: claim.map(str::to_owned), default: default.map(str::to_owned) };
            let caller = Caller::of(&head(&[&format!("Bearer {token}")]), &tenancy).expect("somebody");
            let got = caller.tenant(query, body).map_err(|it| it.pointer.or(it.parameter).unwrap_or_default());
            assert_eq!(
                got,
                want.map(str::to_owned).map_err(str::to_owned),
                "X102: {claim:?} {default:?} {query:?} {body:?}"
            );
        });
    }
}
