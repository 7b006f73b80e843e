//! Virtual machines: Machines in the namespace of their tenant. I/O: requests, through `upstream`.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use kube::core::Request as Kind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{created, json, object, replayed};
use crate::api::machine::{Change, Request as Described, VirtualMachine};
use crate::api::page::Page;
use crate::context::{Gateway, random};
use crate::objects::{Answered, Id, TRIES, again, joined, present, removed};
use crate::problem::{Mistake, Problem};
use crate::request::{Asked, ending, head_of, whole_of};
use crate::translate::fields::set;
use crate::translate::machine::{Ask, edit, may_exist, pointer, read, show};
use crate::{kinds, paging};

/// All of them.
pub const ALL: &str = "/api/fulfillment/v1/virtual_machines";
/// One of them.
pub const ONE: &str = "/api/fulfillment/v1/virtual_machines/{id}";

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, change, remove))
}

fn of(tenant: &str) -> Kind {
    kinds::ours("machines", Some(tenant))
}

fn name(id: Id) -> Result<String, Problem> {
    id.ok().map(|Path(id)| id).filter(|id| may_exist(id)).ok_or_else(|| Problem::absent("virtual machine of that id"))
}

fn tenant(asked: &Asked, body: Option<&str>) -> Result<String, Problem> {
    asked.call.caller.tenant(asked.parameter("tenant"), body).map_err(|wrong| Problem::mistakes(vec![wrong]))
}

