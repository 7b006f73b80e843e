//! A Machine as it is kept while nobody looks at it: as JSON, compressed, which is a tenth of its text, and less of what the
//! type takes. A pass begins with opening it. No I/O.

use std::borrow::Cow;
use std::sync::Arc;

use kube::api::ObjectMeta;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use model::api::{Machine, MachineSpec, MachineStatus};
use model::machine::cluster_of;
use model::names::ClusterName;
use runtime::watcher::Event;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::remote_object::Metadata;

/// A Machine that may not decode. Who manages which of its fields is not read.
#[derive(Clone, Debug)]
pub struct Guarded(pub Result<Machine, InvalidObject>);

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    metadata: Metadata,
    spec: MachineSpec,
    status: Option<MachineStatus>,
}

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Named {
            metadata: Metadata,
        }
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(match serde_json::from_str(text.get()) {
            Ok(Text { metadata, spec, status }) => Ok(Machine { metadata: metadata.into(), spec, status }),
            Err(why) => {
                let Named { metadata } = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
                Err(InvalidObject { error: without_place(&why), metadata: metadata.into() })
            }
        }))
    }
}

/// Nobody has the text that line and column are of.
fn without_place(why: &serde_json::Error) -> String {
    let said = why.to_string();
    said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said).to_owned()
}

/// A Machine that runs. Most of the text of any other stands here, too, and need not be kept. It need not be what is written today.
const USUAL: &[u8] = include_bytes!("packed/usual.json");

/// A Machine that may not decode, packed. A clone is the same one.
#[derive(Clone, Debug, Resource)]
#[resource(inherit = Machine)]
pub struct Packed {
    /// Namespace, name and UID, by which it is found.
    metadata: ObjectMeta,
    /// Whose turns its passes take.
    cluster: Option<ClusterName>,
    kept: Kept,
}

#[derive(Clone, Debug)]
enum Kept {
    Machine(Arc<[u8]>),
    Invalid(Arc<InvalidObject>),
}

impl Packed {
    /// Packs one.
    pub fn of(machine: &Guarded) -> Self {
        let ObjectMeta { namespace, name, uid, .. } = machine.meta().clone();
        let metadata = ObjectMeta { namespace, name, uid, ..ObjectMeta::default() };
        let invalid = |invalid: InvalidObject| Kept::Invalid(Arc::new(invalid));
        let kept = match &machine.0 {
            Ok(machine) => match serde_json::to_vec(machine) {
                Ok(text) => Kept::Machine(compress_prepend_size_with_dict(&text, USUAL).into()),
                Err(why) => invalid(InvalidObject { error: why.to_string(), metadata: machine.metadata.clone() }),
            },
            Err(broken) => invalid(broken.clone()),
        };
        Self { metadata, cluster: machine.0.as_ref().ok().and_then(cluster_of), kept }
    }

    /// The cluster that it concerns, as [`cluster_of`] has it.
    pub fn cluster(&self) -> Option<&ClusterName> {
        self.cluster.as_ref()
    }

    /// A few fields of it: less work than to open it. None: it cannot be read.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        match &self.kept {
            Kept::Machine(packed) => unpack(packed).ok(),
            Kept::Invalid(_) => None,
        }
    }

    /// Whether it is the same Machine, in the same shape.
    fn is(&self, other: &Self) -> bool {
        match (&self.kept, &other.kept) {
            (Kept::Machine(one), Kept::Machine(other)) => one == other,
            (Kept::Machine(_) | Kept::Invalid(_), Kept::Invalid(_)) | (Kept::Invalid(_), Kept::Machine(_)) => false,
        }
    }

    /// Where it is in the queue. Without its UID, which nobody asks for there.
    pub(crate) fn at(&self) -> ObjectRef<Packed> {
        ObjectRef::new(&self.name_any()).within(&self.namespace().unwrap_or_default())
    }

    /// The Machine, as it was packed.
    pub fn open(&self) -> Guarded {
        Guarded(match &self.kept {
            Kept::Machine(packed) => {
                unpack(packed).map_err(|error| InvalidObject { error, metadata: self.metadata.clone() })
            }
            Kept::Invalid(invalid) => Err(InvalidObject::clone(invalid)),
        })
    }
}

fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Result<T, String> {
    let text = decompress_size_prepended_with_dict(packed, USUAL).map_err(|why| why.to_string())?;
    serde_json::from_slice(&text).map_err(|why| why.to_string())
}

/// An event of the watch, with its Machine packed. One that is listed again as it is known is not kept twice.
pub(crate) fn pack(event: &Event<Guarded>, known: &Store<Packed>) -> Event<Packed> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(machine) => {
            let now = Packed::of(machine);
            let before = known.get(&ObjectRef::from_obj(&now));
            Event::InitApply(before.filter(|before| before.is(&now)).map_or(now, |before| Packed::clone(&before)))
        }
        Event::InitDone => Event::InitDone,
        Event::Apply(machine) => Event::Apply(Packed::of(machine)),
        Event::Delete(machine) => Event::Delete(Packed::of(machine)),
    }
}

impl Resource for Guarded {
    type DynamicType = <Machine as Resource>::DynamicType;
    type Scope = <Machine as Resource>::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        Machine::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        Machine::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        Machine::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        Machine::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|broken| &broken.metadata, Machine::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|broken| &mut broken.metadata, Machine::meta_mut)
    }
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
