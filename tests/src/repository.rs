//! The files of this repository, for what is generated from them and for what must hold of all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Root of the repository that this was built from.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of a file, by its path from the root.
///
/// # Panics
///
/// If it cannot be read.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Path and text of the files with one of these extensions.
pub fn texts(extensions: &[&str]) -> Vec<(String, String)> {
    let paths = extensions.iter().flat_map(|extension| files(extension));
    paths.map(|path| (path.clone(), read(&path))).collect()
}

/// The files of the repository with this extension, all of them for an empty one: those that git knows or would take,
/// or in a copy without git everything but `target`.
pub fn files(extension: &str) -> Vec<String> {
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
