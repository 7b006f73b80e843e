//! A control plane: kube-apiserver with RBAC and an audit log, and kube-controller-manager with the controllers that tests
//! need (garbage collection, namespace deletion, service accounts, PVC protection). Start, stop, clients, tokens.

mod flags;
mod kubeconfig;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::try_join;
use http::{Request, Uri};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::audit::Audit;
use crate::binaries::{self, Tool};
use crate::error::{Error, Result, io, kube};
use crate::etcd::Etcd;
use crate::pki::{Pki, write_private};
use crate::ports;
use crate::process::{Processes, Program, Stop};

const READY_WITHIN: Duration = Duration::from_secs(120);
/// A token of the usual hour would end in the middle of somebody's demo.
const TOKEN_SECONDS: i64 = 720 * 3600;

/// One control plane, running or not.
#[derive(Clone, Debug)]
pub struct Plane {
    name: String,
    dir: PathBuf,
    address: SocketAddr,
    etcd: String,
    pki: Pki,
    processes: Arc<Processes>,
    /// Pods get the volume with the token of their service account.
    tokens: bool,
}

impl Plane {
    /// The plane of that name in the processes' folder. What it lacks (keys, port, kubeconfig) is made; nothing is started.
    pub fn new(processes: &Arc<Processes>, etcd: &Etcd, name: &str) -> Result<Self> {
        let dir = processes.dir().join("planes").join(name);
        fs::create_dir_all(&dir).map_err(io("cannot create", &dir))?;
        let plane = Self {
            name: name.to_owned(),
            address: ports::claim(processes.dir(), name)?,
            etcd: etcd.url(),
            pki: Pki::ensure(&dir.join("pki"))?,
            processes: Arc::clone(processes),
            tokens: false,
            dir,
        };
        write_private(&plane.kubeconfig(), &plane.certificate_kubeconfig("admin")?)?;
        write_private(&plane.dir.join("kcm.kubeconfig"), &plane.certificate_kubeconfig("kcm")?)?;
        write_private(&plane.dir.join("audit-policy.yaml"), flags::AUDIT_POLICY)?;
        Ok(plane)
    }

    /// The plane where pods get the volume with the token of their service account, if so wanted: virt-controller counts it.
    pub(crate) fn with_tokens(self, tokens: bool) -> Self {
        Self { tokens, ..self }
    }

