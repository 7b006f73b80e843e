//! `cargo mutations`: makes each mistake of `tests/src/mutations/table.rs` in a copy of the sources, and says which tests notice.

use std::process::ExitCode;

use clap::Parser;
use tests::mutations::{ALL, Mutation, Sources, Suite};

/// Makes mistakes in a copy of the sources, one at a time, and says which tests notice.
#[derive(Parser)]
#[command(name = "cargo mutations", bin_name = "cargo mutations")]
struct Args {
    /// Only those whose name or file has this text in it.
    only: Option<String>,
    /// Leaves out so many of the first.
    #[arg(long, default_value_t = 0)]
    skip: usize,
    /// No more than so many.
    #[arg(long, default_value_t = usize::MAX)]
    take: usize,
}

fn main() -> ExitCode {
    let Args { only, skip, take } = Args::parse();
    let named = |it: &&Mutation| only.as_ref().is_none_or(|text| it.name.contains(text) || it.file.contains(text));
    let chosen: Vec<&Mutation> = ALL.iter().filter(named).skip(skip).take(take).collect();
    match run(&chosen) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every one was caught, by the test that the table names.
fn run(chosen: &[&Mutation]) -> Result<bool, String> {
    let copy = Sources::make().map_err(|why| why.to_string())?;
    for suite in [Suite::Tables, Suite::Whole] {
        let failed = copy.failing(suite)?;
        if !failed.is_empty() {
            return Err(format!("without any mistake these fail: {failed:?}"));
        }
    }
    let (mut caught, mut wrong) = (0, 0);
    for mutation in chosen {
        let (suite, test) = mutation.by;
        let said = match copy.judge(mutation)?.caught {
            None => "SURVIVED".to_owned(),
            Some((by, tests)) => {
                caught += 1;
                let listed = by == suite && tests.iter().any(|it| it == test);
                wrong += usize::from(!listed);
                let more = tests.len() - 1;
                if listed {
                    format!("caught by {test}, and {more} more of {by:?}")
                } else {
                    format!("caught by {tests:?} of {by:?}, and not by {test:?} as the table says")
                }
            }
        };
        println!("{}: {}: {said}", mutation.file, mutation.name);
    }
    let all = chosen.len();
    println!("mutations: {all}, caught: {caught}");
    Ok(all == caught && wrong == 0)
}
