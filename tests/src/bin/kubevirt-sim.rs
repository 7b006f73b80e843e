//! `kubevirt-sim`: plays KubeVirt and its storage on one cluster until SIGTERM or Ctrl-C. See `tests::kubevirt`.
//! I/O: the API server of the kubeconfig; logs to stderr (`RUST_LOG`, default `info`).

use clap::{Parser, ValueEnum};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tests::kubevirt::{Delays, Role, Rule, Settings, run};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Play KubeVirt, a storage provisioner and nodes on a cluster that has only an API server.
#[derive(Debug, Parser)]
struct Args {
    /// Cluster to play on.
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: PathBuf,
    /// Same seed and same objects: same delays.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shortest time that a simulated step takes.
    #[arg(long, default_value_t = 50)]
    min_delay_ms: u64,
    /// Longest time that a simulated step takes.
    #[arg(long, default_value_t = 200)]
    max_delay_ms: u64,
    /// Failure for the objects of a glob, e.g. `unschedulable=team-a/vm-web*`; may be repeated. See also ConfigMap
    /// default/kubevirt-sim.
    #[arg(long, value_name = "FAILURE=NAMESPACE/NAME")]
    fail: Vec<Rule>,
    /// Parts to play.
    #[arg(long, value_delimiter = ',', default_values = ["controller", "storage", "node"])]
    roles: Vec<Part>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    Controller,
    Storage,
    Node,
    Kubelet,
}

impl From<Part> for Role {
    fn from(part: Part) -> Self {
        match part {
            Part::Controller => Self::Controller,
            Part::Storage => Self::Storage,
            Part::Node => Self::Node,
            Part::Kubelet => Self::Kubelet,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    tests::install_crypto();
    match play(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kubevirt-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let file = Kubeconfig::read_from(&args.kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let delays = Delays {
        seed: args.seed,
        min: Duration::from_millis(args.min_delay_ms),
        max: Duration::from_millis(args.max_delay_ms.max(args.min_delay_ms)),
    };
    let settings = Settings { delays, roles: args.roles.into_iter().map(Role::from).collect(), rules: args.fail };
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    run(kube::Client::try_from(config)?, settings, stop).await;
    Ok(())
}
