//! The annotations that change what the controller writes, judged on the very objects that it would write. Pure. X46, X47.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Ask;
use super::surroundings::Decided;
use crate::admission::review::{Annotations, Object, Text};
use crate::admission::world::World;
use crate::machine::{Admitted, Found, Identity, Intent, Kind, Observed, Remote, Write, plan};
use crate::names::{MachineKey, VmKey};
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
    let given = given(ask.object);
    if given.is_empty() {
        return;
    }
    let names: Vec<&str> = given.iter().map(|(key, _)| &**key).take(6).collect();
    warnings.push(format!("judged, but without effect yet: {}", names.join(", ")));
    let kept = |old: &Object<'_>| self::given(old) == given && crate::admission::sizing::same_size(ask.object, old);
    let Some(admitted) = admitted(ask, decided, world).filter(|_| !ask.old.is_some_and(kept)) else { return };
    let config = world.configs.get(&admitted.cluster);
    let scheduling = config.is_some_and(|config| config.allow_scheduling_patches);
    let objects = written(&admitted);
    let vm = objects.iter().find(|(kind, ..)| *kind == Kind::Vm).map_or(&Value::Null, |(_, _, object)| object);
    let prefix = format!("{}-", admitted.identity.key.name);
    let claims = objects.iter().filter(|(kind, ..)| *kind == Kind::Claim);
    let disks: BTreeMap<&str, &Value> =
        claims.filter_map(|(_, name, object)| Some((name.strip_prefix(&prefix)?, object))).collect();
    let annotations = given.iter().map(|(key, value)| (&**key, &**value));
    wrong.extend(patch::check(annotations, &patch::Desired { vm, disks, scheduling }));
}

fn given<'o, 'a>(object: &'o Object<'a>) -> &'o [(Text<'a>, Text<'a>)] {
    object.metadata.annotations.as_ref().map(|Annotations { overrides, .. }| overrides.as_slice()).unwrap_or_default()
}

/// The Machine as the controller will read it, once cluster and size are known. A name that is not given yet stays empty.
fn admitted(ask: &Ask<'_>, decided: Decided<'_>, world: &World) -> Option<Admitted> {
    let (cluster, sizing) = (decided.cluster?, decided.sizing?);
    let metadata = &ask.object.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    let key = MachineKey { namespace: ask.request.namespace.to_string(), name: name.to_owned() };
    let vm = VmKey { namespace: key.namespace.clone(), name: format!("{}{name}", world.policy.vm_prefix) };
    Some(Admitted {
        identity: Identity {
            key,
            uid: String::new(),
            generation: 0,
            resource_version: None,
            vm,
            cluster_id: Some(String::new()),
        },
        cluster: cluster.clone(),
        sizing: sizing.clone(),
        run_strategy: ask.object.spec.run_strategy.as_deref().unwrap_or("Always").to_owned(),
        guarded: true,
        legacy: false,
        adopt: None,
    })
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