/// Lists virtual machines.
#[utoipa::path(
    get, path = ALL, operation_id = "list_virtual_machines", tag = "virtual_machines", security(("token" = [])),
    params(
        ("tenant" = Option<String>, Query, description = "Namespace; `*`: of all. Default: the caller's own"),
        ("label_selector" = Option<String>, Query, description = "Labels that they have, as kubectl writes it"),
        ("limit" = Option<u32>, Query, description = "Most items of a page, 1 to 500. Default: 100"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
    ),
    responses((status = 200, body = Page<VirtualMachine>), (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")),
)]
async fn list(State(gateway): State<Gateway>, request: Request) -> Answered {
    let asked = head_of(&request, &gateway.tenancy, &["tenant", "label_selector", "limit", "page_token"])?;
    let kind = match asked.parameter("tenant") {
        Some("*") => kinds::ours("machines", None),
        _ => of(&tenant(&asked, None)?),
    };
    let mut params = paging::asked(&asked)?;
    params.label_selector = asked.parameter("label_selector").filter(|it| !it.is_empty()).map(str::to_owned);
    let found = gateway.upstream.ask(&asked.call, kinds::list(&kind, &params)).await;
    let found = found.map_err(|failed| failed.problem(false, &|_| None))?;
    let shown = paging::items(&found.body).iter().map(show).collect();
    Ok(json(StatusCode::OK, &paging::page(shown, &found.body, &params)))
}

/// Asks for a virtual machine.
#[utoipa::path(
    post, path = ALL, operation_id = "create_virtual_machine", tag = "virtual_machines", security(("token" = [])),
    params(
        ("tenant" = Option<String>, Query, description = "Namespace. Default: the caller's own"),
        ("dry_run" = Option<bool>, Query, description = "Decide all, the hub as well, and store nothing; so does `X-Dry-Run: true`"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once"),
    ),
    request_body = Described,
    responses(
        (status = 201, body = VirtualMachine, description = "It is asked for"),
        (status = 200, body = VirtualMachine, description = "It would be, without `dry_run`"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn create(State(gateway): State<Gateway>, request: Request) -> Answered {
    let asked = whole_of(request, &gateway.tenancy, &["tenant", "dry_run"], &gateway.memory).await?;
    let mut wrong = Vec::new();
    let ask = read(&asked.body, &mut wrong);
    let tenant = match asked.call.caller.tenant(asked.parameter("tenant"), ask.tenant.as_deref()) {
        Ok(tenant) => tenant,
        Err(mistake) => {
            wrong.push(mistake);
            return Err(Problem::mistakes(wrong));
        }
    };
    if !wrong.is_empty() {
        return Err(all_mistakes(&gateway, &asked, &ask, &tenant, wrong).await);
    }
    let (kind, hash) = (of(&tenant), asked.hash());
    let by_key = asked.name_by_key(&tenant).filter(|_| ask.id.is_none());
    let name = by_key.unwrap_or_else(|| ask.name(&ending(random())));
    let machine = ask.machine(&name, &tenant, hash.as_deref());
    let location = format!("{ALL}/{name}?tenant={tenant}");
    match gateway.upstream.ask(&asked.call, kinds::create(&kind, &machine, asked.dry_run)).await {
        Ok(answer) => Ok(created(&show(&answer.body), &answer, &location, asked.dry_run)),
        Err(failed) if failed.reason() == "AlreadyExists" && hash.is_some() => {
            let present = gateway.upstream.ask(&asked.call, kinds::get(&kind, &name)).await;
            let present = present.map_err(|_| failed.problem(false, &|_| None))?;
            again(&present.body, hash.as_deref(), &failed)?;
            Ok(replayed(created(&show(&present.body), &present, &location, asked.dry_run)))
        }
        Err(failed) => Err(failed.problem(false, &|field| pointer(field, &machine["spec"]))),
    }
}

/// What is wrong with a request, and what admission says of the rest of it. Who may not ask at all learns that.
async fn all_mistakes(gateway: &Gateway, asked: &Asked, ask: &Ask, tenant: &str, wrong: Vec<Mistake>) -> Problem {
    let name = ask.id.clone().filter(|id| may_exist(id)).unwrap_or_else(|| format!("vm-{}", ending(random())));
    let machine = ask.machine(&name, tenant, None);
    let tried = gateway.upstream.ask(&asked.call, kinds::create(&of(tenant), &machine, true)).await;
    let said = tried.err().map(|failed| failed.problem(false, &|field| pointer(field, &machine["spec"])));
    joined(wrong, said)
}

/// Shows a virtual machine.
#[utoipa::path(
    get, path = ONE, operation_id = "get_virtual_machine", tag = "virtual_machines", security(("token" = [])),
    params(("id" = String, Path), ("tenant" = Option<String>, Query, description = "Namespace. Default: the caller's own")),
    responses((status = 200, body = VirtualMachine), (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")),
)]
async fn get(State(gateway): State<Gateway>, id: Id, request: Request) -> Answered {
    let asked = head_of(&request, &gateway.tenancy, &["tenant"])?;
    let (name, tenant) = (name(id)?, tenant(&asked, None)?);
    let found = gateway.upstream.ask(&asked.call, kinds::get(&of(&tenant), &name)).await;
    let found = found.map_err(|failed| failed.problem(false, &|_| None))?;
    Ok(object(StatusCode::OK, &show(&found.body), &found))
}

/// Changes a virtual machine, by a JSON merge patch of what GET shows. What the API does not show stays.
#[utoipa::path(
    patch, path = ONE, operation_id = "change_virtual_machine", tag = "virtual_machines", security(("token" = [])),
    params(
        ("id" = String, Path),
        ("tenant" = Option<String>, Query, description = "Namespace. Default: the caller's own"),
        ("dry_run" = Option<bool>, Query, description = "Decide all, and store nothing"),
        ("If-Match" = Option<String>, Header, description = "ETag of the state that is changed"),
    ),
    request_body = Change,
    responses((status = 200, body = VirtualMachine), (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")),
)]
async fn change(State(gateway): State<Gateway>, id: Id, request: Request) -> Answered {
    let asked = whole_of(request, &gateway.tenancy, &["tenant", "dry_run"], &gateway.memory).await?;
    let (name, tenant) = (name(id)?, tenant(&asked, None)?);
    let (kind, precondition) = (of(&tenant), asked.precondition.is_some());
    let mut tries = 0;
    loop {
        tries += 1;
        let (before, uses) = present(&gateway, &asked, &kind, &name).await?;
        let mut wrong = Vec::new();
        let mut changes = edit(&before.body, &asked.body, &mut wrong);
        let mut after = before.body.clone();
        json_patch::merge(&mut after, &changes);
        let place = |field: &str| pointer(field, &after["spec"]);
        if !wrong.is_empty() {
            return Err(Problem::mistakes(wrong));
        }
        set(&mut changes, &["metadata", "resourceVersion"], Some(uses.into()));
        match gateway.upstream.ask(&asked.call, kinds::patch(&kind, &name, &changes, asked.dry_run)).await {
            Ok(answer) => return Ok(object(StatusCode::OK, &show(&answer.body), &answer)),
            Err(failed) if failed.reason() == "Conflict" && !precondition && tries < TRIES => {}
            Err(failed) => return Err(failed.problem(precondition, &place)),
        }
    }
}

/// Deletes a virtual machine.
#[utoipa::path(
    delete, path = ONE, operation_id = "delete_virtual_machine", tag = "virtual_machines", security(("token" = [])),
    params(
        ("id" = String, Path),
        ("tenant" = Option<String>, Query, description = "Namespace. Default: the caller's own"),
        ("dry_run" = Option<bool>, Query, description = "Delete nothing"),
        ("If-Match" = Option<String>, Header, description = "ETag of the state that is deleted"),
    ),
    responses(
        (status = 202, body = VirtualMachine, description = "It goes; it is there until nothing of it is left"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn remove(State(gateway): State<Gateway>, id: Id, request: Request) -> Answered {
    let asked = head_of(&request, &gateway.tenancy, &["tenant", "dry_run"])?;
    let (name, tenant) = (name(id)?, tenant(&asked, None)?);
    removed(&gateway, &asked, &of(&tenant), &name, show).await
}
