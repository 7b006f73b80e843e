//! The conditions of a KubevirtConfig. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::super::facts::KubeVirt;
use super::super::{Newest, View};
use super::seen::Seen;
use crate::api::{Condition, KubevirtConfig, KubevirtConfigStatus};
use crate::platform::status::{Ready, ready};
use crate::reason::{Reason, ShownIn};

/// The summary of the connection.
pub(super) const READY: &str = "Ready";
/// Connections are made with the present kubeconfig.
pub(super) const KUBECONFIG_IN_USE: &str = "KubeconfigInUse";
/// KubeVirt runs there. Absent while that is not known.
pub(super) const KUBEVIRT_READY: &str = "KubeVirtReady";
/// The credentials end soon, or have ended. Absent otherwise.
pub(super) const CREDENTIALS_EXPIRING: &str = "CredentialsExpiring";
/// The KubevirtConfig is to go, and Machines are recorded on it. Absent otherwise.
pub(super) const DELETION_BLOCKED: &str = "DeletionBlocked";

/// An older KubevirtConfig leads to the same cluster. Absent otherwise.
pub(super) const DUPLICATE: &str = "Duplicate";

/// The cluster is as its platform baseline says. Absent while nobody asks for one.
pub(super) const PLATFORM_READY: &str = "PlatformReady";

/// A condition that is not written yet.
#[derive(Clone, Debug)]
pub(super) struct Aspect {
    pub(super) type_: &'static str,
    /// `True`, `False` or `Unknown`.
    pub(super) status: &'static str,
    pub(super) reason: Reason,
    pub(super) message: String,
    /// Nothing is known that is newer than what was said before.
    kept: bool,
}

impl Aspect {
    pub(super) fn new(type_: &'static str, status: &'static str, reason: Reason, message: String) -> Self {
        Self { type_, status, reason, message, kept: false }
    }

    /// What was said before of this aspect, if anything.
    pub(super) fn kept(type_: &'static str, previous: &KubevirtConfigStatus) -> Option<Self> {
        let before = previous.conditions.iter().find(|condition| condition.type_ == type_)?;
        let status = ["True", "False", "Unknown"].into_iter().find(|word| *word == before.status)?;
        let message = before.message.clone();
        Some(Self { type_, status, reason: reason(&before.reason)?, message, kept: true })
    }

    /// Whether the cluster works, and somebody should look at it nevertheless.
    pub(super) fn degrades(&self) -> bool {
        match self.type_ {
            KUBECONFIG_IN_USE | KUBEVIRT_READY => self.status == "False",
            CREDENTIALS_EXPIRING => self.reason == Reason::CredentialsExpired,
            _ => false,
        }
    }

    /// The condition; its transition is the earlier one unless the status changed.
    pub(super) fn into_condition(
        self,
        config: &KubevirtConfig,
        previous: &KubevirtConfigStatus,
        now: &Time,
    ) -> Condition {
        let before =
            previous.conditions.iter().find(|before| before.type_ == self.type_ && before.status == self.status);
        let since = before.and_then(|before| before.last_transition_time.clone());
        let generation = before.filter(|_| self.kept).map(|before| before.observed_generation);
        Condition {
            type_: self.type_.to_owned(),
            status: self.status.to_owned(),
            reason: self.reason.code().to_owned(),
            message: self.message,
            last_transition_time: since.or_else(|| Some(now.clone())),
            observed_generation: generation.unwrap_or(config.metadata.generation),
        }
    }
}

/// The reason of a code that a KubevirtConfig shows.
pub(super) fn reason(code: &str) -> Option<Reason> {
    Reason::ALL.iter().copied().find(|reason| reason.shown_in() == ShownIn::KubevirtConfig && reason.code() == code)
}

/// The summary, and every other condition.
pub(super) fn aspects(
    config: &KubevirtConfig,
    previous: &KubevirtConfigStatus,
    seen: &Seen,
    now: &Time,
) -> (Aspect, Vec<Aspect>) {
    let recorded = previous.cluster_id.as_deref();
    let others = [
        kubeconfig(previous, seen),
        kubevirt(recorded, previous, seen),
        credentials(config, seen, now.0),
        deletion(config, previous, seen.machines),
        duplicate(seen),
        platform(previous, seen),
    ];
    (connection(recorded, previous, &seen.view), others.into_iter().flatten().collect())
}

fn connection(recorded: Option<&str>, previous: &KubevirtConfigStatus, view: &View) -> Aspect {
    let aspect = |status, reason, message: &str| Aspect::new(READY, status, reason, message.to_owned());
    match view {
        View::Connecting => Aspect::kept(READY, previous)
            .unwrap_or_else(|| aspect("Unknown", Reason::ConnectionFailed, "not connected yet")),
        View::Refused { why, .. } => aspect("False", Reason::KubeconfigInvalid, why),
        View::Unreachable(why) => aspect("False", Reason::ConnectionFailed, why),
        View::Unserved(why) => aspect("False", Reason::UnsupportedApi, why),
        View::Connected { id, .. } => match recorded.filter(|recorded| recorded != id) {
            Some(recorded) => aspect(
                "False",
                Reason::ClusterChanged,
                &format!(
                    "the kubeconfig leads to cluster {id}, but {recorded} is recorded: nothing is written there. Put a kubeconfig of that cluster into the Secret, and register another cluster under another name"
                ),
            ),
            None => aspect("True", Reason::ConfigConnected, "the cluster answers"),
        },
    }
}

