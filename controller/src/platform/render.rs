//! `kubevirt-operator-controller render`: what a cluster would get, from files or from the cluster itself. I/O: reads the
//! files that are named, asks the cluster of `--kubeconfig`, and writes to the terminal. P8, P9.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use k8s_openapi::jiff::Timestamp;
use model::api::KubevirtConfig;
use model::platform::catalogue::Catalogue;
use model::platform::given::{self, Given};
use model::platform::render::text::page;
use model::platform::render::{Format, Options, Stage, render};
use model::platform::rights;
use model::platform::snapshot::Asked;
use serde::Deserialize;
use serde_json::Value;

use super::ask::ask;
use super::assets::{self, bounded};

/// The word that asks for it, in the place of the first flag.
const RENDER: &str = "render";
/// The form that is no list of assets.
const RBAC: &str = "rbac";
/// The role that it prints.
const ROLE: &str = "kubevirt-operator-remote-platform";
/// Most bytes of a file: all CRDs of a large cluster.
const BYTES: u64 = 64 << 20;
/// What is wrong is told by these.
const WRONG: u8 = 1;
const USAGE: u8 = 2;

/// Shows the platform baseline that a cluster would get: from files with its HyperConverged or KubeVirt, and as much of the rest as is
/// given; or from the cluster itself, of which nothing is changed. Ends with 1 where an asset cannot be as it was asked for, and with 2 where a flag or a file is wrong
#[derive(Debug, Parser)]
#[command(name = "kubevirt-operator-controller render", version)]
struct Args {
    /// Kubeconfig of a cluster that is asked for all that files would say, by its current context
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hco_file", "kubevirt_file", "nodes_file", "crds_file"])]
    kubeconfig: Option<PathBuf>,

    /// File with the HyperConverged of the cluster
    #[arg(long, value_name = "FILE")]
    hco_file: Option<PathBuf>,

    /// File with its KubeVirt: what is configured where there is no HyperConverged, and else which feature gates are open
    #[arg(long, value_name = "FILE")]
    kubevirt_file: Option<PathBuf>,

    /// File with its KubevirtConfig; without one, all of the baseline is wanted
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// File with its nodes, as `kubectl get nodes -o yaml` writes them; without one, every kind of hardware counts as present
    #[arg(long, value_name = "FILE")]
    nodes_file: Option<PathBuf>,

    /// File with its CRDs, as `kubectl get crds -o yaml` writes them; without one, every CRD counts as served
    #[arg(long, value_name = "FILE")]
    crds_file: Option<PathBuf>,

    /// Only the assets of this name or group
    #[arg(long, value_name = "NAME")]
    asset: Option<String>,

    /// Those that are EXCLUDED or FILTERED, too
    #[arg(long)]
    show_excluded: bool,

    /// What objects are shown: baseline, what the catalogue has for the cluster; effective, with the patches of the KubevirtConfig
    #[arg(long, default_value = Stage::Baseline.name(), value_parser = Stage::ALL.map(Stage::name))]
    stage: String,

    /// Documents, a list, a table, or the ClusterRole that passes need
    #[arg(long, short, default_value = Format::Yaml.name(), value_parser = ["yaml", "json", "status", RBAC])]
    output: String,

    /// Folder with a catalogue of your own, in place of the one that is built in
    #[arg(long, env = "PLATFORM_ASSETS", value_name = "DIR")]
    platform_assets: Option<PathBuf>,
}

/// What is said, and how it ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    code: u8,
    out: String,
    err: String,
}

/// The end of the process, if its arguments ask for this.
pub async fn asked(args: &[OsString]) -> Option<ExitCode> {
    if args.get(1).is_none_or(|word| word != RENDER) {
        return None;
    }
    let Answer { code, out, err } = answer(&args[1..], &|path| bounded(path, BYTES)).await;
    // Whoever reads may be gone, which is no mistake of ours.
    let _ = std::io::stdout().write_all(out.as_bytes());
    let _ = std::io::stderr().write_all(err.as_bytes());
    Some(ExitCode::from(code))
}

type Read<'r> = &'r (dyn Fn(&Path) -> Result<String, String> + Sync);

