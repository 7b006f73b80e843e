//! What both binaries need around their work: settings, logs, the metrics and health endpoints, readiness, shutdown,
//! and clients for the supervisor and for remote clusters. It decides nothing: decisions are `model`'s.

pub mod admin;
pub mod args;
pub mod bind;
pub mod client;
pub mod clusters;
pub mod follow;
pub mod listing;
pub mod pause;
pub mod ready;
pub mod serve;
pub mod shutdown;
#[cfg(test)]
#[path = "../../../tests/table.rs"]
mod table;
pub mod telemetry;
pub mod watcher;

pub use watcher::watcher;

/// Gives memory back to the system soon after it is free, which the C library's allocator does not: it kept a gigabyte after
/// a flood of connections (ATK12).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
