//! What has to be done next about the CAs, from what one replica sees. No I/O but the randomness of a new CA.
//!
//! A rotation has four phases, each derived anew from what is there, by whichever replica comes first: the next CA is
//! announced in both bundles; it stands there for a while, because every API server hears of it in its own time; it is
//! promoted, and every replica signs with it; the former CA is retired when no leaf of it can be alive (CERT1).

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use crate::authorities::{Authorities, Stored};
use crate::cert::Cert;
use crate::issue::{Ca, IssueError, Lives};

/// More former CAs than this are not kept: nobody rotates that often, unless clocks disagree wildly.
const MOST_FORMER: usize = 8;

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long certificates are valid.
    pub lives: Lives,
    /// How long a CA stands in both bundles before it is signed with.
    pub announcement: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { lives: Lives::default(), announcement: Duration::minutes(1) }
    }
}

impl Pace {
    /// How long a former CA stays trusted: replicas that do not reach the API server go on with it until their leaf ends.
    pub fn overlap(&self) -> Duration {
        2 * self.lives.leaf.max(self.announcement)
    }

    /// A rotation fits into the third of a CA's life that is left for it.
    pub fn check(&self) -> Result<(), String> {
        let (life, least) = (self.lives.ca, 3 * (self.announcement + self.overlap()));
        if life >= least {
            return Ok(());
        }
        let seconds = |duration: Duration| duration.whole_seconds();
        Err(format!(
            "a certificate authority that is valid for {} s is renewed at two thirds of it, and the rest is too short: with \
             certificates of {} s and an announcement of {} s it must be valid for {} s or more",
            seconds(life),
            seconds(self.lives.leaf),
            seconds(self.announcement),
            seconds(least)
        ))
    }
}

/// What one replica sees.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the Secret holds.
    pub stored: &'a Stored,
    /// Somebody asked for the next CA.
    pub asked: bool,
    /// What the Secret held when this replica last looked.
    pub held: Option<&'a Authorities>,
    /// The CA whose leaf it serves.
    pub serving: Option<&'a Cert>,
    /// What API servers trust by now, by each webhook configuration.
    pub live: &'a [Vec<Cert>],
    /// How long this replica has seen the bundle of what is stored there, unchanged.
    pub live_for: Duration,
}

/// A change to the Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begin with a CA; what API servers trust of ours stays trusted.
    Begin,
    /// Store again what is held in memory.
    Restore,
    /// The CA has ended: the next one takes its place at once, because there is nothing to lose.
    Replace,
    /// Publish the next CA.
    Announce,
    /// Sign with the next CA from now on.
    Promote,
    /// Keep trusting a CA that somebody took out of the Secret while its leaf is served.
    Trust,
    /// Stop trusting former CAs.
    Retire,
}

impl Step {
    /// For logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Restore => "restore",
            Self::Replace => "replace",
            Self::Announce => "announce",
            Self::Promote => "promote",
            Self::Trust => "trust",
            Self::Retire => "retire",
        }
    }
}

/// The next change to the Secret, if there is one. Whoever takes it looks again afterwards.
pub fn next_step(seen: &Seen<'_>, pace: &Pace, now: OffsetDateTime) -> Option<Step> {
    let held_is_good = seen.held.is_some_and(|held| !held.current.cert.has_ended(now));
    let Stored::Whole(stored) = seen.stored else {
        return Some(if held_is_good { Step::Restore } else { Step::Begin });
    };
    if stored.current.cert.has_ended(now) {
        return Some(match &stored.next {
            Some(next) if !next.cert.has_ended(now) => Step::Promote,
            _ if held_is_good => Step::Restore,
            _ => Step::Replace,
        });
    }
    let trusts = |cert: &Cert| seen.live.iter().any(|live| cert.is_in(live));
    if seen.serving.is_some_and(|it| !it.has_ended(now) && !it.is_in(&stored.certs()) && trusts(it)) {
        return Some(Step::Trust);
    }
    if let Some(next) = &stored.next {
        if next.is_due(pace.lives, now) {
            return Some(Step::Announce);
        }
        return (is_known(&next.cert, seen.live) && seen.live_for >= pace.announcement).then_some(Step::Promote);
    }
    if !stored.former.is_empty() {
        let is_over = now - stored.since >= pace.overlap() || stored.former.iter().all(|it| it.has_ended(now));
        let is_served = seen.serving.is_some_and(|it| !it.has_ended(now) && it.is_in(&stored.former));
        return (is_over && !is_served).then_some(Step::Retire);
    }
    (seen.asked || stored.current.is_due(pace.lives, now)).then_some(Step::Announce)
}

