//! What keeps a whole cluster from being written, and what is shown of it.

use model::platform::snapshot::{Asked, Disruption, Live, Mode};
use model::platform::state::{Held, Outcome, Pass, State};
use model::platform::status::{ready, summary};
use serde_json::json;

use crate::table::every_row;
use crate::{World, hyperconverged, world};

fn on_root(annotation: &str, text: &str) -> World {
    let mut root = hyperconverged();
    root["metadata"]["annotations"] = json!({annotation: text});
    world().seen(|seen| seen.hyperconvergeds = Ok(vec![root]))
}

#[test]
fn p1_x31_x84_x89_x83_a_cluster_that_is_held_is_not_written_at_all() {
    let labelled = json!({"metadata": {"name": "cluster", "labels": {"platform.kubevirt.io/managed-by": "virt-platform-autopilot"}}});
    let rival = |live| world().object("KubeDescheduler", "cluster", Ok(live));
    let two = || world().seen(|seen| seen.hyperconvergeds = Ok(vec![hyperconverged(), hyperconverged()]));
    #[rustfmt::skip]
    let rows = [
        ("nobody asks",                       world().mode(Mode::Off),                                            "", None),
        ("X80: the cluster's own veto",       on_root("platform.kubevirt.io/autopilot", "false"),                 "off: the cluster vetoes it", None),
        ("another cluster answers",           world().seen(|seen| seen.identity = Err("it is c-2, recorded is c-1".to_owned())),
         "held: another cluster answers", Some(("False", "PlatformIncomplete", "it is c-2, recorded is c-1"))),
        ("P1 X31: an exclusion on the root",  on_root("platform.kubevirt.io/disabled-resources", "KubeDescheduler"),
         "held: an exclusion is invalid", Some(("False", "ExclusionInvalid", "platform.kubevirt.io/disabled-resources of HyperConverged virt/hco: \"KubeDescheduler\" must be Kind/name or Kind/namespace/name"))),
        ("X84: one on the KubevirtConfig",    world().annotated("disabled-resources", "A/"),
         "held: an exclusion is invalid", Some(("False", "ExclusionInvalid", "platform.kubevirt.io/disabled-resources of KubevirtConfig: the name is empty"))),
        ("X89: no KubeVirt",                  world().seen(|seen| seen.hyperconvergeds = Ok(vec![])),
         "held: no KubeVirt", Some(("False", "NoVirtualization", "the cluster has neither a HyperConverged nor a KubeVirt of its own: install KubeVirt first"))),
        ("X89: two roots",                    two(),
         "held: several roots", Some(("False", "Conflict", "which of HyperConverged virt/hco, HyperConverged virt/hco is meant is not clear: keep one of them"))),
        ("the root is not known",             world().seen(|seen| seen.hyperconvergeds = Err("no answer".to_owned())),
         "unknown", Some(("Unknown", "PlatformIncomplete", "no answer"))),
        ("X83: another autopilot",            rival(Live::Metadata(labelled.clone())),
         "held: another autopilot is at work", Some(("False", "AnotherAutopilot", "virt-platform-autopilot keeps \"cluster\" on this cluster: remove it first, with its labels"))),
    ];
    every_row(rows, |(name, mut world, says, condition)| {
        let mode = world.snapshot.asked.mode;
        let pass = world.pass(0);
        assert!(pass.held.is_some() && pass.steps.is_empty() && pass.outcomes.is_empty(), "{name}: {pass:?}");
        assert_eq!(summary(mode, &pass), says, "{name}");
        let shown = ready(mode, &pass);
        assert_eq!(shown.as_ref().map(|it| (it.status, it.reason.code(), it.message.as_str())), condition, "{name}");
    });
    let absent = rival(Live::Absent).pass(0);
    assert_eq!(absent.held, None);
}

