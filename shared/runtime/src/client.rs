//! Clients of API servers: the supervisor, and remote clusters from an accepted kubeconfig (T1 to T4).
//! I/O: reads the supervisor's kubeconfig or the pod's service account; building a client sends no request.
//!
//! No client retries a failure by itself: kube's default is 15 tries with up to 1000 s between them, which no deadline of ours
//! would survive and which would hide requests from the counts. Who wants another try says so, with its own backoff. But a
//! server that asks for patience gets it, whoever asks (R20).
//!
//! Every client of ours is held to [`Bounds`]: a cluster that lies or is broken must not end the process for all (T21).

mod answer;
mod bounded;
mod bounds;
mod connection;
mod fence;
mod lists;
mod patience;

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::client::ClientBuilder;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use model::clusters::kubeconfig::{Auth, Remote};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use self::bounds::Bounds;
pub use self::fence::{MayWrite, fenced};

/// How long a client waits for the network. A call's own deadline is its caller's to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For TCP and TLS to be set up.
    pub connect: Duration,
    /// For the next byte of an answer; more than a watch may be silent, so that its watcher is the one to give it up.
    pub read: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), read: Duration::from_secs(95) }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// `KUBECONFIG` does not lead to a usable file.
    #[error("cannot use the kubeconfig {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: kube::config::KubeconfigError,
    },
    /// Neither a kubeconfig nor a pod's service account.
    #[error("not in a cluster; set KUBECONFIG to the supervisor's kubeconfig")]
    NotInCluster(#[source] kube::config::InClusterError),
    /// The kubeconfig was accepted, but its parts do not make a client.
    #[error("kubeconfig field {field} cannot be used: {cause}")]
    Part {
        /// The field.
        field: &'static str,
        /// What is wrong with it, without its content.
        cause: String,
    },
    /// The TLS or authentication set-up refused the parts, such as a key that is not the certificate's.
    #[error("cannot set up the connection")]
    Setup(#[source] kube::Error),
}

/// Makes ring the process's TLS provider. May be called any number of times.
pub fn install_crypto_provider() {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client of the supervisor: of the kubeconfig's current context, else of the cluster this pod runs in.
pub async fn supervisor(kubeconfig: Option<&Path>) -> Result<Client, ClientError> {
    let config = of_supervisor(kubeconfig).await?;
    bounded::client(tuned(config, Deadlines::default()), Bounds::of_supervisor()).map_err(ClientError::Setup)
}

/// A client of the same API server that is nobody: whoever asks with it says himself who he is, in each request. Without our layer:
/// the patience of a server with one caller, and the pages of another, are no business of a third. Who reads an answer bounds it.
pub async fn without_identity(kubeconfig: Option<&Path>, deadlines: Deadlines) -> Result<Client, ClientError> {
    let mut config = of_supervisor(kubeconfig).await?;
    config.auth_info = AuthInfo::default();
    let builder = ClientBuilder::try_from(tuned(config, deadlines)).map_err(ClientError::Setup)?;
    Ok(builder.build())
}

async fn of_supervisor(kubeconfig: Option<&Path>) -> Result<Config, ClientError> {
    install_crypto_provider();
    Ok(match kubeconfig {
        None => Config::incluster().map_err(ClientError::NotInCluster)?,
        Some(path) => {
            let wrong = |cause| ClientError::File { path: path.to_owned(), cause };
            let document = Kubeconfig::read_from(path).map_err(wrong)?;
            Config::from_custom_kubeconfig(document, &KubeConfigOptions::default()).await.map_err(wrong)?
        }
    })
}

/// A client of a remote cluster, from nothing but what [`Remote`] holds: no file, no proxy, no program, no system CA.
pub fn remote(remote: &Remote, deadlines: Deadlines, may_write: MayWrite) -> Result<Client, ClientError> {
    install_crypto_provider();
    bounded::on_one_connection(tuned(config(remote)?, deadlines), Bounds::default(), may_write).map_err(|why| {
        match remote.auth {
            Auth::Token(_) => ClientError::Setup(why),
            // The authority was tried, so it is the pair that does not fit.
            Auth::ClientCert { .. } => {
                let cause = std::iter::successors(Some(&why as &dyn std::error::Error), |it| it.source()).last();
                let cause = cause.map(ToString::to_string).unwrap_or_default();
                ClientError::Part { field: "user.client-key-data", cause }
            }
        }
    })
}

fn config(remote: &Remote) -> Result<Config, ClientError> {
    let Remote { server, ca_pem, auth } = remote;
    let wrong = |field, cause: &dyn std::fmt::Display| ClientError::Part { field, cause: cause.to_string() };
    let url = server.parse().map_err(|e: axum::http::uri::InvalidUri| wrong("cluster.server", &e))?;
    let no_authority = |cause: &dyn std::fmt::Display| wrong("cluster.certificate-authority-data", cause);
    let mut roots = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let certificate = certificate.map_err(|why| no_authority(&why))?;
        RootCertStore::empty().add(certificate.clone()).map_err(|why| no_authority(&why))?;
        roots.push(certificate.to_vec());
    }
    let mut config = Config::new(url);
    config.root_cert = Some(roots);
    match auth {
        Auth::Token(token) => config.auth_info.token = Some(token.expose().to_owned().into()),
        Auth::ClientCert { cert_pem, key_pem } => {
            config.auth_info.client_certificate_data = Some(BASE64.encode(cert_pem));
            config.auth_info.client_key_data = Some(BASE64.encode(key_pem.expose()).into());
        }
    }
    Ok(config)
}

/// What every client of ours has in common.
fn tuned(mut config: Config, deadlines: Deadlines) -> Config {
    config.connect_timeout = Some(deadlines.connect);
    config.read_timeout = Some(deadlines.read);
    // Without it, the time a pooled connection was idle counts against the next answer.
    config.reset_reader_on_write = true;
    config.default_retry = false;
    // kube takes HTTPS_PROXY from the environment when it reads a kubeconfig (T4); we are not built for proxies.
    config.proxy_url = None;
    config
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
