//! `/debug`, for people who look into this process from inside its pod: what it knows and would do. I/O: serves the pages;
//! asks nobody and changes nothing. D10, D18, D19, D20, X20.

mod exclusions;
mod health;
mod hidden;
mod render;

use std::io;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use runtime::admin::{Asked, Page, pages};
use runtime::bind::Bind;
use runtime::clusters::Cluster;

use crate::context::{AtWork, Known};
use crate::lead::Lead;
use crate::orphans::Orphans;
use crate::platform::debug::Baselines;
use crate::session::ClusterIndex;

/// What is served.
const INDEX: &str = "\
/debug/health                        who leads, clusters, watches, passes, platforms
/debug/render                        every Machine, and what a pass would do with it now; the platform of each cluster
/debug/render/{namespace}/{machine}  the same of one, with all that would be written
/debug/render?cluster=               the platform of one cluster, with its objects:
                                     &format=yaml|json|status &stage=effective|baseline &show-excluded=true &only-installed=true
/debug/render/{asset}                the same of one asset, or group of assets
/debug/exclusions                    what is left alone, and why
/debug/tombstones                    what is to go from the platforms, and whether it is gone
/debug/orphans                       what is on a cluster and has no Machine
";

/// Serves the pages. Before this process leads, they only say who does.
pub(crate) async fn serve(bind: Bind, lead: Lead, at_work: AtWork) -> io::Result<()> {
    let of_known = |say: fn(&Known, &Asked) -> Option<String>| -> Page {
        let (lead, at_work) = (lead.clone(), at_work.clone());
        Arc::new(move |asked| at_work.get().map_or_else(|| Some(idle(&lead)), |known| say(known, asked)))
    };
    let health: Page = {
        let (lead, at_work) = (lead.clone(), at_work.clone());
        Arc::new(move |_| {
            let known = at_work.get();
            let platforms = known.map(|known| baselines(known).health(Timestamp::now()));
            Some(health::page(&lead, known) + &platforms.unwrap_or_default())
        })
    };
    let all = vec![
        ("/debug", Arc::new(|_: &Asked| Some(INDEX.to_owned())) as Page),
        ("/debug/health", health),
        ("/debug/render", of_known(all_rendered)),
        (
            "/debug/render/{asset}",
            of_known(|known, asked| {
                baselines(known).assets(Some(asked.names.first()?), &asked.query, Timestamp::now())
            }),
        ),
        (
            "/debug/render/{namespace}/{machine}",
            of_known(|known, asked| render::one(known, asked.names.first()?, asked.names.get(1)?)),
        ),
        ("/debug/exclusions", of_known(|known, _| Some(left_alone(known)))),
        ("/debug/tombstones", of_known(|known, _| Some(baselines(known).tombstones(Timestamp::now())))),
        ("/debug/orphans", of_known(|known, _| Some(Orphans::of(&known.ctx).said()))),
    ];
    pages(bind, all).await.map(drop)
}

/// The platforms of the clusters as a pass would see them now.
fn baselines(known: &Known) -> Baselines<'_> {
    let platform = &*known.ctx.platform;
    let look = |cluster: &Arc<Cluster<ClusterIndex>>| {
        let (snapshot, memory) = cluster.index.platform.look(platform.supervisor())?;
        Some((cluster.name.clone(), snapshot, memory))
    };
    let clusters = known.ctx.clusters.load();
    let clusters = clusters.values().filter_map(|entry| look(entry.cluster.as_ref()?)).collect();
    Baselines { catalogue: platform.catalogue(), refused: platform.refused(), clusters }
}

/// Who asks for something of the platforms gets that alone, so that a program can read it.
fn all_rendered(known: &Known, asked: &Asked) -> Option<String> {
    let (platforms, now) = (baselines(known), Timestamp::now());
    if asked.query.is_empty() {
        return Some(render::all(known) + &platforms.tables(now));
    }
    platforms.assets(None, &asked.query, now)
}

fn left_alone(known: &Known) -> String {
    let all = exclusions::page(known) + &baselines(known).exclusions(Timestamp::now());
    if all.is_empty() { "nothing is left alone\n".to_owned() } else { all }
}

fn idle(lead: &Lead) -> String {
    format!("nothing to show, this process does not work (yet). The Lease is {}\n", lead.said())
}
