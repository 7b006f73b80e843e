//! How the demo tells: each part says what it is about, shows commands as a person would type them and what comes of them, and the
//! lines of `kubectl describe machine` that matter. It remembers what was refused, and what went otherwise than it should.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::tests::fleet::{CONFIGS_NAMESPACE, Fleet};

use crate::home::{self, Home};
use crate::kubectl::{self, Answer};
use crate::{Result, Trouble, excerpt, say};

/// A part that takes longer than this has not worked.
const LIMIT: &str = "--timeout=90s";
/// Events are written beside the status, so the first look may be too early.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// What is told, and to what.
pub(crate) struct Story<'a> {
    pub(crate) home: &'a Home,
    pub(crate) fleet: &'a Fleet,
    /// Machines that were refused, and the cause.
    pub(crate) refused: Vec<(String, String)>,
    /// Commands that did not come out as they should have.
    pub(crate) wrong: Vec<String>,
}

impl<'a> Story<'a> {
    /// The beginning.
    pub(crate) fn new(home: &'a Home, fleet: &'a Fleet) -> Self {
        Self { home, fleet, refused: Vec::new(), wrong: Vec::new() }
    }

    /// What happens next, and why.
    #[expect(clippy::unused_self, reason = "a story is told by its teller")]
    pub(crate) fn tell(&self, text: &str) {
        say::line("");
        say::prose(&format!("# {text}"), 2);
    }

    /// A command that should succeed.
    pub(crate) async fn run(&mut self, args: &[&str]) -> Result<()> {
        self.brief(args, usize::MAX).await
    }

    /// [`Story::run`], with so many lines of the answer.
    pub(crate) async fn brief(&mut self, args: &[&str], most: usize) -> Result<()> {
        let answer = kubectl::quietly(self.home, self.fleet.supervisor(), args).await?;
        kubectl::show(args, &answer.text, if answer.ok { most } else { usize::MAX });
        self.note(args, answer.ok);
        Ok(())
    }

    /// A command on a cluster, by the kubeconfig that a person has for it.
    pub(crate) async fn on(&mut self, cluster: &str, args: &[&str]) -> Result<()> {
        let kubeconfig = home::shown(&self.fleet.remote(cluster)?.kubeconfig());
        self.run(&[&["--kubeconfig", kubeconfig.as_str()], args].concat()).await
    }

    /// What a command that succeeds would have answered, without showing it.
    pub(crate) async fn look(&self, args: &[&str]) -> Result<Answer> {
        kubectl::answer(self.home, self.fleet.supervisor(), args).await
    }

    /// A file of `docs/examples` that is taken.
    pub(crate) async fn apply(&mut self, example: &str) -> Result<()> {
        self.run(&["apply", "-f", &file(example)]).await
    }

    /// A change that is refused; `what` is remembered with the cause.
    pub(crate) async fn refused(&mut self, what: &str, args: &[&str]) -> Result<()> {
        let answer = kubectl::run(self.home, self.fleet.supervisor(), args).await?;
        if !answer.ok {
            self.refused.retain(|(name, _)| name != what);
            self.refused.push((what.to_owned(), excerpt::refusal(&answer.text)));
        }
        self.note(args, !answer.ok);
        Ok(())
    }

    /// Waits for what a Machine should show, such as `condition=Ready`.
    pub(crate) async fn wait(&mut self, machine: &str, what: &str) -> Result<()> {
        self.run(&["wait", &format!("machine/{machine}"), &format!("--for={what}"), LIMIT]).await
    }

    /// Waits for what an object of a cluster should show.
    pub(crate) async fn wait_on(&mut self, cluster: &str, object: &str, what: &str) -> Result<()> {
        self.on(cluster, &["wait", object, &format!("--for={what}"), LIMIT]).await
    }

    /// What `kubectl describe machine` says of these conditions and Events.
    pub(crate) async fn describe(&mut self, machine: &str, wanted: &[&str]) -> Result<()> {
        self.description(&["describe", "machine", machine], wanted).await
    }

    /// What `kubectl describe kubevirtconfig` says of these.
    pub(crate) async fn describe_config(&mut self, config: &str, wanted: &[&str]) -> Result<()> {
        self.description(&["-n", CONFIGS_NAMESPACE, "describe", "kvc", config], wanted).await
    }

    async fn description(&mut self, args: &[&str], wanted: &[&str]) -> Result<()> {
        say::command(&format!("kubectl {}", args.join(" ")));
        let looks = async {
            for _ in 1..LOOKS {
                let lines = excerpt::of(&self.look(args).await?.text, wanted);
                if wanted.iter().all(|word| lines.iter().any(|line| line.contains(word))) {
                    return Ok::<_, Trouble>(lines);
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(excerpt::of(&self.look(args).await?.text, wanted))
        };
        let lines = say::during("waiting for what it says", looks).await?;
        for line in &lines {
            say::prose(line, if line.starts_with("    ") { 14 } else { 6 });
        }
        say::line("  ...");
        self.note(args, wanted.iter().all(|word| lines.iter().any(|line| line.contains(word))));
        Ok(())
    }

    /// Deletes Machines that an earlier telling left, so that this one begins where it should.
    pub(crate) async fn anew(&mut self, machines: &[&str]) -> Result<()> {
        for machine in machines {
            let there = self.look(&["get", "machine", machine, "--ignore-not-found", "-o", "name"]).await?;
            if !there.text.trim().is_empty() {
                self.tell(&format!("{machine} is there already: it is deleted, to begin anew"));
                self.run(&["delete", "machine", machine]).await?;
            }
        }
        Ok(())
    }

    fn note(&mut self, args: &[&str], well: bool) {
        if !well {
            self.wrong.push(format!("kubectl {}", args.join(" ")));
        }
    }
}

/// A file of `docs/examples`, as a person would type it.
pub(crate) fn file(name: &str) -> String {
    home::shown(&examples().join(name))
}

/// `docs/examples` of the checkout that this was built from.
pub(crate) fn examples() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).join("docs/examples")
}
