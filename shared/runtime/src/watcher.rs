//! A watch that lists and goes on for ever, with the events and errors of kube's `watcher` and less memory: kube's keeps 8 KiB for
//! the next line of each watch, and the controller has nine watches on each cluster. I/O: lists and watches.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt, Stream, stream};
use kube::api::{ListParams, ObjectList, WatchEvent, WatchParams};
use kube::core::Request;
pub use kube::runtime::watcher::{Error, Event};
use kube::{Api, Client, Resource};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::value::RawValue;
use tokio::time::timeout;

/// How much longer than the API server was asked to keep a watch, the next line of it is waited for.
const MARGIN: Duration = Duration::from_secs(5);
/// What a watch says.
const KINDS: [&str; 5] = ["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"];

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Labels of what is selected, as in `kubectl get -l`.
    pub label_selector: Option<String>,
    /// Fields of what is selected.
    pub field_selector: Option<String>,
    /// Objects in a page of a list; all at once without.
    pub page_size: Option<u32>,
    /// Seconds after which an API server shall end a watch.
    pub timeout: Option<u32>,
    /// The API server leaves out all but the metadata of each object.
    pub metadata: bool,
}

impl Config {
    /// Selects by labels.
    #[must_use]
    pub fn labels(self, selector: &str) -> Self {
        Self { label_selector: Some(selector.to_owned()), ..self }
    }

    /// Selects by fields.
    #[must_use]
    pub fn fields(self, selector: &str) -> Self {
        Self { field_selector: Some(selector.to_owned()), ..self }
    }

    /// Of each object, only its metadata is sent: `K` is a [`kube::core::PartialObjectMeta`].
    #[must_use]
    pub fn metadata(self) -> Self {
        Self { metadata: true, ..self }
    }
}

/// Lists what is selected and follows it, for ever: after an error it goes on where it can, so whoever reads it bounds how often.
///
/// # Errors
/// [`Error::InitialListFailed`]: the next event begins a new list. [`Error::WatchStartFailed`] and [`Error::WatchFailed`]: the watch
/// goes on where it was. [`Error::WatchError`]: the API server ended it. With any of these three, one that has forgotten where it was
/// (410) is listed anew.
/// [`Error::NoResourceVersion`]: an answer of something that is no API server.
pub fn watcher<K>(api: Api<K>, selected: Config) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + Send + 'static,
{
    let request = Request::new(api.resource_url());
    let reader = Reader { client: api.into_client(), request, selected };
    stream::unfold((reader, State::Begin), async |(reader, mut state)| {
        loop {
            let (event, next) = reader.step(state).await;
            state = next;
            if let Some(event) = event {
                return Some((event, (reader, state)));
            }
        }
    })
}

struct Reader {
    client: Client,
    request: Request,
    selected: Config,
}

enum State<K> {
    Begin,
    /// Objects of a page that are to be told, the next page, and where to watch from after the last one.
    Listing {
        page: VecDeque<K>,
        more: Option<String>,
        version: Option<String>,
    },
    Listed {
        version: String,
    },
    Watching {
        version: String,
        lines: Lines,
    },
}

type Step<K> = (Option<Result<Event<K>, Error>>, State<K>);

impl Reader {
    async fn step<K>(&self, state: State<K>) -> Step<K>
    where
        K: Resource + Clone + DeserializeOwned + 'static,
    {
        match state {
            State::Begin => {
                (Some(Ok(Event::Init)), State::Listing { page: VecDeque::new(), more: None, version: None })
            }
            State::Listing { mut page, more, version } => match (page.pop_front(), more, version) {
                (Some(object), more, version) => {
                    (Some(Ok(Event::InitApply(object))), State::Listing { page, more, version })
                }
                (None, None, Some(version)) => (Some(Ok(Event::InitDone)), State::Listed { version }),
                // What asks is kept no longer than it takes: a watch waits most of the time, and is one of many.
                (None, more, _) => Box::pin(self.page(more)).await,
            },
            State::Listed { version } => match Box::pin(self.watch(&version)).await {
                Ok(lines) => (None, State::Watching { version, lines }),
                Err(why) => {
                    let next = after(&why, version);
                    (Some(Err(Error::WatchStartFailed(why))), next)
                }
            },
            State::Watching { version, mut lines } => match timeout(self.patience(), lines.next()).await {
                Ok(Ok(Some(event))) => heard(event, version, lines),
                Ok(Ok(None)) | Err(_) => (None, State::Listed { version }),
                Ok(Err(why)) => {
                    let next = after(&why, version);
                    (Some(Err(Error::WatchFailed(why))), next)
                }
            },
        }
    }

