//! What stands beside the webhook: the policy that holds without it, and the one that says who may call it.

use serde_json::json;

use super::{NAMESPACE, Rendered, WEBHOOK, list, only, text};
use crate::table::every_row;

#[test]
fn x60_the_policy_is_bound_denies_and_lets_no_update_off() {
    let release = Rendered::with(&[]);
    let spec = &release.get("ValidatingAdmissionPolicy", "kubevirt-operator")["spec"];
    assert_eq!(spec["failurePolicy"], "Fail");
    assert_eq!(
        *only(&spec["matchConstraints"]["resourceRules"]),
        json!({
            "apiGroups": ["vitistack.io"], "apiVersions": ["v1alpha1"], "resources": ["machines"],
            "operations": ["UPDATE"], "scope": "Namespaced",
        })
    );
    // Machines that are being deleted are judged like others: nobody may re-point one on its way out.
    let conditions: Vec<_> = list(&spec["matchConditions"]).iter().map(|it| text(&it["name"])).collect();
    assert_eq!(conditions, ["ours-before"]);
    assert!(list(&spec["validations"]).iter().all(|it| it["reason"] == "Invalid" && it["message"].is_string()));
    assert_eq!(
        release.get("ValidatingAdmissionPolicyBinding", "kubevirt-operator")["spec"],
        json!({"policyName": "kubevirt-operator", "validationActions": ["Deny"]})
    );
}

#[test]
fn atk4_the_policy_of_the_status_is_bound_denies_and_names_the_controllers_account() {
    let release = Rendered::with(&["statusWriters[0]=system:serviceaccount:velero:velero"]);
    let spec = &release.get("ValidatingAdmissionPolicy", "kubevirt-operator-status")["spec"];
    assert_eq!(spec["failurePolicy"], "Fail");
    let rule = only(&spec["matchConstraints"]["resourceRules"]);
    assert_eq!((&rule["resources"], &rule["operations"]), (&json!(["machines/status"]), &json!(["UPDATE"])));
    let controller = release.get("Deployment", super::CONTROLLER);
    let account = text(&controller["spec"]["template"]["spec"]["serviceAccountName"]).to_owned();
    let writers = list(&spec["variables"]).iter().find(|it| it["name"] == "operator").expect("who may");
    assert_eq!(
        writers["expression"],
        format!(
            r#"request.userInfo.username in ["system:serviceaccount:{NAMESPACE}:{account}","system:serviceaccount:velero:velero"]"#
        )
    );
    assert_eq!(
        release.get("ValidatingAdmissionPolicyBinding", "kubevirt-operator-status")["spec"],
        json!({"policyName": "kubevirt-operator-status", "validationActions": ["Deny"]})
    );
}

#[test]
fn atk1_the_policy_of_the_metadata_is_bound_denies_and_holds_for_every_provider() {
    let release = Rendered::with(&[]);
    let spec = &release.get("ValidatingAdmissionPolicy", "kubevirt-operator-bounds")["spec"];
    assert_eq!((&spec["failurePolicy"], spec.get("matchConditions")), (&json!("Fail"), None));
    let rule = only(&spec["matchConstraints"]["resourceRules"]);
    assert_eq!((&rule["resources"], &rule["operations"]), (&json!(["machines"]), &json!(["CREATE", "UPDATE"])));
    let says: Vec<_> = list(&spec["validations"]).iter().map(|it| text(&it["message"])).collect();
    let wanted = [("annotations", 256), ("finalizers", 64), ("labels", 256), ("ownerReferences", 64)];
    assert_eq!(says, wanted.map(|(field, most)| format!("metadata.{field}: Too many: must have at most {most} items")));
    assert_eq!(
        release.get("ValidatingAdmissionPolicyBinding", "kubevirt-operator-bounds")["spec"],
        json!({"policyName": "kubevirt-operator-bounds", "validationActions": ["Deny"]})
    );
}

#[test]
fn t9_the_policy_of_secrets_is_bound_denies_and_asks_for_each_field() {
    let release = Rendered::with(&[]);
    let spec = &release.get("ValidatingAdmissionPolicy", "kubevirt-operator-secrets")["spec"];
    assert_eq!(spec["failurePolicy"], "Fail");
    let rule = only(&spec["matchConstraints"]["resourceRules"]);
    assert_eq!((&rule["resources"], &rule["operations"]), (&json!(["machines"]), &json!(["CREATE", "UPDATE"])));
    let fields = ["secretRef", "userDataSecretRef", "networkDataSecretRef"];
    let asked = list(&spec["validations"]).iter().zip(fields).filter(|(validation, field)| {
        text(&validation["expression"])
            .contains(&format!("name(object.spec.cloudInit.{field}.name).check('get').allowed()"))
    });
    assert_eq!((asked.count(), list(&spec["validations"]).len()), (3, 3));
    assert_eq!(
        release.get("ValidatingAdmissionPolicyBinding", "kubevirt-operator-secrets")["spec"],
        json!({"policyName": "kubevirt-operator-secrets", "validationActions": ["Deny"]})
    );
}

