//! Templates: MachineClasses, and the sizes that are built in. I/O: requests, through `upstream`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::json;
use crate::api::machine::Template;
use crate::api::page::Page;
use crate::context::Gateway;
use crate::problem::Problem;
use crate::request::head_of;
use crate::translate::template::{built_in, show};
use crate::{kinds, paging};

/// All of them.
pub const ALL: &str = "/api/fulfillment/v1/virtual_machine_templates";

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists templates, with the parameters that may stand beside each.
#[utoipa::path(
    get, path = ALL, operation_id = "list_virtual_machine_templates", tag = "virtual_machines", security(("token" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "Most MachineClasses of a page, 1 to 500. Default: 100"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
    ),
    responses((status = 200, body = Page<Template>), (status = "4XX", body = Problem, content_type = "application/problem+json"), (status = "5XX", body = Problem, content_type = "application/problem+json")),
)]
async fn list(State(gateway): State<Gateway>, request: Request) -> Result<Response, Problem> {
    let asked = head_of(&request, &gateway.tenancy, &["limit", "page_token"])?;
    let params = paging::asked(&asked)?;
    let found = gateway.upstream.ask(&asked.call, kinds::list(&kinds::ours("machineclasses", None), &params)).await;
    let found = found.map_err(|failed| failed.problem(false, &|_| None))?;
    let classes = paging::items(&found.body);
    // What is built in comes with the last page: by then, every class was seen that hides one.
    let mut page = paging::page(classes.iter().filter_map(show).collect(), &found.body, &params);
    if page.next_page_token.is_empty() && params.continue_token.is_none() {
        page.items.splice(0..0, built_in(classes));
    } else if page.next_page_token.is_empty() {
        page.items.extend(built_in(classes));
    }
    page.size = page.items.len();
    page.total = page.total.filter(|_| page.next_page_token.is_empty()).map(|_| page.size as u64);
    Ok(json(StatusCode::OK, &page))
}
