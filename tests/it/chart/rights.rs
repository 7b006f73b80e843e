//! Who may do what under the chart's own roles: hand-written tables, compared as a whole. A right that is missing shows when
//! the processes run under these roles; one that nobody needs shows here, in review.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{NAMESPACE, Rendered, joined, list, only, text};
use crate::table::every_row;

/// One line for every right that a ServiceAccount has: who, where, on what, which verbs.
fn rights(release: &Rendered) -> BTreeSet<String> {
    let mut rights = BTreeSet::new();
    let mut bound = BTreeSet::new();
    for (binding_kind, role_kind) in [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")] {
        for binding in release.of_kind(binding_kind) {
            let (subject, role) = (only(&binding["subjects"]), text(&binding["roleRef"]["name"]));
            assert_eq!((&subject["kind"], &subject["namespace"]), (&json!("ServiceAccount"), &json!(NAMESPACE)));
            assert_eq!(binding["roleRef"]["kind"], role_kind);
            release.get("ServiceAccount", text(&subject["name"]));
            let namespace = &binding["metadata"]["namespace"];
            let meant = |it: &&Value| it["metadata"]["name"] == role && it["metadata"]["namespace"] == *namespace;
            let role = release.of_kind(role_kind).find(meant).expect("the role that is bound, in the same namespace");
            bound.insert((role_kind, text(&role["metadata"]["name"])));
            let place = role["metadata"]["namespace"].as_str().unwrap_or("cluster");
            for rule in list(&role["rules"]) {
                let names = rule.get("resourceNames").map(|names| format!("[{}]", joined(names))).unwrap_or_default();
                assert_eq!(rule.as_object().map(Map::len), Some(if names.is_empty() { 3 } else { 4 }), "{rule}");
                for resource in list(&rule["resources"]) {
                    let (who, what) = (text(&subject["name"]), text(resource));
                    let group = text(only(&rule["apiGroups"]));
                    let right = format!("{who} | {place} | {group}/{what}{names} | {}", joined(&rule["verbs"]));
                    assert!(rights.insert(right), "given twice: {rule}");
                }
            }
        }
    }
    let roles = ["ClusterRole", "Role"]
        .into_iter()
        .flat_map(|kind| release.names(kind).into_iter().map(move |name| (kind, name)));
    assert_eq!(bound, roles.collect(), "a role that nobody has");
    rights
}

