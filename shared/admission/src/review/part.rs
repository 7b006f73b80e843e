//! `part!`: structs of the spec that remember the keys which nobody reads.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Most keys of one part that are remembered: more than the published API has.
pub(super) const REST: usize = 32;

/// Declares a part of the spec: the listed keys are judged, and the names of other keys that say something are kept in
/// `rest`, because each of them deserves a warning.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $key:literal $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name<'a> {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
            /// Keys that say something and are not judged; the first of them, where there are many.
            pub rest: Vec<Text<'a>>,
        }

        impl $name<'_> {
            /// The keys that are judged, as they are written in JSON.
            pub const KEYS: &'static [&'static str] = &[$($key),*];
        }

        impl<'de: 'a, 'a> ::serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: ::serde::de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Fields<'a>(::std::marker::PhantomData<&'a ()>);
                impl<'de: 'a, 'a> ::serde::de::Visitor<'de> for Fields<'a> {
                    type Value = $name<'a>;
                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: ::serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut out = $name::default();
                        while let Some(key) = map.next_key::<Text<'a>>()? {
                            match &*key {
                                $($key => match out.$field {
                                    Some(_) => return Err(::serde::de::Error::duplicate_field($key)),
                                    None => out.$field = map.next_value::<Option<$type>>()?,
                                })*
                                _ => if map.next_value::<super::part::Says>()?.0 && out.rest.len() < super::part::REST { out.rest.push(key) },
                            }
                        }
                        Ok(out)
                    }
                }
                from.deserialize_map(Fields(::std::marker::PhantomData))
            }
        }
    };
}

/// Whether a value that nobody reads says something: null and the zero values of the published Go type do not (X79).
pub(super) struct Says(pub(super) bool);

impl<'de> Deserialize<'de> for Says {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Says;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_unit<E>(self) -> Result<Says, E> {
                Ok(Says(false))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Says, E> {
                Ok(Says(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Says, E> {
                Ok(Says(value != 0))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Says, E> {
                Ok(Says(value != 0))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Says, E> {
                Ok(Says(true))
            }
            fn visit_str<E>(self, value: &str) -> Result<Says, E> {
                Ok(Says(!value.is_empty()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Says, A::Error> {
                let mut says = false;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    says = true;
                }
                Ok(Says(says))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Says, A::Error> {
                let mut says = false;
                while entries.next_key::<IgnoredAny>()?.is_some() {
                    says |= entries.next_value::<Says>()?.0;
                }
                Ok(Says(says))
            }
        }
        from.deserialize_any(Look)
    }
}
