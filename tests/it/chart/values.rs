//! The chart's values: wrong ones are refused by name, all are documented, and images come out as they should.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tests::install::chart;

use super::{CONTROLLER, Rendered, WEBHOOK, helm, list};
use crate::table::every_row;

#[test]
fn images_are_named_by_tag_or_digest() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let repository = "ghcr.io/vitistack/kubevirt-operator";
    let by_digest = format!("image.digest={digest}");
    #[rustfmt::skip]
    let cases = [
        (vec!["image.tag=v2"],                        format!("{repository}:v2")),
        (vec!["image.repository=registry.local/op"],  "registry.local/op:0.1.0".to_owned()),
        (vec![by_digest.as_str()],                    format!("{repository}@{digest}")),
        (vec![by_digest.as_str(), "image.tag=v2"],    format!("{repository}:v2@{digest}")),
    ];
    every_row(cases, |(sets, want)| {
        let release = Rendered::with(&sets);
        for process in [CONTROLLER, WEBHOOK] {
            assert_eq!(release.pod(process)["containers"][0]["image"], want, "{sets:?}");
        }
    });
}

#[test]
fn c54_c55_c56_c57_settings_reach_the_processes_that_read_them() {
    let service = "kubevirt-operator-webhook.kubevirt-operator-system";
    let names = format!("kubevirt-operator-webhook,{service},{service}.svc,{service}.svc.cluster.local");
    let both = [
        ("ADOPTION", "unowned"),
        ("HEALTH_PROBE_BIND_ADDRESS", ":8081"),
        ("KUBEVIRT_CONFIGS_NAMESPACE", "kubevirt-configs"),
        ("LOG_FORMAT", "json"),
        ("LOG_LEVEL", "info"),
        ("METRICS_BIND_ADDRESS", ":8080"),
        ("VM_NAME_PREFIX", "vm-"),
    ];
    let controller = [
        ("DEFAULT_BRIDGE", "br0"),
        ("IP_SOURCE", "vmi"),
        ("LEADER_ELECTION", "true"),
        ("MACHINE_LABELS", "cluster.vitistack.io/"),
        ("MAX_CONCURRENT_RECONCILES", "5"),
        ("PLATFORM_DISRUPTED_CLUSTERS", "1"),
        ("RECONCILE_INTERVAL", "30s"),
    ];
    let webhook = [
        ("ADOPT_BEFORE_DEFAULT", "false"),
        ("PLACEMENT_STRATEGY", "strict"),
        ("PVC_ACCESS_MODE", "ReadWriteOnce"),
        ("WEBHOOK_BIND_ADDRESS", ":8443"),
        ("WEBHOOK_CA_ANNOUNCEMENT", "1m"),
        ("WEBHOOK_CA_SECRET", "kubevirt-operator-webhook-ca"),
        ("WEBHOOK_CA_VALIDITY", "2160h"),
        ("WEBHOOK_CERTIFICATE_VALIDITY", "24h"),
        ("WEBHOOK_CONFIGURATION", "kubevirt-operator"),
        ("WEBHOOK_DNS_NAMES", names.as_str()),
        ("WEBHOOK_REPLICAS", "2"),
    ];
    let release = Rendered::with(&[]);
    assert_eq!(release.env(CONTROLLER), both.into_iter().chain(controller).collect());
    assert_eq!(release.env(WEBHOOK), both.into_iter().chain(webhook).collect());
    every_row([CONTROLLER, WEBHOOK], |process| {
        let env = list(&release.pod(process)["containers"][0]["env"]);
        let own = json!({"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}});
        assert!(env.contains(&own), "C19: {process}");
    });

    let set = Rendered::with(&[
        "defaultKubevirtConfig=east,vmNamePrefix=,log.format=text,log.level=debug,reconcileInterval=1h30m",
        "maxConcurrentReconciles=1000000,webhook.url=https://127.0.0.1:9443",
        "extraEnv[0].name=A,extraEnv[0].value=1x,webhook.extraEnv[0].name=B,webhook.extraEnv[0].value=2x",
    ]);
    // The controller holds no placement: only the webhook knows the default.
    let (controller, webhook) = (set.env(CONTROLLER), set.env(WEBHOOK));
    assert_eq!(
        (webhook.get("DEFAULT_KUBEVIRT_CONFIG"), controller.get("DEFAULT_KUBEVIRT_CONFIG")),
        (Some(&"east"), None)
    );
    assert_eq!((controller["VM_NAME_PREFIX"], webhook["VM_NAME_PREFIX"]), ("", ""));
    assert_eq!((controller["LOG_FORMAT"], webhook["LOG_LEVEL"]), ("text", "debug"));
    assert_eq!((controller["RECONCILE_INTERVAL"], controller["MAX_CONCURRENT_RECONCILES"]), ("1h30m", "1000000"));
    assert_eq!((controller.get("A"), webhook.get("A")), (Some(&"1x"), None));
    assert_eq!((controller.get("B"), webhook.get("B")), (None, Some(&"2x")));
    assert!(
        webhook["WEBHOOK_DNS_NAMES"].ends_with(".svc.cluster.local,127.0.0.1"),
        "the certificate covers webhook.url"
    );
}

#[test]
fn the_settings_of_placement_and_certificates_reach_the_webhook_alone() {
    let set = Rendered::with(&[
        "placement.strategy=balanced,placement.whenUnreachable=refuse,placement.adoptBeforeDefault=true",
        "placement.adoption=labelled,pvc.accessMode=ReadWriteMany,pvc.volumeMode=Block,webhook.replicas=3",
        "webhook.certificate.validity=8h,webhook.certificate.authorityValidity=720h,webhook.certificate.announcement=30s",
    ]);
    let wanted = [
        ("ADOPT_BEFORE_DEFAULT", "true"),
        ("PLACEMENT_STRATEGY", "balanced"),
        ("PLACEMENT_WHEN_UNREACHABLE", "refuse"),
        ("PVC_ACCESS_MODE", "ReadWriteMany"),
        ("PVC_VOLUME_MODE", "Block"),
        ("WEBHOOK_CA_ANNOUNCEMENT", "30s"),
        ("WEBHOOK_CA_VALIDITY", "720h"),
        ("WEBHOOK_CERTIFICATE_VALIDITY", "8h"),
        ("WEBHOOK_REPLICAS", "3"),
    ];
    let (webhook, controller) = (set.env(WEBHOOK), set.env(CONTROLLER));
    // Both judge the VM that is to be adopted.
    assert_eq!((webhook["ADOPTION"], controller["ADOPTION"]), ("labelled", "labelled"));
    every_row(wanted, |(name, value)| {
        assert_eq!((webhook.get(name), controller.get(name)), (Some(&value), None), "{name}");
    });
    // What is empty in the values is the process's own default, so it is not passed as an empty string.
    let default = Rendered::with(&[]);
    every_row(["PLACEMENT_WHEN_UNREACHABLE", "PVC_VOLUME_MODE"], |name| {
        assert_eq!(default.env(WEBHOOK).get(name), None, "{name}");
    });
}

#[test]
fn wrong_values_are_refused_by_name() {
    #[rustfmt::skip]
    let cases: &[(&[&str], &str)] = &[
        (&["replicaCount=two"],                        "at '/replicaCount': got string, want integer"),
        (&["reconcileInterval=30"],                    "at '/reconcileInterval': got number, want string"),
        (&["reconcileInterval=30sec"],                 "at '/reconcileInterval'"),
        (&["replicas=2"],                              "additional properties 'replicas' not allowed"),
        (&["webhook.replicaCount=2"],                  "at '/webhook': additional properties 'replicaCount' not allowed"),
        (&["webhook.replicas=0"],                      "at '/webhook/replicas'"),
        (&["webhook.url=http://127.0.0.1:9443"],       "at '/webhook/url'"),
        (&["webhook.timeoutSeconds=31"],               "at '/webhook/timeoutSeconds'"),
        (&["webhook.failurePolicy=Maybe"],             "at '/webhook/failurePolicy'"),
        (&["webhook.certificate.validity=1d"],         "at '/webhook/certificate/validity'"),
        (&["mode=both"],                               "at '/mode'"),
        (&["log.format=xml"],                          "at '/log/format'"),
        (&["image.digest=sha256:1"],                   "at '/image/digest'"),
        (&["kubevirtConfigs.namespace=Not_A_Name"],    "at '/kubevirtConfigs/namespace'"),
        (&["kubevirtConfigs.secretNamespaces=a"],      "at '/kubevirtConfigs/secretNamespaces': got string, want array"),
        (&["vmaasHub.id=The Hub"],                     "at '/vmaasHub/id'"),
        (&["vmaasHub.namespace=a-{namespace}-{namespace}"], "at '/vmaasHub/namespace'"),
        (&["vmaasHub.kubeconfigSecret=hub", "kubevirtConfigs.secretNamespaces={team-a}"], "its Secret is made in kubevirt-configs, which kubevirtConfigs.secretNamespaces lacks"),
        (&["mode=remote", "vmaasHub.kubeconfigSecret=hub"], "vmaasHub.kubeconfigSecret: nothing is registered on a remote"),
        (&["resources.limit.cpu=1"],                   "at '/resources': additional properties 'limit' not allowed"),
        (&["ipSource=dhcp"],                           "at '/ipSource'"),
        (&["placement.strategy=random"],               "at '/placement/strategy'"),
        (&["placement.whenUnreachable=wait"],          "at '/placement/whenUnreachable'"),
        (&["placement.adoptBeforeDefault=maybe"],      "at '/placement/adoptBeforeDefault': got string, want boolean"),
        (&["placement.adoption=always"],               "at '/placement/adoption'"),
        (&["placement.fallback=east"],                 "at '/placement': additional properties 'fallback' not allowed"),
        (&["pvc.accessMode=RWO"],                      "at '/pvc/accessMode'"),
        (&["pvc.volumeMode=Raw"],                      "at '/pvc/volumeMode'"),
        (&["networkPolicy.apiServers[0]=10.0.0.1"],    "at '/networkPolicy/apiServers/0'"),
        (&["mode=null"],                               "missing property 'mode'"),
        // Each valid alone, together a contradiction.
        (&["replicaCount=2", "leaderElection=false"],  "replicaCount: 2 is more than 1, and leaderElection is false"),
        (&["leaderElection=maybe"],                    "at '/leaderElection': got string, want boolean"),
        (&["platform.enabled=true"],                   "platform.enabled: these rights are granted on the cluster that runs the VMs"),
        (&["platform.disruptedClusters=-1"],           "at '/platform/disruptedClusters'"),
        (&["mode=remote", "webhook.url=https://h:1"],  "webhook.url: nothing is served on a remote"),
        (&["mode=remote", "defaultKubevirtConfig=e"],  "defaultKubevirtConfig: nothing is decided on a remote"),
        (&["webhook.clientCa.names={a}"],              "webhook.clientCa.names: it needs secretName or configMapName"),
        (&["webhook.clientCa.configMapName=ca"],       "webhook.clientCa.names: list the names in the client certificates"),
        (&["webhook.clientCa.secretName=ca,webhook.clientCa.configMapName=ca,webhook.clientCa.names={a}"], "webhook.clientCa: secretName and configMapName are both set"),
        (&["mode=remote", "webhook.clientCa.secretName=ca,webhook.clientCa.names={a}"], "webhook.clientCa: nothing is served on a remote"),
        (&["webhook.clientCa.names[0]=a\\,b"],        "at '/webhook/clientCa/names/0'"),
        (&["extraEnv[0].name=LOG_LEVEL"],              "extraEnv: LOG_LEVEL is set already"),
        (&["webhook.extraEnv[0].name=NAMESPACE"],      "webhook.extraEnv: NAMESPACE is set already"),
    ];
    every_row(cases, |(sets, want)| {
        let error = helm(&["template", "kubevirt-operator"], sets).expect_err(&format!("{sets:?} is refused"));
        assert!(error.contains(want), "{sets:?} should be refused with {want:?}, but: {error}");
    });
    // What a chart that depends on this one passes on.
    Rendered::with(&["global.anything=1"]);
}

#[test]
fn helm_finds_nothing_to_complain_about() {
    every_row(["mode=supervisor", "mode=remote", "mode=remote,platform.enabled=true"], |mode| {
        helm(&["lint", "--strict"], &[mode]).unwrap_or_else(|error| panic!("{mode}: {error}"));
    });
}

/// Paths and values of the leaves of `values.yaml`, as the README writes them.
fn leaves(prefix: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value.as_object() {
        Some(object) if !object.is_empty() => {
            for (key, value) in object {
                leaves(&format!("{prefix}{}{key}", if prefix.is_empty() { "" } else { "." }), value, found);
            }
        }
        _ => {
            let shown =
                value.as_str().filter(|text| !text.is_empty()).map_or_else(|| value.to_string(), ToOwned::to_owned);
            found.insert(prefix.to_owned(), shown);
        }
    }
}

#[test]
fn the_readme_lists_every_value_with_its_default() {
    let read = |file: &str| fs::read_to_string(chart().join(file)).expect("a file of the chart");
    let mut values = BTreeMap::new();
    leaves("", &serde_saphyr::from_str(&read("values.yaml")).expect("values.yaml is YAML"), &mut values);
    let documented: BTreeMap<_, _> = read("README.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"))
        .filter_map(|(key, rest)| Some((key.to_owned(), rest.split_once('`')?.0.to_owned())))
        .collect();
    assert_eq!(documented, values);
}