fn table(rows: &[&str]) -> BTreeSet<String> {
    rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
#[rustfmt::skip]
fn a19_b10_e12_x30_cert7_cert9_rights_on_the_supervisor_are_exactly_these() {
    let release = Rendered::with(&[]);
    assert_eq!(rights(&release), table(&[
        "kubevirt-operator-controller-manager | cluster          | vitistack.io/machines                | get,list,watch,patch",
        "kubevirt-operator-controller-manager | cluster          | vitistack.io/machines/status         | patch",
        "kubevirt-operator-controller-manager | cluster          | vitistack.io/networkconfigurations   | list,watch,create,patch,delete",
        "kubevirt-operator-controller-manager | cluster          | vitistack.io/networknamespaces       | list,watch",
        "kubevirt-operator-controller-manager | cluster          | /namespaces[kube-system]             | get",
        "kubevirt-operator-controller-manager | cluster          | /namespaces                          | list,watch",
        "kubevirt-operator-controller-manager | cluster          | events.k8s.io/events                 | create,patch",
        "kubevirt-operator-controller-manager | cluster          | /secrets                             | get,list,watch",
        "kubevirt-operator-controller-manager | cluster          | /configmaps                          | get,list,watch",
        "kubevirt-operator-controller-manager | kubevirt-configs | vitistack.io/kubevirtconfigs         | get,list,watch,patch",
        "kubevirt-operator-controller-manager | kubevirt-configs | vitistack.io/kubevirtconfigs/status  | patch",
        "kubevirt-operator-controller-manager | kubevirt-configs | /secrets                             | get,list,watch",
        "kubevirt-operator-controller-manager | kubevirt-operator-system | coordination.k8s.io/leases   | create",
        "kubevirt-operator-controller-manager | kubevirt-operator-system | coordination.k8s.io/leases[kubevirt-operator-controller] | get,patch",
        "kubevirt-operator-webhook | cluster                     | vitistack.io/machineclasses          | get,list,watch",
        "kubevirt-operator-webhook | cluster                     | vitistack.io/machines                | list,watch",
        "kubevirt-operator-webhook | cluster                     | vitistack.io/networkconfigurations   | list,watch",
        "kubevirt-operator-webhook | cluster                     | vitistack.io/networknamespaces       | list,watch",
        "kubevirt-operator-webhook | cluster                     | /namespaces                          | list,watch",
        "kubevirt-operator-webhook | cluster                     | authorization.k8s.io/subjectaccessreviews | create",
        "kubevirt-operator-webhook | cluster | admissionregistration.k8s.io/mutatingwebhookconfigurations[kubevirt-operator]   | get,list,watch,patch",
        "kubevirt-operator-webhook | cluster | admissionregistration.k8s.io/validatingwebhookconfigurations[kubevirt-operator] | get,list,watch,patch",
        "kubevirt-operator-webhook | kubevirt-configs            | vitistack.io/kubevirtconfigs         | get,list,watch",
        "kubevirt-operator-webhook | kubevirt-configs            | /secrets                             | get,list,watch",
        "kubevirt-operator-webhook | kubevirt-operator-system    | /secrets                             | create",
        "kubevirt-operator-webhook | kubevirt-operator-system    | /secrets[kubevirt-operator-webhook-ca] | get,list,watch,update",
    ]));
    // C34 names these two.
    let binding = release.get("ClusterRoleBinding", "kubevirt-operator-manager-rolebinding");
    assert_eq!(binding["roleRef"]["name"], "kubevirt-operator");
    let alone = rights(&Rendered::with(&["leaderElection=false"]));
    assert!(!alone.iter().any(|right| right.contains("leases")), "{alone:?}");
}

/// Where flags register a hub: its two objects by name. Nothing of it without them.
#[test]
#[rustfmt::skip]
fn e5_t20_x30_x105_a_registered_hub_takes_two_objects_by_name() {
    let more = |sets: &[&str]| -> BTreeSet<String> {
        let hub = [sets, &["vmaasHub.kubeconfigSecret=hub,vmaasHub.id=vmaas-1"]].concat();
        rights(&Rendered::with(&hub)).difference(&rights(&Rendered::with(sets))).cloned().collect()
    };
    assert_eq!(more(&[]), table(&[
        "kubevirt-operator-controller-manager | kubevirt-configs | vitistack.io/kubevirtconfigs[vmaas-1] | create,patch",
        "kubevirt-operator-controller-manager | kubevirt-configs | /secrets[vmaas-1-kubeconfig]          | create,patch",
    ]));
    assert_eq!(more(&["kubevirtConfigs.secretNamespaces={kubevirt-configs}"]), table(&[
        "kubevirt-operator-controller-manager | cluster          | vitistack.io/kubevirtconfigs[vmaas-1] | create,patch",
        "kubevirt-operator-controller-manager | kubevirt-configs | /secrets[vmaas-1-kubeconfig]          | create,patch",
    ]));
}

#[test]
#[rustfmt::skip]
fn x30_rights_on_a_remote_are_exactly_these() {
    let release = Rendered::with(&["mode=remote"]);
    assert_eq!(rights(&release), table(&[
        "kubevirt-operator-controller | cluster | /namespaces                         | get,create",
        "kubevirt-operator-controller | cluster | /persistentvolumeclaims             | get,list,watch,create,patch,delete",
        "kubevirt-operator-controller | cluster | /secrets                            | get,create,patch,delete",
        "kubevirt-operator-controller | cluster | cdi.kubevirt.io/datavolumes         | get,list,watch,create,patch,delete",
        "kubevirt-operator-controller | cluster | kubevirt.io/virtualmachines         | get,list,watch,create,patch,delete",
        "kubevirt-operator-controller | cluster | kubevirt.io/virtualmachines/status  | patch",
        "kubevirt-operator-controller | cluster | kubevirt.io/virtualmachineinstances | get,list,watch",
        "kubevirt-operator-controller | cluster | k8s.cni.cncf.io/network-attachment-definitions | list,watch,create,patch,delete",
        "kubevirt-operator-controller | cluster | storage.k8s.io/storageclasses       | list,watch",
        "kubevirt-operator-controller | cluster | snapshot.storage.k8s.io/volumesnapshotclasses | list",
        "kubevirt-operator-controller | cluster | kubevirt.io/kubevirts               | list,watch",
        "kubevirt-operator-controller | cluster | /nodes                              | list,watch",
        "kubevirt-operator-controller | cluster | /pods                               | list,watch",
        "kubevirt-operator-webhook    | cluster | /namespaces                         | get",
        "kubevirt-operator-webhook    | cluster | kubevirt.io/virtualmachines         | get,list,watch",
        "kubevirt-operator-webhook    | cluster | storage.k8s.io/storageclasses       | get,list,watch",
    ]));
    let kinds: BTreeSet<_> = release.0.iter().map(|object| text(&object["kind"])).collect();
    assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "ServiceAccount"].into(), "nothing runs on a remote");
}

