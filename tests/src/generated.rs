//! The files of the repository that are written from code: `cargo gen` writes them, `cargo gen --check` and the test
//! below name those that drifted. Rendering is pure; files are touched here only.

mod assets;
pub mod behaviours;
mod reasons;
mod reference;
mod rights;
mod yaml;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use crate::repository::texts;

/// Where the CRDs are, as the chart wants them.
const CRDS: &str = "charts/kubevirt-operator/files/crds";

/// One generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path from the root of the repository.
    pub path: String,
    /// The whole content.
    pub text: String,
}

/// Every generated file. A new one is a line here.
pub fn files() -> Vec<File> {
    let crds = model::crds::crds();
    let mut files: Vec<File> = crds
        .iter()
        .map(|crd| File { path: format!("{CRDS}/{}.vitistack.io.yaml", crd.spec.names.plural), text: yaml::crd(crd) })
        .collect();
    files.push(File { path: "docs/api.md".to_owned(), text: reference::page(&crds) });
    files.push(File { path: "docs/reasons.md".to_owned(), text: reasons::page() });
    files.push(File { path: "docs/assets.md".to_owned(), text: assets::page() });
    files.push(File { path: "docs/openapi.json".to_owned(), text: gateway::routes::document() });
    files.push(File { path: rights::FILE.to_owned(), text: rights::rules() });
    let sources: Vec<_> = texts(&["rs"]).into_iter().filter(|(path, _)| !behaviours::is_its_own(path)).collect();
    files.push(File { path: behaviours::PAGE.to_owned(), text: behaviours::page(&sources) });
    files
}

/// Writes every file below `root` that differs, and says which.
pub fn write(root: &Path) -> io::Result<Vec<String>> {
    let mut written = Vec::new();
    for File { path, text } in files() {
        let target = root.join(&path);
        if fs::read_to_string(&target).is_ok_and(|found| found == text) {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&target, text)?;
        written.push(path);
    }
    Ok(written)
}

/// Names the files below `root` that are not what the code says, and CRDs that no kind stands for any more.
pub fn drifted(root: &Path) -> Vec<String> {
    let files = files();
    let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let leftover = fs::read_dir(root.join(CRDS))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(format!("{CRDS}/{}", entry.ok()?.file_name().to_str()?)))
        .filter(|path| !known.contains(path.as_str()));
    let differs = |file: &&File| !fs::read_to_string(root.join(&file.path)).is_ok_and(|found| found == file.text);
    files.iter().filter(differs).map(|file| file.path.clone()).chain(leftover).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::root;

    #[test]
    fn generated_files_are_what_the_code_says() {
        assert_eq!(drifted(&root()), Vec::<String>::new(), "run `cargo gen`");
    }

    #[test]
    fn a_changed_a_missing_and_a_leftover_file_are_named() {
        let root = tempfile::tempdir().expect("a folder");
        let all: Vec<String> = files().into_iter().map(|file| file.path).collect();
        assert_eq!(drifted(root.path()), all, "nothing is there yet");
        assert_eq!(write(root.path()).expect("written"), all);
        assert_eq!(drifted(root.path()), Vec::<String>::new());
        assert_eq!(write(root.path()).expect("nothing to write"), Vec::<String>::new());
        let leftover = format!("{CRDS}/gone.vitistack.io.yaml");
        fs::write(root.path().join(&leftover), "").expect("written");
        fs::write(root.path().join("docs/api.md"), "edited by hand").expect("written");
        assert_eq!(drifted(root.path()), vec!["docs/api.md".to_owned(), leftover]);
    }
}
