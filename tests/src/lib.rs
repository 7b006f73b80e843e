//! Real control planes for tests and for the demo: etcd, one supervisor, any number of remotes, a simulated KubeVirt on
//! each, and the two processes of the product, run with exactly the rights that the chart gives them.
//!
//! | Question | Answer |
//! |---|---|
//! | Where do kube-apiserver and the others come from? | [`binaries`] |
//! | How is a process started, found again and ended? | [`process`], and [`keeper`] for those of a test run |
//! | What is a control plane here? | [`plane`], with its keys in [`pki`] and its data in [`etcd`] |
//! | Who asked an API server for what? | [`audit`] |
//! | How do manifests and the chart get onto a plane? | [`install`] |
//! | What is a whole fleet, and in which order does it start? | [`fleet`] |
//! | Who makes several webhooks one address? | [`balancer`] |
//! | What is the night like in which a supervisor is lost? | [`drill`] |
//! | Who does harm between the controller, the API servers and the webhook, and what must hold then? | [`faultline`], [`sweep`] |
//! | Does an apply fail while the webhook's authority rotates? | [`rotations`], with the TLS of [`trust`] |
//! | How does a test wait for what has no signal? | [`wait`] |
//! | Who builds the product's binaries before a suite runs them? | [`workspace`] |
//! | Which files does this repository have, and which are generated? | [`repository`], [`generated`] |
//! | Which mistakes in a decision do which tests notice? | [`mutations`] |
//! | Who plays a cluster that lies or is broken? | [`hostile`] |
//! | Who plays KubeVirt? | [`kubevirt`], with the definitions of [`remote_crds`]; KubeVirt itself is [`virt`] |
//! | Which kinds may a platform baseline find on a cluster? | [`platform_crds`] |

pub mod audit;
pub mod balancer;
pub mod binaries;
pub mod drill;
pub mod error;
pub mod etcd;
pub mod faultline;
pub mod fleet;
pub mod generated;
pub mod hostile;
pub mod install;
pub mod keeper;
pub mod kubevirt;
pub mod mutations;
pub mod pki;
pub mod plane;
pub mod platform_crds;
pub mod ports;
pub mod probe;
pub mod process;
pub mod remote_crds;
pub mod repository;
pub mod rotations;
pub mod sweep;
#[cfg(test)]
#[path = "../table.rs"]
mod table;
pub mod trust;
pub mod virt;
pub mod wait;
pub mod workspace;

pub use error::{Error, Result};

/// Chooses ring for every TLS connection of this process. kube needs a choice before its first client; calling this
/// again does nothing.
pub fn install_crypto() {
    // An error says only that somebody has chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
