//! What became of a Machine that was to get a VM: told once, when its status changes. Pure. E20.

use crate::api::MachineStatus;

/// How providing a VM ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran for the first time, or for the first time after it had failed.
    Succeeded,
    /// It failed before it ran.
    Failed,
    /// Its Machine was deleted before it ran.
    Abandoned,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 3] = [Outcome::Succeeded, Outcome::Failed, Outcome::Abandoned];

    /// The word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Abandoned => "abandoned",
        }
    }

    /// What this change of a status tells; nothing where the VM ran before, or still may come to run.
    pub fn of(previous: &MachineStatus, next: &MachineStatus) -> Option<Self> {
        let before = previous.phase.as_deref().unwrap_or("Pending");
        match (before, next.phase.as_deref()?) {
            ("Pending" | "Creating" | "Failed", "Running") => Some(Outcome::Succeeded),
            ("Pending" | "Creating", "Failed") => Some(Outcome::Failed),
            ("Pending" | "Creating" | "Failed", "Terminating") => Some(Outcome::Abandoned),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn e20_a_machine_is_counted_once_when_it_comes_to_run_or_does_not() {
        use Outcome::{Abandoned, Failed, Succeeded};
        #[rustfmt::skip]
        let cases = [
            (None,                "Creating",    None),
            (Some("Pending"),     "Creating",    None),
            (Some("Creating"),    "Running",     Some(Succeeded)),
            (None,                "Running",     Some(Succeeded)),
            (Some("Running"),     "Running",     None),
            (Some("Stopped"),     "Running",     None),
            (Some("Creating"),    "Failed",      Some(Failed)),
            (Some("Failed"),      "Failed",      None),
            (Some("Failed"),      "Running",     Some(Succeeded)),
            (Some("Running"),     "Failed",      None),
            (Some("Creating"),    "Terminating", Some(Abandoned)),
            (Some("Failed"),      "Terminating", Some(Abandoned)),
            (Some("Running"),     "Terminating", None),
            (Some("Terminating"), "Terminating", None),
            (Some("Creating"),    "Stopped",     None),
        ];
        every_row(cases, |(before, after, want)| {
            let status = |phase: Option<&str>| MachineStatus { phase: phase.map(str::to_owned), ..Default::default() };
            assert_eq!(Outcome::of(&status(before), &status(Some(after))), want, "{before:?} to {after}");
        });
    }
}
