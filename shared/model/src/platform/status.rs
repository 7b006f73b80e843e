//! What people see of a pass: a summary for a column, a condition, a status, Events. Pure. P18.

mod left;
mod news;
mod passed;
mod told;

pub use self::news::{is_told_by_assets, news, wrote};
use self::passed::counted;
pub use self::passed::{Passed, summary};
pub use self::told::told;
use super::snapshot::Mode;
use super::state::{Held, Outcome, Pass, State};
use crate::reason::Reason;
use crate::text::line;

/// Most bytes of the message of a condition.
const SENTENCE: usize = 512;

/// The condition `PlatformReady` of a KubevirtConfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// Why.
    pub reason: Reason,
    /// A sentence.
    pub message: String,
}

/// The condition; none where nobody asked for a baseline.
pub fn ready(mode: Mode, pass: &Pass) -> Option<Ready> {
    if mode == Mode::Off {
        return None;
    }
    if let Some(held) = &pass.held {
        let (status, reason, why) = told_in_full(held)?;
        return Some(Ready { status, reason, message: line(why, SENTENCE) });
    }
    let first = |states: &[State]| pass.outcomes.iter().find(|outcome| states.contains(&outcome.state));
    let named = |outcome: &Outcome| {
        let of = outcome.key.as_ref().map(|key| format!(" ({key})")).unwrap_or_default();
        line(&format!("{}{of} is {}: {}", outcome.asset, outcome.state.name(), outcome.message), SENTENCE)
    };
    let differs = if mode == Mode::Audit { Reason::PlatformDiffers } else { Reason::PlatformIncomplete };
    #[rustfmt::skip]
    let rows: [(&'static str, Reason, &[State]); 5] = [
        ("False",   Reason::PlatformForbidden,  &[State::Forbidden]),
        ("False",   Reason::PlatformPaused,     &[State::Paused]),
        ("Unknown", Reason::PlatformIncomplete, &[State::Unknown]),
        ("False",   Reason::PlatformIncomplete, &[State::Refused, State::Failed, State::Foreign, State::Withheld, State::Throttled]),
        ("False",   differs,                    &[State::Missing, State::Differs]),
    ];
    let found = rows.into_iter().find_map(|(status, reason, states)| Some((status, reason, first(states)?)));
    Some(match found {
        Some((status, reason, outcome)) => Ready { status, reason, message: named(outcome) },
        None => Ready { status: "True", reason: Reason::PlatformApplied, message: counted(mode, pass) },
    })
}

fn told_in_full(held: &Held) -> Option<(&'static str, Reason, &str)> {
    match held {
        Held::Off | Held::Vetoed(_) => None,
        Held::Unknown(why) => Some(("Unknown", Reason::PlatformIncomplete, why)),
        Held::OtherCluster(why) => Some(("False", Reason::PlatformIncomplete, why)),
        Held::NoVirtualization(why) => Some(("False", Reason::NoVirtualization, why)),
        Held::Conflict(why) => Some(("False", Reason::RootConflict, why)),
        Held::ExclusionInvalid(why) => Some(("False", Reason::ExclusionInvalid, why)),
        Held::AnotherAutopilot(why) => Some(("False", Reason::AnotherAutopilot, why)),
    }
}
