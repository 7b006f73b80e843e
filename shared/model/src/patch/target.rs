//! Which kind of object an annotation means. Pure.

/// Which kind of object is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Target {
    #[default]
    Vm,
    Disk,
    /// An object of the platform: whoever may annotate it may edit it, so only what it is must stay.
    Asset,
}
