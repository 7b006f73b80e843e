//! Settings of webhook and controller that whoever calls the demo may set in the environment. Everything else in it,
//! such as a KUBECONFIG, stays out.

use std::collections::BTreeMap;
use std::env;

/// Settings by name.
pub(crate) type Settings = BTreeMap<String, String>;

/// Those that reach both processes. Addresses, identities and namespaces are the fleet's own.
const GIVEN: &[&str] = &[
    "ADOPTION",
    "ADOPT_BEFORE_DEFAULT",
    "CLOUD_INIT_NAMESPACES",
    "DEFAULT_BRIDGE",
    "DEFAULT_KUBEVIRT_CONFIG",
    "IP_SOURCE",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MACHINE_LABELS",
    "MAX_CONCURRENT_RECONCILES",
    "PLACEMENT_STRATEGY",
    "PLACEMENT_WHEN_UNREACHABLE",
    "PLATFORM_ASSETS",
    "PLATFORM_DISRUPTED_CLUSTERS",
    "PVC_ACCESS_MODE",
    "PVC_VOLUME_MODE",
    "RECONCILE_INTERVAL",
    "VM_NAME_PREFIX",
    "WEBHOOK_CA_ANNOUNCEMENT",
    "WEBHOOK_CA_VALIDITY",
    "WEBHOOK_CERTIFICATE_VALIDITY",
];

/// What the caller set. An empty value counts: an empty `VM_NAME_PREFIX` is one.
pub(crate) fn given() -> Settings {
    GIVEN.iter().filter_map(|&name| Some((name.to_owned(), env::var(name).ok()?))).collect()
}

/// For people: `A=1 B=2`, or nothing.
pub(crate) fn shown(settings: &Settings) -> String {
    settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Why settings that were given to `cargo demo start` cannot count: webhook and controller run with those of `cargo demo up`, and
/// one of them with others would be another product.
pub(crate) fn refusal(given: &Settings, running: &Settings) -> Option<String> {
    let other = given.iter().filter(|(name, value)| running.get(*name) != Some(value));
    let other: Settings = other.map(|(name, value)| (name.clone(), value.clone())).collect();
    if other.is_empty() {
        return None;
    }
    let other = shown(&other);
    let running = if running.is_empty() { "none".to_owned() } else { shown(running) };
    Some(format!(
        "{other} is set in your environment, and the fleet was started with other settings ({running}): to run with it, type \
         `{other} cargo demo up`, which restarts webhook and controller; else unset it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [&str; 3] = [
        include_str!("../../shared/runtime/src/args.rs"),
        include_str!("../../webhook/src/args.rs"),
        include_str!("../../controller/src/args.rs"),
    ];

    /// What the fleet decides.
    const OURS: &[&str] = &[
        "KUBECONFIG",
        "KUBEVIRT_CONFIGS_NAMESPACE",
        "LEADER_ELECTION",
        "NAMESPACE",
        "VMAAS_HUB_ID",
        "VMAAS_HUB_KUBECONFIG",
        "VMAAS_HUB_NAMESPACE",
        "WEBHOOK_CA_SECRET",
        "WEBHOOK_CLIENT_CA_FILE",
        "WEBHOOK_CLIENT_NAMES",
        "WEBHOOK_CONFIGURATION",
        "WEBHOOK_DNS_NAMES",
        "WEBHOOK_REPLICAS",
    ];

    #[test]
    fn every_setting_of_the_two_processes_is_either_the_callers_or_the_fleets() {
        let names = SOURCES.iter().flat_map(|source| source.split("env = \"").skip(1));
        let names = names.filter_map(|rest| rest.split_once('"').map(|(name, _)| name));
        let names: Vec<_> = names.filter(|name| !name.ends_with("_ADDRESS")).collect();
        assert!(names.contains(&"RECONCILE_INTERVAL"), "{names:?}");
        for name in names {
            assert!(GIVEN.contains(&name) != OURS.contains(&name), "{name}: list it in exactly one of the two");
        }
    }

    #[test]
    fn fr23_settings_that_would_not_count_are_refused() {
        let set = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let text = set(&[("LOG_FORMAT", "text")]);
        assert_eq!(refusal(&set(&[]), &text), None, "who sets nothing gets what runs");
        assert_eq!(refusal(&text, &text), None);
        let both = set(&[("LOG_FORMAT", "text"), ("VM_NAME_PREFIX", "")]);
        let want = "VM_NAME_PREFIX= is set in your environment, and the fleet was started with other settings (LOG_FORMAT=text): \
                    to run with it, type `VM_NAME_PREFIX= cargo demo up`, which restarts webhook and controller; else unset it";
        assert_eq!(refusal(&both, &text).as_deref(), Some(want));
        assert!(refusal(&text, &set(&[])).is_some_and(|why| why.contains("(none)")));
    }

    #[test]
    fn settings_are_shown_as_they_are_typed() {
        let settings = Settings::from([("B".to_owned(), "2".to_owned()), ("A".to_owned(), String::new())]);
        assert_eq!(shown(&settings), "A= B=2");
    }
}
