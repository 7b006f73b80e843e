//! The settings both binaries share, and the value parsers of all settings. No I/O here; [`file`] reads `config.yaml`.
//!
//! Every setting is a flag, an environment variable and a key of `config.yaml`, all with one meaning
//! (A14, B8, C19, C56). A binary adds its own by `#[command(flatten)] shared: Settings`.

mod file;

pub use file::{Effective, parse, parse_from};

use std::path::PathBuf;
use std::time::Duration;

use crate::bind::Bind;
use crate::telemetry::LogFormat;

/// Settings of both binaries.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Settings {
    /// Kubeconfig of the supervisor cluster; without it the pod's own service account is used
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace the operator runs in
    #[arg(long, env = "NAMESPACE", default_value = "kubevirt-operator-system")]
    pub namespace: String,

    /// Namespace of the KubevirtConfigs
    #[arg(long, env = "KUBEVIRT_CONFIGS_NAMESPACE", default_value = "default")]
    pub kubevirt_configs_namespace: String,

    /// Put before a Machine's name to make its VirtualMachine's name; may be empty
    #[arg(long, env = "VM_NAME_PREFIX", default_value = "vm-", value_parser = name_prefix)]
    pub vm_name_prefix: String,

    /// Where /metrics is served: [HOST]:PORT, or 0 for nowhere
    #[arg(long, env = "METRICS_BIND_ADDRESS", default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_bind_address: Bind,

    /// Where /healthz and /readyz are served: [HOST]:PORT, or 0 for nowhere
    #[arg(long, env = "HEALTH_PROBE_BIND_ADDRESS", default_value = ":8081", value_name = "ADDRESS")]
    pub health_probe_bind_address: Bind,

    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", default_value = "json", value_enum)]
    pub log_format: LogFormat,

    /// error, warn, info, debug or trace, or directives such as info,kube=debug
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "LEVEL", value_parser = crate::telemetry::level)]
    pub log_level: String,

    /// File with settings, named as their environment variables are [default: config.yaml, if there is one]
    #[arg(long = "config", env = file::CONFIG_FILE, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
}

/// Value parser of durations in Go's spelling: `30s`, `1h30m`, `500ms`. Zero, negative ones and more than a year are refused.
pub fn go_duration(text: &str) -> Result<Duration, String> {
    const SPELLING: &str = "write it like 30s, 5m or 1h30m";
    const YEAR: Duration = Duration::from_secs(8760 * 3600);
    // kube's parser panics on inner signs and on numbers beyond u64 seconds: neither fits through here.
    let plausible = |c: char| c.is_alphanumeric() || c == '.';
    if text.is_empty() || text.len() > 16 || !text.chars().all(plausible) {
        return Err(SPELLING.to_owned());
    }
    match text.parse::<kube::core::Duration>().map(Duration::from) {
        Ok(Duration::ZERO) => Err("must be longer than zero".to_owned()),
        Ok(duration) if duration > YEAR => Err("must be at most 8760h".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err(SPELLING.to_owned()),
    }
}

fn name_prefix(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.len() <= 32 && !text.starts_with('-') && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("at most 32 of a-z, 0-9 and '-', not starting with '-', because it begins a Kubernetes name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn go_durations() {
        let seconds = |s| Some(Duration::from_secs(s));
        #[rustfmt::skip]
        let cases = [
            ("30s", seconds(30)), ("1h30m", seconds(5400)), ("1.5m", seconds(90)), ("500ms", Some(Duration::from_millis(500))),
            ("8760h", seconds(8760 * 3600)), ("8760h1s", None), ("999999999999999h", None),
            ("", None), ("30", None), ("0", None), ("0s", None), ("-30s", None), ("1h-30m", None), ("+1s", None),
            ("30 s", None), ("1d", None), ("99999999999999999h", None), ("1e9h", None), ("ten seconds", None),
        ];
        every_row(cases, |(text, want)| assert_eq!(go_duration(text).ok(), want, "{text}"));
    }

    #[test]
    fn name_prefixes() {
        every_row(["", "vm-", "a", "1-"], |good| assert_eq!(name_prefix(good).as_deref(), Ok(good)));
        every_row(["-vm", "VM-", "vm_", "vm.", "a/b", &"x".repeat(33)], |bad| {
            assert!(name_prefix(bad).is_err(), "{bad}");
        });
    }
}
