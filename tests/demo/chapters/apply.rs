//! Machines that are applied: where they go, what they get, and what is refused.

use std::collections::BTreeMap;

use ::tests::fleet::Component;
use ::tests::process::Stop;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use model::api::Machine;
use model::names::KUBEVIRT_CONFIG;

use crate::notes::Notes;
use crate::story::{Story, file};
use crate::{Result, Trouble, say};

/// A file of `docs/examples`, the Machine in it, and what it shows.
struct Example {
    file: &'static str,
    machine: &'static str,
    shows: &'static str,
}

const TAKEN: [Example; 4] = [
    Example { file: "basic.yaml", machine: "basic-vm", shows: "a template, on the cluster east" },
    Example { file: "overrides.yaml", machine: "custom-vm", shows: "overrides and an extra disk, on the cluster west" },
    Example { file: "root-disk.yaml", machine: "roomy-vm", shows: "a template with a larger root disk" },
    Example { file: "cluster-selector.yaml", machine: "western-vm", shows: "any cluster with the label region: west" },
];
const REFUSED: [Example; 2] = [
    Example { file: "unplaced.yaml", machine: "unplaced-vm", shows: "no cluster named, and there are two" },
    Example { file: "two-mistakes.yaml", machine: "wrong-vm", shows: "two mistakes, told together" },
];
const SPREAD: &str = "spread.yaml";

/// Machines as people write them first.
pub(super) async fn examples(story: &mut Story<'_>) -> Result<()> {
    for example in &TAKEN {
        story.tell(&format!("{}: {}", example.machine, example.shows));
        story.apply(example.file).await?;
    }
    for example in &REFUSED {
        story.tell(&format!(
            "{}: {}. It is refused, so nothing is stored and nothing is made",
            example.machine, example.shows
        ));
        story.refused(example.machine, &["apply", "-f", &file(example.file)]).await?;
    }
    story.tell("the others run, each on its cluster");
    let machines = TAKEN.map(|example| format!("machine/{}", example.machine));
    let machines = machines.each_ref().map(String::as_str);
    story.run(&[&["wait", "--for=condition=Ready", "--timeout=90s"], &machines[..]].concat()).await?;
    story.run(&["get", "machines"]).await?;
    for cluster in ["east", "west"] {
        story.on(cluster, &["get", "vm"]).await?;
    }
    Ok(())
}

/// Twenty Machines under another strategy, which is taken back afterwards, and the Machines with it.
pub(super) async fn spread(story: &mut Story<'_>) -> Result<()> {
    let fleet = story.fleet;
    story.tell(
        "the webhook is restarted with PLACEMENT_STRATEGY=balanced: who names no cluster gets the less loaded of two",
    );
    let notes = Notes::unsettled(story.home)?;
    let restart = async |env: &[(&str, &str)]| {
        fleet.stop(&Component::Webhook, Stop::Gracefully).await?;
        fleet.start_with(&Component::Webhook, env).await
    };
    say::during("restarting the webhook", restart(&[("PLACEMENT_STRATEGY", "balanced")])).await?;
    story.brief(&["apply", "-f", &file(SPREAD)], 3).await?;
    let machines: Api<Machine> = Api::default_namespaced(fleet.supervisor().client().await?);
    let mut clusters: BTreeMap<String, usize> = BTreeMap::new();
    let spread = machines.list(&ListParams::default().labels("app=spread")).await;
    for machine in spread.map_err(|error| Trouble::Said(format!("cannot list Machines: {error}")))? {
        *clusters.entry(machine.annotations().get(KUBEVIRT_CONFIG).cloned().unwrap_or_default()).or_default() += 1;
    }
    let counts: Vec<_> = clusters.iter().map(|(cluster, count)| format!("{count} on {cluster}")).collect();
    story.tell(&format!("{}. Each says why it is where it is:", counts.join(", ")));
    let why = r#"jsonpath={.metadata.annotations.vitistack\.io/placement}{"\n"}"#;
    story.run(&["get", "machine", "spread-01", "-o", why]).await?;
    story.tell("away with them, and back to the strategy from before");
    story.brief(&["delete", "machines", "-l", "app=spread"], 3).await?;
    say::during("restarting the webhook", restart(&[])).await?;
    notes.write(story.home)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::examples;

    #[test]
    fn every_example_is_in_its_file() {
        for example in TAKEN.iter().chain(&REFUSED) {
            let text = std::fs::read_to_string(examples().join(example.file)).expect(example.file);
            assert!(text.contains(&format!("\n  name: {}\n", example.machine)), "{}", example.file);
        }
        let spread = std::fs::read_to_string(examples().join(SPREAD)).expect(SPREAD);
        assert_eq!(spread.matches("labels: {app: spread}").count(), 20);
    }
}
