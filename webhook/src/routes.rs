//! HTTP around `answer`: two routes, a limit for the body, and an answer even to a panic. I/O: none of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::answer::{Answer, Route, answer};
use crate::metrics::Metrics;
use crate::world::Current;

/// Object and old object at the API server's limit, and some (DESIGN §5).
pub const BODY_LIMIT: usize = 7 << 20;
/// From the head of a request to its answer; the API server waits for 5 s.
const BUDGET: Duration = Duration::from_secs(3);

/// What the routes share.
#[derive(Clone)]
pub struct Shared {
    /// The newest World.
    pub world: Current,
    /// What is counted.
    pub metrics: Metrics,
}

/// The two routes.
pub fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/mutate/machines", post(async |state, body: Bytes| review(Route::Mutate, state, &body)))
        .route("/validate/machines", post(async |state, body: Bytes| review(Route::Validate, state, &body)))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, BUDGET))
        .layer(CatchPanicLayer::new())
        .with_state(Arc::new(shared))
}

fn review(route: Route, State(shared): State<Arc<Shared>>, body: &Bytes) -> Response {
    let started = Instant::now();
    let Answer { status, body, outcome, assigned } = answer(route, body, &shared.world.load());
    if let Some(it) = assigned {
        tracing::info!(
            machine = it.machine,
            namespace = it.namespace,
            kubevirtConfig = it.cluster,
            source = it.source,
            "Automatically assigned KubevirtConfig to machine"
        );
    }
    let name = match route {
        Route::Mutate => "mutate",
        Route::Validate => "validate",
    };
    shared.metrics.answered(name, outcome, started.elapsed().as_secs_f64());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status == StatusCode::OK { "application/json" } else { "text/plain" };
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}
