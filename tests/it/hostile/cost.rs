//! What a process costs, from `/proc`.

use std::fs;

use tests::fleet::Fleet;
use tests::wait::eventually;

/// Memory in bytes, and time of CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Memory that it has now.
    pub(crate) now: u64,
    /// The most that it had since [`forget_peak`].
    pub(crate) peak: u64,
    /// Hundredths of a second.
    pub(crate) ticks: u64,
}

fn pid(fleet: &Fleet, name: &str) -> i32 {
    fleet.processes().running(name).unwrap_or_else(|| panic!("{name} does not run any more")).pid
}

pub(crate) fn cost(fleet: &Fleet, name: &str) -> Cost {
    let pid = pid(fleet, name);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    // The name may hold blanks; user and system time are the 12th and 13th word after it.
    let (_, words) = stat.rsplit_once(')').expect("a name");
    let ticks = words.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Cost { now: kib("VmRSS:"), peak: kib("VmHWM:"), ticks }
}

/// From now on, the peak is what it is from now on.
pub(crate) fn forget_peak(fleet: &Fleet, name: &str) {
    fs::write(format!("/proc/{}/clear_refs", pid(fleet, name)), "5").expect("a process of ours");
}

/// Waits until a process has at most twice the memory that it had (ATK12).
pub(crate) async fn is_given_back(fleet: &Fleet, name: &str, before: Cost) {
    eventually(&format!("{name} gives its memory back"), async || {
        let now = cost(fleet, name).now;
        if now <= 2 * before.now { Ok(()) } else { Err(format!("{} KiB, was {}", now >> 10, before.now >> 10)) }
    })
    .await;
}
