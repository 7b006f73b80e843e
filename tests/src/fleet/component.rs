//! The parts of a fleet that can be stopped and started by themselves, each under the address it had before.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Fleet, NAMESPACE, SUPERVISOR};
use crate::binaries::Tool;
use crate::error::{Error, Result};
use crate::probe;
use crate::process::{Program, Stop};
use crate::{plane, ports, virt};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A part of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The store of all planes.
    Etcd,
    /// The plane where Machines are applied.
    Supervisor,
    /// A remote's API server and controllers.
    Remote(String),
    /// The KubeVirt that is played on a remote.
    Sim(String),
    /// KubeVirt's own virt-api on a remote, where the blueprint has it.
    VirtApi(String),
    /// KubeVirt's own virt-controller.
    VirtController(String),
    /// The process that decides.
    Webhook,
    /// The process that executes.
    Controller,
    /// Another one beside it, which is started by name only.
    SecondController,
    /// Another webhook, which is started by name only. API servers do not call it.
    SecondWebhook,
}

/// Where webhook and controller listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// HTTPS, called by the supervisor.
    Webhook,
    /// The webhook's `/metrics`.
    WebhookMetrics,
    /// The webhook's `/healthz` and `/readyz`.
    WebhookHealth,
    /// The controller's `/metrics`.
    ControllerMetrics,
    /// The controller's `/healthz` and `/readyz`.
    ControllerHealth,
    /// The controller's `/debug`.
    ControllerDebug,
    /// `/metrics` of the second controller.
    SecondMetrics,
    /// `/healthz` and `/readyz` of the second controller.
    SecondHealth,
    /// `/debug` of the second controller.
    SecondDebug,
    /// HTTPS of the second webhook.
    SecondWebhook,
    /// `/metrics` of the second webhook.
    SecondWebhookMetrics,
    /// `/healthz` and `/readyz` of the second webhook.
    SecondWebhookHealth,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Etcd => f.write_str("etcd"),
            Self::Supervisor => f.write_str(SUPERVISOR),
            Self::Remote(name) => f.write_str(name),
            Self::Sim(name) => write!(f, "{name}-sim"),
            Self::VirtApi(name) => f.write_str(&virt::api(name)),
            Self::VirtController(name) => f.write_str(&virt::controller(name)),
            Self::Webhook => f.write_str("webhook"),
            Self::Controller => f.write_str("controller"),
            Self::SecondController => f.write_str("controller-2"),
            Self::SecondWebhook => f.write_str("webhook-2"),
        }
    }
}

impl Endpoint {
    fn port_name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::WebhookMetrics => "webhook-metrics",
            Self::WebhookHealth => "webhook-health",
            Self::ControllerMetrics => "controller-metrics",
            Self::ControllerHealth => "controller-health",
            Self::ControllerDebug => "controller-debug",
            Self::SecondMetrics => "controller-2-metrics",
            Self::SecondHealth => "controller-2-health",
            Self::SecondDebug => "controller-2-debug",
            Self::SecondWebhook => "webhook-2",
            Self::SecondWebhookMetrics => "webhook-2-metrics",
            Self::SecondWebhookHealth => "webhook-2-health",
        }
    }
}

impl Fleet {
    /// All components, in the order in which they start; the second controller only once it was started.
    pub fn components(&self) -> Vec<Component> {
        let names = || self.remotes.iter().map(|remote| remote.name().to_owned());
        let planes = [Component::Etcd, Component::Supervisor].into_iter().chain(names().map(Component::Remote));
        let known = self.processes.names();
        let second = Some(Component::SecondController).filter(|second| known.contains(&second.to_string()));
        let real = self.state.real_kubevirt;
        let kubevirt = names().map(Component::VirtApi).chain(names().map(Component::VirtController));
        planes
            .chain(kubevirt.filter(move |_| real))
            .chain(names().map(Component::Sim))
            .chain([Component::Webhook, Component::Controller])
            .chain(second)
            .collect()
    }

    /// The component that a person means by a name; the error lists all names.
    pub fn component(&self, name: &str) -> Result<Component> {
        let all = self.components();
        let names = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let absent = || Error::Absent { what: format!("component {name}; there are {}", names()) };
        all.iter().find(|component| component.to_string() == name).cloned().ok_or_else(absent)
    }

    /// Whether its process is alive; for a plane, that of its API server.
    pub fn is_running(&self, component: &Component) -> bool {
        self.processes.running(&component.to_string()).is_some()
    }

    /// Where webhook or controller listen; the same after every restart.
    pub fn address(&self, endpoint: Endpoint) -> Result<SocketAddr> {
        ports::claim(self.dir(), endpoint.port_name())
    }

    /// Starts a component and waits until it is ready; nothing happens to one that runs.
    pub async fn start(&self, component: &Component) -> Result<()> {
        self.start_with(component, &[]).await
    }

