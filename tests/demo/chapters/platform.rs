//! The platform below the machines: a cluster that is compared, and one that is kept true.

use std::panic::resume_unwind;

use ::tests::fleet::{CONFIGS_NAMESPACE, Fleet, NAMESPACE};
use ::tests::install::{self, Render, apply, chart};
use ::tests::platform_crds::{Definition, manifests};
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::story::Story;
use crate::{Result, Trouble, say};

const DESCHEDULER: &str = "kubedescheduler/cluster";
const OPERATORS: &str = "openshift-kube-descheduler-operator";
const VIRT: &str = "kubevirt-hyperconverged";
const FORKLIFT: &str = "forkliftcontroller/forklift-controller";
const MARK: &str = r"jsonpath={.metadata.annotations.platform\.kubevirt\.io/reconcile-paused}";
const KINDS: [Definition; 4] =
    [Definition::HyperConverged, Definition::KubeDescheduler, Definition::ForkliftController, Definition::MetalLb];
/// An opponent who has not given up by then meets no resistance.
const ROUNDS: usize = 20;

/// Compared, kept true, and what administrators may say to it.
pub(super) async fn baseline(story: &mut Story<'_>) -> Result<()> {
    story.tell("both clusters get HyperConverged and three operators: their kinds, their namespaces, nothing else");
    let text = spawn_blocking(|| manifests(&KINDS)).await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
    let text = text.map_err(|error| Trouble::Said(error.to_string()))?;
    say::during("installing them", operators(story.fleet, &text)).await?;
    story.tell("on each cluster, its administrator grants the rights");
    say::command(&format!(
        "helm upgrade kubevirt-operator charts/kubevirt-operator -n {NAMESPACE} --set mode=remote --set platform.enabled=true"
    ));
    say::during("granting them", rights(story.fleet)).await?;
    compared(story).await?;
    kept(story).await?;
    words(story).await?;
    war(story).await
}

async fn operators(fleet: &Fleet, definitions: &str) -> ::tests::Result<()> {
    let object = |version: &str, kind: &str, namespace: &str, name: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": {}});
    let mut descheduler = object("operator.openshift.io/v1", "KubeDescheduler", OPERATORS, "cluster");
    descheduler["metadata"]["labels"] = json!({"platform.kubevirt.io/managed-by": "kubevirt-operator"});
    descheduler["spec"] = json!({"mode": "Predictive"});
    let objects = [object("hco.kubevirt.io/v1beta1", "HyperConverged", VIRT, VIRT), descheduler];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    for remote in fleet.remotes() {
        apply(remote, definitions).await?;
        for namespace in [OPERATORS, VIRT, "openshift-mtv", "metallb-system"] {
            remote.ensure_namespace(namespace).await?;
        }
        apply(remote, &list).await?;
    }
    Ok(())
}

async fn rights(fleet: &Fleet) -> ::tests::Result<()> {
    let set = ["mode=remote", "platform.enabled=true"].map(str::to_owned).to_vec();
    let rendered = install::template(&chart(), &Render { set, ..Render::in_namespace(NAMESPACE) }).await?;
    for remote in fleet.remotes() {
        apply(remote, &rendered).await?;
    }
    Ok(())
}

/// Changes a KubevirtConfig.
async fn ask(story: &mut Story<'_>, cluster: &str, patch: &str) -> Result<()> {
    story.run(&["-n", CONFIGS_NAMESPACE, "patch", "kvc", cluster, "--type=merge", "-p", patch]).await
}

async fn annotate(story: &mut Story<'_>, cluster: &str, annotation: &str) -> Result<()> {
    story.run(&["-n", CONFIGS_NAMESPACE, "annotate", "kvc", cluster, "--overwrite", annotation]).await
}

async fn reason(story: &mut Story<'_>, cluster: &str, wanted: &str) -> Result<()> {
    let path = format!("--for=jsonpath={{.status.conditions[?(@.type==\"PlatformReady\")].reason}}={wanted}");
    story.run(&["-n", CONFIGS_NAMESPACE, "wait", &format!("kvc/{cluster}"), &path, "--timeout=90s"]).await
}

async fn table(story: &mut Story<'_>) -> Result<()> {
    story.run(&["-n", CONFIGS_NAMESPACE, "get", "kvc"]).await
}

