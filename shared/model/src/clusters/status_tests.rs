//! What a KubevirtConfig shows of its connection and its cluster.

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::api::config::{Capacity, ClusterFacts};
use crate::clusters::Newest;
use crate::clusters::capacity::{Room, capacity};
use crate::clusters::facts::{KubeVirt, Learnt};
use crate::clusters::kubeconfig::Validity;
use crate::platform::snapshot::Mode;
use crate::platform::state::{Held, Outcome, Pass, State};
use crate::platform::status::Passed;
use crate::table::every_row;

fn early() -> Time {
    Time(Timestamp::UNIX_EPOCH)
}

fn connected(id: &str, newest: Newest) -> View {
    View::Connected { id: id.to_owned(), newest }
}

fn seen(view: View) -> Seen {
    Seen {
        view,
        webhook: None,
        offered: Offered::default(),
        contact: None,
        validity: None,
        elder: None,
        machines: None,
        left: None,
        platform: None,
    }
}

fn at(second: i64) -> Time {
    Time(Timestamp::from_second(second).expect("a time"))
}

/// The conditions as `type=status/reason`.
fn shown(status: &KubevirtConfigStatus) -> Vec<String> {
    status.conditions.iter().map(|it| format!("{}={}/{}", it.type_, it.status, it.reason)).collect()
}

#[test]
fn b27_r5_r7_r17_a_config_says_why_it_cannot_be_used_and_keeps_the_identity_of_first_contact() {
    let config = KubevirtConfig::new("east", Default::default());
    let fresh = KubevirtConfigStatus::default();
    let known = KubevirtConfigStatus { cluster_id: Some("one".to_owned()), ..fresh.clone() };
    let why = |why: &str| why.to_owned();
    let refused = |says: &str| View::Refused { why: why(says), older_connecting: false };
    #[rustfmt::skip]
    let cases = [
        ("no kubeconfig",       &fresh, refused("no key"),                  "Failed/Refused",       "no key",    None,
            vec!["Ready=False/KubeconfigInvalid", "KubeconfigInUse=False/KubeconfigInvalid"]),
        ("down",                &known, View::Unreachable(why("refused")),  "Failed/Disconnected",  "refused",   Some("one"),
            vec!["Ready=False/ConnectionFailed", "KubeconfigInUse=True/InUse"]),
        ("R17: an API that is gone", &known, View::Unserved(why("no v1")), "Failed/Disconnected",  "no v1",     Some("one"),
            vec!["Ready=False/UnsupportedAPI", "KubeconfigInUse=True/InUse"]),
        ("first contact",       &fresh, connected("one", Newest::InUse),    "Ready/Connected",      "answers",   Some("one"),
            vec!["Ready=True/Connected", "KubeconfigInUse=True/InUse"]),
        ("R7: another cluster", &known, connected("two", Newest::InUse),    "Failed/Refused",       "cluster two, but one is recorded", Some("one"),
            vec!["Ready=False/ClusterIdentityChanged", "KubeconfigInUse=True/InUse"]),
        ("B27 R5: a new kubeconfig that is refused", &known, connected("one", Newest::Refused(why("exec"))), "Degraded/Connected",
            "an earlier kubeconfig is still in use; the present one is refused: exec", Some("one"),
            vec!["Ready=True/Connected", "KubeconfigInUse=False/KubeconfigInvalid"]),
        ("B27: a new kubeconfig that leads nowhere", &known, connected("one", Newest::Failing(why("no route"))), "Degraded/Connected",
            "an earlier kubeconfig is still in use; the present one does not connect: no route", Some("one"),
            vec!["Ready=True/Connected", "KubeconfigInUse=False/ConnectionFailed"]),
        ("not tried yet",       &fresh, View::Connecting,                   "Pending/Disconnected", "not connected yet", None,
            vec!["Ready=Unknown/ConnectionFailed"]),
    ];
    every_row(cases, |(name, previous, view, words, says, id, conditions)| {
        let next = status(&config, previous, &seen(view.clone()), early());
        let (phase, word) = (next.phase.clone().unwrap_or_default(), next.status.clone().unwrap_or_default());
        assert_eq!(format!("{phase}/{word}"), words, "{name}");
        assert_eq!(shown(&next), conditions, "{name}");
        assert!(next.message.as_deref().unwrap_or_default().contains(says), "{name}: {:?}", next.message);
        assert_eq!(next.cluster_id.as_deref(), id, "{name}");
        assert_eq!(
            status(&config, &next, &seen(view), Time(Timestamp::MAX)),
            next,
            "{name}: nothing changed, so nothing is written"
        );
        let asked_again = status(&config, &next, &seen(View::Connecting), Time(Timestamp::MAX));
        assert_eq!(asked_again, next, "{name}: what is not known yet, as after a restart, changes nothing");
    });
}

