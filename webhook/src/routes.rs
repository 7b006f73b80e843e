//! HTTP around `answer`: two routes, bounds for bodies, and an answer even to a panic. I/O: live questions, through `ask`.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use admission::review::{Request as Review, decode, shortened};
use admission::{Answers, Verdict, decide};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use runtime::ready::Ready;
use runtime::serve::body::read;
use tower_http::catch_panic::CatchPanicLayer;

use crate::answer::{Answer, Route, decided, undecodable};
use crate::ask::{Asking, BUDGET};
use crate::body::{LIMIT, Memory, Peer};
use crate::metrics::Metrics;
use crate::world::Current;

/// What the routes share.
#[derive(Clone)]
pub struct Shared {
    /// The newest World.
    pub world: Current,
    /// Whom to ask what no watch knows.
    pub asking: Arc<Asking>,
    /// What is counted.
    pub metrics: Metrics,
    /// Memory for bodies and answers.
    pub memory: Memory,
    /// Whether every part of the World was listed: of less than that, nothing is decided.
    pub ready: Ready,
}

/// The two routes.
pub fn routes(shared: Shared) -> Router {
    let routes = Router::new()
        .route("/mutate/machines", post(async |state, request| review(Route::Mutate, state, request).await))
        .route("/validate/machines", post(async |state, request| review(Route::Validate, state, request).await));
    caught(routes.with_state(Arc::new(shared)))
}

/// A panic is the end of its request, answered with 500, and of nothing else.
pub(crate) fn caught(routes: Router) -> Router {
    routes.layer(CatchPanicLayer::new())
}

async fn review(route: Route, State(shared): State<Arc<Shared>>, request: Request) -> Response {
    // Who calls by URL asks no probe. An API server comes back, and perhaps to another replica.
    if !shared.ready.is_ready() {
        return unread(route, StatusCode::SERVICE_UNAVAILABLE, &shared.metrics);
    }
    let (head, body) = request.into_parts();
    // Whoever calls the routes without a listener is one address.
    let peer = head.extensions.get().copied().unwrap_or(Peer(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
    let held = match read(&head.headers, body, peer, &shared.memory, LIMIT).await {
        Ok(held) => held,
        Err(status) => return unread(route, status, &shared.metrics),
    };
    let started = Instant::now();
    // What was read ends before the body that it was read from.
    let mut answer = {
        let body = shortened(&held.bytes);
        match decode(&body) {
            Err(wrong) => undecodable(wrong, &shared.world.load_full()),
            Ok(review) => judge(route, &review.request, &shared).await,
        }
    };
    match held.answered(std::mem::take(&mut answer.body)) {
        Ok(body) => respond(route, answer, body, started, &shared),
        Err(status) => unread(route, status, &shared.metrics),
    }
}

/// Decides, and where something has to be asked first, again on the World of the moment of its answer: what came in while it
/// was asked counts. Whatever was not said in time stays unknown.
async fn judge(route: Route, request: &Review<'_>, shared: &Shared) -> Answer {
    let mut world = shared.world.load_full();
    let mut verdict = decide(request, &world);
    let mut known = Answers::default();
    if let Verdict::Ask(needs) = verdict {
        let asked = tokio::time::timeout(BUDGET, shared.asking.ask(needs, request)).await;
        known = asked.unwrap_or_default();
        world = Arc::new(shared.world.load_full().knowing(known.clone()));
        verdict = decide(request, &world);
    }
    loop {
        let mut answer = decided(route, request, verdict, &world);
        let Some((key, held)) = answer.holds.take() else { return answer };
        // To decide and to note it is one step: of two requests for one name or address, the second is decided anew (ATK10).
        let Err(newer) = shared.world.note(&key, held, &world) else { return answer };
        world = Arc::new(newer.knowing(known.clone()));
        verdict = decide(request, &world);
    }
}

fn respond(route: Route, answer: Answer, body: Bytes, started: Instant, shared: &Shared) -> Response {
    let Answer { status, outcome, assigned, .. } = answer;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(it) = assigned {
        let source = it.rule.name();
        shared.metrics.placed(source, seconds);
        if it.rule.is_automatic() {
            tracing::info!(
                machine = it.machine,
                namespace = it.namespace,
                kubevirtConfig = it.cluster,
                source,
                "Automatically assigned KubevirtConfig to machine"
            );
            let vm_id = format!("{}/{}", it.namespace, it.machine);
            tracing::info!(hub_id = it.cluster, vm_id, "Selected hub for VM request");
        }
    }
    shared.metrics.answered(route.name(), outcome, seconds);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status == StatusCode::OK { "application/json" } else { "text/plain" };
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}

/// The answer to a body that could not be read, or not yet. The connection ends with it: what is left of the body is not waited
/// for.
fn unread(route: Route, status: StatusCode, metrics: &Metrics) -> Response {
    let (outcome, again) = match status {
        StatusCode::TOO_MANY_REQUESTS => ("shed", true),
        StatusCode::SERVICE_UNAVAILABLE => ("not-ready", true),
        _ => ("unread", false),
    };
    metrics.unread(route.name(), outcome);
    let mut response = (status, [(header::CONNECTION, HeaderValue::from_static("close"))]).into_response();
    if again {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
