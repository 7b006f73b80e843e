//! From the bytes of a body to a [`Review`], or to a sentence about the field that is wrong (X78).

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_path_to_error::{Path, Segment};

use super::{Kind, NAME, Request, Review, Text, blank};
use crate::findings::ends;
use model::reason::{Reason, Violation};
use model::text::line;

/// Values of a wrong type that are named in one answer.
const MOST: usize = 16;
/// Bytes that are read, and read again without what was wrong, to name them: of a larger body, only the first are named. A
/// Machine of ordinary size has them all named.
const READ: usize = 1 << 20;
/// Most bytes of one path or one error that are repeated.
const SAID: usize = 1024;
/// Longest `request.uid`, which every answer repeats: the API server's has 36 bytes.
const UID: usize = 128;
/// Operations that are admitted whatever they carry.
pub const UNJUDGED: [&str; 2] = ["DELETE", "CONNECT"];

/// The answer to a body that is no review of a Machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecodable {
    /// `request.uid`, when at least that could be read and can be one: without it the API server takes no answer.
    pub uid: Option<String>,
    /// The name of the Machine, as far as it could be read.
    pub name: String,
    /// What has a wrong type, and where.
    pub violations: Vec<Violation>,
    /// The body without the values of a wrong type, where the rest of it can be read.
    pub(crate) rest: Option<String>,
}

/// Reads a review. Only when that fails the body is read again, with every step noted, to name the fields.
pub fn decode(body: &[u8]) -> Result<Review<'_>, Undecodable> {
    // That the body is UTF-8 is checked once for all of it, and not for each of its strings.
    let review = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str(text).ok());
    let review: Review<'_> = review.or_else(|| unjudged(body)).ok_or_else(|| undecodable(body))?;
    match review.request.uid.len() {
        ..=UID => Ok(review),
        length => Err(endless(length)),
    }
}

/// The review of an operation that is not judged, whatever objects it carries.
fn unjudged(body: &[u8]) -> Option<Review<'_>> {
    let Envelope { request } = serde_json::from_slice::<Envelope<'_, IgnoredAny>>(body).ok()?;
    let (kind, namespace) = (Kind::default(), Text::default());
    let Identified { uid, operation, name, .. } = request;
    let (object, old_object, user_info, dry_run) = (None, None, None, None);
    UNJUDGED.contains(&&*operation).then_some(Review {
        request: Request { uid, kind, name, namespace, operation, object, old_object, user_info, dry_run },
    })
}

fn endless(length: usize) -> Undecodable {
    let says = format!("Too long: {length} bytes: must have at most {UID}");
    let violations = vec![Reason::TypeInvalid.at("request.uid").says(says)];
    Undecodable { uid: None, name: String::new(), violations, rest: None }
}

/// What is needed to answer, read as leniently as can be.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Named<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    generate_name: Text<'a>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "M: Deserialize<'de>"))]
struct Envelope<'a, M> {
    #[serde(borrow)]
    request: Identified<'a, M>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "M: Deserialize<'de>"))]
struct Identified<'a, M> {
    #[serde(borrow)]
    uid: Text<'a>,
    #[serde(borrow, default)]
    operation: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(default = "Option::default")]
    object: Option<M>,
}

#[derive(Deserialize)]
struct Machine<'a> {
    #[serde(borrow, default)]
    metadata: Named<'a>,
}

fn identified(body: &[u8]) -> (Option<Text<'_>>, String) {
    if let Ok(Envelope { request }) = serde_json::from_slice::<Envelope<'_, Machine<'_>>>(body) {
        let Named { name, generate_name } = request.object.map(|object| object.metadata).unwrap_or_default();
        let names = [(request.name, ""), (name, ""), (generate_name, "*")];
        let name = names.into_iter().find(|(name, _)| !name.is_empty());
        return (Some(request.uid), name.map(|(name, ends)| line(&name, NAME) + ends).unwrap_or_default());
    }
    let known = serde_json::from_slice::<Envelope<'_, IgnoredAny>>(body).ok().map(|envelope| envelope.request);
    known.map_or((None, String::new()), |request| (Some(request.uid), line(&request.name, NAME)))
}

fn undecodable(body: &[u8]) -> Undecodable {
    let (uid, name) = identified(body);
    let uid = match uid {
        Some(uid) if uid.len() > UID => return endless(uid.len()),
        uid => uid.map(|uid| uid.to_string()),
    };
    let only = |says: &str| vec![Reason::TypeInvalid.at("").says(says)];
    let mut violations: Vec<Violation> = Vec::new();
    let Ok(text) = std::str::from_utf8(body) else {
        return Undecodable { uid, name, violations: only("the AdmissionReview is not UTF-8"), rest: None };
    };
    let most = (READ / text.len().max(1)).clamp(1, MOST);
    let mut rest = Cow::Borrowed(text);
    for left in (0..most).rev() {
        let mut from = serde_json::Deserializer::from_str(&rest);
        let error = match serde_path_to_error::deserialize::<_, Review<'_>>(&mut from) {
            Ok(_) if violations.is_empty() => {
                let says = "the AdmissionReview ends in data that does not belong to it";
                return Undecodable { uid, name, violations: only(says), rest: None };
            }
            Ok(_) => return Undecodable { uid, name, violations, rest: Some(rest.into_owned()) },
            Err(error) => error,
        };
        let (path, said) = (error.path().to_string(), error.inner().to_string());
        let said = ends(&said, SAID);
        let shown = ends(path.strip_prefix("request.object.").unwrap_or(&path), SAID).into_owned();
        if violations.iter().any(|known| known.path == shown) {
            break;
        }
        let mut says = plain(&said) + meant(&shown, &said);
        let is_ours = path.starts_with("request.object.");
        if is_ours && left == 0 && most < MOST {
            says.push_str(
                "; there may be more mistakes: a Machine as large as this one is not searched for all of them",
            );
        }
        violations.push(Reason::TypeInvalid.at(shown.as_str()).says(says));
        let next = if is_ours && left > 0 { without(&rest, error.path()) } else { None };
        match next {
            Some(next) => rest = Cow::Owned(next),
            None => break,
        }
    }
    Undecodable { uid, name, violations, rest: None }
}

/// The body with null in place of the value at a path.
fn without(body: &str, path: &Path) -> Option<String> {
    let steps = path.iter().map(|segment| match segment {
        Segment::Map { key } => Some(blank::Step::Key(key)),
        Segment::Seq { index } => Some(blank::Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let steps: Option<Vec<_>> = steps.collect();
    blank::blank(body, &steps?)
}

/// The field that was meant by one that is often mistaken for it.
fn meant(path: &str, said: &str) -> &'static str {
    match path {
        "spec.memory" if said.contains("string") => ": a quantity belongs into spec.resources.memory.size",
        "spec.cpu" => ": a number of cores belongs into spec.resources.cpu.cores",
        _ if path.ends_with("].sizeGB") && said.contains("string") => ": a quantity belongs into size",
        _ => "",
    }
}

/// serde's sentence in the words of the author of a manifest, who knows neither `i64` nor the body's columns.
fn plain(error: &str) -> String {
    let sentence = error.rsplit_once(" at line ").map_or(error, |(sentence, _)| sentence);
    let sentence =
        sentence.replace("expected i64", "expected an integer").replace("expected a sequence", "expected a list");
    // What follows is the name of a type of ours.
    let sentence = match sentence.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected an object"),
        None => sentence,
    };
    format!("Invalid type: {}", sentence.strip_prefix("invalid type: ").unwrap_or(&sentence))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
