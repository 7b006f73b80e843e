//! The folder of the demo, `target/demo`: what is in it, who may change it, and how it begins anew.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ::tests::binaries::{self, Tool};
use ::tests::plane::Plane;

use crate::{Result, Trouble};

/// Everything that a fresh start removes. Not the lock files: somebody may hold one.
const CONTENT: &[&str] =
    &["bin", "demo.json", "env.sh", "etcd", "fleet.json", "kubectl-cache", "logs", "planes", "ports", "run", "users"];

/// The folder.
pub(crate) struct Home {
    dir: PathBuf,
}

/// Who works here, until it is dropped; the kernel takes it back from a process that is killed.
pub(crate) struct Lock {
    _file: File,
}

impl Home {
    /// The one beside the profile folder of this executable, so that `CARGO_TARGET_DIR` is respected.
    pub(crate) fn find() -> Result<Self> {
        let exe = env::current_exe().map_err(failed("find", Path::new("/proc/self/exe")))?;
        let target = exe.ancestors().nth(2).unwrap_or(Path::new("."));
        let dir = target.join("demo");
        fs::create_dir_all(&dir).map_err(failed("create", &dir))?;
        let dir = dir.canonicalize().map_err(failed("resolve", &dir))?;
        Ok(Self { dir })
    }

    /// Its path.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// File of [`crate::notes::Notes`].
    pub(crate) fn notes(&self) -> PathBuf {
        self.dir.join("demo.json")
    }

    /// The right to start and stop things here.
    pub(crate) fn change(&self, doing: &str) -> Result<Lock> {
        self.lock("change.lock", doing, "wait until it is done, or end it")
    }

    /// The right to show the live table and to end everything with it.
    pub(crate) fn watch(&self) -> Result<Lock> {
        self.lock("live.lock", "cargo demo", "it stops everything at Ctrl-C; `cargo demo status` shows what it shows")
    }

    fn lock(&self, name: &str, doing: &str, advice: &str) -> Result<Lock> {
        let path = self.dir.join(name);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "another process" } else { holder.trim() };
                return Err(Trouble::Said(format!("{holder} is at work in {}: {advice}", shown(&self.dir))));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let told = file.set_len(0).and_then(|()| writeln!(file, "`{doing}` (process {})", std::process::id()));
        told.map_err(failed("write", &path))?;
        Ok(Lock { _file: file })
    }

    /// Removes what an earlier fleet left. Only while nothing of it runs.
    pub(crate) fn clear(&self) -> Result<()> {
        let entries = fs::read_dir(&self.dir).map_err(failed("read", &self.dir))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !CONTENT.contains(&name.as_ref()) && !name.ends_with(".kubeconfig") {
                continue;
            }
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(failed("remove", &path))?;
        }
        Ok(())
    }

    /// `bin/` with kubectl and helm, and `env.sh` that puts them on PATH and sets KUBECONFIG.
    pub(crate) async fn furnish(&self, supervisor: &Plane) -> Result<()> {
        let bin = self.dir.join("bin");
        fs::create_dir_all(&bin).map_err(failed("create", &bin))?;
        for (tool, name) in [(Tool::Kubectl, "kubectl"), (Tool::Helm, "helm")] {
            // In a shell that has read `env.sh`, what is found on PATH is the link itself.
            let found = binaries::locate(tool).await?;
            let found = found.canonicalize().map_err(failed("resolve", &found))?;
            let link = bin.join(name);
            let _ = fs::remove_file(&link);
            symlink(&found, &link).map_err(failed("create", &link))?;
        }
        let file = self.env_file();
        fs::write(&file, self.env_text(&supervisor.kubeconfig())).map_err(failed("write", &file))
    }

    /// What a shell reads to work with the supervisor.
    pub(crate) fn env_file(&self) -> PathBuf {
        self.dir.join("env.sh")
    }

    /// kubectl's memory of what a server offers. Not the user's: the plane before ours may have had the same address.
    pub(crate) fn kubectl_cache(&self) -> PathBuf {
        self.dir.join("kubectl-cache")
    }

    fn env_text(&self, kubeconfig: &Path) -> String {
        let (bin, cache) = (quoted(&self.dir.join("bin")), quoted(&self.kubectl_cache()));
        let kubeconfig = quoted(kubeconfig);
        format!(
            "# Made by `cargo demo`: kubectl and helm, and the supervisor as the cluster they talk to.\n\
             demo_bin={bin}\n\
             case \":$PATH:\" in *\":$demo_bin:\"*) ;; *) PATH=\"$demo_bin:$PATH\" ;; esac\n\
             unset demo_bin\n\
             export PATH KUBECONFIG={kubeconfig} KUBECACHEDIR={cache}\n\
             export NO_PROXY=\"127.0.0.1${{NO_PROXY:+,$NO_PROXY}}\"\n"
        )
    }
}

/// A path as somebody in the current folder would type it.
pub(crate) fn shown(path: &Path) -> String {
    let here = env::current_dir().ok();
    let short = here.as_ref().and_then(|here| path.strip_prefix(here).ok()).filter(|short| *short != Path::new(""));
    short.unwrap_or(path).display().to_string()
}

/// For a POSIX shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// `map_err` for file operations.
fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Trouble {
    let path = path.to_path_buf();
    move |error| Trouble::Said(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_start_removes_what_is_ours_and_nothing_else() {
        let dir = tempfile::tempdir().expect("folder");
        let home = Home { dir: dir.path().to_path_buf() };
        fs::create_dir_all(dir.path().join("etcd/member")).expect("folder");
        for file in ["fleet.json", "east.kubeconfig", "live.lock", "notes of mine"] {
            fs::write(dir.path().join(file), "").expect("written");
        }
        home.clear().expect("cleared");
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).expect("folder").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["live.lock", "notes of mine"]);
    }

    #[test]
    fn a_second_invocation_is_told_who_is_at_work() {
        let dir = tempfile::tempdir().expect("folder");
        let home = Home { dir: dir.path().to_path_buf() };
        let held = home.change("cargo demo up").expect("free");
        let told = home.change("cargo demo down").err().expect("held").to_string();
        assert!(
            told.starts_with(&format!("`cargo demo up` (process {}) is at work in ", std::process::id())),
            "{told}"
        );
        drop(held);
        home.change("cargo demo down").expect("free again");
    }

    #[test]
    fn a_path_with_a_quote_survives_the_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
