//! Arms as processes of their own, and what the kernel knows about them. I/O: processes, `/proc`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::Fault;
use crate::arms::Arm;
use crate::client::NAME;
use crate::links::clusters;
use crate::machines::server;
use crate::machines::world::Fleet;

/// The certificate that all arms serve, ECDSA P-256 as that of the product.
pub(crate) struct Identity {
    dir: TempDir,
    /// The certificate, which is its own authority, as PEM.
    pub(crate) certificate: String,
}

impl Identity {
    /// A new one for these names.
    pub(crate) fn new(names: &[&str]) -> Result<Self, Fault> {
        let made = rcgen::generate_simple_self_signed(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
        let (dir, certificate) = (tempfile::tempdir()?, made.cert.pem());
        fs::write(certificate_file(dir.path()), &certificate)?;
        fs::write(key_file(dir.path()), made.signing_key.serialize_pem())?;
        Ok(Self { dir, certificate })
    }
}

fn certificate_file(dir: &Path) -> PathBuf {
    dir.join("tls.crt")
}

fn key_file(dir: &Path) -> PathBuf {
    dir.join("tls.key")
}

/// A running arm; it ends when this is dropped, or when this process ends.
pub(crate) struct Served {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts an arm that knows so many clusters and classes; `core` is the only one that it may run on.
    pub(crate) fn start(
        arm: Arm,
        identity: &Identity,
        ip: IpAddr,
        configs: usize,
        core: Option<usize>,
    ) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments(arm, identity, ip, configs)).args(core.map(|core| core.to_string()));
        // Standard error is where the product logs each decision; what happens to the lines is not its cost.
        Self::spawn(command.stderr(Stdio::null()))
    }

    /// Starts these arms on the first core, and keeps this process on the last.
    pub(crate) fn apart(arms: &[Arm]) -> Result<(Identity, Vec<Self>), Fault> {
        let (server, client) = cores()?;
        pin(client)?;
        let identity = Identity::new(&[NAME])?;
        let start = |arm: &Arm| Self::start(*arm, &identity, IpAddr::V4(Ipv4Addr::LOCALHOST), 3, Some(server));
        let started = arms.iter().map(start).collect::<Result<_, _>>()?;
        Ok((identity, started))
    }

    /// Starts an arm under callgrind, which says in a file what it counted once [`Served::end`] returns.
    pub(crate) fn start_counted(arm: Arm, identity: &Identity, ip: IpAddr, said: &Path) -> Result<Self, Fault> {
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(format!("--log-file={}", said.display()));
        command.arg(std::env::current_exe()?).args(arguments(arm, identity, ip, 3));
        Self::spawn(command.stderr(Stdio::null()))
    }

    /// Starts clusters, each of whose answers takes so many milliseconds.
    pub(crate) fn start_clusters(identity: &Identity, distance: u64) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        let dir = identity.dir.path().display().to_string();
        Self::spawn(command.args(["--serve", "clusters", &dir, "127.0.0.1", &distance.to_string()]))
    }

    /// Starts a supervisor and clusters that are imitated.
    pub(crate) fn start_machines(identity: &Identity, fleet: Fleet) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        let dir = identity.dir.path().display().to_string();
        Self::spawn(command.args(["--serve", "machines", &dir, "127.0.0.1", &serde_json::to_string(&fleet)?]))
    }

    fn spawn(command: &mut Command) -> Result<Self, Fault> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|why| format!("{}: {why}", command.get_program().display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().ok_or("no pipe")?).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| format!("{command:?} did not start: {line:?}"))?;
        Ok(Self { child, address })
    }

    /// Lets it end by itself.
    pub(crate) fn end(mut self) -> Result<(), Fault> {
        drop(self.child.stdin.take());
        self.child.wait()?;
        Ok(())
    }

    /// CPU time that it has used, in nanoseconds: user and system, of all its threads.
    pub(crate) fn cpu(&self) -> Result<f64, Fault> {
        let mut sum = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let spent = fs::read_to_string(task?.path().join("schedstat"))?;
            sum += spent.split(' ').next().ok_or("an empty schedstat")?.parse::<f64>()?;
        }
        Ok(sum)
    }

    /// Resident memory, in KiB.
    pub(crate) fn memory(&self) -> Result<f64, Fault> {
        resident(self.child.id())
    }
}

/// Resident memory of a process, in KiB.
pub(crate) fn resident(process: u32) -> Result<f64, Fault> {
    status_of(process, "VmRSS:")
}

/// The most resident memory that a process had since [`forget_peak`], in KiB.
pub(crate) fn peak(process: u32) -> Result<f64, Fault> {
    status_of(process, "VmHWM:")
}

/// From now on [`peak`] begins at what is resident.
pub(crate) fn forget_peak(process: u32) -> Result<(), Fault> {
    Ok(fs::write(format!("/proc/{process}/clear_refs"), "5")?)
}

fn status_of(process: u32, field: &str) -> Result<f64, Fault> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn arguments(arm: Arm, identity: &Identity, ip: IpAddr, configs: usize) -> [String; 5] {
    let dir = identity.dir.path().display().to_string();
    ["--serve".to_owned(), arm.name().to_owned(), dir, ip.to_string(), configs.to_string()]
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The cores that this process may run on: the first for servers, the last for clients.
pub(crate) fn cores() -> Result<(usize, usize), Fault> {
    let allowed = sched_getaffinity(None)?;
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    match (all.first(), all.last()) {
        (Some(first), Some(last)) if first != last => Ok((*first, *last)),
        _ => Err("this needs two cores: one for the server, one for the client".into()),
    }
}

/// Keeps this thread, and those that it starts, on one core.
pub(crate) fn pin(core: usize) -> Result<(), Fault> {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

/// The pipe of the input closes when whoever started this process is gone.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// The life of an arm's process. Its arguments are those that [`Served::start`] gives it.
pub(crate) async fn serve(args: &[String]) -> Result<(), Fault> {
    let [arm, dir, ip, configs, core @ ..] = args else { return Err("too few arguments".into()) };
    if let Some(core) = core.first() {
        pin(core.parse()?)?;
    }
    let chain = CertificateDer::pem_file_iter(certificate_file(Path::new(dir)))?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key_file(Path::new(dir)))?;
    let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let listener = TcpListener::bind((ip.parse::<IpAddr>()?, 0)).await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    end_with_parent();
    if arm == "clusters" {
        return clusters::serve(listener, Arc::new(tls), Duration::from_millis(configs.parse()?)).await;
    }
    if arm == "machines" {
        let certificate = fs::read_to_string(certificate_file(Path::new(dir)))?;
        return server::serve(listener, Arc::new(tls), &certificate, serde_json::from_str(configs)?).await;
    }
    Arm::named(arm)?.serve(listener, Arc::new(tls), configs.parse()?).await
}
