//! Where etcd, the Kubernetes binaries and Helm come from: `KUBEBUILDER_ASSETS`, then PATH, then a cache outside the
//! checkout, then built from Go modules into that cache. Blocking; may run for minutes, and says so on stderr.

mod build;

use std::collections::BTreeMap;
use std::env;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::error::Result;

/// A program that the harness runs and does not own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// etcd 3.5 or newer.
    Etcd,
    /// kube-apiserver 1.33 or newer, the oldest that k8s-openapi's types fit.
    Apiserver,
    /// kube-controller-manager, for garbage collection and namespace deletion.
    Kcm,
    /// kubectl 1.31 or newer.
    Kubectl,
    /// Helm 3.16 or newer.
    Helm,
    /// KubeVirt's virt-api, always built: it judges as the version does that we promise.
    VirtApi,
    /// KubeVirt's virt-controller.
    VirtController,
    /// Prints the definitions that KubeVirt's own operator would install.
    VirtDefinitions,
}

/// How to recognise and how to build one tool.
struct Recipe {
    name: &'static str,
    /// Variable of setup-envtest that names this one binary.
    variable: Option<&'static str>,
    /// None: one that the user has is not taken.
    version_args: &'static [&'static str],
    minimum: (u32, u32),
    /// Folder under `tests/go`.
    module: &'static str,
    package: &'static str,
    /// Module whose version the binary carries.
    versioned_by: &'static str,
    /// Linker stamp, the same for all of a module; `{v}` is the version. Without it `/version` says v0.0.0.
    stamp: &'static [&'static str],
    /// On two cores with nothing cached.
    usual_time: &'static str,
}

const KUBERNETES_STAMP: &[&str] = &[
    "k8s.io/component-base/version.gitVersion={v}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
    "k8s.io/component-base/version.gitTreeState=clean",
];

impl Tool {
    /// What every control plane needs, and whoever looks at one.
    pub const ALL: [Tool; 5] = [Tool::Etcd, Tool::Apiserver, Tool::Kcm, Tool::Kubectl, Tool::Helm];
    /// KubeVirt itself.
    pub const KUBEVIRT: [Tool; 3] = [Tool::VirtApi, Tool::VirtController, Tool::VirtDefinitions];

    fn recipe(self) -> Recipe {
        let kubernetes = |name, variable, package, usual_time| Recipe {
            name,
            variable,
            version_args: &["--version"],
            minimum: (1, 33),
            module: "control-plane",
            package,
            versioned_by: "k8s.io/kubernetes",
            stamp: KUBERNETES_STAMP,
            usual_time,
        };
        let kubevirt = |name, package, usual_time| Recipe {
            module: "kubevirt",
            versioned_by: "kubevirt.io/kubevirt",
            stamp: &["kubevirt.io/client-go/version.gitVersion={v}"],
            version_args: &[],
            minimum: (1, 8),
            ..kubernetes(name, None, package, usual_time)
        };
        match self {
            Tool::VirtApi => kubevirt("virt-api", "kubevirt.io/kubevirt/cmd/virt-api", "6 minutes"),
            Tool::VirtController => kubevirt("virt-controller", "kubevirt.io/kubevirt/cmd/virt-controller", "1 minute"),
            Tool::VirtDefinitions => kubevirt("virt-definitions", "./definitions", "1 minute"),
            Tool::Etcd => Recipe {
                minimum: (3, 5),
                versioned_by: "go.etcd.io/etcd/server/v3",
                ..kubernetes("etcd", Some("TEST_ASSET_ETCD"), "go.etcd.io/etcd/server/v3", "1 minute")
            },
            Tool::Apiserver => kubernetes(
                "kube-apiserver",
                Some("TEST_ASSET_KUBE_APISERVER"),
                "k8s.io/kubernetes/cmd/kube-apiserver",
                "6 minutes",
            ),
            Tool::Kcm => {
                kubernetes("kube-controller-manager", None, "k8s.io/kubernetes/cmd/kube-controller-manager", "1 minute")
            }
            Tool::Kubectl => Recipe {
                version_args: &["version", "--client"],
                minimum: (1, 31),
                ..kubernetes("kubectl", Some("TEST_ASSET_KUBECTL"), "k8s.io/kubernetes/cmd/kubectl", "1 minute")
            },
            Tool::Helm => Recipe {
                name: "helm",
                variable: None,
                version_args: &["version"],
                minimum: (3, 16),
                module: "helm",
                package: "helm.sh/helm/v4/cmd/helm",
                versioned_by: "helm.sh/helm/v4",
                stamp: &["helm.sh/helm/v4/internal/version.version={v}"],
                usual_time: "5 minutes",
            },
        }
    }
}

/// Paths already found, and the lock that lets one thread look or build at a time.
static FOUND: Mutex<BTreeMap<Tool, PathBuf>> = Mutex::new(BTreeMap::new());

/// The path of a tool, which is built first where it is nowhere.
///
/// Guarantees: asked again in the same process it answers at once; two processes that build wait for each other.
pub fn find(tool: Tool) -> Result<PathBuf> {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = found.get(&tool) {
        return Ok(path.clone());
    }
    let recipe = tool.recipe();
    let path = match installed(&recipe) {
        Some(path) => path,
        None => build::cached(&recipe)?,
    };
    found.insert(tool, path.clone());
    Ok(path)
}

/// [`find`] for callers that must not block.
pub async fn locate(tool: Tool) -> Result<PathBuf> {
    tokio::task::spawn_blocking(move || find(tool)).await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// The first binary of that name that the user has and that is recent enough.
fn installed(recipe: &Recipe) -> Option<PathBuf> {
    if recipe.version_args.is_empty() {
        return None;
    }
    let named = recipe.variable.and_then(env::var_os).map(PathBuf::from);
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(|dir| PathBuf::from(dir).join(recipe.name));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|dir| dir.join(recipe.name));
    named.into_iter().chain(assets).chain(on_path).filter(|file| file.is_file()).find(|file| {
        let mut command = Command::new(file);
        command.args(recipe.version_args).stdin(Stdio::null()).stderr(Stdio::null());
        let Ok(output) = command.output() else { return false };
        version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|found| found >= recipe.minimum)
    })
}

/// The first `major.minor` in what a program prints about its version.
fn version(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let mut numbers = word.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::version;
    use crate::table::every_row;

    #[test]
    fn versions_are_read_from_what_each_tool_prints() {
        #[rustfmt::skip]
        let cases = [
            ("etcd Version: 3.6.16\nGit SHA: Not provided\n",            Some((3, 6))),
            ("Kubernetes v1.36.3\n",                                     Some((1, 36))),
            ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n", Some((1, 32))),
            (r#"version.BuildInfo{Version:"v3.16.2", GitCommit:"13"}"#,  Some((3, 16))),
            ("go version go1.26.8 linux/amd64\n",                        Some((1, 26))),
            ("no idea\n",                                                None),
        ];
        every_row(cases, |(text, want)| assert_eq!(version(text), want, "{text}"));
    }
}
