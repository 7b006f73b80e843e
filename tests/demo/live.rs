//! The live table. It follows a watch; the clock only moves the ages, looks whether the parts run, and lets a broken watch
//! begin again.

use std::future::pending;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use http::Request;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use model::api::Machine;
use tests::fleet::{Component, Fleet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Result;
use crate::screen::Screen;
use crate::table::{Picture, Row};

const SECOND: Duration = Duration::from_secs(1);

/// Why the table ended by itself.
pub(crate) enum Ended {
    /// Nothing runs any more.
    Elsewhere,
    /// Nobody reads what we print.
    Unread,
}

/// A watch of all Machines; absent while the supervisor does not answer.
type Watch = Option<BoxStream<'static, watcher::Result<Event<DynamicObject>>>>;

/// Shows the table until it has a reason to end.
pub(crate) async fn show(fleet: &Fleet) -> Result<Ended> {
    let client = fleet.supervisor().client().await?;
    let resource = ApiResource::erase::<Machine>(&());
    let machines: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut writer = Writer::<DynamicObject>::new(resource);
    let store = writer.as_reader();
    let mut watch: Watch = None;
    let mut listed = false;
    let mut screen = Screen::new();
    let mut tick = interval(SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                // The client would hide an outage: it tries again by itself, for long, and then with long pauses.
                if !fleet.is_running(&Component::Supervisor) {
                    watch = None;
                } else if watch.is_none() && answers(&client).await {
                    watch = Some(watcher(machines.clone(), watcher::Config::default()).boxed());
                }
            }
            event = next(&mut watch) => match event {
                Some(Ok(event)) => {
                    writer.apply_watcher_event(&event);
                    if matches!(event, Event::Init | Event::InitApply(_)) {
                        continue;
                    }
                    listed = true;
                }
                Some(Err(_)) | None => watch = None,
            }
        }
        let parts: Vec<_> = fleet.components().iter().map(|part| (part.to_string(), fleet.is_running(part))).collect();
        if parts.iter().all(|(_, runs)| !runs) {
            return Ok(Ended::Elsewhere);
        }
        let machines = store.state().iter().map(|machine| Row::of(machine)).collect();
        if listed && screen.show(Picture { parts, machines, answers: watch.is_some() }).is_err() {
            return Ok(Ended::Unread);
        }
    }
}

async fn next(watch: &mut Watch) -> Option<watcher::Result<Event<DynamicObject>>> {
    match watch {
        Some(watch) => watch.next().await,
        None => pending().await,
    }
}

async fn answers(client: &Client) -> bool {
    let Ok(request) = Request::get("/readyz").body(Vec::new()) else { return false };
    timeout(SECOND, client.request_text(request)).await.is_ok_and(|answer| answer.is_ok())
}
