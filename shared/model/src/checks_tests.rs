//! What the checks at the start find.

use serde_json::json;

use super::*;
use crate::clusters::Newest;
use crate::crds::crds;
use crate::table::every_row;

fn well(text: &str) -> Found {
    Found::Well(text.to_owned())
}

fn wrong(text: &str) -> Found {
    Found::Wrong(text.to_owned())
}

/// What an API server says of our own CRDs.
fn served() -> Value {
    let schemas = crds().into_iter().map(|crd| {
        let schema = &crd.spec.versions[0].schema.as_ref().expect("a schema").open_api_v3_schema;
        (format!("io.vitistack.v1alpha1.{}", crd.spec.names.kind), serde_json::to_value(schema).expect("JSON"))
    });
    Value::Object(schemas.collect())
}

#[test]
fn b14_b17_x27_kinds_and_fields_that_are_missing_are_named() {
    let name = |plural: &str| format!("CRD {plural}.vitistack.io");
    let whole = |plural: &str| Found::Well(format!("{} has every field that is used", name(plural)));
    let next = "what they say is lost; install the CRDs of the chart, unless another operator's are meant to stay";
    let all = ["machines", "kubevirtconfigs", "networkconfigurations"].map(whole).to_vec();
    assert_eq!(definitions(&served()), all);

    let mut older = served();
    let fields = |schemas: &mut Value, kind: &str, part: &str| {
        let at = format!("/io.vitistack.v1alpha1.{kind}/properties/{part}/properties");
        schemas.pointer_mut(&at).and_then(Value::as_object_mut).expect("fields").clone()
    };
    let mut without = |kind: &str, part: &str, names: &[&str]| {
        let mut left = fields(&mut older, kind, part);
        for name in names {
            left.remove(*name).unwrap_or_else(|| panic!("{kind} has no {part}.{name}"));
        }
        older[format!("io.vitistack.v1alpha1.{kind}")]["properties"][part]["properties"] = Value::Object(left);
    };
    without("Machine", "spec", &["instanceType", "kubevirtConfigRef"]);
    without("Machine", "status", &["conditions", "phase"]);
    without("KubevirtConfig", "spec", &["kubeconfigSecretRef"]);
    older["io.vitistack.v1alpha1.NetworkConfiguration"]["properties"]["spec"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let want = [
        Found::Wrong(format!(
            "{} lacks spec.instanceType, spec.kubevirtConfigRef, status.conditions, status.phase: {next}",
            name("machines")
        )),
        Found::Wrong(format!("{} lacks spec.kubeconfigSecretRef: {next}", name("kubevirtconfigs"))),
        whole("networkconfigurations"),
    ];
    assert_eq!(definitions(&older), want, "one that keeps every field lacks none");

    let mut two = served();
    two.as_object_mut().expect("schemas").remove("io.vitistack.v1alpha1.Machine");
    let absent = "CRD machines.vitistack.io is not installed: install the CRDs of the chart";
    assert_eq!(definitions(&two)[0], wrong(absent));
    assert_eq!(definitions(&Value::Null)[0], wrong(absent), "nothing of the group is served");
    let bare = json!({"io.vitistack.v1alpha1.Machine": {}});
    let Found::Wrong(many) = &definitions(&bare)[0] else { panic!("it has no fields") };
    assert!(many.contains(" more: what they say is lost"), "a line stays a line: {many}");
}

fn remote(name: &str, view: View, learnt: Learnt) -> Remote {
    Remote { name: ClusterName(name.to_owned()), view, learnt }
}

#[test]
fn b15_b16_b31_each_cluster_says_whether_it_answers_and_runs_kubevirt() {
    let up = || View::Connected { id: "one".to_owned(), newest: Newest::InUse };
    let kubevirt =
        |running| Some(Some(KubeVirt { version: Some("v1.8.2".to_owned()), running, ..KubeVirt::default() }));
    let refused = View::Refused { why: "user.exec".to_owned(), older_connecting: false };
    #[rustfmt::skip]
    let cases = [
        ("B16 B31: it is well",     up(),                                          kubevirt(Some(true)),  vec![well("cluster east answers"), well("KubeVirt v1.8.2 runs on cluster east")]),
        ("B31: KubeVirt is down",   up(),                                          kubevirt(Some(false)), vec![well("cluster east answers"), wrong("KubeVirt v1.8.2 on cluster east does not say that it runs: kubectl -n kubevirt get kubevirts,pods there")]),
        ("B31: there is none",      up(),                                          Some(None),            vec![well("cluster east answers"), wrong("KubeVirt is not installed on cluster east: install it there")]),
        ("B31: it may not be read", up(),                                          None,                  vec![well("cluster east answers"), wrong("whether KubeVirt runs on cluster east is not known: let its kubeconfig list kubevirts.kubevirt.io")]),
        ("B16: away",               View::Unreachable("no route".to_owned()),      None,                  vec![wrong("cluster east cannot be reached, and is asked again: no route")]),
        ("B16: refused",            refused,                                       None,                  vec![wrong("the kubeconfig of cluster east cannot be used: user.exec")]),
        ("B16: slow",               View::Connecting,                              None,                  vec![wrong("cluster east has not answered yet: it is asked again")]),
    ];
    every_row(cases, |(name, view, kubevirt, want)| {
        let learnt = Learnt { kubevirt, ..Learnt::default() };
        let found = clusters("in namespace kubevirt-configs", &[remote("east", view, learnt)]);
        assert_eq!(found[0], well("KubevirtConfigs in namespace kubevirt-configs: east"), "B15: {name}");
        assert_eq!(found[1..], want, "{name}");
    });
    let none = "there is no KubevirtConfig in namespace kubevirt-configs: no Machine can be placed until there is one, with a Secret that holds its kubeconfig";
    assert_eq!(clusters("in namespace kubevirt-configs", &[]), [wrong(none)], "B15");
}

#[test]
fn b18_b19_the_first_cluster_that_is_known_is_what_the_others_are_compared_with() {
    let up = || View::Connected { id: "one".to_owned(), newest: Newest::InUse };
    let of = |name: &str, versions: Option<&[&str]>| {
        let versions = versions.map(|all| all.iter().map(|version| (*version).to_owned()).collect());
        let kubevirt = Some(Some(KubeVirt { running: Some(true), ..KubeVirt::default() }));
        remote(name, up(), Learnt { versions, kubevirt, ..Learnt::default() })
    };
    let remotes = [
        of("away", None),
        of("east", Some(&["v1", "v1alpha3"])),
        of("north", Some(&["v1", "v1alpha3"])),
        of("south", Some(&[])),
        of("west", Some(&["v1alpha3"])),
    ];
    let found = clusters("", &remotes);
    let want = [
        well("cluster north serves kubevirt.io as east does: v1, v1alpha3"),
        wrong(
            "cluster south serves kubevirt.io in other versions than east: none instead of v1, v1alpha3; bring both to one version of KubeVirt",
        ),
        wrong(
            "cluster west serves kubevirt.io in other versions than east: v1alpha3 instead of v1, v1alpha3; bring both to one version of KubeVirt",
        ),
    ];
    assert_eq!(found[11..], want);
    assert_eq!(clusters("", &remotes[..2]).len(), 5, "there is nothing to compare with");
}
