//! What `/debug` and `/metrics` of a running controller say, and that the documents say the same.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};
use tests::fleet::Endpoint;
use tests::probe;
use tests::repository::read;
use tests::wait::eventually;

use super::{Ground, condition, machine, resource};
use crate::fleet::shared;
use crate::table::every_row;

async fn get(ground: &Ground<'_>, endpoint: Endpoint, path: &str) -> Result<String, String> {
    probe::get(ground.fleet.address(endpoint).unwrap_or_else(|error| panic!("{error}")), path).await
}

/// Waits until a page has lines that begin so: the watches of the controller may show a status after ours do.
async fn says(ground: &Ground<'_>, (endpoint, path): (Endpoint, &str), begins: &[String]) -> String {
    eventually(&format!("{path} says {begins:#?}"), async || {
        let page = get(ground, endpoint, path).await?;
        let said = |begin: &String| page.lines().any(|line| line.starts_with(begin.as_str()));
        if begins.iter().all(said) { Ok(page) } else { Err(page) }
    })
    .await
}

#[tokio::test]
async fn d10_d18_d19_d20_the_controller_says_what_it_knows_would_do_and_leaves_alone() {
    let ground = Ground::new(shared().await, "looked-at").await;
    let page = async |path: &str| get(&ground, Endpoint::ControllerDebug, path).await;
    ground.applied(&machine("web", Some("east"), &json!({"template": "small"}))).await;
    ground.applied(&machine("aws", None, &json!({"provider": "aws"}))).await;
    let mut kept = machine("kept", Some("west"), &json!({"template": "small"}));
    kept["metadata"]["annotations"]["vitistack.io/deletion-policy"] = json!("Retain");
    ground.applied(&kept).await;
    // Somebody's disk is in the way.
    ground.fleet.remote("east").expect("east").ensure_namespace("looked-at").await.expect("a namespace");
    let claim = DynamicObject::new("taken-root", &resource("PersistentVolumeClaim", ""))
        .within(&ground.namespace)
        .data(json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}));
    let claims = ground.remote("east", "PersistentVolumeClaim", "").await;
    claims.create(&PostParams::default(), &claim).await.expect("a claim");
    ground.applied(&machine("taken", Some("east"), &json!({"template": "small"}))).await;
    ground.running("web").await;
    ground.running("kept").await;
    ground.until("taken", "in conflict", |it| condition(it, "Ready") == "False/Conflict").await;

    let health = page("/debug/health").await.expect("D20");
    assert!(health.starts_with("Lease     not used, this process works alone"), "{health}");
    for cluster in ["east", "west"] {
        assert!(health.contains(&format!("\n  {cluster}  connected, watched, cluster ")), "{health}");
    }
    assert!(health.contains(", listed and watched\n"), "{health}");

    let vm = ground.remote("east", "VirtualMachine", "kubevirt.io").await.get("vm-web").await.expect("the VM");
    let hash = model::baseline::hash(&vm.annotations()["vitistack.io/last-applied"]);
    let lines = [
        format!("looked-at/web  cluster=east phase=Running hash={hash}: nothing to do"),
        "looked-at/aws  cluster=- phase=- hash=-: nothing to do".to_owned(),
    ];
    let all = says(&ground, (Endpoint::ControllerDebug, "/debug/render"), &lines).await; // D10
    let taken = all.lines().find(|line| line.starts_with("looked-at/taken  ")).expect("D10: a line");
    assert!(taken.contains("create PersistentVolumeClaim taken-root, create VirtualMachine vm-taken"), "{taken}");

    let one: Value = serde_json::from_str(&page("/debug/render/looked-at/web").await.expect("D18")).expect("JSON");
    assert_eq!((&one["writes"], &one["refused"]), (&json!([]), &Value::Null), "{one:#}");
    assert_eq!(one["hash"], json!({"wanted": hash, "written": hash}));
    let shown = &one["virtualMachine"];
    assert_eq!((&shown["metadata"]["name"], &shown["kind"]), (&json!("vm-web"), &json!("VirtualMachine")));
    assert_eq!(shown["spec"]["template"]["spec"]["volumes"], vm.data["spec"]["template"]["spec"]["volumes"]);
    let one: Value = serde_json::from_str(&page("/debug/render/looked-at/taken").await.expect("D18")).expect("JSON");
    let writes: Vec<_> = one["writes"].as_array().into_iter().flatten().map(|write| &write["do"]).collect();
    assert!(writes.contains(&&json!("create PersistentVolumeClaim taken-root")), "{one:#}");
    for path in
        ["/debug/render/looked-at/nobody", "/debug/render/looked-at/%1B%5B2J", "/debug/render/a%2Fb/c", "/debug/x"]
    {
        let missing = page(path).await.expect_err(path);
        assert!(missing.contains(" 404 Not Found"), "{path}: {missing}");
    }

    let lines = [
        "looked-at/aws  ForeignProvider  the Machine: spec.provider is \"aws\"",
        "looked-at/kept  Retain  the disks on \"west\": they stay when the Machine goes",
        "looked-at/taken  Conflict  VirtualMachineReady on \"east\": PersistentVolumeClaim looked-at/taken-root on \"east\"",
    ];
    let left = says(&ground, (Endpoint::ControllerDebug, "/debug/exclusions"), &lines.map(str::to_owned)).await; // D19
    assert!(!left.contains("looked-at/web"), "{left}");
    assert!(page("/debug").await.expect("an index").contains("/debug/render/{namespace}/{machine}"));
}

