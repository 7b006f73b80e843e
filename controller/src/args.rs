//! The controller's settings.

use std::time::Duration;

use model::machine::labels;
use model::machine::owner::Adoption;
use runtime::args::{Settings, go_duration};
use runtime::bind::Bind;

/// Makes true on its cluster what admission decided about a Machine.
#[derive(Debug, clap::Parser)]
#[command(name = "kubevirt-operator-controller", version)]
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

    /// Labels of Machines that their VMs, pods and disks get, too: keys, and prefixes that end in '/', separated by commas
    #[arg(long, env = "MACHINE_LABELS", default_value = "cluster.vitistack.io/", value_delimiter = ',', value_parser = label)]
    pub machine_labels: Vec<String>,

    /// Where /debug is served: [HOST]:PORT, or 0 for nowhere; it names objects of every tenant
    #[arg(long, env = "DEBUG_BIND_ADDRESS", default_value = "127.0.0.1:8082", value_name = "ADDRESS")]
    pub debug_bind_address: Bind,

    /// How many Machines of one cluster are worked on at once: one that is slow keeps none of another waiting
    #[arg(long, env = "MAX_CONCURRENT_RECONCILES", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_concurrent_reconciles: u16,
}

/// An entry of MACHINE_LABELS.
fn label(text: &str) -> Result<String, String> {
    if labels::is_reserved(text) {
        return Err(format!("labels of {text:?} are written by others, and are never copied: leave it out"));
    }
    Ok(text.trim().to_owned())
}
