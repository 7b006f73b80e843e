//! What happens to the Machine of a life. I/O: the supervisor and the cluster, as an administrator.

use std::time::Duration;

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::api::Machine;
use model::names::{PLACEMENT, TAKE_OVER};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::refused;
use super::{Ground, NAME};
use crate::faultline::{Harm, Lapse};
use crate::wait::LIMIT;

/// The disk of a VM that was made by hand.
const DISK: &str = "system-of-web";
/// A watch that says nothing is opened anew after 90 s, a connection to a cluster after 30 s more.
const SILENCE: Duration = Duration::from_secs(120);

/// One Machine of a life.
pub(super) struct Life<'g> {
    pub(super) ground: &'g Ground<'g>,
    pub(super) namespace: &'g str,
    pub(super) machines: Api<Machine>,
    /// What is done to it.
    pub(super) harm: Option<Harm>,
}

/// What is asked for, perhaps in place of one with this UID.
fn machine(earlier: Option<&str>) -> Result<Machine, String> {
    let mut machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {"name": NAME, "annotations": {"vitistack.io/kubevirt-config": "east"}},
        "spec": {
            "template": "small", "disks": [{"name": "data", "size": "5Gi"}], "networks": [{"name": "nic"}],
            "cloudInit": {"userData": format!("#cloud-config\n# {}\n", "x".repeat(3000))},
        },
    });
    if let Some(earlier) = earlier {
        machine["metadata"]["annotations"][TAKE_OVER] = json!(earlier);
    }
    serde_json::from_value(machine).map_err(|why| why.to_string())
}

