//! Reads a plane's audit log: who asked for what, and how often. The only way to see what a process really costs an API
//! server, because it counts at the receiver.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result, io};

/// An audit log.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
}

/// One answered request, or a watch that began or ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// User name, such as `system:serviceaccount:NAMESPACE:NAME`.
    pub user: String,
    /// get, list, watch, create, update, patch, delete, deletecollection; for other paths the HTTP method in lower case.
    pub verb: String,
    /// API group; empty for core.
    pub group: String,
    /// Plural name; for requests that are about no resource, the path.
    pub resource: String,
    /// Such as `status`; mostly empty.
    pub subresource: String,
    /// Empty for what has none.
    pub namespace: String,
    /// Empty for lists and creations with a generated name.
    pub name: String,
    /// HTTP status; 0 where none was sent.
    pub code: u16,
    /// `ResponseComplete`, or `ResponseStarted` and `Panic`.
    pub stage: String,
    /// When the request arrived, as the server wrote it.
    pub time: String,
    /// Path and query as they were asked for.
    pub uri: String,
    /// What admission and authorization noted.
    pub annotations: BTreeMap<String, String>,
}

/// What requests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// User name.
    pub user: String,
    /// As in [`Record::verb`].
    pub verb: String,
    /// `resource.group/subresource`, without the parts that are empty.
    pub resource: String,
}

impl Record {
    /// Whether this is an answer that counts: complete, and not a watch, which stays open and costs once.
    pub fn is_answer(&self) -> bool {
        self.stage == "ResponseComplete" && self.verb != "watch"
    }

    /// `resource.group/subresource`, without the parts that are empty.
    pub fn full_resource(&self) -> String {
        let part = |sign: &str, text: &str| if text.is_empty() { String::new() } else { format!("{sign}{text}") };
        format!("{}{}{}", self.resource, part(".", &self.group), part("/", &self.subresource))
    }
}

impl Audit {
    /// The log at a path, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The end of the log now, to be given to [`Audit::since`] later.
    pub fn mark(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// All records written after a mark; 0 means from the beginning. A last line without its end is still being written
    /// and left out.
    pub fn since(&self, mark: u64) -> Result<Vec<Record>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let mut file = File::open(&self.path).map_err(io("cannot open", &self.path))?;
        let mut text = String::new();
        file.seek(SeekFrom::Start(mark)).map_err(io("cannot read", &self.path))?;
        file.read_to_string(&mut text).map_err(io("cannot read", &self.path))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| parse(line).map_err(|reason| self.unusable(&reason))).collect()
    }

    fn unusable(&self, reason: &serde_json::Error) -> Error {
        Error::Content { path: self.path.clone(), reason: reason.to_string() }
    }
}

/// How many answers there are of each kind; see [`Record::is_answer`].
pub fn count<'a>(records: impl IntoIterator<Item = &'a Record>) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for record in records.into_iter().filter(|record| record.is_answer()) {
        let (user, verb, resource) = (record.user.clone(), record.verb.clone(), record.full_resource());
        *counts.entry(Kind { user, verb, resource }).or_default() += 1;
    }
    counts
}

/// Counts as a table for people, with the total in the last line.
pub fn table(counts: &BTreeMap<Kind, usize>) -> String {
    let width = |cell: fn(&Kind) -> &str, head: &str| {
        counts.keys().map(|kind| cell(kind).len()).chain([head.len()]).max().unwrap_or_default()
    };
    let users = width(|kind| &kind.user, "USER");
    let verbs = width(|kind| &kind.verb, "VERB");
    let resources = width(|kind| &kind.resource, "RESOURCE");
    let mut text = String::new();
    let mut line = |user: &str, verb: &str, resource: &str, count: &str| {
        writeln!(text, "{user:users$}  {verb:verbs$}  {resource:resources$}  {count:>5}")
            .expect("invariant: writing to a String does not fail");
    };
    line("USER", "VERB", "RESOURCE", "COUNT");
    for (kind, count) in counts {
        line(&kind.user, &kind.verb, &kind.resource, &count.to_string());
    }
    line("", "", "total", &counts.values().sum::<usize>().to_string());
    text
}

/// The subset of `audit.k8s.io/v1 Event` that we read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: Status,
    #[serde(default)]
    request_received_timestamp: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

fn parse(line: &str) -> serde_json::Result<Record> {
    let event: Event = serde_json::from_str(line)?;
    let Event { stage, request_uri: uri, verb, user, object_ref, response_status, .. } = event;
    let ObjectRef { api_group: group, resource, subresource, namespace, name } = object_ref;
    let path = uri.split('?').next().unwrap_or_default();
    Ok(Record {
        resource: if resource.is_empty() { path.to_owned() } else { resource },
        user: user.username,
        verb,
        group,
        subresource,
        namespace,
        name,
        code: response_status.code,
        stage,
        time: event.request_received_timestamp,
        annotations: event.annotations,
        uri,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete",
        "requestURI":"/apis/vitistack.io/v1alpha1/namespaces/a/machines/web/status?force=true","verb":"patch",
        "user":{"username":"system:serviceaccount:k:c","groups":["x"]},"sourceIPs":["127.0.0.1"],
        "objectRef":{"resource":"machines","namespace":"a","name":"web","apiGroup":"vitistack.io","apiVersion":"v1alpha1","subresource":"status"},
        "responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-11-21T12:00:00.000000Z",
        "stageTimestamp":"2026-11-21T12:00:00.100000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;

    #[test]
    fn answers_are_counted_and_watches_are_not() {
        let patched = parse(STATUS).expect("parses");
        assert_eq!((patched.code, patched.name.as_str()), (200, "web"));
        let watch = Record { verb: "watch".to_owned(), ..patched.clone() };
        let counts = count([&patched, &watch, &patched]);
        let table = table(&counts);
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [2]);
        assert!(table.contains("patch  machines.vitistack.io/status      2"), "{table}");
    }

    #[test]
    fn a_path_stands_for_a_resource_where_there_is_none() {
        let line =
            r#"{"stage":"ResponseComplete","requestURI":"/readyz?verbose","verb":"get","user":{"username":"admin"}}"#;
        assert_eq!(parse(line).expect("parses").full_resource(), "/readyz");
    }
}
