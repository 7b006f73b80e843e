//! The night in which a supervisor is lost, by the words of docs/disaster.md: first its etcd is set back to an earlier state, then it is
//! thrown away, and the Machines are brought back on a new one.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt};
use model::names::{MACHINE_UID, SUPERVISOR};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::audit::Record;
use crate::binaries::{self, Tool};
use crate::error::{Error, Result, io, kube};
use crate::fleet::{Blueprint, Endpoint, Fleet};
use crate::install::kubectl;
use crate::plane::Plane;
use crate::probe;
use crate::process::Processes;
use crate::wait::eventually;

/// How many Machines there are, unless somebody says another number.
pub const MACHINES: usize = 50;
const NAMESPACE: &str = "shop";
/// What must survive.
const KEPT: [(&str, &str); 3] =
    [("VirtualMachine", "kubevirt.io"), ("VirtualMachineInstance", "kubevirt.io"), ("PersistentVolumeClaim", "")];

/// What was found afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Objects that were reported when etcd was set back to before one more Machine: its VM, instance and claim.
    pub orphans: usize,
    /// Machines that show Running on the new supervisor.
    pub running: usize,
    /// Instances with the UID that they had before.
    pub kept: usize,
    /// VMs whose labels name the new Machine and the new supervisor.
    pub labelled: usize,
    /// Instances that were made since.
    pub restarts: usize,
    /// VMs, instances and claims that somebody asked to delete.
    pub deletes: usize,
}

impl Found {
    /// What there is to find.
    pub fn all_well(machines: usize) -> Self {
        Self { orphans: 3, running: machines, kept: machines + 1, labelled: machines, restarts: 0, deletes: 0 }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orphans, running, kept, labelled, restarts, deletes } = self;
        writeln!(f, "etcd set back:   {orphans} orphaned objects reported")?;
        writeln!(f, "supervisor lost: {running} Machines Running again, {labelled} VMs taken over")?;
        write!(f, "on the cluster:  {kept} instance UIDs kept, {restarts} restarts, {deletes} deletes")
    }
}

/// Does all of it on a fleet of its own.
pub async fn run(machines: usize, say: fn(&str)) -> Result<Found> {
    let blueprint = Blueprint { own_etcd: true, ..Blueprint::of(&["west"]) };
    let fleet = Fleet::up(Processes::kept()?, blueprint).await?;
    let west = fleet.remote("west")?;
    fleet.supervisor().ensure_namespace(NAMESPACE).await?;
    let all: Vec<Value> = (0..machines).map(|at| machine(&format!("m-{at:03}"))).collect();
    apply(&fleet, &all).await;
    until_running(&fleet, machines).await;
    fleet.back_up().await?;
    apply(&fleet, &[machine("young")]).await;
    until_running(&fleet, machines + 1).await;
    let (before, mark) = (there(west).await?, west.audit().mark());
    say(&format!("{} Machines run; the supervisor's etcd is set back to before the last of them", machines + 1));

    fleet.set_back().await?;
    let debug = fleet.address(Endpoint::ControllerDebug)?;
    let orphans = eventually("what the last Machine left is reported", async || {
        let page = probe::get(debug, "/debug/orphans").await?;
        let lines = page.lines().filter(|line| line.contains("young")).count();
        if lines == 3 && page.lines().count() == 3 { Ok(lines) } else { Err(page) }
    })
    .await;
    until_running(&fleet, machines).await;

    let folder = fleet.dir().join("export");
    fs::create_dir_all(&folder).map_err(io("cannot create", &folder))?;
    shell(&fleet, &folder, &block("export")?).await.map_err(absent)?;
    say("exported; the supervisor's etcd is thrown away, and the operator installed on an empty one");
    fleet.lose_supervisor().await?;
    fleet.supervisor().ensure_namespace(NAMESPACE).await?;
    let (clusters, again) = (block("clusters")?, block("machines")?);
    shell(&fleet, &folder, &clusters).await.map_err(absent)?;
    // As the page says: again until nothing is refused.
    eventually("the Machines are taken", async || shell(&fleet, &folder, &again).await).await;
    say("applied again; the Machines take over what they had");
    until_running(&fleet, machines).await;

    let (after, records) = (there(west).await?, west.audit().since(mark)?);
    let of_ours = |record: &&Record| {
        record.is_answer()
            && record.subresource.is_empty()
            && ["virtualmachines", "virtualmachineinstances", "persistentvolumeclaims"]
                .contains(&record.resource.as_str())
    };
    let count = |verbs: &[&str], resource: &str| {
        let all = records.iter().filter(of_ours).filter(|record| verbs.contains(&record.verb.as_str()));
        all.filter(|record| resource.is_empty() || record.resource == resource).count()
    };
    let labelled = labelled(&fleet, west).await?;
    let same = |(key, uid): &(&(&str, String), &String)| key.0 == KEPT[1].0 && after.get(*key) == Some(*uid);
    Ok(Found {
        orphans,
        running: machines,
        kept: before.iter().filter(same).count(),
        labelled,
        restarts: count(&["create"], "virtualmachineinstances"),
        deletes: count(&["delete", "deletecollection"], ""),
    })
}

