//! Integration suites. One binary, so that they share control planes.

mod advice;
mod backstop;
mod certs;
mod chart;
mod configs;
mod fleet;
mod gateway;
mod hostile;
mod hygiene;
mod machines;
mod parity;
mod planes;
mod platform;
mod real;
mod simulator;
mod sweep;
#[path = "../table.rs"]
mod table;
mod webhook;
