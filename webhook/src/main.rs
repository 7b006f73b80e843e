//! The webhook's process.

use webhook::args::Args;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), webhook::Fatal> {
    let (args, effective) = runtime::args::parse::<Args>();
    runtime::telemetry::init(args.shared.log_format, &args.shared.log_level)?;
    tracing::info!(settings = %effective, "starting kubevirt-operator-webhook");
    webhook::run(args).await
}
