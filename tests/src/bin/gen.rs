//! `cargo gen` writes the generated files of this repository; `cargo gen --check` names those that drifted and fails.

use std::process::ExitCode;

use clap::Parser;
use tests::{generated, repository};

/// Writes the files that are generated from code: the CRDs of the chart and the reference pages.
#[derive(Parser)]
#[command(name = "cargo gen")]
struct Args {
    /// Write nothing; fail if a file is not what the code says.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let root = repository::root();
    if Args::parse().check {
        let drifted = generated::drifted(&root);
        for path in &drifted {
            eprintln!("{path} is not what the code says: run `cargo gen`");
        }
        return if drifted.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match generated::write(&root) {
        Ok(written) => {
            for path in written {
                println!("{path}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot write the generated files: {error}");
            ExitCode::FAILURE
        }
    }
}
