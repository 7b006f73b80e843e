//! The chart as real Helm renders it: what is deployed, which requests call the webhook, and how the pods are
//! confined. Runs helm, talks to no API server.

mod controllers;
mod policies;
mod rights;
mod values;
mod webhooks;

use crate::table::every_row;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tests::binaries::{self, Tool};
use tests::install::chart;

/// Where the release lives in these tests; C34 and C36 name it.
const NAMESPACE: &str = "kubevirt-operator-system";

/// Runs helm on the chart; each of `sets` is a `--set`. `Err` is what helm printed.
fn helm(before: &[&str], sets: &[&str]) -> Result<String, String> {
    let helm = binaries::find(Tool::Helm).unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(helm);
    command.args(before).arg(chart()).args(["--namespace", NAMESPACE]);
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    let output = command.output().expect("helm runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Every object of a release.
struct Rendered(Vec<Value>);

impl Rendered {
    fn with(sets: &[&str]) -> Self {
        let text = helm(&["template", "kubevirt-operator"], sets).unwrap_or_else(|error| panic!("{sets:?}: {error}"));
        Self(serde_saphyr::from_multiple(&text).expect("helm prints YAML"))
    }

    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    fn get(&self, kind: &'static str, name: &str) -> &Value {
        self.of_kind(kind)
            .find(|object| object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no {kind} {name}; there are {:?}", self.names(kind)))
    }

    fn names(&self, kind: &'static str) -> BTreeSet<&str> {
        self.of_kind(kind).map(|object| text(&object["metadata"]["name"])).collect()
    }

    fn pod(&self, deployment: &str) -> &Value {
        &self.get("Deployment", deployment)["spec"]["template"]["spec"]
    }

    /// Names and values of the environment of a Deployment's only container.
    fn env(&self, deployment: &str) -> BTreeMap<&str, &str> {
        let container = only(&self.pod(deployment)["containers"]);
        let has_value = |env: &&Value| env["value"].as_str().is_some();
        list(&container["env"]).iter().filter(has_value).map(|env| (text(&env["name"]), text(&env["value"]))).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn only(value: &Value) -> &Value {
    let [one] = list(value) else { panic!("not exactly one: {value}") };
    one
}

fn joined(value: &Value) -> String {
    list(value).iter().map(text).collect::<Vec<_>>().join(",")
}

const CONTROLLER: &str = "kubevirt-operator-controller-manager";
const WEBHOOK: &str = "kubevirt-operator-webhook";

#[test]
fn g6_both_processes_are_deployed_by_one_chart() {
    let release = Rendered::with(&[]);
    let deployed: Vec<_> = release
        .of_kind("Deployment")
        .map(|deployment| {
            let pod = &deployment["spec"]["template"]["spec"];
            let container = only(&pod["containers"]);
            let account = text(&pod["serviceAccountName"]);
            assert_eq!(container["image"], "ghcr.io/vitistack/kubevirt-operator:0.1.0");
            assert_eq!(release.get("ServiceAccount", account)["metadata"]["namespace"], NAMESPACE);
            (text(&deployment["metadata"]["name"]), account, text(only(&container["command"])))
        })
        .collect();
    let want =
        [(CONTROLLER, CONTROLLER, "/kubevirt-operator-controller"), (WEBHOOK, WEBHOOK, "/kubevirt-operator-webhook")];
    assert_eq!(deployed, want);
    assert_eq!(
        release.pod(CONTROLLER)["containers"][0]["resources"],
        release.pod(WEBHOOK)["containers"][0]["resources"]
    );
    assert_eq!(
        release.pod(CONTROLLER)["containers"][0]["resources"],
        json!({"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}}),
        "C35"
    );
}

#[test]
fn kvo24_every_service_and_probe_reaches_a_port_of_its_pods() {
    let release = Rendered::with(&["webhook.replicas=2,replicaCount=2"]);
    let mut reached = Vec::new();
    for service in release.of_kind("Service").chain(release.of_kind("PodDisruptionBudget")) {
        let spec = &service["spec"];
        let selector =
            spec["selector"].get("matchLabels").unwrap_or(&spec["selector"]).as_object().expect("a selector");
        let selected = |deployment: &&Value| {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            selector.iter().all(|(key, value)| labels[key] == *value)
        };
        let [deployment] = release.of_kind("Deployment").filter(selected).collect::<Vec<_>>()[..] else {
            panic!("{} does not select the pods of one Deployment", service["metadata"]["name"])
        };
        for port in list(&spec["ports"]) {
            let ports = list(&deployment["spec"]["template"]["spec"]["containers"][0]["ports"]);
            let target =
                ports.iter().find(|candidate| candidate["name"] == port["targetPort"]).expect("the target port");
            reached.push(format!("{} {} -> {}", service["metadata"]["name"], port["port"], target["containerPort"]));
        }
    }
    let want = [
        r#""kubevirt-operator-controller-manager-metrics" 8080 -> 8080"#,
        r#""kubevirt-operator-webhook" 443 -> 8443"#,
        r#""kubevirt-operator-webhook-metrics" 8080 -> 8080"#,
    ];
    assert_eq!(reached, want);
    every_row(release.of_kind("Deployment"), |deployment| {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["livenessProbe"]["httpGet"], json!({"path": "/healthz", "port": "health"}), "C32");
        assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "health"}), "C44");
        let health = list(&container["ports"]).iter().find(|port| port["name"] == "health").expect("a health port");
        assert_eq!(health["containerPort"], 8081);
    });
}

#[test]
fn x10_the_chart_names_the_configs_namespace() {
    let default = Rendered::with(&[]);
    let moved = Rendered::with(&["kubevirtConfigs.namespace=clusters"]);
    every_row([(&default, "kubevirt-configs"), (&moved, "clusters")], |(release, namespace)| {
        for process in [CONTROLLER, WEBHOOK] {
            assert_eq!(release.env(process)["KUBEVIRT_CONFIGS_NAMESPACE"], namespace, "{process}");
        }
        assert_eq!(release.names("Namespace"), [namespace].into());
        assert_eq!(release.get("Namespace", namespace)["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        assert_eq!(release.get("Role", "kubevirt-operator-webhook-configs")["metadata"]["namespace"], namespace);
    });
    // What exists already is not created: Helm would refuse to.
    let own = format!("kubevirtConfigs.namespace={NAMESPACE}");
    every_row([own.as_str(), "kubevirtConfigs.namespace=default", "kubevirtConfigs.createNamespace=false"], |sets| {
        assert_eq!(Rendered::with(&[sets]).names("Namespace"), BTreeSet::new(), "{sets}");
    });
}

#[test]
fn crds_are_part_of_the_release_and_stay_after_it() {
    let kept = |sets: &[&str]| -> BTreeMap<String, Value> {
        let release = Rendered::with(sets);
        let policy = |crd: &Value| crd["metadata"]["annotations"]["helm.sh/resource-policy"].clone();
        release
            .of_kind("CustomResourceDefinition")
            .map(|crd| (text(&crd["metadata"]["name"]).to_owned(), policy(crd)))
            .collect()
    };
    let names = ["kubevirtconfigs", "machineclasses", "machines", "networkconfigurations"];
    let all = |policy: Value| names.map(|name| (format!("{name}.vitistack.io"), policy.clone())).into();
    assert_eq!(kept(&[]), all(json!("keep")));
    assert_eq!(kept(&["crds.keep=false"]), all(Value::Null));
    assert_eq!(kept(&["crds.install=false"]), BTreeMap::new());

    // Helm's own YAML printer would round the bounds of an int64: the schemas must come out as they were written.
    let release = Rendered::with(&[]);
    every_row(names, |name| {
        let file = fs::read_to_string(chart().join(format!("files/crds/{name}.vitistack.io.yaml"))).expect("the CRD");
        let written: Value = serde_saphyr::from_str(&file).expect("the CRD is YAML");
        assert_eq!(
            release.get("CustomResourceDefinition", text(&written["metadata"]["name"]))["spec"],
            written["spec"]
        );
    });
}

#[test]
fn t23_pods_meet_restricted_pod_security() {
    every_row([&[][..], &["webhook.replicas=3"], &["extraEnv[0].name=A", "webhook.extraEnv[0].name=A"]], |sets| {
        for deployment in Rendered::with(sets).of_kind("Deployment") {
            let pod = &deployment["spec"]["template"]["spec"];
            assert_eq!(
                pod["securityContext"],
                json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}})
            );
            assert_eq!(
                only(&pod["containers"])["securityContext"],
                json!({
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true, "runAsNonRoot": true,
                })
            );
            for absent in ["hostNetwork", "hostPID", "hostIPC", "volumes", "initContainers"] {
                assert_eq!(pod.get(absent), None, "{absent}");
            }
            assert!(list(&only(&pod["containers"])["ports"]).iter().all(|port| port.get("hostPort").is_none()));
        }
    });
}

#[test]
fn x22_one_controller_and_two_webhooks_each_with_values_of_its_own() {
    let replicas = |release: &Rendered| {
        [CONTROLLER, WEBHOOK].map(|name| release.get("Deployment", name)["spec"]["replicas"].clone())
    };
    #[rustfmt::skip]
    let cases: [(&[&str], [i64; 2], &[&str]); 4] = [
        (&[],                     [1, 2], &[WEBHOOK]),
        (&["webhook.replicas=1"], [1, 1], &[]),
        (&["webhook.replicas=3"], [1, 3], &[WEBHOOK]),
        (&["replicaCount=2"],     [2, 2], &[CONTROLLER, WEBHOOK]),
    ];
    every_row(cases, |(sets, want, kept)| {
        let release = Rendered::with(sets);
        assert_eq!(replicas(&release), want.map(Value::from), "{sets:?}");
        // One would block every drain.
        assert_eq!(release.names("PodDisruptionBudget"), kept.iter().copied().collect(), "{sets:?}");
    });
    let release = Rendered::with(&[]);
    assert_eq!(release.get("PodDisruptionBudget", WEBHOOK)["spec"]["minAvailable"], 1);
    assert_eq!(only(&release.pod(WEBHOOK)["topologySpreadConstraints"])["topologyKey"], "kubernetes.io/hostname");
    let sized = Rendered::with(&["webhook.resources.limits.memory=1Gi"]);
    let memory = |name: &str| sized.pod(name)["containers"][0]["resources"]["limits"]["memory"].clone();
    assert_eq!([memory(CONTROLLER), memory(WEBHOOK)], [json!("512Mi"), json!("1Gi")]);
}
