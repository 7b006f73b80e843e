//! `/debug`, for people who look into this process from inside its pod: what it knows and would do. I/O: serves the pages;
//! asks nobody and changes nothing. D10, D18, D19, D20, X20.

mod exclusions;
mod health;
mod hidden;
mod render;

use std::io;
use std::sync::Arc;

use runtime::admin::{Page, pages};
use runtime::bind::Bind;

use crate::context::{AtWork, Known};
use crate::lead::Lead;
use crate::orphans::Orphans;

/// What is served.
const INDEX: &str = "\
/debug/health                        who leads, clusters, watches, passes
/debug/render                        every Machine, and what a pass would do with it now
/debug/render/{namespace}/{machine}  the same of one, with all that would be written
/debug/exclusions                    what is left alone, and why
/debug/orphans                       what is on a cluster and has no Machine
";

/// Serves the pages. Before this process leads, they only say who does.
pub(crate) async fn serve(bind: Bind, lead: Lead, at_work: AtWork) -> io::Result<()> {
    let of_known = |say: fn(&Known) -> String| -> Page {
        let (lead, at_work) = (lead.clone(), at_work.clone());
        Arc::new(move |_| Some(at_work.get().map_or_else(|| idle(&lead), say)))
    };
    let of_one: Page = {
        let (lead, at_work) = (lead.clone(), at_work.clone());
        Arc::new(move |names| match at_work.get() {
            Some(known) => render::one(known, names.first()?, names.get(1)?),
            None => Some(idle(&lead)),
        })
    };
    let health: Page = {
        let (lead, at_work) = (lead.clone(), at_work.clone());
        Arc::new(move |_| Some(health::page(&lead, at_work.get())))
    };
    let all = vec![
        ("/debug", Arc::new(|_: &[String]| Some(INDEX.to_owned())) as Page),
        ("/debug/health", health),
        ("/debug/render", of_known(render::all)),
        ("/debug/render/{namespace}/{machine}", of_one),
        ("/debug/exclusions", of_known(exclusions::page)),
        ("/debug/orphans", of_known(|known| Orphans::of(&known.ctx).said())),
    ];
    pages(bind, all).await.map(drop)
}

fn idle(lead: &Lead) -> String {
    format!("nothing to show, this process does not work (yet). The Lease is {}\n", lead.said())
}
