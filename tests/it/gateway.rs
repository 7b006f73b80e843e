//! The gateway on a real fleet, as curl meets it: the documented calls word for word, and what callers may not do.

mod away;
mod hubs;
mod machines;
mod secrets;
mod strange;

use http::{HeaderMap, Method, Request};
use kube::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tests::fleet::{self, Blueprint, CONFIGS_NAMESPACE, Fleet, NAMESPACE};
use tests::install::{apply, kubectl};
use tests::process::Processes;
use tokio::sync::OnceCell;

use crate::machines::said;

const HUBS: &str = "/api/private/v1/hubs";
const VMS: &str = "/api/fulfillment/v1/virtual_machines";

/// A failure is kept, too: it would cost every test the same minute again.
static SITE: OnceCell<Result<Fleet, String>> = OnceCell::const_new();

/// A fleet whose clusters `north` and `hub` run, with a gateway, and without any hub for virtual machines: `north` is for clusters
/// only, and nobody has registered `hub`.
async fn site() -> &'static Fleet {
    let up = SITE.get_or_init(async || up().await.map_err(|error| error.to_string())).await;
    up.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

async fn up() -> tests::Result<Fleet> {
    let fleet = Fleet::up(Processes::kept()?, Blueprint::of(&["north", "hub"])).await?;
    let configs = ["--namespace", CONFIGS_NAMESPACE];
    let only = ["patch", "kvc/north", "--type=merge", "--patch", r#"{"spec": {"capabilities": ["clusters"]}}"#];
    kubectl(fleet.supervisor(), &[&configs[..], &only].concat(), "").await?;
    let gone = ["delete", "kvc/hub", "secret/hub-kubeconfig", "--timeout=60s"];
    kubectl(fleet.supervisor(), &[&configs[..], &gone].concat(), "").await?;
    for (namespace, _) in TENANTS {
        fleet.supervisor().ensure_namespace(namespace).await?;
    }
    apply(fleet.supervisor(), &users().to_string()).await?;
    fleet.start_gateway(&[]).await?;
    Ok(fleet)
}

/// Each has a namespace of Machines.
const TENANTS: [(&str, &str); 3] = [("team-a", "alice"), ("team-m", "mallory"), ("team-p", "peter")];

/// Tenants have Machines, each in a namespace of its own; `hub-admin` has KubevirtConfigs, and may write Secrets and not read them.
fn users() -> Value {
    let role = |name: &str, namespace: &str, rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name, "namespace": namespace}, "rules": rules});
    let binding = |kind: &str, name: &str, namespace: &str, of: &str, home: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": of, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": home}],
        })
    };
    let account = |name: &str, namespace: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}});
    let all = json!(["get", "list", "create", "patch", "delete"]);
    let machines = json!([{"apiGroups": ["vitistack.io"], "resources": ["machines"], "verbs": all}]);
    let hubs = json!([
        {"apiGroups": ["vitistack.io"], "resources": ["kubevirtconfigs"], "verbs": all},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch"]},
    ]);
    let classes = json!([{"apiGroups": ["vitistack.io"], "resources": ["machineclasses"], "verbs": ["get", "list"]}]);
    let mut reader = role("alice", "", classes);
    reader["kind"] = json!("ClusterRole");
    let class = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "MachineClass", "metadata": {"name": "rhel-9-vm-template"},
        "spec": {"cpu": {"cores": 1}, "memory": {"quantity": "2Gi"}, "machineProviders": ["kubevirt"]},
    });
    let tenants = TENANTS.iter().flat_map(|(home, name)| {
        let bound = binding("RoleBinding", name, home, "Role", home);
        [account(name, home), role(name, home, machines.clone()), bound]
    });
    let mut items: Vec<Value> = tenants.collect();
    items.extend([
        account("hub-admin", NAMESPACE),
        role("hub-admin", CONFIGS_NAMESPACE, hubs),
        binding("RoleBinding", "hub-admin", CONFIGS_NAMESPACE, "Role", NAMESPACE),
        reader,
        binding("ClusterRoleBinding", "alice", "", "ClusterRole", "team-a"),
        class,
    ]);
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// Somebody who calls, with a token or without.
struct Caller {
    client: Client,
    token: Option<String>,
}

/// What is answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: HeaderMap,
    body: Value,
}

impl Caller {
    async fn of(fleet: &Fleet, account: Option<(&str, &str)>) -> Self {
        let token = match account {
            Some((namespace, name)) => {
                Some(fleet.supervisor().token(namespace, name).await.unwrap_or_else(|error| panic!("{error}")))
            }
            None => None,
        };
        let address = fleet.start_gateway(&[]).await.unwrap_or_else(|error| panic!("{error}"));
        let mut config = Config::new(format!("https://{address}").parse().expect("a URL"));
        let authority = std::fs::read(fleet.supervisor().pki().file("ca.crt")).expect("a certificate");
        let roots = CertificateDer::pem_slice_iter(&authority).map(|der| der.expect("a certificate").to_vec());
        config.root_cert = Some(roots.collect());
        // A 503 is an answer, and not for kube to hide.
        config.default_retry = false;
        tests::install_crypto();
        Self { client: Client::try_from(config).expect("a client"), token }
    }

    async fn call(&self, method: Method, path: &str, head: &[(&str, &str)], body: impl Into<String>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        let request = request.body(kube::client::Body::from(body.into().into_bytes())).expect("a request");
        let answer = self.client.send(request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let (head, body) = answer.into_parts();
        let bytes = body.collect_bytes().await.expect("a body");
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        assert!(head.headers.contains_key("x-request-id"), "{path}: {head:?}");
        let is_problem = head.headers.get("content-type").is_some_and(|it| it == "application/problem+json");
        assert_eq!(is_problem, head.status.is_client_error() || head.status.is_server_error(), "{path}: {head:?}");
        Answer { status: head.status.as_u16(), head: head.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], "").await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, &[], body.to_string()).await
    }

    async fn patch(&self, path: &str, head: &[(&str, &str)], body: &Value) -> Answer {
        self.call(Method::PATCH, path, head, body.to_string()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, &[], "").await
    }
}

impl Answer {
    fn said(&self, header: &str) -> &str {
        self.head.get(header).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// Pointer and detail of each mistake.
    fn mistakes(&self) -> Vec<(&str, &str)> {
        let all = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .map(|it| (it["pointer"].as_str().unwrap_or_default(), it["detail"].as_str().unwrap_or_default()))
            .collect()
    }
}

async fn tenant(fleet: &Fleet, at: usize) -> Caller {
    Caller::of(fleet, Some(TENANTS[at])).await
}

async fn admin(fleet: &Fleet) -> Caller {
    Caller::of(fleet, Some((NAMESPACE, "hub-admin"))).await
}

/// A kubeconfig of a cluster, as somebody has it who registers that.
async fn kubeconfig(fleet: &Fleet, cluster: &str) -> String {
    let plane = fleet.remote(cluster).unwrap_or_else(|error| panic!("{error}"));
    plane.token_kubeconfig(NAMESPACE, fleet::REMOTE_CONTROLLER_ACCOUNT).await.unwrap_or_else(|error| panic!("{error}"))
}

/// What the supervisor has of a kind in a namespace.
async fn stored(fleet: &Fleet, namespace: &str, kind: &str) -> Vec<String> {
    let args = ["--namespace", namespace, "get", kind, "--output", "name"];
    let found = said(kubectl(fleet.supervisor(), &args, "").await).unwrap_or_else(|error| panic!("{error}"));
    found.lines().filter(|line| line.contains('/')).map(str::to_owned).collect()
}
