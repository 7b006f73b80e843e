//! What is said about an object of the platform: on the object itself, and on the KubevirtConfig of its cluster. X41, X82.

use std::collections::BTreeMap;

use super::read;
use super::target::Target;
use super::user::UserPatch;
use crate::names::{IGNORE_FIELDS, MODE, PATCH, PATCH_PREFIXES};
use crate::reason::{Reason, Violation};

/// Between a word and the name of an asset, on a KubevirtConfig.
const OF_ASSET: &str = ".asset.";

/// What the annotations say about one object whose parts have these names, and what is wrong with them. `config` are those of the
/// KubevirtConfig, `live` those of the object.
///
/// Guarantees: a word of the KubevirtConfig replaces the object's; `unmanaged` counts from either. Where something is wrong, only
/// [`UserPatch::unmanaged`] may be used: the object is to stay as it is.
pub fn of_asset(
    names: &[&str],
    config: &BTreeMap<String, String>,
    live: &BTreeMap<String, String>,
) -> (UserPatch, Vec<Violation>) {
    let mut said: BTreeMap<String, (&str, String)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for word in [PATCH, IGNORE_FIELDS, MODE] {
        for (prefix, key, text) in given(word, live, None) {
            said.insert(format!("{prefix}{word}"), (text, key));
        }
        let mut asked: Vec<_> = names.iter().flat_map(|name| given(word, config, Some(name))).collect();
        asked.dedup_by(|(_, _, text), (_, _, first)| text == first);
        if let [(_, first, _), (_, second, _), ..] = asked.as_slice() {
            let says = format!("says something else than {first}: they mean one object, so keep one of them");
            wrong.push(Reason::PatchInvalid.at(format!("metadata.annotations[{second}]")).says(says));
        }
        if let Some((prefix, key, text)) = asked.into_iter().next() {
            said.retain(|plain, _| !PATCH_PREFIXES.iter().any(|prefix| *plain == format!("{prefix}{word}")));
            said.insert(format!("{prefix}{word}"), (text, format!("{key} of the KubevirtConfig")));
        }
    }
    let (patches, found) = read::read(said.iter().map(|(key, (text, _))| (key.as_str(), *text)));
    let mut patch = patches.vm;
    let place = |field: &str| {
        let of = |(plain, (_, key)): (&String, &(&str, String))| {
            (field == format!("metadata.annotations[{plain}]")).then(|| format!("metadata.annotations[{key}]"))
        };
        said.iter().find_map(of).unwrap_or_else(|| field.to_owned())
    };
    wrong.extend(found.into_iter().map(|violation| Violation { path: place(&violation.path), ..violation }));
    patch.target = Target::Asset;
    (patch.field, patch.ignored_by) = (place(&patch.field), place(&patch.ignored_by));
    patch.unmanaged = patch.unmanaged || is_unmanaged(live);
    (patch, wrong)
}

/// `mode: unmanaged`, or what another program calls it.
fn is_unmanaged(live: &BTreeMap<String, String>) -> bool {
    let says = |word: &str, value: &str| {
        PATCH_PREFIXES.iter().any(|prefix| live.get(&format!("{prefix}{word}")).is_some_and(|text| text == value))
    };
    says(MODE, "unmanaged") || says("management-state", "Unmanaged")
}

/// A word under each prefix: the prefix, the key and the text.
fn given<'a>(
    word: &'a str,
    annotations: &'a BTreeMap<String, String>,
    name: Option<&'a str>,
) -> impl Iterator<Item = (&'static str, String, &'a str)> {
    let infix = name.map(|name| format!("{OF_ASSET}{name}")).unwrap_or_default();
    PATCH_PREFIXES.into_iter().filter_map(move |prefix| {
        let key = format!("{prefix}{word}{infix}");
        let text = annotations.get(&key).filter(|text| !text.trim().is_empty())?;
        Some((prefix, key, text.as_str()))
    })
}
