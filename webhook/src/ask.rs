//! The two live questions of admission: is the VM on a cluster whose watches are silent (X43), and may the author of a
//! request read a Secret (T9). I/O: the remote clusters and the supervisor.
//!
//! Rare, in parallel, and bounded: no request waits longer than [`BUDGET`] for all of them together. What is not answered
//! stays unknown, and `decide` knows what unknown means.

mod user;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use admission::review::Request;
use admission::{Answers, Needs};
use futures::future::{join_all, try_join_all};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use model::machine::owner::{self, Ownership};
use model::names::{ClusterName, VmKey};
use runtime::clusters::{Cluster, explain, said};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use self::user::User;
use crate::link::{Index, virtual_machines};

/// The longest that the questions of one request take; API servers wait 5 s, body and answer included.
pub const BUDGET: Duration = Duration::from_secs(2);
const VM: Duration = Duration::from_millis(1200);
const SECRET: Duration = Duration::from_millis(1500);
/// Questions on their way at the same time. Behind a cluster that hangs, requests queue here and then go without an answer.
const AT_ONCE: usize = 64;

/// The connection to a cluster, if there is one.
type Find = Box<dyn Fn(&ClusterName) -> Option<Arc<Cluster<Index>>> + Send + Sync>;

/// Whom to ask.
pub struct Asking {
    supervisor: Client,
    find: Find,
    places: Semaphore,
}

impl Asking {
    /// Asks this supervisor and these clusters.
    pub fn new(
        supervisor: Client,
        find: impl Fn(&ClusterName) -> Option<Arc<Cluster<Index>>> + Send + Sync + 'static,
    ) -> Self {
        Self { supervisor, find: Box::new(find), places: Semaphore::new(AT_ONCE) }
    }

    /// The answers that come in time.
    pub async fn ask(&self, needs: Needs, request: &Request<'_>) -> Answers {
        let user = request.user_info.map(RawValue::get);
        let vms = join_all(needs.vms.into_iter().map(|(cluster, keys)| self.vms(cluster, keys)));
        let (vms, readable) = tokio::join!(vms, self.secrets(&needs.secrets, &request.namespace, user));
        Answers { vms: vms.into_iter().flatten().collect(), readable }
    }

    /// What a cluster says about each of these VMs; nothing unless it answered for all of them.
    async fn vms(&self, name: ClusterName, keys: Vec<VmKey>) -> Option<(ClusterName, Vec<(VmKey, Option<Ownership>)>)> {
        let cluster = (self.find)(&name)?;
        let asked = async {
            let _place = self.places.acquire().await;
            try_join_all(keys.iter().map(|key| vm(&cluster, key))).await
        };
        match tokio::time::timeout(VM, asked).await {
            Ok(Ok(said)) => Some((name, keys.into_iter().zip(said).collect())),
            Ok(Err(why)) => {
                tracing::debug!(kubevirtConfig = %name, error = why, "a cluster did not say whether a VM is there");
                None
            }
            Err(_) => {
                cluster.suspect.notify_one();
                None
            }
        }
    }

    async fn secrets(
        &self,
        secrets: &[String],
        namespace: &str,
        user: Option<&str>,
    ) -> BTreeMap<String, Result<bool, String>> {
        if secrets.is_empty() {
            return BTreeMap::new();
        }
        let user = User::read(user);
        let one = async |secret: &String| {
            let readable = match &user {
                Err(why) => Err(why.clone()),
                Ok(None) => Ok(false),
                Ok(Some(user)) => {
                    let asked = async {
                        let _place = self.places.acquire().await;
                        self.may_read(user, namespace, secret).await
                    };
                    let late = |_| Err(format!("the supervisor did not say within {} ms", SECRET.as_millis()));
                    tokio::time::timeout(SECRET, asked).await.unwrap_or_else(late)
                }
            };
            (secret.clone(), readable)
        };
        join_all(secrets.iter().map(one)).await.into_iter().collect()
    }

    async fn may_read(&self, user: &User, namespace: &str, secret: &str) -> Result<bool, String> {
        let resource = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            verb: Some("get".to_owned()),
            version: Some("v1".to_owned()),
            resource: Some("secrets".to_owned()),
            name: Some(secret.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec { resource_attributes: Some(resource), ..user.spec() };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.supervisor.clone());
        let answer = reviews.create(&PostParams::default(), &review).await.map_err(|why| said(&why))?;
        let status = answer.status.ok_or("the supervisor's answer has no status")?;
        Ok(status.allowed && status.denied != Some(true))
    }
}

/// Whether a VM is there, and whose it is. Only an API server that knows the kind can say that there is none of that name.
async fn vm(cluster: &Arc<Cluster<Index>>, key: &VmKey) -> Result<Option<Ownership>, String> {
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &key.namespace, &virtual_machines());
    match api.get_metadata(&key.name).await {
        Ok(vm) => Ok(Some(owner::read(&vm.metadata))),
        Err(kube::Error::Api(status))
            if status.code == 404
                && status.details.as_ref().is_some_and(|it| it.name == key.name && it.group == "kubevirt.io") =>
        {
            Ok(None)
        }
        Err(why) => Err(explain(&why, "get VirtualMachines")),
    }
}

#[cfg(test)]
#[path = "ask/tests.rs"]
mod tests;
