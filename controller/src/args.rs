//! The controller's settings.

use std::path::PathBuf;
use std::time::Duration;

use model::clusters::registration::Hub;
use model::machine::labels;
use model::machine::networks::{DEFAULT_BRIDGE, IpSource};
use model::machine::owner::Adoption;
use model::names::{is_bridge, judge_mapping};
use runtime::args::{Settings, go_duration};
use runtime::bind::Bind;

/// What the help says below the flags.
const RENDER: &str =
    "`kubevirt-operator-controller render --help`: shows the platform baseline that a cluster would get, from files";

/// Makes true on its cluster what admission decided about a Machine.
#[derive(Debug, clap::Parser)]
#[command(name = "kubevirt-operator-controller", version, after_help = RENDER)]
pub struct Args {
    /// What both processes share
    #[command(flatten)]
    pub shared: Settings,

    /// How often a Machine is looked at although nothing happened: a safety net under the watches
    #[arg(long, env = "RECONCILE_INTERVAL", default_value = "30s", value_parser = go_duration)]
    pub reconcile_interval: Duration,

    /// Which VMs without an owner are adopted, as the webhook's setting of that name
    #[arg(long, env = "ADOPTION", default_value = "unowned", value_parser = Adoption::WORDS)]
    pub adoption: String,

    /// Labels of Machines that their VMs and pods get, too, and disks when they are made: keys, and prefixes that end in '/', separated by commas
    #[arg(long, env = "MACHINE_LABELS", default_value = "cluster.vitistack.io/", value_delimiter = ',', value_parser = label)]
    pub machine_labels: Vec<String>,

    /// Namespaces whose Machines may take cloud-init data from Secrets and ConfigMaps, separated by commas; none means all
    #[arg(long, env = "CLOUD_INIT_NAMESPACES", default_value = "", value_name = "NAMESPACES")]
    pub cloud_init_namespaces: String,

    /// Linux bridge on the nodes of every cluster, for networks that name a VLAN and no bridge
    #[arg(long, env = "DEFAULT_BRIDGE", default_value = DEFAULT_BRIDGE, value_parser = bridge)]
    pub default_bridge: String,

    /// Whose word counts first about the addresses of a Machine: that of the instance, or that of its NetworkConfiguration
    #[arg(long, env = "IP_SOURCE", default_value = "vmi", value_parser = IpSource::WORDS)]
    pub ip_source: String,

    /// Where /debug is served: [HOST]:PORT, or 0 for nowhere; it names objects of every tenant
    #[arg(long, env = "DEBUG_BIND_ADDRESS", default_value = "127.0.0.1:8082", value_name = "ADDRESS")]
    pub debug_bind_address: Bind,

    /// How many Machines of one cluster are worked on at once: one that is slow keeps none of another waiting
    #[arg(long, env = "MAX_CONCURRENT_RECONCILES", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_concurrent_reconciles: u16,

    /// Of several controllers one works, the one that holds the Lease in NAMESPACE; false: this one works whoever else does
    #[arg(long, env = "LEADER_ELECTION", default_value_t = true, action = clap::ArgAction::Set)]
    pub leader_election: bool,

    /// What registers one cluster at the start
    #[command(flatten)]
    pub vmaas_hub: VmaasHub,

    /// How the platform of each cluster is kept
    #[command(flatten)]
    pub platform: PlatformArgs,
}

/// What is the same for the platform baselines of all clusters.
#[derive(Debug, clap::Args)]
pub struct PlatformArgs {
    /// Folder with a catalogue of your own, in place of the one that is built in: docs/lifecycle-management.md
    #[arg(long, env = "PLATFORM_ASSETS", value_name = "DIR")]
    pub platform_assets: Option<PathBuf>,

    /// How many clusters may have nodes that are restarted for their platform baseline at the same time
    #[arg(long, env = "PLATFORM_DISRUPTED_CLUSTERS", default_value_t = 1, value_name = "NUMBER")]
    pub platform_disrupted_clusters: usize,
}

/// A cluster that is registered by flags, as a KubevirtConfig for virtual machines and its Secret (E5, X105).
#[derive(Debug, clap::Args)]
pub struct VmaasHub {
    /// File with the kubeconfig of a cluster that is to be registered; it is read again every minute
    #[arg(long = "vmaas-hub-kubeconfig", env = "VMAAS_HUB_KUBECONFIG", value_name = "FILE")]
    pub vmaas_hub_kubeconfig: Option<PathBuf>,

    /// Namespace for everything on that cluster, or a template such as vmaas-{namespace}; empty: that of each Machine
    #[arg(long = "vmaas-hub-namespace", env = "VMAAS_HUB_NAMESPACE", default_value = "", value_name = "NAMESPACE", value_parser = mapping)]
    pub vmaas_hub_namespace: String,

    /// Name of its KubevirtConfig
    #[arg(long = "vmaas-hub-id", env = "VMAAS_HUB_ID", default_value = "vmaas-primary", value_name = "NAME", value_parser = hub_id)]
    pub vmaas_hub_id: String,
}

