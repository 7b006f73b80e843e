//! Machines that are made, edited and deleted one after the other, some while they run and some at once. I/O: the supervisor and
//! the clusters, as an administrator.

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use model::api::Machine;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::super::story::Ground;
use crate::wait::LIMIT;

/// What happens to a Machine before it is deleted.
enum Step {
    /// It reaches this phase.
    Until(&'static str),
    /// It is changed.
    Change(Value),
}

/// Lets one Machine live after the other until then: how many there were, and what did not come about.
pub(super) async fn live_until(
    ground: &Ground<'_>,
    namespace: &str,
    worker: usize,
    until: Instant,
) -> (usize, Vec<String>) {
    let machines = Api::namespaced(ground.supervisor.clone(), namespace);
    let (mut lived, mut wrong) = (0, Vec::new());
    while lived == 0 || Instant::now() < until {
        let name = format!("w{worker}x{lived}");
        let life = Life { ground, namespace, name: &name, machines: &machines };
        let turn = worker + lived;
        if let Err(what) = life.live(["east", "west"][turn / 2 % 2], steps(turn)).await {
            wrong.push(format!("{name}: {what}"));
        }
        lived += 1;
    }
    (lived, wrong)
}

/// Lives that differ.
fn steps(turn: usize) -> Vec<Step> {
    let power = |strategy: &str| Step::Change(json!({"spec": {"runStrategy": strategy}}));
    let label = Step::Change(json!({"metadata": {"labels": {"turn": turn.to_string()}}}));
    match turn % 4 {
        0 => vec![Step::Until("Running"), power("Halted"), Step::Until("Stopped")],
        1 => Vec::new(),
        2 => vec![power("Halted"), label, power("Always"), Step::Until("Running")],
        _ => vec![Step::Until("Running"), label, power("Halted"), power("Always")],
    }
}

struct Life<'l> {
    ground: &'l Ground<'l>,
    namespace: &'l str,
    name: &'l str,
    machines: &'l Api<Machine>,
}

impl Life<'_> {
    async fn live(&self, cluster: &str, steps: Vec<Step>) -> Result<(), String> {
        let machine = json!({
            "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
            "metadata": {"name": self.name, "annotations": {"vitistack.io/kubevirt-config": cluster}},
            "spec": {
                "template": "small", "disks": [{"name": "data", "size": "5Gi"}], "networks": [{"name": "nic"}],
                "cloudInit": {"userData": format!("#cloud-config\n# {}\n", "x".repeat(3000))},
            },
        });
        let machine = serde_json::from_value(machine).map_err(|why| why.to_string())?;
        let made = self.machines.create(&PostParams::default(), &machine).await;
        made.map_err(|why| format!("cannot make it: {why}"))?;
        for step in steps {
            match step {
                Step::Until(phase) => self.until(phase).await?,
                Step::Change(change) => {
                    let change = Patch::Merge(&change);
                    let patched = self.machines.patch(self.name, &PatchParams::default(), &change).await;
                    patched.map_err(|why| format!("cannot change it: {why}"))?;
                }
            }
        }
        let deleted = self.machines.delete(self.name, &DeleteParams::default()).await;
        deleted.map_err(|why| format!("cannot delete it: {why}"))?;
        self.reaches("gone", |machine| machine.is_none()).await?;
        let there = self.ground.there(self.namespace).await?;
        let left: Vec<_> = there.keys().filter(|key| is_of(key, self.name)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("it is gone, and left {left:?} (I4)")) }
    }

    async fn until(&self, phase: &'static str) -> Result<(), String> {
        let is = move |machine: Option<&Machine>| {
            machine.is_some_and(|machine| {
                let status = machine.status.clone().unwrap_or_default();
                status.phase.as_deref() == Some(phase) && status.observed_generation == machine.metadata.generation
            })
        };
        self.reaches(phase, is).await
    }

    async fn reaches(&self, what: &str, is: impl Fn(Option<&Machine>) -> bool) -> Result<(), String> {
        match timeout(LIMIT, await_condition(self.machines.clone(), self.name, is)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(format!("it is not {what}: {why}")),
            Err(_) => {
                let machine = self.machines.get_opt(self.name).await.map_err(|why| why.to_string())?;
                let status = machine.and_then(|machine| machine.status).unwrap_or_default();
                Err(format!("it is not {what} within {LIMIT:?}: it shows {:?}, {:?}", status.phase, status.message))
            }
        }
    }
}

/// Whether what is there, by kind, name and cluster, has its name from this Machine.
fn is_of(key: &str, machine: &str) -> bool {
    key.split(' ').nth(1).is_some_and(|name| super::machine_of(name) == machine)
}
