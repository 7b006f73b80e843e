//! The ways in which people write a Machine again, and none of them loses what admission decided.

use kube::ResourceExt;
use model::api::Machine;
use model::names::{CLEANUP, KUBEVIRT_CONFIG, RESOLVED};
use serde_json::{Value, json};
use tests::install::kubectl;

use super::{Ground, machine, said};
use crate::fleet::shared;

async fn run(ground: &Ground<'_>, args: &[&str], input: &Value) -> String {
    let args: Vec<&str> = ["--namespace", &ground.namespace].into_iter().chain(args.iter().copied()).collect();
    let input = if input.is_null() { String::new() } else { input.to_string() };
    loop {
        match said(kubectl(ground.fleet.supervisor(), &args, &input).await) {
            Ok(done) => return done,
            // `kubectl replace` reads the object and writes it with that version; when the controller wrote a status in
            // between, a person types it again.
            Err(refused) if refused.contains("the object has been modified") => {}
            Err(refused) => panic!("{args:?}: {refused}"),
        }
    }
}

#[tokio::test]
async fn a18_x60_whatever_drops_our_keys_gets_them_back_and_moves_nothing() {
    let ground = Ground::new(shared().await, "writes").await;
    let spec = |strategy: &str| json!({"template": "small", "runStrategy": strategy});
    ground.applied(&machine("kept", Some("west"), &spec("Always"))).await;
    let before = ground.running("kept").await;
    let holds = async |what: &str, strategy: &str| {
        let now: Machine = ground.machines().get("kept").await.expect("stored");
        for key in [KUBEVIRT_CONFIG, RESOLVED] {
            assert_eq!(now.annotations().get(key), before.annotations().get(key), "{what}: {key}");
        }
        assert!(now.finalizers().iter().any(|it| it == CLEANUP), "{what}: {:?}", now.finalizers());
        assert_eq!(now.spec.run_strategy.as_deref(), Some(strategy), "{what}");
    };
    // The author's manifest names no cluster any more.
    let bare = |strategy: &str| machine("kept", None, &spec(strategy));
    run(&ground, &["apply", "--filename", "-"], &bare("Halted")).await;
    holds("kubectl apply", "Halted").await;
    let ssa = ["apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "--filename", "-"];
    run(&ground, &ssa, &bare("Always")).await;
    holds("server-side apply", "Always").await;
    run(&ground, &["replace", "--filename", "-"], &bare("Halted")).await;
    holds("kubectl replace", "Halted").await;
    let merge = json!({"metadata": {"annotations": null, "finalizers": null}, "spec": {"runStrategy": "Always"}});
    run(&ground, &["patch", "machine", "kept", "--type=merge", "--patch", &merge.to_string()], &Value::Null).await;
    holds("a merge patch", "Always").await;
    let remove = json!([{"op": "remove", "path": "/metadata/annotations"}, {"op": "replace", "path": "/spec/runStrategy", "value": "Halted"}]);
    run(&ground, &["patch", "machine", "kept", "--type=json", "--patch", &remove.to_string()], &Value::Null).await;
    holds("a JSON patch", "Halted").await;
    run(&ground, &["annotate", "machine", "kept", "vitistack.io/kubevirt-config-"], &Value::Null).await;
    holds("kubectl annotate", "Halted").await;
    run(&ground, &["label", "machine", "kept", "tier=web", "--dry-run=server"], &Value::Null).await;
    holds("a dry run", "Halted").await;
    ground.delete("kept").await;
    ground.gone("kept").await;
    assert_eq!(ground.remains("west", "kept").await, Vec::<String>::new());
}
