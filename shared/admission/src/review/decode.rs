//! From the bytes of a body to a [`Review`], or to a sentence about the field that is wrong (X78).

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};

use super::{Review, blank};
use model::reason::{Reason, Violation};

/// Values of a wrong type that are named in one answer.
const MOST: usize = 16;

/// The answer to a body that is no review of a Machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecodable {
    /// `request.uid`, when at least that could be read: without it the API server takes no answer.
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
    review.ok_or_else(|| undecodable(body))
}

/// What is needed to answer, read as leniently as can be.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Named {
    name: String,
    generate_name: String,
}

#[derive(Deserialize)]
struct Envelope<M> {
    request: Identified<M>,
}

#[derive(Deserialize)]
struct Identified<M> {
    uid: String,
    #[serde(default)]
    name: String,
    #[serde(default = "Option::default")]
    object: Option<M>,
}

#[derive(Deserialize)]
struct Machine {
    #[serde(default)]
    metadata: Named,
}

fn identified(body: &[u8]) -> (Option<String>, String) {
    if let Ok(Envelope { request }) = serde_json::from_slice::<Envelope<Machine>>(body) {
        let Named { name, generate_name } = request.object.map(|object| object.metadata).unwrap_or_default();
        let names = [request.name, name, if generate_name.is_empty() { generate_name } else { generate_name + "*" }];
        return (Some(request.uid), names.into_iter().find(|name| !name.is_empty()).unwrap_or_default());
    }
    let known = serde_json::from_slice::<Envelope<serde::de::IgnoredAny>>(body).ok().map(|envelope| envelope.request);
    known.map_or((None, String::new()), |request| (Some(request.uid), request.name))
}

