//! What a cluster offers besides room: its KubeVirt, CDI and Multus (X45). Pure.
//!
//! Unknown is never absent: what could not be asked keeps its earlier answer. A cluster's words are cleaned and cut (ATK7).

use serde::Deserialize;

use crate::api::config::ClusterFacts;
use crate::text::line;

/// API group of CDI.
pub const CDI: &str = "cdi.kubevirt.io";
/// API group of NetworkAttachmentDefinitions, which Multus attaches.
pub const MULTUS: &str = "k8s.cni.cncf.io";
/// API group of VolumeSnapshotClasses.
pub const SNAPSHOTS: &str = "snapshot.storage.k8s.io";
/// API group of VirtualMachines.
pub const KUBEVIRT: &str = "kubevirt.io";
/// Machine types that KubeVirt accepts on amd64 when its object names none (1.8.2, pkg/virt-config).
pub const EMULATED_MACHINES: [&str; 2] = ["q35*", "pc-q35*"];

/// Bytes that are kept of a version or of a machine type, and how many of these.
const LONGEST: usize = 256;
const MOST: usize = 64;

/// What is read of a KubeVirt object's spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KubeVirtSpec {
    configuration: Configuration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Configuration {
    /// Deprecated there, and still stronger than the one by architecture.
    emulated_machines: Vec<String>,
    architecture_configuration: Architectures,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Architectures {
    amd64: Architecture,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Architecture {
    emulated_machines: Vec<String>,
}

/// What is read of a KubeVirt object's status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KubeVirtStatus {
    /// The version that is installed.
    observed_kube_virt_version: Option<String>,
    /// `Deployed` once it is.
    phase: Option<String>,
    conditions: Vec<Aspect>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Aspect {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

impl KubeVirtStatus {
    /// Whether its parts run: it is deployed, and not said to be unavailable. Absent while it says nothing.
    fn running(&self) -> Option<bool> {
        let available =
            self.conditions.iter().find(|aspect| aspect.type_ == "Available").map(|it| it.status != "False");
        let deployed = self.phase.as_deref().map(|phase| phase == "Deployed");
        match (deployed, available) {
            (None, None) => None,
            (deployed, available) => Some(deployed.unwrap_or(true) && available.unwrap_or(true)),
        }
    }
}

/// What a KubeVirt object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeVirt {
    /// Its version, such as `v1.8.2`; absent until its operator has observed it.
    pub version: Option<String>,
    /// Machine types that it accepts on amd64, with `*` as wildcard.
    pub emulated_machines: Vec<String>,
    /// Whether its parts run (B31); absent while it does not say.
    pub running: Option<bool>,
}

impl KubeVirt {
    /// Reads the object.
    pub fn of(spec: &KubeVirtSpec, status: Option<&KubeVirtStatus>) -> Self {
        let Configuration { emulated_machines: old, architecture_configuration: Architectures { amd64 } } =
            &spec.configuration;
        let named = [old, &amd64.emulated_machines].into_iter().find(|list| !list.is_empty());
        let version = status.and_then(|status| status.observed_kube_virt_version.as_deref());
        let machines = named.map(|list| list.iter().take(MOST).map(|machine| line(machine, LONGEST)).collect());
        Self {
            version: version.map(|version| line(version, LONGEST)).filter(|version| !version.is_empty()),
            emulated_machines: machines.unwrap_or_else(|| EMULATED_MACHINES.map(str::to_owned).to_vec()),
            running: status.and_then(KubeVirtStatus::running),
        }
    }
}

/// What was learnt of a cluster; what is absent could not be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// The API groups that it serves.
    pub groups: Option<Vec<String>>,
    /// The versions of [`KUBEVIRT`] that it serves.
    pub versions: Option<Vec<String>>,
    /// Whether it has a VolumeSnapshotClass.
    pub snapshots: Option<bool>,
    /// Its KubeVirt; `Some(None)` when there is none.
    pub kubevirt: Option<Option<KubeVirt>>,
}

/// The version of KubeVirt and the facts to publish: what was learnt, and for the rest what was published before.
/// Without a KubeVirt there is no version, and no machine type is known to be accepted or refused.
pub fn facts(before: (Option<&str>, Option<&ClusterFacts>), learnt: &Learnt) -> (Option<String>, Option<ClusterFacts>) {
    let (version, known) = before;
    let mut facts = known.cloned().unwrap_or_default();
    if let Some(groups) = &learnt.groups {
        let serves = |wanted: &str| Some(groups.iter().any(|group| group == wanted));
        (facts.cdi, facts.multus) = (serves(CDI), serves(MULTUS));
    }
    facts.snapshots = learnt.snapshots.or(facts.snapshots);
    let version = match &learnt.kubevirt {
        None => version.map(str::to_owned),
        Some(kubevirt) => {
            let KubeVirt { version, emulated_machines, running: _ } = kubevirt.clone().unwrap_or_default();
            facts.emulated_machines = emulated_machines;
            version
        }
    };
    (version, Some(facts).filter(|facts| *facts != ClusterFacts::default()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::table::every_row;

    fn kubevirt(spec: Value, status: Value) -> KubeVirt {
        let status: Option<KubeVirtStatus> = serde_json::from_value(status).expect("a status");
        KubeVirt::of(&serde_json::from_value(spec).expect("a spec"), status.as_ref())
    }

    #[test]
    fn x45_machine_types_are_those_that_kubevirt_itself_would_accept() {
        let amd64 = |list: Value| json!({"architectureConfiguration": {"amd64": {"emulatedMachines": list}}});
        let mut both = amd64(json!(["q35*"]));
        both["emulatedMachines"] = json!(["pc-i440fx*"]);
        #[rustfmt::skip]
        let cases = [
            ("X45: nothing said",                  json!({}),                               vec!["q35*", "pc-q35*"]),
            ("X45: an empty list is nothing said", amd64(json!([])),                        vec!["q35*", "pc-q35*"]),
            ("X45: by architecture",               amd64(json!(["q35*", "pc-i440fx*"])),    vec!["q35*", "pc-i440fx*"]),
            ("X45: the deprecated field",          json!({"emulatedMachines": ["pc-q35-9.2"]}), vec!["pc-q35-9.2"]),
            ("X45: the deprecated field wins",     both,                                    vec!["pc-i440fx*"]),
            ("X45: of another architecture",       json!({"architectureConfiguration": {"arm64": {"emulatedMachines": ["virt*"]}}}), vec!["q35*", "pc-q35*"]),
        ];
        every_row(cases, |(name, configuration, want)| {
            let read = kubevirt(json!({"configuration": configuration}), json!({"observedKubeVirtVersion": "v1.8.2"}));
            assert_eq!(
                (read.emulated_machines, read.version.as_deref()),
                (want.iter().map(ToString::to_string).collect(), Some("v1.8.2")),
                "{name}"
            );
        });
        assert_eq!(kubevirt(json!({}), Value::Null).version, None, "not observed yet");
        assert_eq!(kubevirt(json!({}), json!({"observedKubeVirtVersion": ""})).version, None, "not observed yet");
    }

    #[test]
    fn b31_kubevirt_runs_when_it_is_deployed_and_not_said_to_be_unavailable() {
        let available =
            |status: &str| json!([{"type": "Progressing", "status": "False"}, {"type": "Available", "status": status}]);
        #[rustfmt::skip]
        let cases = [
            ("B31: it runs",                    json!({"phase": "Deployed", "conditions": available("True")}),  Some(true)),
            ("B31: deployed, and no more said", json!({"phase": "Deployed"}),                                   Some(true)),
            ("B31: still coming up",            json!({"phase": "Deploying"}),                                  Some(false)),
            ("B31: a part of it is down",       json!({"phase": "Deployed", "conditions": available("False")}), Some(false)),
            ("B31: only available",             json!({"conditions": available("True")}),                       Some(true)),
            ("B31: nothing is said",            json!({}),                                                      None),
        ];
        every_row(cases, |(name, status, want)| {
            assert_eq!(kubevirt(json!({}), status).running, want, "{name}");
        });
        assert_eq!(kubevirt(json!({}), Value::Null).running, None, "no status yet");
    }

    #[test]
    fn atk7_versions_and_machine_types_are_cleaned_cut_and_few() {
        let long = format!("q35\u{202e}*{}", "é".repeat(40_000));
        let many = vec![long.clone(); 1000];
        let read = kubevirt(
            json!({"configuration": {"emulatedMachines": many}}),
            json!({"observedKubeVirtVersion": format!("v1.8.2\u{1b}[2J\n{long}")}),
        );
        assert_eq!(read.emulated_machines, vec![format!("q35*{}", "é".repeat(126)); 64]);
        assert_eq!(read.version, Some(format!("v1.8.2[2Jq35*{}", "é".repeat(121))));
    }

    #[test]
    fn x45_what_could_not_be_asked_keeps_its_earlier_answer() {
        let known = ClusterFacts {
            cdi: Some(true),
            multus: Some(false),
            snapshots: Some(true),
            emulated_machines: vec!["pc*".to_owned()],
        };
        let before = (Some("v1.7.0"), Some(&known));
        let nothing: (Option<&str>, Option<&ClusterFacts>) = (None, None);
        let groups = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        let newer = KubeVirt {
            version: Some("v1.8.2".to_owned()),
            emulated_machines: vec!["q35*".to_owned()],
            running: Some(true),
        };
        let learnt = |groups, kubevirt| Learnt { groups, kubevirt, ..Learnt::default() };
        let want = |version: &str, (cdi, multus, snapshots), machines: &str| {
            let emulated_machines = machines.split_whitespace().map(str::to_owned).collect();
            (
                Some(version.to_owned()).filter(|version| !version.is_empty()),
                Some(ClusterFacts { cdi, multus, snapshots, emulated_machines }),
            )
        };
        let gone = Learnt { snapshots: Some(false), ..Learnt::default() };
        #[rustfmt::skip]
        let cases = [
            ("nothing known, nothing learnt",  nothing, learnt(None, None),                                      (None, None)),
            ("nothing learnt",                 before,  learnt(None, None),                                      want("v1.7.0", (Some(true), Some(false), Some(true)), "pc*")),
            ("no class for snapshots any more", before, gone,                                                   want("v1.7.0", (Some(true), Some(false), Some(false)), "pc*")),
            ("discovery failed",               before,  learnt(None, Some(Some(newer.clone()))),                 want("v1.8.2", (Some(true), Some(false), Some(true)), "q35*")),
            ("CDI went, Multus came",          before,  learnt(groups(&["apps", MULTUS]), None),                 want("v1.7.0", (Some(false), Some(true), Some(true)), "pc*")),
            ("first contact",                  nothing, learnt(groups(&[CDI, MULTUS]), Some(Some(newer))),       want("v1.8.2", (Some(true), Some(true), None), "q35*")),
            ("KubeVirt went",                  before,  learnt(groups(&["cdi.kubevirt.io.example"]), Some(None)), want("", (Some(false), Some(false), Some(true)), "")),
        ];
        every_row(cases, |(name, before, learnt, want)| assert_eq!(facts(before, &learnt), want, "{name}"));
    }
}
