//! What a pass came to, and all of it in a line. Pure.

use crate::platform::snapshot::Mode;
use crate::platform::state::{Held, Pass, State};

/// What the controller last did for a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    /// How far it was to go.
    pub mode: Mode,
    /// What it found.
    pub pass: Pass,
}

impl Passed {
    /// How far it went.
    pub(super) fn reach(&self) -> Mode {
        if self.pass.held == Some(Held::Off) { Mode::Off } else { self.mode }
    }
}

/// States in which the cluster has no part of the baseline to be counted.
pub(super) const ELSEWHERE: [State; 5] =
    [State::NotSelected, State::ConditionNotMet, State::DependencyMissing, State::Excluded, State::Unmanaged];
/// States that are told of in the summary, in this order.
const TOLD: [State; 11] = [
    State::Missing,
    State::Differs,
    State::Throttled,
    State::Paused,
    State::Withheld,
    State::Foreign,
    State::Refused,
    State::Forbidden,
    State::Failed,
    State::Unknown,
    State::Unmanaged,
];

/// A line for the column of `kubectl get`; empty where nobody asked for a baseline.
pub fn summary(mode: Mode, pass: &Pass) -> String {
    let line = match &pass.held {
        Some(Held::Off) => return String::new(),
        Some(held) => in_a_word(held).to_owned(),
        None => counted(mode, pass),
    };
    std::iter::once(line).chain(pass.notes.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// How many assets there are of each state that matters.
pub(super) fn counted(mode: Mode, pass: &Pass) -> String {
    let shown = || pass.outcomes.iter().filter(|outcome| !outcome.is_gone());
    let count = |state: State| shown().filter(|it| it.state == state).count();
    let all = shown().filter(|it| !ELSEWHERE.contains(&it.state)).count();
    let told = |states: &[State]| {
        let some = states.iter().filter(|state| count(**state) > 0);
        some.map(|state| [", ", &count(*state).to_string(), " ", &state.name().to_lowercase()].concat())
            .collect::<String>()
    };
    if mode == Mode::Audit {
        let differ = count(State::Missing) + count(State::Differs);
        return format!("audit: {differ} of {all} differ{}", told(&TOLD[2..]));
    }
    format!("{}/{all} applied{}", count(State::Applied), told(&TOLD))
}

fn in_a_word(held: &Held) -> &'static str {
    match held {
        Held::Off => "",
        Held::Vetoed(_) => "off: the cluster vetoes it",
        Held::OtherCluster(_) => "held: another cluster answers",
        Held::NoVirtualization(_) => "held: no KubeVirt",
        Held::Conflict(_) => "held: several roots",
        Held::Unknown(_) => "unknown",
        Held::ExclusionInvalid(_) => "held: an exclusion is invalid",
        Held::AnotherAutopilot(_) => "held: another autopilot is at work",
    }
}
