//! How often each VM and claim was corrected, so that two who want different things do not fight for ever. No I/O.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use model::baseline::Drift;
use model::baseline::war::{Turn, War};
use model::machine::{Kind, drift};

/// An object of a Machine: the Machine's UID, its kind and its name.
type Contested = (String, Kind, String);

/// What is remembered.
#[derive(Debug, Default)]
pub struct Wars(Mutex<BTreeMap<Contested, War>>);

/// Beyond this many, those that are over are forgotten.
const KEPT: usize = 256;

impl Wars {
    /// Whether what others changed of an object may be taken back now. `mark` is what [`drift::mark`] says.
    pub fn turn(&self, contested: Contested, drift: &[Drift], mark: Option<bool>, now: &Time) -> Turn {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > KEPT {
            all.retain(|_, war| !war.is_over(now.0));
        }
        all.entry(contested).or_default().turn(&drift::fields(drift), mark, now.0)
    }

    /// It was taken back.
    pub fn corrected(&self, contested: Contested, drift: &[Drift], now: &Time) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(contested).or_default().corrected(&drift::fields(drift), now.0);
    }
}
