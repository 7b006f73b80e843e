//! Which annotations mean which object, under two prefixes. X41, X47.

use std::collections::BTreeMap;

use super::operations::short;
use super::target::Target;
use super::user::UserPatches;
use super::{ignored, operations};
use crate::names;
use crate::reason::{Reason, Violation, did_you_mean};

/// Most of these annotations on one Machine: three for the VM and for each of 256 disks, under two prefixes.
pub const ANNOTATIONS: usize = 2 * 3 * 257;

/// Longest key that an API server takes: a domain, a slash and a name.
const KEY: usize = 253 + 1 + 63;

/// What one annotation is about: a disk's name or none, and one of the three words.
type Subject<'a> = (Option<&'a str>, &'static str);

/// Reads what can be read, and reports the rest. Empty values say nothing.
pub(super) fn read<'a>(annotations: impl IntoIterator<Item = (&'a str, &'a str)>) -> (UserPatches, Vec<Violation>) {
    let mut wrong = Vec::new();
    let subjects = collect(annotations, &mut wrong);
    let mut patches = UserPatches::default();
    for ((disk, word), (key, value)) in subjects {
        let (object, target) = match disk {
            None => (&mut patches.vm, Target::Vm),
            Some(name) => (patches.disks.entry(name.to_owned()).or_default(), Target::Disk),
        };
        object.target = target;
        let field = field(key);
        // The annotation of a patch is what its operations are reported at; any other one does for a missing disk.
        if word == names::PATCH || object.field.is_empty() {
            object.field.clone_from(&field);
        }
        match word {
            names::PATCH => match operations::parse(value, &field) {
                Ok(operations) => object.operations = operations,
                Err(violations) => wrong.extend(violations),
            },
            names::IGNORE_FIELDS => match ignored::parse(value, &field) {
                Ok(pointers) => (object.ignored, object.ignored_by) = (pointers, field),
                Err(violations) => wrong.extend(violations),
            },
            _ if value == "unmanaged" => object.unmanaged = true,
            _ => {
                wrong.push(Reason::FieldNotSupported.at(field).says(format!(
                    "Unsupported value: {:?}: supported values: unmanaged{}",
                    short(value),
                    did_you_mean(value, ["unmanaged"])
                )));
            }
        }
    }
    (patches, wrong)
}

/// The annotations by what they are about, each with its key and value. Both prefixes may say the same, and no more.
fn collect<'a>(
    annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
    wrong: &mut Vec<Violation>,
) -> BTreeMap<Subject<'a>, (&'a str, &'a str)> {
    let mut subjects: BTreeMap<Subject<'_>, (&str, &str)> = BTreeMap::new();
    let mut count = 0;
    for (key, value) in annotations.into_iter().filter(|(_, value)| !value.is_empty()) {
        let Some(found) = subject(key) else { continue };
        count += 1;
        if count > ANNOTATIONS {
            let says = format!("has more than {ANNOTATIONS} annotations about patches");
            wrong.push(Reason::PatchInvalid.at("metadata.annotations").says(says));
            return BTreeMap::new();
        }
        let subject = match found {
            Ok(subject) => subject,
            Err(says) => {
                wrong.push(Reason::PatchInvalid.at(field(key)).says(says));
                continue;
            }
        };
        match subjects.get(&subject).copied() {
            Some((other, said)) if said != value => {
                let (first, second) =
                    if key.starts_with(names::PATCH_PREFIXES[0]) { (key, other) } else { (other, key) };
                wrong.push(
                    Reason::PatchInvalid
                        .at(field(second))
                        .says(format!("says something else than {first}: keep one of the two")),
                );
            }
            Some((other, _)) if other.starts_with(names::PATCH_PREFIXES[0]) => {}
            _ => drop(subjects.insert(subject, (key, value))),
        }
    }
    subjects
}

/// What an annotation is about; `None` for any that is none of ours, an error for one that is nearly.
pub(super) fn subject(key: &str) -> Option<Result<Subject<'_>, String>> {
    let rest = names::PATCH_PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix)).filter(|_| key.len() <= KEY)?;
    let words = [names::PATCH, names::IGNORE_FIELDS, names::MODE];
    let (word, of) = words.into_iter().find_map(|word| Some((word, rest.strip_prefix(word)?)))?;
    match of.strip_prefix(names::OF_DISK) {
        None if of.is_empty() => Some(Ok((None, word))),
        Some(disk) if !disk.is_empty() => Some(Ok((Some(disk), word))),
        _ if of.starts_with('.') => {
            Some(Err(format!("means no object: write {word} for the VM, or {word}.disk.NAME for the disk NAME")))
        }
        _ => None,
    }
}

fn field(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

impl UserPatches {
    /// Reads the annotations of a Machine; those that are none of these are passed over.
    pub fn read<'a>(annotations: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<UserPatches, Vec<Violation>> {
        let (patches, wrong) = read(annotations);
        if wrong.is_empty() { Ok(patches) } else { Err(wrong) }
    }
}
