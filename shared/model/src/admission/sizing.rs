//! Sizing: which CPU, memory and disks a Machine gets. Pure. Implements seed 002 "Template Processing" with X1, X21,
//! X24, X25, X63, X64, X66: class, else built-in template; then overrides field by field; then disks by name.

pub mod base;
pub mod disks;
pub mod overrides;

use serde::{Deserialize, Serialize};

use self::base::Base;
use super::World;
use super::review::{Disk, Object};
use crate::json;
use crate::reason::Violation;

/// What admission resolved, as it stands in the annotation `vitistack.io/resolved`. The spec stays the author's intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sizing {
    /// The name of the size; absent when the spec gives everything itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Where the size of that name came from.
    pub source: Source,
    /// `metadata.generation` of the MachineClass it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Cores per socket.
    pub cores: i64,
    /// Threads per core.
    pub threads: i64,
    /// Sockets.
    pub sockets: i64,
    /// Guest memory, a quantity.
    pub memory: String,
    /// Every disk, the template's first.
    pub disks: Vec<SizedDisk>,
}

/// Where a size came from (X21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// One of small, medium and large.
    #[serde(rename = "built-in")]
    BuiltIn,
    /// A MachineClass object.
    MachineClass,
    /// The spec alone.
    #[serde(rename = "spec")]
    Spec,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Source::BuiltIn => "built-in",
            Source::MachineClass => "MachineClass",
            Source::Spec => "spec",
        }
    }
}

/// One disk of a [`Sizing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SizedDisk {
    /// Name within the Machine; the claim is `{machine}-{name}`.
    pub name: String,
    /// Capacity, a quantity.
    pub size: String,
    /// StorageClass; `default` means the cluster's default unless a class of that name exists (X23). Absent: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Access mode of the claim.
    pub access_mode: String,
    /// Volume mode of the claim; absent: the API server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mode: Option<String>,
    /// The machine boots from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boot: bool,
}

/// What admission knows of a MachineClass.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// `metadata.generation`.
    pub generation: i64,
    /// Cores per socket.
    pub cores: i64,
    /// Threads per core, 1 when the class does not say.
    pub threads: i64,
    /// Sockets, 1 when the class does not say.
    pub sockets: i64,
    /// Guest memory, a quantity.
    pub memory: String,
    /// Lower and upper bound of a memory override, in bytes.
    pub memory_bounds: (Option<u64>, Option<u64>),
    /// `spec.enabled`.
    pub enabled: bool,
    /// `spec.default`.
    pub default: bool,
}

impl Sizing {
    /// The text of the annotation.
    pub fn json(&self) -> String {
        let Sizing { template, source, generation, cores, threads, sockets, memory, disks } = self;
        let mut out = Vec::with_capacity(256 + 128 * disks.len());
        out.push(b'{');
        if let Some(template) = template {
            text(&mut out, "\"template\":", template);
            out.push(b',');
        }
        text(&mut out, "\"source\":", source.name());
        if let Some(generation) = generation {
            number(&mut out, ",\"generation\":", *generation);
        }
        number(&mut out, ",\"cores\":", *cores);
        number(&mut out, ",\"threads\":", *threads);
        number(&mut out, ",\"sockets\":", *sockets);
        text(&mut out, ",\"memory\":", memory);
        out.extend_from_slice(b",\"disks\":[");
        for (at, disk) in disks.iter().enumerate() {
            let SizedDisk { name, size, storage_class, access_mode, volume_mode, boot } = disk;
            text(&mut out, if at == 0 { "{\"name\":" } else { ",{\"name\":" }, name);
            text(&mut out, ",\"size\":", size);
            if let Some(class) = storage_class {
                text(&mut out, ",\"storageClass\":", class);
            }
            text(&mut out, ",\"accessMode\":", access_mode);
            if let Some(mode) = volume_mode {
                text(&mut out, ",\"volumeMode\":", mode);
            }
            if *boot {
                out.extend_from_slice(b",\"boot\":true");
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        json::text(out)
    }
}

fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    out.extend_from_slice(key.as_bytes());
    json::string(out, value);
}

fn number(out: &mut Vec<u8>, key: &str, value: i64) {
    out.extend_from_slice(key.as_bytes());
    json::number(out, value);
}

/// A Machine as it is stored, and the size that was resolved for it.
#[derive(Clone, Copy, Debug)]
pub struct Before<'r> {
    /// The Machine.
    pub object: &'r Object<'r>,
    /// Its size.
    pub sizing: &'r Sizing,
}

