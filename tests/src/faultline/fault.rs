//! The kinds of harm. Pure.

use std::fmt;

/// What happens to a request, or to a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The controller is killed, and the request never arrives.
    CrashBefore,
    /// It arrives, and the controller is killed before it hears the answer.
    CrashDuring,
    /// The controller hears the answer and is killed.
    CrashAfter,
    /// The connection breaks before the request arrives.
    Reset,
    /// It arrives, and the connection breaks before the answer.
    Unanswered,
    /// It arrives, and the connection breaks in the middle of the answer.
    HalfAnswer,
    /// It arrives after whoever sent it has given it up.
    Late,
    /// It arrives twice, and the second answer is the one that is heard.
    Twice,
    /// It arrives, and the answer is 504.
    TimedOut,
    /// It does not arrive, and this is answered: HTTP status and Kubernetes' reason.
    Answer(u16, &'static str),
    /// It does not arrive, and something that speaks another language answers.
    Html,
    /// It arrives, and bytes that mean nothing say that all is well.
    Garbage,
    /// From before it arrives, its API server is behind the others for a while (`lags`).
    Stale,
    /// The same, and the controller hears the answer and is killed: the next one begins with an API server that is behind.
    CrashStale,
}

/// What happens to a watch at one of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// It ends, and whoever goes on from before that event is answered 410.
    Gone,
    /// It ends with an ERROR event that says 410, as does every one that goes on from before that event.
    Expired,
    /// Nothing comes any more, and nobody hangs up.
    Frozen,
    /// It breaks in the middle of the line.
    HalfLine,
    /// It stands still until the same object has another event, which is the only one that is told; or for a moment.
    Hidden,
    /// From that event on no bookmark is told. At the first that is not, it ends, and what was before that bookmark is forgotten.
    Unmarked,
}

const CRASHES: [(Fault, &str); 4] = [
    (Fault::CrashBefore, "crash-before"),
    (Fault::CrashDuring, "crash-during"),
    (Fault::CrashAfter, "crash-after"),
    (Fault::CrashStale, "crash-stale"),
];
/// What only an API server does.
const OF_REQUESTS: [(Fault, &str); 8] = [
    (Fault::Stale, "stale"),
    (Fault::TimedOut, "timed-out"),
    (Fault::Answer(409, "Conflict"), "conflict"),
    (Fault::Answer(429, "TooManyRequests"), "busy"),
    (Fault::Answer(503, "ServiceUnavailable"), "unavailable"),
    (Fault::Answer(401, "Unauthorized"), "unauthorized"),
    (Fault::Answer(403, "Forbidden"), "forbidden"),
    (Fault::Answer(422, "Invalid"), "invalid"),
];
const OF_BOTH: [(Fault, &str); 8] = [
    (Fault::Reset, "reset"),
    (Fault::Unanswered, "unanswered"),
    (Fault::HalfAnswer, "half-answer"),
    (Fault::Late, "late"),
    (Fault::Twice, "twice"),
    (Fault::Answer(500, "InternalError"), "broken"),
    (Fault::Html, "html"),
    (Fault::Garbage, "garbage"),
];
const LAPSES: [(Lapse, &str); 6] = [
    (Lapse::Gone, "gone"),
    (Lapse::Expired, "expired"),
    (Lapse::Frozen, "frozen"),
    (Lapse::HalfLine, "half-line"),
    (Lapse::Hidden, "hidden"),
    (Lapse::Unmarked, "unmarked"),
];

/// Where harm is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Requests of the controller, but for watches.
    Requests,
    /// Events of the controller's watches.
    Watches,
    /// Reviews that the supervisor's API server sends to the webhook.
    Reviews,
}

/// What is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// To a request.
    Request(Fault),
    /// To a watch.
    Watch(Lapse),
    /// To a review.
    Review(Fault),
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Watches, Self::Reviews];

    /// Its name to write.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Watches => "watches",
            Self::Reviews => "reviews",
        }
    }

    /// The way of a name.
    pub fn named(name: &str) -> Result<Self, String> {
        let all = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|way| way.name() == name);
        found.ok_or_else(|| format!("there is no way {name:?}; there are {all}"))
    }

    /// What can be done there, with a name to write.
    pub fn harms(self) -> Vec<(Harm, &'static str)> {
        match self {
            Self::Requests => {
                let all = CRASHES.into_iter().chain(OF_BOTH).chain(OF_REQUESTS);
                all.map(|(fault, name)| (Harm::Request(fault), name)).collect()
            }
            Self::Watches => LAPSES.into_iter().map(|(lapse, name)| (Harm::Watch(lapse), name)).collect(),
            Self::Reviews => OF_BOTH.into_iter().map(|(fault, name)| (Harm::Review(fault), name)).collect(),
        }
    }
}

impl Harm {
    /// Where it is done.
    pub fn way(self) -> Way {
        match self {
            Self::Request(_) => Way::Requests,
            Self::Watch(_) => Way::Watches,
            Self::Review(_) => Way::Reviews,
        }
    }

    /// Whether it ends the controller.
    pub fn kills(self) -> bool {
        let crashes = |fault| CRASHES.iter().any(|(crash, _)| *crash == fault);
        matches!(self, Self::Request(fault) if crashes(fault))
    }

    /// Whether it leaves an API server behind.
    pub fn lags(self) -> bool {
        matches!(self, Self::Request(Fault::Stale | Fault::CrashStale))
    }

    /// The harm of a name.
    pub fn named(way: Way, name: &str) -> Result<Self, String> {
        let harms = way.harms();
        let found = harms.iter().find(|(_, known)| *known == name).map(|(harm, _)| *harm);
        let all = || harms.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("{} have no fault {name:?}; they have {}", way.name(), all()))
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harms = self.way().harms();
        f.write_str(harms.iter().find(|(harm, _)| harm == self).map_or("unnamed", |(_, name)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_harm_is_found_by_its_way_and_its_name() {
        for way in Way::ALL {
            assert_eq!(Way::named(way.name()), Ok(way));
            for (harm, name) in way.harms() {
                assert_eq!((Harm::named(way, name), harm.way(), harm.to_string().as_str()), (Ok(harm), way, name));
            }
        }
        let refused = Harm::named(Way::Watches, "reset").unwrap_err();
        assert_eq!(
            refused,
            "watches have no fault \"reset\"; they have gone, expired, frozen, half-line, hidden, unmarked"
        );
    }
}