/// What the Secret shall hold after a step.
pub fn take(step: &Step, seen: &Seen<'_>, pace: &Pace, now: OffsetDateTime) -> Result<Authorities, IssueError> {
    let make = || Ca::new(pace.lives, now).map(Arc::new);
    let whole = match seen.stored {
        Stored::Whole(stored) => Some(stored),
        Stored::Absent | Stored::Damaged(..) => None,
    };
    let mut after = match (step, whole, seen.held) {
        (Step::Restore, _, Some(held)) => return Ok(held.clone()),
        (_, Some(stored), _) => stored.clone(),
        (_, None, _) => return begin(seen, pace, now),
    };
    match step {
        // Where there is a whole set, nobody begins.
        Step::Begin | Step::Restore => {}
        Step::Replace => after = Authorities::only(make()?, now),
        Step::Announce => after.next = Some(make()?),
        Step::Promote => {
            if let Some(next) = after.next.take() {
                let ended = std::mem::replace(&mut after.current, next);
                add(&mut after, ended.cert.clone(), now);
            }
        }
        Step::Trust => {
            if let Some(cert) = seen.serving {
                add(&mut after, cert.clone(), now);
            }
        }
        Step::Retire => after.former.clear(),
    }
    Ok(after)
}

/// A set of CAs where nobody holds one: other replicas may serve leaves of what is live, so that stays trusted.
fn begin(seen: &Seen<'_>, pace: &Pace, now: OffsetDateTime) -> Result<Authorities, IssueError> {
    let left = match seen.stored {
        Stored::Damaged(current, _) => current.clone().filter(|ca| !ca.cert.has_ended(now)),
        Stored::Absent | Stored::Whole(_) => None,
    };
    let current = left.map_or_else(|| Ca::new(pace.lives, now).map(Arc::new), Ok)?;
    let mut after = Authorities::only(current, now);
    for cert in seen.live.iter().flatten().filter(|cert| cert.is_ours && !cert.has_ended(now)) {
        if !cert.is_in(&after.certs()) {
            add(&mut after, cert.clone(), now);
        }
    }
    Ok(after)
}

fn add(to: &mut Authorities, former: Cert, now: OffsetDateTime) {
    to.former.push(former);
    let surplus = to.former.len().saturating_sub(MOST_FORMER);
    to.former.drain(..surplus);
    to.since = now;
}

/// Whether the replica shall sign with the current CA instead of the one whose leaf it serves. Never before API servers know
/// it, unless they do not take what is served now.
pub fn should_switch(
    serving: Option<&Cert>,
    current: &Cert,
    live: &[Vec<Cert>],
    live_for: Duration,
    pace: &Pace,
    now: OffsetDateTime,
) -> bool {
    let Some(serving) = serving else { return true };
    if serving.is_in(std::slice::from_ref(current)) {
        return false;
    }
    if serving.has_ended(now) {
        return true;
    }
    let is_enough = live_for >= pace.announcement || !is_known(serving, live);
    current.is_valid(now) && is_known(current, live) && is_enough
}

/// Every webhook that is listed trusts it.
fn is_known(cert: &Cert, live: &[Vec<Cert>]) -> bool {
    !live.is_empty() && live.iter().all(|trusted| cert.is_in(trusted))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
