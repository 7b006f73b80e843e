//! `cargo sweep`: does harm at every request, event and review in the lives of Machines, and prints what did not hold. With
//! `--story` or `--way`, of one kind of them; with `--fault`, one harm; with `--at` beside it, one point again. `--rivals` lets two controllers
//! take the Lease from each other instead.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::faultline::{Harm, Point, Way};
use tests::sweep::{self, Extent, Story};

/// Does harm at every request between the controller and its API servers, at every event of its watches, and at every review.
#[derive(Parser)]
#[command(name = "cargo sweep", bin_name = "cargo sweep")]
struct Args {
    /// The part that runs in `cargo test`: requests that write, and not every fault at each.
    #[arg(long, conflicts_with = "fault")]
    pruned: bool,
    /// One life only: life, take-over, adopt or rotate.
    #[arg(long)]
    story: Option<Story>,
    /// One way only: requests, watches or reviews. Beside a fault, requests unless said.
    #[arg(long, value_parser = Way::named)]
    way: Option<Way>,
    /// One harm only, at every point unless one is said.
    #[arg(long)]
    fault: Option<String>,
    /// At which of its requests, events or reviews, from 1.
    #[arg(long, requires_all = ["story", "fault"])]
    at: Option<usize>,
    /// Nothing of that: for so many seconds, one of two controllers is paused again and again until the other one leads.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "600", conflicts_with_all = ["pruned", "story", "way"])]
    rivals: Option<u64>,
}

impl Args {
    fn extent(self) -> Result<Option<Extent>, String> {
        let Self { pruned, story, way, fault, at, rivals } = self;
        if rivals.is_some() {
            return Ok(None);
        }
        let stories = story.map_or(Story::ALL.to_vec(), |story| vec![story]);
        if let Some(fault) = fault {
            let harm = Harm::named(way.unwrap_or(Way::Requests), &fault)?;
            return Ok(Some(match (story, at) {
                (Some(story), Some(at)) => Extent::One(story, Point { at, harm }),
                _ => Extent::Each(stories, harm),
            }));
        }
        let ways = way.map_or(Way::ALL.to_vec(), |way| vec![way]);
        Ok(Some(if pruned { Extent::Pruned(stories, ways) } else { Extent::Whole(stories, ways) }))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let rivals = args.rivals.map(Duration::from_secs);
    let extent = match args.extent() {
        Ok(extent) => extent,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    match sweep::run(extent.as_ref(), rivals, |done| println!("{done}")).await {
        Ok(found) => {
            println!("{found}");
            let tried = found.tried + found.pauses > 0;
            if found.violations.is_empty() && tried { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
