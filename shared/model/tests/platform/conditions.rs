//! Which clusters have a use for which asset.

use model::platform::catalogue::{Condition, Detector};
use model::platform::conditions::met;
use model::platform::context::Context;
use model::platform::snapshot::{Live, Node, Snapshot};
use model::platform::state::State;
use serde_json::json;

use crate::table::every_row;
use crate::{World, frames, hyperconverged, world};

#[test]
fn p8_hardware_is_what_node_feature_discovery_and_the_root_say() {
    const NFD: &str = "feature.node.kubernetes.io/";
    let pci = || world().annotated("enable-pci-passthrough", "true");
    let gives = |world: World, resource: &str, quantity: &str| {
        let given = (resource.to_owned(), quantity.to_owned());
        world.seen(|seen| seen.nodes.as_mut().expect("known")[0].allocatable.extend([given]))
    };
    let permits = |world: World| {
        world.seen(|seen| {
            seen.hyperconvergeds.as_mut().expect("known")[0]["spec"]["permittedHostDevices"] =
                json!({"pciHostDevices": [{"pciDeviceSelector": "10de:1db6", "resourceName": "nvidia.com/v100"}]});
        })
    };
    let usb = || world().bare().annotated("enable-usb", "true");
    let vfio = || permits(world().annotated("enable-vfio", "true"));
    #[rustfmt::skip]
    let rows = [
        ("P8: every node of KubeVirt has this",  "pci-passthrough", gives(pci(), "devices.kubevirt.io/kvm", "1k"),             false),
        ("a device that nobody permits",         "pci-passthrough", gives(pci(), "nvidia.com/v100", "2"),                      false),
        ("a device that the root permits",       "pci-passthrough", permits(gives(pci(), "nvidia.com/v100", "2")),             true),
        ("none of it left",                      "pci-passthrough", permits(gives(pci(), "nvidia.com/v100", "0")),             false),
        ("a PCI device",                         "pci-passthrough", pci().label(&format!("{NFD}pci-0302_10de.present")),        true),
        ("P8: a label that no NFD writes",       "pci-passthrough", pci().label(&format!("{NFD}pci-present")),                 false),
        ("a USB device is none of PCI",          "pci-passthrough", pci().label(&format!("{NFD}usb-ff_1a6e_089a.present")),     false),
        ("not asked for",                        "pci-passthrough", world().label(&format!("{NFD}pci-0302_10de.present")),      false),
        ("NUMA",                                 "kubelet-numa",    world().label(&format!("{NFD}memory-numa")),                true),
        ("no NUMA",                              "kubelet-numa",    world(),                                                   false),
        ("USB",                                  "usb-passthrough", usb().label(&format!("{NFD}usb-ff_1a6e_089a.present")),     true),
        ("no USB",                               "usb-passthrough", usb(),                                                     false),
        ("VFIO without an IOMMU",                "vfio-assign",     vfio().label(&format!("{NFD}pci-0302_10de.present")),       false),
        ("VFIO",                                 "vfio-assign",     vfio().label(&format!("{NFD}pci-0302_10de.present")).label("platform.kubevirt.io/iommu"), true),
        ("VFIO and no device that is permitted", "vfio-assign",     world().annotated("enable-vfio", "true").label(&format!("{NFD}pci-0302_10de.present")).label("platform.kubevirt.io/iommu"), false),
    ];
    every_row(rows, |(name, asset, mut world, want)| {
        let (state, message) = world.asset(asset);
        let wanted = if want { State::Missing } else { State::ConditionNotMet };
        let wanted = if want && asset == "usb-passthrough" { State::Differs } else { wanted };
        assert_eq!(state, wanted, "{name}: {message}");
    });
}

#[test]
fn p8_p10_nodes_that_cannot_be_seen_are_not_nodes_without_devices() {
    let mut blind = world().seen(|seen| seen.nodes = Err("no answer".to_owned()));
    let want = (State::Unknown, "what the nodes have is not known: no answer".to_owned());
    assert_eq!(blind.asset("kubelet-numa"), want);
    assert_eq!(blind.asset("swap-enable"), want);
    assert_eq!(
        blind.asset("pci-passthrough").0,
        State::ConditionNotMet,
        "nobody asked for it, whatever the nodes have"
    );
}

#[test]
fn p17_a_cluster_of_control_plane_nodes_alone_has_no_worker_pool() {
    let both = ["node-role.kubernetes.io/worker", "node-role.kubernetes.io/master"];
    let node = Node { labels: both.map(|role| (role.to_owned(), String::new())).into(), ..Node::default() };
    let mut compact = world().seen(|seen| seen.nodes = Ok(vec![node]));
    let (state, message) = compact.asset("swap-enable");
    assert_eq!(state, State::ConditionNotMet, "8daefa5");
    assert!(message.contains("settings of the worker pool would reach nobody"), "{message}");
}

