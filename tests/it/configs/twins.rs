//! Two KubevirtConfigs of one cluster.

use kube::Api;
use model::api::KubevirtConfig;
use serde_json::json;
use tests::fleet::CONFIGS_NAMESPACE;
use tests::install::kubectl;

use super::{condition, create, says, shown};
use crate::fleet::fresh;
use crate::machines::{Ground, machine, said};

const MARKED: &str = "True/SameCluster";

#[tokio::test]
async fn fr9_x98_the_younger_config_of_a_cluster_is_marked_and_takes_over_when_the_elder_goes() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let marked = async |name: &str, wanted: &str| {
        shown(&configs, name, "its mark", |status| condition(status, "Duplicate") == wanted).await
    };
    says(&configs, "east", "the cluster answers").await;
    create(&configs, "again", &json!({"name": "again", "kubeconfigSecretRef": "east-kubeconfig"})).await;
    let twin = marked("again", MARKED).await;
    let sentence = "KubevirtConfig \"east\" is older and leads to the same cluster: this one takes no new Machines";
    let message = twin.message.as_deref().unwrap_or_default();
    assert!(message.starts_with(sentence), "{message}");
    assert_eq!(condition(&configs.get_status("east").await.expect("there").status.expect("a status"), "Duplicate"), "");

    let web = machine("web", Some("again"), &json!({"template": "small"}));
    let apply = ["--namespace", &ground.namespace, "apply", "--filename", "-"];
    let refused = said(kubectl(fleet.supervisor(), &apply, &web.to_string()).await).expect_err("a duplicate");
    assert!(refused.contains("takes no new Machines: name \"east\""), "{refused}");

    configs.delete("east", &Default::default()).await.expect("deleted");
    marked("again", "").await;
    ground.applied(&web).await;
    ground.running("web").await;

    create(&configs, "east", &json!({"name": "east", "kubeconfigSecretRef": "east-kubeconfig"})).await;
    marked("east", MARKED).await;
    ground.running("web").await;
    let again = configs.get_status("again").await.expect("there").status.expect("a status");
    assert_eq!(condition(&again, "Duplicate"), "", "it is the elder now");
}
