//! What is tried, one life of it, and what came of it. Pure.

use std::fmt::{self, Write as _};

use crate::faultline::{Harm, Point, Seen, Way};

use super::story::Story;

/// What is tried.
#[derive(Clone, Debug)]
pub enum Extent {
    /// Every harm at every request, event and review of these stories, as far as these ways go.
    Whole(Vec<Story>, Vec<Way>),
    /// At every request that writes and is no repetition: killed before the controller hears the answer, and one of the faults that
    /// do not kill, by turns. At some events and reviews of a life: each harm that does not take minutes.
    Pruned(Vec<Story>, Vec<Way>),
    /// One harm at every point of these stories.
    Each(Vec<Story>, Harm),
    /// One point, to look at a violation again.
    One(Story, Point),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Points at which harm was done.
    pub tried: usize,
    /// Points that were never reached, because that life was shorter.
    pub unreached: usize,
    /// How often one of two controllers was paused until the other one led, and how many Machines lived meanwhile.
    pub pauses: usize,
    /// See `pauses`.
    pub lived: usize,
    /// What did not hold, and how to look at it again.
    pub violations: Vec<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tried, unreached, pauses, lived, violations } = self;
        for violation in violations {
            writeln!(f, "{violation}")?;
        }
        if *pauses > 0 {
            writeln!(f, "controllers paused: {pauses}, Machines meanwhile: {lived}")?;
        }
        write!(f, "points tried: {tried}, not reached: {unreached}, violations: {}", violations.len())
    }
}

/// One life that is to come.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) namespace: String,
    pub(super) story: Story,
    pub(super) point: Point,
}

impl Trial {
    /// One violation, and how to see it again.
    pub(super) fn says(&self, what: &str) -> String {
        let Self { story, point: Point { at, harm }, namespace } = self;
        let way = harm.way().name();
        format!(
            "{story}, {harm} at number {at} of its {way} ({namespace}): {what}; again: cargo sweep --story {story} --way {way} --fault {harm} --at {at}"
        )
    }
}

/// What came through, in lines for people.
pub(super) fn listed(seen: &[Seen]) -> String {
    seen.iter().enumerate().fold(String::new(), |mut all, (at, it)| {
        let _ = write!(all, "\n    {} {} {} {} on {}", at + 1, it.status, it.method, it.path, it.plane);
        all
    })
}
