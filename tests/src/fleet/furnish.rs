//! What is installed on the planes of a fleet, and how they come to know each other. Everything is applied server-side, so
//! that doing it again changes nothing.

use std::fs;
use std::panic::resume_unwind;
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{
    CONFIGS_NAMESPACE, CONTROLLER_ACCOUNT, Component, Endpoint, Fleet, NAMESPACE, REMOTE_CONTROLLER_ACCOUNT,
    WEBHOOK_ACCOUNT,
};
use crate::error::{Result, io};
use crate::install::{self, Render, apply, chart};
use crate::pki::write_private;
use crate::plane::Plane;
use crate::{remote_crds, virt};

const INHABITED_WITHIN: Duration = Duration::from_secs(60);

/// KubeVirt's definitions, which may have to be downloaded.
pub(super) async fn remote_definitions() -> Result<String> {
    let made = tokio::task::spawn_blocking(remote_crds::manifests).await;
    Ok(made.unwrap_or_else(|error| resume_unwind(error.into_panic()))?)
}

/// How the chart is rendered for the supervisor.
pub(super) fn release(fleet: &Fleet, set: &[String]) -> Result<Render<'static>> {
    let url = format!("webhook.url=https://{}", fleet.address(Endpoint::Webhook)?);
    let configs = format!("kubevirtConfigs.namespace={CONFIGS_NAMESPACE}");
    // One controller is all there is, and it outlives an API server that is stopped. What the blueprint sets counts more.
    let alone = "leaderElection=false".to_owned();
    let set = ["mode=supervisor".to_owned(), url, configs, alone].into_iter().chain(set.iter().cloned()).collect();
    Ok(Render { set, ..Render::in_namespace(NAMESPACE) })
}

/// Starts the supervisor with the release on it; answers with what Helm rendered. Definitions are applied before the
/// controllers start: they look at discovery only now and then.
pub(super) async fn supervisor(plane: &Plane, release: &Render<'_>, say: fn(&str)) -> Result<String> {
    plane.start_apiserver().await?;
    plane.ensure_namespace(NAMESPACE).await?;
    let rendered = install::template(&chart(), release).await?;
    apply(plane, &rendered).await?;
    plane.start_controllers().await?;
    say(&format!("{} is ready at {}", plane.name(), plane.url()));
    Ok(rendered)
}

/// Starts a remote with KubeVirt's definitions and the rights that the chart gives webhook and controller there.
pub(super) async fn remote(
    fleet: &Fleet,
    plane: &Plane,
    definitions: &str,
    set: &[String],
    say: fn(&str),
) -> Result<()> {
    plane.start_apiserver().await?;
    plane.ensure_namespace(NAMESPACE).await?;
    apply(plane, definitions).await?;
    let set = std::iter::once("mode=remote".to_owned()).chain(set.iter().cloned()).collect();
    let render = Render { set, ..Render::in_namespace(NAMESPACE) };
    apply(plane, &install::template(&chart(), &render).await?).await?;
    plane.start_controllers().await?;
    if fleet.state.real_kubevirt {
        virt::install(plane, &fleet.processes).await?;
    }
    say(&format!("{} is ready at {}", plane.name(), plane.url()));
    Ok(())
}

/// Starts the simulator of a remote and waits until the nodes that it plays are there.
pub(super) async fn inhabited(fleet: &Fleet, remote: &Plane) -> Result<()> {
    let sim = Component::Sim(remote.name().to_owned());
    fleet.start(&sim).await?;
    let nodes: Api<Node> = Api::all(remote.client().await?);
    let look = async || match nodes.list(&ListParams::default()).await {
        Ok(list)
            if list.iter().filter(|node| node.status.as_ref().is_some_and(|it| it.allocatable.is_some())).count()
                == 3 =>
        {
            Ok(())
        }
        Ok(list) => Err(format!("{} nodes, not all with room", list.items.len())),
        Err(error) => Err(error.to_string()),
    };
    fleet.processes.until_ready(&sim.to_string(), INHABITED_WITHIN, look).await
}

/// Gives the supervisor a KubevirtConfig and kubeconfigs for every remote.
pub(super) async fn introduce(fleet: &Fleet) -> Result<()> {
    let objects = try_join_all(fleet.remotes.iter().map(config)).await?;
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects.concat() });
    apply(&fleet.supervisor, &list.to_string()).await.map(drop)
}

/// Gives both processes their kubeconfigs for the supervisor.
pub(super) async fn users(fleet: &Fleet) -> Result<()> {
    let users = fleet.dir().join("users");
    fs::create_dir_all(&users).map_err(io("cannot create", &users))?;
    for (name, account) in [("webhook", WEBHOOK_ACCOUNT), ("controller", CONTROLLER_ACCOUNT)] {
        let kubeconfig = fleet.supervisor.token_kubeconfig(NAMESPACE, account).await?;
        write_private(&fleet.user_kubeconfig(name), &kubeconfig)?;
    }
    Ok(())
}

/// KubevirtConfig and Secret of a remote. One user for each process: rights and audit logs keep them apart.
async fn config(remote: &Plane) -> Result<Vec<Value>> {
    let name = remote.name();
    let secret = format!("{name}-kubeconfig");
    let controller = remote.token_kubeconfig(NAMESPACE, REMOTE_CONTROLLER_ACCOUNT).await?;
    let webhook = remote.token_kubeconfig(NAMESPACE, WEBHOOK_ACCOUNT).await?;
    Ok(vec![
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": secret, "namespace": CONFIGS_NAMESPACE },
            "stringData": { model::names::KUBECONFIG_KEY: controller, model::names::KUBECONFIG_READONLY_KEY: webhook },
        }),
        json!({
            "apiVersion": format!("{}/{}", model::names::GROUP, model::names::VERSION),
            "kind": "KubevirtConfig",
            "metadata": { "name": name, "namespace": CONFIGS_NAMESPACE, "labels": { "region": name } },
            "spec": { "name": name, "kubeconfigSecretRef": secret },
        }),
    ])
}
