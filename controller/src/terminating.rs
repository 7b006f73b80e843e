//! Namespaces that are being deleted: their API server takes no new objects in them, and whoever asks for one is in the way of
//! those that ask for something else (FR17, R15). I/O: a watch of the supervisor's, of those alone that are being deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use runtime::follow::{News, each};
use runtime::listing::{Step, watching};

/// How long a refusal counts on the supervisor, where the watch does not tell of the namespace.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// How long what could not be watched waits for the next try.
const AGAIN: Duration = Duration::from_secs(10);

/// Whether something was not created because its namespace is being deleted.
pub fn is_said_by(why: &kube::Error) -> bool {
    let kube::Error::Api(answer) = why else { return false };
    let mut causes = answer.details.iter().flat_map(|details| &details.causes);
    answer.code == 403 && causes.any(|cause| cause.reason == "NamespaceTerminating")
}

/// Namespaces of which an API server said that they are being deleted, and when it did so last.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<String, Instant>>);

impl Refusals {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It said so now.
    pub fn heard(&self, namespace: &str, now: Instant) {
        self.all().insert(namespace.to_owned(), now);
    }

    /// How long ago it said so last, if it did.
    pub fn age(&self, namespace: &str, now: Instant) -> Option<Duration> {
        self.all().get(namespace).map(|heard| now.saturating_duration_since(*heard))
    }

    /// The namespace is gone, or is not being deleted.
    pub fn forget(&self, namespace: &str) {
        self.all().remove(namespace);
    }
}

/// The supervisor's.
#[derive(Debug, Default)]
pub struct Terminating {
    seen: Mutex<BTreeSet<String>>,
    refusals: Refusals,
}

impl Terminating {
    fn seen(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the namespace is being deleted, as far as is known.
    pub fn is(&self, namespace: &str, now: Instant) -> bool {
        let refused = || self.refusals.age(namespace, now).is_some_and(|age| age < REFUSED_FOR);
        self.seen().contains(namespace) || refused()
    }

    /// Something could not be created in it; what that says of the namespace is remembered.
    pub fn learn(&self, namespace: &str, why: &kube::Error, now: Instant) {
        if is_said_by(why) {
            self.refusals.heard(namespace, now);
        }
    }

    fn take(&self, news: News<String>) {
        match news {
            News::Step(Step::Listed(all)) => *self.seen() = all.into_iter().collect(),
            News::Step(Step::Seen(name)) => drop(self.seen().insert(name)),
            News::Step(Step::Deleted(name)) => {
                self.refusals.forget(&name);
                self.seen().remove(&name);
            }
            // What was known stays: unknown is never absent.
            News::Unlisted(_) | News::NotInstalled => {}
        }
    }

    /// Follows them for ever.
    pub(crate) async fn follow(self: Arc<Self>, client: Client) {
        let take = |news: Vec<News<String>>| news.into_iter().for_each(|it| self.take(it));
        let selected = watching().fields("status.phase=Terminating");
        let again = |_| tokio::time::sleep(AGAIN);
        each(Api::<Namespace>::all(client), selected, true, again, ResourceExt::name_any, take).await;
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    fn refused(code: u16, cause: &str) -> kube::Error {
        let status: Status = serde_json::from_value(json!({
            "status": "Failure", "message": "no", "reason": "Forbidden", "code": code, "details": {"causes": [{"reason": cause, "message": "", "field": ""}]},
        }))
        .expect("a Status");
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn fr17_what_the_watch_tells_counts_and_a_refusal_until_it_does() {
        let (known, start) = (Terminating::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        known.learn("quota", &refused(403, "QuotaExceeded"), start);
        known.learn("conflict", &refused(409, "NamespaceTerminating"), start);
        known.learn("shop", &refused(403, "NamespaceTerminating"), start);
        known.take(News::Step(Step::Listed(vec!["old".to_owned()])));
        known.take(News::Step(Step::Seen("bank".to_owned())));
        known.take(News::Unlisted("forbidden".to_owned()));
        #[rustfmt::skip]
        let cases = [
            ("quota", 0, false), ("conflict", 0, false), ("shop", 0, true), ("shop", 59, true), ("shop", 60, false),
            ("old", 9999, true), ("bank", 9999, true), ("other", 0, false),
        ];
        every_row(cases, |(name, second, want)| {
            assert_eq!(known.is(name, at(second)), want, "{name} after {second} s");
        });
        known.learn("bank", &refused(403, "NamespaceTerminating"), start);
        known.take(News::Step(Step::Deleted("bank".to_owned())));
        assert!(!known.is("bank", start), "it is gone");
        known.take(News::Step(Step::Listed(Vec::new())));
        assert!(!known.is("old", start));
    }
}
