//! The lives that Machines have in a sweep. I/O: the supervisor and the clusters, as an administrator.

mod life;
mod refused;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use model::names::{CLOUD_INIT, KUBECONFIG_KEY, MACS_OF};
use serde_json::{Value, json};

use self::life::Life;
use crate::error::{Result, kube};
use crate::faultline::{Faultline, Harm};
use crate::fleet::{CONFIGS_NAMESPACE, Fleet, NAMESPACE, REMOTE_CONTROLLER_ACCOUNT};
use crate::plane::Plane;
use crate::wait::within;

/// A Machine that runs is as it is to be within this: the last change may wait for a watch that is behind.
const SETTLES: Duration = Duration::from_secs(30);
const NAME: &str = "web";
/// What a Machine has on its cluster.
const KINDS: [(&str, &str); 4] = [
    ("kubevirt.io", "VirtualMachine"),
    ("kubevirt.io", "VirtualMachineInstance"),
    ("", "PersistentVolumeClaim"),
    ("", "Secret"),
];
/// What differs from one life to the next; cloud-init data name the instance, and a VM its earlier self.
const OWN: [&str; 9] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "volumeName",
    CLOUD_INIT,
    MACS_OF,
];

/// A life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// It is made, runs, is stopped and started, and is deleted.
    Life,
    /// The supervisor loses it while it runs; a new one takes over what it had, and is deleted.
    TakeOver,
    /// While it runs, the credential for its cluster is replaced; then it is stopped and started, and deleted.
    Rotate,
    /// Its VM was made by hand, with a disk; it is adopted, stopped and started, and deleted, and the disk stays.
    Adopt,
}

impl Story {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Life, Self::TakeOver, Self::Adopt, Self::Rotate];

    fn name(self) -> &'static str {
        match self {
            Self::Life => "life",
            Self::TakeOver => "take-over",
            Self::Adopt => "adopt",
            Self::Rotate => "rotate",
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Story {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|it| it.name() == text)
            .ok_or_else(|| format!("there is no story {text:?}; there are {all}"))
    }
}

/// What the cluster held while the Machine ran, leaf by leaf, without what differs each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told(BTreeMap<String, String>);

impl Told {
    /// Where this is another life than that one.
    fn differs(&self, usual: &Self) -> Vec<String> {
        let names = self.0.keys().chain(usual.0.keys()).collect::<std::collections::BTreeSet<_>>();
        let differing = names.into_iter().filter(|name| self.0.get(*name) != usual.0.get(*name));
        let shown =
            |all: &BTreeMap<String, String>, name: &String| all.get(name).cloned().unwrap_or("nothing".to_owned());
        differing.map(|it| format!("{it} is {} instead of {}", shown(&self.0, it), shown(&usual.0, it))).collect()
    }
}

/// The fleet, for an administrator.
pub(super) struct Ground<'f> {
    pub(super) supervisor: Client,
    pub(super) clusters: Vec<(String, Client)>,
    pub(super) fleet: &'f Fleet,
    faultline: &'f Faultline,
}

impl<'f> Ground<'f> {
    pub(super) async fn new(fleet: &'f Fleet, faultline: &'f Faultline) -> Result<Self> {
        let mut clusters = Vec::new();
        for remote in fleet.remotes() {
            clusters.push((remote.name().to_owned(), remote.client().await?));
        }
        Ok(Self { supervisor: fleet.supervisor().client().await?, clusters, fleet, faultline })
    }

    /// What there is in a namespace of all clusters.
    pub(super) async fn there(&self, namespace: &str) -> Result<BTreeMap<String, Value>, String> {
        let mut all = BTreeMap::new();
        for (cluster, client) in &self.clusters {
            for (group, kind) in KINDS {
                let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
                let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
                let listed = api.list(&ListParams::default()).await.map_err(|why| format!("{kind}: {why}"))?;
                all.extend(listed.into_iter().map(|object| {
                    let key = format!("{kind} {} on {cluster}", object.name_any());
                    (key, serde_json::to_value(object).unwrap_or_default())
                }));
            }
        }
        Ok(all)
    }

