//! kubectl as a person would run it: the command as typed, then what it prints, errors included.

use std::io::stdout;
use std::os::fd::AsFd;
use std::process::Stdio;

use tests::binaries::{self, Tool};
use tests::plane::Plane;
use tokio::process::Command;

use crate::home::Home;
use crate::{Result, Trouble, say};

/// Shows and runs one command against the supervisor, or against another plane if the arguments say so; true if it
/// succeeded.
pub(crate) async fn run(home: &Home, supervisor: &Plane, args: &[&str]) -> Result<bool> {
    say::line(&format!("$ kubectl {}", args.join(" ")));
    let path = binaries::locate(Tool::Kubectl).await?;
    let trouble = |error: std::io::Error| Trouble::Said(format!("cannot run {}: {error}", path.display()));
    // Both into one stream, in the order in which they are printed.
    let out = || stdout().as_fd().try_clone_to_owned().map(Stdio::from).map_err(trouble);
    let mut command = Command::new(&path);
    command.args(args).stdin(Stdio::null()).stdout(out()?).stderr(out()?).kill_on_drop(true);
    // Nothing of the user's own kubectl: neither clusters nor aliases, and no proxy on the way to 127.0.0.1.
    command.env("KUBECONFIG", supervisor.kubeconfig()).env("KUBECACHEDIR", home.kubectl_cache()).env("KUBERC", "off");
    command.env("NO_PROXY", "127.0.0.1");
    command.status().await.map(|status| status.success()).map_err(trouble)
}
