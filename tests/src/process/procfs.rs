//! The little that the harness reads from `/proc`: when a process started, and who is in a process group.

use std::fs;

/// One process for sure: ids are used again, an id together with its start time is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Process id.
    pub pid: i32,
    /// Clock ticks from boot to its start.
    pub ticks: u64,
}

/// What `/proc/PID/stat` says, as far as we ask.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    group: i32,
    threads: u32,
    ticks: u64,
}

impl Stat {
    /// A killed process shows as a zombie while its other threads are still ending and hold its ports open.
    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }
}

/// The process with that id, unless it is dead and only waits to be reaped.
pub(crate) fn started(pid: i32) -> Option<Started> {
    let stat = read(pid)?;
    stat.is_alive().then_some(Started { pid, ticks: stat.ticks })
}

/// All live processes of a process group.
pub(crate) fn group(group: i32) -> Vec<Started> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let stat = read(pid)?;
        (stat.group == group && stat.is_alive()).then_some(Started { pid, ticks: stat.ticks })
    })
    .collect()
}

fn read(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads a stat line. The program's name is in parentheses and may hold anything, so counting starts after the last one.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        ticks: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line = "71 (a) b (c)) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 7 0 98765 1 2 3";
        assert_eq!(parse(line), Some(Stat { state: 'S', group: 42, threads: 7, ticks: 98765 }));
    }

    #[test]
    fn this_process_is_alive() {
        let pid = i32::try_from(std::process::id()).expect("fits");
        assert!(started(pid).is_some_and(|process| process.ticks > 0));
    }
}
