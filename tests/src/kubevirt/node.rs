//! The node: kubelet and virt-handler. Boots a Scheduled VMI, reports its network, shuts it down, lets it crash, move, and
//! have volumes plugged in. Pure. It looks at nothing but the VMI, so that it works under KubeVirt's own virt-controller as well.

mod moves;
mod volumes;

use super::conditions::Condition;
use super::failures::Failure;
use super::objects::{Object, deleting, list, text, uid};
use super::pace::draw;
use super::progress::Progress;
use super::writes::Move;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

const ACTOR: &str = "virt-handler";
pub(super) const NODES: u64 = 3;

/// What the node does next with this VMI. Before Scheduled and after the end it is none of its business.
pub(super) fn next(vmi: &Object, failures: &[Failure], now: Timestamp) -> Option<Move> {
    let crash = failures.contains(&Failure::CrashLoop);
    let (step, progress) = match (text(vmi, "/status/phase"), deleting(vmi)) {
        ("Scheduled" | "Running", true) if failures.contains(&Failure::StuckTerminating) => return None,
        ("Scheduled" | "Running", true) => ("shutdown", ended(vmi, "Succeeded", now)),
        ("Scheduled" | "Running", false) if crash => ("crash", ended(vmi, "Failed", now)),
        ("Scheduled", false) => ("boot", booted(vmi, now)),
        ("Running", false) => {
            let plugged = || {
                let (step, volumes) = volumes::next(vmi)?;
                let progress = Progress::of(vmi, now).field("volumeStatus", json!(volumes));
                Some((step, with_migratable(progress, &volumes)))
            };
            moves::next(vmi, now).or_else(plugged)?
        }
        _ => return None,
    };
    Some(progress.write(ACTOR)?.seeded(step, vmi))
}

/// The node that a VMI runs on, by its UID.
pub(super) fn name_for(vmi: &Object) -> String {
    format!("node-{}", 1 + draw(uid(vmi)) % NODES)
}

fn booted(vmi: &Object, now: Timestamp) -> Progress<'_> {
    let node = match text(vmi, "/status/nodeName") {
        "" => name_for(vmi),
        scheduled => scheduled.to_owned(),
    };
    let progress = Progress::of(vmi, now)
        .phase("Running")
        .field("nodeName", json!(node))
        .field("interfaces", json!(interfaces(vmi, "")))
        .field("guestOSInfo", json!({"id": "linux", "name": "Simulated Linux", "prettyName": "Simulated Linux"}))
        // Of a node without SELinux. virt-controller moves no guest that says nothing about it.
        .field("selinuxContext", json!("none"))
        .with(&Condition::yes("Ready"))
        .with(&Condition::yes("AgentConnected"));
    with_migratable(progress, list(vmi, "/status/volumeStatus"))
}

/// Says whether the guest can move with these volumes.
fn with_migratable<'a>(progress: Progress<'a>, volumes: &[Value]) -> Progress<'a> {
    let not_shared = volume_that_cannot_move(volumes).map(|claim| {
        format!("cannot migrate VMI: PVC {claim} is not shared, live migration requires that all PVCs must be shared (using ReadWriteMany access mode)")
    });
    progress.with(&match &not_shared {
        None => Condition::yes("LiveMigratable"),
        Some(message) => Condition::no("LiveMigratable", "DisksNotLiveMigratable", message),
    })
}

fn ended<'a>(vmi: &'a Object, phase: &str, now: Timestamp) -> Progress<'a> {
    Progress::of(vmi, now)
        .phase(phase)
        .with(&Condition::no("Ready", "PodTerminating", "virt-launcher pod is terminating"))
        .without("AgentConnected")
}

fn volume_that_cannot_move(volumes: &[Value]) -> Option<&str> {
    let plugged = volumes.iter().filter(|volume| volume["phase"] != "UnMountedFromPod");
    let claims = plugged.filter_map(|volume| volume.get("persistentVolumeClaimInfo"));
    let shared = |claim: &Value| claim["accessModes"].as_array().is_some_and(|m| m.contains(&json!("ReadWriteMany")));
    claims.filter(|claim| !shared(claim)).find_map(|claim| claim["claimName"].as_str())
}

