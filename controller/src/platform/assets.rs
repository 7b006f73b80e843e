//! The catalogue that is used: the one that is built in, or the folder `PLATFORM_ASSETS`. I/O: reads that folder, once.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use model::platform::built_in;
use model::platform::catalogue::{ACTIVE, Catalogue, METADATA, TOMBSTONES};

/// Most files, and most bytes of one.
const FILES: usize = 256;
const BYTES: u64 = 1 << 20;
/// Folders within folders. Symbolic links between them could go round for ever.
const DEPTH: usize = 8;

/// The catalogue, or everything that is wrong with it, one sentence each.
pub fn read(dir: Option<&Path>) -> Result<Catalogue, Vec<String>> {
    let Some(dir) = dir else { return Ok(built_in::catalogue()) };
    if !dir.is_dir() {
        return Err(vec![format!("{}: there is no such folder", dir.display())]);
    }
    let mut found = Found::default();
    for part in [METADATA, ACTIVE, TOMBSTONES] {
        found.walk(&dir.join(part), part.trim_end_matches('/'), 0);
    }
    if !found.wrong.is_empty() {
        return Err(found.wrong);
    }
    Catalogue::read(found.files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

#[derive(Default)]
struct Found {
    /// Path within the folder, and text.
    files: Vec<(String, String)>,
    wrong: Vec<String>,
}

impl Found {
    /// Takes in a file, or all that are in a folder. What begins with a dot is the file system's: a mounted ConfigMap has such.
    fn walk(&mut self, at: &Path, name: &str, depth: usize) {
        // What is not there is missed by whoever needs it.
        if !at.exists() {
            return;
        }
        if !at.is_dir() {
            return self.file(at, name);
        }
        if depth > DEPTH {
            return self.wrong.push(format!("{name}: is more than {DEPTH} folders deep"));
        }
        let entries: Result<Vec<PathBuf>, _> =
            fs::read_dir(at).and_then(|all| all.map(|entry| entry.map(|it| it.path())).collect());
        match entries {
            Ok(mut entries) => {
                entries.sort();
                for entry in entries {
                    match entry.file_name().and_then(|it| it.to_str()) {
                        Some(inner) if inner.starts_with('.') => {}
                        Some(inner) => self.walk(&entry, &format!("{name}/{inner}"), depth + 1),
                        None => self.wrong.push(format!("{name}: has a file whose name is no text")),
                    }
                }
            }
            Err(why) => self.wrong.push(format!("{name}: cannot be read: {why}")),
        }
    }

    fn file(&mut self, at: &Path, name: &str) {
        if self.files.len() == FILES {
            let says = format!("there are more than {FILES} files");
            if !self.wrong.contains(&says) {
                self.wrong.push(says);
            }
            return;
        }
        match bounded(at, BYTES) {
            Ok(text) => self.files.push((name.to_owned(), text)),
            Err(why) => self.wrong.push(format!("{name}: {why}")),
        }
    }
}

/// A text of at most so many bytes.
pub(super) fn bounded(path: &Path, most: u64) -> Result<String, String> {
    if !path.is_file() {
        return Err("is no file".to_owned());
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|why| format!("cannot be read: {why}"))?;
    file.take(most + 1).read_to_string(&mut text).map_err(|why| format!("cannot be read: {why}"))?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes <= most) {
        return Ok(text);
    }
    Err(format!("is longer than {} MiB", most >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    const OBJECT: &str = "apiVersion: a.io/v1\nkind: A\nmetadata: {name: a, labels: {platform.kubevirt.io/managed-by: kubevirt-operator}}\n";
    const ROWS: &str =
        "assets:\n- {name: a, tier: always, component: A, path: active/a.yaml, plural: as, scope: Cluster}\n";

    #[test]
    fn x92_x93_a_folder_takes_the_place_of_what_is_built_in() {
        assert_eq!(read(None), Ok(built_in::catalogue()));
        let dir = folder("x92");
        write(&dir, "metadata.yaml", ROWS);
        write(&dir, "active/a.yaml", OBJECT);
        write(&dir, "README.md", "not looked at");
        write(&dir, "active/..data/x.yaml", "of the file system");
        write(&dir, "tombstones/v1.1-cleanup/old.yaml", &OBJECT.replace("name: a,", "name: old,"));
        let catalogue = read(Some(&dir)).expect("a catalogue");
        assert_eq!((catalogue.assets.len(), catalogue.tombstones[0].key.to_string()), (1, "A old".to_owned()));
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn x93_all_that_is_wrong_with_a_folder_is_named() {
        let nowhere = read(Some(Path::new("/nowhere"))).expect_err("there is none");
        assert_eq!(nowhere, ["/nowhere: there is no such folder"]);
        let dir = folder("x93");
        write(&dir, "metadata.yaml", ROWS);
        write(&dir, "active/a.yaml", &"#".repeat((1 << 20) + 1));
        fs::write(dir.join("active/b.yaml"), [0xff, 0xfe]).expect("written");
        write(&dir, &format!("active/{}c.yaml", "d/".repeat(9)), OBJECT);
        let wrong = read(Some(&dir)).expect_err("three files are wrong");
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(wrong[0], "active/a.yaml: is longer than 1 MiB");
        assert!(wrong[1].starts_with("active/b.yaml: cannot be read"), "{wrong:?}");
        assert!(wrong[2].ends_with("is more than 8 folders deep"), "{wrong:?}");
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn x93_the_number_of_files_is_bounded() {
        let dir = folder("x93-many");
        for number in 0..FILES + 2 {
            write(&dir, &format!("active/{number}.yaml"), "");
        }
        assert_eq!(read(Some(&dir)).expect_err("too many"), ["there are more than 256 files"]);
        fs::remove_dir_all(dir).expect("removed");
    }

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("platform-assets-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a folder");
        dir
    }
}
