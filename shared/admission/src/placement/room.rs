//! Whether a cluster has room for one more Machine (X68): what its KubevirtConfig says is free, less what was decided and does
//! not count there yet. Pure.
//!
//! Nobody keeps the webhooks from deciding at the same moment. So the Machine should fit beside all that the others may have sent
//! there meanwhile: as much each as this webhook decided and its watch has not shown yet, and one Machine like this. Where no
//! cluster has that much to spare, one with half of it will do, or a quarter, down to nothing.

use model::names::ClusterName;

use super::outcome::NAMES;
use super::search::{Member, Subject};
use crate::world::{Config, Room, Size, World, say_cpus, say_memory};

/// Most bytes of the sentences about clusters that were passed over: an explanation is short.
const SAID: usize = 1000;

/// How a Machine fits on a cluster, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It has room, and there is something to spare for what others may send: all, or that halved so many times. Or nobody knows.
    Fits(u32),
    /// It would wait.
    Full,
    /// It would be refused: no node is large enough.
    Never,
}

/// What is asked for.
struct Asked<'w> {
    size: Size,
    /// What other webhooks may have decided that this one has not heard of.
    spare: Size,
    others: u64,
    /// What an earlier try of this very Machine counts, and where.
    own: Option<(&'w ClusterName, Size)>,
}

/// CPU or memory of a cluster.
struct Amounts {
    need: u64,
    spare: u64,
    largest: Option<u64>,
    free: Option<u64>,
    awaited: u64,
    say: fn(u64) -> String,
}

/// Takes out the candidates that have less room than the best of them; if none has any, all stay that could ever hold the
/// Machine. Answers with those, and with the first sentences about them.
pub(super) fn pass_over<'w>(
    subject: &Subject<'_, '_>,
    size: Size,
    candidates: &mut Vec<Member<'w>>,
    world: &'w World,
) -> (Vec<&'w ClusterName>, Vec<String>) {
    if candidates.iter().all(|(_, config)| config.capacity.is_none()) {
        return Default::default();
    }
    let asked = Asked::new(subject, size, world);
    let fits: Vec<Fit> = candidates.iter().map(|it| asked.fit(*it, world)).collect();
    let Some(best) = fits.iter().min().copied() else { return Default::default() };
    let mut passed = Vec::new();
    let mut fit = fits.into_iter();
    candidates.retain(|member| {
        let stays = fit.next() == Some(best);
        if !stays {
            passed.push(*member);
        }
        stays
    });
    let sentences = passed.iter().take(NAMES).map(|it| asked.say(*it, best, world));
    let short = sentences.scan(0, |bytes, sentence| {
        *bytes += sentence.len();
        (*bytes <= SAID).then_some(sentence)
    });
    let said = short.collect();
    (passed.into_iter().map(|(name, _)| name).collect(), said)
}

impl<'w> Asked<'w> {
    fn new(subject: &Subject<'_, '_>, size: Size, world: &'w World) -> Self {
        let others = u64::from(world.policy.replicas.saturating_sub(1));
        let spare = world.machines.unseen().plus(size).times(others);
        Self { size, spare, others, own: world.machines.awaited_of(subject.key()) }
    }

    fn fit(&self, member: Member<'_>, world: &World) -> Fit {
        self.amounts(member, world)
            .map_or(Fit::Fits(0), |both| both.iter().map(Amounts::fit).max().unwrap_or(Fit::Fits(0)))
    }

    fn amounts(&self, (name, config): Member<'_>, world: &World) -> Option<[Amounts; 2]> {
        let left = left(name, config, self.own, world)?;
        let Left { largest, free, awaited } = left;
        let (need, spare) = (self.size, self.spare);
        Some([
            Amounts {
                need: need.cpu,
                spare: spare.cpu,
                largest: largest.cpu,
                free: free.cpu,
                awaited: awaited.cpu,
                say: say_cpus,
            },
            Amounts {
                need: need.memory,
                spare: spare.memory,
                largest: largest.memory,
                free: free.memory,
                awaited: awaited.memory,
                say: say_memory,
            },
        ])
    }

    /// Why a cluster was passed over.
    fn say(&self, member: Member<'_>, best: Fit, world: &World) -> String {
        let both = self.amounts(member, world);
        let worst = both.iter().flatten().rev().max_by_key(|it| it.fit());
        let why = worst.map(|it| it.say(self.others, best)).unwrap_or_default();
        format!("{}: {why}", member.0.0)
    }
}

impl Amounts {
    fn left(&self) -> Option<u64> {
        self.free.map(|free| free.saturating_sub(self.awaited))
    }

    fn fit(&self) -> Fit {
        let fits = |left: u64, halved: u32| self.need.saturating_add(self.spare >> halved) <= left;
        match self.left() {
            _ if self.largest.is_some_and(|largest| self.need > largest) => Fit::Never,
            Some(left) if self.need > left => Fit::Full,
            Some(left) => Fit::Fits((0..u64::BITS - 1).find(|halved| fits(left, *halved)).unwrap_or(u64::BITS)),
            None => Fit::Fits(0),
        }
    }

    fn say(&self, others: u64, best: Fit) -> String {
        let Self { need, spare, largest, free, awaited, say } = self;
        let some = |amount: Option<u64>| amount.map(say).unwrap_or_default();
        let of = match (some(*free), *awaited) {
            (_, 0) => String::new(),
            (free, awaited) => format!(" of {free}, as {} are for Machines that do not count there yet", say(awaited)),
        };
        let left = format!("has {} left{of}", some(self.left()));
        let need = say(*need);
        match (self.fit(), best) {
            (Fit::Never, _) => format!("needs {need}, and its largest node has {}", some(*largest)),
            (Fit::Fits(_), Fit::Fits(halved)) => {
                let spare = say(spare >> halved);
                format!("needs {need} and {spare} to spare for what {others} other webhooks may decide now, and {left}")
            }
            (Fit::Full | Fit::Fits(_), _) => format!("needs {need}, and {left}"),
        }
    }
}

/// The room of a cluster.
pub(crate) struct Left {
    pub(crate) largest: Room,
    /// What its KubevirtConfig says is free.
    free: Room,
    /// What was decided and does not count there yet.
    awaited: Size,
}

impl Left {
    /// What is free, less what is awaited.
    pub(crate) fn free(&self) -> Room {
        let less = |free: Option<u64>, awaited: u64| free.map(|free| free.saturating_sub(awaited));
        Room { cpu: less(self.free.cpu, self.awaited.cpu), memory: less(self.free.memory, self.awaited.memory) }
    }
}

/// The room of a cluster for a Machine of which an earlier try may count already; `None` where the capacity is unknown.
pub(crate) fn left(
    name: &ClusterName,
    config: &Config,
    own: Option<(&ClusterName, Size)>,
    world: &World,
) -> Option<Left> {
    let capacity = config.capacity.as_ref()?;
    let own = own.filter(|(cluster, _)| *cluster == name).map(|(_, size)| size).unwrap_or_default();
    let awaited = world.machines.awaited(name).less(own);
    Some(Left { largest: capacity.largest, free: capacity.free, awaited })
}
