//! `optional!`: structs whose fields may all be absent.
//!
//! A field that is absent decodes to its default and is never written. Server-side apply claims every field it is sent,
//! nulls and empty lists included, so a value that we do not set must not appear on the wire at all.

/// Declares structs of which every field is optional, with all that a part of a custom resource needs.
macro_rules! optional {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident: $type:ty, )*
        }
    )*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, ::serde::Deserialize, ::serde::Serialize, ::schemars::JsonSchema)]
        #[serde(rename_all = "camelCase")]
        $(#[$meta])*
        pub struct $name {
            $(
                #[serde(default, skip_serializing_if = "crate::api::optional::is_absent")]
                $(#[$field_meta])*
                pub $field: $type,
            )*
        }
    )*};
}

/// Whether a field holds nothing that is worth writing.
pub(crate) fn is_absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
