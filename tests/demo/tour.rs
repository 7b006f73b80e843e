//! The tour of `cargo demo`: applies the Machines of `docs/examples`, waits for them and looks at both sides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::tests::fleet::{Component, Fleet};
use ::tests::process::Stop;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use model::api::Machine;
use model::names::KUBEVIRT_CONFIG;

use crate::home::{self, Home};
use crate::notes::Notes;
use crate::{Result, Trouble, kubectl, say};

/// A file of `docs/examples`, the Machine in it, and what it shows.
struct Example {
    file: &'static str,
    machine: &'static str,
    shows: &'static str,
}

const EXAMPLES: [Example; 9] = [
    Example { file: "basic.yaml", machine: "basic-vm", shows: "a template, on the cluster east" },
    Example { file: "overrides.yaml", machine: "custom-vm", shows: "overrides and an extra disk, on the cluster west" },
    Example { file: "root-disk.yaml", machine: "roomy-vm", shows: "a template with a larger root disk" },
    Example { file: "cluster-selector.yaml", machine: "western-vm", shows: "any cluster with the label region: west" },
    Example {
        file: "firmware.yaml",
        machine: "secure-vm",
        shows: "UEFI with secure boot, and a TPM by a patch of the VM",
    },
    Example {
        file: "vlan-and-keys.yaml",
        machine: "wired-vm",
        shows: "a VLAN beside the pod network, an SSH key and user data",
    },
    Example { file: "unplaced.yaml", machine: "unplaced-vm", shows: "no cluster named, and there are two" },
    Example { file: "two-mistakes.yaml", machine: "wrong-vm", shows: "two mistakes, told together" },
    Example { file: "adoption.yaml", machine: "legacy", shows: "no cluster named, but its VM is on west already" },
];
const ADOPTED: &str = "adoption-vm.yaml";
const SPREAD: &str = "spread.yaml";

/// Runs the tour; true if every Machine that was admitted became ready.
pub(crate) async fn run(home: &Home, fleet: &Fleet) -> Result<bool> {
    let supervisor = fleet.supervisor();
    say::line("");
    say::line(&format!("$ . {}", home::shown(&home.env_file())));
    let machines: Api<Machine> = Api::default_namespaced(supervisor.client().await?);
    let mut admitted = Vec::new();
    for example in &EXAMPLES {
        say::line("");
        say::line(&format!("# {}: {}", example.machine, example.shows));
        if example.file == "adoption.yaml" {
            let west = home::shown(&fleet.remote("west")?.kubeconfig());
            kubectl::run(home, supervisor, &["--kubeconfig", &west, "apply", "-f", &file(ADOPTED)]).await?;
        }
        if kubectl::run(home, supervisor, &["apply", "-f", &file(example.file)]).await? {
            admitted.push(format!("machine/{}", example.machine));
        } else if machines.get_opt(example.machine).await.is_ok_and(|found| found.is_none()) {
            say::line("# refused: no such Machine is stored, so nothing is made on any cluster");
        }
    }
    say::line("");
    let mut wait = vec!["wait", "--for=condition=Ready", "--timeout=120s"];
    wait.extend(admitted.iter().map(String::as_str));
    let ready = admitted.is_empty() || kubectl::run(home, supervisor, &wait).await?;
    say::line("");
    kubectl::run(home, supervisor, &["get", "machines", "-o", "wide"]).await?;
    for remote in fleet.remotes() {
        say::line("");
        let kubeconfig = home::shown(&remote.kubeconfig());
        kubectl::run(home, supervisor, &["--kubeconfig", &kubeconfig, "get", "vm,vmi,pvc"]).await?;
    }
    meddle(home, fleet).await?;
    spread(home, fleet, &machines).await?;
    Ok(ready)
}

/// Somebody changes a VM on its cluster, and the controller sets that back; then the author edits it, and restarts it.
async fn meddle(home: &Home, fleet: &Fleet) -> Result<()> {
    let supervisor = fleet.supervisor();
    let east = home::shown(&fleet.remote("east")?.kubeconfig());
    say::line("");
    say::line(
        "# somebody gives the VM of basic-vm seven cores, on its cluster and past its Machine: that is set back, and told",
    );
    let seven = r#"{"spec":{"template":{"spec":{"domain":{"cpu":{"cores":7}}}}}}"#;
    kubectl::run(home, supervisor, &["--kubeconfig", &east, "patch", "vm", "vm-basic-vm", "--type=merge", "-p", seven])
        .await?;
    let two = "--for=jsonpath={.spec.template.spec.domain.cpu.cores}=2";
    kubectl::run(home, supervisor, &["--kubeconfig", &east, "wait", "vm/vm-basic-vm", two, "--timeout=60s"]).await?;
    kubectl::run(home, supervisor, &["get", "events", "--field-selector", "reason=DriftCorrected"]).await?;
    say::line("");
    say::line("# the author gives it four: the guest sees them with its next start, which he asks for");
    let edit = r#"{"spec":{"resources":{"cpu":{"cores":4}}}}"#;
    kubectl::run(home, supervisor, &["patch", "machine", "basic-vm", "--type=merge", "-p", edit]).await?;
    kubectl::run(home, supervisor, &["wait", "machine/basic-vm", "--for=condition=RestartRequired", "--timeout=60s"])
        .await?;
    let why = r#"jsonpath={.status.conditions[?(@.type=="RestartRequired")].message}{"\n"}"#;
    kubectl::run(home, supervisor, &["get", "machine", "basic-vm", "-o", why]).await?;
    kubectl::run(home, supervisor, &["annotate", "machine", "basic-vm", "vitistack.io/restart=now"]).await?;
    kubectl::run(home, supervisor, &["wait", "machine/basic-vm", "--for=condition=SpecApplied", "--timeout=60s"])
        .await?;
    kubectl::run(home, supervisor, &["wait", "machine/basic-vm", "--for=condition=Ready", "--timeout=60s"]).await?;
    Ok(())
}