impl Life<'_> {
    /// Its UID.
    pub(super) async fn make(&self, earlier: Option<&str>) -> Result<String, String> {
        let wanted = machine(earlier)?;
        let params = PostParams::default();
        let create = async || self.machines.create(&params, &wanted).await;
        let made = refused::at_most_once(self, create).await.map_err(|why| format!("cannot make it: {why}"))?;
        refused::is_decided(&made)?;
        Ok(made.uid().unwrap_or_default())
    }

    pub(super) async fn patch(&self, change: &Value) -> Result<(), String> {
        let (params, change) = (PatchParams::default(), Patch::Merge(change));
        let patch = async || self.machines.patch(NAME, &params, &change).await;
        let patched = refused::at_most_once(self, patch).await;
        patched.map(drop).map_err(|why| format!("cannot change it: {why}"))
    }

    /// How long anything may take.
    fn limit(&self) -> Duration {
        if self.harm == Some(Harm::Watch(Lapse::Frozen)) { LIMIT + SILENCE } else { LIMIT }
    }

    pub(super) async fn until(&self, phase: &str) -> Result<(), String> {
        let is = |machine: Option<&Machine>| {
            machine.is_some_and(|machine| {
                let status = machine.status.clone().unwrap_or_default();
                status.phase.as_deref() == Some(phase) && status.observed_generation == machine.metadata.generation
            })
        };
        let limit = self.limit();
        match timeout(limit, await_condition(self.machines.clone(), NAME, is)).await {
            Ok(Ok(_)) => self.until_a_bookmark().await,
            Ok(Err(why)) => Err(format!("it is not {phase}: {why}")),
            Err(_) => Err(format!("it is not {phase} within {limit:?}: {}", self.shown().await)),
        }
    }

    /// What a watch that tells no bookmark misses is only seen after the next one, which comes within a minute.
    async fn until_a_bookmark(&self) -> Result<(), String> {
        let marked = timeout(LIMIT, self.ground.faultline.marked(self.namespace)).await;
        marked.map_err(|_| format!("no watch had a bookmark within {LIMIT:?}"))
    }

    pub(super) async fn gone(&self) -> Result<(), String> {
        let gone = await_condition(self.machines.clone(), NAME, |machine: Option<&Machine>| machine.is_none());
        let limit = self.limit();
        match timeout(limit, gone).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(format!("it is not gone: {why}")),
            Err(_) => Err(format!("it is not gone within {limit:?}: {}", self.shown().await)),
        }
    }

    async fn shown(&self) -> String {
        match self.machines.get_opt(NAME).await {
            Ok(Some(machine)) => {
                let status = machine.status.unwrap_or_default();
                format!("it shows {:?}, {:?}", status.phase.unwrap_or_default(), status.message.unwrap_or_default())
            }
            Ok(None) => "it is not there".to_owned(),
            Err(why) => why.to_string(),
        }
    }

    /// Takes it from the supervisor as a lost etcd does: it was never being deleted, and then it is not there.
    pub(super) async fn lose(&self) -> Result<(), String> {
        self.ground.faultline.cut(self.namespace, true);
        let freed = async {
            // Nobody ever sees it being deleted.
            self.patch(&json!({"metadata": {"finalizers": null}})).await?;
            self.machines.delete(NAME, &DeleteParams::default()).await.map_err(|why| why.to_string())?;
            self.gone().await
        };
        let freed = freed.await;
        self.ground.faultline.cut(self.namespace, false);
        freed
    }

    /// A running VM of the Machine's name with a disk, as a person makes one on the cluster, and until admission knows of it.
    pub(super) async fn make_by_hand(&self) -> Result<(), String> {
        let east = self.ground.fleet.remote("east").map_err(|error| error.to_string())?;
        east.ensure_namespace(self.namespace).await.map_err(|error| error.to_string())?;
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": DISK},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
        });
        let vm = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": NAME},
            "spec": {"runStrategy": "Always", "template": {"spec": {
                "domain": {
                    "cpu": {"cores": 2}, "memory": {"guest": "4Gi"},
                    "devices": {"disks": [{"name": "system", "disk": {"bus": "virtio"}}], "interfaces": [{"name": "nic", "bridge": {}}]},
                },
                "networks": [{"name": "nic", "pod": {}}],
                "volumes": [{"name": "system", "persistentVolumeClaim": {"claimName": DISK}}],
            }}},
        });
        for (group, kind, object) in [("", "PersistentVolumeClaim", claim), ("kubevirt.io", "VirtualMachine", vm)] {
            let object = serde_json::from_value(object).map_err(|why| why.to_string())?;
            let made = self.on_east(group, kind).await?.create(&PostParams::default(), &object).await;
            made.map_err(|why| format!("cannot make the {kind} by hand: {why}"))?;
        }
        let vms = self.on_east("kubevirt.io", "VirtualMachine").await?;
        let runs = |vm: Option<&DynamicObject>| vm.is_some_and(|vm| vm.data["status"]["ready"] == true);
        let running = timeout(LIMIT, await_condition(vms, NAME, runs)).await;
        running.map_err(|_| "the VM that was made by hand does not run")?.map_err(|why| why.to_string())?;
        self.until_admission_names_it().await
    }

    /// Until a Machine would get the VM that is there.
    async fn until_admission_names_it(&self) -> Result<(), String> {
        let only_tried = PostParams { dry_run: true, ..PostParams::default() };
        let (named, mut placement) = (format!(r#""vm":"{NAME}""#), String::new());
        let known = async {
            while !placement.contains(&named) {
                let tried = self.machines.create(&only_tried, &machine(None)?).await.map_err(|why| why.to_string())?;
                placement = tried.annotations().get(PLACEMENT).cloned().unwrap_or_default();
            }
            Ok(())
        };
        let known = timeout(LIMIT, known).await;
        known.unwrap_or_else(|_| Err(format!("admission does not see the VM that was made by hand, but {placement}")))
    }

    /// The disk that was made by hand is not the Machine's: it is there after it, and its owner takes it away.
    pub(super) async fn take_back_the_disk(&self) -> Result<(), String> {
        let claims = self.on_east("", "PersistentVolumeClaim").await?;
        let claim = claims.get(DISK).await.map_err(|why| format!("the disk that was made by hand: {why}"))?;
        if claim.metadata.deletion_timestamp.is_some() {
            return Err("the disk that was made by hand was deleted with the Machine".to_owned());
        }
        let deleted = claims.delete(DISK, &DeleteParams::default()).await;
        deleted.map_err(|why| format!("cannot delete the disk that was made by hand: {why}"))?;
        let gone = await_condition(claims, DISK, |claim: Option<&DynamicObject>| claim.is_none());
        timeout(LIMIT, gone).await.map_err(|_| "the disk does not go")?.map(drop).map_err(|why| why.to_string())
    }

    async fn on_east(&self, group: &str, kind: &str) -> Result<Api<DynamicObject>, String> {
        let east = self.ground.fleet.remote("east").map_err(|error| error.to_string())?;
        let client = east.client().await.map_err(|error| error.to_string())?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        Ok(Api::namespaced_with(client, self.namespace, &resource))
    }
}
