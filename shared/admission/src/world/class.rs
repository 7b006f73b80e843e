//! What admission knows of a MachineClass. Pure.

/// What admission knows of a MachineClass.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// `metadata.generation`.
    pub generation: i64,
    /// Cores per socket.
    pub cores: i64,
    /// Threads per core, 1 when the class does not say.
    pub threads: i64,
    /// Sockets, 1 when the class does not say.
    pub sockets: i64,
    /// Guest memory, a quantity.
    pub memory: String,
    /// Lower and upper bound of a memory override, in bytes.
    pub memory_bounds: (Option<u64>, Option<u64>),
    /// `spec.enabled`.
    pub enabled: bool,
    /// `spec.default`.
    pub default: bool,
}
