//! What the demo prints. Printing never fails here: whoever closed the pipe does not want to hear about it.

use std::env;
use std::io::{Write, stderr, stdout};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::interval;

use crate::fit::{broken, cut, wrapped};
use crate::term;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// Whether the last line is the clock of [`during`], which the next line takes the place of.
static CLOCK: AtomicBool = AtomicBool::new(false);

const SECOND: Duration = Duration::from_secs(1);
/// Where nothing can be drawn in place, a line now and then says that it goes on.
const SIGN_OF_LIFE: u64 = 5;
const CLEAR: &str = "\r\x1b[K";

/// Seconds since the first line.
pub(crate) fn seconds() -> u64 {
    BEGUN.elapsed().as_secs()
}

/// Something that was done, with the time it took so far.
pub(crate) fn step(text: &str) {
    prose(&format!("[{:3} s] {text}", seconds()), 8);
}

/// A plain line.
pub(crate) fn line(text: &str) {
    let clear = if CLOCK.swap(false, Ordering::Relaxed) { CLEAR } else { "" };
    let _ = writeln!(stdout(), "{clear}{text}");
}

/// A line that is wrapped where it is too long for a terminal.
pub(crate) fn prose(text: &str, indent: usize) {
    for part in wrapped(text, term::width(), indent) {
        line(&part);
    }
}

/// A command as a person would type it, so that it is seen among what it prints.
pub(crate) fn command(text: &str) {
    for part in broken(&format!("$ {text}"), term::width()) {
        line(&bold(&part));
    }
}

/// What a chapter is about.
pub(crate) fn heading(text: &str) {
    for part in wrapped(&format!("== {text}"), term::width(), 3) {
        line(&bold(&part));
    }
}

fn bold(text: &str) -> String {
    let plain = !term::is_one() || env::var_os("NO_COLOR").is_some();
    if plain { text.to_owned() } else { format!("\x1b[1m{text}\x1b[0m") }
}

/// Does something that may take a while, and lets whoever waits see that it goes on.
pub(crate) async fn during<T>(doing: &str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let mut work = pin!(work);
    let mut tick = interval(SECOND);
    loop {
        tokio::select! {
            biased;
            done = &mut work => {
                if CLOCK.swap(false, Ordering::Relaxed) {
                    let _ = write!(stdout(), "{CLEAR}").and_then(|()| stdout().flush());
                }
                return done;
            }
            _ = tick.tick() => clock(doing, begun.elapsed().as_secs()),
        }
    }
}

fn clock(doing: &str, passed: u64) {
    if passed == 0 {
        return;
    }
    let text = format!("[{:3} s] {doing}, {passed} s so far", seconds());
    if term::is_one() {
        CLOCK.store(true, Ordering::Relaxed);
        // Not into the last cell: some terminals wrap there.
        let text = cut(&text, term::size().columns.saturating_sub(1));
        let _ = write!(stdout(), "{CLEAR}{text}").and_then(|()| stdout().flush());
    } else if passed.is_multiple_of(SIGN_OF_LIFE) {
        line(&text);
    }
}

/// Why it did not work.
pub(crate) fn failed(text: &str) -> ExitCode {
    let clear = if CLOCK.swap(false, Ordering::Relaxed) { CLEAR } else { "" };
    let _ = writeln!(stderr(), "{clear}cargo demo: {text}");
    ExitCode::FAILURE
}
