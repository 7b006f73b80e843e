//! Mistakes that somebody could make in what is decided about a Machine, and the tests that notice: `cargo mutations` makes each of
//! them in a copy of the sources, and runs those tests.

mod table;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use self::table::{ALL, Mutation, Suite};
use crate::repository;

impl Suite {
    const fn arguments(self) -> [&'static str; 4] {
        match self {
            Suite::Tables => ["--package", "model", "--test", "machine"],
            Suite::Whole => ["--package", "admission", "--test", "whole"],
        }
    }

    const fn other(self) -> Self {
        match self {
            Suite::Tables => Suite::Whole,
            Suite::Whole => Suite::Tables,
        }
    }
}

impl Mutation {
    /// The path of its file, from the root of the repository.
    pub fn path(&self) -> String {
        format!("shared/model/src/{}", self.file)
    }

    /// The text of its file with the mistake in it, or why it cannot be made.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        match text.matches(self.from).count() {
            1 => Ok(text.replacen(self.from, self.to, 1)),
            many => Err(format!("{}: what is to be replaced stands there {many} times: {:?}", self.path(), self.from)),
        }
    }
}

/// What came of one mutation.
#[derive(Debug)]
pub struct Outcome {
    /// The suite that noticed, and its tests that failed; none where nobody noticed.
    pub caught: Option<(Suite, Vec<String>)>,
}

/// A copy of the two pure crates, with a target folder of its own.
pub struct Sources {
    root: PathBuf,
}

impl Sources {
    /// Copies what the suites are built from.
    pub fn make() -> io::Result<Self> {
        let root = repository::root().join("target/mutations");
        let copy = Self { root: root.join("sources") };
        if copy.root.exists() {
            fs::remove_dir_all(&copy.root)?;
        }
        let needed = |path: &&String| {
            ["shared/model/", "shared/admission/"].iter().any(|crate_| path.starts_with(crate_))
                || ["Cargo.lock", "Cargo.toml", "tests/table.rs", "docs/patches.md"].contains(&path.as_str())
        };
        for path in repository::files("").iter().filter(needed) {
            copy.write(path, &repository::read(path))?;
        }
        let manifest = repository::read("Cargo.toml");
        let members = "members = [\"shared/model\", \"shared/admission\"]";
        let members = manifest.lines().map(|line| if line.starts_with("members") { members } else { line });
        copy.write("Cargo.toml", &members.collect::<Vec<_>>().join("\n"))?;
        Ok(copy)
    }

    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(path, text)
    }

    /// The tests of a suite that fail; an error where it does not even build.
    pub fn failing(&self, suite: Suite) -> Result<Vec<String>, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["test", "--offline", "--no-fail-fast", "--target-dir", "../target"])
            .args(suite.arguments())
            .current_dir(&self.root)
            // The copy is built again and again, and nobody debugs it.
            .envs([("CARGO_INCREMENTAL", "1"), ("CARGO_PROFILE_DEV_DEBUG", "0"), ("RUST_BACKTRACE", "0")])
            .output()
            .map_err(|why| why.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        let failed: Vec<String> = failed.map(str::to_owned).collect();
        if failed.is_empty() && !output.status.success() {
            return Err(last_lines(Path::new(&self.root), &String::from_utf8_lossy(&output.stderr)));
        }
        Ok(failed)
    }

    /// Makes a mistake, and asks the suite that should notice first, then the other one.
    pub fn judge(&self, mutation: &Mutation) -> Result<Outcome, String> {
        let path = mutation.path();
        let text = repository::read(&path);
        let write = |text: &str| self.write(&path, text).map_err(|why| why.to_string());
        write(&mutation.apply(&text)?)?;
        let mut caught = None;
        for suite in [mutation.by.0, mutation.by.0.other()] {
            let failed = self.failing(suite)?;
            if !failed.is_empty() {
                caught = Some((suite, failed));
                break;
            }
        }
        write(&text)?;
        Ok(Outcome { caught })
    }
}

fn last_lines(root: &Path, text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(30)..].join("\n");
    format!("in {}: {last}", root.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn every_mutation_still_applies_exactly_once() {
        assert!(ALL.len() >= 20, "the table is empty");
        every_row(ALL, |mutation| {
            let changed = mutation.apply(&repository::read(&mutation.path()));
            let changed = changed.unwrap_or_else(|why| panic!("{}: {why}", mutation.name));
            assert_ne!(changed, repository::read(&mutation.path()), "{}: nothing changes", mutation.name);
        });
    }

    #[test]
    fn a_text_that_stands_there_twice_or_not_at_all_is_refused() {
        let mutation = Mutation { name: "", file: "lib.rs", from: "a", to: "b", by: (Suite::Tables, "") };
        let refused = |count: u8| {
            Err(format!("shared/model/src/lib.rs: what is to be replaced stands there {count} times: \"a\""))
        };
        let cases = [("xx", refused(0)), ("xa", Ok("xb".to_owned())), ("aa", refused(2))];
        every_row(cases, |(text, wanted)| assert_eq!(mutation.apply(text), wanted, "{text}"));
    }
}
