//! Watches of everything the simulator reacts to, as one stream. I/O: list and watch requests.
//! A broken watch is taken up again for ever: API servers are stopped and started under the simulator.

use super::RULES;
use super::objects::{Kind, Object};
use futures::stream::{BoxStream, SelectAll, StreamExt, select_all};
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};
use std::time::Duration;

/// All watches, merged; errors are logged and waited out inside.
pub(super) fn everything(client: &Client) -> SelectAll<BoxStream<'static, (Kind, Event<Object>)>> {
    select_all(Kind::ALL.map(|kind| one(client.clone(), kind)))
}

fn one(client: Client, kind: Kind) -> BoxStream<'static, (Kind, Event<Object>)> {
    let resource = kind.resource();
    let (api, config): (Api<Object>, Config) = match kind {
        Kind::Rules => {
            let only = Config::default().fields(&format!("metadata.name={RULES}"));
            (Api::namespaced_with(client, "default", &resource), only)
        }
        Kind::Vm | Kind::Vmi | Kind::Claim | Kind::Volume | Kind::Class | Kind::Pod | Kind::DataVolume => {
            (Api::all_with(client, &resource), Config::default())
        }
    };
    let mut broken = false; // said once, not twice a second
    let events = watcher(api, config).backoff(Steady).map(move |event| match event {
        Ok(event) => {
            if std::mem::take(&mut broken) {
                tracing::info!(?kind, "watching again");
            }
            Some((kind, slim(event)))
        }
        Err(error) => {
            if !std::mem::replace(&mut broken, true) {
                tracing::warn!(?kind, %error, "watch broken, trying until it works");
            }
            None
        }
    });
    events.filter_map(std::future::ready).boxed()
}

/// The list of who owns which field is half of an object, and nobody reads it here.
fn slim(event: Event<Object>) -> Event<Object> {
    event.modify(|object| object.managed_fields_mut().clear())
}

/// Tests start an API server again and wait for the simulator: back off little, and never more.
struct Steady;

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(500))
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}
