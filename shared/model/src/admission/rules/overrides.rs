//! The annotations that change what the controller writes, judged on the very objects that it would write. Pure. X46, X47.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Ask;
use super::surroundings::Decided;
use crate::admission::review::{Object, Overrides};
use crate::admission::sizing::disks::disk_name;
use crate::admission::sizing::{SizedDisk, Sizing, Source, same_size};
use crate::admission::world::World;
use crate::admission::{assigned, placement};
use crate::machine::{Admitted, Found, Identity, Intent, Kind, Observed, Remote, Write, plan};
use crate::names::{ClusterName, MachineKey, VmKey};
use crate::patch;
use crate::reason::Violation;

/// Refuses what may not be patched, and says that patches wait for a later version. Annotations that an update does not
/// touch, on a Machine of the same size, are not judged anew (X76).
pub fn check(
    ask: &Ask<'_>,
    decided: Decided<'_>,
    world: &World,
    wrong: &mut Vec<Violation>,
    warnings: &mut Vec<String>,
) {
    let Some(given) = given(ask.object) else { return };
    let names: Vec<&str> = given.iter().map(|(key, _)| &**key).take(6).collect();
    warnings.push(format!("judged, but without effect yet: {}", names.join(", ")));
    let cluster = decided.cluster.map(|it| it.0.as_str());
    let kept = |old: &Object<'_>| {
        let same_cluster = placement::recorded(old).or(assigned(old)) == cluster;
        self::given(old) == Some(given) && same_size(ask.object, old) && same_cluster
    };
    if ask.old.is_some_and(kept) {
        return;
    }
    let admitted = admitted(ask, decided, world);
    let config = world.configs.get(&admitted.cluster);
    // Whether a cluster that is not decided allows it is no mistake of this patch.
    let scheduling = config.is_none_or(|config| config.allow_scheduling_patches);
    let objects = written(&admitted);
    let vm = objects.iter().find(|(kind, ..)| *kind == Kind::Vm).map_or(&Value::Null, |(_, _, object)| object);
    let prefix = format!("{}-", admitted.identity.key.name);
    let claims = objects.iter().filter(|(kind, ..)| *kind == Kind::Claim);
    let disks: BTreeMap<&str, &Value> =
        claims.filter_map(|(_, name, object)| Some((name.strip_prefix(&prefix)?, object))).collect();
    let annotations = given.iter().map(|(key, value)| (&**key, &**value));
    wrong.extend(patch::check(annotations, &patch::Desired { vm, disks, scheduling }));
}

fn given<'o, 'a>(object: &'o Object<'a>) -> Option<&'o Overrides<'a>> {
    let given = object.metadata.annotations.as_ref().map(|all| &all.overrides);
    given.filter(|given| !given.is_empty())
}

/// The Machine as the controller will read it. A name that is not given yet stays empty, and for a size or a cluster that
/// could not be decided something stands in, because the mistakes of the patch belong into the same answer.
fn admitted(ask: &Ask<'_>, decided: Decided<'_>, world: &World) -> Admitted {
    let metadata = &ask.object.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    let key = MachineKey { namespace: (*ask.request.namespace).to_owned(), name: name.to_owned() };
    let vm = VmKey { namespace: key.namespace.clone(), name: format!("{}{name}", world.policy.vm_prefix) };
    Admitted {
        identity: Identity {
            key,
            uid: String::new(),
            generation: 0,
            resource_version: None,
            vm,
            cluster_id: Some(String::new()),
        },
        cluster: decided.cluster.cloned().unwrap_or_else(|| ClusterName(String::new())),
        sizing: decided.sizing.cloned().unwrap_or_else(|| stand_in(ask.object)),
        run_strategy: ask.object.spec.run_strategy.as_deref().unwrap_or("Always").to_owned(),
        guarded: true,
        legacy: false,
        adopt: Vec::new(),
    }
}

fn stand_in(object: &Object<'_>) -> Sizing {
    let given = object.spec.disks.iter().flatten().enumerate().map(|(index, disk)| disk_name(disk, index).into_owned());
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
        source: Source::Spec,
        generation: None,
        cores: 1,
        threads: 1,
        sockets: 1,
        memory: "2Gi".to_owned(),
        disks: names.into_iter().map(disk).collect(),
    }
}

/// What the controller would create for it on an empty cluster.
fn written(admitted: &Admitted) -> Vec<(Kind, String, Value)> {
    let seen = Observed {
        supervisor: String::new(),
        remote: Remote::Connected { id: String::new() },
        vm: None,
        vmi: None,
        claims: BTreeMap::new(),
        namespace_known: true,
        storage_classes: Default::default(),
        awaited: Default::default(),
        found: Found::Unasked,
    };
    let writes = plan(&Intent::Run(Box::new(admitted.clone())), &seen).into_iter();
    writes
        .filter_map(|write| match write {
            Write::Create(kind, name, object) => Some((kind, name, object)),
            _ => None,
        })
        .collect()
}
