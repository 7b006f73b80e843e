//! The gateway's settings.

use std::path::PathBuf;

use runtime::args::Settings;
use runtime::bind::Bind;

use crate::caller::Tenancy;

/// Translates REST calls to Kubernetes requests with the caller's own token.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "kubevirt-operator-gateway", version)]
pub struct Args {
    /// What all processes share
    #[command(flatten)]
    pub shared: Settings,

    /// Where the API is served over TLS: [HOST]:PORT
    #[arg(long, env = "GATEWAY_BIND_ADDRESS", default_value = ":8443", value_name = "ADDRESS")]
    pub gateway_bind_address: Bind,

    /// PEM file with the serving certificate and its chain. It is read again every 10 s
    #[arg(long, env = "GATEWAY_TLS_CERTIFICATE", value_name = "FILE")]
    pub gateway_tls_certificate: PathBuf,

    /// PEM file with the key of that certificate. It is read again every 10 s
    #[arg(long, env = "GATEWAY_TLS_KEY", value_name = "FILE")]
    pub gateway_tls_key: PathBuf,

    /// Claim of a token that names the tenant, which is a namespace: a name, or a JSON pointer that begins with `/`. A service
    /// account's tenant is its own namespace
    #[arg(long, env = "GATEWAY_TENANT_CLAIM", value_name = "CLAIM")]
    pub gateway_tenant_claim: Option<String>,

    /// Tenant of a caller whose request and token name none [default: such a request is refused]
    #[arg(long, env = "GATEWAY_DEFAULT_TENANT", value_name = "NAMESPACE")]
    pub gateway_default_tenant: Option<String>,
}

impl Args {
    /// Who is whose tenant.
    pub fn tenancy(&self) -> Tenancy {
        Tenancy { claim: self.gateway_tenant_claim.clone(), default: self.gateway_default_tenant.clone() }
    }
}
