//! The two plain-HTTP endpoints: `/metrics`, and `/healthz` with `/readyz`. I/O: listens and answers, asks nobody.
//!
//! They run until the process ends, also through a shutdown, so that a draining pod is still observed.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, RawQuery};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use model::text::is_hidden;
use prometheus_client::registry::Registry;

use crate::bind::Bind;
use crate::ready::Ready;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is asked of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The parameters of its path, in their order.
    pub names: Vec<String>,
    /// What stands behind the `?`, as it is written there: by key, the value or nothing.
    pub query: BTreeMap<String, String>,
}

/// The text of a page, made anew for each request; none: there is no such page.
pub type Page = Arc<dyn Fn(&Asked) -> Option<String> + Send + Sync>;

/// Serves `/metrics` from now on. Returns the address, or none if it is turned off; the error names the address.
pub async fn metrics(bind: Bind, registry: Arc<Registry>) -> io::Result<Option<SocketAddr>> {
    serve(bind, Router::new().route("/metrics", get(async move || encode(&registry)))).await
}

/// Serves `/healthz` (200, or 500 once only a new process can become ready) and `/readyz` (200, or 500 while something is not
/// ready). Both say what it is, one per line.
pub async fn health(bind: Bind, ready: Ready) -> io::Result<Option<SocketAddr>> {
    let alive = ready.clone();
    let routes = Router::new()
        .route("/healthz", get(async move || unless("ended: ", &alive.gone())))
        .route("/readyz", get(async move || unless("not ready: ", &ready.not_ready())));
    serve(bind, routes).await
}

/// Serves what `pages` says of each path, such as `/a/{name}`, as plain text in which nothing is hidden.
pub async fn pages(bind: Bind, pages: Vec<(&'static str, Page)>) -> io::Result<Option<SocketAddr>> {
    let route = |routes: Router, (path, page): (&'static str, Page)| {
        let asked = async move |names: RawPathParams, query: RawQuery| shown(page, asked(&names, query)).await;
        routes.route(path, get(asked))
    };
    serve(bind, pages.into_iter().fold(Router::new(), route)).await
}

fn asked(names: &RawPathParams, RawQuery(query): RawQuery) -> Asked {
    let pairs = query.iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        pair.split_once('=').map_or((pair.to_owned(), String::new()), |(key, value)| (key.to_owned(), value.to_owned()))
    };
    Asked { names: names.iter().map(|(_, value)| value.to_owned()).collect(), query: pairs.map(pair).collect() }
}

/// A page may take a while, and keeps nobody waiting but who asked for it.
async fn shown(page: Page, asked: Asked) -> Response {
    match tokio::task::spawn_blocking(move || page(&asked)).await {
        Ok(Some(text)) => ([(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], unhide(&text)).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made: see the log\n").into_response(),
    }
}

/// What others wrote commands no terminal and reorders nothing (T22).
fn unhide(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && c != '\n' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

async fn serve(bind: Bind, routes: Router) -> io::Result<Option<SocketAddr>> {
    let Some(listener) = bind.listen().await? else { return Ok(None) };
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(Some(address))
}

fn encode(registry: &Registry) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// 200, or 500 with these names.
fn unless(what: &str, names: &[&str]) -> Response {
    if names.is_empty() {
        return "ok\n".into_response();
    }
    let lines: String = names.iter().flat_map(|name| [what, name, "\n"]).collect();
    (StatusCode::INTERNAL_SERVER_ERROR, lines).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use prometheus_client::metrics::counter::Counter;

    use super::*;

    const HERE: Bind = Bind::At(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0));

    async fn fetch(address: SocketAddr, path: &'static str) -> String {
        let request = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        tokio::task::spawn_blocking(request).await.unwrap()
    }

    #[tokio::test]
    async fn c32_c44_the_probes_name_what_is_missing_and_what_ended() {
        let ready = Ready::new();
        let (certificate, watches) = (ready.latch("serving certificate"), ready.latch("watches"));
        let address = health(HERE, ready).await.unwrap().unwrap();
        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let answer = fetch(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nnot ready: serving certificate\nnot ready: watches\n"), "{answer}");
        certificate.open();
        watches.open();
        assert!(fetch(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        drop(watches);
        let answer = fetch(address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 500") && answer.ends_with("\r\n\r\nended: watches\n"), "{answer}");
    }

    #[tokio::test]
    async fn t22_pages_take_parameters_and_hide_nothing() {
        let hello: Page = Arc::new(|asked| {
            let names = &asked.names;
            (names[1] != "nobody")
                .then(|| format!("{}:\n{}\n{}", names[0], names[1], asked.query.values().cloned().collect::<String>()))
        });
        let broken: Page = Arc::new(|_| panic!("a page that fails"));
        let one: Page = Arc::new(|asked| Some(asked.names.concat()));
        let all = vec![("/hello/{only}", one), ("/hello/{a}/{b}", hello), ("/broken", broken)];
        let address = pages(HERE, all).await.unwrap().unwrap();
        assert!(fetch(address, "/hello/me").await.ends_with("\r\n\r\nme"), "a path of fewer parts is another page");
        let answer = fetch(address, "/hello/a%2Fb/c%1B%5B2J%E2%80%AE").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("text/plain"), "{answer}");
        assert!(answer.ends_with("\r\n\r\na/b:\nc\\u{1b}[2J\\u{202e}\n"), "{answer}");
        let answer = fetch(address, "/hello/a/b?z=2&a=1&b&&c=x=y").await;
        assert!(answer.ends_with("\r\n\r\na:\nb\n1x=y2"), "by key: {answer}");
        let answer = fetch(address, "/hello/a/nobody").await;
        assert!(answer.starts_with("HTTP/1.1 404") && answer.ends_with("there is no such page\n"), "{answer}");
        assert!(fetch(address, "/broken").await.starts_with("HTTP/1.1 500"));
        assert!(fetch(address, "/hello/a/b").await.starts_with("HTTP/1.1 200"), "and the others go on");
    }

    #[tokio::test]
    async fn c45_metrics_are_open_metrics() {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        registry.register("admitted", "Admitted Machines", counter.clone());
        counter.inc_by(3);
        let address = metrics(HERE, Arc::new(registry)).await.unwrap().unwrap();
        let answer = fetch(address, "/metrics").await;
        assert!(answer.contains(OPEN_METRICS) && answer.contains("admitted_total 3\n# EOF\n"), "{answer}");
        assert_eq!(metrics(Bind::Off, Arc::default()).await.unwrap(), None);
    }
}