fn kubeconfig(previous: &KubevirtConfigStatus, seen: &Seen) -> Option<Aspect> {
    let aspect = |status, reason, message| Some(Aspect::new(KUBECONFIG_IN_USE, status, reason, message));
    let in_use = || match &seen.webhook {
        None => aspect("True", Reason::KubeconfigInUse, "connections are made with the present kubeconfig".to_owned()),
        Some(why) => aspect(
            "False",
            Reason::KubeconfigInvalid,
            format!(
                "the webhook cannot use its own kubeconfig, and knows nothing of the cluster once its present connection ends: {why}"
            ),
        ),
    };
    let earlier = "an earlier kubeconfig is still in use; the present one";
    match &seen.view {
        View::Connecting => Aspect::kept(KUBECONFIG_IN_USE, previous),
        View::Refused { why, .. } => aspect("False", Reason::KubeconfigInvalid, why.clone()),
        View::Unreachable(_) | View::Unserved(_) => in_use(),
        View::Connected { newest, .. } => match newest {
            Newest::InUse => in_use(),
            Newest::Refused(why) => aspect("False", Reason::KubeconfigInvalid, format!("{earlier} is refused: {why}")),
            Newest::Failing(why) => {
                aspect("False", Reason::ConnectionFailed, format!("{earlier} does not connect: {why}"))
            }
        },
    }
}

/// Of a cluster that is away, or is not the recorded one, the earlier answer counts.
fn kubevirt(recorded: Option<&str>, previous: &KubevirtConfigStatus, seen: &Seen) -> Option<Aspect> {
    let aspect = |status, reason, message: &str| Some(Aspect::new(KUBEVIRT_READY, status, reason, message.to_owned()));
    let here = matches!(&seen.view, View::Connected { id, .. } if recorded.is_none_or(|recorded| recorded == id));
    match seen.offered.learnt.kubevirt.as_ref().filter(|_| here) {
        Some(None) => {
            aspect("False", Reason::KubeVirtMissing, "KubeVirt is not installed on the cluster: install it there")
        }
        Some(Some(KubeVirt { running: Some(true), .. })) => aspect("True", Reason::KubeVirtRunning, "KubeVirt runs"),
        Some(Some(KubeVirt { running: Some(false), .. })) => aspect(
            "False",
            Reason::KubeVirtNotRunning,
            "KubeVirt is installed, and does not say that all of it runs: kubectl -n kubevirt get kubevirts,pods on the cluster",
        ),
        Some(Some(KubeVirt { running: None, .. })) | None => Aspect::kept(KUBEVIRT_READY, previous),
    }
}

fn credentials(config: &KubevirtConfig, seen: &Seen, now: Timestamp) -> Option<Aspect> {
    let validity = seen.validity?;
    let end = Timestamp::from_second(validity.until).ok()?;
    let secret = &config.spec.kubeconfig_secret_ref;
    let (reason, message) = match now.as_second() {
        now if now >= validity.until => (
            Reason::CredentialsExpired,
            format!("the credentials of the kubeconfig in Secret {secret} ended at {end}: put new ones there"),
        ),
        now if now >= validity.told_from() => (
            Reason::CredentialsExpiring,
            format!("the credentials of the kubeconfig in Secret {secret} end at {end}: put new ones there before"),
        ),
        _ => return None,
    };
    Some(Aspect::new(CREDENTIALS_EXPIRING, "True", reason, message))
}

fn duplicate(seen: &Seen) -> Option<Aspect> {
    let elder = seen.elder.as_ref()?;
    let message = format!(
        "KubevirtConfig \"{elder}\" is older and leads to the same cluster: this one takes no new Machines, and its Machines go on. Delete it when none are left, or let it take over by deleting \"{elder}\""
    );
    Some(Aspect::new(DUPLICATE, "True", Reason::SameCluster, message))
}

fn platform(previous: &KubevirtConfigStatus, seen: &Seen) -> Option<Aspect> {
    let Some(passed) = &seen.platform else { return Aspect::kept(PLATFORM_READY, previous) };
    let Ready { status, reason, message } = ready(passed.mode, &passed.pass)?;
    Some(Aspect::new(PLATFORM_READY, status, reason, message))
}

fn deletion(config: &KubevirtConfig, previous: &KubevirtConfigStatus, machines: Option<usize>) -> Option<Aspect> {
    config.metadata.deletion_timestamp.as_ref()?;
    let message = match machines {
        None => return Aspect::kept(DELETION_BLOCKED, previous),
        Some(0) => return None,
        Some(1) => "the deletion waits until the one Machine that is left on the cluster is deleted".to_owned(),
        Some(count) => {
            format!("the deletion waits until the {count} Machines that are left on the cluster are deleted")
        }
    };
    Some(Aspect::new(
        DELETION_BLOCKED,
        "True",
        Reason::MachinesRemain,
        format!("{message}; they are cared for, and new ones are refused: kubectl get machines -A"),
    ))
}
