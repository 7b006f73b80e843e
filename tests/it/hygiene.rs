//! What holds for the repository as a whole: its layout, which crate may know which, and what files may look like.
//! Reads source text and asks cargo; starts nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tests::generated::root;

/// The workspace's crates with the crates of ours that each may depend on. `tests` may depend on all.
const CRATES: [(&str, &[&str]); 5] = [
    ("shared/model", &[]),
    ("shared/runtime", &["model"]),
    ("certs", &[]),
    ("webhook", &["certs", "model", "runtime"]),
    ("controller", &["model", "runtime"]),
];

/// More lines than this are two files.
const LONGEST: usize = 400;

#[test]
fn g1_the_top_level_is_the_one_of_the_design() {
    for name in ["Cargo.toml", "webhook", "controller", "shared", "charts", "certs", "tests", "docs", "README.md"] {
        assert!(root().join(name).exists(), "{name} is missing");
    }
    let manifests = manifests();
    for name in [
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
    ] {
        assert!(
            manifests.iter().any(|(_, text)| dependencies(text).any(|(found, _)| found == name)),
            "{name} is unused"
        );
    }
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
    for (folder, allowed) in CRATES {
        let text = read(&format!("{folder}/Cargo.toml"));
        let found: BTreeSet<&str> =
            dependencies(&text).map(|(name, _)| name).filter(|name| ours.contains(name)).collect();
        let surplus: Vec<_> = found.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(surplus.is_empty(), "{folder} must not depend on {surplus:?}");
    }
}

#[test]
fn g1_the_model_is_pure() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["tree", "--locked", "--package", "model", "--edges", "normal", "--prefix", "none", "--format", "{lib}"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let crates: BTreeSet<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)").trim()).collect();
    assert!(crates.contains("serde_json"), "this is not the tree of model: {tree}");
    for io in ["tokio", "hyper", "rustls", "tower", "rand", "axum", "kube_client", "kube_runtime", "tracing", "log"] {
        assert!(!crates.contains(io), "model depends on {io}: `cargo tree -p model -e normal -i {io}`");
    }
    let bans = read("shared/model/clippy.toml");
    for line in read("clippy.toml").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(bans.contains(line), "shared/model/clippy.toml lacks {line:?}: clippy reads only the nearest file");
    }
    for path in ["std::time::SystemTime::now", "std::time::Instant::now", "jiff::Timestamp::now", "std::env::var"] {
        assert!(bans.contains(&format!("\"{path}\"")), "shared/model/clippy.toml does not ban {path}");
    }
}

