//! Patches of settings of nodes: the example of the seed, on the live object and on the KubevirtConfig, and what is refused.

use serde_json::{Value, json};

use super::objects::{KUBELET, POOL, SWAP, WATERMARKS};
use super::site::Site;

const PATCH: &str = "platform.kubevirt.io/patch";
/// Word for word, with its line breaks.
const SEED: &str =
    "[\n  {\"op\": \"replace\", \"path\": \"/spec/config/systemd/units/0/contents\", \"value\": \"...\"}\n]\n";

fn contents(object: &Value) -> &str {
    object["spec"]["config"]["systemd"]["units"][0]["contents"].as_str().unwrap_or_default()
}

pub(super) async fn patches_of_node_settings(site: &Site<'_>) {
    site.create(POOL, &json!({"spec": {}})).await;
    site.annotate("patch.asset.swap-optimization", Some(SEED)).await;
    site.ask(&json!({"mode": "Enforce", "nodeDisruption": "Allow"})).await;
    site.states(&[("swap-enable", "Applied"), ("swap-optimization", "Applied"), ("kubelet-perf-settings", "Applied")])
        .await;
    let made = site.get(WATERMARKS).await;
    let generation = &made["metadata"]["generation"];
    assert_eq!((contents(&made), generation), ("...", &json!(1)), "P3, X82: it was made with the patch");
    assert_ne!(site.get(SWAP).await, Value::Null, "X87");
    assert_eq!(site.get(KUBELET).await["spec"]["kubeletConfig"]["maxPods"], 500);

    site.annotate("patch.asset.swap-optimization", None).await;
    let plain =
        site.becomes(WATERMARKS, "without the patch", |it| contents(it).contains("vm.watermark_scale_factor")).await;
    assert_eq!(plain["spec"]["config"]["systemd"]["units"][1]["name"], "system.slice");
    site.edit(WATERMARKS, &json!({"metadata": {"annotations": {PATCH: SEED}}})).await;
    site.becomes(WATERMARKS, "P4, X85: as the seed patches it", |it| contents(it) == "...").await;
    site.state("swap-optimization", "Applied").await;
    unfit_patches_change_nothing(site).await;
}

/// P2, X86: it is left as the last patch made it.
async fn unfit_patches_change_nothing(site: &Site<'_>) {
    let before = site.get(WATERMARKS).await["spec"].clone();
    let rows = [
        (
            "a place that is not there",
            r#"[{"op": "replace", "path": "/spec/config/systemd/units/9/contents", "value": "x"}]"#,
        ),
        ("a merge patch, as a draft of the runbook had it", r#"{"spec": {"kernelArguments": ["nosmt"]}}"#),
        (
            "a dotted pointer, as another draft had it",
            r#"[{"op": "replace", "path": "spec.kernelArguments", "value": []}]"#,
        ),
        ("another name", r#"[{"op": "replace", "path": "/metadata/name", "value": "mine"}]"#),
        ("no JSON", "nonsense"),
    ];
    for (what, patch) in rows {
        site.edit(WATERMARKS, &json!({"metadata": {"annotations": {PATCH: patch}}})).await;
        let says = site.state("swap-optimization", "Refused").await;
        assert!(!says.is_empty(), "{what}");
        assert_eq!(site.get(WATERMARKS).await["spec"], before, "P2, X86: {what}");
        // The next row shows its own refusal.
        site.edit(WATERMARKS, &json!({"metadata": {"annotations": {PATCH: SEED}}})).await;
        site.state("swap-optimization", "Applied").await;
    }
}
