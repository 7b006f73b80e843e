//! Every decision of kubevirt-operator, and the CRD types they are about. No I/O, no clock, no randomness.
//!
//! - [`admission::decide`] answers a review: what is written onto the Machine, or why it is refused.
//! - [`machine::plan`] answers a reconcile: which writes make the Machine's VM true on its cluster;
//!   [`machine::status`] says what the Machine shows of it.
//! - [`patch`] answers what a user's JSON patch, ignored fields and opt-outs make of the objects we write.
//! - [`clusters`] answers which connections to remote clusters should run.
//!
//! `runtime` and the two binaries fetch what these functions are given, and carry their answers to API servers.

pub mod admission;
pub mod api;
pub mod clusters;
pub mod json;
pub mod machine;
pub mod names;
pub mod patch;
pub mod reason;

pub use admission::quantity;
