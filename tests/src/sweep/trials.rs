//! Which harm is done where. Pure.

use std::collections::BTreeSet;

use super::Usual;
use super::found::{Extent, Trial};
use super::story::Story;
use crate::faultline::{Fault, Harm, Lapse, Point, Seen, Way};

/// Every life has so many reviews: two for each time that it is made or edited. An API server that is told of a change of the status
/// meanwhile asks again.
const REVIEWS: usize = 6;

/// The lives of a story that are to come, after one without harm.
pub(super) fn trials(story: Story, extent: &Extent, usual: &Usual) -> Vec<Trial> {
    let points: Vec<Point> = match extent {
        Extent::One(_, point) => vec![*point],
        Extent::Whole(_, ways) => ways.iter().flat_map(|way| whole(story, *way, usual)).collect(),
        Extent::Each(_, harm) => (1..=last(story, harm.way(), usual)).map(|at| Point { at, harm: *harm }).collect(),
        Extent::Pruned(_, ways) => ways.iter().flat_map(|way| pruned(story, *way, usual)).collect(),
    };
    let each = points.into_iter().enumerate();
    each.map(|(nth, point)| Trial { namespace: format!("sweep-{story}-{nth}"), story, point }).collect()
}

fn whole(story: Story, way: Way, usual: &Usual) -> Vec<Point> {
    let each =
        (1..=last(story, way, usual)).flat_map(|at| way.harms().into_iter().map(move |(harm, _)| Point { at, harm }));
    each.collect()
}

/// The number of the last point.
fn last(story: Story, way: Way, usual: &Usual) -> usize {
    let known = usual.seen(way).len();
    match way {
        // A life with harm is longer: what is repeated is hit, too.
        Way::Requests => known + 3,
        // Whoever adopts asks admission again and again until it knows of the VM.
        Way::Reviews if story == Story::Adopt => 0,
        Way::Watches | Way::Reviews => known,
    }
}

fn pruned(story: Story, way: Way, usual: &Usual) -> Vec<Point> {
    let seen = usual.seen(way);
    let harms = || way.harms().into_iter().map(|(harm, _)| harm);
    match way {
        Way::Requests => {
            let others: Vec<Harm> = harms().filter(|harm| !harm.kills()).collect();
            let each = firsts(seen).filter(|(_, it)| it.is_write()).enumerate().flat_map(|(nth, (at, _))| {
                let harms = [Harm::Request(Fault::CrashDuring), others[nth % others.len()]];
                harms.map(|harm| Point { at: at + 1, harm })
            });
            each.chain(left_behind(story, seen)).collect()
        }
        Way::Watches | Way::Reviews if story != Story::Life => Vec::new(),
        Way::Watches => {
            // Later ones may come together where a watch is listed anew.
            let early: Vec<usize> = firsts(seen).map(|(at, _)| at + 1).filter(|at| *at <= 8).collect();
            let slow = [Lapse::Frozen, Lapse::Unmarked].map(Harm::Watch);
            let harms = harms().filter(|harm| !slow.contains(harm)).enumerate();
            harms.filter_map(|(nth, harm)| Some(Point { at: *early.get(nth % early.len().max(1))?, harm })).collect()
        }
        Way::Reviews => {
            let each = harms().enumerate();
            each.map(|(nth, harm)| Point { at: 1 + nth % REVIEWS, harm }).collect()
        }
    }
}

/// A controller that begins behind: where it has just made the VM of a life, and where it has just deleted it.
fn left_behind(story: Story, seen: &[Seen]) -> impl Iterator<Item = Point> {
    let of_vm = |method: &'static str| {
        seen.iter().position(|it| it.method == method && it.path.contains("/virtualmachines")).map(|at| at + 1)
    };
    let at = ["POST", "DELETE"].into_iter().filter(move |_| story == Story::Life).filter_map(of_vm);
    at.map(|at| Point { at, harm: Harm::Request(Fault::CrashStale) })
}

/// Those that are no repetition, and deletions.
fn firsts(seen: &[Seen]) -> impl Iterator<Item = (usize, &Seen)> {
    let mut known = BTreeSet::new();
    seen.iter().enumerate().filter(move |(_, it)| {
        let first = known.insert((&it.plane, &it.method, &it.path));
        first || it.method == "DELETE"
    })
}
