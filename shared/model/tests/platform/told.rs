//! `status.platform` of a KubevirtConfig: what it keeps, what it cuts, and when it is written.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use model::api::{KubevirtConfig, PlatformAsset, PlatformRoot, PlatformSpec, PlatformStatus};
use model::platform::snapshot::{Asked, Disruption, Mode};
use model::platform::state::{Held, Key, Outcome, Pass, State};
use model::platform::status::{Passed, told};

use crate::table::every_row;
use crate::{at, world};

fn time(second: i64) -> Time {
    Time(at(second))
}

fn key(name: &str) -> Key {
    Key { crd: "as.x.io".to_owned(), kind: "A".to_owned(), namespace: None, name: name.to_owned() }
}

fn outcome(name: &str, state: State, message: &str) -> Outcome {
    Outcome { asset: name.to_owned(), key: Some(key(name)), state, message: message.to_owned() }
}

fn judged(mode: Mode, states: &[(&str, State)]) -> Passed {
    let outcomes = states.iter().map(|(name, state)| outcome(name, *state, "")).collect();
    Passed { mode, pass: Pass { outcomes, ..Pass::default() } }
}

fn held(mode: Mode, held: Held) -> Passed {
    Passed { mode, pass: Pass { held: Some(held), ..Pass::default() } }
}

fn off() -> Passed {
    held(Mode::Off, Held::Off)
}

#[test]
fn x80_the_field_of_a_config_counts_and_its_annotations_only_without_one() {
    use Disruption::{Allow, Withhold};
    let config = |platform: Option<PlatformSpec>| {
        let mut config = KubevirtConfig::new("east", Default::default());
        config.spec.platform = platform;
        let words = [("platform.kubevirt.io/autopilot", "audit"), ("platform.kubevirt.io/node-disruption", "allow")];
        config.metadata.annotations =
            Some(words.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect());
        config
    };
    let spec = |mode: &str, disruption: &str| {
        let word = |text: &str| Some(text.to_owned()).filter(|it| !it.is_empty());
        Some(PlatformSpec { mode: word(mode), assets: vec!["a".to_owned()], node_disruption: word(disruption) })
    };
    #[rustfmt::skip]
    let rows = [
        ("no field: the annotations",  None,                        Mode::Audit,   0, Allow),
        ("an empty field asks for nothing", Some(PlatformSpec::default()), Mode::Off, 0, Withhold),
        ("enforce",                    spec("Enforce", ""),         Mode::Enforce, 1, Withhold),
        ("audit, nodes may restart",   spec("Audit", "Allow"),      Mode::Audit,   1, Allow),
        ("off",                        spec("Off", "Withhold"),     Mode::Off,     1, Withhold),
        ("another case is no word",    spec("enforce", "allow"),    Mode::Off,     1, Withhold),
    ];
    every_row(rows, |(name, platform, mode, assets, disruption)| {
        let asked = Asked::of(&config(platform));
        assert_eq!((asked.mode, asked.assets.len(), asked.disruption), (mode, assets, disruption), "{name}");
        assert_eq!(asked.annotations.len(), 2, "{name}: exclusions and patches are read in any case");
    });
}

#[test]
fn d12_an_asset_keeps_its_time_while_its_state_stays_and_nothing_is_written_twice() {
    let first = judged(Mode::Enforce, &[("a", State::Applied), ("b", State::Withheld)]);
    let one = told(&first, None, &time(0)).expect("a baseline was asked for");
    assert_eq!(told(&first, Some(&one), &time(9)).as_ref(), Some(&one), "the same pass is the same status");
    let mut second = judged(Mode::Enforce, &[("a", State::Applied), ("b", State::Applied)]);
    second.pass.outcomes[0].message = "left out spec.x".to_owned();
    let two = told(&second, Some(&one), &time(9)).expect("a baseline was asked for");
    let since: Vec<_> = two.assets.iter().map(|asset| (asset.state.as_str(), asset.since.clone())).collect();
    assert_eq!(since, [("Applied", Some(time(0))), ("Applied", Some(time(9)))]);
    assert_eq!(two.assets[0].message.as_deref(), Some("left out spec.x"));
    assert_eq!((two.mode.as_deref(), two.summary.as_deref()), (Some("Enforce"), Some("2/2 applied")));
}

