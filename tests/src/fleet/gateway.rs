//! The gateway beside a fleet, which is started by name only.

use std::net::SocketAddr;
use std::time::Duration;

use super::{CONFIGS_NAMESPACE, Fleet, NAMESPACE};
use crate::error::Result;
use crate::process::{Program, Stop};
use crate::{ports, probe};

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Name of its process.
pub const GATEWAY: &str = "gateway";

impl Fleet {
    /// Starts it with the certificate of the supervisor's API server, which is good for whatever listens on this machine; answers
    /// with where it serves. Its kubeconfig is the administrator's: what it did in its own name would succeed, and show.
    pub async fn start_gateway(&self, env: &[(&str, &str)]) -> Result<SocketAddr> {
        let port = |name: &str| ports::claim(self.dir(), name);
        let (serves, metrics, health) = (port(GATEWAY)?, port("gateway-metrics")?, port("gateway-health")?);
        if self.processes.running(GATEWAY).is_none() {
            for address in [serves, metrics, health] {
                ports::require_free(address, GATEWAY).await?;
            }
        }
        let file = |name: &str| self.supervisor.pki().file(name).display().to_string();
        let own = [
            ("NAMESPACE", NAMESPACE.to_owned()),
            ("KUBEVIRT_CONFIGS_NAMESPACE", CONFIGS_NAMESPACE.to_owned()),
            ("KUBECONFIG", self.supervisor.kubeconfig().display().to_string()),
            ("GATEWAY_BIND_ADDRESS", serves.to_string()),
            ("METRICS_BIND_ADDRESS", metrics.to_string()),
            ("HEALTH_PROBE_BIND_ADDRESS", health.to_string()),
            ("GATEWAY_TLS_CERTIFICATE", file("apiserver.crt")),
            ("GATEWAY_TLS_KEY", file("apiserver.key")),
            ("LOG_LEVEL", "debug".to_owned()),
        ];
        let given = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let env = own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(given).collect();
        let path = self.binary("kubevirt-operator-gateway");
        self.processes.start(&Program { name: GATEWAY.to_owned(), path, args: Vec::new(), env })?;
        let ready = async || probe::get(health, "/readyz").await.map(drop);
        self.processes.until_ready(GATEWAY, READY_WITHIN, ready).await?;
        Ok(serves)
    }

    /// Ends it.
    pub async fn stop_gateway(&self, how: Stop) -> Result<()> {
        self.processes.stop(GATEWAY, how).await
    }
}