    /// Its name, which is also the name of its API server's process.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its API server listens; the same after every restart.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its keys and settings.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Path of the administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.processes.dir().join(format!("{}.kubeconfig", self.name))
    }

    /// Where an AdmissionConfiguration may be written. Its API server starts with it if it is there, and without any otherwise.
    pub fn admission(&self) -> PathBuf {
        self.dir.join("admission.yaml")
    }

    /// Its audit log.
    pub fn audit(&self) -> Audit {
        Audit::new(self.processes.dir().join(format!("logs/{}.audit.log", self.name)))
    }

    /// Whether its API server's process is alive.
    pub fn is_running(&self) -> bool {
        self.processes.running(&self.name).is_some()
    }

    /// Starts what does not run and waits until it is ready.
    pub async fn start(&self) -> Result<()> {
        self.start_apiserver().await?;
        self.start_controllers().await
    }

    /// The first half of [`Plane::start`]. Definitions that are installed before the second half are garbage collected
    /// from the start; later ones only after the controllers' next look at discovery, up to 30 s later.
    pub async fn start_apiserver(&self) -> Result<()> {
        if !self.is_running() {
            ports::require_free(self.address, &self.name).await?;
            let path = binaries::locate(Tool::Apiserver).await?;
            let args = flags::apiserver(self);
            self.processes.start(&Program { name: self.name.clone(), path, args, env: Vec::new() })?;
        }
        let client = self.client().await?;
        let look = async || {
            let mut request = Request::new(Vec::new());
            *request.uri_mut() = Uri::from_static("/readyz");
            client.request_text(request).await.map(drop).map_err(|error| error.to_string())
        };
        self.processes.until_ready(&self.name, READY_WITHIN, look).await
    }

    /// Starts kube-controller-manager. It is ready when it has made the first service account; it has no health endpoint
    /// that works without a serving certificate of its own.
    pub async fn start_controllers(&self) -> Result<()> {
        let name = self.controllers();
        let path = binaries::locate(Tool::Kcm).await?;
        self.processes.start(&Program { name: name.clone(), path, args: flags::kcm(self), env: Vec::new() })?;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, "kube-system");
        let look = async || match accounts.get_metadata_opt("default").await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err("no service account yet".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        self.processes.until_ready(&name, READY_WITHIN, look).await
    }

    /// Ends both processes; data, keys, address and tokens stay.
    pub async fn stop(&self, how: Stop) -> Result<()> {
        let controllers = self.controllers();
        try_join!(self.processes.stop(&controllers, how), self.processes.stop(&self.name, how))?;
        Ok(())
    }

    /// Ends and starts it.
    pub async fn restart(&self, how: Stop) -> Result<()> {
        self.stop(how).await?;
        self.start().await
    }

    /// An administrator's client. A new one each time: a client belongs to the tokio runtime that made it, and every
    /// test has its own.
    pub async fn client(&self) -> Result<Client> {
        self.client_from(&self.certificate_kubeconfig("admin")?).await
    }

    /// A client with what a kubeconfig of this plane holds.
    pub async fn client_from(&self, kubeconfig: &str) -> Result<Client> {
        crate::install_crypto();
        let unusable = |error: String| Error::Content { path: self.kubeconfig(), reason: error };
        let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(|error| unusable(error.to_string()))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.map_err(|error| unusable(error.to_string()))?;
        config.proxy_url = None; // kube takes one from the environment, also for 127.0.0.1
        Client::try_from(config).map_err(kube(format!("cannot make a client for {}", self.name)))
    }

    /// A kubeconfig with everything inline and a token of a service account, good for 30 days.
    pub async fn token_kubeconfig(&self, namespace: &str, service_account: &str) -> Result<String> {
        let token = self.token(namespace, service_account).await?;
        kubeconfig::with_token(&self.name, &self.url(), &self.pki.read("ca.crt")?, service_account, &token)
    }

    /// A token of a service account.
    pub async fn token(&self, namespace: &str, service_account: &str) -> Result<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let answer = accounts.create_token_request(service_account, &PostParams::default(), &request).await;
        let what = format!("no token for service account {namespace}/{service_account} of {}", self.name);
        let answer = answer.map_err(kube(&what))?;
        answer.status.and_then(|status| status.token).ok_or(Error::Absent { what })
    }

    /// Creates a namespace; one that exists is left as it is.
    pub async fn ensure_namespace(&self, name: &str) -> Result<()> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        let created = Api::all(self.client().await?).create(&PostParams::default(), &namespace).await;
        match created {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop).map_err(kube(format!("cannot create namespace {name} on {}", self.name))),
        }
    }

    /// A client of another server that has this plane's certificate. It is nobody there: KubeVirt refuses certificates of others
    /// than the front proxy.
    pub async fn client_of(&self, server: SocketAddr) -> Result<Client> {
        let url = format!("https://{server}");
        self.client_from(&kubeconfig::with_token(&self.name, &url, &self.pki.read("ca.crt")?, "nobody", "none")?).await
    }

    /// Its keys and certificates. That of its API server is good for whatever listens on this machine.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    fn controllers(&self) -> String {
        format!("{}-kcm", self.name)
    }

    fn certificate_kubeconfig(&self, user: &str) -> Result<String> {
        let (certificate, key) = (self.pki.read(&format!("{user}.crt"))?, self.pki.read(&format!("{user}.key"))?);
        kubeconfig::with_certificate(&self.name, &self.url(), &self.pki.read("ca.crt")?, user, &certificate, &key)
    }
}
