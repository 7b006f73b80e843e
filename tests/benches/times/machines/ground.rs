//! The whole controller in a process of its own, beside one that imitates the API servers. I/O: both of them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use controller::args::Args;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use super::server;
use super::world::{Fleet, SUPERVISOR, Seen};
use crate::Fault;
use crate::children::{Identity, Served};

/// Between two looks at it. One that looks the same so many times has settled.
const LOOK: Duration = Duration::from_millis(500);
const SAME: usize = 6;
/// Between two looks at what is over soon.
const GLANCE: Duration = Duration::from_millis(50);
/// Everything that is waited for happens within this.
const LIMIT: Duration = Duration::from_secs(300);
/// Of the kernel, in a second.
const TICKS: f64 = 100.0;

/// The API servers.
pub(super) struct Ground {
    client: Client,
    kubeconfig: PathBuf,
    /// These end, and go, when this is dropped.
    _server: Served,
    _identity: Identity,
    _dir: TempDir,
}

impl Ground {
    pub(super) async fn new(fleet: Fleet) -> Result<Self, Fault> {
        let identity = Identity::new(&["127.0.0.1"])?;
        let server = Served::start_machines(&identity, fleet)?;
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("kubeconfig");
        let kubeconfig = server::kubeconfig(&server.address.to_string(), SUPERVISOR, &identity.certificate);
        fs::write(&path, &kubeconfig)?;
        Ok(Self {
            client: client(&kubeconfig).await?,
            kubeconfig: path,
            _server: server,
            _identity: identity,
            _dir: dir,
        })
    }

    /// A client of one of them.
    pub(super) async fn client(&self, server: &str) -> Result<Client, Fault> {
        let text = fs::read_to_string(&self.kubeconfig)?;
        client(&text.replace(&format!("/{SUPERVISOR}"), &format!("/{server}"))).await
    }

    /// Starts a controller of them.
    pub(super) fn controller(&self) -> Result<Controller, Fault> {
        Controller::start(&self.kubeconfig)
    }

    /// Says one of the words of the server, of so many, and answers with what was seen so far.
    pub(super) async fn say(&self, word: &str, count: usize) -> Result<Seen, Fault> {
        Ok(serde_json::from_str(&self.text(&format!("{word}?count={count}")).await?)?)
    }

    /// Milliseconds that Machines took to show what happened to their instances.
    pub(super) async fn lags(&self) -> Result<Vec<f64>, Fault> {
        Ok(serde_json::from_str(&self.text("lags").await?)?)
    }

    /// The statuses of the clusters.
    pub(super) async fn statuses(&self) -> Result<Vec<Value>, Fault> {
        Ok(serde_json::from_str(&self.text("statuses").await?)?)
    }

    /// Waits until so many Machines are settled in all.
    pub(super) async fn settled(&self, machines: usize) -> Result<Seen, Fault> {
        let began = Instant::now();
        loop {
            let seen = self.say("seen", 0).await?;
            if seen.settled >= machines {
                return Ok(seen);
            }
            if began.elapsed() > LIMIT {
                return Err(format!("of {machines} Machines, {} got ready within {LIMIT:?}", seen.settled).into());
            }
            sleep(GLANCE).await;
        }
    }

    /// Until the next look.
    pub(super) async fn pause(&self) {
        sleep(LOOK).await;
    }

    async fn text(&self, path: &str) -> Result<String, Fault> {
        let request = http::Request::get(format!("{}{path}", server::ASIDE)).body(Vec::new())?;
        Ok(self.client.request_text(request).await?)
    }
}

async fn client(kubeconfig: &str) -> Result<Client, Fault> {
    let kubeconfig = serde_json::from_str::<Kubeconfig>(kubeconfig)?;
    Ok(Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)?)
}

/// A controller in a process of its own; it ends when this is dropped.
pub(super) struct Controller {
    child: Child,
    metrics: SocketAddr,
}

impl Controller {
    fn start(kubeconfig: &Path) -> Result<Self, Fault> {
        // Free until somebody else takes it.
        let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--controller", &kubeconfig.display().to_string(), &metrics.to_string()]);
        Ok(Self { child: command.stdin(Stdio::piped()).spawn()?, metrics })
    }

    /// The number of its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of CPU that it has used: user and system, of all its threads, also of those that ended.
    pub(super) fn cpu(&self) -> Result<f64, Fault> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let after = stat.rsplit_once(") ").ok_or("no such field")?.1;
        let spent: Result<Vec<f64>, _> = after.split(' ').skip(11).take(2).map(str::parse).collect();
        Ok(spent?.iter().sum::<f64>() / TICKS)
    }

    /// Passes that came to their end.
    fn passes(&self) -> Result<usize, Fault> {
        let mut stream = TcpStream::connect(self.metrics)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let count = page.lines().find(|line| line.contains("_seconds_count{controller=\"Machine\"}"));
        Ok(count.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default())
    }

    /// Waits until there were so many passes and there are no more. Answers with how many there were.
    pub(super) async fn settle(&self, passes: usize) -> Result<usize, Fault> {
        let (began, mut last, mut same) = (Instant::now(), 0, 0);
        while same < SAME {
            if began.elapsed() > LIMIT {
                return Err(format!("not settled within {LIMIT:?}: {last} passes of {passes}").into());
            }
            sleep(LOOK).await;
            let now = self.passes().unwrap_or_default();
            same = if now == last && now >= passes { same + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The life of a controller's process: its kubeconfig, and where it serves its metrics.
pub(crate) async fn work(args: &[String]) -> Result<(), Fault> {
    let [kubeconfig, metrics] = args else { return Err("too few arguments".into()) };
    let settings = ["--kubeconfig", kubeconfig, "--metrics-bind-address", metrics, "--health-probe-bind-address", "0"];
    // The passes of the safety net would hide when the others are over.
    let alone = [
        "--debug-bind-address",
        "0",
        "--leader-election",
        "false",
        "--reconcile-interval",
        "1h",
        "--platform-disrupted-clusters",
        "1000",
    ];
    let args = Args::try_parse_from(["controller"].into_iter().chain(settings).chain(alone))?;
    controller::run(args).await
}
