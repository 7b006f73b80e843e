//! A whole fleet in one folder: etcd, a supervisor, remotes with a simulated KubeVirt, webhook and controller. The suites
//! keep one in a temporary folder until their process ends; the demo keeps one in `target/demo` and finds it there again
//! in its next invocation, so nothing about a fleet is known to a process only.

mod beside;
mod component;
mod furnish;
mod gateway;
mod loss;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::try_join_all;
use futures::try_join;

pub use beside::Webhooks;
pub use component::{Component, Endpoint};
pub use gateway::GATEWAY;
use state::State;

use crate::binaries::{self, Tool};
use crate::error::{Error, Result};
use crate::etcd::Etcd;
use crate::plane::Plane;
use crate::ports;
use crate::process::{Processes, Stop};
use crate::workspace;

/// Name of the plane where Machines are applied.
pub const SUPERVISOR: &str = "supervisor";
/// Namespace of the release, on the supervisor and on every remote.
pub const NAMESPACE: &str = "kubevirt-operator-system";
/// Namespace of the KubevirtConfigs and their Secrets.
pub const CONFIGS_NAMESPACE: &str = "kubevirt-configs";
/// Service account of the webhook, on the supervisor and on every remote.
pub const WEBHOOK_ACCOUNT: &str = "kubevirt-operator-webhook";
/// Service account of the controller on the supervisor.
pub const CONTROLLER_ACCOUNT: &str = "kubevirt-operator-controller-manager";
/// Service account of the controller on a remote.
pub const REMOTE_CONTROLLER_ACCOUNT: &str = "kubevirt-operator-controller";

/// The name of one of our service accounts in an audit log.
pub fn user(account: &str) -> String {
    format!("system:serviceaccount:{NAMESPACE}:{account}")
}

/// What a fleet should be.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// Names of the remotes, which are also those of their KubevirtConfigs.
    pub remotes: Vec<String>,
    /// More environment for webhook and controller, such as `DEFAULT_KUBEVIRT_CONFIG`.
    pub env: Vec<(String, String)>,
    /// More `--set` pairs for the chart on the supervisor.
    pub set: Vec<String>,
    /// More `--set` pairs for the chart on every remote.
    pub remote_set: Vec<String>,
    /// KubeVirt's own virt-api and virt-controller on every remote; the simulator plays nodes and storage only.
    pub real_kubevirt: bool,
    /// The supervisor has an etcd of its own, which can be lost or set back without the remotes.
    pub own_etcd: bool,
    /// Told what has been done, in words for people.
    pub say: fn(&str),
}

impl Blueprint {
    /// A fleet with these remotes and nothing special.
    pub fn of(remotes: &[&str]) -> Self {
        let remotes = remotes.iter().map(|&name| name.to_owned()).collect();
        let (env, set, remote_set) = (Vec::new(), Vec::new(), Vec::new());
        Self { remotes, env, set, remote_set, real_kubevirt: false, own_etcd: false, say: |_| {} }
    }
}

/// A fleet, all of it running or not.
#[derive(Debug)]
pub struct Fleet {
    processes: Arc<Processes>,
    etcd: Etcd,
    /// The supervisor's own, where it has one.
    own_etcd: Option<Etcd>,
    supervisor: Plane,
    remotes: Vec<Plane>,
    state: State,
}

