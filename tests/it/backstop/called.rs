//! Which requests reach the webhook: the `matchConditions`, asked of a real API server. Its audit log has a note for every
//! mutating webhook that it called; both configurations have the same conditions.

use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use model::names::{CLEANUP, DELETION_POLICY, KUBEVIRT_CONFIG, RESOLVED};
use serde_json::{Value, json};
use tests::audit::Record;

use super::{HOLD, Machines, all, object};
use crate::fleet::shared;
use crate::machines::{Ground, machine};

/// Whether the webhook was called for what was asked of the API server about a Machine since the mark, and how it ended.
struct Asked<'g> {
    ground: &'g Ground<'g>,
    machines: Machines,
    name: &'static str,
}

impl Asked<'_> {
    async fn edit(&self, edit: Value) -> (bool, bool) {
        self.watched(self.machines.patch(self.name, &PatchParams::default(), &Patch::Merge(edit))).await
    }

    async fn watched(&self, request: impl Future<Output = kube::Result<DynamicObject>>) -> (bool, bool) {
        let audit = self.ground.fleet.supervisor().audit();
        let mark = audit.mark();
        let accepted = request.await.is_ok();
        let records = audit.since(mark).expect("an audit log");
        // Our own processes write to it, too, and their requests are not what is asked about.
        let asked = |it: &&Record| {
            it.is_answer()
                && !it.user.starts_with("system:")
                && it.uri.contains(&format!("/{}/machines", self.ground.namespace))
        };
        let [asked] = records.iter().filter(asked).collect::<Vec<_>>()[..] else {
            panic!("not one request: {records:#?}")
        };
        let called = asked.annotations.iter().any(|(key, note)| {
            key.starts_with("mutation.webhook.admission.k8s.io/") && note.contains("machines.mutate.vitistack.io")
        });
        (called, accepted)
    }
}

const CALLED: (bool, bool) = (true, true);
const REFUSED: (bool, bool) = (true, false);
const SKIPPED: (bool, bool) = (false, true);