#[test]
fn p7_gates_are_those_of_the_root_and_of_its_kubevirt() {
    let asked = || world().annotated("reserved-system-cpus", "0");
    let operand = json!({"kind": "KubeVirt", "metadata": {"name": "kubevirt-hco"},
        "spec": {"configuration": {"developerConfiguration": {"featureGates": ["CPUManager"]}}}});
    let of_root = |gates: serde_json::Value| {
        asked().seen(|seen| {
            let root = &mut seen.hyperconvergeds.as_mut().expect("known")[0];
            root["spec"]["featureGates"] = gates;
            // Otherwise the others are made of what we are about to write.
            root["metadata"]["annotations"] = json!({"platform.kubevirt.io/mode": "unmanaged"});
        })
    };
    #[rustfmt::skip]
    let rows = [
        ("P7: an annotation opens no gate",   asked().annotated("CPUManager", "true"),                              State::ConditionNotMet),
        ("the KubeVirt of HCO",               asked().seen(|seen| seen.kubevirts = Ok(vec![operand])),              State::Missing),
        ("KubeVirt cannot be asked",          asked().seen(|seen| seen.kubevirts = Err("no answer".to_owned())),    State::Unknown),
        ("KubeVirt as root",                  asked().bare(),                                                       State::Missing),
        ("a name with true",                  of_root(json!({"CPUManager": true})),                                 State::Missing),
        ("a name with false",                 of_root(json!({"CPUManager": false})),                                State::ConditionNotMet),
        ("v1: an entry",                      of_root(json!([{"name": "CPUManager"}])),                             State::Missing),
        ("v1: an entry that is disabled",     of_root(json!([{"name": "CPUManager", "state": "Disabled"}])),        State::ConditionNotMet),
    ];
    every_row(rows, |(name, mut world, want)| {
        let (state, message) = world.asset("kubelet-cpu-manager");
        assert_eq!(state, want, "{name}: {message}");
    });
    let (state, message) = world().bare().asset("kubelet-cpu-manager");
    assert_eq!(state, State::ConditionNotMet);
    assert!(message.contains("set the annotation platform.kubevirt.io/reserved-system-cpus"), "{message}");
}

#[test]
fn x91_x80_features_are_asked_for_on_the_kubevirtconfig_or_on_the_root() {
    let on_root = |word: &str, text: &str| {
        let annotations = json!({format!("platform.kubevirt.io/{word}"): text});
        world().seen(move |seen| {
            let mut root = hyperconverged();
            root["metadata"]["annotations"] = annotations;
            seen.hyperconvergeds = Ok(vec![root]);
        })
    };
    #[rustfmt::skip]
    let rows = [
        ("nobody asks",                    world(),                                                                State::ConditionNotMet),
        ("the KubevirtConfig",             world().annotated("enable-loadaware", "true"),                          State::Missing),
        ("the root",                       on_root("enable-loadaware", "true"),                                    State::Missing),
        ("X80: the supervisor's word counts", on_root("enable-loadaware", "true").annotated("enable-loadaware", "false"), State::ConditionNotMet),
        ("another word than true",         world().annotated("enable-loadaware", "yes"),                           State::ConditionNotMet),
        ("the other prefix",               world().asked(|it| drop(it.annotations.insert("vitistack.io/enable-loadaware".to_owned(), "true".to_owned()))), State::Missing),
    ];
    every_row(rows, |(name, mut world, want)| {
        assert_eq!(world.asset("descheduler-loadaware").0, want, "{name}");
        assert_eq!(world.asset("psi-enable").0, want, "{name}");
    });
}

#[test]
fn p15_nodes_are_restarted_only_where_something_can_do_it_and_nothing_else_does() {
    let template = "selfnoderemediationtemplates.self-node-remediation.medik8s.io";
    let remediation = |live| world().seen(|seen| drop(seen.objects.insert(frames::remediation(), live)));
    let others = |found: Result<Vec<&str>, &str>| {
        let found = found.map(|names| names.into_iter().map(str::to_owned).collect()).map_err(str::to_owned);
        world().seen(|seen| drop(seen.listed.insert("nodehealthchecks.remediation.medik8s.io".to_owned(), found)))
    };
    #[rustfmt::skip]
    let rows = [
        ("all there",                 world(),                                State::Missing,           ""),
        ("P15: no remediator",        world().without_crd(template),          State::DependencyMissing, "the cluster lacks the CRD selfnode"),
        ("no template",               remediation(Ok(Live::Absent)),          State::DependencyMissing, "the cluster lacks selfnode"),
        ("the template is not known", remediation(Err("no answer".to_owned())), State::Unknown,         "what it depends on is not known: no answer"),
        ("P15: another health check", others(Ok(vec!["workers"])),            State::Foreign,           "NodeHealthCheck workers is there already"),
        ("our own",                   others(Ok(vec!["virt-node-health-check"])), State::Missing,       ""),
        ("others are not known",      others(Err("no answer")),               State::Unknown,           "whether there is another NodeHealthCheck is not known"),
    ];
    every_row(rows, |(name, mut world, want, says)| {
        let (state, message) = world.asset("node-health-check");
        assert_eq!(state, want, "{name}: {message}");
        assert!(message.starts_with(says), "{name}: {message}");
    });
}

#[test]
fn p8_graphics_processors_are_known_by_their_class_or_their_driver() {
    let snapshot = world().snapshot;
    let context = Context::of(&hyperconverged(), &snapshot);
    #[rustfmt::skip]
    let rows = [
        ("nothing",             None,                       None,                            false),
        ("a 3D controller",     Some("pci-0302_10de.present"), None,                         true),
        ("a network card",      Some("pci-0200_8086.present"), None,                         false),
        ("a driver's resource", None,                       Some(("nvidia.com/gpu", "1")),   true),
        ("of Intel",            None,                       Some(("gpu.intel.com/i915", "2")), true),
        ("none left",           None,                       Some(("amd.com/gpu", "0")),      false),
    ];
    every_row(rows, |(name, label, resource, want)| {
        let label = label.map(|label| (format!("feature.node.kubernetes.io/{label}"), "true".to_owned()));
        let resource = resource.map(|(name, quantity)| (name.to_owned(), quantity.to_owned()));
        let node = Node { labels: label.into_iter().collect(), allocatable: resource.into_iter().collect() };
        let seen = Snapshot { nodes: Ok(vec![node]), ..snapshot.clone() };
        let got = met(&Condition::Hardware(Detector::GpuPresent), &context, &seen);
        assert_eq!(got.is_ok(), want, "{name}: {got:?}");
    });
}
