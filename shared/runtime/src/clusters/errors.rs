//! What an error of an API server is to people. No I/O.
//!
//! An answer may hold anything: a cluster lies, or its address leads to something that is no cluster and answers with secrets
//! (T5, ATK12). So a body is never shown. A sentence of a real Kubernetes status is, where somebody needs it to act: that of
//! the supervisor, and that of a cluster about a write to it, such as which quota is exceeded.

use kube::core::Status;
use kube::runtime::watcher;
use model::text::line;

/// Bytes of a sentence that somebody else wrote.
const SENTENCE: usize = 512;
/// What kube gives as the reason of the Status that it makes of an answer that is none, with the body as its message.
const MADE_BY_KUBE: &str = "Failed to parse error data";

/// The Status that an API server answered with, if it did.
fn answered<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Status> {
    match (error.downcast_ref(), error.downcast_ref()) {
        (Some(kube::Error::Api(answer)), _) | (_, Some(watcher::Error::WatchError(answer))) => Some(answer),
        _ => error.source().and_then(answered),
    }
}

/// The status code that an API server answered with; `None` when it did not answer.
pub fn code(error: &(dyn std::error::Error + 'static)) -> Option<u16> {
    answered(error).map(|answer| answer.code)
}

/// An error in one line for people: what the API server said, else the innermost cause, which is the one that can be acted on.
pub fn said(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(answer) = answered(error) {
        if answer.is_failure() && answer.reason != MADE_BY_KUBE && !answer.message.is_empty() {
            return line(&answer.message, SENTENCE);
        }
        return match answer.code {
            code @ 100..=599 => format!("HTTP {code}, and the answer is no Kubernetes status"),
            _ => "the answer is no Kubernetes status".to_owned(),
        };
    }
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    // Its own text quotes what it could not read.
    if cause.is::<serde_json::Error>() {
        return "the answer is not the Kubernetes object that was asked for".to_owned();
    }
    if cause.downcast_ref::<hyper::Error>().is_some_and(|it| it.is_incomplete_message() || it.is_closed()) {
        return "the connection was closed before the answer was complete".to_owned();
    }
    let timed_out = |it: &std::io::Error| it.kind() == std::io::ErrorKind::TimedOut;
    if cause.downcast_ref().is_some_and(timed_out) {
        return "nothing answers in time: check that the cluster runs, and the network to it".to_owned();
    }
    let text = cause.to_string();
    // What h2 says when its connection was given up, or fell; its error has no kind for it.
    if text == "stream closed because of a broken pipe" {
        return "the connection was lost".to_owned();
    }
    // The number is the operating system's, and of no use to anybody who reads this.
    let words = text.split(" (os error ").next().unwrap_or_default();
    line(words, SENTENCE)
}

/// How [`explain`] begins where the cluster answers, and not to that.
const UNSERVED: &str = "the cluster does not have what was asked for";

/// Whether a sentence of [`explain`] says that the cluster does not serve what was asked for.
pub(super) fn is_unserved(why: &str) -> bool {
    why.starts_with(UNSERVED)
}

/// Why a cluster cannot be used, in words of ours alone. `asked` is what the credentials have to allow, such as "list Pods".
pub fn explain(error: &(dyn std::error::Error + 'static), asked: &str) -> String {
    match code(error) {
        None => said(error),
        Some(401) => "the cluster does not accept the credentials".to_owned(),
        Some(403) => format!("the credentials lack a right there: {asked}"),
        Some(404) => format!("{UNSERVED}: {asked}"),
        Some(410) => "the cluster does not remember enough to continue a watch, which begins anew".to_owned(),
        Some(429) => "the cluster is too busy (HTTP 429)".to_owned(),
        Some(code @ 500..=599) => format!("the cluster has a fault of its own (HTTP {code})"),
        Some(code @ 100..=599) => format!("the cluster answers with HTTP {code}"),
        Some(_) => {
            "what answers there is no Kubernetes API server, or a broken one: check the address in its kubeconfig"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    fn status(code: u16, message: &str, reason: &str) -> Box<Status> {
        Status::failure(message, reason).with_code(code).boxed()
    }

    fn unread() -> kube::Error {
        kube::Error::SerdeError(serde_json::from_str::<u16>("\"canary\"").unwrap_err())
    }

    #[test]
    fn an_error_is_said_in_the_words_of_whoever_knows() {
        let api = watcher::Error::InitialListFailed(kube::Error::Api(status(403, "pods is forbidden", "Forbidden")));
        assert_eq!((said(&api).as_str(), code(&api)), ("pods is forbidden", Some(403)));
        let expired = watcher::Error::WatchError(status(410, "too old", "Expired"));
        assert_eq!((said(&expired).as_str(), code(&expired)), ("too old", Some(410)));
        let network = kube::Error::Service(Box::new(std::io::Error::other("connection refused")));
        assert_eq!((said(&network).as_str(), code(&network)), ("connection refused", None));
        let refused = kube::Error::Service(Box::new(std::io::Error::from_raw_os_error(111)));
        assert_eq!(said(&refused), "Connection refused", "without the number");
    }

    #[test]
    fn t5_atk12_what_is_no_kubernetes_status_is_never_shown() {
        let other =
            |text: &str| kube::Error::Api(Box::new(serde_json::from_str(text).expect("kube takes it for a Status")));
        let none = |code: u16| format!("HTTP {code}, and the answer is no Kubernetes status");
        #[rustfmt::skip]
        let cases = [
            ("a page of a proxy",     kube::Error::Api(status(502, "<html>canary", MADE_BY_KUBE)),        none(502)),
            ("JSON of something else", other(r#"{"message": "canary", "code": 403}"#),                    none(403)),
            ("JSON without a code",   other(r#"{"message": "canary"}"#), "the answer is no Kubernetes status".to_owned()),
            ("a success",             other(r#"{"status": "Success", "message": "canary", "code": 500}"#), none(500)),
            ("nothing said",          kube::Error::Api(status(500, "", "InternalError")),                 none(500)),
            ("not what was asked for", unread(), "the answer is not the Kubernetes object that was asked for".to_owned()),
            ("a sentence",            kube::Error::Api(status(403, "exceeded\u{1b}[2J\u{202e} quota", "Forbidden")), "exceeded[2J quota".to_owned()),
            ("a long one",            kube::Error::Api(status(403, &"é".repeat(9000), "Forbidden")),      "é".repeat(256)),
        ];
        every_row(cases, |(name, error, want)| {
            assert_eq!(said(&error), want, "{name}");
        });
    }

    #[test]
    fn t5_atk12_of_a_connection_nothing_is_told_in_the_words_of_the_cluster() {
        #[rustfmt::skip]
        let cases = [
            (401, "the cluster does not accept the credentials"),
            (403, "the credentials lack a right there: list Pods"),
            (404, "the cluster does not have what was asked for: list Pods"),
            (410, "the cluster does not remember enough to continue a watch, which begins anew"),
            (429, "the cluster is too busy (HTTP 429)"),
            (500, "the cluster has a fault of its own (HTTP 500)"),
            (503, "the cluster has a fault of its own (HTTP 503)"),
            (418, "the cluster answers with HTTP 418"),
            (0,   "what answers there is no Kubernetes API server, or a broken one: check the address in its kubeconfig"),
            (999, "what answers there is no Kubernetes API server, or a broken one: check the address in its kubeconfig"),
        ];
        every_row(cases, |(code, want)| {
            let api = || kube::Error::Api(status(code, "canary", "canary"));
            assert_eq!(explain(&api(), "list Pods"), want);
            assert_eq!(explain(&watcher::Error::WatchFailed(api()), "list Pods"), want);
            assert_eq!(is_unserved(want), code == 404, "R17");
        });
        assert_eq!(explain(&unread(), "list Pods"), "the answer is not the Kubernetes object that was asked for");
    }
}
