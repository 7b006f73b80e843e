//! The commands, as far as they change what runs.

use tests::fleet::Fleet;
use tests::process::{Processes, Stop};

use crate::chapters::Chapter;
use crate::home::{self, Home};
use crate::live::{self, Ended};
use crate::notes::Notes;
use crate::signals::Signals;
use crate::story::Story;
use crate::up::{self, Before};
use crate::{Result, Trouble, chapters, say, settings};

/// `cargo demo`: everything, or these chapters, and then a live table until Ctrl-C.
pub(crate) async fn demo(real_kubevirt: bool, named: &[Chapter]) -> Result<()> {
    let home = Home::find()?;
    let mut signals = Signals::listen()?;
    let _watch = home.watch()?;
    let fleet = bring_up(&home, &mut signals, "cargo demo", real_kubevirt).await?;
    let shown = signals.or(tell(&home, &fleet, named)).await;
    match &shown {
        Ok(Ended::Elsewhere) => {
            say::line("Everything was stopped by another command.");
            return Ok(());
        }
        Ok(Ended::Unread) | Err(Trouble::Interrupted) => {}
        Err(trouble) => say::line(&format!("cargo demo: {trouble}")),
    }
    let notes = Notes::read(&home);
    if notes.stays {
        say::line("\nThe fleet stays, because of `cargo demo up`; `cargo demo down` stops it.");
        if notes.settings.is_none() || fleet.components().iter().any(|part| !live::runs(&fleet, part)) {
            say::line("Not all of it is as it was: `cargo demo up` puts that right.");
        }
    } else {
        say::line("\nStopping everything (Ctrl-C again leaves the rest running) ...");
        signals.or_leave(home.dir(), stop_all(&home, "cargo demo")).await?;
    }
    match shown {
        Ok(_) | Err(Trouble::Interrupted) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

async fn tell(home: &Home, fleet: &Fleet, named: &[Chapter]) -> Result<Ended> {
    let mut story = Story::new(home, fleet);
    let lock = home.change("cargo demo")?;
    chapters::tell(&mut story, named).await?;
    drop(lock);
    chapters::next_steps(home, fleet);
    say::line("");
    live::show(fleet, &story.refused).await
}

/// `cargo demo show`.
pub(crate) async fn show(named: &[Chapter]) -> Result<()> {
    let home = Home::find()?;
    let mut signals = Signals::listen()?;
    let _lock = home.change("cargo demo show")?;
    let fleet = existing(&home)?;
    if let Some(stopped) = fleet.components().iter().find(|part| !live::runs(&fleet, part)) {
        return Err(Trouble::Said(format!("{stopped} does not run: `cargo demo up` starts what is missing")));
    }
    let named = if named.is_empty() { chapters::usual() } else { named.to_vec() };
    let mut story = Story::new(&home, &fleet);
    match signals.or(chapters::tell(&mut story, &named)).await {
        Err(Trouble::Interrupted) => {
            let advice = "interrupted; what a chapter had stopped or set otherwise, `cargo demo up` puts right";
            Err(Trouble::Said(advice.to_owned()))
        }
        Ok(()) if !story.wrong.is_empty() => {
            Err(Trouble::Said(format!("{} of the commands did not come out as they should have", story.wrong.len())))
        }
        told => told,
    }
}

/// `cargo demo up`.
pub(crate) async fn up(real_kubevirt: bool) -> Result<()> {
    let home = Home::find()?;
    let mut signals = Signals::listen()?;
    let fleet = bring_up(&home, &mut signals, "cargo demo up", real_kubevirt).await?;
    let notes = Notes::read(&home);
    Notes { stays: true, ..notes }.write(&home)?;
    chapters::next_steps(&home, &fleet);
    Ok(())
}

/// Brings everything up. If that fails or is interrupted, what it has started is stopped, unless some of it ran before.
async fn bring_up(home: &Home, signals: &mut Signals, doing: &str, real_kubevirt: bool) -> Result<Fleet> {
    let _lock = home.change(doing)?;
    let before = up::prepare(home)?;
    let trouble = match signals.or(up::up(home, real_kubevirt)).await {
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
    let stopped = say::during("stopping", up::down(home)).await?;
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
            say::during(&format!("stopping {part}"), fleet.stop(&part, how)).await?;
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
    let running = Notes::read(&home).settings.unwrap_or_default();
    if let Some(why) = settings::refusal(&settings::given(), &running) {
        return Err(Trouble::Said(why));
    }
    for part in parts {
        let ran = live::runs(&fleet, &part);
        say::during(&format!("starting {part}"), fleet.start(&part)).await?;
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
