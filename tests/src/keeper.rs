//! Ends the processes of a test run. Statics are never dropped and a test may be killed, so a process of its own does it:
//! it leads the group that all others join, and acts when the pipe from the test process closes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use std::os::unix::process::CommandExt;

use rustix::process::{Pid, Signal, getpid};

use crate::error::{Error, Result, io as io_error};
use crate::process::{Processes, group, send};

/// Nothing that a test leaves behind is worth more time to say goodbye.
const GRACE: Duration = Duration::from_secs(2);
/// Set to anything: the folder of a run stays for reading its logs.
const KEEP: &str = "KUBEVIRT_OPERATOR_KEEP";

/// A running keeper. It acts when this value is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// Its stdin is the pipe. Never waited for: it outlives us on purpose.
    child: Child,
}

impl Keeper {
    /// Starts one for the processes and the folder of a run.
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        let path = beside_this_executable("keeper")?;
        let child = Command::new(&path).arg(dir).process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Ok(Self { child: child.map_err(io_error("cannot run", &path))? })
    }

    /// The process group to join.
    pub(crate) fn group(&self) -> i32 {
        Pid::from_child(&self.child).as_raw_nonzero().get()
    }
}

/// The keeper's whole life: waits for the end of stdin, ends all others in its group, removes the folder.
pub fn keep(dir: &Path) -> io::Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    let me = getpid().as_raw_nonzero().get();
    // Those in our group, and those that the run's folder knows: something may have taken the folder over.
    let others = || {
        let known = Processes::detached(dir).into_iter().flat_map(|all| all.all_running());
        group(me).into_iter().chain(known).filter(|process| process.pid != me).collect::<Vec<_>>()
    };
    let begun = Instant::now();
    let mut signal = Signal::TERM;
    while !others().is_empty() {
        for process in others() {
            send(process, signal)?;
        }
        if begun.elapsed() > GRACE {
            signal = Signal::KILL;
        }
        thread::sleep(Duration::from_millis(50));
    }
    if env::var_os(KEEP).is_some() {
        return writeln!(io::stderr(), "{KEEP} is set: logs are in {}", dir.join("logs").display());
    }
    fs::remove_dir_all(dir)
}

/// A binary that cargo put into the same target folder as the running test, benchmark or demo.
pub fn beside_this_executable(name: &str) -> Result<PathBuf> {
    let exe =
        env::current_exe().map_err(io_error("cannot find the running executable in", Path::new("/proc/self/exe")))?;
    let folders = exe.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| Error::Absent {
        what: format!("{name} beside {}: run `cargo build --workspace --bins`", exe.display()),
    })
}
