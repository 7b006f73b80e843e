//! What `render` says of a cluster from files and from the cluster itself, beside what the running controller says of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::fleet::{CONFIGS_NAMESPACE, Endpoint};
use tests::install::kubectl;
use tests::plane::Plane;
use tests::probe;

use super::site::Site;

/// Runs `render` with these words: how it ended, and what it printed.
fn render(site: &Site<'_>, words: &[String]) -> (Option<i32>, String, String) {
    let mut command = Command::new(site.fleet.binary("kubevirt-operator-controller"));
    let output = command.arg("render").args(words).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Writes to a file what `kubectl get … -o yaml` says, and returns the flag that names it.
async fn file(folder: &Path, plane: &Plane, flag: &str, asked: &[&str]) -> String {
    let text = kubectl(plane, &[&["get", "-o", "yaml"], asked].concat(), "").await;
    let path = folder.join(flag);
    fs::write(&path, text.unwrap_or_else(|error| panic!("{flag}: {error}"))).expect("a file");
    format!("--{flag}={}", path.display())
}

/// D11, P9: the same root, nodes and CRDs, and the same page, byte for byte.
pub(super) async fn a_page_from_files_is_that_of_the_running_controller(site: &Site<'_>) {
    let debug = site.fleet.address(Endpoint::ControllerDebug).unwrap_or_else(|error| panic!("{error}"));
    let path = format!("/debug/render?stage=baseline&cluster={}", site.name());
    let page = probe::get(debug, &path).await.unwrap_or_else(|error| panic!("{error}"));
    for asset in ["hco-golden-config", "node-health-check", "kubelet-perf-settings", "descheduler-loadaware"] {
        assert!(page.contains(&format!("# Asset: {asset}\n")), "{asset}: {page}");
    }

    let folder = tempfile::tempdir().expect("a folder");
    let of = async |plane: &Plane, flag: &str, asked: &[&str]| file(folder.path(), plane, flag, asked).await;
    let here = ["-n", CONFIGS_NAMESPACE, "kubevirtconfigs.vitistack.io", site.name()];
    let config = of(site.fleet.supervisor(), "config-file", &here).await;
    let files = [
        config.clone(),
        of(site.plane, "hco-file", &["-A", "hyperconvergeds"]).await,
        of(site.plane, "kubevirt-file", &["-A", "kubevirts"]).await,
        of(site.plane, "nodes-file", &["nodes"]).await,
        of(site.plane, "crds-file", &["crds"]).await,
    ];
    let (code, from_files, notes) = render(site, &files);
    assert_eq!((code, notes.as_str()), (Some(0), ""), "nothing was taken for granted");
    assert_eq!(from_files, page, "D11");

    let kubeconfig = format!("--kubeconfig={}", site.plane.kubeconfig().display());
    let (code, from_cluster, notes) = render(site, &[kubeconfig.clone(), config]);
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    assert_eq!(from_cluster, page, "D11");
    a_cluster_that_cannot_be_asked_is_no_empty_one(site, folder.path(), &kubeconfig);
}

/// Nothing is printed that could be taken for a baseline.
fn a_cluster_that_cannot_be_asked_is_no_empty_one(site: &Site<'_>, folder: &Path, kubeconfig: &str) {
    let text = fs::read_to_string(site.plane.kubeconfig()).expect("a kubeconfig");
    let away = folder.join("away");
    fs::write(&away, text.replace(&site.plane.url(), "https://127.0.0.1:1")).expect("a file");
    let (code, out, why) = render(site, &[format!("--kubeconfig={}", away.display())]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{why}");
    let says = "error: --kubeconfig: cannot get CustomResourceDefinitions: Connection refused";
    assert!(why.starts_with(says), "{why}");
    let (code, _, why) = render(site, &[kubeconfig.to_owned(), "--asset=node-health-chek".to_owned()]);
    assert!(code == Some(2) && why.contains("did you mean \"node-health-check\"?"), "{why}");
}
