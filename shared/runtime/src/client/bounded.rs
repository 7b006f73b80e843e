//! The layer that holds every answer to [`Bounds`], above all that kube's own client does. I/O: passes requests on.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use futures::future::{self, BoxFuture};
use kube::client::ClientBuilder;
use kube::{Client, Config, client};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::Service;
use tower::layer::layer_fn;

use super::answer::{Content, Excess, Lines, Whole};
use super::bounds::{Bounds, Deadline};
use super::connection::{self, Signs};
use super::fence::{Fence, MayWrite};
use super::lists::{Lists, Page};
use super::patience::Patience;

/// kube's client of a configuration, with bounds.
pub(super) fn client(config: Config, bounds: Bounds) -> kube::Result<Client> {
    let layer = layer_fn(|inner| Bounded::new(inner, bounds));
    Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build())
}

/// The same with one connection for all that is asked at a time.
pub(super) fn on_one_connection(config: Config, bounds: Bounds, may_write: MayWrite) -> kube::Result<Client> {
    let inner = Bounded::new(connection::one(&config, Signs::default())?, bounds);
    // Not by `fenced`: what kube puts before each client takes as much memory as a fifth of a connection.
    Ok(ClientBuilder::new(Fence { inner, may_write }, config.default_namespace).build())
}

pub(super) struct Bounded<S>(Arc<Inner<S>>);

struct Inner<S> {
    /// Locked for moments only, never across an await.
    inner: Mutex<S>,
    bounds: Bounds,
    lists: Arc<Lists>,
    turns: Arc<Semaphore>,
    patience: Patience,
}

impl<S> Bounded<S> {
    pub(super) fn new(inner: S, bounds: Bounds) -> Self {
        let turns = Arc::new(Semaphore::new(1));
        Self(Arc::new(Inner {
            inner: Mutex::new(inner),
            bounds,
            lists: Arc::default(),
            turns,
            patience: Patience::default(),
        }))
    }
}

impl<S, B> Service<Request<client::Body>> for Bounded<S>
where
    S: Service<Request<client::Body>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each request waits for that itself: one for a page may be sent several times.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<client::Body>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { inner.ask(request).await })
    }
}

impl<S, B> Inner<S>
where
    S: Service<Request<client::Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Asks for a page again, and for less, as long as it does not fit into an answer: a few large objects must not hide all
    /// others.
    async fn ask(&self, request: Request<client::Body>) -> Result<Response<Body>, BoxError> {
        let (mut head, body) = request.into_parts();
        let (watched, asked) = (is_watch(&head.uri), head.uri.clone());
        // Only pages are asked for again, and their requests have no body.
        let (mut body, mut most) = (Some(body), usize::MAX);
        loop {
            let began = Instant::now();
            head.uri.clone_from(&asked);
            let page = self.lists.ask(&mut head.uri, &self.bounds, began, most)?;
            let deadline = self.deadline(watched, page.as_ref(), began);
            let (answer, body) = deadline.wait(self.send_in_turn(&head, &mut body, began)).await??.into_parts();
            if let Some(why) = refused(answer.status, &answer.headers) {
                return Err(why.into());
            }
            let chunks = body.into_data_stream();
            if watched && answer.status.is_success() {
                let not_over_before = began + self.bounds.shortest;
                let lines = Lines { chunks, most: self.bounds.line, line: 0, not_over_before };
                return Ok(Response::from_parts(answer, lines.into_body()));
            }
            let values =
                page.as_ref().filter(|page| page.size > 1).map_or(self.bounds.values_of_one, |_| self.bounds.values);
            let bounds = Bounds { values, ..self.bounds };
            let whole =
                Whole { chunks, bounds, deadline, content: Content::default(), turns: self.turns.clone(), turn: None };
            let Some(page) = page.filter(|_| answer.status.is_success()) else {
                return Ok(Response::from_parts(answer, whole.into_body()));
            };
            match whole.read().await {
                Ok(body) => {
                    page.fitted();
                    return Ok(Response::from_parts(answer, body));
                }
                Err(why) if page.size > 1 && why.is::<Excess>() => most = page.size / 10,
                Err(why) => return Err(why),
            }
        }
    }

    fn deadline(&self, watched: bool, page: Option<&Page>, began: Instant) -> Deadline {
        if watched {
            return Deadline::of(began, self.bounds.begin, "no answer");
        }
        let own = Deadline::of(began, self.bounds.complete, "the answer was not complete");
        own.or(page.map(|page| page.deadline.clone()))
    }

    /// Sends a request when the server has the patience for it (R20). What only reads waits for that and is sent again, as long as
    /// it takes a moment: a watch that had to begin anew would cost the server more.
    async fn send_in_turn(
        &self,
        head: &Parts,
        body: &mut Option<client::Body>,
        began: Instant,
    ) -> Result<Response<Body>, BoxError> {
        // Who leads may not depend on how busy the rest of us keeps the server.
        if head.uri.path().starts_with("/apis/coordination.k8s.io/") {
            return Ok(self.send(head, body).await?.map(Body::new));
        }
        loop {
            let turn = match self.patience.turn(began + self.bounds.patience).await {
                Ok(turn) => turn,
                Err(too_busy) => return Ok(too_busy),
            };
            MayWrite::check(&head.extensions)?;
            let answer = self.send(head, body).await?;
            let asked = self.patience.hear(answer.status(), answer.headers(), &turn);
            if !asked || head.method != Method::GET {
                return Ok(answer.map(Body::new));
            }
        }
    }

    /// Sends the body, if there is one left. The request is put together at the last moment: whoever waits keeps none of it twice.
    async fn send(&self, head: &Parts, body: &mut Option<client::Body>) -> Result<Response<B>, BoxError> {
        let sent = future::poll_fn(|context| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            std::task::ready!(inner.poll_ready(context))?;
            let body = body.take().unwrap_or_else(client::Body::empty);
            Poll::Ready(Ok::<_, S::Error>(inner.call(Request::from_parts(head.clone(), body))))
        });
        sent.await.map_err(Into::into)?.await.map_err(Into::into)
    }
}

fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|it| matches!(it, "watch=true" | "watch=1")))
}

/// Why an answer is not read at all. kube's client follows no redirect, and would take the body for the answer.
fn refused(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    if status.is_redirection() {
        return Some(format!("the answer is a redirect ({}), which is not followed", status.as_u16()));
    }
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    (!plain).then(|| "the answer is compressed, which was not asked for".to_owned())
}

#[cfg(test)]
#[path = "bounded_tests.rs"]
mod tests;
