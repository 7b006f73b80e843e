//! Who a Machine is, and where its objects are: what its status says, judged by what its cluster shows. Pure. X2, X38, ATK4.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use super::image::iso_url;
use super::owner::Asking;
use super::write::Kind;
use crate::api::{KubevirtConfigSpec, Machine};
use crate::message::{Recorded, Reference, Sizing, is_ours, said};
use crate::names::{
    self, ClusterName, ISO_DISK, MachineKey, NAMESPACE_LENGTH, VmKey, claim_name, is_alone, is_plain,
    namespace_on_cluster, vm_name, vm_names,
};

/// Who a Machine is.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Where it is on the supervisor.
    pub key: MachineKey,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// Its VM on the remote cluster.
    pub vm: VmKey,
    /// No Machines of another namespace are sent to the VM's, or recorded there: a KubevirtConfig may map several to one.
    pub alone: bool,
    /// The identity of its cluster, once recorded.
    pub cluster_id: Option<String>,
    /// UID of the earlier self that it takes over, by its annotation.
    pub take_over: Option<String>,
    /// Other supervisors that its earlier self may have been on: `spec.takeOverFrom` of its KubevirtConfig.
    pub lost: Vec<String>,
}

impl Identity {
    /// What it asks for a VM as.
    pub fn asking<'a>(&'a self, supervisor: &'a str) -> Asking<'a> {
        let take_over = self.take_over.as_deref();
        Asking { machine: &self.key, uid: &self.uid, supervisor, lost: &self.lost, alone: self.alone, take_over }
    }

    /// The namespace on the cluster, where it is not the Machine's own.
    pub fn mapped(&self) -> Option<String> {
        (self.vm.namespace != self.key.namespace).then(|| self.vm.namespace.clone())
    }
}

/// What carries a Machine's UID on its cluster: the keys of VMs and their instances ([`Kind::Vm`]) and of claims.
pub type Shown = BTreeSet<(Kind, VmKey)>;

/// The cluster that a Machine concerns: the one that is recorded, else the one that it is assigned to.
pub fn cluster_of(machine: &Machine) -> Option<ClusterName> {
    let assigned = said(machine.annotations().get(names::KUBEVIRT_CONFIG).map(String::as_str));
    let name = recorded(machine, assigned).and_then(|recorded| recorded.cluster).or(assigned);
    name.map(|name| ClusterName(name.to_owned()))
}

/// The cluster that a Machine of ours is recorded on: it has objects there, or may have (X58). Of one that does not read, what
/// is known is its assignment, and that it was to be cleaned up.
pub fn recorded_on(machine: Result<&Machine, &ObjectMeta>) -> Option<ClusterName> {
    let meta = machine.map_or_else(|meta| meta, |machine| &machine.metadata);
    let assigned = meta.annotations.as_ref().and_then(|all| said(all.get(names::KUBEVIRT_CONFIG).map(String::as_str)));
    let cluster = match machine {
        Ok(machine) if !is_ours(machine.spec.provider.as_deref()) => None,
        Ok(machine) => recorded(machine, assigned)?.cluster,
        Err(meta) => assigned.filter(|_| meta.finalizers.iter().flatten().any(|finalizer| finalizer == names::CLEANUP)),
    };
    cluster.map(|name| ClusterName(name.to_owned()))
}

/// The namespace on its cluster that a Machine is recorded in.
pub fn recorded_home(machine: &Machine) -> Option<String> {
    let assigned = said(machine.annotations().get(names::KUBEVIRT_CONFIG).map(String::as_str));
    let home = recorded(machine, assigned)?.namespace.map(str::to_owned);
    home.or_else(|| machine.namespace())
}

/// The cluster that the status records.
pub(super) fn recorded<'m>(machine: &'m Machine, assigned: Option<&'m str>) -> Option<Recorded<'m>> {
    let reference = machine.status.as_ref()?.kubevirt_config_ref.as_ref()?;
    let reference = Reference {
        name: reference.name.as_deref(),
        cluster_id: reference.cluster_id.as_deref(),
        namespace: reference.namespace.as_deref(),
    };
    Recorded::read(reference, assigned)
}

