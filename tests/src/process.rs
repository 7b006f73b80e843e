//! Long-running processes, known by what is on disk: `run/NAME.pid` holds the process id and its start time, `logs/NAME.log`
//! what it printed. No handle is kept, so that a later invocation (`cargo demo stop east`) finds what an earlier one started.

mod procfs;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::error::{Error, Result, io as io_error};
use crate::keeper::Keeper;
pub use procfs::Started;
pub(crate) use procfs::group;

/// Between two looks at something that should change soon.
const GLANCE: Duration = Duration::from_millis(50);
/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel may take to end it.
const KILL: Duration = Duration::from_secs(10);
/// Variables of the caller that every process keeps. All others are given by name: a `DEFAULT_KUBEVIRT_CONFIG` or a
/// proxy in somebody's shell must not change what a test does.
const INHERITED: &[&str] = &["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE", "RUST_LOG"];

/// How to end a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM, and SIGKILL if that is not enough.
    Gracefully,
    /// SIGKILL, as if the machine had died.
    AtOnce,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Program {
    /// Unique among the processes of one folder.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, beside the few variables that every process keeps.
    pub env: Vec<(String, String)>,
}

/// The processes of one folder.
#[derive(Debug)]
pub struct Processes {
    dir: PathBuf,
    keeper: Option<Keeper>,
}

