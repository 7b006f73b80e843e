//! The API's objects as Kubernetes objects, and back. Pure.

pub mod disks;
pub mod fields;
pub mod form;
pub mod hub;
pub mod kubeconfig;
pub mod machine;
pub mod parameters;
pub mod state;
pub mod template;
