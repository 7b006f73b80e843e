//! The rights that passes need: by name where a name is known, and nothing more.

use std::collections::BTreeSet;

use model::platform::rights::{Right, rights, rules};
use serde_json::json;

use super::*;

fn lines(catalogue: &Catalogue) -> Vec<String> {
    let names =
        |right: &Right| if right.names.is_empty() { String::new() } else { format!("[{}]", right.names.join(",")) };
    let line = |it: &Right| format!("{}/{}{} {}", it.group, it.resource, names(it), it.verbs.join(","));
    rights(catalogue).iter().map(line).collect()
}

#[test]
#[rustfmt::skip]
fn x94_the_rights_of_the_catalogue_that_is_built_in_are_exactly_these() {
    let crds = "aaqs.aaq.kubevirt.io,forkliftcontrollers.forklift.konveyor.io,hyperconvergeds.hco.kubevirt.io,\
        kubedeschedulers.operator.openshift.io,kubeletconfigs.machineconfiguration.openshift.io,kubevirts.kubevirt.io,\
        machineconfigpools.machineconfiguration.openshift.io,machineconfigs.machineconfiguration.openshift.io,metallbs.metallb.io,\
        nodehealthchecks.remediation.medik8s.io,selfnoderemediationtemplates.self-node-remediation.medik8s.io,\
        uiplugins.observability.openshift.io";
    let configs = "[50-swap-enable,50-virt-pci-passthrough,51-virt-vfio,99-kubevirt-swap-optimization,99-worker-psi-karg]";
    let remediation = "self-node-remediation.medik8s.io/selfnoderemediationtemplates[self-node-remediation-automatic-strategy-template] list,watch";
    assert_eq!(lines(built_in()), [
        "/namespaces[metallb-system,openshift-kube-descheduler-operator,openshift-mtv] list,watch",
        "/nodes list,watch",
        "aaq.kubevirt.io/aaqs create",
        "aaq.kubevirt.io/aaqs[aaq] get,list,watch,patch",
        "apiextensions.k8s.io/customresourcedefinitions list,watch",
        &format!("apiextensions.k8s.io/customresourcedefinitions[{crds}] get"),
        "forklift.konveyor.io/forkliftcontrollers create",
        "forklift.konveyor.io/forkliftcontrollers[forklift-controller] get,list,watch,patch",
        "hco.kubevirt.io/hyperconvergeds get,list,watch,patch",
        "kubevirt.io/kubevirts get,list,watch,patch",
        "machineconfiguration.openshift.io/kubeletconfigs list,watch,create",
        "machineconfiguration.openshift.io/kubeletconfigs[virt-kubelet] get,patch",
        "machineconfiguration.openshift.io/machineconfigpools list,watch",
        "machineconfiguration.openshift.io/machineconfigs create",
        &format!("machineconfiguration.openshift.io/machineconfigs{configs} get,list,watch,patch"),
        "metallb.io/metallbs list,watch,create",
        "metallb.io/metallbs[metallb] get,patch",
        "observability.openshift.io/uiplugins create",
        "observability.openshift.io/uiplugins[monitoring] get,list,watch,patch",
        "operator.openshift.io/kubedeschedulers create",
        "operator.openshift.io/kubedeschedulers[cluster] get,list,watch,patch",
        "remediation.medik8s.io/nodehealthchecks list,watch,create",
        "remediation.medik8s.io/nodehealthchecks[virt-node-health-check] get,patch",
        remediation,
    ]);
}

#[test]
fn x94_nothing_is_deleted_but_what_a_tombstone_names() {
    let file = |name: &str| {
        format!(
            "apiVersion: a.io/v1\nkind: A\nmetadata: {{name: {name}, labels: {{platform.kubevirt.io/managed-by: kubevirt-operator}}}}\n"
        )
    };
    let (a, old) = (file("a"), file("old"));
    let metadata =
        "assets:\n- {name: a, tier: always, component: A, path: active/a.yaml, plural: as, scope: Cluster}\n";
    let catalogue = read(&[("metadata.yaml", metadata), ("active/a.yaml", &a), ("tombstones/v1/old.yaml", &old)]);
    let found = lines(&catalogue.expect("a catalogue"));
    let of_kind: Vec<&str> = found.iter().filter(|line| line.starts_with("a.io/")).map(String::as_str).collect();
    #[rustfmt::skip]
    assert_eq!(of_kind, ["a.io/as create", "a.io/as[a] get,patch", "a.io/as[a,old] list,watch", "a.io/as[old] delete"]);
    assert!(!found.iter().any(|line| line.contains("nodes") || line.contains("machineconfigpools")), "{found:?}");
}

#[test]
fn x94_there_is_no_wildcard_and_no_way_to_more_rights() {
    let all = rights(built_in());
    let words: BTreeSet<&str> = all
        .iter()
        .flat_map(|right| {
            [right.group.as_str(), &right.resource].into_iter().chain(right.names.iter().map(String::as_str))
        })
        .collect();
    assert!(!words.iter().any(|word| word.contains('*')), "{words:?}");
    let verbs: BTreeSet<&str> = all.iter().flat_map(|right| right.verbs.iter().copied()).collect();
    assert_eq!(
        verbs,
        ["create", "get", "list", "patch", "watch"].into(),
        "nothing is deleted, bound, escalated or updated"
    );
    let rule = &rules(&all)[2];
    assert_eq!(rule, &json!({"apiGroups": ["aaq.kubevirt.io"], "resources": ["aaqs"], "verbs": ["create"]}));
}
