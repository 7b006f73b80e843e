//! What admission keeps of a VirtualMachine on a remote cluster: whose it is. Execution reads the same.

pub use crate::machine::owner::{Owner, Ownership as Vm, read};
