//! The webhook's settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admission::Policy;
use admission::world::{Strategy, WhenUnreachable};
use certs::issue::Lives;
use certs::plan::Pace;
use model::api::machine::disk::{ACCESS_MODES, VOLUME_MODES};
use model::machine::owner::Adoption;
use model::names::ClusterName;
use runtime::args::{Settings, go_duration};
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

    /// What becomes of a Machine that several clusters could take
    #[arg(long, env = "PLACEMENT_STRATEGY", default_value = "strict", value_parser = ["strict", "balanced"])]
    pub placement_strategy: String,

    /// What becomes of a Machine that may be on a cluster that does not answer [default: refuse under strict, skip the
    /// cluster under balanced]
    #[arg(long, env = "PLACEMENT_WHEN_UNREACHABLE", value_parser = ["refuse", "skip"])]
    pub placement_when_unreachable: Option<String>,

    /// Which VMs without an owner are taken for the Machine of their name
    #[arg(long, env = "ADOPTION", default_value = "unowned", value_parser = Adoption::WORDS)]
    pub adoption: String,

    /// A VM that exists decides before DEFAULT_KUBEVIRT_CONFIG
    #[arg(long, env = "ADOPT_BEFORE_DEFAULT")]
    pub adopt_before_default: bool,

    /// Where admission is served over TLS: [HOST]:PORT
    #[arg(long, env = "WEBHOOK_BIND_ADDRESS", default_value = ":8443", value_name = "ADDRESS")]
    pub webhook_bind_address: Bind,

    /// DNS names and IP addresses of the serving certificate, separated by commas
    #[arg(long, env = "WEBHOOK_DNS_NAMES", value_delimiter = ',', default_value = "localhost", value_name = "NAMES")]
    pub webhook_dns_names: Vec<String>,

    /// Name of the MutatingWebhookConfiguration and of the ValidatingWebhookConfiguration
    #[arg(long, env = "WEBHOOK_CONFIGURATION", default_value = "kubevirt-operator", value_name = "NAME")]
    pub webhook_configuration: String,

    /// Secret in our own namespace that holds the certificate authorities
    #[arg(long, env = "WEBHOOK_CA_SECRET", default_value = "kubevirt-operator-webhook-ca", value_name = "NAME")]
    pub webhook_ca_secret: String,

    /// How long a certificate authority is valid; at two thirds of it, the next one takes over. Six times
    /// WEBHOOK_CERTIFICATE_VALIDITY and three times WEBHOOK_CA_ANNOUNCEMENT, or more
    #[arg(long, env = "WEBHOOK_CA_VALIDITY", default_value = "2160h", value_name = "DURATION", value_parser = go_duration)]
    pub webhook_ca_validity: Duration,

    /// How long a serving certificate is valid; at half of it, the next one is signed
    #[arg(long, env = "WEBHOOK_CERTIFICATE_VALIDITY", default_value = "24h", value_name = "DURATION",
        value_parser = go_duration)]
    pub webhook_certificate_validity: Duration,

    /// How long a new certificate authority stands in both webhook configurations before certificates are signed with it: until
    /// every API server knows it
    #[arg(long, env = "WEBHOOK_CA_ANNOUNCEMENT", default_value = "1m", value_name = "DURATION", value_parser = go_duration)]
    pub webhook_ca_announcement: Duration,

    /// PEM file with the certificate authorities of callers: whoever has no client certificate of theirs is refused. It is read
    /// again every 10 s [default: anybody may call]
    #[arg(long, env = "WEBHOOK_CLIENT_CA_FILE", value_name = "FILE")]
    pub webhook_client_ca_file: Option<PathBuf>,

    /// Common names or DNS names in the client certificates of the API servers, separated by commas; goes with
    /// WEBHOOK_CLIENT_CA_FILE
    #[arg(long, env = "WEBHOOK_CLIENT_NAMES", value_delimiter = ',', value_name = "NAMES")]
    pub webhook_client_names: Vec<String>,

    /// How many webhooks decide at the same time: under balanced, what one of them decided counts for each
    #[arg(long, env = "WEBHOOK_REPLICAS", default_value = "1", value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub webhook_replicas: u32,

    /// Access mode of disks that name none
    #[arg(long, env = "PVC_ACCESS_MODE", default_value = "ReadWriteOnce",
        value_parser = ACCESS_MODES)]
    pub pvc_access_mode: String,

    /// Volume mode of disks that name none [default: the remote API server's]
    #[arg(long, env = "PVC_VOLUME_MODE", value_parser = VOLUME_MODES)]
    pub pvc_volume_mode: Option<String>,
}

