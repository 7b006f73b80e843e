//! What the Secret of a KubevirtConfig holds decides the connection, and the status says what is wrong with it.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use model::api::KubevirtConfig;
use serde_json::{Value, json};
use tests::fleet::{self, CONFIGS_NAMESPACE, NAMESPACE};
use tests::install::apply;
use tests::plane::Plane;
use tests::wait::eventually;

use super::{condition, create, keep, says, shown};
use crate::fleet::fresh;
use crate::machines::{Ground, machine};

#[tokio::test]
async fn kvo5_b9_b23_b27_e6_kvo30_r6_t1_what_a_secret_holds_decides_the_connection() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let east = &fleet.remotes()[0];
    says(&configs, "east", "the cluster answers").await;
    a_secret_without_the_key_is_refused(&ground, &configs).await;
    a_key_that_only_the_webhook_uses_is_judged_too(&ground, &configs, east).await;
    a_program_in_a_kubeconfig_is_refused_and_never_run(&ground, &configs, east).await;
    who_is_not_known_there_has_the_secret_read_again(&ground, &configs, east).await;
    a_rotated_kubeconfig_takes_over_only_when_it_works(&ground, &configs, east).await;
}

async fn a_secret_without_the_key_is_refused(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "keyless", "config", "not looked at").await;
    create(configs, "keyless", &json!({"name": "keyless", "kubeconfigSecretRef": "keyless"})).await;
    let sentence = "Secret kubevirt-configs/keyless has no key \"kubeconfig\", only \"config\": put the kubeconfig of the cluster there";
    let refused = says(configs, "keyless", sentence).await;
    assert_eq!(
        (refused.status.as_deref(), refused.conditions[0].reason.as_str()),
        (Some("Refused"), "KubeconfigInvalid"),
        "B9"
    );
    create(configs, "absent", &json!({"name": "absent", "kubeconfigSecretRef": "nowhere"})).await;
    says(configs, "absent", "Secret kubevirt-configs/nowhere does not exist: create it with the key \"kubeconfig\"")
        .await;
}

/// B9, B27: it is told while both connections serve that were made before, and although the webhook writes no status.
async fn a_key_that_only_the_webhook_uses_is_judged_too(
    ground: &Ground<'_>,
    configs: &Api<KubevirtConfig>,
    east: &Plane,
) {
    let secrets: Api<Secret> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let put = async |document: &str| {
        let change = Patch::Merge(json!({"stringData": {"kubeconfig-readonly": document}}));
        secrets.patch("east-kubeconfig", &PatchParams::default(), &change).await.expect("patched");
    };
    let began = Instant::now();
    put("users: []").await;
    let sentence = "the webhook cannot use its own kubeconfig, and knows nothing of the cluster once its present connection ends: Secret kubevirt-configs/east-kubeconfig, key \"kubeconfig-readonly\": ";
    let told = says(configs, "east", sentence).await;
    assert!(began.elapsed() <= Duration::from_secs(10), "only after {:?}", began.elapsed());
    let states = ["Ready", "KubeconfigInUse"].map(|kind| condition(&told, kind));
    assert_eq!(
        (told.phase.as_deref(), states.join(" ").as_str()),
        (Some("Degraded"), "True/Connected False/KubeconfigInvalid")
    );
    ground.applied(&machine("decided", Some("east"), &json!({"template": "small"}))).await;
    ground.running("decided").await;
    put(&kubeconfig(east, fleet::WEBHOOK_ACCOUNT, |_| {}).await).await;
    says(configs, "east", "the cluster answers").await;
}

/// A kubeconfig that is as it should be, and one thing changed in it.
async fn kubeconfig(plane: &Plane, account: &str, change: impl FnOnce(&mut Value)) -> String {
    let good = plane.token_kubeconfig(NAMESPACE, account).await.unwrap_or_else(|error| panic!("{error}"));
    let mut document: Value = serde_saphyr::from_str(&good).expect("a kubeconfig");
    change(&mut document);
    document.to_string()
}

async fn a_program_in_a_kubeconfig_is_refused_and_never_run(
    ground: &Ground<'_>,
    configs: &Api<KubevirtConfig>,
    east: &Plane,
) {
    let marker = ground.fleet.dir().join("executed");
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": [marker], "interactiveMode": "Never"});
    let document = kubeconfig(east, fleet::REMOTE_CONTROLLER_ACCOUNT, |it| {
        it["users"][0]["user"] = json!({"exec": exec});
    });
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "canary", "kubeconfig", &document.await).await;
    create(configs, "canary", &json!({"name": "canary", "kubeconfigSecretRef": "canary"})).await;
    let refused =
        says(configs, "canary", "Secret kubevirt-configs/canary, key \"kubeconfig\": kubeconfig field user.exec:")
            .await;
    assert_eq!(
        (refused.status.as_deref(), refused.conditions[0].reason.as_str()),
        (Some("Refused"), "KubeconfigInvalid"),
        "T1"
    );
    assert!(!marker.exists(), "T1: the program was run");
    // It would run for every new connection; another one comes to its end in the meantime.
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "canary", "kubeconfig", "later: {}").await;
    says(configs, "canary", "current-context").await;
    assert!(!marker.exists(), "T1: the program was run");
}

