//! What one invocation tells the next about its wishes: `demo.json`. What runs is not noted; that is looked at.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::home::Home;
use crate::settings::Settings;
use crate::{Result, Trouble};

/// The wishes. A file that is not there or half written means that nothing is known.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// Settings that webhook and controller run with; `None` while they are being changed.
    pub(crate) settings: Option<Settings>,
    /// Whether `cargo demo up` was called: then Ctrl-C in a live table ends the table only.
    pub(crate) stays: bool,
}

impl Notes {
    /// What the last invocation wrote.
    pub(crate) fn read(home: &Home) -> Self {
        let text = fs::read_to_string(home.notes()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Says that webhook and controller run with other settings than they should for a while, and answers with what to write when
    /// that is over. Whatever happens meanwhile, `cargo demo up` restarts both.
    pub(crate) fn unsettled(home: &Home) -> Result<Self> {
        let notes = Self::read(home);
        Self { settings: None, stays: notes.stays }.write(home)?;
        Ok(notes)
    }

    /// For the next one.
    pub(crate) fn write(&self, home: &Home) -> Result<()> {
        let file = home.notes();
        let trouble =
            |error: &dyn std::fmt::Display| Trouble::Said(format!("cannot write {}: {error}", file.display()));
        let text = serde_json::to_string_pretty(self).map_err(|error| trouble(&error))?;
        fs::write(&file, text).map_err(|error| trouble(&error))
    }
}
