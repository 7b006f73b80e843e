//! What still refuses a wrong Machine while the webhook is away. `docs/backstop.md` is the table of cases: read, and every row
//! of it asked of a real API server, so that the page cannot say what does not hold.

mod bounds;
mod called;
mod forged;
mod passes;
mod platform;
mod record;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use model::names::{CLEANUP, KUBEVIRT_CONFIG};
use serde_json::{Value, json};
use tests::fleet::Component;
use tests::install::{apply, kubectl};
use tests::process::Stop;
use tests::wait::eventually;

use self::record::{Answer, Row, answer, case, rows};
use crate::fleet::fresh;
use crate::machines::{Ground, machine, resource};
use crate::table::every_row;

/// Machines of any shape: also those that no type of ours could hold.
type Machines = Api<DynamicObject>;

/// Finalizer of somebody else, so that a deletion does not end.
const HOLD: &str = "example.org/hold";

#[tokio::test]
async fn x34_x55_x60_x62_t10_atk4_what_is_refused_without_the_webhook_is_what_the_page_says() {
    let fleet = fresh(&["east", "west"]).await;
    let ground = Ground::new(&fleet, "backstop").await;
    let tenant = tenant(&ground).await;
    let small = json!({"template": "small"});
    for name in ["running", "leaving", "moves"] {
        ground.applied(&machine(name, Some("east"), &small)).await;
        ground.running(name).await;
    }
    edited(&all(&ground), "leaving", json!({"metadata": {"finalizers": [CLEANUP, HOLD]}})).await;
    ground.delete("leaving").await;
    nothing_moves(&tenant, "while it decides", "the Machine is on \"east\" and cannot move to \"west\"").await;

    fleet.stop(&Component::Webhook, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    let rows = rows();
    for row in rows.iter().filter(|row| matches!(&*row.machine, "" | "running" | "leaving")) {
        let found = ask(&tenant, row).await;
        assert!(
            matches!(&found, Answer::Uncalled(webhook) if webhook == "machines.mutate.vitistack.io"),
            "{row:?}: {found:?}"
        );
    }
    nothing_moves(&tenant, "while it is away", "failed calling webhook").await;

    ignore_the_webhook(&ground).await;
    ground.applied(&machine("assigned", Some("east"), &small)).await;
    ground.applied(&machine("undecided", None, &small)).await;
    let mut wrong = Vec::new();
    for row in &rows {
        let found = ask(&tenant, row).await;
        if !row.is(&found) {
            wrong.push(format!("docs/backstop.md says {row:#?}\nbut it is {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    nothing_moves(&tenant, "while it is not asked", "denied request: metadata.annotations").await;

    passes::a_life_without_the_webhook(&ground).await;
    passes::what_is_recorded_can_be_put_back_and_nothing_else(&ground).await;
    passes::what_is_undecided_is_decided_when_the_webhook_is_back(&ground).await;
    passes::every_change_of_size_is_resolved_again(&ground).await;
    passes::an_edited_class_waits_for_a_refresh(&ground).await;
    forged::what_is_forged_all_the_same_leads_nowhere(&ground).await;
}

/// A person who may do anything with Machines of the namespace, and nothing else.
async fn tenant(ground: &Ground<'_>) -> Machines {
    let rights = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: tenant, namespace: backstop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: tenant, namespace: backstop}
rules: [{apiGroups: [vitistack.io], resources: [machines, machines/status], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: tenant, namespace: backstop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: tenant}
subjects: [{kind: ServiceAccount, name: tenant, namespace: backstop}]
";
    let supervisor = ground.fleet.supervisor();
    apply(supervisor, rights).await.unwrap_or_else(|error| panic!("{error}"));
    let kubeconfig = supervisor.token_kubeconfig("backstop", "tenant").await.unwrap_or_else(|error| panic!("{error}"));
    let client = supervisor.client_from(&kubeconfig).await.unwrap_or_else(|error| panic!("{error}"));
    Api::namespaced_with(client, "backstop", &resource("Machine", "vitistack.io"))
}

/// The administrator's view of the same.
fn all(ground: &Ground<'_>) -> Machines {
    Api::namespaced_with(ground.supervisor.clone(), &ground.namespace, &resource("Machine", "vitistack.io"))
}

async fn edited(machines: &Machines, name: &str, edit: Value) -> DynamicObject {
    let edited = machines.patch(name, &PatchParams::default(), &Patch::Merge(&edit)).await;
    edited.unwrap_or_else(|refused| panic!("{name}: {edit}: {refused}"))
}

/// Asks for what a row describes, without storing it.
async fn ask(machines: &Machines, row: &Row) -> Answer {
    if row.machine.is_empty() {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        return answer(machines.create(&params, &object(&case(&row.json))).await);
    }
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    answer(machines.patch(&row.machine, &params, &Patch::Merge(&row.json)).await)
}

fn object(machine: &Value) -> DynamicObject {
    serde_json::from_value(machine.clone()).expect("a kind, a name and anything")
}

/// Every way in which a person may try to move a VM. The assignment stays whatever the answer is.
async fn nothing_moves(tenant: &Machines, when: &str, refusal: &str) {
    let to = |cluster: Value| json!({"metadata": {"annotations": {KUBEVIRT_CONFIG: cluster}}});
    let apply = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {"annotations": {KUBEVIRT_CONFIG: "west"}}, "spec": {"template": "small"},
    });
    let forced = PatchParams::apply("tenant").force();
    let attempts = [
        ("an edit", tenant.patch("moves", &PatchParams::default(), &Patch::Merge(to(json!("west")))).await),
        ("an apply", tenant.patch("moves", &forced, &Patch::Apply(apply)).await),
        (
            "an edit on its way out",
            tenant.patch("leaving", &PatchParams::default(), &Patch::Merge(to(json!("west")))).await,
        ),
    ];
    every_row(attempts, |(how, attempt)| {
        let refused = attempt.expect_err(how).to_string();
        assert!(refused.contains(refusal), "{how} {when}: {refused}");
    });
    // The webhook puts the key back; the policy refuses to lose it.
    let _ = tenant.patch("moves", &PatchParams::default(), &Patch::Merge(to(Value::Null))).await;
    forged::no_tenant_writes_what_is_recorded(tenant, when).await;
    for name in ["moves", "leaving"] {
        let stays = tenant.get(name).await.expect("there");
        assert_eq!(stays.metadata.annotations.unwrap_or_default()[KUBEVIRT_CONFIG], "east", "{name} {when}");
    }
}

/// Sets `failurePolicy: Ignore`, and waits until the API server knows: it follows its own watch.
async fn ignore_the_webhook(ground: &Ground<'_>) {
    let ignored = json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]);
    for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
        let args = ["patch", kind, "kubevirt-operator", "--type=json", "--patch", &ignored.to_string()];
        kubectl(ground.fleet.supervisor(), &args, "").await.unwrap_or_else(|error| panic!("{error}"));
    }
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let any = object(&case(&json!({})));
    let machines = all(ground);
    eventually("the API server stops calling the webhook", async || machines.create(&params, &any).await).await;
}
