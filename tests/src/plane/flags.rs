//! Command lines of kube-apiserver and kube-controller-manager. Pure.

use super::Plane;

/// Every answer leaves one record; nothing is written when a request arrives.
pub(super) const AUDIT_POLICY: &str =
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";

/// Controllers that something real depends on: deletion by ownership, namespaces that go away, `default` service
/// accounts, the finalizer on every PVC, and the rights of `admin`, `edit` and `view`.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
                           persistentvolumeclaim-protection-controller,clusterrole-aggregation-controller";

pub(super) fn apiserver(plane: &Plane) -> Vec<String> {
    let pki = |file: &str| plane.pki.file(file).display().to_string();
    let serving = [
        format!("--etcd-servers={}", plane.etcd),
        format!("--etcd-prefix=/registry/{}", plane.name),
        format!("--bind-address={}", plane.address.ip()),
        format!("--secure-port={}", plane.address.port()),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--client-ca-file={}", pki("ca.crt")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        "--allow-privileged=true".to_owned(),
        // Ends open watches on SIGTERM; without it a stop waits for every client to hang up.
        "--shutdown-watch-termination-grace-period=1s".to_owned(),
        // One machine, trusted clients: queues would only hide who is slow.
        "--enable-priority-and-fairness=false".to_owned(),
        "--max-requests-inflight=0".to_owned(),
        "--max-mutating-requests-inflight=0".to_owned(),
    ];
    let who = [
        "--authorization-mode=RBAC".to_owned(),
        format!("--service-account-issuer={}", plane.url()),
        format!("--service-account-key-file={}", pki("sa.pub")),
        format!("--service-account-signing-key-file={}", pki("sa.key")),
    ];
    // It refuses pods in a namespace that has no service account yet. Few tests make pods, and none needs a token.
    let tokenless = (!plane.tokens).then(|| "--disable-admission-plugins=ServiceAccount".to_owned());
    // For aggregated APIs: virt-api reads these from the ConfigMap extension-apiserver-authentication.
    let front_proxy = [
        format!("--proxy-client-cert-file={}", pki("front-proxy.crt")),
        format!("--proxy-client-key-file={}", pki("front-proxy.key")),
        format!("--requestheader-client-ca-file={}", pki("front-proxy-ca.crt")),
        "--requestheader-allowed-names=front-proxy".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
    ];
    let audit = [
        format!("--audit-policy-file={}", plane.dir.join("audit-policy.yaml").display()),
        format!("--audit-log-path={}", plane.audit().path().display()),
        // The record of a request is there when its answer is, and no rotation moves it away from under a reader.
        "--audit-log-mode=blocking".to_owned(),
        "--audit-log-maxsize=1000000".to_owned(),
    ];
    let admission = Some(plane.admission()).filter(|file| file.is_file());
    let admission = admission.map(|file| format!("--admission-control-config-file={}", file.display()));
    serving.into_iter().chain(who).chain(tokenless).chain(front_proxy).chain(audit).chain(admission).collect()
}

pub(super) fn kcm(plane: &Plane) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", plane.dir.join("kcm.kubeconfig").display()),
        format!("--controllers={CONTROLLERS}"),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
    ]
}
