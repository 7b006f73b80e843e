//! What stands against taking a cluster out, once it takes no new Machines: a plan for whoever reads `kubectl describe`. Pure.

use kube::ResourceExt;

use super::super::View;
use super::conditions::Aspect;
use super::seen::{Left, Seen};
use crate::api::{KubevirtConfig, KubevirtConfigStatus};
use crate::names::HUB_MANAGER;
use crate::reason::Reason;

/// Nothing stands against taking the cluster out. Present while it takes no new Machines.
pub(super) const DRAINED: &str = "Drained";

/// Namespaces that are named.
const NAMESPACES: usize = 8;

/// Whether somebody wants to take the cluster out, so that it matters what is left.
pub fn is_draining(config: &KubevirtConfig) -> bool {
    !config.spec.schedulable || config.spec.decommissioned == Some(true) || config.metadata.deletion_timestamp.is_some()
}

pub(super) fn drained(config: &KubevirtConfig, previous: &KubevirtConfigStatus, seen: &Seen) -> Option<Aspect> {
    if !is_draining(config) {
        return None;
    }
    let Some(left) = &seen.left else { return Aspect::kept(DRAINED, previous) };
    let machines: usize = left.machines.values().map(|(count, _)| count).sum();
    let (status, reason, first) = match machines {
        0 => ("True", Reason::Drained, "no Machine is here".to_owned()),
        1 => ("False", Reason::Draining, format!("one Machine is here: {}", named(left))),
        _ => ("False", Reason::Draining, format!("{machines} Machines are here: {}", named(left))),
    };
    let message = format!("{first}{}; {}", behind(left, previous), next(config, machines, seen));
    Some(Aspect::new(DRAINED, status, reason, message))
}

/// The namespaces with the most Machines.
fn named(left: &Left) -> String {
    let mut all: Vec<_> = left.machines.iter().collect();
    all.sort_by_key(|(namespace, (count, _))| (std::cmp::Reverse(*count), *namespace));
    let each = all.iter().take(NAMESPACES).map(|(namespace, (count, first))| {
        let names = first.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if *count > first.len() { ", …" } else { "" };
        format!("{count} in {namespace} ({names}{more})")
    });
    let each = each.collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMESPACES) {
        0 => each,
        more => format!("{each}, and others in {more} more namespaces"),
    }
}

/// What is there beside Machines.
fn behind(left: &Left, previous: &KubevirtConfigStatus) -> String {
    let unowned = match left.orphans {
        None => ", and which objects without a Machine are there is not known while it is away".to_owned(),
        Some(0) => String::new(),
        Some(count) => {
            format!(", and {count} objects of nobody are there, which /debug/orphans of the controller lists")
        }
    };
    let see = "something: see status.orphans and spec.orphanPolicy";
    let deleted = match previous.orphans.len() {
        0 => String::new(),
        1 => format!(", and one deleted Machine left {see}"),
        count => format!(", and {count} deleted Machines left {see}"),
    };
    unowned + &deleted
}

