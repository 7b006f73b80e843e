//! Builds a tool from the Go modules pinned in `tests/go` into a cache outside the checkout, once per pin.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

use sha2::{Digest, Sha256};

use super::{Recipe, version};
use crate::error::{Error, Result, io as io_error};

/// Go that compiles Kubernetes 1.36.
const GO: (u32, u32) = (1, 26);

/// How often a long build says that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// The cached binary of a recipe, built first if this pin was never built on this machine.
pub(super) fn cached(recipe: &Recipe) -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(recipe.module);
    let read = |file: &str| {
        let path = module.join(file);
        fs::read_to_string(&path).map_err(io_error("cannot read", &path))
    };
    let (go_mod, go_sum) = (read("go.mod")?, read("go.sum")?);
    let pinned = pinned_version(&go_mod, recipe.versioned_by).ok_or_else(|| Error::Content {
        path: module.join("go.mod"),
        reason: format!("it pins no version of {}", recipe.versioned_by),
    })?;
    let linker_flags = linker_flags(recipe, pinned);

    let hash = Sha256::new().chain_update(&go_mod).chain_update(&go_sum).chain_update(recipe.stamp.concat()).finalize();
    let key = format!("{hash:x}");
    let folder = cache_folder().join("bin").join(&key[..12]);
    let binary = folder.join(recipe.name);
    if binary.is_file() {
        return Ok(binary);
    }

    let go = suitable_go().map_err(|found| Error::Go {
        tool: recipe.name,
        minimum: format!("{}.{}", recipe.minimum.0, recipe.minimum.1),
        cache: folder.clone(),
        found,
    })?;
    fs::create_dir_all(&folder).map_err(io_error("cannot create", &folder))?;
    let _lock = lock(&cache_folder().join("build.lock"), recipe.name)?;
    if binary.is_file() {
        return Ok(binary); // the process that we waited for has built it
    }
    let part = folder.join(format!("{}.part", recipe.name));
    let mut command = go;
    command.current_dir(&module).args(["build", "-trimpath", "-ldflags", &linker_flags]);
    command.arg("-o").arg(&part).arg(recipe.package);
    run(command, recipe, pinned, &folder)?;
    fs::rename(&part, &binary).map_err(io_error("cannot put in place", &binary))?;
    Ok(binary)
}

/// `$KUBEVIRT_OPERATOR_CACHE`, else `$XDG_CACHE_HOME/kubevirt-operator`, else `~/.cache/kubevirt-operator`.
fn cache_folder() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("KUBEVIRT_OPERATOR_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("kubevirt-operator")))
        .or_else(|| Some(set("HOME")?.join(".cache/kubevirt-operator")))
        .unwrap_or_else(|| env::temp_dir().join("kubevirt-operator-cache"))
}

/// The version that a `go.mod` requires of a module.
fn pinned_version<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next() == Some(module)).then(|| words.next()).flatten().filter(|word| word.starts_with('v'))
    })
}

fn linker_flags(recipe: &Recipe, pinned: &str) -> String {
    let mut numbers = pinned.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let stamp = recipe.stamp.iter().map(|stamp| {
        let stamp = stamp.replace("{v}", pinned).replace("{major}", major).replace("{minor}", minor);
        format!(" -X {stamp}")
    });
    format!("-s -w{}", stamp.collect::<String>())
}

/// A `go` command that the user's settings cannot break, or what is wrong with the installed Go.
fn suitable_go() -> Result<Command, String> {
    let clean = |go: &str| {
        let mut command = Command::new(go);
        for name in ["GOOS", "GOARCH", "GOEXPERIMENT", "GOROOT"] {
            command.env_remove(name);
        }
        // A value, because an empty GOFLAGS lets the one of `go env -w` through. Switching toolchains by itself would
        // turn "your Go is too old" into a download error on machines without a network.
        command.env("GOFLAGS", "-mod=readonly").env("GOWORK", "off").env("GO111MODULE", "on");
        command.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local").stdin(Stdio::null());
        command
    };
    let mut found = "`go` is not on PATH".to_owned();
    for go in ["go", "/usr/local/go/bin/go"] {
        let Ok(output) = clean(go).arg("version").current_dir(env::temp_dir()).output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if version(&text).is_some_and(|version| version >= GO) {
            return Ok(clean(go));
        }
        found = format!("`{go} version` says \"{text}\"");
    }
    Err(found)
}

/// Takes the lock that lets one process build at a time; it is released when the file is closed.
fn lock(path: &Path, tool: &str) -> Result<File> {
    let file = File::create(path).map_err(io_error("cannot open", path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => say(&format!("waiting for another process that builds (for {tool})\n")),
        Err(TryLockError::Error(source)) => return Err(io_error("cannot lock", path)(source)),
    }
    file.lock().map_err(io_error("cannot lock", path))?;
    Ok(file)
}

/// Runs the build with its output in a file, and a line now and then that it is alive.
fn run(mut command: Command, recipe: &Recipe, pinned: &str, folder: &Path) -> Result<()> {
    let log = folder.join(format!("{}.log", recipe.name));
    let output = File::create(&log).map_err(io_error("cannot write", &log))?;
    let errors = output.try_clone().map_err(io_error("cannot write", &log))?;
    let what = format!("{} {}", recipe.name, pinned.trim_start_matches('v'));
    say(&format!("building {what} from Go modules (about {} the first time) ...\n", recipe.usual_time));
    let begun = Instant::now();
    let mut child = command.stdout(output).stderr(errors).spawn().map_err(io_error("cannot run go in", folder))?;
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send(child.wait()));
    let status = loop {
        match wait.recv_timeout(SIGN_OF_LIFE) {
            Ok(status) => break status.map_err(io_error("cannot wait for go in", folder))?,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                say(&format!("    still building {what}, {} s so far\n", begun.elapsed().as_secs()));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => unreachable!("invariant: the waiting thread sends first"),
        }
    };
    if !status.success() {
        return Err(Error::Command {
            command: format!("go build {} in tests/go/{}", recipe.package, recipe.module),
            output: crate::process::tail(&log, 30),
        });
    }
    say(&format!("    done: {what} in {} s\n", begun.elapsed().as_secs()));
    Ok(())
}

/// Straight to stderr: `eprintln!` is held back while a test runs, and these lines are for people who wait.
fn say(text: &str) {
    let line = format!("[{}] {text}", process::id());
    let _ = io::stderr().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binaries::Tool;

    #[test]
    fn a_pin_is_read_from_the_go_mod() {
        let go_mod = "tool (\n\tx.org/a\n)\nrequire (\n\tx.org/a/b v0.1.0 // indirect\n\tx.org/a v1.36.3\n)\n";
        assert_eq!(pinned_version(go_mod, "x.org/a"), Some("v1.36.3"));
        assert_eq!(pinned_version("require x.org/a v2.0.0\n", "x.org/a"), Some("v2.0.0"));
        assert_eq!(pinned_version(go_mod, "x.org/c"), None);
    }

    #[test]
    fn kubernetes_knows_its_own_version() {
        let flags = linker_flags(&Tool::Apiserver.recipe(), "v1.36.3");
        assert!(flags.contains("-X k8s.io/component-base/version.gitVersion=v1.36.3 "), "{flags}");
        assert!(flags.contains("gitMajor=1 -X k8s.io/component-base/version.gitMinor=36 "), "{flags}");
    }
}
