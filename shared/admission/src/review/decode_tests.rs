//! What is no review, and what the answer says about it.

use std::borrow::Cow;

use model::names;

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

/// A Machine with so many values of a wrong type, and labels that make its review so large.
fn wrong_in(values: usize, bytes: usize) -> String {
    let disks: Vec<String> = (0..values).map(|at| format!(r#"{{"name":"d{at}","sizeGB":"x"}}"#)).collect();
    let labels: Vec<String> = (0..bytes / 26).map(|at| format!(r#""label-{at:010}":"{at:04}""#)).collect();
    body(&format!(r#"{{"metadata":{{"labels":{{{}}}}},"spec":{{"disks":[{}]}}}}"#, labels.join(","), disks.join(",")))
}

#[test]
fn atk2_the_larger_a_body_is_the_less_often_it_is_read() {
    // Each time that it is read, one mistake is found, or that there are no more: then the rest of it is judged, too.
    #[rustfmt::skip]
    let cases = [
        (17,    1_000, 16, false),
        (15,   60_000, 15, true),
        (17,   60_000, 16, false),
        (17,  240_000,  4, false),
        ( 3,  240_000,  3, true),
        (17,  600_000,  1, false),
        (17, 2_000_000, 1, false),
        (17, 6_000_000, 1, false),
        ( 1, 6_000_000, 1, false),
    ];
    every_row(cases, |(values, bytes, named, whole)| {
        let text = wrong_in(values, bytes);
        let wrong = decode(text.as_bytes()).expect_err("numbers are no texts");
        let case = format!("{values} in {} bytes", text.len());
        assert_eq!((wrong.violations.len(), wrong.rest.is_some()), (named, whole), "{case}");
        let last = &wrong.violations[named - 1];
        assert_eq!(last.path, format!("spec.disks[{}].sizeGB", named - 1), "{case}");
        let incomplete = last.message.contains("; there may be more mistakes: a Machine as large as this one");
        assert_eq!(incomplete, named < 15 && !whole, "{case}: {}", last.message);
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

#[test]
fn atk2_a_uid_that_no_api_server_makes_is_not_repeated() {
    let with = |uid: &str, spec: &str| body(&format!(r#"{{"spec":{spec}}}"#)).replace("u1", uid);
    let (longest, longer) = ("u".repeat(128), "u".repeat(129));
    assert_eq!(decode(with(&longest, "{}").as_bytes()).expect("a review").request.uid.len(), 128);
    every_row([("{}", ""), ("[]", ""), ("{}", "\\n"), ("[]", "\\n")], |(spec, escape)| {
        let wrong = decode(with(&(longer.clone() + escape), spec).as_bytes()).expect_err(spec).violations;
        let [violation] = wrong.as_slice() else { panic!("{spec}: {wrong:?}") };
        let says = format!("Too long: {} bytes: must have at most 128", 129 + usize::from(!escape.is_empty()));
        assert_eq!((violation.path.as_str(), &violation.message), ("request.uid", &says), "{spec}");
        assert_eq!(decode(with(&longer, spec).as_bytes()).expect_err(spec).uid, None, "{spec}");
    });
}

#[test]
fn atk2_of_a_long_value_and_of_a_long_path_both_ends_are_said() {
    let endless = "x".repeat(6 << 20);
    let value = decode(body(&format!(r#"{{"spec":{{"bootOrder":"{endless}"}}}}"#)).as_bytes()).expect_err("no list");
    let says = &value.violations[0].message;
    assert!(
        says.starts_with("Invalid type: string \"xxx") && says.contains("xxx\", expected a list; there may be more"),
        "{}",
        says.len()
    );
    assert!(says.len() < 1200, "{}", says.len());
    let labels = format!(r#"{{"spec":{{"clusterSelector":{{"matchLabels":{{"{endless}":1}}}}}}}}"#);
    let path = &decode(body(&labels).as_bytes()).expect_err("no string").violations[0].path;
    assert!(path.starts_with("spec.clusterSelector.matchLabels.xxx") && path.len() < 1200, "{}", path.len());
}