impl Processes {
    /// In a fresh temporary folder; both the processes and the folder are gone when this process is, however it ends.
    ///
    /// `KUBEVIRT_OPERATOR_KEEP=1` leaves the folder, for reading logs after a failure.
    pub fn kept() -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("kubevirt-operator-")
            .tempdir()
            .map_err(io_error("cannot create a folder in", &env::temp_dir()))?
            .keep();
        let keeper = Keeper::start(&dir)?;
        Ok(Self { keeper: Some(keeper), ..Self::detached(&dir)? })
    }

    /// In a given folder; they outlive this process.
    pub fn detached(dir: &Path) -> Result<Self> {
        for part in ["run", "logs", "ports"] {
            let part = dir.join(part);
            fs::create_dir_all(&part).map_err(io_error("cannot create", &part))?;
        }
        let dir = dir.canonicalize().map_err(io_error("cannot resolve", dir))?;
        Ok(Self { dir, keeper: None })
    }

    /// The folder of everything.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What a process printed, from its first start on.
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("logs/{name}.log"))
    }

    fn pid_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("run/{name}.pid"))
    }

    /// Starts a program in the background; does nothing if it is running already.
    pub fn start(&self, program: &Program) -> Result<()> {
        let Program { name, path, args, env } = program;
        if self.running(name).is_some() {
            return Ok(());
        }
        let log = self.log(name);
        let output = File::options().create(true).append(true).open(&log).map_err(io_error("cannot write", &log))?;
        let errors = output.try_clone().map_err(io_error("cannot write", &log))?;
        let mut command = Command::new(path);
        command.args(args).current_dir(&self.dir).env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        // Never our own group: Ctrl-C in the terminal is for us alone.
        command.process_group(self.keeper.as_ref().map_or(0, Keeper::group));
        let child = command.spawn().map_err(io_error("cannot run", path))?;
        let pid = Pid::from_child(&child).as_raw_nonzero().get();
        // A process that died this early has no start time; the pid file then holds one that matches nothing.
        let started = procfs::started(pid).unwrap_or(Started { pid, ticks: 0 });
        let file = self.pid_file(name);
        fs::write(&file, format!("{} {}\n", started.pid, started.ticks)).map_err(io_error("cannot write", &file))
    }

    /// The process of that name, if it still runs. One that has the same id but started at another time is a stranger.
    pub fn running(&self, name: &str) -> Option<Started> {
        let text = fs::read_to_string(self.pid_file(name)).ok()?;
        let (pid, ticks) = text.trim().split_once(' ')?;
        let known = Started { pid: pid.parse().ok()?, ticks: ticks.parse().ok()? };
        // Ours, if this process started it: a zombie would hold its id until we end.
        let _ = waitpid(Pid::from_raw(known.pid), WaitOptions::NOHANG);
        (procfs::started(known.pid)? == known).then_some(known)
    }

    /// Names of all that were started and not stopped, running or dead.
    pub fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.dir.join("run")).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".pid")?.to_owned())).collect();
        names.sort();
        names
    }

    /// All that run.
    pub(crate) fn all_running(&self) -> Vec<Started> {
        self.names().iter().filter_map(|name| self.running(name)).collect()
    }

    /// Ends a process and waits until it is gone; does nothing if it is not running.
    pub async fn stop(&self, name: &str, how: Stop) -> Result<()> {
        if let Some(process) = self.running(name) {
            let ended = how == Stop::Gracefully && self.end(name, process, Signal::TERM, GRACE).await?;
            if !ended && !self.end(name, process, Signal::KILL, KILL).await? {
                let (process, pid) = (name.to_owned(), process.pid);
                return Err(Error::Unkillable { process, pid, seconds: KILL.as_secs() });
            }
        }
        let file = self.pid_file(name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("cannot remove", &file)(error)),
            _ => Ok(()),
        }
    }

    /// Stops a process from running, without ending it, or lets it run again.
    pub fn pause(&self, name: &str, paused: bool) -> Result<()> {
        let Some(process) = self.running(name) else { return Err(Error::Absent { what: format!("process {name}") }) };
        let signal = if paused { Signal::STOP } else { Signal::CONT };
        send(process, signal).map_err(io_error("cannot signal the process of", &self.pid_file(name)))
    }

    /// Sends a signal; true once the process is gone.
    async fn end(&self, name: &str, process: Started, signal: Signal, limit: Duration) -> Result<bool> {
        send(process, signal).map_err(io_error("cannot signal the process of", &self.pid_file(name)))?;
        let begun = Instant::now();
        while self.running(name).is_some() {
            if begun.elapsed() > limit {
                return Ok(false);
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(true)
    }

    /// Waits until a look at a process succeeds. `look` answers with what is still missing.
    pub async fn until_ready<T>(
        &self,
        name: &str,
        limit: Duration,
        look: impl AsyncFn() -> Result<T, String>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            let last = match look().await {
                Ok(found) => return Ok(found),
                Err(missing) => missing,
            };
            let (process, log) = (name.to_owned(), self.log(name));
            let tail = || tail(&log, 15);
            if self.running(name).is_none() {
                return Err(Error::Died { process, tail: tail(), log });
            }
            if begun.elapsed() > limit {
                return Err(Error::NotReady { process, seconds: limit.as_secs(), last, tail: tail(), log });
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// Sends a signal to a process; one that is gone already is no error.
pub(crate) fn send(process: Started, signal: Signal) -> io::Result<()> {
    let Some(pid) = Pid::from_raw(process.pid) else { return Ok(()) };
    match kill_process(pid, signal) {
        Err(error) if error != rustix::io::Errno::SRCH => Err(error.into()),
        _ => Ok(()),
    }
}

/// The last lines of a file, or why it cannot be read.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text =
        fs::read(log).map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
    let skipped = text.lines().count().saturating_sub(lines);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_used_again_belongs_to_a_stranger() {
        let dir = tempfile::tempdir().expect("folder");
        let processes = Processes::detached(dir.path()).expect("folders");
        let me = procfs::started(i32::try_from(std::process::id()).expect("fits")).expect("alive");
        let write =
            |ticks: u64| fs::write(processes.pid_file("east"), format!("{} {ticks}\n", me.pid)).expect("written");
        write(me.ticks);
        assert_eq!(processes.running("east"), Some(me));
        write(me.ticks + 1);
        assert_eq!(processes.running("east"), None);
        assert_eq!(processes.names(), ["east"]);
    }
}
