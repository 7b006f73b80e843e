//! The objects on a cluster: their kinds and keys, whose they are, what is kept of each, and in whose name they are written.
//! No I/O.
//!
//! The records are a few hundred bytes each; whole objects and managedFields are never kept. A cluster may lie: its words are
//! cleaned and cut, its lists are short, and what is no address or quantity is left out (ATK7, ATK8).

use kube::ResourceExt;
use kube::api::{ApiResource, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use model::baseline::Drift;
use model::machine::{Claim, Import, Kind, Nic, Vm, Vmi, Waits};
use model::names::{ADOPTED, CHANGED_FIELDS, CLOUD_INIT, MACHINE_UID, MACS_OF, OPERATOR, RESTARTED};
use model::text::line;
use serde_json::Value;

use crate::applied::{drift, hash, paused};
use crate::disks::claim_bytes;
use crate::remote_object::RemoteObject;

/// Bytes that are kept of a name or a word, of a UID, of a sentence, and of what a Machine asked for.
const WORD: usize = 256;
const UID: usize = 64;
const SENTENCE: usize = 512;
const ASKED: usize = 1024;
/// Interfaces that are kept of an instance, and addresses of all of them together.
const ENTRIES: usize = 64;
/// Networks that are kept of a VM: KubeVirt admits no more.
const NETWORKS: usize = 256;

/// Namespace and name on a remote cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// Bytes of its text.
    pub fn bytes(&self) -> usize {
        self.namespace.len() + self.name.len()
    }
}

/// UID of the Machine that a remote object says it belongs to. Where that is on the supervisor, its namespace does not say:
/// it may be mapped (X38).
pub type MachineUid = String;

/// Kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchedKind {
    /// VirtualMachines.
    Vm,
    /// VirtualMachineInstances.
    Vmi,
    /// PersistentVolumeClaims.
    Claim,
    /// DataVolumes.
    DataVolume,
}

impl WatchedKind {
    /// As kubectl users call it.
    pub const fn name(self) -> &'static str {
        match self {
            WatchedKind::Vm => "VirtualMachine",
            WatchedKind::Vmi => "VirtualMachineInstance",
            WatchedKind::Claim => "PersistentVolumeClaim",
            WatchedKind::DataVolume => "DataVolume",
        }
    }

    /// The kind that we write; an instance is KubeVirt's.
    pub const fn written(self) -> Option<Kind> {
        match self {
            WatchedKind::Vm => Some(Kind::Vm),
            WatchedKind::Vmi => None,
            WatchedKind::Claim => Some(Kind::Claim),
            WatchedKind::DataVolume => Some(Kind::DataVolume),
        }
    }
}

/// One watched object. Each kind takes what it needs, and not as much as the largest.
#[derive(Clone, Debug)]
pub enum Record {
    /// A VirtualMachine.
    Vm(Box<Vm>),
    /// An instance.
    Vmi(Box<Vmi>),
    /// A claim.
    Claim(Box<Claim>),
    /// A DataVolume.
    DataVolume(Box<Import>),
}

impl Record {
    /// Its kind.
    pub const fn kind(&self) -> WatchedKind {
        match self {
            Record::Vm(_) => WatchedKind::Vm,
            Record::Vmi(_) => WatchedKind::Vmi,
            Record::Claim(_) => WatchedKind::Claim,
            Record::DataVolume(_) => WatchedKind::DataVolume,
        }
    }

