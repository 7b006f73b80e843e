//! The controller's process.

use controller::args::Args;

#[tokio::main]
async fn main() -> Result<(), controller::Fatal> {
    let (args, effective) = runtime::args::parse::<Args>();
    runtime::telemetry::init(args.shared.log_format, &args.shared.log_level)?;
    tracing::info!(settings = %effective, "starting kubevirt-operator-controller");
    controller::run(args).await
}