    /// [`Fleet::start`] with more environment for webhook or controller, for this once.
    pub async fn start_with(&self, component: &Component, env: &[(&str, &str)]) -> Result<()> {
        match component {
            Component::Etcd => self.etcd.start().await,
            Component::Supervisor => self.start_plane(&self.supervisor).await,
            Component::Remote(name) => self.start_plane(self.remote(name)?).await,
            Component::Sim(remote) => {
                let remote = self.remote(remote)?;
                let (kubeconfig, roles) = if self.state.real_kubevirt {
                    (virt::kubeconfig(remote), "storage,node,kubelet")
                } else {
                    (remote.kubeconfig(), "controller,storage,node")
                };
                let args = ["--kubeconfig", &kubeconfig.display().to_string(), "--roles", roles];
                self.processes.start(&Program {
                    name: component.to_string(),
                    path: self.binary("kubevirt-sim"),
                    args: args.map(str::to_owned).to_vec(),
                    env: Vec::new(),
                })
            }
            Component::VirtApi(remote) => virt::start(self.remote(remote)?, &self.processes, Tool::VirtApi).await,
            Component::VirtController(remote) => {
                virt::start(self.remote(remote)?, &self.processes, Tool::VirtController).await
            }
            Component::Webhook => {
                let path = self.binary("kubevirt-operator-webhook");
                let listen = [
                    ("WEBHOOK_BIND_ADDRESS", Endpoint::Webhook),
                    ("METRICS_BIND_ADDRESS", Endpoint::WebhookMetrics),
                    ("HEALTH_PROBE_BIND_ADDRESS", Endpoint::WebhookHealth),
                ];
                self.start_ours(component, path, &listen, env).await
            }
            Component::Controller => {
                let path = self.binary("kubevirt-operator-controller");
                let listen = [
                    ("METRICS_BIND_ADDRESS", Endpoint::ControllerMetrics),
                    ("HEALTH_PROBE_BIND_ADDRESS", Endpoint::ControllerHealth),
                    ("DEBUG_BIND_ADDRESS", Endpoint::ControllerDebug),
                ];
                self.start_ours(component, path, &listen, env).await
            }
            Component::SecondWebhook => {
                let path = self.binary("kubevirt-operator-webhook");
                let listen = [
                    ("WEBHOOK_BIND_ADDRESS", Endpoint::SecondWebhook),
                    ("METRICS_BIND_ADDRESS", Endpoint::SecondWebhookMetrics),
                    ("HEALTH_PROBE_BIND_ADDRESS", Endpoint::SecondWebhookHealth),
                ];
                self.start_ours(component, path, &listen, env).await
            }
            Component::SecondController => {
                let path = self.binary("kubevirt-operator-controller");
                let listen = [
                    ("METRICS_BIND_ADDRESS", Endpoint::SecondMetrics),
                    ("HEALTH_PROBE_BIND_ADDRESS", Endpoint::SecondHealth),
                    ("DEBUG_BIND_ADDRESS", Endpoint::SecondDebug),
                ];
                self.start_ours(component, path, &listen, env).await
            }
        }
    }

    /// Stops a component; for a remote that does not include the simulator, which then sees an outage like the others.
    pub async fn stop(&self, component: &Component, how: Stop) -> Result<()> {
        match component {
            Component::Etcd => self.etcd.stop(how).await,
            Component::Supervisor => self.supervisor.stop(how).await,
            Component::Remote(name) => self.remote(name)?.stop(how).await,
            Component::Sim(_)
            | Component::VirtApi(_)
            | Component::VirtController(_)
            | Component::Webhook
            | Component::SecondWebhook
            | Component::Controller
            | Component::SecondController => self.processes.stop(&component.to_string(), how).await,
        }
    }

    /// The kubeconfig of webhook or controller for the supervisor.
    pub(super) fn user_kubeconfig(&self, name: &str) -> PathBuf {
        self.dir().join(format!("users/{name}.kubeconfig"))
    }

    async fn start_plane(&self, plane: &plane::Plane) -> Result<()> {
        self.etcd.start().await?;
        plane.start().await
    }

    /// Starts webhook or controller with the environment of its pod, except for where it listens and who it is.
    async fn start_ours(
        &self,
        component: &Component,
        path: PathBuf,
        listen: &[(&str, Endpoint)],
        extra: &[(&str, &str)],
    ) -> Result<()> {
        let name = component.to_string();
        let (mut env, health) = match component {
            Component::Webhook => (self.state.webhook.clone(), Endpoint::WebhookHealth),
            Component::SecondWebhook => (self.state.webhook.clone(), Endpoint::SecondWebhookHealth),
            Component::SecondController => (self.state.controller.clone(), Endpoint::SecondHealth),
            _ => (self.state.controller.clone(), Endpoint::ControllerHealth),
        };
        // Both controllers are one user, and both webhooks.
        let user = match component {
            Component::Webhook | Component::SecondWebhook => "webhook",
            _ => "controller",
        };
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let kubeconfig = self.user_kubeconfig(user).display().to_string();
        env.extend([("NAMESPACE", NAMESPACE), ("KUBECONFIG", kubeconfig.as_str())].iter().map(pair));
        for (variable, endpoint) in listen {
            let address = self.address(*endpoint)?;
            if !self.is_running(component) {
                ports::require_free(address, &name).await?;
            }
            env.insert((*variable).to_owned(), address.to_string());
        }
        env.extend(extra.iter().map(pair));
        self.processes.start(&Program {
            name: name.clone(),
            path,
            args: Vec::new(),
            env: env.into_iter().collect(),
        })?;
        let health = self.address(health)?;
        self.processes.until_ready(&name, READY_WITHIN, async || probe::get(health, "/readyz").await.map(drop)).await
    }
}