    /// Bytes of it, and of its text.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let own = match self {
            Record::Vm(_) => size_of::<Vm>(),
            Record::Vmi(_) => size_of::<Vmi>(),
            Record::Claim(_) => size_of::<Claim>(),
            Record::DataVolume(_) => size_of::<Import>(),
        };
        own + match self {
            Record::Vm(vm) => {
                let marks = [&vm.hash, &vm.adopted, &vm.run_strategy, &vm.restarted, &vm.changed].map(text);
                let options = [&vm.cloud_init, &vm.failure, &vm.restart_required, &vm.macs_of].map(text);
                let drift: usize = vm.drift.iter().map(Drift::bytes).sum();
                let words = [&vm.name, &vm.uid, &vm.resource_version, &vm.printable].map(String::len);
                let attached = vm.attachments.iter().map(|name| name.len() + size_of::<String>());
                let texts = options.into_iter().chain(marks).chain(words).chain(attached);
                texts.sum::<usize>() + drift
            }
            Record::Vmi(vmi) => {
                let nic = |nic: &Nic| {
                    let ips = nic.ips.iter().map(|ip| ip.len() + size_of::<String>());
                    let words = [&nic.name, &nic.mac, &nic.state, &nic.source].map(text);
                    size_of::<Nic>() + words.iter().sum::<usize>() + ips.sum::<usize>()
                };
                let nics: usize = vmi.interfaces.iter().map(nic).sum();
                let options = [&vmi.node, &vmi.unschedulable, &vmi.failure, &vmi.controller].map(text);
                let waits = vmi.waits.as_ref().map_or(0, |waits| size_of::<Waits>() + text(&waits.stuck));
                vmi.name.len() + vmi.uid.len() + vmi.phase.len() + options.iter().sum::<usize>() + nics + waits
            }
            Record::Claim(claim) => claim_bytes(claim),
            Record::DataVolume(import) => import.uid.len() + text(&import.failure) + text(&import.source),
        }
    }
}

/// The remote kinds without a Rust type.
pub fn resource_of(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", kind))
}

/// Every patch names us as its field manager.
pub fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() }
}

/// So does every creation.
pub fn post_params() -> PostParams {
    PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() }
}

/// The Machine that an object belongs to by its labels. Its name is for people: an object that lost it is still the Machine's.
pub fn owner_of(object: &impl ResourceExt) -> Option<MachineUid> {
    object.labels().get(MACHINE_UID).cloned()
}

/// Namespace and name of an object.
pub fn key_of(object: &impl ResourceExt) -> ObjectKey {
    ObjectKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(|text| line(text, WORD))
}

fn find_condition<'v>(status: &'v Value, kind: &str, is: &str) -> Option<&'v Value> {
    let all = status.pointer("/conditions")?.as_array()?;
    all.iter().find(|condition| condition["type"] == kind && condition["status"] == is)
}

fn message_of(condition: &Value) -> String {
    let said = condition["message"].as_str().filter(|said| !said.is_empty()).or(condition["reason"].as_str());
    line(said.unwrap_or_default(), SENTENCE)
}

/// `metadata.uid`, cut.
pub fn uid_of(object: &impl ResourceExt) -> String {
    line(object.meta().uid.as_deref().unwrap_or_default(), UID)
}

/// What the older `spec.running` stands for (X28).
fn running(spec: &Value) -> Option<String> {
    let running = spec.pointer("/running")?.as_bool()?;
    Some(if running { "Always" } else { "Halted" }.to_owned())
}

/// Reads a VirtualMachine.
pub fn read_vm(object: &RemoteObject) -> Vm {
    let RemoteObject { spec, status, .. } = object;
    Vm {
        name: line(&object.name_any(), WORD),
        uid: uid_of(object),
        resource_version: line(object.metadata.resource_version.as_deref().unwrap_or_default(), WORD),
        deleting: object.metadata.deletion_timestamp.is_some(),
        hash: hash(object),
        drift: drift(object),
        paused: paused(object),
        adopted: object.annotations().get(ADOPTED).map(|asked| line(asked, ASKED)),
        run_strategy: text_at(spec, "/runStrategy").or_else(|| running(spec)),
        restarted: object.annotations().get(RESTARTED).map(|asked| line(asked, SENTENCE)),
        restarting: status.pointer("/stateChangeRequests/0").is_some(),
        changed: object.annotations().get(CHANGED_FIELDS).map(|fields| line(fields, ASKED)),
        cloud_init: object.annotations().get(CLOUD_INIT).map(|hash| line(hash, UID)),
        network_data: volumes(spec, "/template/spec/volumes").any(has_network_data),
        printable: text_at(status, "/printableStatus").unwrap_or_default(),
        failure: find_condition(status, "Failure", "True").map(message_of),
        restart_required: find_condition(status, "RestartRequired", "True").map(message_of),
        macs_of: object.annotations().get(MACS_OF).map(|uid| line(uid, UID)),
        attachments: attached(spec, &object.namespace().unwrap_or_default()),
    }
}