/// One entry for each NIC of the spec. Addresses come from the VMI's UID: another instance, another address. Behind NAT the
/// address is that of the pod, and another one in the `pod` that a guest moved to.
fn interfaces(vmi: &Object, pod: &str) -> Vec<Value> {
    let nics = list(vmi, "/spec/domain/devices/interfaces").iter().enumerate();
    nics.map(|(at, nic)| {
        let name = nic["name"].as_str().unwrap_or_default();
        let own = format!("{}/{name}", uid(vmi));
        let drawn = draw(&own).to_be_bytes();
        let address = |[a, b, c, ..]: [u8; 8]| format!("10.{a}.{b}.{}", 1 + c % 254);
        let behind_nat = !pod.is_empty() && !nic["masquerade"].is_null();
        let ip = address(if behind_nat { draw(&format!("{own}/{pod}")).to_be_bytes() } else { drawn });
        let made = || format!("52:54:00:{:02x}:{:02x}:{:02x}", drawn[3], drawn[4], drawn[5]);
        let mac = nic["macAddress"].as_str().map_or_else(made, str::to_owned);
        json!({
            "name": name, "mac": mac, "ipAddress": ip, "ipAddresses": [ip], "interfaceName": format!("eth{at}"),
            "infoSource": "domain, guest-agent", "queueCount": 1, "linkState": "up",
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::writes::Verb;
    use super::*;
    use crate::table::every_row;

    fn vmi(phase: &str, deleted: bool) -> Object {
        let mut value = json!({
            "metadata": {"name": "web", "namespace": "a", "uid": "u1"},
            "spec": {"domain": {"devices": {"interfaces": [{"name": "default"}, {"name": "lan", "macAddress": "02:00:00:00:00:07"}]}}},
            "status": {"phase": phase},
        });
        if deleted {
            value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        serde_json::from_value(value).unwrap()
    }

    fn patch(vmi: &Object) -> Value {
        match next(vmi, &[], Timestamp::UNIX_EPOCH).unwrap().write.verb {
            Verb::Merge(patch) => patch,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_node_does_in_each_phase() {
        use Failure::{CrashLoop, StuckTerminating, Unschedulable};
        #[rustfmt::skip]
        let cases = [
            ("",           false, vec![],                 None),
            ("Scheduling", false, vec![CrashLoop],        None),
            ("Scheduled",  false, vec![],                 Some(("boot", "Running"))),
            ("Scheduled",  false, vec![Unschedulable],    Some(("boot", "Running"))),
            ("Scheduled",  false, vec![CrashLoop],        Some(("crash", "Failed"))),
            ("Scheduled",  true,  vec![CrashLoop],        Some(("shutdown", "Succeeded"))),
            ("Running",    false, vec![],                 None),
            ("Running",    false, vec![CrashLoop],        Some(("crash", "Failed"))),
            ("Running",    true,  vec![],                 Some(("shutdown", "Succeeded"))),
            ("Running",    true,  vec![StuckTerminating], None),
            ("Succeeded",  true,  vec![],                 None),
            ("Failed",     false, vec![CrashLoop],        None),
        ];
        every_row(cases, |(phase, deleted, failures, want)| {
            let got = next(&vmi(phase, deleted), &failures, Timestamp::UNIX_EPOCH).map(|m| {
                let Verb::Merge(patch) = m.write.verb else { panic!("not a merge") };
                (m.step, patch["status"]["phase"].as_str().unwrap().to_owned())
            });
            assert_eq!(
                got,
                want.map(|(step, phase)| (step, phase.to_owned())),
                "{phase} deleted={deleted} {failures:?}"
            );
        });
    }

    #[test]
    fn a_booted_instance_has_a_node_an_address_per_nic_and_the_mac_of_its_spec() {
        let status = &patch(&vmi("Scheduled", false))["status"];
        assert!(status["nodeName"].as_str().unwrap().starts_with("node-"));
        let nics = status["interfaces"].as_array().unwrap();
        assert_eq!(
            (nics.len(), &nics[0]["name"], &nics[1]["mac"]),
            (2, &json!("default"), &json!("02:00:00:00:00:07"))
        );
        assert_ne!(nics[0]["ipAddress"], nics[1]["ipAddress"]);
        assert!(nics[0]["ipAddress"].as_str().unwrap().parse::<std::net::Ipv4Addr>().is_ok());
    }

    #[test]
    fn only_shared_disks_can_migrate() {
        let with = |mode: &str| {
            let mut vmi = vmi("Scheduled", false);
            vmi.data["status"]["volumeStatus"] = json!([{"name": "root", "persistentVolumeClaimInfo": {"claimName": "web-root", "accessModes": [mode]}}]);
            let conditions = patch(&vmi)["status"]["conditions"].clone();
            conditions.as_array().unwrap().iter().find(|c| c["type"] == "LiveMigratable").unwrap()["status"].clone()
        };
        assert_eq!((with("ReadWriteMany"), with("ReadWriteOnce")), (json!("True"), json!("False")));
    }
}
