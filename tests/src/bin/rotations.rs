//! `cargo rotations`: rotates the webhook's certificate authority a thousand times while Machines are applied, and prints what failed.

use std::process::ExitCode;

use clap::Parser;
use tests::rotations;

/// Rotates the webhook's certificate authority again and again while Machines are applied.
#[derive(Parser)]
#[command(name = "cargo rotations", bin_name = "cargo rotations")]
struct Args {
    /// How many rotations there are.
    #[arg(default_value_t = rotations::ROTATIONS)]
    rotations: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { rotations } = Args::parse();
    match rotations::run(rotations, |done| println!("{done}")).await {
        Ok(found) => {
            println!("{found}");
            if found.is_well(rotations) {
                return ExitCode::SUCCESS;
            }
        }
        Err(error) => eprintln!("{error}"),
    }
    eprintln!("Again, with its folder of logs left in place: KUBEVIRT_OPERATOR_KEEP=1 cargo rotations {rotations}");
    ExitCode::FAILURE
}
