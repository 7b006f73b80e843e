//! Whether a cluster has a use for an asset: its annotations, its gates, its hardware. Pure. P7, P8, P10, X91.
//!
//! Hardware is read from what node-feature-discovery writes on nodes, and from the devices that the root permits. Any other
//! resource of a node says nothing: every node with KubeVirt has some.

use std::collections::BTreeMap;

use super::catalogue::{Condition, Detector};
use super::context::Context;
use super::snapshot::{Live, Node, Snapshot};
use super::state::{Key, Said, State, say};

/// Prefix of the labels of node-feature-discovery.
const NFD: &str = "feature.node.kubernetes.io/";
/// And the name of that for machines of more than one NUMA node.
const NUMA: &str = "memory-numa";
/// Label by which an administrator says that a node can give devices away.
pub const IOMMU: &str = "platform.kubevirt.io/iommu";
const WORKER: &str = "node-role.kubernetes.io/worker";
const CONTROL: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
/// PCI classes of graphics processors.
const DISPLAYS: [&str; 2] = ["0300", "0302"];

/// Whether a condition holds; else how the asset stands.
pub fn met(condition: &Condition, context: &Context, snapshot: &Snapshot) -> Result<(), Said> {
    let not_met = |says: String| Err(say(State::ConditionNotMet, says));
    match condition {
        Condition::Annotation(name) => match context.word(name) {
            Some("true") => Ok(()),
            Some(_) => not_met(format!("the annotation platform.kubevirt.io/{name} is not \"true\"")),
            None => not_met(format!("set the annotation platform.kubevirt.io/{name}: \"true\" on the KubevirtConfig")),
        },
        Condition::Given(name) if context.word(name).is_some() => Ok(()),
        Condition::Given(name) => {
            not_met(format!("set the annotation platform.kubevirt.io/{name} on the KubevirtConfig"))
        }
        Condition::Gate(name) => match context.gate(name) {
            Ok(true) => Ok(()),
            Ok(false) => not_met(format!("the feature gate {name} is not open, on root and KubeVirt")),
            Err(why) => {
                Err(say(State::Unknown, format!("whether the feature gate {name} is open is not known: {why}")))
            }
        },
        Condition::Hardware(detector) => match &snapshot.nodes {
            Ok(nodes) if nodes.iter().any(|node| has(*detector, node, context)) => Ok(()),
            Ok(_) => not_met(missing(*detector).to_owned()),
            Err(why) => Err(say(State::Unknown, format!("what the nodes have is not known: {why}"))),
        },
        Condition::Root(kind) if *kind == context.kind => Ok(()),
        Condition::Root(kind) => not_met(format!("the root of this cluster is a {}, not a {kind}", context.kind)),
        Condition::RootHas(pointer) => match context.fact(pointer) {
            Some(value) if value.as_array().is_none_or(|list| !list.is_empty()) => Ok(()),
            _ => not_met(format!("the {} lists no {}", context.kind, pointer.rsplit('/').next().unwrap_or_default())),
        },
        Condition::Object { crd, namespace, name } => object(crd, namespace.as_ref(), name, snapshot),
    }
}

fn object(crd: &str, namespace: Option<&String>, name: &str, snapshot: &Snapshot) -> Result<(), Said> {
    let unknown = |why: String| say(State::Unknown, format!("what it depends on is not known: {why}"));
    let lacks =
        |what: String| say(State::DependencyMissing, format!("the cluster lacks {what}: install what it belongs to"));
    if snapshot.crd(crd).map_err(unknown)?.is_none() {
        return Err(lacks(format!("the CRD {crd}")));
    }
    let key = dependency(crd, namespace, name);
    match snapshot.object(&key).map_err(unknown)? {
        Live::Absent => Err(lacks(key.to_string())),
        Live::Metadata(_) | Live::Whole(_) => Ok(()),
    }
}

/// The object that a [`Condition::Object`] asks for, as it stands in [`Snapshot::objects`]: its kind is its CRD's name.
pub fn dependency(crd: &str, namespace: Option<&String>, name: &str) -> Key {
    Key { crd: crd.to_owned(), kind: crd.to_owned(), namespace: namespace.cloned(), name: name.to_owned() }
}

/// Whether a node has it.
fn has(detector: Detector, node: &Node, context: &Context) -> bool {
    let label = |name: &str| node.labels.get(name).is_some_and(|value| value == "true");
    let present = |kind: &str| nfd(&node.labels).any(|name| name.starts_with(kind) && name.ends_with(".present"));
    let gives = |name: &str| node.allocatable.get(name).is_some_and(|quantity| quantity != "0");
    let pci = || present("pci-") || context.resources().into_iter().any(gives);
    match detector {
        Detector::NumaNodesPresent => label(&format!("{NFD}{NUMA}")),
        Detector::PciDevicesPresent => pci(),
        Detector::VfioCapable => pci() && label(IOMMU),
        Detector::UsbDevicesPresent => present("usb-"),
        Detector::GpuPresent => {
            DISPLAYS.iter().any(|class| present(&format!("pci-{class}")))
                || gives("nvidia.com/gpu")
                || gives("amd.com/gpu")
                || node.allocatable.keys().any(|name| name.starts_with("gpu.intel.com/") && gives(name))
        }
        Detector::WorkerNodesPresent => {
            node.labels.contains_key(WORKER) && !CONTROL.iter().any(|role| node.labels.contains_key(*role))
        }
    }
}

/// What of a node conditions may ask for. Most nodes of a cluster are the same then.
pub fn node(labels: BTreeMap<String, String>, allocatable: BTreeMap<String, String>) -> Node {
    let found = |label: &str| label.strip_prefix(NFD).is_some_and(|it| it == NUMA || it.ends_with(".present"));
    let asked = |label: &str| label == IOMMU || label == WORKER || CONTROL.contains(&label) || found(label);
    Node {
        labels: labels.into_iter().filter(|(label, _)| asked(label)).collect(),
        // Devices are called as their maker has it; the kernel's own resources are not.
        allocatable: allocatable.into_iter().filter(|(name, _)| name.contains('/')).collect(),
    }
}

/// What node-feature-discovery found on a node.
fn nfd(labels: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    labels.iter().filter(|(_, value)| *value == "true").filter_map(|(label, _)| label.strip_prefix(NFD))
}

fn missing(detector: Detector) -> &'static str {
    match detector {
        Detector::NumaNodesPresent => "no node has the label feature.node.kubernetes.io/memory-numa: \"true\"",
        Detector::PciDevicesPresent => {
            "no node has a label feature.node.kubernetes.io/pci-….present, nor a device that the root permits"
        }
        Detector::VfioCapable => {
            "no node with PCI devices has the label platform.kubevirt.io/iommu: \"true\": set it where the IOMMU is on"
        }
        Detector::UsbDevicesPresent => "no node has a label feature.node.kubernetes.io/usb-….present",
        Detector::GpuPresent => "no node has a graphics processor",
        Detector::WorkerNodesPresent => {
            "every node is of the control plane, so settings of the worker pool would reach nobody"
        }
    }
}
