//! Looks at supervisor and clusters once, when the work begins, and says in the log what is as it should be (✅) and what is not
//! (⚠️): B14 to B19, B31. Nothing waits for it, and nothing ends by it. I/O: the OpenAPI document of our group on the supervisor;
//! the rest is what the connections know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use model::api::KubevirtConfig;
use model::checks::{Found, Remote, clusters, definitions};
use model::clusters::View;
use model::names::{ClusterName, GROUP, VERSION};
use runtime::clusters::{ClusterMap, DEADLINE, Scope, code, said};
use serde_json::Value;

use crate::session::ClusterIndex;

/// A cluster that has not answered until then is said not to have.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether all have.
const LOOK: Duration = Duration::from_millis(500);

/// Checks the kinds on the supervisor (B14, B17).
pub(crate) async fn check_definitions(client: Client) {
    match schemas(&client).await {
        Ok(schemas) => say(definitions(&schemas)),
        Err(why) => tracing::warn!(error = why, "⚠️ which CRDs the supervisor has could not be read"),
    }
}

async fn schemas(client: &Client) -> Result<Value, String> {
    let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = http::Request::get(path).body(Vec::new()).map_err(|why| why.to_string())?;
    match tokio::time::timeout(DEADLINE, client.request::<Value>(request)).await {
        Ok(Ok(mut document)) => Ok(document["components"]["schemas"].take()),
        Ok(Err(why)) if code(&why) == Some(404) => Ok(Value::Null),
        Ok(Err(why)) => Err(said(&why)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// Checks the KubevirtConfigs and their clusters, once all were asked or it took too long (B15, B16, B18, B31).
pub(crate) async fn check_clusters(scope: Scope, configs: Store<KubevirtConfig>, map: Arc<ClusterMap<ClusterIndex>>) {
    let place = match &scope {
        Scope::Namespaced(namespace) => format!("in namespace {namespace}"),
        Scope::Cluster => "in the cluster".to_owned(),
    };
    let began = Instant::now();
    let remotes = loop {
        let remotes = remotes(&configs, &map);
        if remotes.iter().all(is_known) || began.elapsed() >= PATIENCE {
            break remotes;
        }
        tokio::time::sleep(LOOK).await;
    };
    say(clusters(&place, &remotes));
}

fn remotes(configs: &Store<KubevirtConfig>, map: &ClusterMap<ClusterIndex>) -> Vec<Remote> {
    let entries = map.load();
    let mut names: Vec<_> = configs.state().iter().map(|config| ClusterName(config.name_any())).collect();
    names.sort_unstable();
    let remote = |name: ClusterName| {
        let entry = entries.get(&name);
        let cluster = entry.and_then(|entry| entry.cluster.as_ref());
        let learnt = cluster.map(|cluster| cluster.index.offer.known().learnt).unwrap_or_default();
        Remote { view: entry.map_or(View::Connecting, runtime::clusters::Entry::view), learnt, name }
    };
    names.into_iter().map(remote).collect()
}

/// Whether there will be nothing more to learn of it soon.
fn is_known(remote: &Remote) -> bool {
    match remote.view {
        View::Connecting => false,
        View::Unreachable(_) | View::Unserved(_) | View::Refused { .. } => true,
        View::Connected { .. } => remote.learnt.kubevirt.is_some() && remote.learnt.versions.is_some(),
    }
}

fn say(found: Vec<Found>) {
    for found in found {
        match found {
            Found::Well(what) => tracing::info!("✅ {what}"),
            Found::Wrong(what) => tracing::warn!("⚠️ {what}"),
        }
    }
}