/// The names of the claims that a Machine may have, without those that no API server takes: anybody may have written its status.
pub(super) fn may_have_claims(machine: &Machine, resolved: Option<&str>) -> BTreeSet<String> {
    let (spec, name) = (&machine.spec, machine.name_any());
    let recorded = machine.status.iter().flat_map(|status| &status.disks).filter_map(|disk| disk.pvc_name.clone());
    let sized = resolved.and_then(|text| Sizing::read(text).ok()).map(|sizing| sizing.disks).unwrap_or_default();
    let sized = sized.into_iter().map(|disk| claim_name(&name, &disk.name));
    let retained = spec.disks.iter().filter_map(|disk| disk.source.as_ref()?.retained.clone());
    let iso = spec.os.as_ref().and_then(|os| iso_url(os.iso_uri.as_deref(), os.image_id.as_deref()));
    let iso = iso.map(|_| claim_name(&name, ISO_DISK));
    recorded.chain(sized).chain(retained).chain(iso).filter(|claim| is_plain(claim)).collect()
}

/// Why nothing can be written where the Machine's objects are said to be.
pub(super) fn astray(identity: &Identity, recorded: Option<Recorded<'_>>, shown: &Shown) -> Option<String> {
    let (own, namespace) = (&identity.key.namespace, &identity.vm.namespace);
    let said = recorded.map(|recorded| recorded.namespace.unwrap_or(own)).filter(|said| said != namespace);
    if let Some(said) = said {
        return Some(format!(
            "the status says that the VM is in namespace {said:?} of the cluster, where nothing of this Machine is, and its KubevirtConfig sends it to {namespace:?}: delete the Machine and create it again, or have spec.namespace of the KubevirtConfig set back"
        ));
    }
    // A second VM of one Machine is worse than none (I1).
    let is_home = |namespace: &str| shown.iter().any(|(_, key)| key.namespace == namespace);
    if let Some((_, other)) = shown.first().filter(|_| !is_home(namespace)) {
        return Some(format!(
            "{other} on the cluster carries the UID of this Machine, which would be made in namespace {namespace:?}: set spec.namespace of its KubevirtConfig to {:?}, or take the label {} off what is not this Machine's",
            other.namespace,
            names::MACHINE_UID
        ));
    }
    let wrong = (namespace.len() > NAMESPACE_LENGTH)
        .then(|| format!("a namespace of more than {NAMESPACE_LENGTH} characters"))
        .or_else(|| {
            (namespace != own && names::is_reserved(namespace, ""))
                .then(|| format!("the reserved namespace {namespace:?}"))
        });
    wrong.map(|wrong| format!("its KubevirtConfig sends it to {wrong}: correct spec.namespace there"))
}

/// The namespace that a KubevirtConfig sends everything to.
pub(super) fn mapped(config: Option<&KubevirtConfigSpec>) -> Option<&str> {
    said(config?.namespace.as_deref())
}

pub(super) fn identity(
    machine: &Machine,
    recorded: Option<Recorded<'_>>,
    vm_prefix: &str,
    config: Option<&KubevirtConfigSpec>,
    shown: &Shown,
) -> Identity {
    let mapped = mapped(config);
    let (own, name) = (machine.namespace().unwrap_or_default(), machine.name_any());
    let expected = namespace_on_cluster(mapped, &own);
    let home = recorded.map(|recorded| recorded.namespace.unwrap_or(&own));
    let home = home.filter(|home| shown.iter().any(|(_, key)| key.namespace == *home)).unwrap_or(&expected).to_owned();
    let vm = machine.status.as_ref().and_then(|status| said(status.vm_name.as_deref()));
    // What is there decides; else the recorded name, if it is one that this Machine's VM may have.
    let own_names = vm_names(vm_prefix, &name);
    let names = vm.map(str::to_owned).into_iter().chain(own_names.clone());
    let there = |vm: &String| shown.contains(&(Kind::Vm, VmKey { namespace: home.clone(), name: vm.clone() }));
    let vm = names.clone().find(there).or_else(|| names.clone().find(|vm| own_names.contains(vm)));
    let uid = machine.uid().unwrap_or_default();
    let earlier =
        said(machine.annotations().get(names::TAKE_OVER).map(String::as_str)).filter(|earlier| *earlier != uid);
    Identity {
        take_over: earlier.map(str::to_owned),
        lost: config.map(|config| config.take_over_from.clone()).unwrap_or_default(),
        alone: is_alone(mapped, &own, &home),
        vm: VmKey { name: vm.unwrap_or_else(|| vm_name(vm_prefix, &name)), namespace: home },
        key: MachineKey { namespace: own, name },
        uid,
        generation: machine.metadata.generation.unwrap_or_default(),
        resource_version: machine.resource_version(),
        cluster_id: recorded.map(|recorded| recorded.id.to_owned()),
    }
}
