//! The gateway's process.

use gateway::args::Args;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), gateway::Fatal> {
    let (args, effective) = runtime::args::parse::<Args>();
    runtime::telemetry::init(args.shared.log_format, &args.shared.log_level)?;
    tracing::info!(settings = %effective, "starting kubevirt-operator-gateway");
    gateway::run(args).await
}