/// The NetworkAttachmentDefinitions of its own namespace that a VM is attached to.
fn attached(spec: &Value, namespace: &str) -> Vec<String> {
    let networks = spec.pointer("/template/spec/networks").and_then(Value::as_array);
    let names = networks.into_iter().flatten().filter_map(|network| network.pointer("/multus/networkName")?.as_str());
    let own = names.filter_map(|name| match name.split_once('/') {
        Some((other, name)) => (other == namespace).then_some(name),
        None => Some(name),
    });
    own.take(NETWORKS).map(|name| line(name, WORD)).collect()
}

/// Reads a VirtualMachineInstance.
pub fn read_vmi(object: &RemoteObject) -> Vmi {
    let RemoteObject { spec, status, .. } = object;
    let interfaces = status.pointer("/interfaces").and_then(Value::as_array);
    let mut room = ENTRIES;
    let nic = |nic: &Value| {
        let several = nic["ipAddresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let all = nic["ipAddress"].as_str().into_iter().chain(several);
        let mut ips: Vec<String> = Vec::new();
        for ip in all.filter(|ip| ip.parse::<std::net::IpAddr>().is_ok()) {
            if room == 0 {
                break;
            }
            if !ips.iter().any(|known| known == ip) {
                ips.push(ip.to_owned());
                room -= 1;
            }
        }
        Nic {
            name: text_at(nic, "/name").map(|name| line(&name, UID)),
            mac: text_at(nic, "/mac").filter(|mac| is_mac(mac)),
            ips,
            state: text_at(nic, "/linkState").map(|state| line(&state, UID)),
            source: text_at(nic, "/infoSource").map(|source| line(&source, UID)),
        }
    };
    Vmi {
        name: line(&object.name_any(), WORD),
        uid: uid_of(object),
        phase: text_at(status, "/phase").unwrap_or_default(),
        ready: find_condition(status, "Ready", "True").is_some(),
        node: text_at(status, "/nodeName").filter(|node| !node.is_empty()),
        interfaces: interfaces.into_iter().flatten().take(ENTRIES).map(nic).collect::<Box<[Nic]>>().into_vec(),
        unschedulable: find_condition(status, "PodScheduled", "False").map(message_of),
        failure: find_condition(status, "Synchronized", "False").map(message_of),
        cloud_init: volumes(spec, "/volumes").any(has_secret),
        controller: controller_of(object).map(|uid| line(uid, UID)),
        waits: waits(status),
    }
}

/// What waits for a move of the guest.
fn waits(status: &Value) -> Option<Box<Waits>> {
    let is = |kind| find_condition(status, kind, "True").is_some();
    let (cpus, memory, interfaces) = (is("HotVCPUChange"), is("HotMemoryChange"), is("MigrationRequired"));
    let stuck = || find_condition(status, "LiveMigratable", "False").map(message_of);
    (cpus || memory || interfaces).then(|| Box::new(Waits { cpus, memory, interfaces, stuck: stuck() }))
}

/// UID of what controls an object.
pub fn controller_of(object: &RemoteObject) -> Option<&str> {
    let mut owners = object.metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}

fn volumes<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A volume with cloud-init data of one of these keys.
fn has_data(volume: &Value, keys: &[&str]) -> bool {
    let sources = ["cloudInitNoCloud", "cloudInitConfigDrive"].map(|kind| &volume[kind]);
    sources.iter().any(|source| keys.iter().any(|key| source.get(key).is_some()))
}

fn has_secret(volume: &Value) -> bool {
    has_data(volume, &["secretRef", "networkDataSecretRef"])
}

fn has_network_data(volume: &Value) -> bool {
    has_data(volume, &["networkData", "networkDataBase64", "networkDataSecretRef"])
}

fn is_mac(text: &str) -> bool {
    (1..=UID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'-'))
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