#[test]
fn x89_the_root_is_shown_as_it_is_served_and_the_other_kind_of_root_is_not() {
    let root = |kind: &str, version: &str, name: &str| {
        Some(PlatformRoot {
            api_version: Some(version.to_owned()),
            kind: Some(kind.to_owned()),
            namespace: Some("virt".to_owned()),
            name: Some(name.to_owned()),
        })
    };
    let vetoed = || {
        world().seen(|seen| {
            let root = &mut seen.hyperconvergeds.as_mut().expect("it is known")[0];
            root["metadata"]["annotations"] = serde_json::json!({"platform.kubevirt.io/autopilot": "false"});
        })
    };
    let hyperconverged = || root("HyperConverged", "hco.kubevirt.io/v1beta1", "hco");
    #[rustfmt::skip]
    let rows = [
        ("HyperConverged", world(),                 hyperconverged(),                            true),
        ("KubeVirt",       world().bare(),          root("KubeVirt", "kubevirt.io/v1", "kubevirt"), true),
        ("its veto",       vetoed(),                hyperconverged(),                            false),
        ("no root",        world().seen(|seen| seen.hyperconvergeds = Ok(vec![])), None,         false),
    ];
    every_row(rows, |(name, mut world, want, any)| {
        let passed = Passed { mode: Mode::Enforce, pass: world.pass(0) };
        let shown = told(&passed, None, &time(0)).expect("a baseline was asked for");
        assert_eq!(shown.root, want, "{name}");
        assert_eq!(!shown.assets.is_empty(), any, "{name}");
        let roots = shown.assets.iter().filter(|asset| asset.name.ends_with("-golden-config")).count();
        assert_eq!(roots, usize::from(any), "{name}: one kind of root");
        assert!(shown.assets.iter().all(|asset| asset.object.is_some()), "{name}");
    });
}

