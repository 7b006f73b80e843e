//! Bounds of the bodies of reviews (T16). No I/O.

pub use runtime::serve::body::{Memory, Peer};

/// Object and old object at the API server's limit, and some (T16).
pub const LIMIT: usize = 7 << 20;
/// All bodies and answers that are held at one moment.
pub const BUDGET: usize = 64 << 20;
