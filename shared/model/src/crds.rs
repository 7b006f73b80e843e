//! The custom resource definitions as they are written out and installed. Pure.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::api::schema::finish;
use crate::api::{KubevirtConfig, Machine, MachineClass, NetworkConfiguration, config, machine};

/// The CRDs to install, complete: those of the derives lack the CEL rules.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        finish(&Machine::crd(), &machine::rules::cel()),
        finish(&MachineClass::crd(), &[]),
        finish(&KubevirtConfig::crd(), config::RULES),
        finish(&NetworkConfiguration::crd(), &[]),
    ]
}
