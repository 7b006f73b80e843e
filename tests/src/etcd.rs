//! One etcd for all planes of a folder, where each plane keeps its keys under a prefix of its own; or one more for a plane that is to
//! lose everything.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::binaries::{self, Tool};
use crate::error::{Error, Result};
use crate::ports;
use crate::probe;
use crate::process::{Processes, Program, Stop};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// An etcd with its data in a folder of its name. Safe against the end of its process, not of the machine: it never
/// waits for the disk.
#[derive(Clone, Debug)]
pub struct Etcd {
    name: &'static str,
    processes: Arc<Processes>,
    client: SocketAddr,
    peer: SocketAddr,
}

impl Etcd {
    /// The etcd of a folder, running or not.
    pub fn new(processes: &Arc<Processes>) -> Result<Self> {
        Self::named(processes, "etcd")
    }

    /// One beside it, of another name.
    pub fn named(processes: &Arc<Processes>, name: &'static str) -> Result<Self> {
        let dir = processes.dir();
        let (client, peer) = (ports::claim(dir, name)?, ports::claim(dir, &format!("{name}-peer"))?);
        Ok(Self { name, processes: Arc::clone(processes), client, peer })
    }

    /// Where API servers connect.
    pub fn url(&self) -> String {
        format!("http://{}", self.client)
    }

    /// Whether its process is alive.
    pub fn is_running(&self) -> bool {
        self.processes.running(self.name).is_some()
    }

    /// Starts it, if it does not run, and waits until it is healthy.
    pub async fn start(&self) -> Result<()> {
        if !self.is_running() {
            ports::require_free(self.client, self.name).await?;
            ports::require_free(self.peer, self.name).await?;
            self.processes.start(&self.program().await?)?;
        }
        let look = async || {
            let answer = probe::get(self.client, "/health").await?;
            if answer.contains(r#""health":"true""#) { Ok(()) } else { Err(answer) }
        };
        self.processes.until_ready(self.name, READY_WITHIN, look).await
    }

    /// Forgets all history of its keys up to now: a watch from an earlier version cannot be continued.
    pub async fn compact(&self) -> Result<()> {
        let failed = |why: String| Error::Absent { what: format!("compaction of etcd: {why}") };
        let answer = probe::post(self.client, "/v3/kv/range", r#"{"key": "AA=="}"#).await.map_err(failed)?;
        let answer: Value = serde_json::from_str(&answer).map_err(|why| failed(why.to_string()))?;
        let request = json!({"revision": answer["header"]["revision"], "physical": true});
        probe::post(self.client, "/v3/kv/compaction", &request.to_string()).await.map(drop).map_err(failed)
    }

    /// Ends it. API servers keep running and answer with errors.
    pub async fn stop(&self, how: Stop) -> Result<()> {
        self.processes.stop(self.name, how).await
    }

    /// The folder with its data.
    pub fn data(&self) -> PathBuf {
        self.processes.dir().join(self.name)
    }

    async fn program(&self) -> Result<Program> {
        let peer = format!("http://{}", self.peer);
        let args = [
            format!("--data-dir={}", self.data().display()),
            format!("--listen-client-urls={}", self.url()),
            format!("--advertise-client-urls={}", self.url()),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync=true".to_owned(),
        ];
        let path = binaries::locate(Tool::Etcd).await?;
        Ok(Program { name: self.name.to_owned(), path, args: args.into(), env: Vec::new() })
    }
}
