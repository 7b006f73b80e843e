//! What is done about what was left on a cluster that comes back.

use model::api::KubevirtConfig;
use model::api::config::Orphan;
use model::machine::reap::{leaving, step, wanted};
use model::machine::{DataSecret, Write};
use model::names::ClusterName;

use super::*;

fn orphan(policy: &str) -> Orphan {
    Orphan {
        machine: "shop/web".to_owned(),
        uid: "m-1".to_owned(),
        virtual_machine: "shop/vm-web".to_owned(),
        cluster_id: Some("c-east".to_owned()),
        deletion_policy: Some(policy.to_owned()),
        supervisor: Some("sup".to_owned()),
    }
}

fn east() -> ClusterName {
    ClusterName("east".to_owned())
}

#[test]
fn r4_what_was_left_goes_as_the_deletion_would_have_gone() {
    let disks = || Observed { claims: claims("Bound"), found: Lookup::Absent, ..seen() };
    let secret = || Observed { data_secret: DataSecret::Ours { uid: "s-1".to_owned() }, ..disks() };
    let away = |remote| Observed { remote, ..running() };
    let refused = || Observed { found: Lookup::Unknown("no answer".to_owned()), ..disks() };
    let unknown: &[&str] = &["refuse KubeVirtApiError"];
    #[rustfmt::skip]
    let cases: Vec<(&str, &str, Observed, &[&str], bool)> = vec![
        ("the VM first",                 "Delete", running(),                                 &["delete Vm vm-web v-1"],                     false),
        ("its instance is waited for",   "Delete", Observed { vmi: vmi("Running", true), ..disks() }, &[],                                  false),
        ("then the disks",               "Delete", disks(),                                   &["delete Claim web-data uid-web-data", "delete Claim web-root uid-web-root"], false),
        ("and its Secret",               "Delete", Observed { claims: BTreeMap::new(), ..secret() }, &["delete Secret web-cloudinit s-1"],   false),
        ("nothing is left",              "Delete", Observed { found: Lookup::Absent, ..seen() }, &[],                                       true),
        ("Retain takes the VM, too",     "Retain", running(),                                 &["delete Vm vm-web v-1"],                     false),
        ("and lets the disks go",        "Retain", disks(),                                   &["merge Claim web-data", "merge Claim web-root"], false),
        ("Orphan takes our labels off",  "Orphan", Observed { claims: BTreeMap::new(), ..running() }, &["merge Vm vm-web"],                  false),
        ("unknown is not absent",        "Delete", refused(),                                 unknown,                                       false),
        ("it is away again",             "Delete", away(Remote::Unreachable("down".to_owned())), &[],                                       false),
        ("nobody knows yet",             "Delete", away(Remote::Connecting),                  &[],                                           false),
        ("its KubevirtConfig is gone",   "Delete", away(Remote::Missing),                     &[],                                           false),
        ("another cluster answers",      "Delete", away(Remote::Connected { id: "other".to_owned() }), &[],                                  false),
        ("another one, decommissioned",  "Delete", Observed { terms: Terms { decommissioned: true, ..Terms::default() }, ..away(Remote::Connected { id: "other".to_owned() }) }, &[], false),
    ];
    every_row(cases, |(name, policy, seen, writes, done)| {
        let intent = leaving(&orphan(policy), &east(), "sup").expect("all is known");
        let step = step(&intent, &seen);
        let plan = Plan { writes: step.writes.into_iter().map(Write::There).collect(), refused: step.refused };
        assert_eq!((brief(&plan), step.done), (writes.iter().map(|it| (*it).to_owned()).collect(), done), "{name}");
    });
}

#[test]
fn r4_r23_only_what_is_surely_ours_goes_and_only_by_an_explicit_word() {
    let with = |change: fn(&mut Orphan)| {
        let mut orphan = orphan("Delete");
        change(&mut orphan);
        orphan
    };
    #[rustfmt::skip]
    let cases = [
        ("all is known",              with(|_| ()),                                               true),
        ("another supervisor's",      with(|it| it.supervisor = Some("lost".to_owned())),         false),
        ("whose is not recorded",     with(|it| it.supervisor = None),                            false),
        ("nor its cluster",           with(|it| it.cluster_id = None),                            false),
        ("nor its policy",            with(|it| it.deletion_policy = None),                       false),
        ("a word that nobody knows",  with(|it| it.deletion_policy = Some("Maybe".to_owned())),   false),
        ("nor its Machine",           with(|it| it.uid.clear()),                                  false),
        ("half a name",               with(|it| it.machine = "web".to_owned()),                   false),
    ];
    every_row(cases, |(name, orphan, known)| {
        assert_eq!(leaving(&orphan, &east(), "sup").is_some(), known, "{name}");
    });
    let config = |policy: Option<&str>| {
        let mut config = KubevirtConfig::new("east", KubevirtConfigSpec::default());
        config.spec.orphan_policy = policy.map(str::to_owned);
        config.status = serde_json::from_value(json!({"orphans": [orphan("Delete")]})).expect("a status");
        config
    };
    for (policy, count) in [(None, 0), (Some("Keep"), 0), (Some("delete"), 0), (Some("Delete"), 1)] {
        assert_eq!(wanted(&config(policy)).len(), count, "{policy:?}");
    }
}
