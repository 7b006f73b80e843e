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
use tokio::sync::watch as signal;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::Result;
use crate::row::Row;
use crate::screen::Screen;
use crate::table::Picture;

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

/// Shows the table until it has a reason to end, with the Machines that were refused before.
pub(crate) async fn show(fleet: &Fleet, refused: &[(String, String)]) -> Result<Ended> {
    let client = fleet.supervisor().client().await?;
    let resource = ApiResource::erase::<Machine>(&());
    let machines: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut writer = Writer::<DynamicObject>::new(resource);
    let store = writer.as_reader();
    let mut watch: Watch = None;
    let mut listed = false;
    let mut screen = Screen::new();
    // A watch says nothing of a supervisor that hangs, and a request to it must not hold the clock up.
    let (told, answers) = signal::channel(true);
    let asking = tokio::spawn(async move {
        while !told.is_closed() {
            told.send_replace(ready(&client).await);
            sleep(SECOND).await;
        }
    });
    let mut tick = interval(SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            _ = tick.tick() => {
                // The client would hide an outage: it tries again by itself, for long, and then with long pauses.
                if !*answers.borrow() {
                    watch = None;
                } else if watch.is_none() {
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
        let parts: Vec<_> = fleet.components().iter().map(|part| (part.to_string(), runs(fleet, part))).collect();
        if parts.iter().all(|(_, runs)| !runs) {
            break Ended::Elsewhere;
        }
        let machines = store.state().iter().map(|machine| Row::of(machine)).collect();
        let picture = Picture { parts, machines, answers: watch.is_some(), refused: refused.to_vec() };
        let known = listed || !*answers.borrow();
        if known && screen.show(picture).is_err() {
            break Ended::Unread;
        }
    };
    asking.abort();
    Ok(ended)
}

async fn next(watch: &mut Watch) -> Option<watcher::Result<Event<DynamicObject>>> {
    match watch {
        Some(watch) => watch.next().await,
        None => pending().await,
    }
}

/// Whether a part runs, a plane with its controllers.
pub(crate) fn runs(fleet: &Fleet, part: &Component) -> bool {
    let plane = matches!(part, Component::Supervisor | Component::Remote(_));
    let controllers = || fleet.processes().running(&format!("{part}-kcm")).is_some();
    fleet.is_running(part) && (!plane || controllers())
}

async fn ready(client: &Client) -> bool {
    let Ok(request) = Request::get("/readyz").body(Vec::new()) else { return false };
    timeout(SECOND, client.request_text(request)).await.is_ok_and(|answer| answer.is_ok())
}