/// The platform baseline takes what its catalogue names, and no more. Which nodes there are may be seen already.
#[test]
fn x94_the_platform_takes_the_rights_of_its_catalogue_on_a_remote() {
    let without = rights(&Rendered::with(&["mode=remote"]));
    let with = rights(&Rendered::with(&["mode=remote", "platform.enabled=true"]));
    let more: BTreeSet<String> = with.difference(&without).cloned().collect();
    let mut needed = model::platform::rights::rights(&model::platform::built_in::catalogue());
    needed.retain(|right| right.resource != "nodes");
    let line = |right: &model::platform::rights::Right| {
        let names = if right.names.is_empty() { String::new() } else { format!("[{}]", right.names.join(",")) };
        let what = format!("{}/{}{names}", right.group, right.resource);
        format!("kubevirt-operator-controller | cluster | {what} | {}", right.verbs.join(","))
    };
    assert_eq!(more, needed.iter().map(line).collect());
    assert_eq!(without.difference(&with).count(), 0);
    let verbs = ["bind", "escalate", "impersonate", "*", "delete", "update"];
    let may = |verb: &str| {
        more.iter().any(|right| right.rsplit(" | ").next().is_some_and(|all| all.split(',').any(|it| it == verb)))
    };
    every_row(verbs, |verb| assert!(!may(verb), "{verb}: {more:?}"));
}

#[test]
#[rustfmt::skip]
fn x9_x30_b29_cluster_scoped_configs_take_one_role_for_each_namespace_with_secrets() {
    let (beside, wide) = (rights(&Rendered::with(&[])), rights(&Rendered::with(&["kubevirtConfigs.secretNamespaces={team-a,team-b}"])));
    let more: BTreeSet<_> = wide.difference(&beside).cloned().collect();
    assert_eq!(more, table(&[
        "kubevirt-operator-controller-manager | cluster | vitistack.io/kubevirtconfigs        | get,list,watch,patch",
        "kubevirt-operator-controller-manager | cluster | vitistack.io/kubevirtconfigs/status | patch",
        "kubevirt-operator-controller-manager | team-a  | /secrets                            | get,list,watch",
        "kubevirt-operator-controller-manager | team-b  | /secrets                            | get,list,watch",
        "kubevirt-operator-webhook            | cluster | vitistack.io/kubevirtconfigs        | get,list,watch",
        "kubevirt-operator-webhook            | team-a  | /secrets                            | get,list,watch",
        "kubevirt-operator-webhook            | team-b  | /secrets                            | get,list,watch",
    ]));
    let less: BTreeSet<_> = beside.difference(&wide).cloned().collect();
    assert_eq!(less, table(&[
        "kubevirt-operator-controller-manager | kubevirt-configs | vitistack.io/kubevirtconfigs        | get,list,watch,patch",
        "kubevirt-operator-controller-manager | kubevirt-configs | vitistack.io/kubevirtconfigs/status | patch",
        "kubevirt-operator-controller-manager | kubevirt-configs | /secrets                            | get,list,watch",
        "kubevirt-operator-webhook            | kubevirt-configs | vitistack.io/kubevirtconfigs        | get,list,watch",
        "kubevirt-operator-webhook            | kubevirt-configs | /secrets                            | get,list,watch",
    ]));
}

#[test]
#[rustfmt::skip]
fn x30_t14_sources_of_cloud_init_data_are_read_where_the_values_say() {
    let all = rights(&Rendered::with(&[]));
    let limited = Rendered::with(&["cloudInit.sources.namespaces={team-a,team-b}"]);
    let (some, none) = (rights(&limited), rights(&Rendered::with(&["cloudInit.sources.enabled=false"])));
    let of = |rights: &BTreeSet<String>| rights.difference(&none).cloned().collect::<BTreeSet<_>>();
    assert_eq!(of(&all), table(&[
        "kubevirt-operator-controller-manager | cluster | /secrets    | get,list,watch",
        "kubevirt-operator-controller-manager | cluster | /configmaps | get,list,watch",
    ]));
    assert_eq!(of(&some), table(&[
        "kubevirt-operator-controller-manager | team-a | /secrets    | get,list,watch",
        "kubevirt-operator-controller-manager | team-a | /configmaps | get,list,watch",
        "kubevirt-operator-controller-manager | team-b | /secrets    | get,list,watch",
        "kubevirt-operator-controller-manager | team-b | /configmaps | get,list,watch",
    ]));
    assert_eq!(limited.env(super::CONTROLLER)["CLOUD_INIT_NAMESPACES"], "team-a,team-b");
}
