//! A cluster that is gone for good, and the Machines that it had.

use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use serde_json::{Value, json};
use tests::install::{apply, kubectl};
use tests::process::Stop;

use super::{Ground, LIMIT, machine, said};

/// Lets somebody do this with Machines.
fn allow(namespace: &str, user: &str, verbs: &[&str]) -> [Value; 2] {
    let rbac = "rbac.authorization.k8s.io";
    let rules = json!([{"apiGroups": ["vitistack.io"], "resources": ["machines"], "verbs": verbs}]);
    let metadata = json!({"name": user, "namespace": namespace});
    [
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": metadata, "rules": rules}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": user}]}),
    ]
}

async fn release(ground: &Ground<'_>, user: &str, name: &str, cluster: &str) -> Result<String, String> {
    let word = format!("vitistack.io/release-from={cluster}");
    let args = ["--as", user, "--namespace", &ground.namespace, "annotate", "machine", name, &word];
    said(kubectl(ground.fleet.supervisor(), &args, "").await)
}

/// `west` is away for good in the middle of it, and comes back at the end.
pub(super) async fn r4_a_machine_goes_without_its_cluster_only_by_the_word_of_somebody_who_may(ground: &Ground<'_>) {
    for name in ["left-one", "left-two"] {
        ground.applied(&machine(name, Some("west"), &json!({"template": "small"}))).await;
        ground.running(name).await;
    }
    let retain = "vitistack.io/deletion-policy=Retain";
    let args = ["--namespace", &ground.namespace, "annotate", "machine", "left-two", retain];
    said(kubectl(ground.fleet.supervisor(), &args, "").await).unwrap_or_else(|error| panic!("{error}"));
    let editor = allow(&ground.namespace, "editor", &["get", "patch", "update"]);
    let releaser = allow(&ground.namespace, "releaser", &["get", "patch", "update", "release"]);
    let items = [editor, releaser].concat();
    let rights = json!({"apiVersion": "v1", "kind": "List", "items": items});
    apply(ground.fleet.supervisor(), &rights.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    let west = ground.fleet.component("west").unwrap_or_else(|error| panic!("{error}"));
    ground.fleet.stop(&west, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    let refused = release(ground, "releaser", "left-one", "west").await.expect_err("too early");
    assert!(refused.contains("it counts for a deletion that waits: delete the Machine first"), "{refused}");
    ground.delete("left-one").await;
    ground.delete("left-two").await;
    let waits = |machine: &model::api::Machine| {
        let said = machine.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
        said.contains("sets the annotation vitistack.io/release-from: west")
    };
    let one = ground.until("left-one", "told what it waits for", waits).await;

    let refused = release(ground, "editor", "left-one", "west").await.expect_err("an author may not");
    assert!(refused.contains("ask for the verb release on the Machine"), "{refused}");
    let refused = release(ground, "releaser", "left-one", "east").await.expect_err("another cluster");
    assert!(refused.contains("it must be the name of the Machine's KubevirtConfig"), "{refused}");
    release(ground, "releaser", "left-one", "west").await.unwrap_or_else(|error| panic!("{error}"));
    ground.gone("left-one").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), "kubevirt-configs");
    let orphans = configs.get("west").await.expect("the KubevirtConfig").status.expect("a status").orphans;
    let left: Vec<_> =
        orphans.iter().map(|it| (it.machine.as_str(), it.uid.as_str(), it.virtual_machine.as_str())).collect();
    assert_eq!(left, [("default/left-one", one.uid().expect("a UID").as_str(), "default/vm-left-one")]);

    // For all of its Machines, whoever may edit the KubevirtConfig says so.
    let gone_for_good = Patch::Merge(json!({"spec": {"decommissioned": true}}));
    configs.patch("west", &PatchParams::default(), &gone_for_good).await.expect("patched");
    ground.gone("left-two").await;
    ground.fleet.start(&west).await.unwrap_or_else(|error| panic!("{error}"));
    for name in ["left-one", "left-two"] {
        assert!(!ground.remains("west", name).await.is_empty(), "{name} left its VM behind");
    }
    what_was_left_goes_by_the_word_of_who_may_edit_the_config(ground, &configs).await;
}

async fn what_was_left_goes_by_the_word_of_who_may_edit_the_config(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    let word = Patch::Merge(json!({"spec": {"orphanPolicy": "Delete"}}));
    configs.patch("west", &PatchParams::default(), &word).await.expect("patched");
    let forgotten = await_condition(configs.clone(), "west", |config: Option<&KubevirtConfig>| {
        config.and_then(|config| config.status.as_ref()).is_some_and(|status| status.orphans.is_empty())
    });
    tokio::time::timeout(LIMIT, forgotten).await.expect("in time").expect("a watch");
    for name in ["left-one", "left-two"] {
        assert_eq!(ground.remains("west", name).await, Vec::<String>::new(), "{name}");
    }
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    assert_eq!(claims.get_opt("left-one-root").await.expect("an answer").map(|it| it.name_any()), None);
    let kept = claims.get("left-two-root").await.expect("Retain keeps its disks");
    assert_eq!(kept.labels().get("vitistack.io/retained").map(String::as_str), Some("true"));
    claims.delete("left-two-root", &DeleteParams::default()).await.expect("deleted");
}
