//! Counts of instructions, by callgrind: they do not depend on the machine's load. Needs `valgrind`.
//!
//! A benchmark runs itself with `--child`, and does there what it counts, a given number of times.

use std::process::Command;

/// Instructions of one round of `--child`: the difference of two runs of this program, so start-up does not show.
pub(crate) fn each(child: &[&str], few: u64, many: u64) -> u64 {
    (instructions(child, many) - instructions(child, few)) / (many - few)
}

/// What callgrind counts for a run of this very program.
fn instructions(child: &[&str], times: u64) -> u64 {
    let said = run(child, times, "/dev/null");
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).expect("a count");
    collected.1.trim().parse().expect("a number")
}

/// Runs this program under callgrind, which writes its profile to `profile`; answers with what it said.
pub(crate) fn run(child: &[&str], times: u64, profile: &str) -> String {
    let program = std::env::current_exe().expect("this program");
    let mut callgrind = Command::new("valgrind");
    callgrind.args(["--tool=callgrind", &format!("--callgrind-out-file={profile}")]).arg(program).arg("--child");
    let output = callgrind
        .args(child)
        .arg(times.to_string())
        .output()
        .expect("valgrind: install it, for example with `apt-get install valgrind`");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// The arguments behind `--child`, the last of which is how often: this is the run that is counted.
pub(crate) fn child() -> Option<(Vec<String>, u64)> {
    let mut args: Vec<String> = std::env::args().skip_while(|arg| arg != "--child").skip(1).collect();
    let times = args.pop()?;
    Some((args, times.parse().expect("a count")))
}