/// Both live in the crate `model`, so that Cargo's graph says nothing: the sources do. Of admission, execution may know
/// only the shape of what was resolved.
#[test]
fn g3_nothing_that_executes_knows_placement() {
    let executes = ["controller/src/", "shared/runtime/src/", "shared/model/src/machine", "shared/model/src/clusters"];
    let mut wrong = Vec::new();
    let mut read_files = 0;
    for path in files("rs").into_iter().filter(|path| executes.iter().any(|start| path.starts_with(start))) {
        read_files += 1;
        let text = read(&path);
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        wrong.extend(
            lines.filter(|(_, line)| decides(line)).map(|(number, line)| format!("{path}:{}: {line}", number + 1)),
        );
    }
    assert!(read_files > 20, "the sources were not found");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Whether a line of code reaches for a decision about placement.
fn decides(line: &str) -> bool {
    let beyond_sizing = line.match_indices("admission::").any(|(at, path)| {
        let rest = &line[at + path.len()..];
        let is_module = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        is_module && !rest.starts_with("sizing::")
    });
    let whole = line.trim_start().starts_with("use ") && line.contains("admission") && !line.contains("admission::");
    let setting = ["DEFAULT_KUBEVIRT_CONFIG", "PLACEMENT_STRATEGY"].iter().any(|name| line.contains(name));
    beyond_sizing || whole || setting || line.contains("placement::")
}

#[test]
fn g3_the_search_for_placement_code_finds_it() {
    #[rustfmt::skip]
    let cases = [
        ("use model::admission::placement::place;",             true),
        ("use model::admission::{decide, World};",              true),
        ("use model::{admission, names};",                      true),
        ("    let verdict = model::admission::decide(a, b);",   true),
        ("    placement::place(request, object)",               true),
        (r#"    #[arg(env = "DEFAULT_KUBEVIRT_CONFIG")]"#,      true),
        ("use crate::admission::sizing::{Sizing, Source};",     false),
        (r#"    say("admission has not decided yet");"#,        false),
        ("    ask_admission(ctx).await",                        false),
    ];
    for (line, wanted) in cases {
        assert_eq!(decides(line), wanted, "{line}");
    }
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let long: Vec<_> = (files("rs").into_iter())
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:?}");
}

#[test]
fn every_relative_link_of_a_document_leads_somewhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for path in files("md") {
        let text = read(&path);
        let folder = Path::new(&path).parent().unwrap_or(Path::new("")).to_path_buf();
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { PathBuf::from(&path) } else { folder.join(file) };
            followed += 1;
            if !root().join(&target).exists() {
                broken.push(format!("{path}: {link}"));
            } else if !heading.is_empty() && !headings(&target).contains(heading) {
                broken.push(format!("{path}: {link}: no such heading"));
            }
        }
    }
    assert!(followed > 20, "the documents were not found");
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let tops = ["certs/", "charts/", "controller/", "docs/", "shared/", "tests/", "webhook/", ".ci/"];
    let mut gone = Vec::new();
    let mut seen = 0;
    for document in files("md") {
        let text = read(&document);
        let spans = prose(&text).flat_map(|line| line.split('`').skip(1).step_by(2)).flat_map(str::split_whitespace);
        for named in spans.filter(|span| tops.iter().any(|top| span.starts_with(top)) && !span.contains('*')) {
            seen += 1;
            gone.extend(expand(named).into_iter().filter(|path| !root().join(path).exists()));
        }
    }
    assert!(seen > 20, "the documents were not found");
    assert_eq!(gone, Vec::<String>::new());
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn expand(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        None => vec![path.to_owned()],
        Some((before, (several, after))) => several.split(',').map(|one| format!("{before}{one}{after}")).collect(),
    }
}

/// The relative targets of `[text](target)`, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(text) {
        for (index, part) in line.split("](").enumerate().skip(1) {
            let before: usize = line.split("](").take(index).map(|part| part.matches('`').count()).sum();
            let target = part.split([')', ' ']).next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if before.is_multiple_of(2) && !elsewhere && !target.is_empty() {
                found.push(target);
            }
        }
    }
    found
}

/// Lines that are not in a fenced block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a document, as GitHub makes them from headings.
fn headings(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(path)).unwrap_or_default();
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    prose(&text).filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn links_are_found_where_they_are_links() {
    let text =
        "see [a](a.md) and [b](../b.md#c)\n```\n[no](no.md)\n```\n`[no](no.md)` [web](https://x.y/z) [t](#top)\n";
    assert_eq!(links(text), ["a.md", "../b.md#c", "#top"]);
}

#[test]
fn nothing_names_the_machine_that_it_was_written_on() {
    let root = root().canonicalize().expect("there is a checkout");
    let home = env::var("HOME").unwrap_or_default();
    // A home of `/` or a checkout in `/src` says nothing about a machine.
    let deep = |path: &str, least: usize| path.split('/').filter(|part| !part.is_empty()).count() >= least;
    let own = [(home, 1), (root.to_string_lossy().into_owned(), 2)];
    let own: Vec<String> =
        own.into_iter().filter(|(path, least)| deep(path, *least)).map(|(path, _)| path + "/").collect();
    let mut found = Vec::new();
    for path in files("") {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        found.extend(own.iter().filter(|own| text.contains(own.as_str())).map(|own| format!("{path}: {own}")));
    }
    assert_eq!(found, Vec::<String>::new());
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

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of the repository with this extension, all of them for an empty one: those that git knows or would take,
/// or in a copy without git everything but `target`.
fn files(extension: &str) -> Vec<String> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(arguments).current_dir(root()).output();
    let mut all: Vec<String> = match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect()
        }
        _ => walk(&root()),
    };
    all.sort();
    all.dedup();
    all.retain(|path| root().join(path).is_file());
    all.retain(|path| extension.is_empty() || Path::new(path).extension().is_some_and(|found| found == extension));
    all
}

fn walk(from: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![from.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && ![".git", "target"].contains(&entry.file_name().to_string_lossy().as_ref()) {
                open.push(path);
            } else if let Ok(relative) = path.strip_prefix(from) {
                found.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    found
}