#[test]
fn b9_b27_a_kubeconfig_that_only_the_webhook_uses_is_judged_too() {
    let config = KubevirtConfig::new("east", Default::default());
    let bad = |view| Seen { webhook: Some("key \"kubeconfig-readonly\": no user".to_owned()), ..seen(view) };
    let (up, fresh) = (|newest| connected("one", newest), KubevirtConfigStatus::default());
    let first = status(&config, &fresh, &bad(up(Newest::InUse)), early());
    assert_eq!(shown(&first), ["Ready=True/Connected", "KubeconfigInUse=False/KubeconfigInvalid"]);
    let says = "the webhook cannot use its own kubeconfig, and knows nothing of the cluster once its present connection ends: key \"kubeconfig-readonly\": no user";
    assert_eq!((first.phase.as_deref(), first.message.as_deref()), (Some("Degraded"), Some(says)));
    let both = status(&config, &first, &bad(up(Newest::Refused("exec".to_owned()))), early());
    let says = "an earlier kubeconfig is still in use; the present one is refused: exec";
    assert_eq!(both.message.as_deref(), Some(says), "ours is the first to be corrected");
    let mended = status(&config, &both, &seen(up(Newest::InUse)), early());
    assert_eq!(shown(&mended), ["Ready=True/Connected", "KubeconfigInUse=True/InUse"]);
}

#[test]
fn x98_the_younger_of_two_configs_of_one_cluster_is_marked_until_the_elder_is_gone() {
    let config = KubevirtConfig::new("east-again", Default::default());
    let (alone, elder) = (seen(connected("one", Newest::InUse)), Some(crate::names::ClusterName("east".to_owned())));
    let twin = Seen { elder: elder.clone(), ..alone.clone() };
    let first = status(&config, &KubevirtConfigStatus::default(), &alone, at(100));
    let marked = status(&config, &first, &twin, at(200));
    assert_eq!(shown(&marked), ["Ready=True/Connected", "KubeconfigInUse=True/InUse", "Duplicate=True/SameCluster"]);
    let says = marked.message.as_deref().unwrap_or_default();
    assert!(says.starts_with("KubevirtConfig \"east\" is older and leads to the same cluster"), "{says}");
    assert_eq!(marked.phase.as_deref(), Some("Ready"), "its Machines are cared for");
    assert_eq!(news(&first, &marked).map(|(reason, _)| reason).collect::<Vec<_>>(), [Reason::SameCluster]);
    let away = Seen { elder, ..seen(View::Unreachable("no route".to_owned())) };
    assert_eq!(
        shown(&status(&config, &marked, &away, at(300))).last().map(String::as_str),
        Some("Duplicate=True/SameCluster")
    );
    let over = status(&config, &marked, &alone, at(400));
    assert_eq!(shown(&over), shown(&first), "it took over");
}

#[test]
fn a_condition_tells_which_generation_it_is_about_and_since_when() {
    let mut config = KubevirtConfig::new("east", Default::default());
    config.metadata.generation = Some(3);
    let first = status(&config, &KubevirtConfigStatus::default(), &seen(connected("one", Newest::InUse)), at(100));
    config.metadata.generation = Some(4);
    let since = |status: &KubevirtConfigStatus| {
        let each = status.conditions.iter();
        each.map(|it| (it.observed_generation, it.last_transition_time.clone())).collect::<Vec<_>>()
    };
    assert_eq!(since(&first), vec![(Some(3), Some(at(100))); 2]);
    let asked = status(&config, &first, &seen(View::Connecting), at(200));
    assert_eq!(since(&asked), vec![(Some(3), Some(at(100))); 2], "the new generation was not judged");
    let next = status(&config, &asked, &seen(connected("one", Newest::Failing("x".to_owned()))), at(300));
    assert_eq!(since(&next), [(Some(4), Some(at(100))), (Some(4), Some(at(300)))], "one of them changed");
}

#[test]
fn capabilities_are_shown_as_they_take_effect() {
    let mut config = KubevirtConfig::new("east", Default::default());
    let shown = |config: &KubevirtConfig| {
        status(config, &KubevirtConfigStatus::default(), &seen(View::Connecting), early()).capabilities.join(" ")
    };
    assert_eq!(shown(&config), "virtualmachines", "X53");
    config.spec.hub_type = Some("hybrid".to_owned());
    assert_eq!(shown(&config), "clusters virtualmachines");
    config.spec.capabilities = vec!["clusters".to_owned()];
    assert_eq!(shown(&config), "clusters");
}

