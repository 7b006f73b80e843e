//! `cargo sweep`: does harm at every request of the lives of Machines, and prints what did not hold. With `--story`, of one life;
//! with `--fault` and `--at` beside it, one point again.

use std::process::ExitCode;

use clap::Parser;
use tests::faultline::{Fault, Point};
use tests::sweep::{self, Extent, Story};

/// Does harm at every request between the controller and its API servers.
#[derive(Parser)]
#[command(name = "cargo sweep", bin_name = "cargo sweep")]
struct Args {
    /// The part that runs in `cargo test`: requests that write, and not every fault at each.
    #[arg(long, conflicts_with = "fault")]
    pruned: bool,
    /// One life only: life, take-over, adopt or rotate.
    #[arg(long)]
    story: Option<Story>,
    /// What happens there.
    #[arg(long, requires_all = ["story", "at"])]
    fault: Option<Fault>,
    /// At which of its requests, from 1.
    #[arg(long, requires = "fault")]
    at: Option<usize>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { pruned, story, fault, at } = Args::parse();
    let extent = match (story, fault, at) {
        (Some(story), Some(fault), Some(at)) => Extent::One(story, Point { at, fault }),
        (story, _, _) => {
            let stories = story.map_or(Story::ALL.to_vec(), |story| vec![story]);
            if pruned { Extent::Pruned(stories) } else { Extent::Whole(stories) }
        }
    };
    match sweep::run(extent, |done| println!("{done}")).await {
        Ok(found) => {
            println!("{found}");
            if found.violations.is_empty() && found.tried > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