#[test]
fn x80_annotations_stand_for_the_block_of_the_spec() {
    use Disruption::{Allow, Withhold};
    #[rustfmt::skip]
    let rows = [
        ("nothing",         vec![],                                                    Mode::Off,     vec![],          Withhold),
        ("true",            vec![("platform.kubevirt.io/autopilot", "true")],          Mode::Enforce, vec![],          Withhold),
        ("audit",           vec![("platform.kubevirt.io/autopilot", "audit")],         Mode::Audit,   vec![],          Withhold),
        ("false",           vec![("platform.kubevirt.io/autopilot", "False")],         Mode::Off,     vec![],          Withhold),
        ("names",           vec![("vitistack.io/autopilot", "swap-enable, mtv-operator,")], Mode::Enforce, vec!["swap-enable", "mtv-operator"], Withhold),
        ("nodes may restart", vec![("platform.kubevirt.io/autopilot", "true"), ("platform.kubevirt.io/node-disruption", "allow")], Mode::Enforce, vec![], Allow),
        ("another word",    vec![("platform.kubevirt.io/node-disruption", "yes")],     Mode::Off,     vec![],          Withhold),
    ];
    every_row(rows, |(name, annotations, mode, assets, disruption)| {
        let given = annotations.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
        let asked = Asked::annotated(given);
        let found: Vec<&str> = asked.assets.iter().map(String::as_str).collect();
        assert_eq!((asked.mode, found, asked.disruption), (mode, assets, disruption), "{name}");
    });
}

fn outcome(asset: &str, state: State, message: &str) -> Outcome {
    Outcome { asset: asset.to_owned(), key: None, state, message: message.to_owned() }
}

#[test]
fn p18_p13_what_is_shown_is_counted_and_the_worst_is_named() {
    use State::{
        Applied, ConditionNotMet, Differs, Excluded, Forbidden, Foreign, Missing, Paused, Unknown, Unmanaged, Withheld,
    };
    let pass = |states: &[State]| Pass {
        outcomes: states
            .iter()
            .enumerate()
            .map(|(index, state)| outcome(&format!("a{index}"), *state, "why"))
            .collect(),
        ..Pass::default()
    };
    #[rustfmt::skip]
    let rows = [
        (Mode::Enforce, vec![Applied, Applied, Excluded, ConditionNotMet], "2/2 applied",                      "True",    "PlatformApplied",    "2/2 applied"),
        (Mode::Enforce, vec![Applied, Paused, Withheld],                   "1/3 applied, 1 paused, 1 withheld", "False",  "PlatformPaused",     "a1 is Paused: why"),
        (Mode::Enforce, vec![Paused, Forbidden],                           "0/2 applied, 1 paused, 1 forbidden", "False", "PlatformForbidden",  "a1 is Forbidden: why"),
        (Mode::Enforce, vec![Applied, Withheld],                           "1/2 applied, 1 withheld",          "False",   "PlatformIncomplete", "a1 is Withheld: why"),
        (Mode::Enforce, vec![Foreign, Applied],                            "1/2 applied, 1 foreign",           "False",   "PlatformIncomplete", "a0 is Foreign: why"),
        (Mode::Enforce, vec![Missing, Unknown],                            "0/2 applied, 1 missing, 1 unknown", "Unknown", "PlatformIncomplete", "a1 is Unknown: why"),
        (Mode::Enforce, vec![Applied, Unmanaged],                          "1/1 applied, 1 unmanaged",         "True",    "PlatformApplied",    "1/1 applied, 1 unmanaged"),
        (Mode::Audit,   vec![Differs, Missing, Applied, Foreign],          "audit: 2 of 4 differ, 1 foreign",  "False",   "PlatformIncomplete", "a3 is Foreign: why"),
        (Mode::Audit,   vec![Differs, Missing, Applied],                   "audit: 2 of 3 differ",             "False",   "PlatformDiffers",    "a0 is Differs: why"),
        (Mode::Audit,   vec![Applied],                                     "audit: 0 of 1 differ",             "True",    "PlatformApplied",    "audit: 0 of 1 differ"),
    ];
    every_row(rows, |(mode, states, says, status, reason, message)| {
        let pass = pass(&states);
        assert_eq!(summary(mode, &pass), says);
        let shown = ready(mode, &pass).expect("a baseline was asked for");
        assert_eq!((shown.status, shown.reason.code(), shown.message.as_str()), (status, reason, message), "{says}");
    });
    let held = Pass { held: Some(Held::Off), ..Pass::default() };
    assert_eq!((summary(Mode::Off, &held), ready(Mode::Off, &held)), (String::new(), None));
}

#[test]
fn x84_the_summary_names_what_was_asked_for_and_means_nothing() {
    let mut world = world()
        .annotated("disabled-resources", "KubeDescheduler/clustr")
        .asked(|asked| asked.assets = vec!["mtv-operater".to_owned(), "descheduler-loadaware".to_owned()]);
    let pass = world.pass(0);
    assert_eq!(
        summary(Mode::Enforce, &pass),
        "0/0 applied; the exclusion KubeDescheduler/clustr matches nothing (did you mean KubeDescheduler/cluster?); \
         there is no asset \"mtv-operater\" (did you mean \"mtv-operator\"?)"
    );
}
