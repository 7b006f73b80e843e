//! Lives of Machines with harm done at one point of each (`faultline`), and what must hold all the same: the harm changes when
//! something happens, and nothing else.
//!
//! | Judged by | What must hold |
//! |---|---|
//! | a watch of Machines and VMs (`recorder`) | one live VM for each Machine; an assignment that is there and stays; a status that never goes back (I1, I3, I6) |
//! | the audit logs (`ledger`) | each object made once and deleted once, nothing before its Machine is, nothing that a life without harm does not touch (I2, I5) |
//! | whoever applies (`story/life`) | an apply is admitted, or refused with nothing done, and works when it is done again |
//! | the cluster | the objects of a life without harm, and after it none (I4); then no more writes |
//! | the log of the controller | no panic, no error |

mod found;
mod ledger;
mod quiet;
mod recorder;
mod reviews;
mod rivals;
mod story;
mod trials;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;

pub use self::found::{Extent, Found};
use self::found::{Trial, listed};
use self::ledger::{Ledger, Touched};
use self::recorder::Recorder;
pub use self::story::Story;
use self::story::{Ground, Told};
use self::trials::trials;
use crate::error::{Error, Result, io};
use crate::faultline::{Crash, Faultline, Seen, Way};
use crate::fleet::{Blueprint, Component, Fleet};
use crate::pki::write_private;
use crate::process::{Processes, Stop};

/// Lives that go on at once, where the controller stays alive.
const TOGETHER: usize = 6;

/// Does all of it on a fleet of its own; then two controllers are rivals for so long.
pub async fn run(extent: Option<&Extent>, rivals: Option<Duration>, say: fn(&str)) -> Result<Found> {
    // Rivals need the right to a Lease, which whoever works alone does not get.
    let set = rivals.iter().flat_map(|_| ["leaderElection=true", "replicaCount=2"]).map(str::to_owned).collect();
    let fleet = Fleet::up(Processes::kept()?, Blueprint { set, ..Blueprint::of(&["east", "west"]) }).await?;
    say(&format!("the fleet is ready; logs are in {}", fleet.dir().display()));
    fleet.stop(&Component::Controller, Stop::Gracefully).await?;
    let planes: Vec<_> = fleet.remotes().iter().chain([fleet.supervisor()]).collect();
    let (mut faultline, killer) = Faultline::before(&planes).await?;
    let kubeconfig = lead_through(&fleet, &faultline).await?;
    reviews::lead_through(&fleet, &mut faultline).await?;
    let sweep = Sweep { recorder: Recorder::start(&fleet).await?, fleet: &fleet, faultline, kubeconfig };
    let mut found = Found::default();
    if let Some(extent) = extent {
        sweep.start_controller().await?;
        found = tokio::select! {
            found = sweep.sweep(extent, say) => found?,
            broken = sweep.kill_when_asked(killer) => return Err(broken),
        };
        fleet.stop(&Component::Controller, Stop::Gracefully).await?;
    }
    if let Some(length) = rivals {
        let ground = Ground::new(&fleet, &sweep.faultline).await?;
        let (pauses, lived, violations) = rivals::run(&ground, &sweep.kubeconfig, length, say).await?;
        (found.pauses, found.lived) = (pauses, lived);
        found.violations.extend(violations);
    } else {
        sweep.start_controller().await?;
    }
    found.violations.extend(sweep.recorder.violations());
    found.violations.extend(quiet::writes(&fleet).await?);
    found.violations.extend(quiet::panics(&fleet, &["controller", "controller-2", "webhook"])?);
    Ok(found)
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
        let env = [("KUBECONFIG", kubeconfig.as_str()), ("LEADER_ELECTION", "false")];
        self.fleet.start_with(&Component::Controller, &env).await
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
            Extent::Whole(stories, _) | Extent::Pruned(stories, _) | Extent::Each(stories, _) => stories.clone(),
            Extent::One(story, _) => vec![*story],
        };
        let mut found = Found::default();
        for story in stories {
            let usual = self.live_without_harm(&ground, story).await?;
            say(&usual.sums_up(story));
            let trials = trials(story, extent, &usual);
            // What ends a watch ends that of all lives, and one that is listed anew has fewer events; who is behind is so for all.
            let alone = |trial: &Trial| {
                let harm = trial.point.harm;
                let of_all = harm.lags() || harm.way() == Way::Watches;
                harm.kills() || of_all && !matches!(extent, Extent::Pruned(..))
            };
            let (alone, others): (Vec<_>, Vec<_>) = trials.into_iter().partition(alone);
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
            for trial in alone {
                take(self.live(&ground, &usual, trial).await?);
            }
            let lives = others.into_iter().map(|trial| self.live(&ground, &usual, trial));
            let mut together = futures::stream::iter(lives).buffer_unordered(TOGETHER);
            while let Some(outcome) = together.next().await {
                take(outcome?);
            }
        }
        Ok(found)
    }

    async fn live_without_harm(&self, ground: &Ground<'_>, story: Story) -> Result<Usual> {
        let namespace = format!("usual-{story}");
        self.faultline.expect(&namespace, None);
        let ledger = Ledger::open(self.fleet, &namespace);
        let told = story
            .live(ground, &namespace, None)
            .await
            .map_err(|what| Error::Absent { what: format!("end of {story} without harm: {what}") })?;
        let touched = ledger.touched()?;
        let seen = Way::ALL.map(|way| (way, self.faultline.seen(&namespace, way)));
        Ok(Usual { told, touched, seen })
    }

    /// One life with harm: whether its point was reached, and what did not hold.
    async fn live(&self, ground: &Ground<'_>, usual: &Usual, trial: Trial) -> Result<(bool, Vec<String>)> {
        let harm = trial.point.harm;
        self.faultline.expect(&trial.namespace, Some(trial.point));
        let ledger = Ledger::open(self.fleet, &trial.namespace);
        let told = trial.story.live(ground, &trial.namespace, Some((harm, &usual.told))).await;
        let seen = self.faultline.seen(&trial.namespace, harm.way());
        let mut wrong = ledger.judge(&usual.touched)?;
        wrong.extend(self.faultline.wrong(&trial.namespace));
        wrong.extend(told.err());
        let mut violations: Vec<String> = wrong.iter().map(|what| trial.says(what)).collect();
        if let Some(first) = violations.first_mut() {
            first.push_str(&listed(&seen));
        }
        Ok((seen.len() >= trial.point.at, violations))
    }
}

/// A life without harm.
struct Usual {
    told: Told,
    touched: Touched,
    seen: [(Way, Vec<Seen>); 3],
}

impl Usual {
    fn seen(&self, wanted: Way) -> &[Seen] {
        self.seen.iter().find(|(way, _)| *way == wanted).map_or(&[], |(_, seen)| seen)
    }

    fn sums_up(&self, story: Story) -> String {
        let requests = self.seen(Way::Requests);
        format!(
            "{story}: {} requests, {} of them write; {} events; {} reviews",
            requests.len(),
            requests.iter().filter(|it| it.is_write()).count(),
            self.seen(Way::Watches).len(),
            self.seen(Way::Reviews).len()
        )
    }
}
