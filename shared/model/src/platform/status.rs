//! What people see of a pass: a summary for a column, a condition, what a cluster keeps that was turned off. Pure. P18.

use super::snapshot::Mode;
use super::state::{Held, Outcome, Pass, State};

/// The condition `PlatformReady` of a KubevirtConfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// A code that scripts may match.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// States in which the cluster has no part of the baseline to be counted.
const ELSEWHERE: [State; 5] =
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
        Some(held) => told(held).1.to_owned(),
        None => counted(mode, pass),
    };
    std::iter::once(line).chain(pass.notes.iter().cloned()).collect::<Vec<_>>().join("; ")
}

fn counted(mode: Mode, pass: &Pass) -> String {
    let count = |state: State| pass.outcomes.iter().filter(|it| it.state == state).count();
    let all = pass.outcomes.iter().filter(|it| !ELSEWHERE.contains(&it.state)).count();
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

/// The condition; none where nobody asked for a baseline.
pub fn ready(mode: Mode, pass: &Pass) -> Option<Ready> {
    if let Some(held) = &pass.held {
        let (status, reason, message) = told_in_full(held)?;
        return Some(Ready { status, reason, message });
    }
    let first = |states: &[State]| pass.outcomes.iter().find(|outcome| states.contains(&outcome.state));
    let named = |outcome: &Outcome| {
        let of = outcome.key.as_ref().map(|key| format!(" ({key})")).unwrap_or_default();
        format!("{}{of} is {}: {}", outcome.asset, outcome.state.name(), outcome.message)
    };
    #[rustfmt::skip]
    let rows: [(&'static str, &'static str, &[State]); 5] = [
        ("False",   "PlatformForbidden",  &[State::Forbidden]),
        ("False",   "PlatformPaused",     &[State::Paused]),
        ("Unknown", "PlatformIncomplete", &[State::Unknown]),
        ("False",   "PlatformIncomplete", &[State::Refused, State::Failed, State::Foreign, State::Withheld, State::Throttled]),
        ("False",   if mode == Mode::Audit { "PlatformDiffers" } else { "PlatformIncomplete" }, &[State::Missing, State::Differs]),
    ];
    let found = rows.into_iter().find_map(|(status, reason, states)| Some((status, reason, first(states)?)));
    Some(match found {
        Some((status, reason, outcome)) => Ready { status, reason, message: named(outcome) },
        None => Ready { status: "True", reason: "PlatformApplied", message: counted(mode, pass) },
    })
}

fn told(held: &Held) -> (&'static str, &'static str) {
    match held {
        Held::Off => ("", ""),
        Held::Vetoed(_) => ("Vetoed", "off: the cluster vetoes it"),
        Held::OtherCluster(_) => ("PlatformIncomplete", "held: another cluster answers"),
        Held::NoVirtualization(_) => ("NoVirtualization", "held: no KubeVirt"),
        Held::Conflict(_) => ("Conflict", "held: several roots"),
        Held::Unknown(_) => ("PlatformIncomplete", "unknown"),
        Held::ExclusionInvalid(_) => ("ExclusionInvalid", "held: an exclusion is invalid"),
        Held::AnotherAutopilot(_) => ("AnotherAutopilot", "held: another autopilot is at work"),
    }
}

fn told_in_full(held: &Held) -> Option<(&'static str, &'static str, String)> {
    let reason = told(held).0;
    match held {
        Held::Off | Held::Vetoed(_) => None,
        Held::Unknown(why) => Some(("Unknown", reason, why.clone())),
        Held::OtherCluster(why)
        | Held::NoVirtualization(why)
        | Held::Conflict(why)
        | Held::ExclusionInvalid(why)
        | Held::AnotherAutopilot(why) => Some(("False", reason, why.clone())),
    }
}

/// The objects that a cluster keeps when its baseline is turned off, from the last pass before: nothing is deleted then.
pub fn left(outcomes: &[Outcome]) -> Vec<String> {
    let kept = |outcome: &&Outcome| match outcome.state {
        State::Applied
        | State::Differs
        | State::Throttled
        | State::Paused
        | State::Refused
        | State::Forbidden
        | State::Failed => true,
        State::Missing
        | State::Unmanaged
        | State::Excluded
        | State::NotSelected
        | State::ConditionNotMet
        | State::DependencyMissing
        | State::Withheld
        | State::Foreign
        | State::Unknown => false,
    };
    let mut names: Vec<String> =
        outcomes.iter().filter(kept).filter_map(|outcome| Some(outcome.key.as_ref()?.to_string())).collect();
    names.sort_unstable();
    names.dedup();
    names
}