impl<'r> Before<'r> {
    /// The class that the size was read from, if the Machine names the same one now as it did then, or again none.
    pub fn class(self, object: &Object<'_>) -> Option<&'r str> {
        let class = self.sizing.template.as_deref().filter(|_| self.sizing.source == Source::MachineClass)?;
        let named = base::named(object).next().map(|(_, name)| name);
        let same = named == base::named(self.object).next().map(|(_, name)| name);
        (same && named.is_none_or(|named| named == class)).then_some(class)
    }
}

/// Whether two objects ask for the same size: an answer that was given once is kept while they do (X60).
pub fn same_size(new: &Object<'_>, old: &Object<'_>) -> bool {
    fn label<'o>(object: &'o Object<'_>) -> Option<&'o str> {
        object.metadata.labels.as_ref()?.template.as_deref()
    }
    let disks = |new: &Disk<'_>, old: &Disk<'_>| {
        new.name == old.name
            && (&new.size, new.size_gb, new.boot) == (&old.size, old.size_gb, old.boot)
            && (&new.storage_class, &new.access_mode, &new.volume_mode)
                == (&old.storage_class, &old.access_mode, &old.volume_mode)
    };
    let (a, b) = (&new.spec, &old.spec);
    let (x, y) = (a.disks.as_deref().unwrap_or_default(), b.disks.as_deref().unwrap_or_default());
    (&a.template, &a.instance_type, &a.machine_class) == (&b.template, &b.instance_type, &b.machine_class)
        && (&a.resources, a.cpu, a.memory) == (&b.resources, b.cpu, b.memory)
        && label(new) == label(old)
        && x.len() == y.len()
        && x.iter().zip(y).all(|(x, y)| disks(x, y))
}

/// Resolves the size of a Machine.
///
/// Guarantees: same spec and classes, same answer; every mistake is reported, not the first one; `None` only together with
/// a violation. What the Machine had `before` stays, where nothing asks for a change, although its class was disabled,
/// narrowed or taken away since (X60, X76).
pub fn resolve(
    object: &Object<'_>,
    before: Option<Before<'_>>,
    world: &World,
    wrong: &mut Vec<Violation>,
    warnings: &mut Vec<String>,
) -> Option<Sizing> {
    let found = base::find(object, before, world, wrong, warnings);
    let known = found.is_some();
    // Without a size the rest is judged all the same: its mistakes belong into the same answer.
    let base = found.unwrap_or_else(Base::unknown);
    let spec = &object.spec;
    let (cores, threads, sockets) = overrides::cpu(spec, &base, wrong, warnings);
    let memory = overrides::memory(object, before, &base, wrong, warnings);
    let disks = disks::merge(spec, &base, &world.policy, wrong);
    let Base { template, source, class, .. } = base;
    let generation = class.map(|class| class.generation);
    let (memory, disks) = (memory.filter(|_| known)?, disks?);
    Some(Sizing { template, source, generation, cores, threads, sockets, memory, disks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_serde_would_write() {
        let disk = |storage_class: Option<&str>, boot| SizedDisk {
            name: "ro\"ot".to_owned(),
            size: "20Gi".to_owned(),
            storage_class: storage_class.map(str::to_owned),
            access_mode: "ReadWriteOnce".to_owned(),
            volume_mode: storage_class.map(|_| "Block".to_owned()),
            boot,
        };
        let sources = [Source::BuiltIn, Source::MachineClass, Source::Spec];
        for (at, source) in sources.into_iter().enumerate() {
            let sizing = Sizing {
                template: (at > 0).then(|| "lär\"ge\\".to_owned()),
                source,
                generation: (at > 1).then_some(-7),
                cores: i64::MAX,
                threads: 1,
                sockets: 0,
                memory: "16Gi".to_owned(),
                disks: [disk(None, true), disk(Some("fast"), false)].into_iter().take(at).collect(),
            };
            assert_eq!(sizing.json(), serde_json::to_string(&sizing).expect("plain data"));
        }
    }
}
