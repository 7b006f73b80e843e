//! What a KubevirtConfig shows of its connection and its cluster.

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::api::config::ClusterFacts;
use crate::clusters::capacity::{Room, capacity};
use crate::clusters::facts::KubeVirt;
use crate::table::every_row;

fn early() -> Time {
    Time(Timestamp::UNIX_EPOCH)
}

fn connected(id: &str, newest: Newest) -> View {
    View::Connected { id: id.to_owned(), newest }
}

#[test]
fn b27_a_config_says_why_it_cannot_be_used_and_keeps_the_identity_of_first_contact() {
    let config = KubevirtConfig::new("east", Default::default());
    let fresh = KubevirtConfigStatus::default();
    let known = KubevirtConfigStatus { cluster_id: Some("one".to_owned()), ..fresh.clone() };
    let why = |why: &str| why.to_owned();
    let refused = |says: &str| View::Refused { why: why(says), older_connecting: false };
    #[rustfmt::skip]
    let cases = [
        ("no kubeconfig",       &fresh, refused("no key"),                  "Failed",  "KubeconfigInvalid", "no key",    None),
        ("down",                &known, View::Unreachable(why("refused")),  "Failed",  "ConnectionFailed",  "refused",   Some("one")),
        ("first contact",       &fresh, connected("one", Newest::InUse),    "Ready",   "Connected",         "answers",   Some("one")),
        ("another cluster",     &known, connected("two", Newest::InUse),    "Failed",  "ConnectionFailed",  "cluster two, but one is recorded", Some("one")),
        ("B27: a new kubeconfig that is refused", &known, connected("one", Newest::Refused(why("exec"))), "Ready", "KubeconfigInvalid",
            "an earlier kubeconfig is still in use; the present one is refused: exec", Some("one")),
        ("B27: a new kubeconfig that leads nowhere", &known, connected("one", Newest::Failing(why("no route"))), "Ready", "ConnectionFailed",
            "an earlier kubeconfig is still in use; the present one does not connect: no route", Some("one")),
        ("not tried yet",       &fresh, View::Connecting,                   "Pending", "ConnectionFailed",  "not connected yet", None),
    ];
    every_row(cases, |(name, previous, view, phase, reason, says, id)| {
        let next = status(&config, previous, &view, &Offered::default(), early());
        assert_eq!(next.phase.as_deref(), Some(phase), "{name}");
        assert_eq!(next.conditions[0].reason, reason, "{name}");
        assert!(next.message.as_deref().unwrap_or_default().contains(says), "{name}: {:?}", next.message);
        assert_eq!(next.cluster_id.as_deref(), id, "{name}");
        assert_eq!(
            status(&config, &next, &view, &Offered::default(), Time(Timestamp::MAX)),
            next,
            "{name}: nothing changed, so nothing is written"
        );
    });
}

#[test]
fn what_is_shown_of_a_cluster_outlasts_a_restart() {
    let config = KubevirtConfig::new("east", Default::default());
    let shown = |previous: &KubevirtConfigStatus, view: View| {
        status(&config, previous, &view, &Offered::default(), Time(Timestamp::MAX))
    };
    let ready = status(
        &config,
        &KubevirtConfigStatus::default(),
        &connected("one", Newest::InUse),
        &Offered::default(),
        early(),
    );
    assert_eq!(shown(&ready, View::Connecting), ready, "not asked yet is no news");
    assert_eq!(shown(&ready, connected("one", Newest::InUse)), ready, "nor is the answer");
    let away = shown(&ready, View::Unreachable("no route".to_owned()));
    assert_eq!(away.phase.as_deref(), Some("Failed"));
    assert_eq!(shown(&away, View::Connecting), away);
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
        facts: Some(ClusterFacts { cdi: Some(true), multus: Some(true), emulated_machines: vec!["pc*".to_owned()] }),
        capacity: Some(room(8000, early())),
        ..Default::default()
    };
    let newer = KubeVirt { version: Some("v1.8.2".to_owned()), emulated_machines: vec!["q35*".to_owned()] };
    let learnt = Learnt { groups: Some(Vec::new()), kubevirt: Some(Some(newer)) };
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
        let next = status(&config, &published, view, offered, early());
        let largest =
            next.capacity.as_ref().and_then(|capacity| Some(capacity.largest_node.as_ref()?.cpu.as_ref()?.0.as_str()));
        assert_eq!((next.kubevirt_version.as_deref(), largest), (version, cpu), "{name}");
        assert_eq!(next.facts == published.facts, same_facts, "{name}");
        assert_eq!(
            status(&config, &next, view, offered, later()),
            next,
            "{name}: nothing changed, so nothing is written"
        );
    });
}
