//! `cargo demo`: the whole product on this machine, on real control planes. What it does is in [`run`]; what it knows
//! from one invocation to the next is on disk, in `target/demo`.

mod chapters;
mod excerpt;
mod fit;
mod home;
mod kubectl;
mod live;
mod notes;
mod row;
mod run;
mod say;
mod screen;
mod settings;
mod signals;
mod status;
mod story;
mod strays;
mod table;
mod term;
mod up;

use std::process::ExitCode;

use chapters::Chapter;
use clap::{Parser, Subcommand};
use tests::process::Stop;

/// Runs the operator on this machine: a supervisor, the clusters east and west with a simulated KubeVirt, webhook and
/// controller.
///
/// Without a command it also tells what the product does, chapter by chapter, and stays up with a live table until Ctrl-C.
/// DEFAULT_KUBEVIRT_CONFIG, RECONCILE_INTERVAL, LOG_LEVEL and other settings in the environment reach
/// webhook and controller.
#[derive(Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Run KubeVirt's own virt-api and virt-controller on both clusters, and simulate only their nodes. They are built the first
    /// time, which takes about 8 minutes, and need 600 MB of memory more
    #[arg(long)]
    real_kubevirt: bool,
    /// Tell of the platform below the machines, and of nothing else. The kinds of its operators are fetched the first time
    #[arg(long)]
    platform: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything and return when it is ready, without applying Machines
    Up {
        /// As without a command
        #[arg(long)]
        real_kubevirt: bool,
    },
    /// Tell chapters on the fleet that runs: what a user types, and what comes of it
    Show {
        /// Which chapters; all of them if none is named
        #[arg(value_enum, value_name = "CHAPTER")]
        chapters: Vec<Chapter>,
    },
    /// Stop everything that the demo has started
    Down,
    /// Tell what runs where, and show the Machines
    Status,
    /// Stop parts: supervisor, east, west, east-sim, west-sim, webhook, controller or etcd
    Stop {
        /// Which parts
        #[arg(required = true, value_name = "PART")]
        parts: Vec<String>,
        /// End them at once by SIGKILL, as if their machine had died
        #[arg(long)]
        kill: bool,
    },
    /// Start parts again, under the addresses they had, and wait until they are ready
    Start {
        /// Which parts
        #[arg(required = true, value_name = "PART")]
        parts: Vec<String>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say::failed(&format!("cannot start the runtime: {error}")),
    };
    let ended = runtime.block_on(async {
        match args.command {
            None => {
                let named = if args.platform { vec![Chapter::Platform] } else { chapters::usual() };
                run::demo(args.real_kubevirt, &named).await
            }
            Some(Command::Up { real_kubevirt }) => run::up(real_kubevirt || args.real_kubevirt).await,
            Some(Command::Show { chapters }) => run::show(&chapters).await,
            Some(Command::Down) => run::down().await,
            Some(Command::Status) => status::show().await,
            Some(Command::Stop { parts, kill }) => {
                run::stop(&parts, if kill { Stop::AtOnce } else { Stop::Gracefully }).await
            }
            Some(Command::Start { parts }) => run::start(&parts).await,
        }
    });
    // A build that nobody waits for any more must not hold us.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => say::failed(&trouble.to_string()),
    }
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// The harness could not do it.
    #[error(transparent)]
    Fleet(#[from] tests::Error),
    /// In words.
    #[error("{0}")]
    Said(String),
    /// Ctrl-C, or another request to end.
    #[error("interrupted")]
    Interrupted,
}

/// Result of everything in the demo.
type Result<T, E = Trouble> = std::result::Result<T, E>;