async fn answer(args: &[OsString], read: Read<'_>) -> Answer {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(why) if why.use_stderr() => return Answer { code: USAGE, err: why.to_string(), ..Answer::default() },
        Err(help) => return Answer { out: help.to_string(), ..Answer::default() },
    };
    shown(&args, read).await.unwrap_or_else(|wrong| {
        let err = wrong.iter().map(|why| ["error: ", why, "\n"].concat()).collect();
        Answer { code: USAGE, err, ..Answer::default() }
    })
}

async fn shown(args: &Args, read: Read<'_>) -> Result<Answer, Vec<String>> {
    let catalogue = assets::read(args.platform_assets.as_deref())?;
    if let Some(why) = args.asset.as_ref().and_then(|name| catalogue.unknown(name)) {
        return Err(vec![format!("--asset: {why}")]);
    }
    if args.output == RBAC {
        let out = rights::role(ROLE, &rights::rights(&catalogue));
        return Ok(Answer { out, ..Answer::default() });
    }
    let (mut given, cluster) = given(args, read).map_err(|why| vec![why])?;
    if let Some(kubeconfig) = &args.kubeconfig {
        let found = ask(kubeconfig, &catalogue).await.map_err(|why| vec![format!("--kubeconfig: {why}")])?;
        given = Given { asked: given.asked, ..found };
    } else if args.hco_file.is_none() && args.kubevirt_file.is_none() {
        let why = "--hco-file, --kubevirt-file or --kubeconfig is needed: what the cluster is configured by";
        return Err(vec![why.to_owned()]);
    }
    Ok(rendered(args, &catalogue, given, &cluster))
}

/// What the files have, and the name of the cluster.
fn given(args: &Args, read: Read<'_>) -> Result<(Given, String), String> {
    let objects = |flag: &str, path: &Option<PathBuf>, kind: &str| -> Result<Option<Vec<Value>>, String> {
        let Some(path) = path else { return Ok(None) };
        let found = read(path).and_then(|text| given::objects(&text, kind));
        found.map(Some).map_err(|why| format!("{flag}: {}: {why}", path.display()))
    };
    let configs = objects("--config-file", &args.config_file, "KubevirtConfig")?;
    let config = match configs.as_deref() {
        None => None,
        Some([config]) => Some(config),
        Some(all) => return Err(format!("--config-file: has {} KubevirtConfigs, must have one", all.len())),
    };
    let given = Given {
        hyperconvergeds: objects("--hco-file", &args.hco_file, "HyperConverged")?.unwrap_or_default(),
        kubevirts: objects("--kubevirt-file", &args.kubevirt_file, "KubeVirt")?.unwrap_or_default(),
        asked: config.map(wish).transpose()?,
        nodes: objects("--nodes-file", &args.nodes_file, "Node")?,
        crds: objects("--crds-file", &args.crds_file, "CustomResourceDefinition")?,
    };
    let name = config.and_then(|it| it["metadata"]["name"].as_str()).unwrap_or("-");
    Ok((given, name.to_owned()))
}

/// What a KubevirtConfig asks for.
fn wish(config: &Value) -> Result<Asked, String> {
    let read = KubevirtConfig::deserialize(config);
    read.map(|config| Asked::of(&config)).map_err(|why| format!("--config-file: is no KubevirtConfig: {why}"))
}

fn rendered(args: &Args, catalogue: &Catalogue, given: Given, cluster: &str) -> Answer {
    let named = |format: &&Format| format.name() == args.output;
    let options = Options {
        show_excluded: args.show_excluded,
        only_installed: false,
        asset: args.asset.clone(),
        stage: Stage::ALL.into_iter().find(|stage| stage.name() == args.stage).unwrap_or_default(),
        format: Format::ALL.iter().find(named).copied().unwrap_or_default(),
    };
    let (snapshot, notes) = given::snapshot(given, catalogue);
    let mut rendered = render(catalogue, &snapshot, &Default::default(), Timestamp::UNIX_EPOCH, &options);
    let mut err = String::new();
    if options.format == Format::Status {
        rendered.notes.splice(0..0, notes);
    } else {
        err = notes.iter().map(|note| ["note: ", note, "\n"].concat()).collect();
    }
    let code = if rendered.is_wrong() { WRONG } else { 0 };
    Answer { code, out: page(cluster, &rendered, &options), err }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
