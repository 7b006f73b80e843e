//! The annotations that admission reads; all others are skipped without being stored.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::{List, Text};
use model::{names, patch};

/// Key and value of annotations that change what the controller writes.
pub type PatchAnnotations<'a> = List<(Text<'a>, Text<'a>), { patch::ANNOTATIONS }>;

/// The annotations that admission reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations<'a> {
    /// [`names::KUBEVIRT_CONFIG`].
    pub kubevirt_config: Option<Text<'a>>,
    /// [`names::PLACEMENT`].
    pub placement: Option<Text<'a>>,
    /// [`names::RESOLVED`].
    pub resolved: Option<Text<'a>>,
    /// [`names::PLACEMENT_STRATEGY`].
    pub placement_strategy: Option<Text<'a>>,
    /// [`names::REFRESH_CLASS`].
    pub refresh_class: Option<Text<'a>>,
    /// [`names::DELETION_POLICY`].
    pub deletion_policy: Option<Text<'a>>,
    /// [`names::TAKE_OVER`].
    pub take_over: Option<Text<'a>>,
    /// Key and value of those that change what the controller writes ([`patch::concerns`]), the empty ones left out. Where
    /// there are too many, [`patch::check`] refuses those that were kept.
    pub patches: PatchAnnotations<'a>,
    /// Those of them that are empty, and say nothing.
    pub empty: List<Text<'a>, 32>,
    /// Keys in our domains that nobody here knows.
    pub unknown: List<Text<'a>, 32>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Annotations<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Keys(PhantomData))
    }
}

struct Keys<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for Keys<'a> {
    type Value = Annotations<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = Annotations::default();
        while let Some(key) = map.next_key::<Text<'a>>()? {
            let (known, name) = match &*key {
                names::KUBEVIRT_CONFIG => (&mut out.kubevirt_config, names::KUBEVIRT_CONFIG),
                names::PLACEMENT => (&mut out.placement, names::PLACEMENT),
                names::RESOLVED => (&mut out.resolved, names::RESOLVED),
                names::PLACEMENT_STRATEGY => (&mut out.placement_strategy, names::PLACEMENT_STRATEGY),
                names::REFRESH_CLASS => (&mut out.refresh_class, names::REFRESH_CLASS),
                names::DELETION_POLICY => (&mut out.deletion_policy, names::DELETION_POLICY),
                names::TAKE_OVER => (&mut out.take_over, names::TAKE_OVER),
                other if patch::concerns(other) => {
                    let value: Text<'a> = map.next_value()?;
                    if value.is_empty() {
                        out.empty.push(key);
                    } else {
                        out.patches.push((key, value));
                    }
                    continue;
                }
                other => {
                    let ours = names::PATCH_PREFIXES.iter().any(|prefix| other.starts_with(prefix));
                    // The gateway's own mark says nothing about the Machine.
                    if ours && other != names::REQUEST && !names::WORDS_FOR_THE_CONTROLLER.contains(&other) {
                        out.unknown.push(key);
                    }
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if known.is_some() {
                return Err(A::Error::duplicate_field(name));
            }
            *known = map.next_value()?;
        }
        Ok(out)
    }
}
