//! Bodies that are all list: little of them is kept, and the answer says what is too many.

use admission::review::Object;
use model::patch;

use super::*;
use crate::table::every_row;

/// As much as the API server lets through.
const BODY: usize = 3 << 20;

/// An object of about [`BODY`] bytes, with `{}` in its text replaced by the entry as often as it takes.
fn full(object: &str, entry: &str) -> (String, usize) {
    let count = BODY / (entry.len() + 1);
    (object.replacen("{}", &vec![entry; count].join(","), 1), count)
}

type Row = (&'static str, &'static str, &'static str, usize, &'static str, fn(&Object<'_>) -> usize);

#[test]
#[rustfmt::skip]
fn t16_of_a_list_without_end_little_is_kept_and_the_refusal_names_it() {
    let world = world(&["east"]);
    let cases: [Row; 9] = [
        ("disks",      r#"{"spec":{"template":"small","disks":[{}]}}"#,     "{}", 256, "spec.disks",      |it| it.spec.disks.as_ref().map_or(0, |list| list.len())),
        ("networks",   r#"{"spec":{"template":"small","networks":[{}]}}"#,  "{}", 256, "spec.networks",   |it| it.spec.networks.as_ref().map_or(0, |list| list.len())),
        ("sshKeys",    r#"{"spec":{"template":"small","sshKeys":[{}]}}"#,   "\"\"", 256, "spec.sshKeys",  |it| it.spec.ssh_keys.as_ref().map_or(0, |list| list.len())),
        ("bootOrder",  r#"{"spec":{"template":"small","bootOrder":[{}]}}"#, "\"\"", 3, "spec.bootOrder", |it| it.spec.boot_order.as_ref().map_or(0, |list| list.len())),
        ("finalizers", r#"{"metadata":{"finalizers":[{}]},"spec":{"template":"small"}}"#, "\"\"", 64, "metadata.finalizers", |it| it.metadata.finalizers.as_ref().map_or(0, |list| list.len())),
        ("expressions", r#"{"spec":{"template":"small","clusterSelector":{"matchExpressions":[{}]}}}"#, r#"{"key":"","operator":""}"#, 64,
            "spec.clusterSelector.matchExpressions", |it| it.spec.cluster_selector.as_ref().map_or(0, |it| it.match_expressions.len())),
        ("values",     r#"{"spec":{"template":"small","clusterSelector":{"matchExpressions":[{"key":"a","operator":"In","values":[{}]}]}}}"#, "\"\"", 256,
            "spec.clusterSelector.matchExpressions[0].values", |it| it.spec.cluster_selector.as_ref().map_or(0, |it| it.match_expressions[0].values.len())),
        ("labels",     r#"{"spec":{"template":"small","clusterSelector":{"matchLabels":{{}}}}}"#, r#""a":"b""#, 256,
            "spec.clusterSelector.matchLabels", |it| it.spec.cluster_selector.as_ref().map_or(0, |it| it.match_labels.len())),
        ("escaped labels", r#"{"spec":{"template":"small","clusterSelector":{"matchLabels":{"x":"y",{}}}}}"#, r#""\u0061":"b""#, 256,
            "spec.clusterSelector.matchLabels", |it| it.spec.cluster_selector.as_ref().map_or(0, |it| it.match_labels.len())),
    ];
    every_row(cases, |(case, object, entry, most, path, kept)| {
        let (object, count) = full(object, entry);
        let count = count + usize::from(object.contains(r#""x":"y""#));
        let body = whole(&object);
        let review = decode(body.as_bytes()).unwrap_or_else(|why| panic!("{case}: {why:?}"));
        let found = kept(review.request.object.as_ref().expect("an object"));
        assert!((1..=most + 1).contains(&found), "{case}: {found} kept");
        let Verdict::Refuse(wrong) = decide(&review.request, &world) else { panic!("{case}: admitted") };
        let found: Vec<_> = wrong.iter().map(|it| (it.reason, it.path.as_str(), it.message.as_str())).collect();
        let says = format!("Too many: {count}: must have at most {most} items");
        assert_eq!(found, [(Reason::FieldInvalid, path, says.as_str())], "{case}");
    });
}

#[test]
fn t16_of_patches_and_of_unknown_fields_without_end_little_is_kept() {
    let world = world(&["east"]);
    let (object, _) = full(
        r#"{"metadata":{"name":"web","annotations":{{}}},"spec":{"template":"small"}}"#,
        r#""platform.kubevirt.io/mode":"managed""#,
    );
    let body = whole(&object);
    let review = decode(body.as_bytes()).expect("a review");
    let annotations = review.request.object.as_ref().and_then(|it| it.metadata.annotations.as_ref());
    assert_eq!(annotations.map(|all| all.patches.len()), Some(patch::ANNOTATIONS + 1));
    let Verdict::Refuse(wrong) = decide(&review.request, &world) else { panic!("admitted") };
    assert_eq!(first(&wrong), (Reason::PatchInvalid, "metadata.annotations"));
    assert!(wrong[0].message.contains("more than 1542 annotations about patches"), "{wrong:?}");

    let (object, _) = full(r#"{"metadata":{"name":"web"},"spec":{"template":"small",{}}}"#, r#""x":1"#);
    let body = whole(&object);
    let review = decode(body.as_bytes()).expect("a review");
    assert_eq!(review.request.object.as_ref().map(|it| it.spec.rest.len()), Some(32));
    assert!(matches!(decide(&review.request, &world), Verdict::Admit(_)), "unknown fields are no mistake");
}

#[test]
fn t16_a_list_of_the_greatest_length_is_kept_whole() {
    let keys: Vec<String> = (0..256).map(|at| format!("ssh-ed25519 AAAA{at}")).collect();
    let object = machine(json!({"template": "small", "sshKeys": keys})).to_string();
    let body = whole(&object);
    let review = decode(body.as_bytes()).expect("a review");
    let spec = &review.request.object.as_ref().expect("an object").spec;
    assert_eq!(spec.ssh_keys.as_ref().map(|keys| (keys.len(), keys.excess())), Some((256, None)));
    assert!(matches!(decide(&review.request, &world(&["east"])), Verdict::Admit(_)));
}

#[test]
fn atk2_a_name_that_no_api_server_lets_through_is_neither_repeated_nor_remembered() {
    let endless = "x".repeat(BODY);
    let object = |metadata: &str| format!(r#"{{"metadata":{{{metadata}}},"spec":{{"template":"small"}}}}"#);
    let plain = whole(&object(r#""name":"web""#));
    #[rustfmt::skip]
    let cases = [
        ("request.namespace",     plain.replace("\"default\"", &format!("\"{endless}\"")),                "web"),
        ("request.name",          plain.replace("\"uid\"", &format!("\"name\":\"{endless}\",\"uid\"")), "web"),
        ("metadata.name",         whole(&object(&format!(r#""name":"{endless}""#))),                      &endless[..253]),
        ("metadata.generateName", whole(&object(&format!(r#""generateName":"{endless}""#))),              &(endless[..253].to_owned() + "*")),
    ];
    every_row(cases, |(path, body, called)| {
        let review = decode(body.as_bytes()).unwrap_or_else(|why| panic!("{path}: {why:?}"));
        let Verdict::Refuse(wrong) = decide(&review.request, &world(&["east"])) else { panic!("{path}: admitted") };
        let found: Vec<_> = wrong.iter().map(|it| (it.path.as_str(), it.message.as_str())).collect();
        assert_eq!(found, [(path, format!("Too long: {BODY} bytes: must have at most 253").as_str())]);
        assert_eq!(review.request.called(), called, "{path}");
    });
}

fn whole(object: &str) -> String {
    format!(
        r#"{{"request":{{"uid":"u","operation":"CREATE","namespace":"default","kind":{{"group":"vitistack.io","kind":"Machine"}},"object":{object}}}}}"#
    )
}
