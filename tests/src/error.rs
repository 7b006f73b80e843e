//! What can go wrong while control planes are brought up, each with what to do about it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Result of everything in the harness.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the harness itself; never a failed assertion.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A binary is nowhere and cannot be built, because Go is missing or too old.
    #[error(
        "{tool} is not in KUBEBUILDER_ASSETS, not on PATH (version {minimum} or newer) and not in the cache {cache}; \
         building it needs Go 1.26 or newer, but {found}.\n\
         Install Go from https://go.dev/dl/, or set KUBEBUILDER_ASSETS to a directory that holds \
         etcd, kube-apiserver, kube-controller-manager, kubectl and helm."
    )]
    Go {
        /// The binary that was looked for.
        tool: &'static str,
        /// Its oldest version that is accepted from PATH.
        minimum: String,
        /// Where a built one would be kept.
        cache: PathBuf,
        /// What is known about the installed Go.
        found: String,
    },
    /// A short-lived command failed.
    #[error("{command} failed:{}", indented(.output))]
    Command {
        /// The command line, shortened.
        command: String,
        /// What it printed.
        output: String,
    },
    /// A process ended while somebody waited for it to be ready.
    #[error("{process} ended before it was ready; the end of {log}:{}", indented(.tail))]
    Died {
        /// Name of the process.
        process: String,
        /// Its whole log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A process runs but did not become ready.
    #[error("{process} was not ready after {seconds} s ({last}); the end of {log}:{}", indented(.tail))]
    NotReady {
        /// Name of the process.
        process: String,
        /// How long it was given.
        seconds: u64,
        /// What the last look at it said.
        last: String,
        /// Its whole log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A process outlived SIGKILL.
    #[error("{process} (process {pid}) is still there {seconds} s after SIGKILL")]
    Unkillable {
        /// Name of the process.
        process: String,
        /// Its process id.
        pid: i32,
        /// How long it was given.
        seconds: u64,
    },
    /// Somebody else listens on a port that has to stay the same.
    #[error("port {port} of {name} is taken by another process: find it with `ss -ltnp sport = :{port}` and end it")]
    PortTaken {
        /// What the port is for.
        name: String,
        /// The port on 127.0.0.1.
        port: u16,
    },
    /// A file or process operation failed.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was tried, as in "cannot write".
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Making a key or a certificate failed.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The definitions of a remote cannot be had.
    #[error(transparent)]
    Definitions(#[from] crate::remote_crds::CrdsError),
    /// An API server refused or could not be reached.
    #[error("{what}: {source}")]
    Kube {
        /// What was asked for.
        what: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// A file does not hold what it should.
    #[error("{path} is not usable: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that was asked for does not exist.
    #[error("there is no {what}")]
    Absent {
        /// What it would have been.
        what: String,
    },
}

/// `map_err` for file operations: `fs::read(&p).map_err(io("cannot read", &p))`.
pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io { what, path, source }
}

/// `map_err` for API requests: `api.get("x").await.map_err(kube("cannot read x"))`.
pub(crate) fn kube(what: impl Display) -> impl FnOnce(kube::Error) -> Error {
    let what = what.to_string();
    move |source| Error::Kube { what, source: Box::new(source) }
}

/// Several lines set off from the sentence before them.
fn indented(text: &str) -> String {
    let text = if text.trim().is_empty() { "(nothing)" } else { text };
    text.lines().flat_map(|line| ["\n    ", line]).collect()
}