#[test]
fn r4_the_policy_of_releases_is_bound_denies_and_asks_for_the_verb() {
    let release = Rendered::with(&[]);
    let spec = &release.get("ValidatingAdmissionPolicy", "kubevirt-operator-release")["spec"];
    assert_eq!(spec["failurePolicy"], "Fail");
    let rule = only(&spec["matchConstraints"]["resourceRules"]);
    assert_eq!((&rule["resources"], &rule["operations"]), (&json!(["machines"]), &json!(["CREATE", "UPDATE"])));
    let asked = text(&spec["validations"][0]["expression"]);
    assert!(asked.ends_with(".check('release').allowed()"), "{asked}");
    assert_eq!(
        release.get("ValidatingAdmissionPolicyBinding", "kubevirt-operator-release")["spec"],
        json!({"policyName": "kubevirt-operator-release", "validationActions": ["Deny"]})
    );
}

#[test]
fn t20_the_policy_of_kubevirt_configs_is_bound_denies_and_is_about_the_controllers_account() {
    let release = Rendered::with(&[]);
    let spec = &release.get("ValidatingAdmissionPolicy", "kubevirt-operator-in-use")["spec"];
    assert_eq!(spec["failurePolicy"], "Fail");
    let rule = only(&spec["matchConstraints"]["resourceRules"]);
    assert_eq!((&rule["resources"], &rule["operations"]), (&json!(["kubevirtconfigs"]), &json!(["CREATE", "UPDATE"])));
    let account = text(&release.get("Deployment", super::CONTROLLER)["spec"]["template"]["spec"]["serviceAccountName"])
        .to_owned();
    assert_eq!(
        only(&spec["matchConditions"])["expression"],
        format!("request.userInfo.username == 'system:serviceaccount:{NAMESPACE}:{account}'")
    );
    assert_eq!(
        release.get("ValidatingAdmissionPolicyBinding", "kubevirt-operator-in-use")["spec"],
        json!({"policyName": "kubevirt-operator-in-use", "validationActions": ["Deny"]})
    );
}

#[test]
fn who_may_call_the_webhook_can_be_limited() {
    assert_eq!(Rendered::with(&[]).of_kind("NetworkPolicy").count(), 0);
    let open = Rendered::with(&["networkPolicy.enabled=true"]);
    let set =
        ["networkPolicy.enabled=true,networkPolicy.apiServers[0]=10.0.0.0/24,networkPolicy.apiServers[1]=fd00::/64"];
    let limited = Rendered::with(&set);
    let auto = Rendered::with(&["networkPolicy.apiServers[0]=10.0.0.0/24"]);
    assert_eq!(auto.of_kind("NetworkPolicy").count(), 1, "on by itself where it is known who calls");
    let off = Rendered::with(&["networkPolicy.enabled=false,networkPolicy.apiServers[0]=10.0.0.0/24"]);
    assert_eq!(off.of_kind("NetworkPolicy").count(), 0);
    let from = json!([{"ipBlock": {"cidr": "10.0.0.0/24"}}, {"ipBlock": {"cidr": "fd00::/64"}}]);
    every_row([(&open, None), (&limited, Some(&from))], |(release, from)| {
        let policy = release.get("NetworkPolicy", WEBHOOK);
        let spec = &policy["spec"];
        assert_eq!((&policy["metadata"]["namespace"], &spec["policyTypes"]), (&json!(NAMESPACE), &json!(["Ingress"])));
        let [webhook, rest] = list(&spec["ingress"]) else { panic!("{spec}") };
        assert_eq!((webhook.get("from"), &webhook["ports"][0]["port"]), (from, &json!("webhook")));
        let open: Vec<_> = list(&rest["ports"]).iter().map(|it| text(&it["port"])).collect();
        assert_eq!(open, ["metrics", "health"]);
        let labels = &release.get("Deployment", WEBHOOK)["spec"]["template"]["metadata"]["labels"];
        let selected = spec["podSelector"]["matchLabels"].as_object().expect("a selector");
        assert!(selected.iter().all(|(key, value)| labels[key] == *value), "{selected:?} selects no pod of ours");
    });
}

#[test]
fn p1_x84_the_policies_of_the_platform_judge_what_is_new_and_only_one_of_them_refuses() {
    let release = Rendered::with(&[]);
    let policy = |name: &str| release.get("ValidatingAdmissionPolicy", name)["spec"].clone();
    let (refuses, warns) = (policy("kubevirt-operator-platform"), policy("kubevirt-operator-platform-words"));
    every_row([(&refuses, "Fail"), (&warns, "Ignore")], |(spec, failing)| {
        assert_eq!(spec["failurePolicy"], failing);
        let rule = only(&spec["matchConstraints"]["resourceRules"]);
        assert_eq!(
            (&rule["resources"], &rule["operations"]),
            (&json!(["kubevirtconfigs"]), &json!(["CREATE", "UPDATE"]))
        );
    });
    // The controller writes finalizers of a KubevirtConfig, also where an annotation is older than the policy.
    assert!(text(&only(&refuses["matchConditions"])["expression"]).contains("oldObject == null || "));
    let bound = |name: &str| release.get("ValidatingAdmissionPolicyBinding", name)["spec"]["validationActions"].clone();
    assert_eq!(bound("kubevirt-operator-platform"), json!(["Deny"]));
    assert_eq!(bound("kubevirt-operator-platform-words"), json!(["Warn"]));
}
