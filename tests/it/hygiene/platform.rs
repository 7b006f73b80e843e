//! The platform baseline can be taken out: besides its own files, only these name it.

use std::collections::BTreeSet;

use tests::repository::texts;

/// Who would lose a line or two.
const NAMED_BY: [&str; 17] = [
    "controller/src/configs.rs",
    "controller/src/context.rs",
    "controller/src/debug.rs",
    "controller/src/lib.rs",
    "controller/src/main.rs",
    "controller/src/scrape.rs",
    "controller/src/session.rs",
    "shared/model/src/api.rs",
    "shared/model/src/clusters/status.rs",
    "shared/model/src/clusters/status/conditions.rs",
    "shared/model/src/clusters/status/seen.rs",
    "shared/model/src/clusters/status_tests.rs",
    "shared/model/src/lib.rs",
    "tests/benches/times/links/connect.rs",
    "tests/benches/times/machines/baseline.rs",
    "tests/demo/chapters.rs",
    "tests/src/lib.rs",
];

/// Its own files: wherever they are, a part of their path says so. Lists of tests are no code that would miss it.
fn is_its_own(path: &str) -> bool {
    let own = |part: &str| part == "platform" || part == "platform_crds";
    path.split(['/', '.']).any(own) || path.starts_with("tests/it/") || path.starts_with("tests/src/generated")
}

#[test]
fn the_platform_baseline_is_named_by_its_own_files_and_a_few_lines() {
    let names = |text: &str| {
        let code = |line: &&str| !line.trim_start().starts_with("//");
        text.lines()
            .filter(code)
            .any(|line| ["platform::", "mod platform", "platform_crds"].iter().any(|word| line.contains(word)))
    };
    let found: BTreeSet<String> =
        texts(&["rs"]).into_iter().filter(|(path, text)| !is_its_own(path) && names(text)).map(|it| it.0).collect();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, NAMED_BY);
}
