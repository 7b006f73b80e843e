//! A cluster that is registered by the flags of the controller, under the rights that the chart gives for it.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use serde_json::{Value, json};
use tests::fleet::{self, Blueprint, CONFIGS_NAMESPACE, Component, Fleet, NAMESPACE};
use tests::install::kubectl;
use tests::process::{Processes, Stop};
use tests::wait::{LIMIT, eventually};

use super::{config, create, says, shown};
use crate::machines::{Ground, machine, said};

/// The values `vmaasHub` of the chart: their variables, and the rights for the two objects by name.
async fn up() -> Fleet {
    let set = ["vmaasHub.kubeconfigSecret=hub-kubeconfig", "vmaasHub.namespace=vmaas-{namespace}"].map(str::to_owned);
    let blueprint = Blueprint { set: set.to_vec(), ..Blueprint::of(&["north", "hub"]) };
    Fleet::up(Processes::kept().expect("a folder"), blueprint).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The lines of the controller's log about the registration, newest last.
fn lines(fleet: &Fleet, message: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(fleet.processes().log("controller")).expect("a log");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"].as_str().is_some_and(|said| said.starts_with(message))).collect()
}

async fn logged(fleet: &Fleet, message: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("a line {message:?}"), async || {
        let all = lines(fleet, message);
        all.iter()
            .rfind(|line| wanted(line))
            .cloned()
            .ok_or_else(|| format!("{all:?}, {:?}", lines(fleet, NOT_REGISTERED)))
    })
    .await
}

/// Starts the controller again, with these in place of the chart's.
async fn restart(fleet: &Fleet, env: &[(&str, &str)]) {
    fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    fleet.start_with(&Component::Controller, env).await.unwrap_or_else(|error| panic!("{error}"));
}

const REGISTERED: &str = "Registered VMaaS hub";
const NOT_REGISTERED: &str = "the VMaaS hub is not registered; it is tried again every minute";

#[tokio::test]
async fn e5_e17_x38_x40_x105_a_hub_is_registered_by_flags_and_an_administrators_words_stay() {
    let fleet = up().await;
    let ground = Ground::new(&fleet, "shop").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let why = logged(&fleet, NOT_REGISTERED, |_| true).await;
    assert!(
        why["reason"].as_str().expect("why").starts_with("cannot read /etc/kubevirt-operator/vmaas-hub/kubeconfig: "),
        "{why}"
    );
    says(&configs, "north", "the cluster answers").await;
    // The fleet has a KubevirtConfig for every cluster; this one is to come by the flags.
    the_controllers_account_makes_no_other_hub(&fleet).await;
    let args = ["--namespace", CONFIGS_NAMESPACE, "delete", "kvc/hub", "secret/hub-kubeconfig", "--timeout=60s"];
    said(kubectl(fleet.supervisor(), &args, "").await).expect("deleted");

    let hub = fleet.remote("hub").expect("hub");
    let document = hub.token_kubeconfig(NAMESPACE, fleet::REMOTE_CONTROLLER_ACCOUNT).await.expect("a kubeconfig");
    let away = Component::Remote("hub".to_owned());
    fleet.stop(&away, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    let file = fleet.dir().join("hub.kubeconfig");
    std::fs::write(&file, &document).expect("written");
    let path = file.display().to_string();
    let env = [("VMAAS_HUB_KUBECONFIG", path.as_str())];
    restart(&fleet, &env).await;
    let line = logged(&fleet, REGISTERED, |_| true).await;
    assert_eq!((&line["hub_id"], &line["namespace"]), (&json!("vmaas-primary"), &json!("vmaas-{namespace}")), "E17");
    let failed =
        shown(&configs, "vmaas-primary", "that it is away", |status| status.phase.as_deref() == Some("Failed")).await;
    assert_eq!(failed.status.as_deref(), Some("Disconnected"), "X105: the hub is down, and nothing ends by it");
    assert!(fleet.is_running(&Component::Controller), "X105");
    says(&configs, "north", "the cluster answers").await;
    fleet.start(&away).await.unwrap_or_else(|error| panic!("{error}"));
    let ready = says(&configs, "vmaas-primary", "the cluster answers").await;
    assert_eq!(ready.capabilities, ["virtualmachines"], "E5");
    let spec = configs.get("vmaas-primary").await.expect("there").spec;
    assert_eq!((spec.hub_type.as_deref(), spec.schedulable, spec.weight), (Some("vmaas"), true, None), "E5");

    a_template_gives_every_namespace_its_own(&ground).await;
    an_administrators_words_stay(&fleet, &configs, &env).await;
    the_controllers_account_writes_no_more_than_that(&fleet).await;
    a_rotated_file_is_taken_up(&fleet, &file).await;
    another_config_of_that_name_is_not_taken_over(&fleet, &configs, &path).await;

    restart(&fleet, &[("VMAAS_HUB_KUBECONFIG", "")]).await;
    ground.running("web").await;
    says(&configs, "vmaas-primary", "the cluster answers").await;
    let log = std::fs::read_to_string(fleet.processes().log("controller")).expect("a log");
    let token = document
        .split("token")
        .nth(1)
        .expect("a token")
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let token = token.max_by_key(|part| part.len()).expect("a token");
    assert!(token.len() > 100 && !log.contains(token), "T19: the kubeconfig is in the log");
}

async fn a_template_gives_every_namespace_its_own(ground: &Ground<'_>) {
    eventually("the webhook knows the hub", async || {
        ground.apply(&machine("web", Some("vmaas-primary"), &json!({"template": "small"}))).await
    })
    .await;
    let running = ground.running("web").await;
    let recorded = running.status.and_then(|status| status.kubevirt_config_ref).expect("recorded");
    assert_eq!(recorded.namespace.as_deref(), Some("vmaas-shop"), "X38");
    let hub = ground.fleet.remote("hub").expect("hub");
    let found =
        said(kubectl(hub, &["get", "vm,pvc", "--all-namespaces", "--no-headers"], "").await).expect("an answer");
    assert!(found.lines().all(|line| line.starts_with("vmaas-shop ")) && found.contains("/vm-web"), "X38: {found}");
    // The schema knows templates, too.
    let dry = |namespace: &'static str| async move {
        let spec = json!({"name": "dry", "kubeconfigSecretRef": "dry", "namespace": namespace});
        let args = ["--namespace", CONFIGS_NAMESPACE, "create", "--dry-run=server", "--filename", "-"];
        said(kubectl(ground.fleet.supervisor(), &args, &config("dry", &spec).to_string()).await)
    };
    for good in ["vmaas-{namespace}", "{namespace}", "{namespace}-vms", "tenants"] {
        dry(good).await.unwrap_or_else(|refused| panic!("X38: {good}: {refused}"));
    }
    for bad in
        ["{namespace}-{namespace}", "-{namespace}", "{namespace}-", "vmaas-{name}", "kube-{namespace}", "Tenants"]
    {
        let refused = dry(bad).await.expect_err(bad);
        assert!(refused.contains("spec.namespace"), "X38: {bad}: {refused}");
    }
}

