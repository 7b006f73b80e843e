//! The chapters of the demo: which there are, and in which order `cargo demo` tells them. Each can be told by itself and again,
//! on a fleet that runs.

mod apply;
mod boot;
mod change;
mod keep;
mod outage;
mod platform;

use ::tests::fleet::Fleet;
use clap::ValueEnum;

use crate::home::{self, Home};
use crate::story::{Story, file};
use crate::{Result, say};

/// One part of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Chapter {
    /// Templates, overrides, choice of a cluster, and two Machines that are refused
    Apply,
    /// A cloud image with an SSH key, user data from a Secret, and two interfaces, one of them on a VLAN
    Image,
    /// UEFI with secure boot, a patch of the VM, and its removal
    Patch,
    /// What others change on the cluster: set back, or left alone where the author says so
    Drift,
    /// A disk that grows, a change that needs a restart, and a machine that is halted
    Change,
    /// A deletion that keeps the disks, and the way back to them
    Retain,
    /// VMs that were there before: one made by hand, and one of the published Go operator
    Adopt,
    /// Twenty Machines over both clusters, by load
    Spread,
    /// The cluster west pulled and brought back, while east goes on
    Outage,
    /// Two controllers: the second one takes over when the first is killed
    Leader,
    /// The platform below the machines: compared on west, kept true on east. Told only if asked for
    Platform,
}

/// What is told unless something else is asked for. The platform brings kinds that may have to be fetched first.
pub(crate) fn usual() -> Vec<Chapter> {
    Chapter::value_variants().iter().copied().filter(|chapter| *chapter != Chapter::Platform).collect()
}

impl Chapter {
    /// What it is about, as the help says it.
    fn title(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string);
        help.unwrap_or_default()
    }

    /// Tells it.
    pub(crate) async fn tell(self, story: &mut Story<'_>) -> Result<()> {
        say::line("");
        say::heading(&self.title());
        match self {
            Self::Apply => apply::examples(story).await,
            Self::Image => boot::image(story).await,
            Self::Patch => boot::patch(story).await,
            Self::Drift => change::drift(story).await,
            Self::Change => change::edits(story).await,
            Self::Retain => keep::retain(story).await,
            Self::Adopt => keep::adopt(story).await,
            Self::Spread => apply::spread(story).await,
            Self::Outage => outage::cluster(story).await,
            Self::Leader => outage::leader(story).await,
            Self::Platform => platform::baseline(story).await,
        }
    }
}

/// Tells chapters, and says at the end what did not come out as it should have.
pub(crate) async fn tell(story: &mut Story<'_>, chapters: &[Chapter]) -> Result<()> {
    say::line("");
    say::command(&format!(". {}", home::shown(&story.home.env_file())));
    for chapter in chapters {
        chapter.tell(story).await?;
    }
    if !story.wrong.is_empty() {
        say::line("");
        say::line("Not as it should have been:");
        for command in &story.wrong {
            say::prose(&format!("  {command}"), 4);
        }
        say::line("`kubectl describe machine NAME` says why.");
    }
    Ok(())
}

/// What to try, for somebody who has a fleet and a shell.
pub(crate) fn next_steps(home: &Home, fleet: &Fleet) {
    let east = fleet.remotes().first().map(|remote| home::shown(&remote.kubeconfig())).unwrap_or_default();
    let steps = [
        (format!(". {}", home::shown(&home.env_file())), "kubectl and helm for the supervisor"),
        (format!("kubectl apply -f {}", file("overrides.yaml")), "a Machine; docs/examples has more"),
        ("kubectl get machines -w".to_owned(), "what becomes of it"),
        ("kubectl describe machine custom-vm".to_owned(), "its size, conditions and Events"),
        (format!("kubectl --kubeconfig {east} get vm,vmi,pvc -A"), "what is on a cluster"),
        ("kubectl delete machine custom-vm".to_owned(), "takes all of it off its cluster"),
        ("cargo demo show outage".to_owned(), "tells that part again; --help lists all"),
        ("cargo demo stop west".to_owned(), "an outage; `cargo demo start west` ends it"),
        ("cargo demo status".to_owned(), "what runs where"),
        ("cargo demo down".to_owned(), "stops everything"),
    ];
    say::line("");
    say::line("Try next, in any shell:");
    for line in crate::fit::pairs(&steps, crate::term::width()) {
        say::line(&line);
    }
    let logs = home::shown(&home.dir().join("logs"));
    say::prose(&format!("Logs, and what the API servers were asked for (*.audit.log), are in {logs}."), 0);
}
