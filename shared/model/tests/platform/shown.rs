//! The Events of the baseline: which changes are told, in which words, and how many.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use model::api::{PlatformAsset, PlatformStatus};
use model::platform::snapshot::Mode;
use model::platform::state::{State, Step};
use model::platform::status::{news, wrote};
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{at, key};

fn status(mode: Mode, states: &[(&str, State)]) -> PlatformStatus {
    let asset = |(name, state): &(&str, State)| PlatformAsset {
        name: (*name).to_owned(),
        object: Some(format!("A {name}")),
        state: state.name().to_owned(),
        message: Some("why".to_owned()),
        since: Some(Time(at(0))),
    };
    let assets = states.iter().map(asset).collect();
    PlatformStatus { mode: Some(mode.name().to_owned()), assets, ..PlatformStatus::default() }
}

fn said(previous: Option<&PlatformStatus>, next: &PlatformStatus) -> Vec<String> {
    news(previous, Some(next)).into_iter().map(|(reason, says)| format!("{}: {says}", reason.code())).collect()
}

#[test]
fn x88_p13_a_change_of_state_is_told_once_and_a_write_is_not_told_twice() {
    use Mode::{Audit, Enforce};
    use State::{
        Applied, DependencyMissing, Differs, Excluded, Foreign, Missing, Paused, Refused, Throttled, Unknown, Withheld,
    };
    #[rustfmt::skip]
    let rows = [
        ("new: as it should be",      Enforce, None,                    Applied,           None),
        ("new: withheld",             Enforce, None,                    Withheld,          None),
        ("new: a stranger's",         Enforce, None,                    Foreign,           Some("AssetIncomplete: a (A a) is Foreign: why")),
        ("new: differs in Audit",     Audit,   None,                    Differs,           Some("AssetDiffers: a (A a) is Differs: why")),
        ("nothing changed",           Enforce, Some(Refused),           Refused,           None),
        ("it was written",            Enforce, Some(Missing),           Applied,           None),
        ("it waited and was written", Enforce, Some(Throttled),         Applied,           None),
        ("it is about to be written", Enforce, Some(Applied),           Differs,           None),
        ("somebody changed it",       Audit,   Some(Applied),           Differs,           Some("AssetDiffers: a (A a) is Differs, was Applied: why")),
        ("somebody set it right",     Audit,   Some(Differs),           Applied,           Some("AssetChanged: a (A a) is Applied, was Differs: why")),
        ("it was refused",            Enforce, Some(Applied),           Refused,           Some("AssetIncomplete: a (A a) is Refused, was Applied: why")),
        ("it is as it should be again", Enforce, Some(Refused),         Applied,           Some("AssetChanged: a (A a) is Applied, was Refused: why")),
        ("its turn came",             Enforce, Some(Withheld),          Applied,           Some("AssetChanged: a (A a) is Applied, was Withheld: why")),
        ("it was excluded",           Enforce, Some(Applied),           Excluded,          Some("AssetChanged: a (A a) is Excluded, was Applied: why")),
        ("its operator went",         Enforce, Some(Applied),           DependencyMissing, Some("AssetChanged: a (A a) is DependencyMissing, was Applied: why")),
        ("a pause has its own Event", Enforce, Some(Applied),           Paused,            None),
        ("a pause ended",             Enforce, Some(Paused),            Applied,           Some("AssetChanged: a (A a) is Applied, was Paused: why")),
        ("the cluster is silent",     Enforce, Some(Applied),           Unknown,           None),
        ("and answers again",         Enforce, Some(Unknown),           Applied,           None),
    ];
    every_row(rows, |(name, mode, before, now, want)| {
        let before = before.map(|before| status(mode, &[("a", before)]));
        let got = said(before.as_ref(), &status(mode, &[("a", now)]));
        assert_eq!(got.first().map(String::as_str), want, "{name}");
        assert_eq!(got.len(), usize::from(want.is_some()), "{name}");
    });
}

#[test]
fn p13_many_changes_are_few_events_and_what_is_wrong_comes_first() {
    let names: Vec<String> = (0..20).map(|index| format!("a{index}")).collect();
    let all = |state| names.iter().map(|name| (name.as_str(), state)).collect::<Vec<_>>();
    let mut now = all(State::Excluded);
    now[19].1 = State::Failed;
    let got = said(Some(&status(Mode::Enforce, &all(State::Applied))), &status(Mode::Enforce, &now));
    assert_eq!(got.len(), 6);
    assert_eq!(got[0], "AssetIncomplete: a19 (A a19) is Failed, was Applied: why");
    assert!(got[5].ends_with("; 14 more changed: see status.platform.assets"), "{}", got[5]);
}

