//! The platform baseline on real clusters: what an administrator asks for on the KubevirtConfig, what is written on the cluster
//! under the chart's own rights, and what that costs, counted from audit logs.

mod compared;
mod definitions;
mod dependencies;
mod hardware;
mod kept;
mod objects;
mod older;
mod operators;
mod others;
mod rendered;
mod requests;
mod site;
mod turns;
mod war;
mod words;

use tests::fleet::{Blueprint, Fleet};
use tests::process::Processes;
use tokio::sync::OnceCell;

/// A failure is kept, too: it would cost every test the same minute again.
static FLEET: OnceCell<Result<Fleet, String>> = OnceCell::const_new();

/// Three clusters for a story each: `east` with HyperConverged, `west` with KubeVirt and operators, `north` with KubeVirt and
/// older operators. Their nodes do not wait for each other.
async fn shared() -> &'static Fleet {
    let up = FLEET.get_or_init(async || {
        let nine = [("PLATFORM_DISRUPTED_CLUSTERS", "9")];
        up(&["east", "west", "north"], &nine).await.map_err(|error| error.to_string())
    });
    up.await.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// A fleet whose clusters give the rights that a baseline takes.
async fn up(remotes: &[&str], env: &[(&str, &str)]) -> tests::Result<Fleet> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let remote_set = vec!["platform.enabled=true".to_owned()];
    Fleet::up(Processes::kept()?, Blueprint { env, remote_set, ..Blueprint::of(remotes) }).await
}
