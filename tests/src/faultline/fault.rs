//! The kinds of harm. Pure.

use std::fmt;
use std::str::FromStr;

/// What happens to a request.
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
    /// It arrives, and the connection breaks in the middle of the answer.
    HalfAnswer,
    /// It arrives after the controller has given it up.
    Late,
    /// It arrives twice, and the second answer is the one that is heard.
    Twice,
    /// It arrives, and the answer is 504.
    TimedOut,
    /// It does not arrive, and this is answered: HTTP status and Kubernetes' reason.
    Answer(u16, &'static str),
    /// It does not arrive, and something that is no API server answers.
    Html,
}

impl Fault {
    /// All of them, with a name to write.
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::CrashBefore, "crash-before"),
        (Self::CrashDuring, "crash-during"),
        (Self::CrashAfter, "crash-after"),
        (Self::Reset, "reset"),
        (Self::HalfAnswer, "half-answer"),
        (Self::Late, "late"),
        (Self::Twice, "twice"),
        (Self::TimedOut, "timed-out"),
        (Self::Answer(409, "Conflict"), "conflict"),
        (Self::Answer(429, "TooManyRequests"), "busy"),
        (Self::Answer(500, "InternalError"), "broken"),
        (Self::Answer(503, "ServiceUnavailable"), "unavailable"),
        (Self::Answer(401, "Unauthorized"), "unauthorized"),
        (Self::Answer(403, "Forbidden"), "forbidden"),
        (Self::Answer(422, "Invalid"), "invalid"),
        (Self::Html, "html"),
    ];

    /// Whether it ends the controller.
    pub fn kills(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashDuring | Self::CrashAfter)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(fault, _)| fault == self).map_or("unnamed", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || Self::ALL.map(|(_, name)| name).join(", ");
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(fault, _)| *fault).ok_or_else(|| format!("there is no fault {text:?}; there are {}", all()))
    }
}
