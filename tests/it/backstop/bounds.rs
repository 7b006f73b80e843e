//! How much metadata a Machine may have, whoever runs it: the last table of `docs/backstop.md`, asked of a real API server.

use std::fs;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};
use tests::fleet::Component;
use tests::install::{apply, kubectl};
use tests::process::Stop;
use tests::repository::root;
use tests::wait::eventually;

use super::{all, object};
use crate::fleet::{fresh, shared};
use crate::machines::{Ground, machine};
use crate::table::every_row;

const POLICY: &str = "kubevirt-operator-bounds";

/// Field of the metadata, how many there may be, and what is said of one more.
struct Row {
    field: String,
    most: usize,
    says: String,
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/backstop.md")).expect("docs/backstop.md");
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `metadata.")?.strip_suffix("` |")?.split(" | ").collect();
        let [field, most, says] = cells[..] else { return None };
        let (field, most) = (field.trim_matches('`').to_owned(), most.parse().ok()?);
        Some(Row { field, most, says: says.trim_matches('`').to_owned() })
    };
    let rows: Vec<Row> = page.lines().filter_map(row).collect();
    assert_eq!(rows.len(), 4, "one for each list and map of the metadata");
    rows
}

/// A Machine of a provider with so many entries in a field of its metadata.
fn with(name: &str, provider: &str, field: &str, count: usize) -> Value {
    let mut machine = machine(name, Some("east"), &json!({"template": "small", "provider": provider}));
    let pairs = |of: Option<&Value>| -> Value {
        let mut pairs: Map<String, Value> = of.and_then(Value::as_object).cloned().unwrap_or_default();
        for at in pairs.len()..count {
            pairs.insert(format!("k{at}"), json!(""));
        }
        json!(pairs)
    };
    let owner = |at: usize| json!({"apiVersion": "v1", "kind": "Pod", "name": format!("größe\u{1b}-{at}"), "uid": format!("u-{at}")});
    machine["metadata"][field] = match field {
        "finalizers" => json!(vec!["a"; count]),
        "ownerReferences" => (0..count).map(owner).collect(),
        _ => pairs(machine["metadata"].get(field)),
    };
    machine
}

#[tokio::test]
async fn atk1_of_no_provider_may_a_machine_have_more_metadata_than_the_page_says() {
    let ground = Ground::new(shared().await, "bounds").await;
    let machines = all(&ground);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let mut answers = Vec::new();
    for row in rows() {
        for (provider, count) in [("proxmox", row.most), ("proxmox", row.most + 1), ("kubevirt", row.most + 1)] {
            let asked = object(&with("many", provider, &row.field, count));
            let answer = machines.create(&params, &asked).await.map(|_| ()).map_err(|why| why.to_string());
            answers.push((row.field.clone(), row.says.clone(), provider, count > row.most, answer));
        }
    }
    every_row(answers, |(field, says, provider, refused, answer)| match answer {
        Ok(()) => assert!(!refused, "{field} of {provider}: {says}"),
        Err(why) => {
            // Of ours, the webhook says it of finalizers, and it adds annotations.
            let says = if provider == "kubevirt" { says.rsplit(": ").next().expect("the bound") } else { &says };
            assert!(refused && why.contains(says), "{field} of {provider}: {why}");
            assert!(why.contains(POLICY) || field == "finalizers" && provider == "kubevirt", "{why}");
        }
    });
}

/// What was stored before there was the policy goes on, and goes; and until then it stops nothing (ATK1).
#[tokio::test]
async fn atk1_one_machine_with_very_many_finalizers_stops_neither_process() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "bounds").await;
    let machines = all(&ground);
    let binding = ["get", "validatingadmissionpolicybinding", POLICY, "--output=json"];
    let bound = kubectl(fleet.supervisor(), &binding, "").await.unwrap_or_else(|error| panic!("{error}"));
    let unbind = ["delete", "validatingadmissionpolicybinding", POLICY];
    kubectl(fleet.supervisor(), &unbind, "").await.unwrap_or_else(|error| panic!("{error}"));
    let params = PostParams::default();
    let huge = object(&with("huge", "proxmox", "finalizers", 280_000));
    eventually("the API server takes any number", async || machines.create(&params, &huge).await).await;
    let mut owned = with("owned", "proxmox", "ownerReferences", 65);
    owned["metadata"]["finalizers"] = json!(["a"]);
    machines.create(&params, &object(&owned)).await.unwrap_or_else(|error| panic!("{error}"));
    let bound: Value = serde_json::from_str(&bound).expect("JSON");
    let again = json!({"apiVersion": bound["apiVersion"], "kind": bound["kind"], "metadata": {"name": POLICY}, "spec": bound["spec"]});
    apply(fleet.supervisor(), &again.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    let refused = object(&with("refused", "proxmox", "finalizers", 65));
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the policy holds again", async || match machines.create(&dry, &refused).await {
        Ok(_) => Err("it is let in".to_owned()),
        Err(_) => Ok(()),
    })
    .await;

    for ours in [Component::Controller, Component::Webhook] {
        fleet.stop(&ours, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
        fleet.start(&ours).await.unwrap_or_else(|error| panic!("not ready: {error}"));
    }
    ground.applied(&machine("beside", Some("east"), &json!({"template": "small"}))).await;
    ground.running("beside").await;

    let edit = |edit: Value| Patch::Merge(edit);
    let params = PatchParams::default();
    let labelled = json!({"metadata": {"labels": {"team": "a"}}});
    machines.patch("huge", &params, &edit(labelled)).await.unwrap_or_else(|error| panic!("{error}"));
    machines.delete("huge", &DeleteParams::default()).await.unwrap_or_else(|error| panic!("{error}"));
    let emptied = json!({"metadata": {"finalizers": []}});
    machines.patch("huge", &params, &edit(emptied)).await.unwrap_or_else(|error| panic!("{error}"));
}
