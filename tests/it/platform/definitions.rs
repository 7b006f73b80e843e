//! The kinds that the clusters of these tests have, as their projects define them.

use serde_json::Value;
use tests::platform_crds::Definition;

use crate::table::every_row;

/// What the catalogue counts on: the name of each definition, and what tells one release from the other.
#[test]
fn every_definition_is_one_document_with_the_fields_of_its_release() {
    #[rustfmt::skip]
    let rows = [
        (Definition::MachineConfig,               "machineconfigs.machineconfiguration.openshift.io",     "spec/kernelArguments",           true),
        (Definition::KubeletConfig,               "kubeletconfigs.machineconfiguration.openshift.io",     "spec/autoSizingReserved",        true),
        (Definition::MachineConfigPool,           "machineconfigpools.machineconfiguration.openshift.io", "status/conditions",              true),
        (Definition::KubeDescheduler,             "kubedeschedulers.operator.openshift.io",               "spec/evictionLimits/properties/node", true),
        (Definition::OldKubeDescheduler,          "kubedeschedulers.operator.openshift.io",               "spec/evictionLimits/properties/node", false),
        (Definition::MetalLb,                     "metallbs.metallb.io",                                  "spec/logLevel",                  true),
        (Definition::UiPlugin,                    "uiplugins.observability.openshift.io",                 "spec/monitoring/properties/perses", true),
        (Definition::UiPluginWithoutPerses,       "uiplugins.observability.openshift.io",                 "spec/monitoring/properties/perses", false),
        (Definition::OldUiPlugin,                 "uiplugins.observability.openshift.io",                 "spec/monitoring",                false),
        (Definition::Aaq,                         "aaqs.aaq.kubevirt.io",                                 "spec/imagePullPolicy",           true),
        (Definition::HyperConverged,              "hyperconvergeds.hco.kubevirt.io",                      "spec/featureGates/properties/downwardMetrics", true),
        (Definition::OldHyperConverged,           "hyperconvergeds.hco.kubevirt.io",                      "spec/featureGates/properties/downwardMetrics", false),
        (Definition::NodeHealthCheck,             "nodehealthchecks.remediation.medik8s.io",              "spec/minHealthy",                true),
        (Definition::SelfNodeRemediationTemplate, "selfnoderemediationtemplates.self-node-remediation.medik8s.io", "spec/template",         true),
        (Definition::ForkliftController,          "forkliftcontrollers.forklift.konveyor.io",             "spec/feature_ui_plugin",         true),
    ];
    every_row(rows, |(definition, name, path, has)| {
        let text = definition.manifest().unwrap_or_else(|error| panic!("{error}"));
        let crd: Value = serde_saphyr::from_str(&text).expect("one document");
        assert_eq!((&crd["kind"], &crd["metadata"]["name"]), (&"CustomResourceDefinition".into(), &name.into()));
        let (part, path) = path.split_once('/').expect("a part and a path");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]["properties"];
        assert_eq!(schema.pointer(&format!("/{path}")).is_some(), has, "{definition:?}: {path}");
    });
}