async fn an_administrators_words_stay(fleet: &Fleet, configs: &Api<KubevirtConfig>, env: &[(&str, &str)]) {
    let theirs = json!({"hubType": "hybrid", "capabilities": ["clusters"], "weight": 3, "schedulable": false});
    let edit = Patch::Merge(json!({"metadata": {"labels": {"region": "eu"}}, "spec": theirs}));
    let edited = configs.patch("vmaas-primary", &PatchParams::default(), &edit).await.expect("edited");
    restart(fleet, env).await;
    let kept =
        logged(fleet, "the KubevirtConfig of the VMaaS hub keeps what somebody else has set there", |_| true).await;
    assert_eq!(kept["kept"], r#"spec.hubType "hybrid", spec.capabilities ["clusters"]"#, "X105");
    let after = configs.get("vmaas-primary").await.expect("there");
    assert_eq!((&after.spec, after.labels()), (&edited.spec, edited.labels()), "X105");
    // What they take back is ours to say again.
    let back = Patch::Merge(json!({"spec": {"hubType": null, "capabilities": null, "schedulable": true}}));
    configs.patch("vmaas-primary", &PatchParams::default(), &back).await.expect("edited");
    restart(fleet, env).await;
    shown(configs, "vmaas-primary", "X105: for virtual machines", |status| status.capabilities == ["virtualmachines"])
        .await;
    eventually("X105: its type is said again", async || {
        let spec = configs.get("vmaas-primary").await.expect("there").spec;
        if spec.hub_type.as_deref() == Some("vmaas") { Ok(()) } else { Err(format!("{spec:?}")) }
    })
    .await;
}

const NOTHING_ELSE: &str = "the controller changes the finalizers of a KubevirtConfig and nothing else";

/// T20: nor can it make the hub with another Secret, or with words that only an administrator has.
async fn the_controllers_account_makes_no_other_hub(fleet: &Fleet) {
    let account = fleet::user(fleet::CONTROLLER_ACCOUNT);
    let args = ["--as", &account, "--namespace", CONFIGS_NAMESPACE, "apply", "--server-side", "--filename", "-"];
    for spec in [
        json!({"name": "vmaas-primary", "kubeconfigSecretRef": "north-kubeconfig"}),
        json!({"name": "vmaas-primary", "kubeconfigSecretRef": "vmaas-primary-kubeconfig", "takeOverFrom": ["0b7c1b3e-5d0a-4f3e-9f43-0d8f6a0b7c11"]}),
        json!({"name": "vmaas-primary", "kubeconfigSecretRef": "vmaas-primary-kubeconfig", "secretNamespace": "default"}),
    ] {
        let hub = json!({
            "apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig", "metadata": {"name": "vmaas-primary"}, "spec": spec,
        });
        let refused = said(kubectl(fleet.supervisor(), &args, &hub.to_string()).await).expect_err("T20");
        assert!(refused.contains(NOTHING_ELSE), "T20: {hub}: {refused}");
    }
}

/// T20: whoever has its token cannot point the hub to another Secret, nor write another KubevirtConfig or Secret.
async fn the_controllers_account_writes_no_more_than_that(fleet: &Fleet) {
    let account = fleet::user(fleet::CONTROLLER_ACCOUNT);
    let only = NOTHING_ELSE;
    let cases = [
        ("kvc/vmaas-primary", r#"{"spec": {"kubeconfigSecretRef": "mine"}}"#, only),
        ("kvc/vmaas-primary", r#"{"spec": {"weight": 1000}}"#, only),
        ("kvc/vmaas-primary", r#"{"spec": {"weight": null}}"#, only),
        ("kvc/north", r#"{"spec": {"namespace": "mine"}}"#, only),
        ("secret/north-kubeconfig", r#"{"data": {"kubeconfig": "eA=="}}"#, "cannot patch resource \"secrets\""),
    ];
    for (object, text, says) in cases {
        let args =
            ["--as", &account, "--namespace", CONFIGS_NAMESPACE, "patch", object, "--type=merge", "--patch", text];
        let refused = said(kubectl(fleet.supervisor(), &args, "").await).expect_err(text);
        assert!(refused.contains(says), "T20: {object} {text}: {refused}");
    }
}

async fn a_rotated_file_is_taken_up(fleet: &Fleet, file: &std::path::Path) {
    let secrets: Api<Secret> = Api::namespaced(fleet.supervisor().client().await.expect("a client"), CONFIGS_NAMESPACE);
    let before = secrets.get("vmaas-primary-kubeconfig").await.expect("X105: its Secret").data.expect("data");
    let other = fleet.remote("hub").expect("hub").token_kubeconfig(NAMESPACE, fleet::REMOTE_CONTROLLER_ACCOUNT).await;
    let other = other.expect("a kubeconfig");
    let registered = lines(fleet, REGISTERED).len();
    std::fs::write(file, &other).expect("written");
    let rotated = Instant::now();
    eventually("X105: the Secret follows the file", async || {
        let now = secrets.get("vmaas-primary-kubeconfig").await.expect("its Secret").data.expect("data");
        if now["kubeconfig"].0 == other.as_bytes() { Ok(()) } else { Err(now == before) }
    })
    .await;
    assert!(rotated.elapsed() < Duration::from_secs(75).min(LIMIT), "X105: after {:?}", rotated.elapsed());
    logged(fleet, REGISTERED, |_| lines(fleet, REGISTERED).len() == registered + 1).await;
}

async fn another_config_of_that_name_is_not_taken_over(fleet: &Fleet, configs: &Api<KubevirtConfig>, path: &str) {
    create(configs, "taken", &json!({"name": "taken", "kubeconfigSecretRef": "mine"})).await;
    restart(fleet, &[("VMAAS_HUB_KUBECONFIG", path), ("VMAAS_HUB_ID", "taken")]).await;
    let why = logged(fleet, NOT_REGISTERED, |line| line["hub_id"] == "taken").await;
    let sentence = "KubevirtConfig \"taken\" exists with Secret \"mine\" and is not taken over: choose another VMAAS_HUB_ID, delete it, or set its spec.kubeconfigSecretRef to \"taken-kubeconfig\"";
    assert_eq!((&why["reason"], &why["level"]), (&json!(sentence), &json!("error")), "X105");
    let args = ["--namespace", CONFIGS_NAMESPACE, "get", "secret", "taken-kubeconfig"];
    let absent = said(kubectl(fleet.supervisor(), &args, "").await).expect_err("X105: no Secret either");
    assert!(absent.contains("not found"), "{absent}");
    // Its Secret has the very name that a registration would give it.
    let document = std::fs::read_to_string(path).expect("a kubeconfig");
    let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "taken-kubeconfig"}, "stringData": {"kubeconfig": document}});
    let args = ["--namespace", CONFIGS_NAMESPACE, "create", "--filename", "-"];
    said(kubectl(fleet.supervisor(), &args, &theirs.to_string()).await).expect("created");
    let own = Patch::Merge(json!({"spec": {"kubeconfigSecretRef": "taken-kubeconfig"}}));
    configs.patch("taken", &PatchParams::default(), &own).await.expect("edited");
    restart(fleet, &[("VMAAS_HUB_KUBECONFIG", path), ("VMAAS_HUB_ID", "taken")]).await;
    let is_of_secret = |line: &Value| line["reason"].as_str().is_some_and(|it| it.starts_with("Secret "));
    let why = logged(fleet, NOT_REGISTERED, is_of_secret).await;
    let sentence = "Secret \"kubevirt-configs/taken-kubeconfig\" exists, was not made by this registration, and is not overwritten: choose another VMAAS_HUB_ID, or delete that Secret if nobody needs it";
    assert_eq!(why["reason"], json!(sentence), "X105");
    // A name that the chart grants nothing for.
    restart(fleet, &[("VMAAS_HUB_KUBECONFIG", path), ("VMAAS_HUB_ID", "ungranted")]).await;
    let why = logged(fleet, NOT_REGISTERED, |line| line["hub_id"] == "ungranted").await;
    let said = why["reason"].as_str().expect("why");
    assert!(
        said.starts_with("cannot write its Secret: ")
            && said.contains("forbidden")
            && said.ends_with("which grants it"),
        "{why}"
    );
}
