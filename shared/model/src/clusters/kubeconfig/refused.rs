//! Why a kubeconfig is refused. Pure.

use std::fmt;

/// Longer documents are refused before they are parsed.
pub const MAX_BYTES: usize = 64 * 1024;

/// Why a kubeconfig is refused. Display is a sentence for the KubevirtConfig's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// More than [`MAX_BYTES`].
    TooLarge(usize),
    /// Not one YAML document, or one with repeated keys, anchors or merge keys. The place, if the parser knew one.
    NotYaml(Option<(u64, u64)>),
    /// A field stands in the way.
    Field {
        /// The field, as `user.exec`; entries of lists are those of the current context.
        field: String,
        /// What is wrong with it and what to do.
        why: &'static str,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::TooLarge(bytes) => {
                write!(f, "kubeconfig has {bytes} bytes, at most {MAX_BYTES} are read: keep only the one context")
            }
            Refused::NotYaml(Some((line, column))) => {
                write!(
                    f,
                    "kubeconfig is not plain YAML (line {line}, column {column}): keys must be unique, and anchors and aliases are not read"
                )
            }
            Refused::NotYaml(None) => f.write_str("kubeconfig is not one YAML document"),
            Refused::Field { field, why } => write!(f, "kubeconfig field {field}: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

pub(super) fn refuse(path: &str, field: &str, why: &'static str) -> Refused {
    let field: String = field.chars().flat_map(char::escape_debug).take(64).collect();
    Refused::Field { field: format!("{path}{field}"), why }
}
