//! Whether KubevirtConfigs are namespaced, as in the seeds and in our CRD, or cluster-scoped, as in the published one (X9).
//! I/O: asks the supervisor's discovery once, at start.

use kube::api::Api;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use model::api::KubevirtConfig;
use model::names::{ClusterName, GROUP, VERSION};

use super::errors::said;
use super::link::DEADLINE;
use crate::pause::until_it_answers;

/// Where KubevirtConfigs are. The CRD that is installed decides; it cannot change its scope while it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In this namespace (`KUBEVIRT_CONFIGS_NAMESPACE`), with their Secrets beside them.
    Namespaced(String),
    /// In no namespace; each names the one of its Secret in `spec.secretNamespace`.
    Cluster,
}

impl Scope {
    /// Asks until the supervisor says which one it is; `namespace` is used if they are namespaced.
    pub async fn discover(client: &Client, namespace: &str) -> Self {
        let namespaced = until_it_answers("the scope of KubevirtConfigs is not known yet", || namespaced(client)).await;
        if namespaced { Self::Namespaced(namespace.to_owned()) } else { Self::Cluster }
    }

    /// All KubevirtConfigs.
    pub fn configs(&self, client: Client) -> Api<KubevirtConfig> {
        match self {
            Self::Namespaced(namespace) => Api::namespaced(client, namespace),
            // The path of a cluster-scoped kind, for single objects too.
            Self::Cluster => Api::all(client),
        }
    }

    /// The key of a KubevirtConfig in a store.
    pub fn key(&self, name: &ClusterName) -> ObjectRef<KubevirtConfig> {
        match self {
            Self::Namespaced(namespace) => ObjectRef::new(&name.0).within(namespace),
            Self::Cluster => ObjectRef::new(&name.0),
        }
    }

    /// The namespace of a KubevirtConfig's Secret, or why it has none that is allowed.
    pub fn secret_namespace<'c>(&'c self, config: &'c KubevirtConfig) -> Result<&'c str, String> {
        let written = config.spec.secret_namespace.as_deref().filter(|written| !written.is_empty());
        match (self, written) {
            (Self::Namespaced(beside), Some(other)) if other != beside => Err(format!(
                "spec.secretNamespace is {other:?}: the Secret must be in {beside:?}, beside the KubevirtConfig"
            )),
            (Self::Namespaced(beside), _) => Ok(beside),
            (Self::Cluster, Some(written)) => Ok(written),
            (Self::Cluster, None) => {
                let name = config.name_any();
                Err(format!(
                    "spec.secretNamespace is missing: name the namespace of the Secret with the kubeconfig of {name:?}"
                ))
            }
        }
    }
}

async fn namespaced(client: &Client) -> Result<bool, String> {
    let group = format!("{GROUP}/{VERSION}");
    let served = tokio::time::timeout(DEADLINE, client.list_api_group_resources(&group)).await;
    let served = served.map_err(|_| "no answer".to_owned())?.map_err(|why| said(&why))?;
    let found = served.resources.iter().find(|resource| resource.name == "kubevirtconfigs");
    found
        .map(|resource| resource.namespaced)
        .ok_or_else(|| format!("{group} has no kubevirtconfigs: install the CRDs of the chart"))
}

#[cfg(test)]
mod tests {
    use model::api::KubevirtConfigSpec;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn x9_b9_the_secret_is_beside_a_namespaced_config_and_anywhere_for_a_cluster_scoped_one() {
        let beside = Scope::Namespaced("kubevirt-configs".to_owned());
        #[rustfmt::skip]
        let cases = [
            ("X9 B9: namespaced",                    &beside,         None,                     Ok("kubevirt-configs")),
            ("X9: namespaced, said twice",           &beside,         Some("kubevirt-configs"), Ok("kubevirt-configs")),
            ("X9: namespaced, empty",                &beside,         Some(""),                 Ok("kubevirt-configs")),
            ("B9: namespaced, elsewhere",            &beside,         Some("kube-system"),      Err("spec.secretNamespace is \"kube-system\": the Secret must be in \"kubevirt-configs\"")),
            ("X9 B29: cluster-scoped",               &Scope::Cluster, Some("team-a"),           Ok("team-a")),
            ("X9: cluster-scoped, nothing said",     &Scope::Cluster, None,                     Err("spec.secretNamespace is missing: name the namespace")),
            ("X9: cluster-scoped, empty",            &Scope::Cluster, Some(""),                 Err("spec.secretNamespace is missing: name the namespace")),
        ];
        every_row(cases, |(name, scope, written, want)| {
            let spec = KubevirtConfigSpec { secret_namespace: written.map(str::to_owned), ..Default::default() };
            let config = KubevirtConfig::new("east", spec);
            match (scope.secret_namespace(&config), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{name}"),
                (Err(got), Err(want)) => assert!(got.starts_with(want), "{name}: {got}"),
                (got, want) => panic!("{name}: {got:?}, not {want:?}"),
            }
        });
    }

    #[test]
    fn x9_the_scope_decides_paths_and_keys() {
        let beside = Scope::Namespaced("a".to_owned());
        let name = ClusterName("east".to_owned());
        assert_eq!(beside.key(&name).to_string(), "KubevirtConfig.v1alpha1.vitistack.io/east.a");
        assert_eq!(Scope::Cluster.key(&name).to_string(), "KubevirtConfig.v1alpha1.vitistack.io/east");
    }
}
