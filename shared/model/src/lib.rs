//! Placeholder until the crate has its page of module docs.

pub mod api;
pub mod names;
