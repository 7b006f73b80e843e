//! The webhook beside its decisions: what it sees of the fleet, what it asks, and what that costs.

mod burst;
mod callers;
mod flood;
mod killed;
mod links;
mod rotation;
mod secrets;
mod trust;
