//! The annotations that change what the controller writes, judged on the very objects that it would write. Pure. X46, X47.

mod as_read;

use std::collections::BTreeMap;

use serde_json::Value;

use model::machine::{Admitted, Identity, Observed, Remote, Sought, storage, vm};
use model::message::{SizeSource, SizedDisk, Sizing};
use model::names::{ClusterName, MachineKey, VmKey, vm_name};
use model::patch::{self, UserPatches};

use super::ask::Ask;
use super::surroundings::Decided;
use crate::findings::Findings;
use crate::review::{Object, PatchAnnotations};
use crate::sizing::same_size;
use crate::world::World;

/// Refuses what may not be patched. Annotations that an update does not touch, on a Machine of the same size, are not judged
/// anew (X76).
pub fn check(ask: &Ask<'_>, decided: Decided<'_>, world: &World, found: &mut Findings) {
    let Some(given) = given(ask.object) else { return };
    let cluster = decided.cluster.map(|it| it.0.as_str());
    let kept =
        |old: &Object<'_>| self::given(old) == Some(given) && same_size(ask.object, old) && old.cluster() == cluster;
    if ask.old.is_some_and(kept) {
        return;
    }
    let admitted = admitted(ask, decided, world);
    let config = world.configs.get(&admitted.cluster);
    // Whether a cluster that is not decided allows it is no mistake of this patch.
    let scheduling = config.is_none_or(|config| config.allow_scheduling_patches);
    let (vm, claims) = written(&admitted);
    let disks: BTreeMap<&str, &Value> = claims.iter().map(|(disk, object)| (disk.as_str(), object)).collect();
    let annotations = given.iter().map(|(key, value)| (&**key, &**value));
    found.wrong.extend(patch::check(annotations, &patch::Desired { vm: &vm, disks, scheduling }));
}

fn given<'o, 'a>(object: &'o Object<'a>) -> Option<&'o PatchAnnotations<'a>> {
    let given = object.metadata.annotations.as_ref().map(|all| &all.patches);
    given.filter(|given| !given.is_empty())
}

/// The Machine as the controller will read it. A name that is not given yet stays empty, and for a size or a cluster that
/// could not be decided something stands in, because the mistakes of the patch belong into the same answer.
fn admitted(ask: &Ask<'_>, decided: Decided<'_>, world: &World) -> Admitted {
    let key = MachineKey { namespace: (*ask.request.namespace).to_owned(), name: ask.object.name().to_owned() };
    let vm = VmKey { namespace: key.namespace.clone(), name: vm_name(&world.policy.vm_prefix, &key.name) };
    Admitted {
        identity: Identity {
            key,
            uid: String::new(),
            generation: 0,
            resource_version: None,
            vm,
            alone: true,
            cluster_id: Some(String::new()),
            take_over: None,
            lost: Vec::new(),
        },
        cluster: decided.cluster.cloned().unwrap_or_else(|| ClusterName(String::new())),
        sizing: decided.sizing.cloned().unwrap_or_else(|| stand_in(ask.object)),
        spec: as_read::as_read(&ask.object.spec),
        disks: Vec::new(),
        shared: None,
        words: BTreeMap::new(),
        patches: Ok(UserPatches::default()),
        labels: BTreeMap::new(),
        run_strategy: ask.object.spec.run_strategy.as_deref().unwrap_or("Always").to_owned(),
        power_declared: ask.object.spec.run_strategy.is_some(),
        guarded: true,
        legacy: false,
        adopt: Vec::new(),
        sought: Sought::Any,
    }
}

fn stand_in(object: &Object<'_>) -> Sizing {
    let given = object.spec.disks.iter().flatten().enumerate().map(|(index, disk)| disk.called(index).into_owned());
    let names: std::collections::BTreeSet<String> = given.chain(["root".to_owned()]).collect();
    let disk = |name| SizedDisk {
        name,
        size: "20Gi".to_owned(),
        storage_class: None,
        access_mode: "ReadWriteOnce".to_owned(),
        volume_mode: None,
        boot: false,
    };
    Sizing {
        template: None,
        source: SizeSource::Spec,
        generation: None,
        cores: 1,
        threads: 1,
        sockets: 1,
        memory: "2Gi".to_owned(),
        disks: names.into_iter().map(disk).collect(),
    }
}

/// The VM that the controller would make for it on an empty cluster, and the claim of each disk.
fn written(admitted: &Admitted) -> (Value, Vec<(String, Value)>) {
    let remote = Remote::Connected { id: String::new() };
    let seen = Observed { namespace_known: true, ..Observed::nothing("", remote) };
    (vm::desired(admitted, &seen), storage::claims(admitted, &seen))
}
