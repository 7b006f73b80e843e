//! Writes Events. What is said again soon is one Event that counts, as with kube's recorder, which keeps every Event of six minutes as a
//! whole and looks at all of them for each new one. I/O: the supervisor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client};
use model::baseline::hash;
use model::names::OPERATOR;
use runtime::clusters::code;
use serde_json::json;

use crate::lately::Lately;

/// For so long after it was said the last time, an Event counts on. API servers keep Events for an hour.
const SERIES: Duration = Duration::from_secs(360);

/// Whoever writes Events in the name of this process.
#[derive(Clone)]
pub struct Events {
    client: Client,
    /// The pod, where there is one.
    instance: String,
    past: Arc<Mutex<Lately<Series>>>,
}

/// An Event that was written: its name, how often it was said, and when the last time.
#[derive(Clone, Debug)]
struct Series {
    name: String,
    count: i32,
    last: Instant,
}

impl Series {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= SERIES
    }
}

impl Events {
    /// Writes to the supervisor; `instance` is the pod.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let instance = instance.unwrap_or_else(|| OPERATOR.to_owned());
        Self { client, instance, past: Arc::default() }
    }

    fn past(&self) -> MutexGuard<'_, Lately<Series>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an Event about an object, or that it happened once more.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn publish(&self, event: &Event, about: &ObjectReference) -> kube::Result<()> {
        let namespace = about.namespace.as_deref().unwrap_or("default");
        let api: Api<v1::Event> = Api::namespaced(self.client.clone(), namespace);
        let (now, time) = (Instant::now(), MicroTime(Timestamp::now()));
        let whose = about.uid.as_deref().or(about.name.as_deref()).unwrap_or_default();
        let key = hash(&format!("{whose} {} {} {}", event.action, event.reason, kind(event)));
        let earlier = self.past().get(&key).filter(|series| !series.is_over(now)).cloned();
        let again = match earlier {
            Some(series) => once_more(&api, series, &time).await?,
            None => None,
        };
        let said = if let Some(again) = again {
            again
        } else {
            let event = self.first(event, about, time);
            let name = event.metadata.name.clone().unwrap_or_default();
            api.create(&PostParams::default(), &event).await?;
            Series { name, count: 1, last: now }
        };
        self.past().put(key, said, |series| series.is_over(now));
        Ok(())
    }

    fn first(&self, event: &Event, about: &ObjectReference, time: MicroTime) -> v1::Event {
        let about_name = about.name.as_deref().unwrap_or(OPERATOR);
        let name = format!("{about_name}.{:x}", time.0.as_nanosecond());
        v1::Event {
            metadata: ObjectMeta { namespace: about.namespace.clone(), name: Some(name), ..ObjectMeta::default() },
            action: Some(event.action.clone()),
            reason: Some(event.reason.clone()),
            note: event.note.clone(),
            type_: Some(kind(event).to_owned()),
            event_time: Some(time),
            regarding: Some(about.clone()),
            reporting_controller: Some(OPERATOR.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..v1::Event::default()
        }
    }
}

/// Counts an Event on, unless somebody took it away.
async fn once_more(api: &Api<v1::Event>, series: Series, time: &MicroTime) -> kube::Result<Option<Series>> {
    let (count, last) = (series.count + 1, Instant::now());
    let patch = json!({"series": {"count": count, "lastObservedTime": time}});
    match api.patch(&series.name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(Some(Series { name: series.name, count, last })),
        Err(why) if code(&why) == Some(404) => Ok(None),
        Err(why) => Err(why),
    }
}

fn kind(event: &Event) -> &'static str {
    match event.type_ {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    }
}
