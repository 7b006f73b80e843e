//! The webhook several times on one supervisor: each time with a Secret, configurations, rights and two processes of its own, for
//! the Machines of one namespace.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{Component, Endpoint, Fleet, NAMESPACE, WEBHOOK_ACCOUNT, furnish};
use crate::error::{Error, Result};
use crate::install::{apply, chart, kubectl, template};
use crate::pki::write_private;
use crate::process::{Program, Stop};
use crate::{balancer, ports, probe};

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Name of both configurations, as the chart has it.
const CONFIGURATION: &str = "kubevirt-operator";

/// The webhook of one namespace.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Its Machines are there.
    pub namespace: String,
    /// Its Secret with the authorities, in the release's namespace.
    pub secret: String,
    /// Name of its two configurations.
    pub configuration: String,
    /// Where its two processes listen. API servers call the first one to mutate, the second one to validate.
    pub addresses: [SocketAddr; 2],
}

impl Fleet {
    /// Puts the webhook of so many namespaces in the place of the one that judges all of them.
    pub async fn divide_webhook(&self, count: usize) -> Result<Vec<Webhooks>> {
        let release = furnish::release(self, &[])?;
        let rendered = template(&chart(), &release).await?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)
            .map_err(|error| Error::Absent { what: format!("YAML in what Helm rendered: {error}") })?;
        self.stop(&Component::Webhook, Stop::AtOnce).await?;
        let kinds = "mutatingwebhookconfiguration,validatingwebhookconfiguration";
        kubectl(&self.supervisor, &["delete", kinds, CONFIGURATION], "").await?;
        let all = (1..=count).map(|at| self.webhooks(at)).collect::<Result<Vec<_>>>()?;
        let original = self.address(Endpoint::Webhook)?;
        let copies = |(at, webhooks)| objects.iter().filter_map(move |object| copy(object, at, original, webhooks));
        let items: Vec<Value> = (1..).zip(&all).flat_map(copies).collect();
        apply(&self.supervisor, &json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).await?;
        for (at, webhooks) in (1..).zip(&all) {
            self.supervisor.ensure_namespace(&webhooks.namespace).await?;
            let account = format!("{WEBHOOK_ACCOUNT}-{at}");
            let kubeconfig = self.supervisor.token_kubeconfig(NAMESPACE, &account).await?;
            write_private(&self.user_kubeconfig(&account), &kubeconfig)?;
        }
        try_join_all((1..).zip(&all).map(|(at, webhooks)| self.start_both(at, webhooks))).await?;
        Ok(all)
    }

    fn webhooks(&self, at: usize) -> Result<Webhooks> {
        let listens = |replica: usize| ports::claim(self.dir(), &process(at, replica));
        Ok(Webhooks {
            namespace: format!("part-{at}"),
            secret: format!("{WEBHOOK_ACCOUNT}-{at}-ca"),
            configuration: format!("{CONFIGURATION}-{at}"),
            addresses: [listens(0)?, listens(1)?],
        })
    }

    async fn start_both(&self, at: usize, webhooks: &Webhooks) -> Result<()> {
        for (replica, address) in webhooks.addresses.into_iter().enumerate() {
            let kubeconfig = self.user_kubeconfig(&format!("{WEBHOOK_ACCOUNT}-{at}"));
            let own = [
                ("KUBECONFIG", kubeconfig.display().to_string()),
                ("WEBHOOK_CONFIGURATION", webhooks.configuration.clone()),
                ("WEBHOOK_CA_SECRET", webhooks.secret.clone()),
            ];
            self.start_replica(&process(at, replica), address, &own).await?;
        }
        Ok(())
    }

    /// Puts so many processes in the place of the webhook, with more environment each. API servers reach them under its address,
    /// with each connection another one. Answers with where each of them listens, and where it has its metrics.
    pub async fn replicate_webhook(&self, count: usize, env: &[(&str, &str)]) -> Result<Vec<[SocketAddr; 2]>> {
        self.stop(&Component::Webhook, Stop::Gracefully).await?;
        let kubeconfig = ("KUBECONFIG", self.user_kubeconfig("webhook").display().to_string());
        let own: Vec<_> = env.iter().map(|(name, value)| (*name, (*value).to_owned())).chain([kubeconfig]).collect();
        let mut replicas = Vec::new();
        for replica in 1..=count {
            let name = format!("webhook-replica-{replica}");
            let address = ports::claim(self.dir(), &name)?;
            self.start_replica(&name, address, &own).await?;
            replicas.push([address, ports::claim(self.dir(), &format!("{name}-metrics"))?]);
        }
        balancer::spread(self.address(Endpoint::Webhook)?, replicas.iter().map(|it| it[0]).collect()).await?;
        Ok(replicas)
    }

    async fn start_replica(&self, name: &str, address: SocketAddr, own: &[(&str, String)]) -> Result<()> {
        let health = ports::claim(self.dir(), &format!("{name}-health"))?;
        let mut env = self.state.webhook.clone();
        let listens = [
            ("NAMESPACE", NAMESPACE.to_owned()),
            ("WEBHOOK_BIND_ADDRESS", address.to_string()),
            ("METRICS_BIND_ADDRESS", ports::claim(self.dir(), &format!("{name}-metrics"))?.to_string()),
            ("HEALTH_PROBE_BIND_ADDRESS", health.to_string()),
        ];
        env.extend(listens.iter().chain(own).map(|(variable, value)| ((*variable).to_owned(), value.clone())));
        let path = self.binary("kubevirt-operator-webhook");
        let (args, env) = (Vec::new(), env.into_iter().collect());
        self.processes.start(&Program { name: name.to_owned(), path, args, env })?;
        let look = async || probe::get(health, "/readyz").await.map(drop);
        self.processes.until_ready(name, READY_WITHIN, look).await
    }
}

fn process(at: usize, replica: usize) -> String {
    format!("webhook-of-{at}-{replica}")
}

/// What the chart has for the webhook, under another name and for one namespace.
fn copy(object: &Value, at: usize, original: SocketAddr, webhooks: &Webhooks) -> Option<Value> {
    let text = object.to_string();
    let kind = object["kind"].as_str()?;
    let address = match kind {
        "MutatingWebhookConfiguration" => webhooks.addresses[0],
        "ValidatingWebhookConfiguration" => webhooks.addresses[1],
        "ServiceAccount" | "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding"
            if text.contains(WEBHOOK_ACCOUNT) =>
        {
            original
        }
        _ => return None,
    };
    let text = text.replace(WEBHOOK_ACCOUNT, &format!("{WEBHOOK_ACCOUNT}-{at}"));
    let text = text.replace(&format!("\"{CONFIGURATION}\""), &format!("\"{}\"", webhooks.configuration));
    let mut copy: Value = serde_json::from_str(&text.replace(&original.to_string(), &address.to_string())).ok()?;
    for webhook in copy.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        webhook["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": webhooks.namespace}});
    }
    Some(copy)
}
