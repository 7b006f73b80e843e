//! The routes, and what all of them have in common. I/O: log lines; requests, through `upstream`.

pub mod hubs;
pub mod machines;
pub mod templates;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::context::{Gateway, random};
use crate::problem::Problem;
use crate::request::Id;

/// Where the document of the API is.
const DOCUMENT: &str = "/openapi.json";
/// So much of a path is logged.
const PATH: usize = 256;
/// The id of a request, in its head and in that of its answer.
const ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hubs and virtual machines",
        description = "Every call is a Kubernetes request with the caller's own bearer token: what it may do is what kubectl may do with that token.",
    ),
    modifiers(&Bearer),
)]
struct Document;

/// Who calls says so by a token.
struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", token);
    }
}

fn described() -> OpenApiRouter<Gateway> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(hubs::routes())
        .merge(machines::routes())
        .merge(templates::routes())
}

/// The document of the API, as `/openapi.json` has it.
///
/// # Panics
///
/// Never: it is plain data.
pub fn document() -> String {
    let document = described().into_openapi();
    document.to_pretty_json().expect("invariant: the document is plain data") + "\n"
}

/// All routes.
pub fn routes(gateway: Gateway) -> Router {
    let text: Arc<str> = document().into();
    let document = get(async move || ([(header::CONTENT_TYPE, "application/json")], text.to_string()));
    let (routes, _) = described().split_for_parts();
    let routes = routes.route(DOCUMENT, document).fallback(async || Problem::absent("such path"));
    routes.layer(CatchPanicLayer::new()).layer(from_fn_with_state(gateway.clone(), watched)).with_state(gateway)
}

/// Gives a request its id, its answer a form, and tells of both.
async fn watched(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let given = request.headers().get(ID).and_then(|it| it.to_str().ok()).filter(|it| is_id(it)).map(str::to_owned);
    let id = given.unwrap_or_else(|| format!("{:016x}", random()));
    request.extensions_mut().insert(Id(id.clone()));
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| label(path.as_str()));
    let (method, path) = (word(request.method()), request.uri().path().chars().take(PATH).collect::<String>());
    let mut response = dressed(next.run(request).await);
    response.headers_mut().extend(HeaderValue::from_str(&id).map(|id| (ID, id)));
    let (code, seconds) = (response.status().as_u16(), began.elapsed().as_secs_f64());
    gateway.metrics.answered(route, method, code, seconds);
    match (code, method) {
        (500.., _) => tracing::warn!(requestId = id, method, path, code, seconds, "answered a request"),
        // Whoever has no token shall not fill the log.
        (401 | 404, _) | (_, "GET") => {
            tracing::debug!(requestId = id, method, path, code, seconds, "answered a request");
        }
        _ => tracing::info!(requestId = id, method, path, code, seconds, "answered a request"),
    }
    response
}

/// What axum and hyper refuse by themselves gets the form of all other refusals.
fn dressed(response: Response) -> Response {
    let status = response.status();
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|it| it == "application/problem+json");
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (head, _) = response.into_parts();
    let title = status.canonical_reason().unwrap_or("Failed");
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => "the header Allow lists the methods of this path",
        StatusCode::INTERNAL_SERVER_ERROR => "the gateway failed: see its log",
        _ => title,
    };
    let mut dressed = Problem::new(status.as_u16(), title, detail).into_response();
    for name in [header::ALLOW, header::CONNECTION] {
        dressed.headers_mut().extend(head.headers.get(&name).cloned().map(|value| (name, value)));
    }
    dressed
}

fn is_id(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(known)
}

fn label(path: &str) -> &'static str {
    let known = [hubs::ALL, hubs::ONE, machines::ALL, machines::ONE, templates::ALL, DOCUMENT];
    known.into_iter().find(|known| *known == path).unwrap_or("none")
}

fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
