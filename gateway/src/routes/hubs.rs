//! Hubs: KubevirtConfigs, each with its Secret. I/O: requests, through `upstream`.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use model::clusters::capability::{CLUSTERS, VIRTUAL_MACHINES};
use model::reason::Reason;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{created, json, object, replayed};
use crate::api::hub::{Change, Hub, Registration as Described};
use crate::api::page::Page;
use crate::context::Gateway;
use crate::objects::{Answered, Id, TRIES, joined, present, removed};
use crate::problem::{Mistake, Problem};
use crate::registration::{Kinds, Registration, Secret};
use crate::request::{Asked, head_of, whole_of};
use crate::translate::fields::set;
use crate::translate::form::is_label;
use crate::translate::hub::{Ask, contradiction, edit, may_exist, pointer, read, show};
use crate::upstream::Answer;
use crate::{kinds, paging};

/// All of them.
pub const ALL: &str = "/api/private/v1/hubs";
/// One of them.
pub const ONE: &str = "/api/private/v1/hubs/{id}";

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, change, remove))
}

fn name(id: Id) -> Result<String, Problem> {
    id.ok().map(|Path(id)| id).filter(|id| may_exist(id)).ok_or_else(|| Problem::absent("hub of that id"))
}

/// A hub, and a warning where what it is for is said twice and differently (X101).
fn warned(mut response: Response, answer: &Answer) -> Response {
    let told = contradiction(&answer.body).map(|says| format!("299 - \"{}\"", says.replace('"', "'")));
    let told = told.and_then(|told| HeaderValue::from_str(&told).ok());
    if let Some(told) = told {
        response.headers_mut().append(header::WARNING, told);
    }
    response
}

