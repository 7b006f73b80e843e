//! What the rules look at. Pure.

use model::reason::Violation;

use crate::review::{Object, Request};
use crate::world::Policy;

/// A Machine that is judged.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'r> {
    /// The request.
    pub request: &'r Request<'r>,
    /// The Machine as it would be stored.
    pub object: &'r Object<'r>,
    /// The Machine as it is stored.
    pub old: Option<&'r Object<'r>>,
    /// The settings of the webhook.
    pub policy: &'r Policy,
}

/// Rust's side of a static rule; the text is what the API server says when the same rule is broken.
pub type Check = fn(&Ask<'_>, &str, &mut Vec<Violation>);
