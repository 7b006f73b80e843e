//! What goes over the wire, as clients see it. Pure.

pub mod any;
pub mod hub;
pub mod machine;
pub mod page;
