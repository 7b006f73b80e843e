//! How often each VM was corrected, so that two who want different things do not fight for ever. No I/O.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use model::baseline::Drift;
use model::baseline::war::{Turn, War};
use model::machine::{Admitted, Vm, drift};

/// What is remembered, by the Machine's UID.
#[derive(Debug, Default)]
pub struct Wars(Mutex<BTreeMap<String, War>>);

/// Beyond this many, those that are over are forgotten.
const KEPT: usize = 256;

impl Wars {
    /// Whether what others changed of the VM may be taken back now.
    pub fn turn(&self, admitted: &Admitted, vm: &Vm, now: &Time) -> Turn {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > KEPT {
            all.retain(|_, war| !war.is_over(now.0));
        }
        let war = all.entry(admitted.identity.uid.clone()).or_default();
        war.turn(&drift::fields(&vm.drift), drift::mark(admitted, vm), now.0)
    }

    /// It was taken back.
    pub fn corrected(&self, machine: &str, drift: &[Drift], now: &Time) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(machine.to_owned()).or_default().corrected(&drift::fields(drift), now.0);
    }
}