    async fn page<K: Clone + DeserializeOwned>(&self, more: Option<String>) -> Step<K> {
        let Config { label_selector, field_selector, page_size, metadata, .. } = self.selected.clone();
        let asked =
            ListParams { label_selector, field_selector, limit: page_size, continue_token: more, ..<_>::default() };
        let list = async {
            let request = if metadata { self.request.list_metadata(&asked) } else { self.request.list(&asked) };
            let request = request.map_err(kube::Error::BuildRequest)?;
            self.client.request::<ObjectList<K>>(request).await
        };
        match list.await {
            Ok(list) => {
                let version = list.metadata.resource_version.filter(|it| !it.is_empty());
                let more = list.metadata.continue_.filter(|it| !it.is_empty());
                if more.is_none() && version.is_none() {
                    return (Some(Err(Error::NoResourceVersion)), State::Begin);
                }
                (None, State::Listing { page: list.items.into(), more, version })
            }
            Err(why) => (Some(Err(Error::InitialListFailed(why))), State::Begin),
        }
    }

    async fn watch(&self, version: &str) -> kube::Result<Lines> {
        let Config { label_selector, field_selector, timeout, metadata, .. } = self.selected.clone();
        let asked = WatchParams { label_selector, field_selector, timeout, ..WatchParams::default() };
        let watch = if metadata { Request::watch_metadata } else { Request::watch };
        let request = watch(&self.request, &asked, version).map_err(kube::Error::BuildRequest)?;
        Ok(Lines(Box::pin(self.client.request_stream(request).await?)))
    }

    /// For the next line. An API server says something each minute.
    fn patience(&self) -> Duration {
        // The seconds after which an API server ends a watch itself, if nobody asks for less.
        Duration::from_secs(self.selected.timeout.unwrap_or(290).into()) + MARGIN
    }
}

/// Where a watch goes on that was refused. An API server says in an event that it has forgotten; what stands before one may say so at
/// once, and would go on saying it.
fn after<K>(why: &kube::Error, version: String) -> State<K> {
    match why {
        kube::Error::Api(status) if status.code == 410 => State::Begin,
        _ => State::Listed { version },
    }
}

/// What an event means for whoever watches, and where the watch is after it.
fn heard<K: Resource>(event: WatchEvent<K>, version: String, lines: Lines) -> Step<K> {
    let at = |object: &K| object.meta().resource_version.clone().filter(|it| !it.is_empty());
    let (event, version) = match event {
        WatchEvent::Bookmark(mark) => {
            return (None, State::Watching { version: mark.metadata.resource_version, lines });
        }
        WatchEvent::Error(status) => {
            let next = if status.code == 410 { State::Begin } else { State::Watching { version, lines } };
            return (Some(Err(Error::WatchError(status.boxed()))), next);
        }
        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
            let version = at(&object);
            (Event::Apply(object), version)
        }
        WatchEvent::Deleted(object) => {
            let version = at(&object);
            (Event::Delete(object), version)
        }
    };
    match version {
        Some(version) => (Some(Ok(event)), State::Watching { version, lines }),
        None => (Some(Err(Error::NoResourceVersion)), State::Begin),
    }
}

/// An answer that says one event with each line.
struct Lines(Pin<Box<dyn AsyncBufRead + Send>>);

impl Lines {
    /// `None`: it ended, perhaps within a line.
    async fn next<K: DeserializeOwned>(&mut self) -> kube::Result<Option<WatchEvent<K>>> {
        // It is not kept for the next one: most watches say something once in a long while.
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line).await {
            Ok(_) => {}
            // Whoever is between us and the API server had enough of it.
            Err(why) if matches!(why.kind(), ErrorKind::UnexpectedEof | ErrorKind::TimedOut) => return Ok(None),
            Err(why) => return Err(kube::Error::ReadEvents(why)),
        }
        if line.is_empty() {
            return Ok(None);
        }
        match read(&line) {
            Ok(event) => Ok(Some(event)),
            Err(why) if why.is_eof() => Ok(None),
            Err(why) => Err(match serde_json::from_slice::<kube::core::Status>(&line) {
                Ok(status) => kube::Error::Api(status.boxed()),
                Err(_) => kube::Error::SerdeError(why),
            }),
        }
    }
}

/// Reads an event. Its object is read from its own text: serde would first make a tree of any, to look for its type.
fn read<K: DeserializeOwned>(line: &[u8]) -> serde_json::Result<WatchEvent<K>> {
    #[derive(Deserialize)]
    struct Line<'l> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'l, str>,
        #[serde(borrow)]
        object: &'l RawValue,
    }
    let Line { kind, object } = serde_json::from_slice(line)?;
    Ok(match &*kind {
        "ADDED" => WatchEvent::Added(serde_json::from_str(object.get())?),
        "MODIFIED" => WatchEvent::Modified(serde_json::from_str(object.get())?),
        "DELETED" => WatchEvent::Deleted(serde_json::from_str(object.get())?),
        "BOOKMARK" => WatchEvent::Bookmark(serde_json::from_str(object.get())?),
        "ERROR" => WatchEvent::Error(serde_json::from_str(object.get())?),
        unknown => return Err(serde_json::Error::unknown_variant(unknown, &KINDS)),
    })
}

#[cfg(test)]
#[path = "watcher_tests.rs"]
mod tests;