#[test]
fn the_last_contact_is_written_when_something_else_is_and_when_contact_is_lost() {
    let config = KubevirtConfig::new("east", Default::default());
    let up = |contact| Seen { contact: Some(at(contact)), ..seen(connected("one", Newest::InUse)) };
    let away = |contact| Seen { contact, ..seen(View::Unreachable("no route".to_owned())) };
    let first = status(&config, &KubevirtConfigStatus::default(), &up(100), at(100));
    assert_eq!(first.last_contact, Some(at(100)));
    assert_eq!(status(&config, &first, &up(900), at(900)), first, "an idle cluster causes no writes");
    let lost = status(&config, &first, &away(Some(at(950))), at(1000));
    assert_eq!(lost.last_contact, Some(at(950)), "when it answered last");
    assert_eq!(status(&config, &lost, &away(Some(at(950))), at(2000)), lost, "and then nothing more");
    let restarted = status(&config, &first, &away(None), at(1000));
    assert_eq!(restarted.last_contact, Some(at(100)), "a process that never heard of it does not know better");
    let back = status(&config, &lost, &up(3000), at(3000));
    assert_eq!(back.last_contact, Some(at(3000)));
}

#[test]
fn b31_a_config_says_whether_kubevirt_runs() {
    let config = KubevirtConfig::new("east", Default::default());
    let kubevirt = |running| Some(Some(KubeVirt { running, ..KubeVirt::default() }));
    let learnt = |kubevirt| Offered { learnt: Learnt { kubevirt, ..Learnt::default() }, room: None };
    let here = |kubevirt| Seen { offered: learnt(kubevirt), ..seen(connected("one", Newest::InUse)) };
    let elsewhere = |kubevirt| Seen { offered: learnt(kubevirt), ..seen(connected("two", Newest::InUse)) };
    let up = status(&config, &KubevirtConfigStatus::default(), &here(kubevirt(Some(true))), early());
    #[rustfmt::skip]
    let cases = [
        ("B31: not known yet",     here(None),                   "Ready",    "True/KubeVirtRunning"),
        ("B31: it does not say",   here(kubevirt(None)),         "Ready",    "True/KubeVirtRunning"),
        ("B31: it is down",        here(kubevirt(Some(false))),  "Degraded", "False/KubeVirtNotRunning"),
        ("B31: it was taken away", here(Some(None)),             "Degraded", "False/KubeVirtMissing"),
        ("B31: another cluster's", elsewhere(Some(None)),        "Failed",   "True/KubeVirtRunning"),
    ];
    every_row(cases, |(name, seen, phase, want)| {
        let next = status(&config, &up, &seen, early());
        assert_eq!(next.phase.as_deref(), Some(phase), "{name}");
        assert!(shown(&next).contains(&format!("KubeVirtReady={want}")), "{name}: {:?}", shown(&next));
    });
    let unknown = status(&config, &KubevirtConfigStatus::default(), &here(None), early());
    assert_eq!(shown(&unknown), ["Ready=True/Connected", "KubeconfigInUse=True/InUse"], "nothing is said of it");
}

#[test]
fn the_end_of_credentials_is_told_of_before_it_comes() {
    let mut config = KubevirtConfig::new("east", Default::default());
    config.spec.kubeconfig_secret_ref = "east-kubeconfig".to_owned();
    let end = 1_798_761_600;
    let validity = Some(Validity { from: Some(1_767_225_600), until: end });
    let up = |validity| Seen { validity, ..seen(connected("one", Newest::InUse)) };
    let before = status(&config, &KubevirtConfigStatus::default(), &up(validity), at(1_798_156_799));
    assert_eq!(shown(&before), ["Ready=True/Connected", "KubeconfigInUse=True/InUse"], "a week and a second");
    let soon = status(&config, &before, &up(validity), at(1_798_156_800));
    assert_eq!(shown(&soon)[2..], ["CredentialsExpiring=True/CredentialsExpiring"], "a week");
    let says = "the credentials of the kubeconfig in Secret east-kubeconfig end at 2027-01-01T00:00:00Z: put new ones there before";
    assert_eq!((soon.phase.as_deref(), soon.message.as_deref()), (Some("Ready"), Some(says)));
    assert_eq!(news(&before, &soon).collect::<Vec<_>>(), [(Reason::CredentialsExpiring, says.into())]);
    assert_eq!(status(&config, &soon, &up(validity), at(end - 1)), soon, "said once");
    let over = status(&config, &soon, &up(validity), at(end));
    assert_eq!(shown(&over)[2..], ["CredentialsExpiring=True/CredentialsExpired"]);
    assert_eq!((over.phase.as_deref(), news(&soon, &over).count()), (Some("Degraded"), 1));
    let renewed = status(&config, &over, &up(Some(Validity { from: None, until: 2 * end })), at(end));
    assert_eq!((shown(&renewed).len(), renewed.phase.as_deref()), (2, Some("Ready")), "renewed");
    assert_eq!(shown(&status(&config, &over, &up(None), at(end))).len(), 2, "of some, no end is known");
}