fn undecodable(body: &[u8]) -> Undecodable {
    let (uid, name) = identified(body);
    let only = |says: &str| vec![Reason::TypeInvalid.at("").says(says)];
    let mut violations = Vec::new();
    let Ok(text) = std::str::from_utf8(body) else {
        return Undecodable { uid, name, violations: only("the AdmissionReview is not UTF-8"), rest: None };
    };
    let mut rest = text.to_owned();
    while violations.len() < MOST {
        let mut from = serde_json::Deserializer::from_str(&rest);
        let error = match serde_path_to_error::deserialize::<_, Review<'_>>(&mut from) {
            Ok(_) if violations.is_empty() => {
                let says = "the AdmissionReview ends in data that does not belong to it";
                return Undecodable { uid, name, violations: only(says), rest: None };
            }
            Ok(_) => return Undecodable { uid, name, violations, rest: Some(rest) },
            Err(error) => error,
        };
        let (path, said) = (error.path().to_string(), error.inner().to_string());
        let shown = path.strip_prefix("request.object.").unwrap_or(&path).to_owned();
        if violations.iter().any(|known: &Violation| known.path == shown) {
            break;
        }
        let without = if path == shown { None } else { without(&rest, error.path()) };
        violations.push(Reason::TypeInvalid.at(shown.as_str()).says(plain(&said) + meant(&shown, &said)));
        match without {
            Some(next) => rest = next,
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
mod tests {
    use std::borrow::Cow;

    use model::names;

    use super::super::Text;
    use super::*;
    use crate::table::every_row;

    fn body(object: &str) -> String {
        format!(
            r#"{{"request":{{"uid":"u1","kind":{{"group":"vitistack.io","kind":"Machine"}},"operation":"CREATE","object":{object}}}}}"#
        )
    }

    #[test]
    fn x78_a_wrong_type_is_answered_with_path_found_and_expected() {
        #[rustfmt::skip]
        let cases = [
            (r#"{"spec":{"template":7}}"#,                     "spec.template",          "integer `7`, expected a string"),
            (r#"{"spec":{"disks":"big"}}"#,                    "spec.disks",             "string \"big\", expected a list"),
            (r#"{"spec":{"disks":[{},{"size":true}]}}"#,       "spec.disks[1].size",     "boolean `true`, expected a quantity such as \"20Gi\""),
            (r#"{"spec":{"resources":{"cpu":{"cores":"4"}}}}"#, "spec.resources.cpu.cores", "string \"4\", expected an integer"),
            (r#"{"spec":{"memory":"8Gi"}}"#,                   "spec.memory",            "string \"8Gi\", expected an integer: a quantity belongs into spec.resources.memory.size"),
            (r#"{"spec":{"cpu":4}}"#,                          "spec.cpu",               "integer `4`, expected an object: a number of cores belongs into spec.resources.cpu.cores"),
            (r#"{"spec":{"disks":[{"sizeGB":"20Gi"}]}}"#,      "spec.disks[0].sizeGB",   "string \"20Gi\", expected an integer: a quantity belongs into size"),
            (r#"{"spec":{"cpu":{"threadsPerCore":1.5}}}"#,     "spec.cpu.threadsPerCore", "floating point `1.5`, expected an integer"),
            (r#"{"spec":{"cloudInit":{"userData":7}}}"#,       "spec.cloudInit.userData", "integer `7`, expected a string"),
            (r#"{"spec":{"userData":["a"]}}"#,                 "spec.userData",          "sequence, expected a string"),
            (r#"{"spec":{"networks":[{"name":"a","macAddress":{}}]}}"#, "spec.networks[0].macAddress", "map, expected a string"),
            (r#"{"spec":{"bootOrder":"disk"}}"#,               "spec.bootOrder",         "string \"disk\", expected a list"),
            (r#"{"spec":{"domain":{"features":{"smm":"on"}}}}"#, "spec.domain.features.smm", "string \"on\", expected a boolean"),
            (r#"{"spec":{"clusterSelector":{"matchLabels":{"a":1}}}}"#, "spec.clusterSelector.matchLabels.a", "integer `1`, expected a string"),
            (r#"{"spec":{"clusterSelector":{"matchExpressions":[{"operator":"In"}]}}}"#, "spec.clusterSelector.matchExpressions[0]", "missing field `key`"),
            (r#"{"spec":{"kubevirtConfigRef":"east"}}"#,       "spec.kubevirtConfigRef", "Invalid type: string \"east\", expected an object"),
            (r#"{"spec":[]}"#,                                 "spec",                   "sequence, expected an object"),
            (r#"{"metadata":{"annotations":{"vitistack.io/kubevirt-config":1}}}"#, "metadata.annotations.vitistack.io/kubevirt-config", "integer `1`, expected a string"),
        ];
        every_row(cases, |(object, path, says)| {
            let wrong = decode(body(object).as_bytes()).expect_err(object);
            assert_eq!(wrong.uid.as_deref(), Some("u1"), "{object}");
            let [violation] = wrong.violations.as_slice() else { panic!("{object}: {wrong:?}") };
            assert_eq!(violation.path, path, "{object}");
            assert!(violation.message.ends_with(says), "{object}: {}", violation.message);
        });
    }

    #[test]
    fn fr21_a_wrong_type_names_its_machine() {
        let cases = [
            (r#"{"metadata":{"generateName":"web-"},"spec":{"memory":"8Gi"}}"#, "web-*"),
            (r#"{"metadata":{"name":"web"},"spec":[]}"#, "web"),
            (r#"{"metadata":{"name":7}}"#, ""),
        ];
        every_row(cases, |(object, name)| {
            assert_eq!(decode(body(object).as_bytes()).expect_err(object).name, name, "{object}");
        });
    }

    #[test]
    fn what_is_no_review_has_no_uid() {
        every_row(["", "{", "[]", "{\"request\":{}}", "null", "\u{0}", "{\"request\":{\"uid\":3}}"], |body| {
            assert_eq!(decode(body.as_bytes()).expect_err(body).uid, None, "{body}");
        });
    }

    #[test]
    fn strings_are_borrowed_and_unknown_keys_are_remembered() {
        let body = body(
            r#"{"spec":{"template":"small","backup":{"enabled":true},"vpc":null,"tags":{},"monitoring":false,"disks":[{"name":"a","iops":300,"type":"ssd"}]}}"#,
        );
        let review = decode(body.as_bytes()).expect("a review");
        let spec = review.request.object.expect("an object").spec;
        assert!(matches!(spec.template, Some(Text(Cow::Borrowed("small")))));
        assert_eq!(spec.rest, [Text("backup".into())], "null and empty say nothing");
        assert_eq!(spec.disks.expect("disks")[0].rest, [Text("type".into())]);
    }

    #[test]
    fn the_annotation_keys_are_those_of_names() {
        let keys =
            [names::KUBEVIRT_CONFIG, names::PLACEMENT, names::RESOLVED, names::REFRESH_CLASS, names::DELETION_POLICY];
        let annotations = keys.map(|key| format!("\"{key}\":\"{key}\"")).join(",");
        let body = body(&format!(
            r#"{{"metadata":{{"annotations":{{{annotations}}},"labels":{{"{0}":"{0}"}}}}}}"#,
            names::TEMPLATE_LABEL
        ));
        let metadata = decode(body.as_bytes()).expect("a review").request.object.expect("an object").metadata;
        let read = metadata.annotations.expect("annotations");
        let read = [read.kubevirt_config, read.placement, read.resolved, read.refresh_class, read.deletion_policy];
        assert_eq!(read.map(|text| text.map(|text| text.to_string())), keys.map(|key| Some(key.to_owned())));
        assert_eq!(metadata.labels.expect("labels").template, Some(Text(names::TEMPLATE_LABEL.into())));
    }
}
