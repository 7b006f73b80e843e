use clap::ArgAction;

use super::*;
use crate::args::{Settings, go_duration};
use crate::bind::Bind;
use crate::table::every_row;
use crate::telemetry::LogFormat;

/// What a binary does: the shared settings and its own. `cargo test` sets CARGO_PKG_NAME, which stands for "set in the
/// environment": a test cannot set variables of its own process safely.
#[derive(Debug, Parser)]
#[command(name = "kubevirt-operator-test")]
struct Args {
    #[command(flatten)]
    shared: Settings,
    #[arg(long, env = "TEST_RECONCILE_INTERVAL", default_value = "30s", value_parser = go_duration)]
    reconcile_interval: std::time::Duration,
    #[arg(long, env = "TEST_LEADER_ELECTION", default_value_t = true, action = ArgAction::Set)]
    leader_election: bool,
    #[arg(long, env = "TEST_DEBUG")]
    debug: bool,
    #[arg(long, env = "TEST_REQUIRED")]
    required: String,
    #[arg(long, env = "CARGO_PKG_NAME")]
    package: String,
    #[arg(long, env = "TEST_PASSWORD", hide_env_values = true, default_value = "")]
    password: String,
}

fn run(args: &str, file: &str) -> Result<(Args, Effective), String> {
    let args = ["operator"].into_iter().chain(args.split_whitespace()).map(OsString::from).collect();
    parse_from(args, Some((Path::new("config.yaml"), file))).map_err(|e| e.to_string())
}

#[test]
fn a14_b8_flag_beats_environment_beats_file_beats_default() {
    let file = "TEST_REQUIRED: file\nNAMESPACE: from-file\nCARGO_PKG_NAME: file\nTEST_RECONCILE_INTERVAL: 1h30m\n";
    let (args, effective) = run("--namespace flag", file).unwrap();
    assert_eq!(args.shared.namespace, "flag", "flag over file");
    assert_eq!(args.package, "runtime", "environment over file");
    assert_eq!(args.required, "file", "a required setting may come from the file");
    assert_eq!(args.reconcile_interval.as_secs(), 5400);
    assert_eq!(args.shared.kubevirt_configs_namespace, "default", "B8");
    let line = effective.to_string();
    let cases = [
        "NAMESPACE=\"flag\" (flag)",
        "CARGO_PKG_NAME=\"runtime\" (env)",
        "TEST_RECONCILE_INTERVAL=\"1h30m\" (file)",
        "VM_NAME_PREFIX=\"vm-\" (default)",
        "KUBECONFIG=unset (default)",
    ];
    every_row(cases, |part| assert!(line.contains(part), "{part} in {line}"));
    let (args, _) = run("--package flag", file).unwrap();
    assert_eq!(args.package, "flag", "flag over environment");
    let (args, _) = run("--required x --log-format json", "LOG_FORMAT: xml").unwrap();
    assert_eq!(args.shared.log_format, LogFormat::Json, "what is not in force is not judged");
}

#[test]
fn c56_defaults() {
    let (args, _) = run("--required x", "").unwrap();
    let want = Settings {
        kubeconfig: None,
        namespace: "kubevirt-operator-system".into(),
        kubevirt_configs_namespace: "default".into(),
        vm_name_prefix: "vm-".into(),
        metrics_bind_address: Bind::All(8080),
        health_probe_bind_address: Bind::All(8081),
        log_format: LogFormat::Json,
        log_level: "info".into(),
        config_file: None,
    };
    assert_eq!(args.shared, want);
    assert!(args.leader_election && !args.debug);
}

#[test]
fn the_file_takes_plain_values_of_every_kind() {
    let (args, _) = run(
        "",
        "TEST_REQUIRED: 12\nTEST_LEADER_ELECTION: false\nTEST_DEBUG: true\nVM_NAME_PREFIX: ''\nNAMESPACE: ''\nLOG_FORMAT: text\nKUBECONFIG:\n",
    )
    .unwrap();
    assert_eq!(args.required, "12");
    assert!(!args.leader_election && args.debug);
    assert_eq!(args.shared.vm_name_prefix, "", "X2: empty is a value here");
    assert_eq!(args.shared.namespace, "kubevirt-operator-system", "empty is unset elsewhere");
    assert_eq!(args.shared.log_format, LogFormat::Text);
}

#[test]
fn mistakes_are_named() {
    #[rustfmt::skip]
    let cases = [
        ("", "KUBEVIRT_CONFIG_NAMESPACE: x", "config.yaml: unknown setting \"KUBEVIRT_CONFIG_NAMESPACE\"; did you mean KUBEVIRT_CONFIGS_NAMESPACE?"),
        ("", "namespace: x", "did you mean NAMESPACE?"),
        ("", "COMPLETELY_DIFFERENT: x", "known are KUBECONFIG, NAMESPACE,"),
        ("", "NAMESPACE: [a]", "config.yaml: NAMESPACE: must be one plain value"),
        ("", "- a", "config.yaml: "),
        ("", "TEST_DEBUG: maybe", "config.yaml: TEST_DEBUG: invalid value \"maybe\"; one of true, false"),
        ("", "LOG_FORMAT: xml", "config.yaml: LOG_FORMAT: invalid value \"xml\"; one of json, text"),
        ("", "TEST_RECONCILE_INTERVAL: 30", "config.yaml: TEST_RECONCILE_INTERVAL: invalid value \"30\": write it like 30s"),
        ("--log-format xml", "LOG_FORMAT: text", "invalid value 'xml' for '--log-format"),
        ("--metrics-bind-address 8080", "", "write it like :8080"),
        ("--log-level verbose", "", "error, warn, info, debug, trace"),
        ("", "NAMESPACE: a", "--required"),
    ];
    every_row(cases, |(args, file, want)| {
        let said = run(args, file).map(|_| ()).unwrap_err();
        assert!(said.contains(want), "{args} {file}\n wants {want}\n said {said}");
    });
}

#[test]
fn hidden_settings_are_not_shown() {
    let (_, effective) = run("--required x --password canary", "").unwrap();
    assert!(effective.to_string().contains("TEST_PASSWORD=hidden (flag)"), "{effective}");
}

#[test]
fn the_file_is_found_by_flag() {
    let named = |line: &str| named_file::<Args>(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
    assert_eq!(named("p --namespace x --config a.yaml"), Some("a.yaml".into()), "what is required may be in the file");
    assert_eq!(named("p --config=a.yaml --wrong"), Some("a.yaml".into()));
    assert_eq!(named("p -- --config=a.yaml"), None);
}
