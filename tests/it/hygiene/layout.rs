//! The crates: which there are, which may know which, and what none of them reaches.

use crate::table::every_row;
use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use clap::CommandFactory;
use tests::repository::{read, root};

/// The workspace's crates with the crates of ours that each may depend on. `tests` may depend on all.
pub(super) const CRATES: [(&str, &[&str]); 7] = [
    ("shared/model", &[]),
    ("shared/admission", &["model"]),
    ("shared/runtime", &["model"]),
    ("certs", &[]),
    ("gateway", &["certs", "model", "runtime"]),
    ("webhook", &["admission", "certs", "model", "runtime"]),
    ("controller", &["model", "runtime"]),
];

#[test]
fn g1_the_top_level_is_the_one_of_the_design() {
    let cases =
        ["Cargo.toml", "webhook", "controller", "gateway", "shared", "charts", "certs", "tests", "docs", "README.md"];
    every_row(cases, |name| assert!(root().join(name).exists(), "{name} is missing"));
    let manifests = manifests();
    let cases = [
        "kube",
        "k8s-openapi",
        "axum",
        "rustls",
        "tokio-rustls",
        "tokio",
        "json-patch",
        "serde",
        "tracing",
        "rcgen",
        "prometheus-client",
    ];
    every_row(cases, |name| {
        assert!(
            manifests.iter().any(|(_, text)| dependencies(text).any(|(found, _)| found == name)),
            "{name} is unused"
        );
    });
}

#[test]
fn g1_versions_of_dependencies_stand_in_the_root_only() {
    let mut wrong = Vec::new();
    for (path, text) in manifests() {
        let own = dependencies(&text).filter(|(_, value)| !value.contains("workspace = true"));
        wrong.extend(own.map(|(name, value)| format!("{path}: {name} {value}: write `{name}.workspace = true`")));
        for key in ["version", "edition", "rust-version", "license"] {
            if !text.lines().any(|line| line.trim() == format!("{key}.workspace = true")) {
                wrong.push(format!("{path}: write `{key}.workspace = true`"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn g1_crates_depend_in_one_direction() {
    let ours: BTreeSet<&str> = CRATES.iter().map(|(folder, _)| name(folder)).chain(["tests"]).collect();
    every_row(CRATES, |(folder, allowed)| {
        let text = read(&format!("{folder}/Cargo.toml"));
        let found: BTreeSet<&str> =
            dependencies(&text).map(|(name, _)| name).filter(|name| ours.contains(name)).collect();
        let surplus: Vec<_> = found.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(surplus.is_empty(), "{folder} must not depend on {surplus:?}");
    });
}

#[test]
fn g1_i7_the_model_and_admission_are_pure() {
    let bans_of_all = read("clippy.toml");
    every_row(["shared/model", "shared/admission"], |folder| {
        let crates = tree(name(folder));
        assert!(crates.contains("serde_json"), "this is not the tree of {folder}: {crates:?}");
        for io in ["tokio", "hyper", "rustls", "tower", "rand", "axum", "kube_client", "kube_runtime", "tracing", "log"]
        {
            let package = name(folder);
            assert!(!crates.contains(io), "{package} depends on {io}: `cargo tree -p {package} -e normal -i {io}`");
        }
        let bans = read(&format!("{folder}/clippy.toml"));
        for line in bans_of_all.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(bans.contains(line), "{folder}/clippy.toml lacks {line:?}: clippy reads only the nearest file");
        }
        for path in ["std::time::SystemTime::now", "std::time::Instant::now", "jiff::Timestamp::now", "std::env::var"] {
            assert!(bans.contains(&format!("\"{path}\"")), "{folder}/clippy.toml does not ban {path}");
        }
    });
}

/// Whoever executes cannot even name what decides: the crate is not below it.
#[test]
fn g3_nothing_that_executes_can_reach_what_decides() {
    assert!(tree("webhook").contains("admission"), "the crate that decides is not called that any more");
    every_row(["controller", "runtime", "model"], |package| {
        assert!(!tree(package).contains("admission"), "{package} depends on admission");
    });
}

#[test]
fn g3_the_settings_of_placement_are_those_of_the_webhook_alone() {
    let settings = |command: clap::Command| -> BTreeSet<String> {
        command.get_arguments().filter_map(|it| it.get_env()?.to_str().map(str::to_owned)).collect()
    };
    let decides = settings(webhook::args::Args::command());
    let executes = settings(controller::args::Args::command());
    assert!(executes.contains("RECONCILE_INTERVAL"), "these are not the settings of the controller: {executes:?}");
    every_row(["DEFAULT_KUBEVIRT_CONFIG", "PLACEMENT_STRATEGY"], |setting| {
        assert!(decides.contains(setting), "the webhook has no setting {setting}");
        assert!(!executes.contains(setting), "the controller has the setting {setting}");
    });
}

/// The libraries that a package is built from, its own among them.
fn tree(package: &str) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{lib}"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    tree.lines().map(|line| line.trim_end_matches(" (*)").trim().to_owned()).collect()
}

/// `webhook` of `webhook`, `model` of `shared/model`.
fn name(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

/// Path and text of every member's manifest.
fn manifests() -> Vec<(String, String)> {
    let folders = CRATES.iter().map(|(folder, _)| *folder).chain(["tests"]);
    folders.map(|folder| format!("{folder}/Cargo.toml")).map(|path| (path.clone(), read(&path))).collect()
}

/// The dependencies of a manifest, of any kind, with what is said about each.
fn dependencies(manifest: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut inside = false;
    manifest.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with('[') {
            assert!(!line.contains("dependencies."), "write {line} as one line, where it is looked for");
            inside = line.ends_with("dependencies]");
            return None;
        }
        let end = line.find(['.', ' ', '='])?;
        (inside && !line.starts_with('#')).then(|| line.split_at(end))
    })
}
