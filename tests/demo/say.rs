//! What the demo prints. Printing never fails here: whoever closed the pipe does not want to hear about it.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Seconds since the first line.
pub(crate) fn seconds() -> u64 {
    BEGUN.elapsed().as_secs()
}

/// Something that was done, with the time it took so far.
pub(crate) fn step(text: &str) {
    line(&format!("[{:3} s] {text}", seconds()));
}

/// A plain line.
pub(crate) fn line(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}

/// Why it did not work.
pub(crate) fn failed(text: &str) -> ExitCode {
    let _ = writeln!(stderr(), "cargo demo: {text}");
    ExitCode::FAILURE
}
