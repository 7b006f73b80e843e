//! The commands, as far as they change what runs.

use tests::fleet::Fleet;
use tests::process::{Processes, Stop};

use crate::home::{self, Home};
use crate::live::{self, Ended};
use crate::notes::Notes;
use crate::signals::Signals;
use crate::up::{self, Before};
use crate::{Result, Trouble, say, tour};

/// `cargo demo`: everything, and then a live table until Ctrl-C.
pub(crate) async fn demo() -> Result<()> {
    let home = Home::find()?;
    let mut signals = Signals::listen()?;
    let _watch = home.watch()?;
    let fleet = bring_up(&home, &mut signals, "cargo demo").await?;
    let shown = signals.or(show(&home, &fleet)).await;
    match &shown {
        Ok(Ended::Elsewhere) => {
            say::line("Everything was stopped by another command.");
            return Ok(());
        }
        Ok(Ended::Unread) | Err(Trouble::Interrupted) => {}
        Err(trouble) => say::line(&format!("cargo demo: {trouble}")),
    }
    if Notes::read(&home).stays {
        say::line("\nEverything still runs, because of `cargo demo up`; `cargo demo down` stops it.");
    } else {
        say::line("\nStopping everything (Ctrl-C again leaves the rest running) ...");
        signals.or_leave(home.dir(), stop_all(&home, "cargo demo")).await?;
    }
    match shown {
        Ok(_) | Err(Trouble::Interrupted) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

async fn show(home: &Home, fleet: &Fleet) -> Result<Ended> {
    let ready = tour::run(home, fleet).await?;
    tour::next_steps(home, fleet);
    if !ready {
        say::line("Not every Machine is ready yet; `kubectl describe machine NAME` says why.");
    }
    say::line("");
    live::show(fleet).await
}

/// `cargo demo up`.
pub(crate) async fn up() -> Result<()> {
    let home = Home::find()?;
    let mut signals = Signals::listen()?;
    let fleet = bring_up(&home, &mut signals, "cargo demo up").await?;
    let notes = Notes::read(&home);
    Notes { stays: true, ..notes }.write(&home)?;
    tour::next_steps(&home, &fleet);
    Ok(())
}

/// Brings everything up. If that fails or is interrupted, what it has started is stopped, unless some of it ran before.
async fn bring_up(home: &Home, signals: &mut Signals, doing: &str) -> Result<Fleet> {
    let _lock = home.change(doing)?;
    let before = up::prepare(home)?;
    let trouble = match signals.or(up::up(home)).await {
        Ok(fleet) => return Ok(fleet),
        Err(trouble) => trouble,
    };
    if before == Before::Some {
        return Err(Trouble::Said(format!(
            "{trouble}\n`cargo demo status` tells what runs now, `cargo demo down` stops it."
        )));
    }
    if !up::running(&Processes::detached(home.dir())?).is_empty() {
        say::step("that did not work out; stopping what was started");
    }
    signals.or_leave(home.dir(), up::down(home)).await?;
    Err(trouble)
}

/// `cargo demo down`.
pub(crate) async fn down() -> Result<()> {
    let home = Home::find()?;
    Signals::listen()?.or_leave(home.dir(), stop_all(&home, "cargo demo down")).await
}

async fn stop_all(home: &Home, doing: &str) -> Result<()> {
    let _lock = home.change(doing)?;
    let stopped = up::down(home).await?;
    if stopped.is_empty() {
        say::line("Nothing was running.");
    } else {
        say::line(&format!("Stopped {}.", stopped.join(", ")));
        say::line(&format!("Logs stay in {} until the next start.", home::shown(&home.dir().join("logs"))));
    }
    Ok(())
}

/// `cargo demo stop PART...`.
pub(crate) async fn stop(parts: &[String], how: Stop) -> Result<()> {
    let home = Home::find()?;
    let _lock = home.change("cargo demo stop")?;
    let fleet = existing(&home)?;
    let parts = parts.iter().map(|part| fleet.component(part)).collect::<tests::Result<Vec<_>>>()?;
    for part in parts {
        if fleet.is_running(&part) {
            fleet.stop(&part, how).await?;
            say::step(&format!("{part} is stopped; `cargo demo start {part}` brings it back"));
        } else {
            say::step(&format!("{part} was not running"));
        }
    }
    Ok(())
}

/// `cargo demo start PART...`.
pub(crate) async fn start(parts: &[String]) -> Result<()> {
    let home = Home::find()?;
    let _lock = home.change("cargo demo start")?;
    let fleet = existing(&home)?;
    let parts = parts.iter().map(|part| fleet.component(part)).collect::<tests::Result<Vec<_>>>()?;
    for part in parts {
        let ran = fleet.is_running(&part);
        fleet.start(&part).await?;
        say::step(&format!("{part} {}", if ran { "runs already" } else { "is ready" }));
    }
    Ok(())
}

/// The fleet that was started here.
pub(crate) fn existing(home: &Home) -> Result<Fleet> {
    if let Some(fleet) = up::earlier(home) {
        return Ok(fleet);
    }
    let running = up::running(&Processes::detached(home.dir())?);
    Err(Trouble::Said(if running.is_empty() {
        "nothing was started here yet: `cargo demo` or `cargo demo up` does it".to_owned()
    } else {
        let running = running.join(", ");
        format!("a killed run has left {running}: `cargo demo up` completes it, `cargo demo down` stops it")
    }))
}