#[test]
fn r5_a_config_that_is_to_go_says_how_many_machines_are_left() {
    let mut config = KubevirtConfig::new("east", Default::default());
    let up = |machines| Seen { machines, ..seen(connected("one", Newest::InUse)) };
    let used = status(&config, &KubevirtConfigStatus::default(), &up(Some(3)), early());
    assert_eq!((used.phase.as_deref(), used.machines), (Some("Ready"), Some(3)));
    config.metadata.deletion_timestamp = Some(early());
    let says = |count: &str, are: &str| {
        format!(
            "the deletion waits until {count} left on the cluster {are} deleted; they are cared for, and new ones are refused: kubectl get machines -A"
        )
    };
    let waits = status(&config, &used, &up(Some(3)), early());
    let sentence = says("the 3 Machines that are", "are");
    assert_eq!((waits.phase.as_deref(), waits.message.as_deref()), (Some("Terminating"), Some(sentence.as_str())));
    assert_eq!(shown(&waits)[2..], ["DeletionBlocked=True/MachinesRemain"]);
    assert_eq!(news(&used, &waits).collect::<Vec<_>>(), [(Reason::MachinesRemain, sentence.into())]);
    let fewer = status(&config, &waits, &up(Some(1)), early());
    assert_eq!(fewer.message, Some(says("the one Machine that is", "is")));
    assert_eq!(news(&waits, &fewer).count(), 0, "one Event, and not one for each Machine");
    let unknown = status(&config, &fewer, &up(None), early());
    assert_eq!((unknown.machines, unknown.message), (Some(1), fewer.message.clone()), "unknown is not none");
    let free = status(&config, &fewer, &up(Some(0)), early());
    assert_eq!((free.machines, shown(&free).len(), free.phase.as_deref()), (Some(0), 2, Some("Terminating")));
}

#[test]
fn an_event_tells_what_broke_and_what_is_well_again_once() {
    let config = KubevirtConfig::new("east", Default::default());
    let (up, down) = (connected("one", Newest::InUse), View::Unreachable("no route".to_owned()));
    let refused = View::Refused { why: "exec".to_owned(), older_connecting: false };
    let none = KubevirtConfigStatus::default;
    let after = |view: &View| status(&config, &none(), &seen(view.clone()), early());
    #[rustfmt::skip]
    let cases = [
        ("the first contact is as it should be", none(),         &up,               vec![]),
        ("a first one that is refused",          none(),         &refused,          vec![Reason::KubeconfigInvalid]),
        ("not tried yet",                        none(),         &View::Connecting, vec![]),
        ("nothing new",                          after(&up),     &up,               vec![]),
        ("it goes",                              after(&up),     &down,             vec![Reason::ConnectionFailed]),
        ("it comes back",                        after(&down),   &up,               vec![Reason::ConfigConnected]),
        ("it is away for another reason",        after(&down),   &View::Unreachable("late".to_owned()), vec![]),
        ("it is put right",                      after(&refused), &up,              vec![Reason::ConfigConnected, Reason::KubeconfigInUse]),
    ];
    every_row(cases, |(name, previous, view, want)| {
        let next = status(&config, &previous, &seen(view.clone()), early());
        assert_eq!(news(&previous, &next).map(|(reason, _)| reason).collect::<Vec<_>>(), want, "{name}");
    });
}

fn room(cpu: u64, now: Time) -> Capacity {
    capacity(&[("node".to_owned(), Room { cpu, memory: 1 << 30 })].into(), [], now)
}

