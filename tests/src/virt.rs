//! KubeVirt itself on a plane: its definitions, virt-api behind its own webhooks, and virt-controller. Without virt-operator and
//! nodes: the simulator plays those. Started in this order, because the webhooks refuse everything while virt-api is away.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use http::Request;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use crate::binaries::{self, Tool};
use crate::error::{Error, Result, io, kube};
use crate::install::apply;
use crate::pki::write_private;
use crate::plane::Plane;
use crate::ports;
use crate::process::{Processes, Program};
use crate::remote_crds::document;

/// The version that is built.
const VERSION: &str = "v1.8.2";
/// Where KubeVirt is installed.
const NAMESPACE: &str = "kubevirt";
/// virt-api lets only the service accounts of KubeVirt change an instance.
const ACCOUNT: &str = "kubevirt-controller";
const READY_WITHIN: Duration = Duration::from_secs(120);

/// The kubeconfig of virt-controller and of whoever plays virt-handler.
pub(crate) fn kubeconfig(plane: &Plane) -> std::path::PathBuf {
    plane.dir().join("kubevirt.kubeconfig")
}

/// Name of the process of virt-api on a plane.
pub(crate) fn api(plane: &str) -> String {
    format!("{plane}-virt-api")
}

/// Name of the process of virt-controller on a plane.
pub(crate) fn controller(plane: &str) -> String {
    format!("{plane}-virt-controller")
}

/// Installs KubeVirt on a plane whose API server runs, and starts it; returns when both processes are ready.
pub(crate) async fn install(plane: &Plane, processes: &Processes) -> Result<()> {
    let (definitions, webhooks) = definitions().await?;
    let all: Vec<Value> = definitions.into_iter().chain(CDI.map(of_cdi)).collect();
    apply(plane, &yaml(&all)).await?;
    plane.ensure_namespace(NAMESPACE).await?;
    let authority = plane.pki().read("ca.crt")?;
    let account = json!({ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE });
    let objects = [
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": ACCOUNT, "namespace": NAMESPACE } }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "kubevirt" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [account],
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "kubevirt-ca", "namespace": NAMESPACE },
            "data": { "ca-bundle": authority },
        }),
        json!({
            "apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": { "name": "kubevirt", "namespace": NAMESPACE },
            "spec": {},
        }),
    ];
    apply(plane, &yaml(&objects)).await?;
    say_deployed(plane).await?;
    write_private(&kubeconfig(plane), &plane.token_kubeconfig(NAMESPACE, ACCOUNT).await?)?;

    start(plane, processes, Tool::VirtApi).await?;
    let address = address(plane, Tool::VirtApi)?;
    let webhooks: Vec<Value> = webhooks.into_iter().map(|it| directed(it, address, &authority)).collect();
    apply(plane, &yaml(&webhooks)).await?;
    start(plane, processes, Tool::VirtController).await
}

/// What virt-controller watches where there are DataVolumes: kind, plural and scope.
const CDI: [(&str, &str, &str); 4] = [
    ("CDI", "cdis", "Cluster"),
    ("CDIConfig", "cdiconfigs", "Cluster"),
    ("DataSource", "datasources", "Namespaced"),
    ("StorageProfile", "storageprofiles", "Cluster"),
];

/// A definition that takes anything: no such object is ever made here.
fn of_cdi((kind, plural, scope): (&str, &str, &str)) -> Value {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.cdi.kubevirt.io") },
        "spec": {
            "group": "cdi.kubevirt.io", "scope": scope, "names": { "kind": kind, "plural": plural },
            "versions": [{ "name": "v1beta1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    })
}

/// What virt-operator writes once it has installed everything.
async fn say_deployed(plane: &Plane) -> Result<()> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", "KubeVirt"));
    let api = Api::<DynamicObject>::namespaced_with(plane.client().await?, NAMESPACE, &resource);
    let status = json!({ "status": {
        "phase": "Deployed", "defaultArchitecture": "amd64", "observedKubeVirtVersion": VERSION,
        "targetKubeVirtVersion": VERSION, "operatorVersion": VERSION,
    } });
    let patched = api.patch_status("kubevirt", &PatchParams::default(), &Patch::Merge(status)).await;
    patched.map(drop).map_err(kube("cannot say that KubeVirt is deployed"))
}

fn address(plane: &Plane, tool: Tool) -> Result<SocketAddr> {
    let name = if tool == Tool::VirtApi { api(plane.name()) } else { controller(plane.name()) };
    let run = plane.kubeconfig();
    ports::claim(run.parent().expect("invariant: the kubeconfig is in the folder of the processes"), &name)
}

/// Starts virt-api or virt-controller and waits until it is well; nothing happens to one that runs.
pub(crate) async fn start(plane: &Plane, processes: &Processes, tool: Tool) -> Result<()> {
    let at = address(plane, tool)?;
    let file = |name: &str| plane.pki().file(name).display().to_string();
    let mut args = vec![
        format!("--kubeconfig={}", kubeconfig(plane).display()),
        format!("--listen={}", at.ip()),
        format!("--port={}", at.port()),
    ];
    let (name, more) = if tool == Tool::VirtApi {
        let certificates = [
            ("tls-cert-file", "apiserver.crt"),
            ("tls-key-file", "apiserver.key"),
            ("handler-cert-file", "admin.crt"),
            ("handler-key-file", "admin.key"),
        ];
        (api(plane.name()), certificates)
    } else {
        args.extend(["--launcher-image=virt-launcher".to_owned(), "--exporter-image=virt-exportserver".to_owned()]);
        let certificates = [("prom-cert-file", "apiserver.crt"), ("prom-key-file", "apiserver.key")];
        (controller(plane.name()), [certificates[0], certificates[1], certificates[0], certificates[1]])
    };
    args.extend(more.iter().map(|(flag, certificate)| format!("--{flag}={}", file(certificate))));
    let path = binaries::locate(tool).await?;
    processes.start(&Program { name: name.clone(), path, args, env: Vec::new() })?;
    let client = plane.client_of(at).await?;
    let look = async || {
        let request = Request::get("/healthz").body(Vec::new()).map_err(|error| error.to_string())?;
        client.request_text(request).await.map(drop).map_err(|error| error.to_string())
    };
    processes.until_ready(&name, READY_WITHIN, look).await
}

/// The definitions, and the webhook configurations.
async fn definitions() -> Result<(Vec<Value>, Vec<Value>)> {
    let program = binaries::locate(Tool::VirtDefinitions).await?;
    let output = Command::new(&program).output().map_err(io("cannot run", &program))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let objects = text.lines().map(|line| {
        let unreadable = |error: serde_json::Error| Error::Content { path: program.clone(), reason: error.to_string() };
        serde_json::from_str::<Value>(line).map_err(unreadable)
    });
    let objects = objects.collect::<Result<Vec<_>>>()?;
    Ok(objects.into_iter().partition(|object| object["kind"] == "CustomResourceDefinition"))
}

/// A webhook configuration that calls virt-api where it listens here.
fn directed(mut configuration: Value, address: SocketAddr, authority: &str) -> Value {
    use base64::Engine;
    let bundle = base64::engine::general_purpose::STANDARD.encode(authority);
    for webhook in configuration["webhooks"].as_array_mut().into_iter().flatten() {
        let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap_or_default();
        webhook["clientConfig"] = json!({ "url": format!("https://{address}{path}"), "caBundle": bundle });
    }
    configuration
}

fn yaml(objects: &[Value]) -> String {
    objects.iter().map(document).collect()
}
