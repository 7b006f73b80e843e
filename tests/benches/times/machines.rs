//! What ten thousand Machines take of the controller's memory, and what it takes at most while it lists them, first and again.
//! PERF-C5. The whole controller runs; only the two API servers are imitated.

mod objects;
pub(crate) mod server;
mod store;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use controller::args::Args;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::time::sleep;

use crate::Fault;
use crate::children::{Identity, Served, forget_peak, peak, resident};

/// Machines of a large fleet, and of a small one.
const MANY: usize = 10_000;
const FEW: usize = 1_000;
/// KiB for each Machine, and how many times what it holds a controller may have while it lists.
const MOST_EACH: f64 = 4.0;
const MOST_PEAK: f64 = 1.5;
/// Between two looks at it. One that looks the same so many times has settled.
const LOOK: Duration = Duration::from_millis(500);
const SAME: usize = 6;
/// It has settled within this.
const LIMIT: Duration = Duration::from_secs(300);

/// KiB of a controller.
struct Found {
    settled: f64,
    first: f64,
    relisted: f64,
    again: f64,
}

/// A controller in a process of its own; it ends when this is dropped.
struct Controller {
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
    async fn settle(&self, passes: usize) -> Result<usize, Fault> {
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
    let alone = ["--debug-bind-address", "0", "--leader-election", "false", "--reconcile-interval", "1h"];
    let args = Args::try_parse_from(["controller"].into_iter().chain(settings).chain(alone))?;
    controller::run(args).await
}

/// Measures, prints, and says whether all limits hold.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) async fn measure() -> Result<bool, Fault> {
    println!("\nresident memory of the controller, KiB");
    println!("{:>8} {:>9} {:>10} {:>9} {:>9}", "Machines", "settled", "first list", "relist", "after it");
    let [few, many] = [found(FEW).await?, found(MANY).await?];
    for (count, found) in [(FEW, &few), (MANY, &many)] {
        let Found { settled, first, relisted, again } = found;
        println!("{count:>8} {settled:>9.0} {first:>10.0} {relisted:>9.0} {again:>9.0}");
    }
    let each = (many.settled - few.settled) / (MANY - FEW) as f64;
    let after = (many.again - few.again) / (MANY - FEW) as f64;
    let mut passed = true;
    let mut judge = |what: &str, found: f64, most: f64| {
        let verdict = if found <= most { "met" } else { "MISSED" };
        passed &= found <= most;
        println!("{what}: {found:.2}, at most {most:.1}: {verdict}");
    };
    judge("KiB of each Machine", each, MOST_EACH);
    judge("KiB of each Machine after it was listed again", after, MOST_EACH);
    judge("most during the first list, to settled", many.first / many.settled, MOST_PEAK);
    judge("most during a relist, to settled", many.relisted / many.settled, MOST_PEAK);
    Ok(passed)
}

async fn found(machines: usize) -> Result<Found, Fault> {
    let identity = Identity::new(&["127.0.0.1"])?;
    let server = Served::start_machines(&identity, machines)?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("kubeconfig");
    let kubeconfig = server::kubeconfig(&server.address.to_string(), server::SUPERVISOR, &identity.certificate);
    fs::write(&path, &kubeconfig)?;
    let (options, kubeconfig) = (KubeConfigOptions::default(), serde_json::from_str::<Kubeconfig>(&kubeconfig)?);
    let client = Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await?)?;
    let ask = async |what: &str| -> Result<usize, Fault> {
        let request = http::Request::get(format!("/{what}")).body(Vec::new())?;
        Ok(client.request_text(request).await?.parse().unwrap_or_default())
    };
    // One Machine is made by the controller itself. All others are like it.
    let first = Controller::start(&path)?;
    let began = Instant::now();
    while ask("settled").await? == 0 {
        if began.elapsed() > LIMIT {
            return Err("the first Machine does not get ready".into());
        }
        sleep(LOOK).await;
    }
    drop(first);
    let controller = Controller::start(&path)?;
    let process = controller.child.id();
    let passes = controller.settle(machines).await?;
    let (settled, first) = (resident(process)?, peak(process)?);
    forget_peak(process)?;
    ask("forget").await?;
    controller.settle(passes + machines).await?;
    let found = Found { settled, first, relisted: peak(process)?, again: resident(process)? };
    match ask("writes").await? {
        0 => Ok(found),
        writes => Err(format!("there is nothing to write, and there were {writes} writes").into()),
    }
}
