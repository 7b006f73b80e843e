//! No two files of a crate take from each other, directly or through others: what a file needs stands below it, so that
//! it can be read, moved and taken away alone. `cargo test -p tests --test it circles` runs this alone.

mod graph;
mod modules;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use tests::repository::{files, read};

use super::layout::CRATES;

#[test]
fn no_files_take_from_each_other_in_a_circle() {
    let found: Vec<String> = crates().iter().flat_map(|(root, sources)| beside(root, sources)).collect();
    assert!(found.is_empty(), "{} circles:\n{}", found.len(), found.join("\n"));
}

/// A module and its parts may be a circle of their own: the parts take what the whole defines, and the whole puts the
/// parts together. Then what they share wants a file below both.
#[test]
fn no_module_takes_from_a_part_that_takes_from_it() {
    let mut found = Vec::new();
    for (root, sources) in &crates() {
        let arrows = graph::arrows(root, sources);
        let known = beside(root, sources);
        let all = graph::circles(&arrows).into_iter().map(|circle| describe(&circle, &arrows));
        found.extend(all.filter(|circle| !known.contains(circle)));
    }
    assert!(found.is_empty(), "{} circles:\n{}", found.len(), found.join("\n"));
}

/// The circles that need no arrow from a part to a module above it.
fn beside(root: &str, sources: &BTreeMap<String, String>) -> Vec<String> {
    let arrows = graph::arrows(root, sources);
    let arrows = graph::without_upward(&arrows);
    graph::circles(&arrows).iter().map(|circle| describe(circle, &arrows)).collect()
}

/// The files of a circle, and what ties them.
fn describe(circle: &BTreeSet<&str>, arrows: &graph::Arrows) -> String {
    let mut lines = vec![format!("{} files: {}", circle.len(), circle.iter().copied().collect::<Vec<_>>().join(", "))];
    for (from, targets) in arrows.iter().filter(|(from, _)| circle.contains(*from)) {
        for (to, names) in targets.iter().filter(|(to, _)| circle.contains(*to)) {
            lines.push(format!("  {from} -> {to}: {}", names.iter().copied().collect::<Vec<_>>().join(", ")));
        }
    }
    lines.join("\n")
}

/// The root file of each crate, and its sources by path. A crate that is missing is the mistake of another test.
fn crates() -> Vec<(String, BTreeMap<String, String>)> {
    let all = files("rs");
    let sources = CRATES.iter().map(|(folder, _)| {
        let inside = all.iter().filter(|path| path.starts_with(&format!("{folder}/src/")));
        (format!("{folder}/src/lib.rs"), inside.map(|path| (path.clone(), read(path))).collect())
    });
    sources.filter(|(root, sources): &(String, BTreeMap<_, _>)| sources.contains_key(root)).collect()
}
