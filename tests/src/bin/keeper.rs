//! Ends the control planes of a test run when the run is over; started by the harness with the run's folder.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: keeper FOLDER (the harness starts it; there is nothing to run by hand)");
        return ExitCode::FAILURE;
    };
    match tests::keeper::keep(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keeper: {}: {error}", dir.display());
            ExitCode::FAILURE
        }
    }
}