/// An entry of MACHINE_LABELS.
fn label(text: &str) -> Result<String, String> {
    if labels::is_reserved(text) {
        return Err(format!("labels of {text:?} are written by others, and are never copied: leave it out"));
    }
    Ok(text.trim().to_owned())
}

impl VmaasHub {
    /// The hub, and the file of its kubeconfig, if there is one.
    pub fn wanted(&self) -> Option<(Hub, PathBuf)> {
        let namespace = Some(self.vmaas_hub_namespace.clone()).filter(|namespace| !namespace.is_empty());
        Some((Hub { id: self.vmaas_hub_id.clone(), namespace }, self.vmaas_hub_kubeconfig.clone()?))
    }
}

impl Args {
    /// `CLOUD_INIT_NAMESPACES`, one by one.
    pub fn cloud_init_namespaces(&self) -> Vec<String> {
        let names = self.cloud_init_namespaces.split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

fn mapping(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() {
        judge_mapping(text)?;
    }
    Ok(text.to_owned())
}

fn hub_id(text: &str) -> Result<String, &'static str> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits =
        (1..=60).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-');
    fits.then(|| text.to_owned()).ok_or("the name of a KubevirtConfig of 1 to 60 of a-z, 0-9 and '-', '-' only inside")
}

fn bridge(text: &str) -> Result<String, &'static str> {
    let says = "the name of a bridge has 1 to 15 letters, digits, '-', '_' and '.'";
    is_bridge(text).then(|| text.to_owned()).ok_or(says)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::table::every_row;

    fn parsed(args: &[&str]) -> Result<Args, String> {
        Args::try_parse_from(["controller"].iter().chain(args)).map_err(|error| error.to_string())
    }

    #[test]
    fn b20_c54_c55_c57_x20_x35_defaults() {
        let args = parsed(&[]).unwrap();
        assert_eq!(args.reconcile_interval, Duration::from_secs(30), "C54");
        assert_eq!(args.max_concurrent_reconciles, 5, "C55");
        assert!(args.leader_election, "C57");
        let listen = [args.shared.metrics_bind_address, args.shared.health_probe_bind_address, args.debug_bind_address];
        assert_eq!(listen.map(|bind| bind.to_string()), [":8080", ":8081", "127.0.0.1:8082"], "X20");
    }

    #[test]
    fn e5_x105_a_hub_is_registered_only_if_there_is_a_file_for_it() {
        let hub = |args: &[&str]| parsed(args).unwrap().vmaas_hub.wanted();
        let wanted =
            |id: &str, namespace: Option<&str>| Hub { id: id.to_owned(), namespace: namespace.map(str::to_owned) };
        let file = "--vmaas-hub-kubeconfig=/etc/hub/kubeconfig";
        let path = PathBuf::from("/etc/hub/kubeconfig");
        assert_eq!(hub(&["--vmaas-hub-namespace=vmaas-system", "--vmaas-hub-id=vmaas-primary"]), None);
        assert_eq!(hub(&[file]), Some((wanted("vmaas-primary", None), path.clone())), "X38: an empty one mirrors");
        let all = [file, "--vmaas-hub-namespace=vmaas-system", "--vmaas-hub-id=hub-2"];
        assert_eq!(hub(&all), Some((wanted("hub-2", Some("vmaas-system")), path.clone())));
        let template = [file, "--vmaas-hub-namespace=vmaas-{namespace}"];
        assert_eq!(hub(&template), Some((wanted("vmaas-primary", Some("vmaas-{namespace}")), path)));
    }

    #[test]
    fn c54_c55_c57_settings_are_taken_or_refused_with_what_is_allowed() {
        let given = ["--reconcile-interval=1h30m", "--max-concurrent-reconciles=1000", "--leader-election=false"];
        let args = parsed(&given).unwrap();
        assert_eq!((args.reconcile_interval.as_secs(), args.max_concurrent_reconciles), (5400, 1000));
        assert!(!args.leader_election);
        let cases = [
            ("C54: no unit", "--reconcile-interval=30", "write it like 30s, 5m or 1h30m"),
            ("C54: never", "--reconcile-interval=0s", "must be longer than zero"),
            ("C55: none at once", "--max-concurrent-reconciles=0", "is not in 1..=1000"),
            ("neither source of addresses", "--ip-source=dhcp", "[possible values: vmi, networkconfiguration]"),
            ("X105: a kubeconfig is no id", "--vmaas-hub-id=The Hub", "the name of a KubevirtConfig of 1 to 60"),
            ("X38: of Kubernetes", "--vmaas-hub-namespace=kube-system", "belongs to the cluster itself"),
            ("X38: two places", "--vmaas-hub-namespace={namespace}-{namespace}", "{namespace} may stand once"),
            ("C57: neither", "--leader-election=maybe", "[possible values: true, false]"),
        ];
        every_row(cases, |(name, arg, says)| {
            let said = parsed(&[arg]).map(drop).unwrap_err();
            assert!(said.contains(says), "{name}: {said}");
        });
    }
}
