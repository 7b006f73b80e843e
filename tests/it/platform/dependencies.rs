//! What a cluster lacks and then has, and what we lack: namespaces, kinds, rights.

use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tests::fleet::{REMOTE_CONTROLLER_ACCOUNT, user};
use tests::install::kubectl;
use tests::platform_crds::Definition;
use tests::wait::eventually;

use super::objects::{METALLB, PLUGIN};
use super::site::Site;

const PLUGINS: &str = "uiplugins.observability.openshift.io";

pub(super) async fn a_namespace_is_waited_for(site: &Site<'_>) {
    let missing = site.state("metallb-operator", "DependencyMissing").await;
    assert!(missing.contains("metallbs.metallb.io"), "D8: {missing}");
    site.install(&[Definition::MetalLb]).await;
    let namespace = |status: &Value| {
        let asset = super::site::of(status, "metallb-operator");
        asset["state"] == "DependencyMissing" && asset["message"].as_str().is_some_and(|it| it.contains("namespace"))
    };
    site.shows("X90: its namespace is not there", namespace).await;
    site.prepare(&[METALLB]).await;
    site.state("metallb-operator", "Applied").await;
    let events = site.events().await;
    let throttled = events.iter().any(|(_, note)| note.contains("MetalLB") && note.contains("Throttled"));
    assert!(!throttled, "P17 (597351c): {events:#?}");
}

/// The process goes on, and so do the others.
pub(super) async fn a_kind_comes_and_goes(site: &Site<'_>) {
    let process = || site.fleet.processes().running("controller").map(|it| it.pid);
    let before = process();
    site.state("observability-operator", "DependencyMissing").await;
    for _ in 0..2 {
        site.install(&[Definition::UiPlugin]).await;
        site.state("observability-operator", "Applied").await;
        site.becomes(PLUGIN, "made", |it| it["spec"]["type"] == "Monitoring").await;
        kubectl(site.plane, &["delete", "crd", PLUGINS], "").await.unwrap_or_else(|error| panic!("{error}"));
        site.state("observability-operator", "DependencyMissing").await;
    }
    site.goes_on("feature_ui_plugin").await;
    assert_eq!(process(), before, "P11: the same process");
}

/// `Forbidden` for the one asset, with the verb; the others are kept.
pub(super) async fn one_right_is_missing(site: &Site<'_>) {
    let roles: Api<ClusterRole> = Api::all(site.client.clone());
    let plural = "metallbs".to_owned();
    for mut role in
        roles.list(&ListParams::default().labels("app.kubernetes.io/name=kubevirt-operator")).await.expect("roles")
    {
        let rules = role.rules.iter_mut().flatten();
        for rule in rules.filter(|it| it.resources.as_ref().is_some_and(|all| all.contains(&plural))) {
            rule.verbs.retain(|verb| verb != "create");
        }
        role.metadata.managed_fields = None;
        let name = role.metadata.name.clone().unwrap_or_default();
        roles.replace(&name, &Default::default(), &role).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let account = user(REMOTE_CONTROLLER_ACCOUNT);
    let args = ["auth", "can-i", "create", "metallbs.metallb.io", "--as", &account, "--namespace", METALLB.2];
    eventually("the right is gone", async || match kubectl(site.plane, &args, "").await {
        Ok(answer) => Err(answer),
        Err(_) => Ok(()),
    })
    .await;
    site.delete(METALLB).await;
    let says = site.state("metallb-operator", "Forbidden").await;
    assert!(says.contains("create"), "{says}");
    let message = site.ready("False/PlatformForbidden").await;
    assert!(message.contains("metallb-operator"), "{message}");
    site.states(&[("mtv-operator", "Applied"), ("kubevirt-golden-config", "Applied")]).await;
    site.goes_on("feature_validation").await;
    let tried = site.asked(0).into_iter().filter(|it| it.code == 403 && it.verb == "create");
    assert_eq!(tried.count(), 1, "it is not asked again at once");
    let said = json!(site.get(METALLB).await);
    assert_eq!(said, Value::Null);
}