fn machine(name: &str) -> Value {
    json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "spec": {"template": "small"},
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {"vitistack.io/kubevirt-config": "west"}},
    })
}

async fn apply(fleet: &Fleet, items: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    eventually("the Machines are applied", async || {
        kubectl(fleet.supervisor(), &["apply", "--filename", "-"], &list).await.map_err(|error| error.to_string())
    })
    .await;
}

async fn until_running(fleet: &Fleet, machines: usize) {
    let columns =
        "jsonpath={range .items[*]}{.status.phase} {.status.conditions[?(@.type==\"Ready\")].status}{\"\\n\"}{end}";
    let args = ["--namespace", NAMESPACE, "get", "machines", "--output", columns];
    eventually("all Machines run", async || {
        let printed = kubectl(fleet.supervisor(), &args, "").await.map_err(|error| error.to_string())?;
        let ready = printed.lines().filter(|line| *line == "Running True").count();
        if ready == machines { Ok(()) } else { Err(format!("{ready} of {machines}: {printed:.400}")) }
    })
    .await;
}

fn objects(plane: &'static str, group: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", plane))
}

/// The UIDs of everything that must survive.
async fn there(west: &Plane) -> Result<BTreeMap<(&'static str, String), String>> {
    let mut all = BTreeMap::new();
    for (kind, group) in KEPT {
        let api: Api<DynamicObject> = Api::namespaced_with(west.client().await?, NAMESPACE, &objects(kind, group));
        let found = api.list(&ListParams::default()).await.map_err(kube(format!("cannot list {kind}")))?;
        all.extend(found.into_iter().map(|it| ((kind, it.name_any()), it.uid().unwrap_or_default())));
    }
    Ok(all)
}

/// How many VMs carry the labels of the Machine that has their name, and of the supervisor that there is now.
async fn labelled(fleet: &Fleet, west: &Plane) -> Result<usize> {
    let args = ["get", "namespace", "kube-system", "--output", "jsonpath={.metadata.uid}"];
    let supervisor = kubectl(fleet.supervisor(), &args, "").await?;
    let pairs = "jsonpath={range .items[*]}vm-{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
    let uids =
        kubectl(fleet.supervisor(), &["--namespace", NAMESPACE, "get", "machines", "--output", pairs], "").await?;
    let api: Api<DynamicObject> = Api::namespaced_with(west.client().await?, NAMESPACE, &objects(KEPT[0].0, KEPT[0].1));
    let vms = api.list(&ListParams::default()).await.map_err(kube("cannot list VMs"))?;
    let is_new = |vm: &&DynamicObject| {
        let label = |key: &str| vm.labels().get(key).map(String::as_str).unwrap_or_default();
        let pair = format!("{} {}", vm.name_any(), label(MACHINE_UID));
        label(SUPERVISOR) == supervisor && uids.lines().any(|line| line == pair)
    };
    Ok(vms.iter().filter(is_new).count())
}

/// The commands of docs/disaster.md whose first line is `# <name>: …`.
fn block(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/disaster.md");
    let page = fs::read_to_string(&path).map_err(io("cannot read", &path))?;
    let found = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut found = found.filter(|text| text.starts_with(&format!("# {name}: ")));
    found.next().map(str::to_owned).ok_or_else(|| absent(format!("the commands {name:?} in {}", path.display())))
}

fn absent(what: String) -> Error {
    Error::Absent { what }
}

/// Runs commands in a folder as the administrator of the supervisor; what they said, if one of them failed.
async fn shell(fleet: &Fleet, folder: &Path, commands: &str) -> std::result::Result<(), String> {
    let kubectl = binaries::locate(Tool::Kubectl).await.map_err(|error| error.to_string())?;
    let tools = kubectl.parent().unwrap_or(Path::new("/"));
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-ec", commands]).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    command.env("KUBECONFIG", fleet.supervisor().kubeconfig()).env("KUBECACHEDIR", folder.join("cache"));
    let output = command.output().await.map_err(|error| format!("cannot run sh: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Of a pipe, sh tells only how its last command ended.
    if output.status.success() && !said.contains("jq:") { Ok(()) } else { Err(format!("{commands}\n{said}")) }
}
