//! Several controllers: how one follows the other, and what of them is reachable.

use serde_json::json;

use super::{CONTROLLER, Rendered, list, only};

#[test]
fn c57_a_controller_waits_for_its_predecessor_and_without_election_comes_after_it() {
    let strategy = |sets: &[&str]| Rendered::with(sets).get("Deployment", CONTROLLER)["spec"]["strategy"].clone();
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    assert_eq!(strategy(&[]), rolling);
    assert_eq!(strategy(&["leaderElection=false"]), json!({"type": "Recreate"}), "two would both write");
    assert_eq!(Rendered::with(&["leaderElection=false"]).env(CONTROLLER)["LEADER_ELECTION"], "false");
    let two = Rendered::with(&["replicaCount=2"]);
    assert_eq!(two.get("Deployment", CONTROLLER)["spec"]["replicas"], 2);
    assert_eq!(two.get("PodDisruptionBudget", CONTROLLER)["spec"]["minAvailable"], 1);
    assert_eq!(only(&two.pod(CONTROLLER)["topologySpreadConstraints"])["topologyKey"], "kubernetes.io/hostname");
}

#[test]
fn e5_x105_a_hub_is_mounted_and_named_only_where_the_values_say_so() {
    let none = Rendered::with(&["vmaasHub.id=hub-2"]);
    assert!(!none.env(CONTROLLER).keys().any(|name| name.starts_with("VMAAS_HUB")), "flags removed");
    let release = Rendered::with(&["vmaasHub.kubeconfigSecret=hub-kubeconfig", "vmaasHub.namespace=vmaas-{namespace}"]);
    let env = release.env(CONTROLLER);
    let file = "/etc/kubevirt-operator/vmaas-hub/kubeconfig";
    let set = ["VMAAS_HUB_KUBECONFIG", "VMAAS_HUB_ID", "VMAAS_HUB_NAMESPACE"].map(|name| env[name]);
    assert_eq!(set, [file, "vmaas-primary", "vmaas-{namespace}"]);
    let pod = release.pod(CONTROLLER);
    let mount = only(&pod["containers"][0]["volumeMounts"]);
    assert_eq!((&mount["mountPath"], &mount["readOnly"]), (&json!("/etc/kubevirt-operator/vmaas-hub"), &json!(true)));
    let secret = &only(&pod["volumes"])["secret"];
    assert_eq!((&secret["secretName"], &secret["optional"]), (&json!("hub-kubeconfig"), &json!(true)));
    assert_eq!(release.pod(super::WEBHOOK).get("volumes"), None);
}

#[test]
fn kvo24_x20_nothing_scales_who_leads_and_nothing_is_served_that_nobody_should_see() {
    for release in [Rendered::with(&[]), Rendered::with(&["replicaCount=3"])] {
        assert_eq!(release.of_kind("HorizontalPodAutoscaler").count(), 0, "KVO24: the others would only wait");
        let container = &release.pod(CONTROLLER)["containers"][0];
        let ports: Vec<_> = list(&container["ports"]).iter().map(|port| port["containerPort"].clone()).collect();
        assert_eq!(ports, [json!(8080), json!(8081)], "X20: /debug is for whoever is inside the pod");
        assert_eq!(release.env(CONTROLLER).get("DEBUG_BIND_ADDRESS"), None, "X20: 127.0.0.1:8082");
    }
}
