//! kubectl as a person would run it: the command as typed, then what it prints, errors included.

use std::io::{self, Read, pipe};
use std::panic::resume_unwind;
use std::process::Stdio;

use ::tests::binaries::{self, Tool};
use ::tests::plane::Plane;
use tokio::process::Command;
use tokio::task::spawn_blocking;

use crate::fit::cut;
use crate::home::Home;
use crate::{Result, Trouble, say, term};

/// What kubectl answered.
pub(crate) struct Answer {
    /// Whether it succeeded.
    pub(crate) ok: bool,
    /// What it printed, both streams in the order in which it did.
    pub(crate) text: String,
}

/// Shows and runs one command against the supervisor, or against another plane if the arguments say so. Prints its answer.
pub(crate) async fn run(home: &Home, supervisor: &Plane, args: &[&str]) -> Result<Answer> {
    let answer = quietly(home, supervisor, args).await?;
    show(args, &answer.text, usize::MAX);
    Ok(answer)
}

/// [`run`], and leaves the answer to the caller.
pub(crate) async fn quietly(home: &Home, supervisor: &Plane, args: &[&str]) -> Result<Answer> {
    let typed = typed(args);
    say::command(&typed);
    say::during(&format!("waiting for `kubectl {}`", args.first().unwrap_or(&"")), answer(home, supervisor, args)).await
}

/// Runs one command that nobody sees.
pub(crate) async fn answer(home: &Home, supervisor: &Plane, args: &[&str]) -> Result<Answer> {
    let path = binaries::locate(Tool::Kubectl).await?;
    let trouble = |error: io::Error| Trouble::Said(format!("cannot run {}: {error}", path.display()));
    let (mut from, into) = pipe().map_err(trouble)?;
    let mut command = Command::new(&path);
    command.args(args).stdin(Stdio::null()).stdout(into.try_clone().map_err(trouble)?).stderr(into).kill_on_drop(true);
    // Nothing of the user's own kubectl: neither clusters nor aliases, and no proxy on the way to 127.0.0.1.
    command.env("KUBECONFIG", supervisor.kubeconfig()).env("KUBECACHEDIR", home.kubectl_cache()).env("KUBERC", "off");
    command.env("NO_PROXY", "127.0.0.1");
    let mut child = command.spawn().map_err(trouble)?;
    // It holds our ends for writing, and the reader would wait for ever.
    drop(command);
    let mut text = Vec::new();
    let reading = spawn_blocking(move || from.read_to_end(&mut text).map(|_| text));
    let status = child.wait().await.map_err(trouble)?;
    let text = reading.await.unwrap_or_else(|error| resume_unwind(error.into_panic())).map_err(trouble)?;
    Ok(Answer { ok: status.success(), text: String::from_utf8_lossy(&text).into_owned() })
}

/// Prints an answer, at most so many lines of it: tables are cut where the terminal ends, all else is wrapped.
pub(crate) fn show(args: &[&str], text: &str, most: usize) {
    let table = args.contains(&"get") && !args.contains(&"-o") || args.contains(&"wide");
    let lines: Vec<_> = text.trim_end().lines().collect();
    for line in lines.iter().take(most) {
        if table && !line.starts_with("Error") { say::line(&cut(line, term::width())) } else { say::prose(line, 2) }
    }
    if lines.len() > most {
        say::line(&format!("... and {} lines more", lines.len() - most));
    }
}

/// For a POSIX shell.
fn typed(args: &[&str]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    let quoted = |arg: &&str| {
        if arg.chars().all(plain) { (*arg).to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
    };
    format!("kubectl {}", args.iter().map(quoted).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_as_it_is_shown() {
        let patch = ["patch", "vm", "web", "--type=merge", "-p", r#"{"spec":{}}"#];
        assert_eq!(typed(&patch), r#"kubectl patch vm web --type=merge -p '{"spec":{}}'"#);
        assert_eq!(typed(&["annotate", "machine", "web", "a/b-"]), "kubectl annotate machine web a/b-");
        assert_eq!(typed(&["get", "it's"]), r"kubectl get 'it'\''s'");
    }
}
