//! Brings everything up and takes it down again. What runs already stays, unless it is out of date.

use std::fs;

use tests::binaries::{self, Tool};
use tests::fleet::{Blueprint, Component, Fleet};
use tests::process::{Processes, Stop};
use tests::workspace;

use crate::home::Home;
use crate::notes::Notes;
use crate::settings::{self, Settings};
use crate::{Result, Trouble, say, strays};

const REMOTES: [&str; 2] = ["east", "west"];

/// What was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing ran.
    Nothing,
    /// Something ran.
    Some,
}

/// Looks whether anything runs; if not, removes what an earlier fleet left.
pub(crate) fn prepare(home: &Home) -> Result<Before> {
    if !running(&known(home)?).is_empty() {
        return Ok(Before::Some);
    }
    home.clear()?;
    Ok(Before::Nothing)
}

/// Returns when everything is ready, with the settings of the caller's environment.
pub(crate) async fn up(home: &Home, real_kubevirt: bool) -> Result<Fleet> {
    let settings = settings::given();
    let real_kubevirt = match earlier(home).map(|fleet| fleet.has_real_kubevirt()) {
        Some(false) if real_kubevirt => {
            let advice = "the fleet that runs has a simulated KubeVirt: stop it first, by `cargo demo down`";
            return Err(Trouble::Said(advice.to_owned()));
        }
        there => real_kubevirt || there == Some(true),
    };
    let mut notes = Notes::read(home);
    say::step("looking for etcd, Kubernetes and helm; they are built if missing, once");
    // These say themselves how far they are.
    for tool in Tool::ALL.into_iter().chain(Tool::KUBEVIRT.into_iter().filter(|_| real_kubevirt)) {
        binaries::locate(tool).await?;
    }
    say::step("building webhook, controller and simulator; minutes the first time");
    say::during("building", workspace::build_workspace_bins()).await?;

    let changed = notes.settings.as_ref() != Some(&settings);
    let processes = Processes::detached(home.dir())?;
    let stale = stale(&processes, changed);
    if stale.is_empty()
        && let Some(fleet) = earlier(home).filter(complete)
    {
        say::step(&format!("it is up already{}", with(&settings)));
        return Ok(fleet);
    }
    for (name, why) in &stale {
        say::step(&format!("ending {name}: {why}"));
        say::during("stopping it", processes.stop(name, Stop::Gracefully)).await?;
    }
    if changed {
        notes.settings = None;
        notes.write(home)?;
    }
    say::step(&format!("starting supervisor, east and west{}", with(&settings)));
    // The chart gives the right to elect a leader; who works alone and outlives an API server that is stopped does not use it.
    let alone = ("LEADER_ELECTION".to_owned(), "false".to_owned());
    let env = settings.clone().into_iter().chain([alone]).collect();
    let set = vec!["leaderElection=true".to_owned()];
    let blueprint = Blueprint { env, set, real_kubevirt, say: say::step, ..Blueprint::of(&REMOTES) };
    let fleet = say::during("starting", Fleet::up(processes, blueprint)).await?;
    home.furnish(fleet.supervisor()).await?;
    notes.settings = Some(settings);
    notes.write(home)?;
    Ok(fleet)
}

/// Stops all that runs in the folder; answers with the names of what it found running.
pub(crate) async fn down(home: &Home) -> Result<Vec<String>> {
    let processes = known(home)?;
    let found = running(&processes);
    if let Some(fleet) = earlier(home) {
        fleet.down().await?;
    }
    // Without a usable fleet.json only the processes are known. etcd last: the others ask it until they end.
    let mut left = processes.names();
    left.sort_by_key(|name| name == "etcd");
    for name in left {
        processes.stop(&name, Stop::Gracefully).await?;
    }
    Notes::default().write(home)?;
    Ok(found)
}

/// The fleet of an earlier invocation. One whose description is missing or half written is made anew around what runs.
pub(crate) fn earlier(home: &Home) -> Option<Fleet> {
    Fleet::open(home.dir()).ok().flatten()
}

/// The processes that are known, after those that are not were ended.
fn known(home: &Home) -> Result<Processes> {
    let processes = Processes::detached(home.dir())?;
    let pids: Vec<_> = processes.names().iter().filter_map(|name| Some(processes.running(name)?.pid)).collect();
    strays::end(home.dir(), &pids);
    Ok(processes)
}

/// Names of what runs.
pub(crate) fn running(processes: &Processes) -> Vec<String> {
    processes.names().into_iter().filter(|name| processes.running(name).is_some()).collect()
}

/// Whether all of it runs, the controllers of the planes included.
fn complete(fleet: &Fleet) -> bool {
    let processes = fleet.processes();
    fleet.components().iter().all(|component| fleet.is_running(component))
        && processes.names().iter().all(|name| processes.running(name).is_some())
}

/// What runs and would run otherwise if it were started now, with the reason.
fn stale(processes: &Processes, changed: bool) -> Vec<(String, &'static str)> {
    let configured = [Component::Webhook, Component::Controller].map(|component| component.to_string());
    let sims = REMOTES.map(|remote| Component::Sim(remote.to_owned()).to_string());
    let second = Component::SecondController.to_string();
    let why = |name: &String| {
        let process = processes.running(name)?;
        let exe = fs::read_link(format!("/proc/{}/exe", process.pid)).unwrap_or_default();
        if changed && configured.contains(name) {
            Some("its settings changed")
        } else if *name == second {
            Some("only a chapter needs it")
        } else if exe.to_string_lossy().ends_with(" (deleted)") {
            Some("it was built anew")
        } else {
            None
        }
    };
    sims.iter().chain(&configured).chain([&second]).filter_map(|name| Some((name.clone(), why(name)?))).collect()
}

fn with(settings: &Settings) -> String {
    if settings.is_empty() { String::new() } else { format!(", with {}", settings::shown(settings)) }
}
