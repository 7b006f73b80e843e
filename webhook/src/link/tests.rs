use axum::Router;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};
use runtime::clusters::{DEADLINE, State};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::canned;

const VMS: &str = "/apis/kubevirt.io/v1/virtualmachines";
const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";

fn vm(name: &str, uid: Option<&str>, version: &str) -> Value {
    let labels = uid.map(|uid| json!({"vitistack.io/machine-uid": uid, "vitistack.io/supervisor": "s"}));
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": version, "labels": labels}})
}

fn class(name: &str) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": name, "resourceVersion": "1"}})
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

fn key(name: &str) -> VmKey {
    VmKey { namespace: "shop".to_owned(), name: name.to_owned() }
}

struct Run {
    cluster: Arc<Cluster<Index>>,
    /// Says so when the session is synced.
    synced: oneshot::Receiver<()>,
    touched: mpsc::UnboundedReceiver<ClusterName>,
    ended: JoinHandle<String>,
}

fn run(vms: MethodRouter, classes: MethodRouter) -> Run {
    let client = canned::answering(Router::new().route(VMS, vms).route(CLASSES, classes));
    let cluster = canned::cluster(client, State::Connecting);
    let (tell, synced) = oneshot::channel();
    let (touch, touched) = mpsc::unbounded_channel();
    let session = Watches { touched: touch }.run(
        cluster.clone(),
        Box::new(move || {
            let _ = tell.send(());
        }),
    );
    Run { cluster, synced, touched, ended: tokio::spawn(session) }
}

#[tokio::test]
async fn x43_x69_the_index_follows_list_and_watch_and_keeps_owners_only() {
    let changes = vec![
        event("ADDED", &vm("vm-new", None, "8")),
        event("MODIFIED", &vm("vm-web", Some("u-1"), "9")),
        event("MODIFIED", &vm("vm-web", Some("u-2"), "10")),
        event("DELETED", &vm("vm-old", None, "11")),
        event(
            "BOOKMARK",
            &json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"resourceVersion": "12"}}),
        ),
    ];
    let vms = canned::kind(vec![vm("vm-web", Some("u-1"), "5"), vm("vm-old", None, "6")], changes);
    let classes = canned::kind(
        vec![class("fast"), class("slow")],
        vec![event("DELETED", &class("slow")), event("ADDED", &class("default"))],
    );
    let Run { cluster, synced, mut touched, ended } = run(vms, classes);
    timeout(DEADLINE, synced).await.expect("in time").expect("synced");
    let complete = || {
        let view = cluster.index.view();
        let names = |name: &str| view.storage_classes.contains_key(name);
        let owner = view.vms.get(&key("vm-web")).and_then(|vm| vm.owner.clone());
        let owned = matches!(owner, Some(model::machine::owner::Owner::Machine { uid, .. }) if uid == "u-2");
        let vms = view.vms.size() == 2 && view.vms.contains_key(&key("vm-new"));
        owned && vms && names("fast") && names("default") && !names("slow") && view.silent.is_none()
    };
    // Each change of the index is told; the one that changes nothing (u-1 again) is not.
    while !complete() {
        let name = timeout(DEADLINE, touched.recv()).await.expect("told of every change").expect("the session runs");
        assert_eq!(name.0, "east");
    }
    assert!(!ended.is_finished());
}

#[tokio::test]
async fn x43_x48_a_cluster_that_cannot_be_watched_ends_the_session_with_the_reason() {
    let absent = || get(async || (StatusCode::NOT_FOUND, "404 page not found"));
    let forbidden = || {
        get(async || {
            canned::failure(
                403,
                "Forbidden",
                "virtualmachines.kubevirt.io is forbidden: User \"w\" cannot list",
                &json!({}),
            )
        })
    };
    let classes = || canned::kind(vec![class("fast")], Vec::new());
    for (case, vms, says) in [
        (
            "X43: KubeVirt is not installed",
            absent(),
            "the cluster does not have what was asked for: list and watch /apis/kubevirt.io/v1/virtualmachines",
        ),
        (
            "X43: no right to list",
            forbidden(),
            "the credentials lack a right there: list and watch /apis/kubevirt.io/v1/virtualmachines",
        ),
    ] {
        let Run { cluster, mut synced, ended, .. } = run(vms, classes());
        let why = timeout(DEADLINE, ended).await.expect("in time").expect("no panic");
        assert!(why.contains(says), "{case}: {why}");
        assert!(synced.try_recv().is_err(), "{case}: it was never complete");
        assert!(cluster.index.view().vms.is_empty(), "{case}");
    }
}

#[tokio::test]
async fn r19_x43_whatever_ends_a_watch_ends_the_session() {
    let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
    let without_version = json!({"metadata": {"name": "vm-web"}});
    for (case, change, says) in [
        (
            "a history that is too old",
            event("ERROR", &gone),
            "the cluster does not remember enough to continue a watch",
        ),
        ("an object without a version", event("ADDED", &without_version), "no metadata.resourceVersion"),
        ("a name that is none", event("ADDED", &vm(&"x".repeat(318), None, "8")), "a name or label of 318 bytes"),
        (
            "ATK7: a name that hides something",
            event("ADDED", &vm("vm\u{202e}web", None, "8")),
            "characters that none may have",
        ),
    ] {
        let vms = canned::kind(vec![vm("vm-web", None, "5")], vec![change]);
        let Run { cluster, ended, .. } = run(vms, canned::kind(Vec::new(), Vec::new()));
        let why = timeout(DEADLINE, ended).await.expect("in time").expect("no panic");
        assert!(why.contains(says), "{case}: {why}");
        assert_eq!(cluster.index.view().vms.size(), 1, "{case}: what was known is not forgotten");
    }
}

#[test]
fn atk1_t21_no_more_is_kept_of_a_vm_than_a_machine_can_have() {
    let mut vm: PartialObjectMeta<DynamicObject> = serde_json::from_value(vm("vm-web", None, "5")).expect("an object");
    let mut kept = |offered: String| {
        vm.metadata.annotations = Some([("vitistack.io/adopt-by".to_owned(), offered)].into());
        owned(&vm).1.adopt_by
    };
    assert_eq!(kept("shop/web".to_owned()), Some("shop/web".to_owned()));
    assert_eq!(kept("x".repeat(317)), Some("x".repeat(317)));
    assert_eq!(kept("x".repeat(5000)), Some("x".repeat(318)));
}
