//! Lives of Machines with harm done at one request of each (`faultline`), and what must hold all the same: the harm changes when
//! something happens, and nothing else.
//!
//! | Judged by | What must hold |
//! |---|---|
//! | a watch of Machines and VMs (`recorder`) | one live VM for each Machine; an assignment that stays; a status that never goes back (I1, I3, I6) |
//! | the audit logs (`ledger`) | each object made once and deleted once, nothing before its Machine is, nothing that a life without harm does not touch (I2, I5) |
//! | the cluster | the objects of a life without harm, and after it none (I4); then no more writes |
//! | the log of the controller | no panic, no error |

mod ledger;
mod recorder;
mod story;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;

use self::ledger::{Ledger, Touched};
use self::recorder::Recorder;
pub use self::story::Story;
use self::story::{Ground, Told};
use crate::audit::Audit;
use crate::error::{Error, Result, io};
use crate::faultline::{Crash, Fault, Faultline, Point, Seen};
use crate::fleet::{Blueprint, Component, Fleet};
use crate::pki::write_private;
use crate::process::{Processes, Stop};

/// Lives that go on at once, where the controller stays alive.
const TOGETHER: usize = 6;
/// After all lives, so long nothing is written.
const QUIET: Duration = Duration::from_secs(10);
/// And it is so after as many times.
const QUIET_WITHIN: usize = 6;

/// What is tried.
#[derive(Clone, Debug)]
pub enum Extent {
    /// Every fault at every request of these stories.
    Whole(Vec<Story>),
    /// At every request that writes and is no repetition: killed before the controller hears the answer, and one of the faults that
    /// do not kill, by turns.
    Pruned(Vec<Story>),
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
    /// What did not hold, and how to look at it again.
    pub violations: Vec<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        write!(
            f,
            "points tried: {}, not reached: {}, violations: {}",
            self.tried,
            self.unreached,
            self.violations.len()
        )
    }
}

/// One life that is to come.
#[derive(Clone, Debug)]
struct Trial {
    namespace: String,
    story: Story,
    point: Point,
}

impl Trial {
    fn says(&self, what: &str) -> String {
        let Self { story, point: Point { at, fault }, namespace } = self;
        format!(
            "{story}, {fault} at request {at} ({namespace}): {what}; again: cargo sweep --story {story} --fault {fault} --at {at}"
        )
    }
}

/// Does all of it on a fleet of its own.
pub async fn run(extent: Extent, say: fn(&str)) -> Result<Found> {
    let fleet = Fleet::up(Processes::kept()?, Blueprint::of(&["east", "west"])).await?;
    fleet.stop(&Component::Controller, Stop::Gracefully).await?;
    let planes: Vec<_> = fleet.remotes().iter().chain([fleet.supervisor()]).collect();
    let (faultline, killer) = Faultline::before(&planes).await?;
    let kubeconfig = lead_through(&fleet, &faultline).await?;
    let sweep = Sweep { recorder: Recorder::start(&fleet).await?, fleet: &fleet, faultline, kubeconfig };
    sweep.start_controller().await?;
    tokio::select! {
        found = sweep.sweep(&extent, say) => found,
        broken = sweep.kill_when_asked(killer) => Err(broken),
    }
}

/// Sends the controller through the proxies; the kubeconfig of the supervisor that does.
async fn lead_through(fleet: &Fleet, faultline: &Faultline) -> Result<PathBuf> {
    let own = fleet.dir().join("users/controller.kubeconfig");
    let through = fleet.dir().join("users/faultline.kubeconfig");
    let text = fs::read_to_string(&own).map_err(io("cannot read", &own))?;
    write_private(&through, &faultline.through(fleet.supervisor(), &text)?)?;
    for remote in fleet.remotes() {
        story::lead_through(fleet, remote, faultline).await?;
    }
    Ok(through)
}

struct Sweep<'f> {
    fleet: &'f Fleet,
    faultline: Faultline,
    recorder: Recorder,
    kubeconfig: PathBuf,
}

