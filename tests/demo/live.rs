//! The live table. It follows a watch; the clock only moves the ages, looks whether the parts run, and lets a broken watch
//! try again.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event, watcher};
use model::api::Machine;
use tests::fleet::Fleet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Result;
use crate::screen::Screen;
use crate::table::{Picture, Row};

/// Why the table ended by itself.
pub(crate) enum Ended {
    /// Nothing runs any more.
    Elsewhere,
    /// Nobody reads what we print.
    Unread,
}

/// Shows the table until it has a reason to end.
pub(crate) async fn show(fleet: &Fleet) -> Result<Ended> {
    let resource = ApiResource::erase::<Machine>(&());
    let machines: Api<DynamicObject> = Api::all_with(fleet.supervisor().client().await?, &resource);
    let mut events = pin!(watcher(machines, watcher::Config::default()));
    let mut writer = Writer::<DynamicObject>::new(resource);
    let store = writer.as_reader();
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut screen = Screen::new();
    let mut quiet = Quiet::LONG;
    let mut listed = false;
    loop {
        tokio::select! {
            _ = tick.tick() => quiet = quiet.longer(),
            event = events.next(), if quiet.may_try() => match event {
                Some(Ok(event)) => {
                    writer.apply_watcher_event(&event);
                    if matches!(event, Event::Init | Event::InitApply(_)) {
                        continue;
                    }
                    listed = true;
                    quiet = Quiet::LONG;
                }
                Some(Err(_)) | None => quiet = Quiet::BROKEN,
            }
        }
        let parts: Vec<_> = fleet.components().iter().map(|part| (part.to_string(), fleet.is_running(part))).collect();
        if parts.iter().all(|(_, runs)| !runs) {
            return Ok(Ended::Elsewhere);
        }
        let machines = store.state().iter().map(|machine| Row::of(machine)).collect();
        if listed && screen.show(Picture { parts, machines, answers: quiet.is_well() }).is_err() {
            return Ok(Ended::Unread);
        }
    }
}

/// Ticks since the watch failed last. A watch that is resumed says nothing until something happens, so that silence has to
/// count as an answer.
#[derive(Clone, Copy)]
struct Quiet(u8);

impl Quiet {
    const BROKEN: Self = Self(0);
    const LONG: Self = Self(2);

    fn longer(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// One that has just failed waits for the clock.
    fn may_try(self) -> bool {
        self.0 > 0
    }

    fn is_well(self) -> bool {
        self.0 >= Self::LONG.0
    }
}