/// Lists hubs. A page may have fewer items than asked for where only some are asked for.
#[utoipa::path(
    get, path = ALL, operation_id = "list_hubs", tag = "hubs", security(("token" = [])),
    params(
        ("capability" = Option<String>, Query, description = "`virtualmachines` or `clusters`"),
        ("hub_type" = Option<String>, Query, description = "`cluster`, `vmaas` or `hybrid`"),
        ("limit" = Option<u32>, Query, description = "Most items of a page, 1 to 500. Default: 100"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
    ),
    responses((status = 200, body = Page<Hub>), (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")),
)]
async fn list(State(gateway): State<Gateway>, request: Request) -> Answered {
    let asked = head_of(&request, &gateway.tenancy, &["capability", "hub_type", "limit", "page_token"])?;
    let params = paging::asked(&asked)?;
    let (capability, hub_type) = (asked.parameter("capability"), asked.parameter("hub_type"));
    for (name, given, known) in [
        ("capability", capability, &[CLUSTERS, VIRTUAL_MACHINES][..]),
        ("hub_type", hub_type, &["cluster", "vmaas", "hybrid"][..]),
    ] {
        if given.is_some_and(|given| !known.contains(&given)) {
            let says = format!("must be one of {}", known.join(", "));
            return Err(Problem::mistakes(vec![Mistake::of(name, Reason::FieldNotSupported, says)]));
        }
    }
    let kind = Kinds::of(&gateway.configs_namespace).configs;
    let found = gateway.upstream.ask(&asked.call, kinds::list(&kind, &params)).await;
    let found = found.map_err(|failed| failed.problem(false, &|_| None))?;
    let wanted = |hub: &Hub| {
        capability.is_none_or(|wanted| hub.capabilities.iter().any(|it| it == wanted))
            && hub_type.is_none_or(|wanted| hub.hub_type == wanted)
    };
    let shown = paging::items(&found.body).iter().map(show).filter(wanted).collect();
    Ok(json(StatusCode::OK, &paging::page(shown, &found.body, &params)))
}

/// Registers a hub.
#[utoipa::path(
    post, path = ALL, operation_id = "create_hub", tag = "hubs", security(("token" = [])),
    params(
        ("dry_run" = Option<bool>, Query, description = "Judge all, and store nothing; so does `X-Dry-Run: true`"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once"),
    ),
    request_body = Described,
    responses(
        (status = 201, body = Hub, description = "It is registered"),
        (status = 200, body = Hub, description = "It would be, without `dry_run`"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn create(State(gateway): State<Gateway>, request: Request) -> Answered {
    let asked = whole_of(request, &gateway.tenancy, &["dry_run"], &gateway.memory).await?;
    let mut wrong = Vec::new();
    let ask = read(&asked.body, true, &mut wrong);
    let all = Kinds::of(&gateway.configs_namespace);
    let Some(document) = ask.kubeconfig.as_ref().filter(|_| wrong.is_empty()) else {
        return Err(all_mistakes(&gateway, &asked, &ask, &all, wrong).await);
    };
    let (location, hash) = (format!("{ALL}/{}", ask.id), asked.hash());
    let config = ask.config(&gateway.configs_namespace, hash.as_deref());
    let (id, name, namespace) = (ask.id.clone(), ask.secret_name(), gateway.configs_namespace.clone());
    let document = document.clone();
    let secret = move |uid: Option<&str>| document.secret(&name, &namespace, &id, uid);
    let upstream = gateway.upstream.clone();
    let tried = upstream.ask(&asked.call, kinds::create(&all.configs, &config, true)).await;
    let tried = match tried {
        Ok(tried) => tried,
        Err(failed) if failed.reason() == "AlreadyExists" && hash.is_some() => {
            let registration = Registration { upstream, call: asked.call, kinds: all, id: ask.id.clone() };
            let present = registration.again(secret, hash.as_deref(), &failed, asked.dry_run).await?;
            let shown = replayed(created(&show(&present.body), &present, &location, asked.dry_run));
            return Ok(warned(shown, &present));
        }
        Err(failed) => return Err(failed.problem(false, &pointer)),
    };
    let secret_tried = upstream.ask_about_secret(&asked.call, kinds::create(&all.secrets, &secret(None), true)).await;
    secret_tried.map_err(|failed| failed.problem(false, &|_| None))?;
    if asked.dry_run {
        return Ok(warned(created(&show(&tried.body), &tried, &location, true), &tried));
    }
    let registration = Registration { upstream, call: asked.call, kinds: all, id: ask.id.clone() };
    // Whoever hangs up in between leaves nothing half done behind.
    let made = tokio::spawn(async move { registration.make(&config, secret, hash.as_deref()).await });
    let (made, before) = made.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let shown = created(&show(&made.body), &made, &location, false);
    Ok(warned(if before { replayed(shown) } else { shown }, &made))
}

/// What is wrong with a request, and what the API server says of the rest of it.
async fn all_mistakes(gateway: &Gateway, asked: &Asked, ask: &Ask, all: &Kinds, wrong: Vec<Mistake>) -> Problem {
    let mut config = ask.config(&gateway.configs_namespace, None);
    if !is_label(&ask.id, 60) {
        set(&mut config, &["metadata", "name"], Some("unnamed".into()));
    }
    let tried = gateway.upstream.ask(&asked.call, kinds::create(&all.configs, &config, true)).await;
    joined(wrong, tried.err().map(|failed| failed.problem(false, &pointer)))
}

/// Shows a hub.
#[utoipa::path(
    get, path = ONE, operation_id = "get_hub", tag = "hubs", security(("token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Hub), (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")),
)]
async fn get(State(gateway): State<Gateway>, id: Id, request: Request) -> Answered {
    let asked = head_of(&request, &gateway.tenancy, &[])?;
    let kind = Kinds::of(&gateway.configs_namespace).configs;
    let found = gateway.upstream.ask(&asked.call, kinds::get(&kind, &name(id)?)).await;
    let found = found.map_err(|failed| failed.problem(false, &|_| None))?;
    Ok(object(StatusCode::OK, &show(&found.body), &found))
}

/// Changes a hub, by a JSON merge patch of what GET shows. A kubeconfig in it replaces the one of before.
#[utoipa::path(
    patch, path = ONE, operation_id = "change_hub", tag = "hubs", security(("token" = [])),
    params(
        ("id" = String, Path),
        ("dry_run" = Option<bool>, Query, description = "Judge all, and store nothing"),
        ("If-Match" = Option<String>, Header, description = "ETag of the state that is changed"),
    ),
    request_body = Change,
    responses((status = 200, body = Hub), (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")),
)]
async fn change(State(gateway): State<Gateway>, id: Id, request: Request) -> Answered {
    let asked = whole_of(request, &gateway.tenancy, &["dry_run"], &gateway.memory).await?;
    let (name, all) = (name(id)?, Kinds::of(&gateway.configs_namespace));
    let (upstream, precondition) = (&gateway.upstream, asked.precondition.is_some());
    let mut tries = 0;
    loop {
        tries += 1;
        let (before, uses) = present(&gateway, &asked, &all.configs, &name).await?;
        let mut wrong = Vec::new();
        let (mut changes, document) = edit(&before.body, &asked.body, &mut wrong);
        if !wrong.is_empty() {
            return Err(Problem::mistakes(wrong));
        }
        set(&mut changes, &["metadata", "resourceVersion"], Some(uses.into()));
        let mut replaces = None;
        if let Some(document) = &document {
            let secret = Secret::of(&before.body, &gateway.configs_namespace)?;
            let uid = secret.replace(upstream, &asked.call, document, (None, true)).await?;
            replaces = Some((secret, uid, document));
        }
        match upstream.ask(&asked.call, kinds::patch(&all.configs, &name, &changes, asked.dry_run)).await {
            Ok(answer) => {
                if let Some((secret, uid, document)) = replaces.filter(|_| !asked.dry_run) {
                    let replaced = secret.replace(upstream, &asked.call, document, (uid.as_deref(), false)).await;
                    replaced.map_err(|mut problem| {
                        problem.detail.push_str("; whatever else was asked for is changed, and the kubeconfig is not");
                        problem
                    })?;
                }
                return Ok(warned(object(StatusCode::OK, &show(&answer.body), &answer), &answer));
            }
            Err(failed) if failed.reason() == "Conflict" && !precondition && tries < TRIES => {}
            Err(failed) => return Err(failed.problem(precondition, &pointer)),
        }
    }
}

/// Deletes a hub. While virtual machines are on it, it stays and takes no new ones.
#[utoipa::path(
    delete, path = ONE, operation_id = "delete_hub", tag = "hubs", security(("token" = [])),
    params(
        ("id" = String, Path),
        ("dry_run" = Option<bool>, Query, description = "Delete nothing"),
        ("If-Match" = Option<String>, Header, description = "ETag of the state that is deleted"),
    ),
    responses(
        (status = 202, body = Hub, description = "It goes when no virtual machine is left on it, and its Secret with it"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn remove(State(gateway): State<Gateway>, id: Id, request: Request) -> Answered {
    let asked = head_of(&request, &gateway.tenancy, &["dry_run"])?;
    let kind = Kinds::of(&gateway.configs_namespace).configs;
    removed(&gateway, &asked, &kind, &name(id)?, show).await
}