#[test]
fn x45_x68_a_config_shows_what_its_own_cluster_offers() {
    let config = KubevirtConfig::new("east", Default::default());
    let published = KubevirtConfigStatus {
        cluster_id: Some("one".to_owned()),
        kubevirt_version: Some("v1.7.0".to_owned()),
        facts: Some(ClusterFacts {
            cdi: Some(true),
            multus: Some(true),
            snapshots: Some(true),
            emulated_machines: vec!["pc*".to_owned()],
        }),
        capacity: Some(room(8000, early())),
        ..Default::default()
    };
    let newer = KubeVirt {
        version: Some("v1.8.2".to_owned()),
        emulated_machines: vec!["q35*".to_owned()],
        running: Some(true),
    };
    let learnt = Learnt { groups: Some(Vec::new()), kubevirt: Some(Some(newer)), ..Learnt::default() };
    let later = || Time(Timestamp::MAX);
    let all = Offered { learnt, room: Some(Some(room(16_000, later()))) };
    let near = Offered { room: Some(Some(room(8000, later()))), ..Offered::default() };
    let blind = Offered { room: Some(None), ..Offered::default() };
    let here = connected("one", Newest::InUse);
    #[rustfmt::skip]
    let cases = [
        ("X45 X68: everything is new",                &here,                               &all,              Some("v1.8.2"), Some("16"), false),
        ("X45 X68: nothing is known yet",             &here,                               &Offered::default(), Some("v1.7.0"), Some("8"), true),
        ("X68: hardly another room",                  &here,                               &near,             Some("v1.7.0"), Some("8"),  true),
        ("X68: we may not see its nodes",             &here,                               &blind,            Some("v1.7.0"), None,       true),
        ("X45 X68: away: what was known stays",       &View::Unreachable("x".to_owned()),  &all,              Some("v1.7.0"), Some("8"),  true),
        ("X45 X68: another cluster is not described", &connected("two", Newest::InUse),    &all,              Some("v1.7.0"), Some("8"),  true),
    ];
    every_row(cases, |(name, view, offered, version, cpu, same_facts)| {
        let seen = Seen { offered: offered.clone(), ..seen(view.clone()) };
        let next = status(&config, &published, &seen, early());
        let largest =
            next.capacity.as_ref().and_then(|capacity| Some(capacity.largest_node.as_ref()?.cpu.as_ref()?.0.as_str()));
        assert_eq!((next.kubevirt_version.as_deref(), largest), (version, cpu), "{name}");
        assert_eq!(next.facts == published.facts, same_facts, "{name}");
        assert_eq!(status(&config, &next, &seen, later()), next, "{name}: nothing changed, so nothing is written");
    });
}

#[test]
fn d12_p18_the_baseline_has_a_condition_of_its_own_and_does_not_degrade_the_cluster() {
    let config = KubevirtConfig::new("east", Default::default());
    let outcome = |state| Outcome { asset: "a".to_owned(), key: None, state, message: "why".to_owned() };
    let with = |platform| Seen { platform, ..seen(connected("one", Newest::InUse)) };
    let judged =
        |state| Some(Passed { mode: Mode::Enforce, pass: Pass { outcomes: vec![outcome(state)], ..Pass::default() } });
    let off = || Some(Passed { mode: Mode::Off, pass: Pass { held: Some(Held::Off), ..Pass::default() } });
    let plain = status(&config, &KubevirtConfigStatus::default(), &with(off()), early());
    assert_eq!((shown(&plain).len(), &plain.platform), (2, &None), "nobody asked for one");
    let refused = status(&config, &plain, &with(judged(State::Refused)), early());
    assert_eq!(shown(&refused)[2..], ["PlatformReady=False/PlatformIncomplete"]);
    let (phase, message) = (refused.phase.as_deref(), refused.message.as_deref());
    assert_eq!((phase, message), (Some("Ready"), Some("the cluster answers")), "Machines work");
    let told: Vec<_> = news(&plain, &refused).map(|(reason, says)| format!("{}: {says}", reason.code())).collect();
    assert_eq!(told, ["AssetIncomplete: a is Refused: why"]);
    let kept = status(&config, &refused, &with(None), Time(Timestamp::MAX));
    assert_eq!(kept, refused, "nothing newer is known, and nothing is written");
    let applied = status(&config, &refused, &with(judged(State::Applied)), early());
    assert_eq!(shown(&applied)[2..], ["PlatformReady=True/PlatformApplied"]);
    assert_eq!(applied.platform.as_ref().and_then(|it| it.summary.as_deref()), Some("1/1 applied"));
    let ended = status(&config, &applied, &with(off()), early());
    assert_eq!((shown(&ended).len(), news(&applied, &ended).count()), (2, 1), "it is off, and that is told");
    assert_eq!(ended.platform.and_then(|it| it.mode).as_deref(), Some("Off"));
}