impl Sweep<'_> {
    async fn start_controller(&self) -> Result<()> {
        let kubeconfig = self.kubeconfig.display().to_string();
        self.fleet.start_with(&Component::Controller, &[("KUBECONFIG", kubeconfig.as_str())]).await
    }

    /// Ends only with an error.
    async fn kill_when_asked(&self, mut killer: mpsc::UnboundedReceiver<Crash>) -> Error {
        while let Some(dead) = killer.recv().await {
            if let Err(error) = self.fleet.stop(&Component::Controller, Stop::AtOnce).await {
                return error;
            }
            // Whoever asked may have been a connection of the one that is dead.
            let _ = dead.send(());
            if let Err(error) = self.start_controller().await {
                return error;
            }
        }
        Error::Absent { what: "proxy that asks for a kill".to_owned() }
    }

    async fn sweep(&self, extent: &Extent, say: fn(&str)) -> Result<Found> {
        let ground = Ground::new(self.fleet, &self.faultline).await?;
        let stories = match extent {
            Extent::Whole(stories) | Extent::Pruned(stories) => stories.clone(),
            Extent::One(story, _) => vec![*story],
        };
        let mut found = Found::default();
        for story in stories {
            let usual = self.live_without_harm(&ground, story).await?;
            say(&format!("{story}: {} requests, {} of them write", usual.seen.len(), usual.writes().count()));
            let trials = trials(story, extent, &usual.seen);
            let (deadly, others): (Vec<_>, Vec<_>) = trials.into_iter().partition(|trial| trial.point.fault.kills());
            let mut take = |(reached, violations): (bool, Vec<String>)| {
                for violation in &violations {
                    say(violation);
                }
                found.tried += usize::from(reached);
                found.unreached += usize::from(!reached);
                found.violations.extend(violations);
                let done = found.tried + found.unreached;
                if done.is_multiple_of(20) {
                    say(&format!("{done} lives"));
                }
            };
            for trial in deadly {
                take(self.live(&ground, &usual, trial).await?);
            }
            let lives = others.into_iter().map(|trial| self.live(&ground, &usual, trial));
            let mut together = futures::stream::iter(lives).buffer_unordered(TOGETHER);
            while let Some(outcome) = together.next().await {
                take(outcome?);
            }
        }
        found.violations.extend(self.recorder.violations());
        found.violations.extend(self.writes_while_quiet().await?);
        found.violations.extend(self.panics()?);
        Ok(found)
    }

    async fn live_without_harm(&self, ground: &Ground<'_>, story: Story) -> Result<Usual> {
        let namespace = format!("usual-{story}");
        self.faultline.expect(&namespace, None);
        let ledger = Ledger::open(self.fleet, &namespace);
        let told = story
            .live(ground, &namespace)
            .await
            .map_err(|what| Error::Absent { what: format!("end of {story} without harm: {what}") })?;
        let touched = ledger.touched()?;
        Ok(Usual { told, touched, seen: self.faultline.seen(&namespace) })
    }

    /// One life with harm: whether its point was reached, and what did not hold.
    async fn live(&self, ground: &Ground<'_>, usual: &Usual, trial: Trial) -> Result<(bool, Vec<String>)> {
        self.faultline.expect(&trial.namespace, Some(trial.point));
        let ledger = Ledger::open(self.fleet, &trial.namespace);
        let told = trial.story.live(ground, &trial.namespace).await;
        let seen = self.faultline.seen(&trial.namespace);
        let mut wrong = ledger.judge(&usual.touched)?;
        match told {
            Err(what) => wrong.push(what),
            Ok(told) => wrong.extend(told.differs(&usual.told)),
        }
        let mut violations: Vec<String> = wrong.iter().map(|what| trial.says(what)).collect();
        if let Some(first) = violations.first_mut() {
            let requests = seen.iter().enumerate().fold(String::new(), |mut all, (at, it)| {
                let _ = write!(all, "\n    {} {} {} {} on {}", at + 1, it.status, it.method, it.path, it.plane);
                all
            });
            first.push_str(&requests);
        }
        Ok((seen.len() >= trial.point.at, violations))
    }

    /// What is written again and again after all lives.
    async fn writes_while_quiet(&self) -> Result<Option<String>> {
        let planes: Vec<_> = self.fleet.remotes().iter().chain([self.fleet.supervisor()]).collect();
        let mut written = String::new();
        // What was under way may come to its end.
        for _ in 0..QUIET_WITHIN {
            let audits: Vec<(Audit, u64)> = planes.iter().map(|plane| (plane.audit(), plane.audit().mark())).collect();
            // What is looked for is that nothing happens.
            tokio::time::sleep(QUIET).await;
            let mut writes = Vec::new();
            for (audit, mark) in audits {
                writes.extend(ledger::writes_of_ours(&audit.since(mark)?).map(ledger::say));
            }
            if writes.is_empty() {
                return Ok(None);
            }
            written = writes.join(", ");
        }
        Ok(Some(format!("after everything, there are still writes: {written}")))
    }

    fn panics(&self) -> Result<Option<String>> {
        let log = self.fleet.processes().log("controller");
        let text = fs::read_to_string(&log).map_err(io("cannot read", &log))?;
        // A client's library calls it an error when a connection breaks, which was done on purpose.
        let is_wrong = |line: &&str| {
            line.contains("panicked")
                || line.contains("\"level\":\"error\"") && !line.contains("\"target\":\"kube_client")
        };
        let found = text.lines().find(is_wrong);
        Ok(found.map(|line| format!("the log of the controller says: {line}")))
    }
}

/// A life without harm.
struct Usual {
    told: Told,
    touched: Touched,
    seen: Vec<Seen>,
}

impl Usual {
    fn writes(&self) -> impl Iterator<Item = usize> {
        self.seen.iter().enumerate().filter(|(_, it)| it.is_write()).map(|(at, _)| at + 1)
    }
}

fn trials(story: Story, extent: &Extent, usual: &[Seen]) -> Vec<Trial> {
    let points: Vec<Point> = match extent {
        Extent::One(_, point) => vec![*point],
        // A life with harm is longer: what is repeated is hit, too.
        Extent::Whole(_) => {
            let each = |at| Fault::ALL.map(|(fault, _)| Point { at, fault });
            (1..=usual.len() + 3).flat_map(each).collect()
        }
        Extent::Pruned(_) => {
            let others: Vec<Fault> = Fault::ALL.iter().map(|(it, _)| *it).filter(|fault| !fault.kills()).collect();
            let mut known = BTreeSet::new();
            let writes = usual.iter().enumerate().filter(|(_, seen)| {
                let first = known.insert((&seen.plane, &seen.method, &seen.path));
                seen.is_write() && (first || seen.method == "DELETE")
            });
            let each = writes.enumerate().flat_map(|(nth, (at, _))| {
                let faults = [Fault::CrashDuring, others[nth % others.len()]];
                faults.map(|fault| Point { at: at + 1, fault })
            });
            each.collect()
        }
    };
    let each = points.into_iter().enumerate();
    each.map(|(nth, point)| Trial { namespace: format!("sweep-{story}-{nth}"), story, point }).collect()
}
