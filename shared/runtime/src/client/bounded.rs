//! The layer that holds every answer to [`Bounds`], above all that kube's own client does. I/O: passes requests on.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use futures::future::{self, BoxFuture};
use kube::client::ClientBuilder;
use kube::{Client, Config, client};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::Service;
use tower::layer::layer_fn;

use super::answer::{Content, Lines, Whole};
use super::bounds::{Bounds, Deadline};
use super::lists::Lists;

/// kube's client of a configuration, with bounds.
pub(super) fn client(config: Config, bounds: Bounds) -> kube::Result<Client> {
    let layer = layer_fn(|inner| Bounded::new(inner, bounds));
    Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build())
}

pub(super) struct Bounded<S> {
    inner: S,
    bounds: Bounds,
    lists: Arc<Lists>,
    turns: Arc<Semaphore>,
}

impl<S> Bounded<S> {
    pub(super) fn new(inner: S, bounds: Bounds) -> Self {
        Self { inner, bounds, lists: Arc::default(), turns: Arc::new(Semaphore::new(1)) }
    }
}

impl<S, B> Service<Request<client::Body>> for Bounded<S>
where
    S: Service<Request<client::Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<client::Body>) -> Self::Future {
        let (bounds, turns, began) = (self.bounds, self.turns.clone(), Instant::now());
        let watched = is_watch(request.uri());
        let page = match self.lists.ask(request.uri_mut(), &bounds, began) {
            Ok(page) => page,
            Err(why) => return Box::pin(future::ready(Err(why.into()))),
        };
        let deadline = if watched {
            Deadline::of(began, bounds.begin, "no answer")
        } else {
            let own = Deadline::of(began, bounds.complete, "the answer was not complete");
            own.or(page.as_ref().map(|page| page.deadline.clone()))
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let (head, body) = deadline.wait(answer).await?.map_err(Into::into)?.into_parts();
            if let Some(why) = refused(head.status, &head.headers) {
                return Err(why.into());
            }
            let chunks = Body::new(body).into_data_stream();
            let body = if watched && head.status.is_success() {
                Lines { chunks, most: bounds.line, line: 0, not_over_before: began + bounds.shortest }.into_body()
            } else {
                Whole { chunks, bounds, deadline, page, content: Content::default(), turns, turn: None }.into_body()
            };
            Ok(Response::from_parts(head, body))
        })
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
