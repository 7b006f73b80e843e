//! Remote clusters as data: what leads to one, which connections should run, how one is, and what it offers. Pure.

pub mod capability;
pub mod capacity;
pub mod facts;
pub mod hold;
pub mod kubeconfig;
pub mod registration;
pub mod status;

use std::collections::BTreeMap;

use kube::ResourceExt;

use crate::api::KubevirtConfig;
use crate::names::ClusterName;

/// How a configured cluster can be worked with: the one reading of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// It was not asked to the end yet: nothing is known, not even that it is away.
    Connecting,
    /// The last attempt failed; the sentence says how.
    Unreachable(String),
    /// It answers, and does not serve an API that is needed there; the sentence says which.
    Unserved(String),
    /// The present kubeconfig cannot be used, and no connection made with an earlier one serves.
    Refused {
        /// What is wrong with it.
        why: String,
        /// A connection made with an earlier one has not been tried to the end.
        older_connecting: bool,
    },
    /// Its watches are synced and have not failed since.
    Connected {
        /// UID of its `kube-system` namespace.
        id: String,
        /// What became of the present kubeconfig.
        newest: Newest,
    },
}

/// Whether a connection that serves was made with the present kubeconfig, and if not, why an earlier one is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Newest {
    /// With the present one.
    InUse,
    /// The present one cannot be used.
    Refused(String),
    /// The present one does not connect.
    Failing(String),
}

/// A digest of a kubeconfig: another one means another connection.
pub type Fingerprint = String;

/// One step from the connections that run to those that should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Connect to a cluster that is not connected.
    Start(ClusterName),
    /// Connect with the new kubeconfig, and drop the old connection only once the new one is synced.
    Replace(ClusterName),
    /// The KubevirtConfig is gone: disconnect.
    Stop(ClusterName),
    /// The kubeconfig cannot be used, and why. A connection that runs goes on.
    Reject(ClusterName, String),
}

/// What to do so that `running` becomes `wanted`. Applying the answer leaves nothing but rejections.
pub fn diff(
    wanted: &BTreeMap<ClusterName, Result<Fingerprint, String>>,
    running: &BTreeMap<ClusterName, Fingerprint>,
) -> Vec<Op> {
    let stops = running.keys().filter(|name| !wanted.contains_key(*name)).map(|name| Op::Stop(name.clone()));
    let rest = wanted.iter().filter_map(|(name, kubeconfig)| match (kubeconfig, running.get(name)) {
        (Err(why), _) => Some(Op::Reject(name.clone(), why.clone())),
        (Ok(_), None) => Some(Op::Start(name.clone())),
        (Ok(new), Some(old)) if new != old => Some(Op::Replace(name.clone())),
        (Ok(_), Some(_)) => None,
    });
    stops.chain(rest).collect()
}

/// Which cluster a KubevirtConfig leads to, as recorded at its first contact, and when the KubevirtConfig was made, as text that
/// compares as time does.
pub fn identity(config: &KubevirtConfig) -> Option<(String, String)> {
    let id = config.status.as_ref()?.cluster_id.clone().filter(|id| !id.trim().is_empty())?;
    Some((id, config.creation_timestamp().map(|time| time.0.to_string()).unwrap_or_default()))
}

/// Of names whose clusters have one identity, the eldest is the cluster, by name where they are of one age (X98). The answer has
/// each of the others with it. A cluster without an identity is itself.
pub fn elders<'c>(
    clusters: impl Iterator<Item = (&'c ClusterName, Option<(&'c str, &'c str)>)> + Clone,
) -> BTreeMap<&'c ClusterName, &'c ClusterName> {
    let known = clusters.filter_map(|(name, identity)| identity.map(|(id, since)| (name, id, since)));
    let mut eldest: BTreeMap<&str, (&str, &ClusterName)> = BTreeMap::new();
    for (name, id, since) in known.clone() {
        let known = eldest.entry(id).or_insert((since, name));
        *known = (since, name).min(*known);
    }
    let others = known.filter_map(|(name, id, _)| eldest.get(id).map(|(_, elder)| (name, *elder)));
    others.filter(|(name, elder)| name != elder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diff_starts_replaces_stops_and_rejects() {
        let name = |name: &str| ClusterName(name.to_owned());
        let wanted = BTreeMap::from([
            (name("broken"), Err("no kubeconfig".to_owned())),
            (name("new"), Ok("1".to_owned())),
            (name("rotated"), Ok("2".to_owned())),
            (name("same"), Ok("1".to_owned())),
        ]);
        let running = BTreeMap::from([
            (name("broken"), "1".to_owned()),
            (name("gone"), "1".to_owned()),
            (name("rotated"), "1".to_owned()),
            (name("same"), "1".to_owned()),
        ]);
        let want = vec![
            Op::Stop(name("gone")),
            Op::Reject(name("broken"), "no kubeconfig".to_owned()),
            Op::Start(name("new")),
            Op::Replace(name("rotated")),
        ];
        assert_eq!(diff(&wanted, &running), want);
    }

    #[test]
    fn x98_the_eldest_of_one_identity_is_the_cluster() {
        let name = |name: &str| ClusterName(name.to_owned());
        let known = [
            (name("alone"), Some(("c-3", "2026-01-01"))),
            (name("first"), Some(("c-1", "2026-01-01"))),
            (name("new"), None),
            (name("second"), Some(("c-1", "2026-02-01"))),
            (name("third"), Some(("c-1", "2026-01-02"))),
            (name("twin-a"), Some(("c-2", "2026-01-01"))),
            (name("twin-b"), Some(("c-2", "2026-01-01"))),
        ];
        let (first, twin) = (name("first"), name("twin-a"));
        let want = [(&known[3].0, &first), (&known[4].0, &first), (&known[6].0, &twin)];
        assert_eq!(elders(known.iter().map(|(name, identity)| (name, *identity))), want.into());
    }
}
