//! Processes of this folder that no file knows: a run that is killed between a start and its note leaves one, and it would
//! hold its port for ever. Everything the fleet starts has the folder as its working directory.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::say;

/// Nothing else that somebody runs in the folder is ours.
const PROGRAMS: [&str; 6] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kubevirt-sim",
    "kubevirt-operator-webhook",
    "kubevirt-operator-controller",
];

/// Ends them, except for those that are known. Their data is of no use without the others, so nothing is asked of them.
pub(crate) fn end(dir: &Path, known: &[i32]) {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        if known.contains(&pid) || !fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == dir) {
            continue;
        }
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let name = exe.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(" (deleted)");
        if PROGRAMS.contains(&name) && Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()) {
            say::step(&format!("ended {name} (process {pid}), which a killed run had left"));
        }
    }
}
