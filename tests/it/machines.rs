//! Machines on a real fleet, as their users meet them: `kubectl apply` and its answer, the VM on its cluster, the status, and
//! what is left after `kubectl delete`.

mod addresses;
mod adoption;
mod attacked;
mod bad_input;
mod cloudinit;
pub(crate) mod debug;
mod disaster;
mod disks;
mod examples;
mod forsaken;
mod kept;
mod lead;
mod lifecycle;
mod lines;
mod mapping;
mod networks;
mod outages;
mod ownership;
mod placement;
mod published;
mod records;
mod requests;
mod restart;
mod terminating;
mod upgrades;
mod writes;

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use model::api::Machine;
use serde_json::{Value, json};
use tests::Error;
use tests::fleet::Fleet;
use tests::install::kubectl;
use tests::plane::Plane;

pub(crate) use tests::wait::LIMIT;

/// A namespace of its own on a fleet.
pub(crate) struct Ground<'f> {
    pub(crate) fleet: &'f Fleet,
    pub(crate) namespace: String,
    pub(crate) supervisor: Client,
}

impl<'f> Ground<'f> {
    pub(crate) async fn new(fleet: &'f Fleet, namespace: &str) -> Self {
        fleet.supervisor().ensure_namespace(namespace).await.unwrap_or_else(|error| panic!("{error}"));
        let supervisor = fleet.supervisor().client().await.unwrap_or_else(|error| panic!("{error}"));
        Self { fleet, namespace: namespace.to_owned(), supervisor }
    }

    pub(crate) fn machines(&self) -> Api<Machine> {
        Api::namespaced(self.supervisor.clone(), &self.namespace)
    }

    /// `kubectl apply`: what it prints, or what it says when it fails.
    pub(crate) async fn apply(&self, manifest: &Value) -> Result<String, String> {
        said(
            kubectl(
                self.fleet.supervisor(),
                &["--namespace", &self.namespace, "apply", "--filename", "-"],
                &manifest.to_string(),
            )
            .await,
        )
    }

    pub(crate) async fn applied(&self, manifest: &Value) {
        self.apply(manifest).await.unwrap_or_else(|refused| panic!("{manifest}: {refused}"));
    }

    pub(crate) async fn delete(&self, name: &str) {
        let args = ["--namespace", &self.namespace, "delete", "machine", name, "--wait=false"];
        said(kubectl(self.fleet.supervisor(), &args, "").await).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until a Machine's status is as wanted, and returns the Machine.
    pub(crate) async fn until(&self, name: &str, what: &str, wanted: impl Fn(&Machine) -> bool) -> Machine {
        let ready =
            await_condition(self.machines(), name, move |machine: Option<&Machine>| machine.is_some_and(&wanted));
        match tokio::time::timeout(LIMIT, ready).await {
            Ok(Ok(Some(machine))) => machine,
            Ok(other) => panic!("{name} until {what}: {other:?}"),
            Err(elapsed) => panic!(
                "{name} is not {what} ({elapsed}): {:#?}",
                self.machines().get_opt(name).await.map(|it| it.map(|it| it.status))
            ),
        }
    }

    pub(crate) async fn running(&self, name: &str) -> Machine {
        self.until(name, "Running", |machine| phase(machine) == "Running").await
    }

    /// Waits until a Machine is gone from the supervisor.
    pub(crate) async fn gone(&self, name: &str) {
        let gone = await_condition(self.machines(), name, |machine: Option<&Machine>| machine.is_none());
        let gone = tokio::time::timeout(LIMIT, gone).await;
        assert!(gone.is_ok(), "{name} is still there after {LIMIT:?}: {:#?}", self.machines().get_opt(name).await);
    }

    /// The names of what carries a Machine's label on a remote, by kind: what `kubectl get vm,vmi,pvc -l` finds (C40).
    pub(crate) async fn remains(&self, cluster: &str, name: &str) -> Vec<String> {
        let remote = self.fleet.remote(cluster).unwrap_or_else(|error| panic!("{error}"));
        let args = [
            "get",
            "vm,vmi,pvc",
            "--namespace",
            &self.namespace,
            "--output",
            "name",
            "--selector",
            &format!("vitistack.io/machine={name}"),
        ];
        let found = said(kubectl(remote, &args, "").await).unwrap_or_else(|error| panic!("{error}"));
        found.lines().filter(|line| line.contains('/')).map(str::to_owned).collect()
    }

    pub(crate) async fn remote(&self, cluster: &str, kind: &str, group: &str) -> Api<DynamicObject> {
        let client = self
            .fleet
            .remote(cluster)
            .unwrap_or_else(|error| panic!("{error}"))
            .client()
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        Api::namespaced_with(client, &self.namespace, &resource(kind, group))
    }
}

pub(crate) fn resource(kind: &str, group: &str) -> ApiResource {
    let version = if group == "vitistack.io" { "v1alpha1" } else { "v1" };
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind))
}

pub(crate) fn phase(machine: &Machine) -> &str {
    machine.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Status and reason of a condition.
pub(crate) fn condition(machine: &Machine, kind: &str) -> String {
    let all = machine.status.iter().flat_map(|status| &status.conditions);
    all.into_iter().find(|it| it.type_ == kind).map(|it| format!("{}/{}", it.status, it.reason)).unwrap_or_default()
}

pub(crate) fn said(result: tests::Result<String>) -> Result<String, String> {
    result.map_err(|error| match error {
        Error::Command { output, .. } => output,
        other => panic!("{other}"),
    })
}

/// A Machine on a cluster; without one, nothing says where.
pub(crate) fn machine(name: &str, cluster: Option<&str>, spec: &Value) -> Value {
    let mut machine =
        json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": name}, "spec": spec});
    if let Some(cluster) = cluster {
        machine["metadata"]["annotations"] = json!({"vitistack.io/kubevirt-config": cluster});
    }
    machine
}

/// Lists failures for the simulator of a remote: lines of `namespace/name`.
pub(crate) async fn fail(remote: &Plane, failure: &str, globs: &str) {
    let client = remote.client().await.unwrap_or_else(|error| panic!("{error}"));
    let maps: Api<DynamicObject> = Api::namespaced_with(client, "default", &resource("ConfigMap", ""));
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kubevirt-sim"}, "data": {failure: globs}});
    let manager = PatchParams::apply(&format!("test-{failure}"));
    maps.patch("kubevirt-sim", &manager, &Patch::Apply(map)).await.unwrap_or_else(|error| panic!("{error}"));
}
