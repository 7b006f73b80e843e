//! `cargo drill`: loses a supervisor with 50 running Machines, brings them back on a new one by the words of docs/disaster.md, and
//! prints what that cost.

use std::process::ExitCode;

use clap::Parser;
use tests::drill;

/// Loses a supervisor and brings its Machines back on another one.
#[derive(Parser)]
#[command(name = "cargo drill", bin_name = "cargo drill")]
struct Args {
    /// How many Machines there are.
    #[arg(default_value_t = drill::MACHINES)]
    machines: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { machines } = Args::parse();
    match drill::run(machines, |done| println!("{done}")).await {
        Ok(found) => {
            println!("{found}");
            if found == drill::Found::all_well(machines) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
