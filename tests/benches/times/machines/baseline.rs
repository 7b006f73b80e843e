//! What the platform baseline of clusters takes of the controller: memory for each asset of each of them. PERF-C5, X80.

use model::platform::given;
use serde_json::{Value, json};
use tests::platform_crds::{CURRENT, manifests};

use super::ground::Ground;
use super::judge;
use super::world::Fleet;
use crate::Fault;
use crate::children::resident;

/// Clusters that have every operator: few and many, because the catalogue and the code take memory once.
const CLUSTERS: [usize; 2] = [10, 60];
/// KiB for each asset of a cluster.
const MOST_EACH: f64 = 4.0;
/// So many looks, each half a second, are awaited; and so many that show the same.
const LOOKS: usize = 160;
const SAME: usize = 10;
/// Where HyperConverged is, and what it is called.
const VIRT: &str = "kubevirt-hyperconverged";
/// What turns on assets that nobody has unless he asks.
const WORDS: [(&str, &str); 6] = [
    ("enable-aaq", "true"),
    ("enable-loadaware", "true"),
    ("enable-pci-passthrough", "true"),
    ("enable-usb", "true"),
    ("enable-vfio", "true"),
    ("reserved-system-cpus", "0-1"),
];

/// Measures, prints, and says whether the limit holds.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) async fn measure() -> Result<bool, Fault> {
    println!("\nresident memory of the controller, KiB");
    let [few, many] = [grown(CLUSTERS[0]).await?, grown(CLUSTERS[1]).await?];
    Ok(judge("KiB of each asset", (many.0 - few.0) / (many.1 - few.1) as f64, MOST_EACH))
}

/// How much more the controller takes once the baselines of so many clusters are kept, and how many assets these are.
async fn grown(clusters: usize) -> Result<(f64, usize), Fault> {
    let ground = Ground::new(Fleet { clusters, baseline: true, ..Fleet::default() }).await?;
    let controller = ground.controller()?;
    until(&ground, |states| states.iter().all(|it| it["clusterId"].is_string())).await?;
    let off = resident(controller.id())?;
    ground.say("enforce", 0).await?;
    let states = until(&ground, |states| states.iter().all(|it| applied(it) > 0)).await?;
    let (kept, assets) = (resident(controller.id())?, states.iter().map(applied).sum::<usize>());
    println!("{clusters} clusters: without a baseline {off:.0}, with {kept:.0} once {assets} assets are applied");
    Ok((kept - off, assets))
}

/// How many assets of a cluster are as they should be; none, while any that was asked for is not.
fn applied(status: &Value) -> usize {
    let summary = status["platform"]["summary"].as_str().unwrap_or_default();
    let parts = summary.strip_suffix(" applied").and_then(|it| it.split_once('/'));
    parts.filter(|(some, all)| some == all).and_then(|(some, _)| some.parse().ok()).unwrap_or_default()
}

/// The statuses of the clusters, once they are as wanted and nothing changes any more.
async fn until(ground: &Ground, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>, Fault> {
    let (mut last, mut same) = (Vec::new(), 0);
    for _ in 0..LOOKS {
        ground.pause().await;
        let states = ground.statuses().await?;
        same = if states == last && wanted(&states) { same + 1 } else { 0 };
        last = states;
        if same == SAME {
            return Ok(last);
        }
    }
    Err(format!("the clusters do not settle: {:#}", last.first().unwrap_or(&Value::Null)).into())
}

/// What a KubevirtConfig asks for.
pub(super) fn ask(config: &mut Value) {
    config["spec"]["platform"] = json!({"mode": "Enforce", "nodeDisruption": "Allow"});
    for (word, text) in WORDS {
        config["metadata"]["annotations"][format!("platform.kubevirt.io/{word}")] = json!(text);
    }
}

/// What a cluster has for every asset of the catalogue: plural and object.
pub(super) fn objects() -> Result<Vec<(&'static str, Value)>, Fault> {
    let definitions = given::objects(&manifests(&CURRENT)?, "CustomResourceDefinition")?;
    let mut all: Vec<_> = definitions.into_iter().map(|it| ("customresourcedefinitions", it)).collect();
    let namespaces = [
        VIRT,
        "metallb-system",
        "openshift-kube-descheduler-operator",
        "openshift-mtv",
        "openshift-workload-availability",
    ];
    all.extend(namespaces.map(|name| ("namespaces", json!({"metadata": {"name": name}}))));
    let found = ["memory-numa", "pci-0302_10de.present", "usb-ff_0bda_8153.present"];
    let mut labels = json!({"node-role.kubernetes.io/worker": "", "platform.kubevirt.io/iommu": "true"});
    for name in found {
        labels[format!("feature.node.kubernetes.io/{name}")] = json!("true");
    }
    all.extend((0..3).map(|at| ("nodes", json!({"metadata": {"name": format!("node-{at}"), "labels": labels}}))));
    all.push((
        "hyperconvergeds",
        json!({"apiVersion": "hco.kubevirt.io/v1beta1", "kind": "HyperConverged",
            "metadata": {"name": VIRT, "namespace": VIRT}, "spec": {}}),
    ));
    all.push((
        "selfnoderemediationtemplates",
        json!({"metadata": {"name": "self-node-remediation-automatic-strategy-template",
            "namespace": "openshift-workload-availability"}}),
    ));
    for (plural, object) in &mut all {
        let uid = format!("{plural}-{}", object["metadata"]["name"].as_str().unwrap_or_default());
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["generation"] = json!(1);
    }
    Ok(all)
}