#[tokio::test]
async fn x61_the_webhook_is_called_for_what_it_has_to_judge_and_nothing_else() {
    let ground = Ground::new(shared().await, "called").await;
    let asked = Asked { ground: &ground, machines: all(&ground), name: "web" };
    let machines = all(&ground);
    let created = object(&machine("web", Some("east"), &json!({"template": "small"})));
    assert_eq!(asked.watched(machines.create(&PostParams::default(), &created)).await, CALLED, "a creation");
    ground.running("web").await;
    let meta = |key: &str, value: Value| json!({"metadata": {key: value}});
    let annotation = |key: &str, value: Value| json!({"metadata": {"annotations": {key: value}}});
    #[rustfmt::skip]
    let living = [
        ("nothing at all",                json!({}),                                                SKIPPED),
        ("somebody's finalizer",          meta("finalizers", json!([CLEANUP, HOLD])),               SKIPPED),
        ("a claim to be deleted",         json!({"metadata": {"deletionTimestamp": "2026-11-21T00:00:00Z"}, "spec": {"runStrategy": "Always"}}), REFUSED),
        ("the spec",                      json!({"spec": {"runStrategy": "Halted"}}),               CALLED),
        ("the spec, wrongly",             json!({"spec": {"template": "huge"}}),                    REFUSED),
        ("a label",                       meta("labels", json!({"team": "a"})),                     CALLED),
        ("an annotation",                 annotation("team", json!("a")),                           CALLED),
        ("the assignment",                annotation(KUBEVIRT_CONFIG, json!("west")),               REFUSED),
        ("the assignment, taken away",    annotation(KUBEVIRT_CONFIG, Value::Null),                 CALLED),
        ("the size",                      annotation(RESOLVED, json!("{}")),                        REFUSED),
        ("all annotations, taken away",   meta("annotations", Value::Null),                         CALLED),
        ("our finalizer",                 meta("finalizers", json!([HOLD])),                        SKIPPED),
        ("another provider",              json!({"spec": {"provider": "aws"}}),                     REFUSED),
    ];
    for (what, edit, wanted) in living {
        assert_eq!(asked.edit(edit).await, wanted, "called, accepted: {what}");
    }
    let status = Patch::Merge(json!({"status": {"message": "x"}}));
    assert_eq!(
        asked.watched(machines.patch_status("web", &PatchParams::default(), &status)).await,
        SKIPPED,
        "the status"
    );
    let kept = machines.get("web").await.expect("there").metadata.annotations.expect("decided");
    assert_eq!(kept[KUBEVIRT_CONFIG], "east");

    let deleted =
        async { machines.delete("web", &DeleteParams::default()).await.map(|it| it.left().expect("it is held")) };
    assert_eq!(asked.watched(deleted).await, SKIPPED, "the deletion");
    // The API server tries a patch on what its cache holds first, and calls the webhook for that, too.
    ground.until("web", "being deleted", |machine| machine.metadata.deletion_timestamp.is_some()).await;
    #[rustfmt::skip]
    let leaving = [
        ("the spec",                      json!({"spec": {"template": "large"}}),                   REFUSED),
        ("a label",                       meta("labels", json!({"team": "b"})),                     SKIPPED),
        ("an annotation",                 annotation("team", json!("b")),                           SKIPPED),
        ("the assignment",                annotation(KUBEVIRT_CONFIG, json!("west")),               REFUSED),
        ("an address",                    json!({"spec": {"networks": [{"name": "a", "macAddress": "52:54:00:aa:00:01"}]}}), REFUSED),
        ("the size, with a template",     json!({"metadata": annotation(RESOLVED, json!("{}"))["metadata"], "spec": {"template": "large"}}), REFUSED),
        ("the size, with a label",        json!({"metadata": {"annotations": {RESOLVED: "{}"}, "labels": {"vitistack.io/machine-template": "large"}}}), REFUSED),
        ("the size, taken away",          annotation(RESOLVED, Value::Null),                        REFUSED),
        ("the size",                      annotation(RESOLVED, json!("{}")),                        REFUSED),
        ("the deletion policy",           annotation(DELETION_POLICY, json!("Retain")),             CALLED),
        ("the deletion policy, wrongly",  annotation(DELETION_POLICY, json!("Keep")),               REFUSED),
    ];
    for (what, edit, wanted) in leaving {
        assert_eq!(asked.edit(edit).await, wanted, "called, accepted: {what} of one that goes");
    }
    ground.until("web", "cleaned up", |machine| machine.finalizers() == [HOLD]).await;
    assert_eq!(asked.edit(meta("finalizers", json!([]))).await, SKIPPED, "the last finalizer");
    ground.gone("web").await;
}

#[tokio::test]
async fn x61_machines_of_another_provider_are_none_of_ours() {
    let ground = Ground::new(shared().await, "providers").await;
    let asked = Asked { ground: &ground, machines: all(&ground), name: "theirs" };
    let created = object(&machine("theirs", Some("nowhere"), &json!({"template": "small", "provider": "aws"})));
    let params = PostParams::default();
    assert_eq!(asked.watched(asked.machines.create(&params, &created)).await, SKIPPED, "a creation");
    let annotation = |value: Value| json!({"metadata": {"annotations": {KUBEVIRT_CONFIG: value}}});
    #[rustfmt::skip]
    let edits = [
        ("the spec",                 json!({"spec": {"template": "huge"}}),                          SKIPPED),
        ("an annotation of ours",    annotation(json!("elsewhere")),                                 SKIPPED),
        ("a third provider",         json!({"spec": {"provider": "gcp"}}),                           SKIPPED),
        ("it becomes ours, wrongly", json!({"spec": {"provider": "kubevirt", "template": "small"}}), REFUSED),
        ("no annotation of ours",    annotation(Value::Null),                                        SKIPPED),
    ];
    for (what, edit, wanted) in edits {
        assert_eq!(asked.edit(edit).await, wanted, "called, accepted: {what}");
    }
    let mut ours = annotation(json!("east"));
    ours["spec"] = json!({"provider": null, "template": "small"});
    assert_eq!(asked.edit(ours).await, CALLED, "it becomes ours");
    ground.running("theirs").await;
}