#[test]
fn p18_what_a_cluster_keeps_is_not_forgotten() {
    use State::{Applied, Differs, Excluded, Foreign, Missing, Paused, Unknown, Withheld};
    let unknown = || held(Mode::Enforce, Held::Unknown("no answer".to_owned()));
    let enforced = || judged(Mode::Enforce, &[("a", Applied), ("b", Paused), ("c", Withheld), ("d", Foreign)]);
    let audited = |states: &[(&str, State)]| judged(Mode::Audit, states);
    #[rustfmt::skip]
    let rows: Vec<(&str, Vec<Passed>, &str, Vec<&str>)> = vec![
        ("never asked for",            vec![off()],                                   "none", vec![]),
        ("kept true: nothing is left", vec![enforced()],                              "Enforce: 1/4 applied, 1 paused, 1 withheld, 1 foreign", vec![]),
        ("turned off",                 vec![enforced(), off()],                       "Off: off, 2 objects left", vec!["A a", "A b"]),
        ("and later",                  vec![enforced(), off(), off()],                "Off: off, 2 objects left", vec!["A a", "A b"]),
        ("off after Audit alone",      vec![audited(&[("a", Applied)]), off()],       "Off: off", vec![]),
        ("Audit after Enforce",        vec![enforced(), audited(&[("a", Differs), ("b", Missing)])], "Audit: audit: 2 of 2 differ", vec!["A a"]),
        ("and off",                    vec![enforced(), audited(&[("a", Differs), ("b", Missing)]), off()], "Off: off, 1 object left", vec!["A a"]),
        ("silent",                     vec![enforced(), unknown()],                   "Enforce: unknown", vec!["A a", "A b"]),
        ("off while it is silent",     vec![enforced(), unknown(), off()],            "Off: off, 2 objects left", vec!["A a", "A b"]),
        ("off after a broken exclusion", vec![enforced(), held(Mode::Enforce, Held::ExclusionInvalid("x".to_owned())), off()], "Off: off, 2 objects left", vec!["A a", "A b"]),
        ("one is not known",           vec![enforced(), judged(Mode::Enforce, &[("a", Unknown), ("b", Applied)])], "Enforce: 1/2 applied, 1 unknown", vec!["A a"]),
        ("on again",                   vec![enforced(), off(), enforced()],           "Enforce: 1/4 applied, 1 paused, 1 withheld, 1 foreign", vec![]),
        ("the cluster's veto",         vec![enforced(), held(Mode::Enforce, Held::Vetoed("x".to_owned()))], "Enforce: off: the cluster vetoes it", vec!["A a", "A b"]),
        ("left alone since",           vec![judged(Mode::Enforce, &[("a", Excluded)]), off()], "Off: off", vec![]),
    ];
    every_row(rows, |(name, passes, says, left)| {
        let mut shown: Option<PlatformStatus> = None;
        for (second, passed) in (0..).zip(&passes) {
            shown = told(passed, shown.as_ref(), &time(second));
            assert_eq!(told(passed, shown.as_ref(), &time(second + 100)), shown, "{name}: nothing is written twice");
        }
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        let line = shown.as_ref().map_or("none".to_owned(), |it| format!("{}: {}", word(&it.mode), word(&it.summary)));
        assert_eq!(line, says, "{name}");
        assert_eq!(shown.map(|it| it.left).unwrap_or_default(), left, "{name}");
    });
}

#[test]
fn p10_of_a_silent_cluster_every_asset_is_unknown() {
    let before = told(&judged(Mode::Enforce, &[("a", State::Applied)]), None, &time(0));
    let silent = held(Mode::Enforce, Held::Unknown("east does not answer".to_owned()));
    let shown = told(&silent, before.as_ref(), &time(5)).expect("a baseline was asked for");
    let want = PlatformAsset {
        name: "a".to_owned(),
        object: Some("A a".to_owned()),
        state: "Unknown".to_owned(),
        message: Some("east does not answer".to_owned()),
        since: Some(time(5)),
    };
    assert_eq!(shown.assets, [want]);
}

#[test]
fn p10_d6_a_status_has_a_bound_and_hides_nothing_whatever_a_cluster_says() {
    let long = "\u{202e}\u{1b}[31m".to_owned() + &"é".repeat(4000);
    let mut outcomes: Vec<Outcome> =
        (0..40).map(|index| outcome(&format!("no{index}"), State::NotSelected, "")).collect();
    outcomes.extend((0..40).map(|index| outcome(&format!("yes{index}"), State::Differs, &long)));
    outcomes.push(outcome("tombstones/v1/old.yaml", State::Applied, "is gone"));
    outcomes[79].key = Some(key(&long));
    let pass = Pass { outcomes, notes: vec![long.clone()], ..Pass::default() };
    let shown = told(&Passed { mode: Mode::Audit, pass }, None, &time(0)).expect("a baseline was asked for");
    assert_eq!(shown.assets.len(), 64);
    let kept = shown.assets.iter().filter(|asset| asset.name.starts_with("yes")).count();
    assert_eq!(kept, 40, "what the cluster has no use for goes first");
    assert!(shown.assets.iter().all(|asset| !asset.name.contains('/')), "a tombstone that is done is no news");
    let texts = shown.assets.iter().flat_map(|it| [(it.message.clone(), 256), (it.object.clone(), 512)]);
    every_row(texts.chain([(shown.summary.clone(), 256)]), |(text, most)| {
        let text = text.unwrap_or_default();
        assert!(text.len() <= most && !text.chars().any(model::text::is_hidden), "{text}");
    });
}
