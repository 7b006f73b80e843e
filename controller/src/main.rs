//! The controller's process.

use std::ffi::OsString;
use std::process::ExitCode;

use controller::args::Args;
use controller::platform::render;

#[tokio::main]
async fn main() -> Result<ExitCode, controller::Fatal> {
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some(ended) = render::asked(&words).await {
        return Ok(ended);
    }
    let (args, effective) = runtime::args::parse::<Args>();
    runtime::telemetry::init(args.shared.log_format, &args.shared.log_level)?;
    tracing::info!(settings = %effective, "starting kubevirt-operator-controller");
    controller::run(args).await.map(|()| ExitCode::SUCCESS)
}
