//! The ground that all other suites stand on: planes that collect garbage, refuse the unprivileged, write down who asked, and come back from a restart as they were.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{ListParams, PostParams};
use kube::{Api, Resource};
use serde_json::json;
use tests::audit;
use tests::etcd::Etcd;
use tests::plane::Plane;
use tests::process::{Processes, Stop};
use tests::wait::eventually;
use tokio::sync::OnceCell;

struct Planes {
    supervisor: Plane,
    east: Plane,
}

/// A failure is kept, too: it would cost every test the same minute again.
static PLANES: OnceCell<Result<Planes, String>> = OnceCell::const_new();

async fn planes() -> &'static Planes {
    let up = PLANES.get_or_init(async || up().await.map_err(|error| error.to_string())).await;
    up.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// A plane without KubeVirt, webhook or controller.
pub(crate) async fn bare() -> &'static Plane {
    &planes().await.east
}

async fn up() -> tests::Result<Planes> {
    let processes = Arc::new(Processes::kept()?);
    let etcd = Etcd::new(&processes)?;
    etcd.start().await?;
    let (supervisor, east) = (Plane::new(&processes, &etcd, "supervisor")?, Plane::new(&processes, &etcd, "east")?);
    futures::try_join!(supervisor.start(), east.start())?;
    Ok(Planes { supervisor, east })
}

async fn create<K>(api: &Api<K>, object: serde_json::Value) -> K
where
    K: Resource + Clone + serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let object = serde_json::from_value(object).expect("an object of that type");
    api.create(&PostParams::default(), &object).await.expect("created")
}

#[tokio::test]
async fn what_belongs_to_an_absent_owner_is_collected() {
    let client = planes().await.east.client().await.expect("client");
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let owner = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000" }]);
    create(&maps, json!({ "metadata": { "name": "orphan", "ownerReferences": owner } })).await;
    create(&maps, json!({ "metadata": { "name": "free" } })).await;
    eventually("the orphan is collected", async || match maps.get_opt("orphan").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    maps.get("free").await.expect("an object without an owner stays");
}

#[tokio::test]
async fn a_token_without_rights_is_refused_and_the_audit_log_tells() {
    let plane = &planes().await.supervisor;
    let admin: Api<ServiceAccount> = Api::namespaced(plane.client().await.expect("client"), "default");
    create(&admin, json!({ "metadata": { "name": "nobody" } })).await;
    let kubeconfig = plane.token_kubeconfig("default", "nobody").await.expect("kubeconfig");
    let client = plane.client_from(&kubeconfig).await.expect("client");

    let mark = plane.audit().mark();
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    for _ in 0..2 {
        let refusal = maps.list(&ListParams::default()).await.expect_err("RBAC is on");
        assert!(matches!(&refusal, kube::Error::Api(status) if status.code == 403), "{refusal:?}");
    }

    let records = plane.audit().since(mark).expect("audit log");
    let mine: Vec<_> = records.iter().filter(|record| record.user == "system:serviceaccount:default:nobody").collect();
    assert!(mine.iter().all(|record| record.code == 403 && record.namespace == "default"), "{mine:?}");
    let counts: Vec<_> = audit::count(mine).into_iter().map(|(kind, n)| (kind.verb, kind.resource, n)).collect();
    assert_eq!(counts, [("list".to_owned(), "configmaps".to_owned(), 2)]);
}

#[tokio::test]
async fn a_plane_comes_back_from_a_stop_with_its_data_and_tokens() {
    // A plane of its own: the tests beside this one must not see it go away.
    let processes = Arc::new(Processes::kept().expect("processes"));
    let etcd = Etcd::new(&processes).expect("etcd");
    etcd.start().await.unwrap_or_else(|error| panic!("{error}"));
    let plane = Plane::new(&processes, &etcd, "west").expect("plane");
    plane.start().await.unwrap_or_else(|error| panic!("{error}"));
    let maps: Api<ConfigMap> = Api::namespaced(plane.client().await.expect("client"), "default");
    create(&maps, json!({ "metadata": { "name": "kept" } })).await;
    let before = plane.token_kubeconfig("default", "default").await.expect("kubeconfig");

    for how in [Stop::Gracefully, Stop::AtOnce] {
        plane.stop(how).await.expect("stopped");
        assert!(!plane.is_running());
        maps.get("kept").await.expect_err("nobody answers");
        // As a later invocation would: from nothing but the folder.
        let again = Arc::new(Processes::detached(processes.dir()).expect("processes"));
        let plane = Plane::new(&again, &Etcd::new(&again).expect("etcd"), "west").expect("plane");
        assert!(Etcd::new(&again).expect("etcd").is_running());
        plane.start().await.unwrap_or_else(|error| panic!("{error}"));
        maps.get("kept").await.expect("the old client and the old object");
        let bearer: Api<ConfigMap> = Api::namespaced(plane.client_from(&before).await.expect("client"), "default");
        let refusal = bearer.get("kept").await.expect_err("known, but without rights");
        assert!(matches!(&refusal, kube::Error::Api(status) if status.code == 403), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_process_that_dies_is_named_with_the_end_of_its_log() {
    let processes = Processes::kept().expect("processes");
    let program = tests::process::Program {
        name: "doomed".to_owned(),
        path: "/bin/sh".into(),
        args: ["-c", "echo the disk is full >&2; exit 3"].map(str::to_owned).into(),
        env: Vec::new(),
    };
    processes.start(&program).expect("started");
    let never = async || Err::<(), _>("no answer".to_owned());
    let error = processes.until_ready("doomed", Duration::from_secs(10), never).await.expect_err("it died");
    let text = error.to_string();
    assert!(text.starts_with("doomed ended before it was ready; the end of /"), "{text}");
    assert!(text.ends_with("doomed.log:\n    the disk is full"), "{text}");
}
