//! A virtual machine and a template on the wire. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::any::Typed;

/// A virtual machine of a tenant: a Machine.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct VirtualMachine {
    /// Name of the Machine.
    #[schema(examples("rhel-9-vm-template-7k2m4x9q1z"))]
    pub id: String,
    /// About the object.
    pub metadata: Metadata,
    /// What it should be.
    pub spec: Spec,
    /// What is known of it.
    pub status: Status,
}

/// About a virtual machine as an object.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = VirtualMachineMetadata)]
pub struct Metadata {
    /// When it was asked for.
    pub creation_timestamp: String,
    /// When it was asked to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
    /// Whose it is: the namespace of the Machine.
    pub tenant: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What a virtual machine should be.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = VirtualMachineSpec)]
pub struct Spec {
    /// `small`, `medium`, `large`, or a MachineClass.
    pub template: String,
    /// What it should be beside its template. `virtual_machine_templates` lists them.
    pub template_parameters: BTreeMap<&'static str, Typed>,
}

/// What is known of a virtual machine.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = VirtualMachineStatus)]
pub struct Status {
    /// `VIRTUAL_MACHINE_STATE_PENDING`, `_PROGRESSING`, `_READY`, `_STOPPING`, `_STOPPED`, `_FAILED` or `_DELETING`.
    #[schema(examples("VIRTUAL_MACHINE_STATE_READY"))]
    pub state: String,
    /// The hub that it is on.
    pub hub: String,
    /// Its first address.
    pub ip_address: String,
    /// Its state by aspect.
    pub conditions: Vec<Condition>,
}

/// One aspect of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VirtualMachineCondition)]
pub struct Condition {
    /// Which aspect.
    #[serde(rename = "type")]
    #[schema(examples("VIRTUAL_MACHINE_CONDITION_TYPE_READY"))]
    pub type_: String,
    /// `CONDITION_STATUS_TRUE`, `_FALSE` or `_UNKNOWN`.
    pub status: &'static str,
    /// One word.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
}

/// What asks for a virtual machine. What only the server says, such as `status`, is not read.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = VirtualMachineRequest)]
#[expect(dead_code, reason = "a description: what is read says all that is wrong with it")]
pub struct Request {
    /// Name: a DNS label of 60 characters at most. Default: made from the template.
    id: Option<String>,
    /// Whose it is, and labels.
    metadata: Option<RequestMetadata>,
    /// What it should be.
    spec: RequestSpec,
}

/// Whose a virtual machine is, and labels.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = VirtualMachineRequestMetadata)]
#[expect(dead_code, reason = "a description")]
pub struct RequestMetadata {
    /// Namespace of the Machine. Default: the caller's own.
    tenant: Option<String>,
    /// Labels.
    labels: Option<BTreeMap<String, String>>,
}

/// What a virtual machine should be.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = VirtualMachineRequestSpec)]
#[expect(dead_code, reason = "a description")]
pub struct RequestSpec {
    /// `small`, `medium`, `large`, or a MachineClass. Default: the MachineClass that says it is the default.
    #[schema(examples("rhel-9-vm-template"))]
    template: Option<String>,
    /// What it should be beside its template.
    template_parameters: Option<BTreeMap<String, Typed>>,
}

/// What changes a virtual machine: a JSON merge patch of what is shown of it. What only the server says, such as `status`, is not read.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = VirtualMachineChange)]
#[expect(dead_code, reason = "a description")]
pub struct Change {
    /// Its own name, which cannot change.
    id: Option<String>,
    /// Labels; the tenant cannot change.
    metadata: Option<RequestMetadata>,
    /// What it should be.
    spec: Option<ChangedSpec>,
}

/// What a virtual machine should be from now on.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = VirtualMachineChangedSpec)]
#[expect(dead_code, reason = "a description")]
pub struct ChangedSpec {
    /// Another template.
    template: Option<String>,
    /// What it should be beside its template: values with their types. Null takes a parameter away.
    template_parameters: Option<BTreeMap<String, Value>>,
}

/// A template: a MachineClass, or one that is built in.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = VirtualMachineTemplate)]
pub struct Template {
    /// What `spec.template` of a virtual machine says.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// What may be said beside it.
    pub parameters: Vec<Parameter>,
}

/// A parameter of a template.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = VirtualMachineTemplateParameter)]
pub struct Parameter {
    /// Its name in `template_parameters`.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// Whether it has to be given.
    pub required: bool,
    /// Which wrapper it has.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// What counts where it is not given, as far as the template says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Typed>,
}