async fn who_is_not_known_there_has_the_secret_read_again(
    ground: &Ground<'_>,
    configs: &Api<KubevirtConfig>,
    east: &Plane,
) {
    let stranger =
        kubeconfig(east, fleet::REMOTE_CONTROLLER_ACCOUNT, |it| it["users"][0]["user"]["token"] = json!("stranger"));
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "stranger", "kubeconfig", &stranger.await).await;
    let before = ground.fleet.supervisor().audit().mark();
    create(configs, "stranger", &json!({"name": "stranger", "kubeconfigSecretRef": "stranger"})).await;
    let refused = says(configs, "stranger", "the cluster does not accept the credentials").await;
    assert_eq!(refused.conditions[0].reason, "ConnectionFailed");
    let controller = fleet::user(fleet::CONTROLLER_ACCOUNT);
    eventually("B27: after a 401 the Secret is read again", async || {
        let records = ground.fleet.supervisor().audit().since(before).expect("an audit log");
        let lists = |it: &&tests::audit::Record| it.user == controller && it.verb == "list" && it.resource == "secrets";
        if records.iter().any(|it| lists(&it)) { Ok(()) } else { Err(format!("{} requests, not that", records.len())) }
    })
    .await;
    let good = kubeconfig(east, fleet::REMOTE_CONTROLLER_ACCOUNT, |_| {}).await;
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "stranger", "kubeconfig", &good).await;
    says(configs, "stranger", "the cluster answers").await;
}

async fn a_rotated_kubeconfig_takes_over_only_when_it_works(
    ground: &Ground<'_>,
    configs: &Api<KubevirtConfig>,
    east: &Plane,
) {
    let rotate = async |document: String| {
        keep(&ground.supervisor, CONFIGS_NAMESPACE, "east-kubeconfig", "kubeconfig", &document).await;
    };
    let runs = async |name: &str| {
        ground.applied(&machine(name, Some("east"), &json!({"template": "small"}))).await;
        ground.running(name).await;
    };
    // Nobody listens there any more.
    let nowhere = "https://127.0.0.1:1";
    rotate(
        kubeconfig(east, fleet::REMOTE_CONTROLLER_ACCOUNT, |it| {
            it["clusters"][0]["cluster"]["server"] = json!(nowhere);
        })
        .await,
    )
    .await;
    let failing =
        says(configs, "east", "an earlier kubeconfig is still in use; the present one does not connect: ").await;
    assert_eq!(
        (failing.phase.as_deref(), condition(&failing, "KubeconfigInUse").as_str()),
        (Some("Degraded"), "False/ConnectionFailed"),
        "B27"
    );
    runs("beside-one-that-fails").await;

    rotate("users: []".to_owned()).await;
    let refused = says(configs, "east", "an earlier kubeconfig is still in use; the present one is refused: ").await;
    assert_eq!(
        (refused.phase.as_deref(), condition(&refused, "KubeconfigInUse").as_str()),
        (Some("Degraded"), "False/KubeconfigInvalid"),
        "B27 R6"
    );
    assert_eq!(condition(&refused, "Ready"), "True/Connected", "R6: the earlier one serves");
    runs("beside-one-that-is-refused").await;

    let seen = shown(configs, "east", "with room", |status| status.capacity.is_some()).await;
    let before = east.audit().mark();
    let (document, rotated) = (blind(east).await, Instant::now());
    rotate(document).await;
    eventually("R6: the new kubeconfig is in use", async || {
        let records = east.audit().since(before).expect("an audit log");
        let new = fleet::user("rotated");
        if records.iter().any(|it| it.user == new && it.code == 200) { Ok(()) } else { Err("no request with it") }
    })
    .await;
    assert!(rotated.elapsed() <= Duration::from_secs(10), "R6: only after {:?}", rotated.elapsed());
    says(configs, "east", "the cluster answers").await;
    let after =
        shown(configs, "east", "X68: without rights its room is unknown", |status| status.capacity.is_none()).await;
    assert_eq!(after.facts, seen.facts, "X45: what may not be asked keeps its earlier answer");
    assert_eq!(after.cluster_id, seen.cluster_id);
    runs("with-the-new-one").await;
    let made = |user: &str| {
        let records = east.audit().since(before).expect("an audit log");
        records.iter().filter(|it| it.user == user && it.verb == "create" && it.resource == "virtualmachines").count()
    };
    assert_eq!((made(&fleet::user("rotated")), made(&fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT))), (1, 0), "B27");
    let controller = ground.fleet.component("controller").unwrap_or_else(|error| panic!("{error}"));
    assert!(ground.fleet.is_running(&controller), "no restart");
}

/// A kubeconfig of another account, with the rights of an earlier release: it may see neither nodes, pods nor KubeVirt.
async fn blind(east: &Plane) -> String {
    let rule = |groups: &str, resources: &str, verbs: &[&str]| json!({"apiGroups": [groups], "resources": [resources], "verbs": verbs});
    let all = &["get", "list", "watch", "create", "patch", "delete"];
    let rules = [
        rule("", "namespaces", &["get", "create"]),
        rule("", "persistentvolumeclaims", all),
        rule("kubevirt.io", "virtualmachines", all),
        rule("kubevirt.io", "virtualmachineinstances", &["get", "list", "watch"]),
        rule("storage.k8s.io", "storageclasses", &["list", "watch"]),
    ];
    let subject = json!({"kind": "ServiceAccount", "name": "rotated", "namespace": NAMESPACE});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "rotated"});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "rotated", "namespace": NAMESPACE}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "rotated"}, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "rotated"}, "roleRef": role, "subjects": [subject]},
    ]});
    apply(east, &objects.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    kubeconfig(east, "rotated", |_| {}).await
}