impl Fleet {
    /// Builds what has to be built, starts everything, and returns when all of it is ready.
    ///
    /// What runs already in that folder stays as it is, so that this also completes what an earlier, killed call began.
    pub async fn up(processes: Processes, blueprint: Blueprint) -> Result<Self> {
        let Blueprint { remotes, env, set, remote_set, real_kubevirt, own_etcd, say } = blueprint;
        let bins = workspace::build_workspace_bins().await?;
        for tool in Tool::ALL.into_iter().chain(Tool::KUBEVIRT.into_iter().filter(|_| real_kubevirt)) {
            binaries::locate(tool).await?;
        }
        if processes.all_running().is_empty() {
            ports::forget_taken(processes.dir());
        }
        let mut fleet =
            Self::assemble(processes, State { remotes, real_kubevirt, own_etcd, bins, ..State::default() })?;
        fleet.etcd.start().await?;
        if let Some(own) = &fleet.own_etcd {
            own.start().await?;
        }
        let definitions = furnish::remote_definitions().await?;
        let remotes =
            fleet.remotes.iter().map(|remote| furnish::remote(&fleet, remote, &definitions, &remote_set, say));
        let release = furnish::release(&fleet, &set)?;
        let (rendered, _) = try_join!(furnish::supervisor(&fleet.supervisor, &release, say), try_join_all(remotes))?;
        furnish::introduce(&fleet).await?;
        furnish::users(&fleet).await?;
        fleet.state.take_env(&rendered, &env)?;
        fleet.state.write(fleet.dir())?;

        // A cluster has its nodes before we come: otherwise its room would change under the first tests.
        try_join_all(fleet.remotes.iter().map(|remote| furnish::inhabited(&fleet, remote))).await?;
        try_join_all([Component::Webhook, Component::Controller].iter().map(|ours| fleet.start(ours))).await?;
        say("webhook, controller and simulators are ready");
        Ok(fleet)
    }

    /// The fleet that an earlier [`Fleet::up`] left in a folder, if there is one; running or not.
    pub fn open(dir: &Path) -> Result<Option<Self>> {
        let Some(state) = State::read(dir)? else { return Ok(None) };
        Self::assemble(Processes::detached(dir)?, state).map(Some)
    }

    fn assemble(processes: Processes, state: State) -> Result<Self> {
        let processes = Arc::new(processes);
        let etcd = Etcd::new(&processes)?;
        let own_etcd = state.own_etcd.then(|| Etcd::named(&processes, "supervisor-etcd")).transpose()?;
        let supervisor = Plane::new(&processes, own_etcd.as_ref().unwrap_or(&etcd), SUPERVISOR)?;
        let remote = |name: &String| Ok(Plane::new(&processes, &etcd, name)?.with_tokens(state.real_kubevirt));
        let remotes = state.remotes.iter().map(remote).collect::<Result<_>>()?;
        Ok(Self { processes, etcd, own_etcd, supervisor, remotes, state })
    }

    /// Stops everything that was started in this folder; data, keys and addresses stay.
    pub async fn down(&self) -> Result<()> {
        let planes = || self.remotes.iter().chain([&self.supervisor]);
        let of = |component: fn(String) -> Component| planes().map(move |plane| component(plane.name().to_owned()));
        let kubevirt = of(Component::VirtController).chain(of(Component::VirtApi));
        let ours: Vec<_> =
            of(Component::Sim).chain(kubevirt).chain([Component::Webhook, Component::Controller]).collect();
        try_join_all(ours.iter().map(|component| self.stop(component, Stop::Gracefully))).await?;
        try_join_all(planes().map(|plane| plane.stop(Stop::Gracefully))).await?;
        self.etcd.stop(Stop::Gracefully).await?;
        // What is left is of an earlier fleet in this folder, with other remotes.
        let left = self.processes.names();
        try_join_all(left.iter().map(|name| self.processes.stop(name, Stop::Gracefully))).await?;
        Ok(())
    }

    /// The folder of everything; logs are in `logs/`.
    pub fn dir(&self) -> &Path {
        self.processes.dir()
    }

    /// The plane where Machines are applied.
    pub fn supervisor(&self) -> &Plane {
        &self.supervisor
    }

    /// The remotes, in the order of the blueprint.
    pub fn remotes(&self) -> &[Plane] {
        &self.remotes
    }

    /// The remote of a name.
    pub fn remote(&self, name: &str) -> Result<&Plane> {
        let absent = || Error::Absent { what: format!("remote {name}") };
        self.remotes.iter().find(|plane| plane.name() == name).ok_or_else(absent)
    }

    /// Whether KubeVirt's own virt-api and virt-controller run on the remotes.
    pub fn has_real_kubevirt(&self) -> bool {
        self.state.real_kubevirt
    }

    /// The store of all planes.
    pub fn etcd(&self) -> &Etcd {
        &self.etcd
    }

    /// The processes, for looking at their logs or for starting one more beside them.
    pub fn processes(&self) -> &Arc<Processes> {
        &self.processes
    }

    /// Path of one of the product's binaries.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.state.bins.join(name)
    }
}