#[tokio::test]
async fn c28_c29_c30_c31_c41_c45_e20_kvo29_what_is_scraped_is_what_is_documented() {
    let ground = Ground::new(shared().await, "scraped").await;
    ground.applied(&machine("web", Some("east"), &json!({"template": "small"}))).await;
    ground.running("web").await;
    let counts = [
        "kubevirt_operator_machines_total{phase=\"Running\",template=\"small\"} ", // C28
        "kubevirt_operator_reconciliation_duration_seconds_count{controller=\"Machine\"} ", // C29
        "kubevirt_operator_virtual_machines_total{status=\"Running\"} ",           // C30
        "kubevirt_operator_provisioning_total{outcome=\"succeeded\"} ",            // E20
    ];
    // Other suites have their Machines on this fleet, too.
    let text = eventually("what happened is counted", async || {
        let text = get(&ground, Endpoint::ControllerMetrics, "/metrics").await?;
        let counted = |begins: &&str| {
            let value = text.lines().find_map(|line| line.strip_prefix(*begins)?.parse::<f64>().ok());
            value.is_some_and(|value| value >= 1.0)
        };
        if counts.iter().all(counted) { Ok(text) } else { Err(text) }
    })
    .await;
    let errors =
        "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"KubeVirtApiError\"} ";
    assert!(text.contains(errors), "C41: {text}");
    every_row(text.lines(), |line| assert!(line.starts_with('#') || line.starts_with("kubevirt_operator_"), "{line}"));

    let documented = |section: &str| documented(&read("docs/metrics.md"), section);
    // It is there once a network failed somewhere (C43).
    let always = |mut names: BTreeMap<String, String>| {
        names.remove("kubevirt_operator_network_configuration_errors_total");
        names
    };
    assert_eq!(always(scraped(&text)), always(documented("Controller")), "docs/metrics.md");
    let webhook = get(&ground, Endpoint::WebhookMetrics, "/metrics").await.expect("C45");
    let known = documented("Webhook");
    every_row(scraped(&webhook), |(name, kind)| assert_eq!(known.get(&name), Some(&kind), "docs/metrics.md: {name}"));
}

/// Names and types in a scraped text, the names as a query has them.
pub(crate) fn scraped(text: &str) -> BTreeMap<String, String> {
    let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let queried = |(name, kind): (&str, &str)| {
        let total = if kind == "counter" { "_total" } else { "" };
        (format!("{name}{total}"), kind.to_owned())
    };
    described.map(queried).collect()
}

/// Names and types in the tables of a section.
pub(crate) fn documented(page: &str, section: &str) -> BTreeMap<String, String> {
    let rest = page.split(&format!("## {section}\n")).nth(1).unwrap_or_default();
    let rows = rest.split("\n## ").next().unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |row: &str| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        Some((cells.next()?, cells.next()?))
    };
    rows.filter_map(row).collect()
}
