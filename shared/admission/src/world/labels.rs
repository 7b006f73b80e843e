//! Labels. Pure.

/// The labels of an object.
pub type Labels = std::collections::BTreeMap<String, String>;
