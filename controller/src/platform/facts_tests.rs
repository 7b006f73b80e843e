use model::platform::built_in::catalogue;
use model::platform::snapshot::Mode;
use serde_json::json;

use super::*;
use crate::table::every_row;

fn crd(versions: &[&str]) -> News {
    let version =
        |name: &&str| json!({"name": name, "served": true, "schema": {"openAPIV3Schema": {"type": "object"}}});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    News::Crd(Ok(Crd::of(&json!({"spec": {"scope": "Cluster", "versions": versions}})).map(Arc::new)))
}

fn crd_of(name: &str) -> Subject {
    Subject::Crd(name.to_owned())
}

fn facts(served: &[&str]) -> Facts {
    let mut facts = Facts::default();
    for name in served {
        facts.take(crd_of(name), crd(&["v1", "v1alpha1", "v1beta1"]));
    }
    facts
}

fn asked(assets: &[&str], disruption: Disruption) -> Asked {
    let assets = assets.iter().map(|name| (*name).to_owned()).collect();
    Asked { mode: Mode::Audit, assets, disruption, ..Asked::default() }
}

#[test]
fn p11_p12_only_what_the_cluster_serves_and_somebody_asks_for_is_watched() {
    let health = "nodehealthchecks.remediation.medik8s.io";
    let template = "selfnoderemediationtemplates.self-node-remediation.medik8s.io";
    let both = [HYPERCONVERGED, KUBEVIRT];
    #[rustfmt::skip]
    let cases = [
        ("nothing is served",            vec![],                        vec!["node-health-check"], Disruption::Withhold, vec![]),
        ("a root of each kind",          both.to_vec(),                 vec!["node-health-check"], Disruption::Withhold,
         vec!["hyperconvergeds", "kubevirts"]),
        ("one, and whether it is alone", vec![health],                  vec!["node-health-check"], Disruption::Withhold,
         vec!["NodeHealthCheck virt-node-health-check", "names of nodehealthchecks"]),
        ("and what it depends on",       vec![health, template],        vec!["node-health-check"], Disruption::Withhold,
         vec!["NodeHealthCheck virt-node-health-check",
              "selfnoderemediationtemplates.self-node-remediation.medik8s.io openshift-workload-availability/self-node-remediation-automatic-strategy-template",
              "names of nodehealthchecks"]),
        ("one in a namespace",           vec!["metallbs.metallb.io"],   vec!["metallb-operator"],  Disruption::Withhold,
         vec!["MetalLB metallb-system/metallb", "names of metallbs", "namespace metallb-system"]),
        ("what a node has",              vec![],                        vec!["swap-enable"],       Disruption::Withhold, vec!["nodes"]),
        ("nodes may be restarted",       vec![POOLS],                   vec!["metallb-operator"],  Disruption::Allow,    vec!["pools"]),
    ];
    every_row(cases, |(name, served, assets, disruption, want)| {
        let subjects = facts(&served).subjects(&catalogue(), &asked(&assets, disruption));
        let plural = |crd: &str| crd.split('.').next().unwrap_or_default().to_owned();
        let said = subjects.iter().filter_map(|subject| match subject {
            Subject::Crd(_) => None,
            Subject::Roots(crd) => Some(plural(crd)),
            Subject::Object(key) => Some(key.to_string()),
            Subject::Kind(crd) => Some(format!("names of {}", plural(crd))),
            Subject::Namespace(name) => Some(format!("namespace {name}")),
            Subject::Nodes => Some("nodes".to_owned()),
            Subject::Pools => Some("pools".to_owned()),
        });
        assert_eq!(said.collect::<Vec<_>>(), want, "{name}");
        assert!(
            subjects.contains(&crd_of(HYPERCONVERGED)) && subjects.contains(&crd_of(KUBEVIRT)),
            "{name}: the roots' CRDs"
        );
    });
}

#[test]
fn p12_an_object_that_was_only_written_again_is_no_news() {
    let root = |version: &str, mode: &str| {
        News::Roots(Ok(vec![Packed::of(
            &json!({"metadata": {"name": "kubevirt", "resourceVersion": version}, "spec": {"mode": mode}}),
        )]))
    };
    let subject = || Subject::Roots(KUBEVIRT.to_owned());
    let mut facts = Facts::default();
    assert!(facts.take(subject(), root("1", "a")), "the first time");
    assert!(!facts.take(subject(), root("2", "a")), "a status was written");
    assert!(facts.take(subject(), root("3", "b")), "it was changed");
    let Some(News::Roots(Ok(kept))) = facts.0.get(&subject()) else { panic!("the root") };
    assert_eq!(kept[0].open()["metadata"]["resourceVersion"], "3", "a write is bound to the newest");
    assert!(facts.take(subject(), News::Roots(Err("no".to_owned()))), "it is not known any more");
}

#[test]
fn x86_an_object_is_addressed_in_the_version_that_the_catalogue_prefers() {
    #[rustfmt::skip]
    let cases = [
        ("the older one while it is served", HYPERCONVERGED, vec!["v1", "v1beta1"], Some(("hco.kubevirt.io/v1beta1", "HyperConverged"))),
        ("the newer one alone",              HYPERCONVERGED, vec!["v1"],            Some(("hco.kubevirt.io/v1", "HyperConverged"))),
        ("another one than it knows",        KUBEVIRT,       vec!["v2"],            Some(("kubevirt.io/v2", "KubeVirt"))),
        ("none",                             KUBEVIRT,       vec![],                None),
    ];
    every_row(cases, |(name, of, versions, want)| {
        let mut facts = Facts::default();
        facts.take(crd_of(of), crd(&versions));
        let found = facts.resource(&catalogue(), of);
        let found = found.as_ref().map(|it| (it.api_version.as_str(), it.kind.as_str()));
        assert_eq!(found, want, "{name}");
    });
}

#[test]
fn p10_what_was_not_heard_is_not_known() {
    let no = || "no".to_owned();
    #[rustfmt::skip]
    let cases = [
        ("nothing was heard",       vec![],                                                        Err("its pools of nodes were not asked for yet")),
        ("there are no pools",      vec![(crd_of(POOLS), News::Crd(Ok(None)))],                    Ok(false)),
        ("whether is not known",    vec![(crd_of(POOLS), News::Crd(Err(no())))],                   Err("no")),
        ("pools were not heard of", vec![(crd_of(POOLS), crd(&["v1"]))],                           Err("its pools of nodes were not asked for yet")),
        ("one is being updated",    vec![(crd_of(POOLS), crd(&["v1"])), (Subject::Pools, News::Updating(Ok(true)))], Ok(true)),
    ];
    every_row(cases, |(name, heard, want)| {
        let mut facts = Facts::default();
        for (subject, news) in heard {
            facts.take(subject, news);
        }
        assert_eq!(facts.updating().as_ref().map_err(String::as_str), want.as_ref().map_err(|it| *it), "{name}");
    });
    let seen = Facts::default().snapshot(Asked::default(), "us", Ok(()));
    assert_eq!(seen.kubevirts, Err(format!("{KUBEVIRT} were not asked for yet")));
    assert_eq!(seen.nodes, Err("the nodes were not asked for yet".to_owned()));
}
