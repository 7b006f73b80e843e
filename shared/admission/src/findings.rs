//! What judging one request brings to light. Pure.

use model::reason::Violation;

use crate::needs::Needs;

/// Everything that was found about one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong with it.
    pub wrong: Vec<Violation>,
    /// What its author should know.
    pub warnings: Vec<String>,
    /// What must be asked before it can be decided.
    pub needs: Needs,
}

impl Findings {
    /// Warns its author.
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Refuses what the request brings, and warns of what was `held` before it (X76).
    pub fn refuse_unless(&mut self, held: bool, violation: Violation) {
        if held {
            self.warnings.push(format!("{}: {}", violation.path, violation.message));
        } else {
            self.wrong.push(violation);
        }
    }
}
