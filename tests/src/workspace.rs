//! The product's binaries, as cargo builds them. `cargo test` builds only this package's own; without this, a suite would
//! run what somebody built last week.

use std::env;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::sync::OnceCell;

use crate::error::{Error, Result, io};

static BUILT: OnceCell<PathBuf> = OnceCell::const_new();

/// Builds all binaries of the workspace, once per process, into the target folder of the running executable and with its
/// profile. Answers with the folder that holds them. What cargo prints goes to stderr.
pub async fn build_workspace_bins() -> Result<PathBuf> {
    let build = async || {
        let built = tokio::task::spawn_blocking(build).await;
        built.unwrap_or_else(|error| resume_unwind(error.into_panic()))
    };
    BUILT.get_or_try_init(build).await.cloned()
}

fn build() -> Result<PathBuf> {
    let folder = profile_folder()?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.args(["build", "--quiet", "--workspace", "--bins", "--profile", profile]);
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).stdin(Stdio::null());
    // What cargo told us about our own package would make build scripts run again (ring's reads it).
    for (name, _) in env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
        if ours.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let output = command.output().map_err(io("cannot run", Path::new(&cargo)))?;
    if output.status.success() {
        return Ok(folder);
    }
    let command = format!("cargo build --workspace --bins --profile {profile}");
    Err(Error::Command { command, output: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// `target/debug` or its like: the folder of the running binary, above `deps` for a test or benchmark.
fn profile_folder() -> Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    let exe = env::current_exe().map_err(io("cannot find the running executable in", link))?;
    let folder = exe.parent().unwrap_or(link);
    let above = folder.parent().filter(|_| folder.ends_with("deps"));
    Ok(above.unwrap_or(folder).to_path_buf())
}
