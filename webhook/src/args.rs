//! The webhook's settings.

use model::admission::Policy;
use model::names::ClusterName;
use runtime::args::Settings;
use runtime::bind::Bind;

/// Decides about Machines at admission.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "kubevirt-operator-webhook", version)]
pub struct Args {
    /// What both processes share
    #[command(flatten)]
    pub shared: Settings,

    /// KubevirtConfig of every Machine that names none
    #[arg(long, env = "DEFAULT_KUBEVIRT_CONFIG", value_name = "NAME")]
    pub default_kubevirt_config: Option<String>,

    /// Where admission is served over TLS: [HOST]:PORT
    #[arg(long, env = "WEBHOOK_BIND_ADDRESS", default_value = ":8443", value_name = "ADDRESS")]
    pub webhook_bind_address: Bind,

    /// DNS names and IP addresses of the serving certificate, separated by commas
    #[arg(long, env = "WEBHOOK_DNS_NAMES", value_delimiter = ',', default_value = "localhost", value_name = "NAMES")]
    pub webhook_dns_names: Vec<String>,

    /// Name of the MutatingWebhookConfiguration and of the ValidatingWebhookConfiguration
    #[arg(long, env = "WEBHOOK_CONFIGURATION", default_value = "kubevirt-operator", value_name = "NAME")]
    pub webhook_configuration: String,

    /// Secret in our own namespace that holds the certificate authority
    #[arg(long, env = "WEBHOOK_CA_SECRET", default_value = "kubevirt-operator-webhook-ca", value_name = "NAME")]
    pub webhook_ca_secret: String,

    /// Access mode of disks that name none
    #[arg(long, env = "PVC_ACCESS_MODE", default_value = "ReadWriteOnce",
        value_parser = ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"])]
    pub pvc_access_mode: String,

    /// Volume mode of disks that name none [default: the remote API server's]
    #[arg(long, env = "PVC_VOLUME_MODE", value_parser = ["Filesystem", "Block"])]
    pub pvc_volume_mode: Option<String>,
}

impl Args {
    /// The settings that decisions depend on.
    pub fn policy(&self) -> Policy {
        Policy {
            default_cluster: self.default_kubevirt_config.clone().filter(|name| !name.is_empty()).map(ClusterName),
            configs_namespace: Some(self.shared.kubevirt_configs_namespace.clone()),
            vm_prefix: self.shared.vm_name_prefix.clone(),
            access_mode: self.pvc_access_mode.clone(),
            volume_mode: self.pvc_volume_mode.clone(),
            own_namespace: self.shared.namespace.clone(),
            ..Policy::default()
        }
    }
}