impl Args {
    /// What the serving certificate is kept by.
    pub fn certificate(&self) -> certs::Settings {
        let whole = |duration: Duration| time::Duration::try_from(duration).unwrap_or(time::Duration::MAX);
        certs::Settings {
            namespace: self.shared.namespace.clone(),
            secret: self.webhook_ca_secret.clone(),
            mutating: self.webhook_configuration.clone(),
            validating: self.webhook_configuration.clone(),
            names: self.webhook_dns_names.clone(),
            client_authorities: self.webhook_client_ca_file.clone(),
            client_names: self.webhook_client_names.clone(),
            pace: Pace {
                lives: Lives { ca: whole(self.webhook_ca_validity), leaf: whole(self.webhook_certificate_validity) },
                announcement: whole(self.webhook_ca_announcement),
            },
            clock: Arc::new(time::OffsetDateTime::now_utc),
        }
    }

    /// The settings that decisions depend on.
    pub fn policy(&self) -> Policy {
        Policy {
            default_cluster: self.default_kubevirt_config.clone().filter(|name| !name.is_empty()).map(ClusterName),
            configs_namespace: Some(self.shared.kubevirt_configs_namespace.clone()),
            vm_prefix: self.shared.vm_name_prefix.clone(),
            access_mode: self.pvc_access_mode.clone(),
            volume_mode: self.pvc_volume_mode.clone(),
            strategy: Strategy::of(&self.placement_strategy).unwrap_or(Strategy::Strict),
            replicas: self.webhook_replicas,
            when_unreachable: self.placement_when_unreachable.as_deref().map(|word| match word {
                "skip" => WhenUnreachable::Skip,
                _ => WhenUnreachable::Refuse,
            }),
            adoption: Adoption::of(&self.adoption),
            adopt_before_default: self.adopt_before_default,
            own_namespace: self.shared.namespace.clone(),
            // Known once the namespaces of the supervisor are.
            supervisor: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn policy(args: &[&str]) -> Result<Policy, String> {
        let args = ["kubevirt-operator-webhook"].iter().chain(args);
        Args::try_parse_from(args).map(|args| args.policy()).map_err(|error| error.to_string())
    }

    #[test]
    fn x10_the_policy_without_any_setting() {
        let wanted = Policy { own_namespace: "kubevirt-operator-system".to_owned(), ..Policy::default() };
        assert_eq!(policy(&[]), Ok(wanted), "X10: KubevirtConfigs are in `default`; placement is strict");
    }

    #[test]
    fn cert1_the_pace_of_certificates_without_any_setting() {
        let args = Args::try_parse_from(["kubevirt-operator-webhook"]).expect("settings");
        assert_eq!(args.certificate().pace, Pace::default());
        let hours = |hours: i64| time::Duration::hours(hours);
        let lives = Lives { ca: hours(90 * 24), leaf: hours(24) };
        assert_eq!(Pace::default(), Pace { lives, announcement: time::Duration::seconds(60) });
    }

    #[test]
    fn x48_x54_settings_become_the_policy() {
        let args = [
            "--placement-strategy=balanced",
            "--placement-when-unreachable=refuse",
            "--webhook-replicas=3",
            "--adoption=labelled",
            "--adopt-before-default",
            "--namespace=ops",
        ];
        let policy = policy(&args).expect("settings");
        assert_eq!(
            (policy.strategy, policy.when_unreachable(policy.strategy)),
            (Strategy::Balanced, WhenUnreachable::Refuse)
        );
        assert_eq!((policy.adoption, policy.adopt_before_default), (Adoption::Labelled, true));
        assert_eq!((policy.own_namespace.as_str(), policy.replicas), ("ops", 3));
        let refused = self::policy(&["--adoption=always"]).expect_err("no such word");
        assert!(refused.contains("unowned, labelled, never"), "{refused}");
        let refused = self::policy(&["--webhook-replicas=0"]).expect_err("nobody would answer");
        assert!(refused.contains("0 is not in 1.."), "{refused}");
    }
}