async fn compared(story: &mut Story<'_>) -> Result<()> {
    story.tell("west is compared: what would be written is told, and nothing is written");
    annotate(story, "west", "platform.kubevirt.io/enable-loadaware=true").await?;
    ask(story, "west", r#"{"spec":{"platform":{"mode":"Audit"}}}"#).await?;
    reason(story, "west", "PlatformDiffers").await?;
    story.describe_config("west", &["PlatformReady"]).await?;
    let states = r#"jsonpath={range .status.platform.assets[*]}{.name}: {.state} {.message}{"\n"}{end}"#;
    story.run(&["-n", CONFIGS_NAMESPACE, "get", "kvc", "west", "-o", states]).await?;
    story.on("west", &["-n", OPERATORS, "get", DESCHEDULER, "-o", r#"jsonpath={.spec.mode}{"\n"}"#]).await
}

async fn kept(story: &mut Story<'_>) -> Result<()> {
    story.tell("east is kept true, but for MetalLB: its administrator wants none");
    annotate(story, "east", "platform.kubevirt.io/enable-loadaware=true").await?;
    annotate(story, "east", "platform.kubevirt.io/disabled-resources=MetalLB/metallb").await?;
    ask(story, "east", r#"{"spec":{"platform":{"mode":"Enforce"}}}"#).await?;
    reason(story, "east", "PlatformApplied").await?;
    table(story).await?;
    story.on("east", &["get", "kubedescheduler,forkliftcontroller,metallb", "-A"]).await?;
    story.tell("somebody turns the descheduler to simulation: that is set back, and told");
    let edit = r#"{"spec":{"mode":"Predictive"}}"#;
    story.on("east", &["-n", OPERATORS, "patch", DESCHEDULER, "--type=merge", "-p", edit]).await?;
    until(story, OPERATORS, DESCHEDULER, "{.spec.mode}=Automatic").await?;
    story.describe_config("east", &["AssetWritten"]).await
}

async fn until(story: &mut Story<'_>, namespace: &str, object: &str, path: &str) -> Result<()> {
    story.on("east", &["-n", namespace, "wait", object, &format!("--for=jsonpath={path}"), "--timeout=90s"]).await
}

/// A field that is ignored, and a patch.
async fn words(story: &mut Story<'_>) -> Result<()> {
    story
        .tell("the administrator of east keeps one field of HyperConverged: of two changes, the other one is set back");
    let field = "/spec/liveMigrationConfig/parallelMigrationsPerCluster";
    let ignore = format!("platform.kubevirt.io/ignore-fields={field}");
    let hco = format!("hyperconverged/{VIRT}");
    story.on("east", &["-n", VIRT, "annotate", &hco, "--overwrite", &ignore]).await?;
    let edit = r#"{"spec":{"liveMigrationConfig":{"parallelMigrationsPerCluster":9,"progressTimeout":1}}}"#;
    story.on("east", &["-n", VIRT, "patch", &hco, "--type=merge", "-p", edit]).await?;
    until(story, VIRT, &hco, "{.spec.liveMigrationConfig.progressTimeout}=150").await?;
    until(story, VIRT, &hco, "{.spec.liveMigrationConfig.parallelMigrationsPerCluster}=9").await?;
    story.tell("and the descheduler moves as many machines at once as HyperConverged now lets migrate");
    until(story, OPERATORS, DESCHEDULER, "{.spec.evictionLimits.total}=9").await?;
    story.tell("a patch, on the KubevirtConfig: it holds for the object whether that is there already or not");
    let patch = r#"platform.kubevirt.io/patch.asset.mtv-operator=[{"op":"add","path":"/spec/controller_max_vm_inflight","value":30}]"#;
    annotate(story, "east", patch).await?;
    until(story, "openshift-mtv", FORKLIFT, "{.spec.controller_max_vm_inflight}=30").await
}

/// Somebody who changes the same field again each time.
async fn war(story: &mut Story<'_>) -> Result<()> {
    story.tell("somebody sets the interval of the descheduler to an hour, again and again. After ten corrections that is left alone");
    let kubeconfig = story.fleet.remote("east")?.kubeconfig().display().to_string();
    let at = ["--kubeconfig", kubeconfig.as_str(), "-n", OPERATORS];
    let edit = r#"{"spec":{"deschedulingIntervalSeconds":3600}}"#;
    let fought = async {
        for _ in 0..ROUNDS {
            story.look(&[&at[..], &["patch", DESCHEDULER, "--type=merge", "-p", edit]].concat()).await?;
            let back = "--for=jsonpath={.spec.deschedulingIntervalSeconds}=60";
            let wait = [&at[..], &["wait", DESCHEDULER, back, "--timeout=10s"]].concat();
            if !story.look(&wait).await?.ok {
                break;
            }
        }
        Ok::<_, Trouble>(())
    };
    say::during("fighting", fought).await?;
    story.on("east", &["-n", OPERATORS, "get", DESCHEDULER, "-o", &format!("{MARK}{{\"\\n\"}}")]).await?;
    reason(story, "east", "PlatformPaused").await?;
    story.describe_config("east", &["PlatformReady", "AssetPaused"]).await?;
    table(story).await
}