fn next(config: &KubevirtConfig, machines: usize, seen: &Seen) -> String {
    let (name, namespace) = (config.name_any(), config.namespace());
    let of = namespace.map(|namespace| format!("-n {namespace} ")).unwrap_or_default();
    let mut managers = config.metadata.managed_fields.iter().flatten();
    let by_flags = managers.any(|entry| entry.manager.as_deref() == Some(HUB_MANAGER));
    let away = !matches!(seen.view, View::Connected { .. } | View::Connecting);
    match (machines, config.metadata.deletion_timestamp.is_some()) {
        (0, true) => "it goes by itself".to_owned(),
        (0, false) if by_flags => format!(
            "take VMAAS_HUB_KUBECONFIG (vmaasHub.kubeconfigSecret of the chart) away where it is set, else it is registered again within a minute and takes new Machines; then kubectl {of}delete kubevirtconfig {name}"
        ),
        (0, false) => format!("take it out: kubectl {of}delete kubevirtconfig {name}"),
        _ if config.spec.decommissioned == Some(true) => "delete them: they do not wait for the cluster, and what they leave is recorded in status.orphans".to_owned(),
        _ if away => format!(
            "while the cluster is away they cannot be cleaned up: if it is gone for good, say so with kubectl {of}patch kubevirtconfig {name} --type=merge -p '{{\"spec\":{{\"decommissioned\":true}}}}', and delete them"
        ),
        _ => "delete them, with the annotation vitistack.io/deletion-policy: Retain or Orphan where disks or VMs shall stay on the cluster; nothing moves them to another one".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time};
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::clusters::Newest;
    use crate::clusters::status::{Offered, status};
    use crate::names::MachineKey;
    use crate::table::every_row;

    fn left(machines: &[&str], orphans: usize) -> Left {
        let mut left = Left { orphans: Some(orphans), ..Left::default() };
        for machine in machines {
            let (namespace, name) = machine.split_once('/').unwrap();
            left.count(&MachineKey { namespace: namespace.to_owned(), name: name.to_owned() });
        }
        left
    }

    fn seen(view: View, left: Option<Left>) -> Seen {
        Seen {
            view,
            webhook: None,
            offered: Offered::default(),
            contact: None,
            validity: None,
            elder: None,
            machines: None,
            left,
            platform: None,
        }
    }

    fn up() -> View {
        View::Connected { id: "one".to_owned(), newest: Newest::InUse }
    }

    fn config(change: impl FnOnce(&mut KubevirtConfig)) -> KubevirtConfig {
        let mut config = KubevirtConfig::new("east", Default::default());
        config.metadata.namespace = Some("kubevirt-configs".to_owned());
        change(&mut config);
        config
    }

    #[test]
    fn kvo32_r4_r5_a_cluster_that_takes_no_new_machines_says_what_is_left_and_what_to_do() {
        let cordoned = || config(|it| it.spec.schedulable = false);
        let registered = || {
            let by = ManagedFieldsEntry { manager: Some(HUB_MANAGER.to_owned()), ..ManagedFieldsEntry::default() };
            config(|it| (it.spec.schedulable, it.metadata.managed_fields) = (false, Some(vec![by])))
        };
        let leaving = || config(|it| it.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)));
        let unseen = || Left { orphans: None, ..left(&["shop/web"], 0) };
        let gone = || config(|it| it.spec.decommissioned = Some(true));
        let away = || View::Unreachable("no route".to_owned());
        #[rustfmt::skip]
        let cases = [
            ("in use",                  config(|_| ()), up(),   Some(left(&["shop/web"], 0)), None),
            ("R5: not known yet",       cordoned(),     up(),   None,                         None),
            ("R5: nothing is left",     cordoned(),     up(),   Some(left(&[], 0)),
                Some("True/Drained: no Machine is here; take it out: kubectl -n kubevirt-configs delete kubevirtconfig east")),
            ("X105: the flags would make it again", registered(), up(), Some(left(&[], 0)),
                Some("True/Drained: no Machine is here; take VMAAS_HUB_KUBECONFIG (vmaasHub.kubeconfigSecret of the chart) away where it is set, else it is registered again within a minute and takes new Machines; then kubectl -n kubevirt-configs delete kubevirtconfig east")),
            ("R5: it goes",             leaving(),      up(),   Some(left(&[], 0)),
                Some("True/Drained: no Machine is here; it goes by itself")),
            ("R5: one is left",         cordoned(),     up(),   Some(left(&["shop/web"], 0)),
                Some("False/Draining: one Machine is here: 1 in shop (web); delete them, with the annotation vitistack.io/deletion-policy: Retain or Orphan where disks or VMs shall stay on the cluster; nothing moves them to another one")),
            ("R5: most first, few names", leaving(),    up(),   Some(left(&["a/z", "shop/e", "shop/d", "shop/c", "shop/b", "shop/a"], 0)),
                Some("False/Draining: 6 Machines are here: 5 in shop (a, b, c, …), 1 in a (z); delete them")),
            ("R5: what nobody has",     cordoned(),     up(),   Some(left(&[], 3)),
                Some("True/Drained: no Machine is here, and 3 objects of nobody are there, which /debug/orphans of the controller lists; take it out")),
            ("R4: it is away",          cordoned(),     away(), Some(left(&["shop/web"], 0)),
                Some("False/Draining: one Machine is here: 1 in shop (web); while the cluster is away they cannot be cleaned up: if it is gone for good, say so with kubectl -n kubevirt-configs patch kubevirtconfig east --type=merge -p '{\"spec\":{\"decommissioned\":true}}', and delete them")),
            ("R4: what is there is not known", cordoned(), away(), Some(unseen()),
                Some("False/Draining: one Machine is here: 1 in shop (web), and which objects without a Machine are there is not known while it is away; while the cluster is away")),
            ("R4 KVO32: gone for good", gone(),         away(), Some(left(&["shop/web"], 0)),
                Some("False/Draining: one Machine is here: 1 in shop (web); delete them: they do not wait for the cluster, and what they leave is recorded in status.orphans")),
        ];
        every_row(cases, |(name, config, view, left, want)| {
            let seen = seen(view, left);
            let next = status(&config, &KubevirtConfigStatus::default(), &seen, Time(Timestamp::UNIX_EPOCH));
            let said = next.conditions.iter().find(|it| it.type_ == DRAINED);
            let said = said.map(|it| format!("{}/{}: {}", it.status, it.reason, it.message));
            assert_eq!(said.is_some(), want.is_some(), "{name}: {said:?}");
            let said = said.unwrap_or_default();
            assert!(said.starts_with(want.unwrap_or_default()), "{name}: {said}");
            assert_eq!(status(&config, &next, &seen, Time(Timestamp::MAX)), next, "{name}: it is written once");
        });
    }

    #[test]
    fn kvo32_what_was_left_behind_is_counted_and_the_sentence_is_bounded() {
        let many: Vec<String> =
            (0..1000).map(|at| format!("{}{}/{}{at}", "n".repeat(59), at % 20, "m".repeat(50))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let previous = KubevirtConfigStatus { orphans: vec![Default::default(); 2], ..Default::default() };
        let config = config(|it| it.spec.schedulable = false);
        let next = status(&config, &previous, &seen(up(), Some(left(&many, 0))), Time(Timestamp::UNIX_EPOCH));
        let said = next.conditions.iter().find(|it| it.type_ == DRAINED).unwrap();
        assert!(
            said.message.contains(
                "and others in 12 more namespaces, and 2 deleted Machines left something: see status.orphans and spec.orphanPolicy;"
            ),
            "{}",
            said.message
        );
        assert!(said.message.len() < 3000, "{}", said.message.len());
    }
}