    /// The same without what is only shown, and as that of any Machine of this UID.
    async fn told(&self, namespace: &str, uid: &str) -> Result<Told, String> {
        let mut all = self.there(namespace).await?;
        all.retain(|key, _| !key.starts_with("VirtualMachineInstance"));
        let mut leaves = BTreeMap::new();
        for (key, mut object) in all {
            if let Some(all) = object.as_object_mut() {
                all.remove("status");
            }
            flatten(&key, &object, &mut leaves);
        }
        let masked =
            leaves.into_iter().map(|(path, leaf)| (path, leaf.replace(uid, "UID").replace(namespace, "NAMESPACE")));
        Ok(Told(masked.collect()))
    }

    /// The same, once it is as in a life without harm, if there was one.
    async fn settled(&self, namespace: &str, uid: &str, usual: Option<&Told>) -> Result<Told, String> {
        let Some(usual) = usual else { return self.told(namespace, uid).await };
        let look = async || {
            let told = self.told(namespace, uid).await?;
            let wrong = told.differs(usual);
            if wrong.is_empty() { Ok(told) } else { Err(wrong.join("; ")) }
        };
        within(SETTLES, look).await
    }
}

/// The leaves of a value by their paths.
fn flatten(path: &str, value: &Value, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(all) => {
            let all = all.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
            all.for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, leaves));
        }
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(at, value)| flatten(&format!("{path}[{at}]"), value, leaves));
        }
        leaf => drop(leaves.insert(path.to_owned(), leaf.to_string())),
    }
}

/// Gives the controller a new credential for a cluster, which leads through the proxy.
pub(super) async fn lead_through(fleet: &Fleet, remote: &Plane, faultline: &Faultline) -> Result<()> {
    let kubeconfig = remote.token_kubeconfig(NAMESPACE, REMOTE_CONTROLLER_ACCOUNT).await?;
    let secrets: Api<Secret> = Api::namespaced(fleet.supervisor().client().await?, CONFIGS_NAMESPACE);
    let name = format!("{}-kubeconfig", remote.name());
    let patch = Patch::Merge(json!({"stringData": {KUBECONFIG_KEY: faultline.through(remote, &kubeconfig)?}}));
    let patched = secrets.patch(&name, &PatchParams::default(), &patch).await;
    patched.map(drop).map_err(kube(format!("cannot write Secret {name}")))
}

impl Story {
    /// Lives it in a namespace that nobody has, with that harm done somewhere, where what was told of a life without harm has to be
    /// true, too; an error says what did not come about.
    pub(super) async fn live(
        self,
        ground: &Ground<'_>,
        namespace: &str,
        harmed: Option<(Harm, &Told)>,
    ) -> Result<Told, String> {
        let (harm, usual) = (harmed.map(|(harm, _)| harm), harmed.map(|(_, usual)| usual));
        ground.fleet.supervisor().ensure_namespace(namespace).await.map_err(|error| error.to_string())?;
        let machines = Api::namespaced(ground.supervisor.clone(), namespace);
        let life = Life { ground, namespace, machines, harm };
        if self == Self::Adopt {
            life.make_by_hand().await?;
        }
        let uid = life.make(None).await?;
        life.until("Running").await?;
        let told = match self {
            Self::Life | Self::Adopt | Self::Rotate => {
                let told = ground.settled(namespace, &uid, usual).await?;
                if self == Self::Rotate {
                    let east = ground.fleet.remote("east").map_err(|error| error.to_string())?;
                    let rotated = lead_through(ground.fleet, east, ground.faultline).await;
                    rotated.map_err(|error| error.to_string())?;
                }
                for (power, phase) in [("Halted", "Stopped"), ("Always", "Running")] {
                    life.patch(&json!({"spec": {"runStrategy": power}})).await?;
                    life.until(phase).await?;
                }
                told
            }
            Self::TakeOver => {
                life.lose().await?;
                let uid = life.make(Some(&uid)).await?;
                life.until("Running").await?;
                ground.settled(namespace, &uid, usual).await?
            }
        };
        life.machines.delete(NAME, &DeleteParams::default()).await.map_err(|why| format!("cannot delete it: {why}"))?;
        life.gone().await?;
        if self == Self::Adopt {
            life.take_back_the_disk().await?;
        }
        let left = ground.there(namespace).await?;
        if left.is_empty() { Ok(told) } else { Err(format!("it is gone, and left {:?} (I4)", left.keys())) }
    }
}
