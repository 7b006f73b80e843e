//! From the bytes of a body to a [`Review`], or to a sentence about the field that is wrong (X78).

use serde::Deserialize;

use super::Review;
use model::reason::{Reason, Violation};

/// The answer to a body that is no review of a Machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecodable {
    /// `request.uid`, when at least that could be read: without it the API server takes no answer.
    pub uid: Option<String>,
    /// What is wrong, and where.
    pub violation: Violation,
}

/// Reads a review. Only when that fails the body is read a second time, with every step noted, to name the field.
pub fn decode(body: &[u8]) -> Result<Review<'_>, Undecodable> {
    // That the body is UTF-8 is checked once for all of it, and not for each of its strings.
    let review = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str(text).ok());
    review.ok_or_else(|| undecodable(body))
}

fn undecodable(body: &[u8]) -> Undecodable {
    #[derive(Deserialize)]
    struct Envelope {
        request: Identified,
    }
    #[derive(Deserialize)]
    struct Identified {
        uid: String,
    }
    let uid = serde_json::from_slice::<Envelope>(body).ok().map(|envelope| envelope.request.uid);
    let mut from = serde_json::Deserializer::from_slice(body);
    let violation = match serde_path_to_error::deserialize::<_, Review<'_>>(&mut from) {
        Ok(_) if std::str::from_utf8(body).is_err() => {
            Reason::TypeInvalid.at("").says("the AdmissionReview is not UTF-8")
        }
        Ok(_) => Reason::TypeInvalid.at("").says("the AdmissionReview ends in data that does not belong to it"),
        Err(error) => {
            let path = error.path().to_string();
            let path = path.strip_prefix("request.object.").unwrap_or(&path);
            Reason::TypeInvalid.at(path).says(plain(&error.inner().to_string()))
        }
    };
    Undecodable { uid, violation }
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

    use super::super::Text;
    use super::*;
    use model::names;

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
        for (object, path, says) in cases {
            let wrong = decode(body(object).as_bytes()).expect_err(object);
            assert_eq!(wrong.uid.as_deref(), Some("u1"), "{object}");
            assert_eq!(wrong.violation.path, path, "{object}");
            assert!(wrong.violation.message.ends_with(says), "{object}: {}", wrong.violation.message);
        }
    }

    #[test]
    fn what_is_no_review_has_no_uid() {
        for body in ["", "{", "[]", "{\"request\":{}}", "null", "\u{0}", "{\"request\":{\"uid\":3}}"] {
            assert_eq!(decode(body.as_bytes()).expect_err(body).uid, None, "{body}");
        }
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