#[test]
fn p18_turning_the_baseline_off_says_once_what_stays() {
    let on = status(Mode::Enforce, &[("a", State::Applied)]);
    let mut off = status(Mode::Off, &[]);
    assert_eq!(said(Some(&on), &off), ["PlatformOff: the platform baseline is off"]);
    off.left = (0..10).map(|index| format!("A a{index}")).collect();
    let says = "PlatformOff: the platform baseline is off, and nothing is deleted: the cluster keeps A a0, A a1, A a2, A a3, A a4, A a5, A a6, A a7 and 2 more";
    assert_eq!(said(Some(&on), &off), [says]);
    assert_eq!(said(Some(&off), &off), [""; 0]);
    assert_eq!(news(Some(&on), None), [], "nothing is said of nothing");
}

/// A KubeDescheduler that somebody changed with `kubectl edit` after it was written.
fn edited() -> Value {
    let fields = json!({"f:spec": {"f:mode": {}}});
    json!({
        "metadata": {
            "name": "cluster",
            "annotations": {"vitistack.io/last-applied": "{\"spec\":{\"mode\":\"Automatic\"}}"},
            "managedFields": [
                {"manager": "kubevirt-operator", "time": "2026-03-01T00:00:00Z", "fieldsV1": fields},
                {"manager": "an-old-one", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields},
                {"manager": "kubectl-edit\u{1b}", "time": "2026-02-01T00:00:00Z", "fieldsV1": fields},
                {"manager": "another", "time": "2026-02-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:other": {}}}},
            ],
        },
        "spec": {"mode": "Predictive"},
    })
}

#[test]
fn x88_an_event_of_a_write_names_object_field_values_and_the_other_manager() {
    let live = edited();
    let unowned = json!({"metadata": {"name": "cluster"}, "spec": {}});
    let change = |patch: Value, fields: &[&str]| {
        let mut patch = patch;
        patch["metadata"] =
            json!({"uid": "u", "resourceVersion": "7", "annotations": {"vitistack.io/last-applied": "{}"}});
        Step::Change { patch, fields: fields.iter().map(|it| (*it).to_owned()).collect() }
    };
    let mode = || json!({"spec": {"mode": "Automatic"}});
    let delete = Step::Delete { uid: "u".to_owned(), resource_version: "7".to_owned() };
    #[rustfmt::skip]
    let rows = [
        ("made",                 Step::Create(json!({})),              None,           "AssetWritten",
         "x: created KubeDescheduler openshift-kube-descheduler-operator/cluster, which was not there"),
        ("corrected",            change(mode(), &["spec.mode"]),       Some(&live),    "AssetWritten",
         "x: corrected KubeDescheduler openshift-kube-descheduler-operator/cluster: spec.mode was \"Predictive\", set by kubectl-edit, is \"Automatic\" now"),
        ("by nobody that is told", change(mode(), &["spec.mode"]),     Some(&unowned), "AssetWritten",
         "x: corrected KubeDescheduler openshift-kube-descheduler-operator/cluster: spec.mode was absent, is \"Automatic\" now"),
        ("only the note",        change(json!({}), &[]),               Some(&live),    "AssetWritten",
         "x: noted on KubeDescheduler openshift-kube-descheduler-operator/cluster what it was written from"),
        ("paused",               Step::Pause(json!({})),               Some(&live),    "AssetPaused",
         "x: paused KubeDescheduler openshift-kube-descheduler-operator/cluster: spec.mode is changed again by kubectl-edit each time that it is set back: find out why, then set its annotation platform.kubevirt.io/reconcile-paused to \"false\""),
        ("deleted",              delete,                               Some(&live),    "AssetDeleted",
         "x: deleted KubeDescheduler openshift-kube-descheduler-operator/cluster, which is obsolete"),
    ];
    every_row(rows, |(name, step, live, reason, says)| {
        let (got, sentence) = wrote(&key("KubeDescheduler", "cluster"), &step, live, "x");
        assert_eq!((got.code(), sentence.as_str()), (reason, says), "{name}");
    });
}