/// Twenty Machines under another strategy, which is taken back afterwards, and the Machines with it.
async fn spread(home: &Home, fleet: &Fleet, machines: &Api<Machine>) -> Result<()> {
    let supervisor = fleet.supervisor();
    say::line("");
    say::line("# twenty Machines that name no cluster, with the webhook restarted with PLACEMENT_STRATEGY=balanced");
    // Whatever happens from here on, `cargo demo up` restarts the webhook with the settings it should have.
    let notes = Notes::read(home);
    Notes { settings: None, stays: notes.stays }.write(home)?;
    fleet.stop(&Component::Webhook, Stop::Gracefully).await?;
    fleet.start_with(&Component::Webhook, &[("PLACEMENT_STRATEGY", "balanced")]).await?;
    kubectl::run(home, supervisor, &["apply", "-f", &file(SPREAD)]).await?;
    let mut clusters: BTreeMap<String, usize> = BTreeMap::new();
    let spread = machines.list(&ListParams::default().labels("app=spread")).await;
    for machine in spread.map_err(|error| Trouble::Said(format!("cannot list Machines: {error}")))? {
        *clusters.entry(machine.annotations().get(KUBEVIRT_CONFIG).cloned().unwrap_or_default()).or_default() += 1;
    }
    let counts: Vec<_> = clusters.iter().map(|(cluster, count)| format!("{count} on {cluster}")).collect();
    say::line(&format!("# spread: {}", counts.join(", ")));
    say::line("");
    say::line("# away with them, and back to the strategy from before");
    kubectl::run(home, supervisor, &["delete", "machines", "-l", "app=spread", "--wait=false"]).await?;
    fleet.stop(&Component::Webhook, Stop::Gracefully).await?;
    fleet.start(&Component::Webhook).await?;
    notes.write(home)
}

/// What to try, for somebody who has a fleet and a shell.
pub(crate) fn next_steps(home: &Home, fleet: &Fleet) {
    let east = fleet.remotes().first().map(|remote| home::shown(&remote.kubeconfig())).unwrap_or_default();
    let steps = [
        (format!(". {}", home::shown(&home.env_file())), "kubectl and helm, with the supervisor as their cluster"),
        (format!("kubectl apply -f {}", file("overrides.yaml")), "a Machine; docs/examples has more"),
        ("kubectl get machines -w".to_owned(), "what becomes of it"),
        ("kubectl describe machine custom-vm".to_owned(), "conditions, events, the size it got, why it is where it is"),
        (format!("kubectl --kubeconfig {east} get vm,vmi,pvc -A"), "what is on a cluster"),
        ("kubectl delete machine custom-vm".to_owned(), "takes everything of it off its cluster"),
        ("cargo demo stop west".to_owned(), "an outage; `cargo demo start west` ends it"),
        ("cargo demo stop --kill controller".to_owned(), "SIGKILL; `cargo demo start controller` goes on"),
        ("cargo demo status".to_owned(), "what runs where"),
        ("cargo demo down".to_owned(), "stops everything"),
    ];
    let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    say::line("");
    say::line("Try next, in any shell:");
    for (command, what) in &steps {
        say::line(&format!("  {command:width$}  # {what}"));
    }
    let logs = home::shown(&home.dir().join("logs"));
    say::line(&format!("Logs, and what the API servers were asked for (*.audit.log), are in {logs}."));
}

/// A file of `docs/examples`, as a person would type it.
fn file(name: &str) -> String {
    home::shown(&examples().join(name))
}

/// `docs/examples` of the checkout that this was built from.
fn examples() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).join("docs/examples")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_in_its_file() {
        for example in &EXAMPLES {
            let text = std::fs::read_to_string(examples().join(example.file)).expect(example.file);
            assert!(text.contains(&format!("\n  name: {}\n", example.machine)), "{}", example.file);
        }
        let spread = std::fs::read_to_string(examples().join(SPREAD)).expect(SPREAD);
        assert_eq!(spread.matches("labels: {app: spread}").count(), 20);
        assert!(examples().join(ADOPTED).exists());
    }
}
