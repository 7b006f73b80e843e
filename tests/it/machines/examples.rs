//! Manifests as people have them: those of docs/examples, and the shapes that users of the published operator apply.

use std::path::Path;

use model::message::Sizing;
use model::names::{KUBEVIRT_CONFIG, RESOLVED};
use serde_json::{Value, json};
use tests::install::kubectl;
use tests::repository::root;
use tests::wait::eventually;

use super::{Ground, said};
use crate::fleet::fresh;
use crate::table::every_row;

/// Applies as a dry run: the object as it would be stored, and what was warned of.
async fn tried(ground: &Ground<'_>, manifest: &Value) -> Result<Value, String> {
    let args = ["--namespace", &ground.namespace, "apply", "--dry-run=server", "--output", "json", "--filename", "-"];
    let printed = said(kubectl(ground.fleet.supervisor(), &args, &manifest.to_string()).await)?;
    let object = printed.find('{').map(|at| &printed[at..]).unwrap_or_default();
    let end = object.rfind('}').map_or(0, |at| at + 1);
    serde_json::from_str(&object[..end]).map_err(|error| format!("{error}: {printed}"))
}

fn class(name: &str, cores: i64, memory: &str, default: bool, enabled: bool) -> Value {
    json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "MachineClass", "metadata": {"name": name},
        "spec": {
            "enabled": enabled, "default": default, "category": "Standard", "displayName": name, "description": "for this test",
            "cpu": {"cores": cores, "sockets": 1, "threads": 1}, "memory": {"quantity": memory}, "machineProviders": ["kubevirt"],
        },
    })
}

fn published(name: &str, spec: Value) -> Value {
    let mut machine =
        json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": name}, "spec": spec});
    machine["spec"]["provider"] = json!("kubevirt");
    machine["spec"]["name"] = json!(format!("{name}-vm"));
    machine
}

/// cores, threads, sockets, memory, disks.
type Size = (i64, i64, i64, &'static str, &'static [(&'static str, &'static str)]);

#[tokio::test]
async fn c38_x1_x21_x66_x74_manifests_for_the_published_operator_are_admitted_as_they_are() {
    let fleet = fresh(&["north"]).await;
    let ground = Ground::new(&fleet, "default").await;
    for it in [
        class("small", 2, "8Gi", false, true),
        class("medium", 4, "16Gi", true, true),
        class("large", 4, "32Gi", false, true),
        class("cpus", 8, "16Gi", false, false),
    ] {
        ground.applied(&it).await;
    }
    let from_iso = json!({
        "machineClass": "medium",
        "os": {"family": "linux", "distribution": "debian", "version": "13", "architecture": "amd64", "imageID": "https://images.example.org/netinst.iso"},
        "disks": [{"name": "root", "sizeGB": 20, "boot": true, "type": "virtio", "encrypted": false}],
    });
    let many_disks = json!({
        "machineClass": "large", "memory": 8_589_934_592_i64, "cpu": {"cores": 4},
        "disks": [
            {"name": "root", "sizeGB": 40, "boot": true, "type": "virtio"}, {"name": "data1", "sizeGB": 100, "boot": false, "type": "virtio"},
            {"name": "data2", "sizeGB": 200, "boot": false, "type": "sata"}, {"name": "scratch", "sizeGB": 50, "boot": false, "type": "scsi", "iops": 3000, "throughput": 500},
        ],
    });
    let root: &[(&str, &str)] = &[("root", "20Gi")];
    let cases: [(&str, Value, Size); 8] = [
        ("class alone", json!({"machineClass": "small"}), (2, 1, 1, "8Gi", root)),
        ("the default class", json!({}), (4, 1, 1, "16Gi", root)),
        (
            "overrides",
            json!({"machineClass": "medium", "memory": 3_221_225_472_i64, "cpu": {"cores": 3}}),
            (3, 1, 1, "3Gi", root),
        ),
        (
            "a whole topology",
            json!({"machineClass": "small", "memory": 4_294_967_296_i64, "cpu": {"cores": 4, "sockets": 4, "threadsPerCore": 2}}),
            (4, 2, 4, "4Gi", root),
        ),
        ("zero is unset", json!({"machineClass": "small", "memory": 0, "cpu": {"cores": 0}}), (2, 1, 1, "8Gi", root)),
        (
            "one disk",
            json!({"machineClass": "medium", "disks": [{"name": "root", "sizeGB": 30, "boot": true, "type": "virtio"}]}),
            (4, 1, 1, "16Gi", &[("root", "30Gi")]),
        ),
        (
            "many disks",
            many_disks,
            (4, 1, 1, "8Gi", &[("root", "40Gi"), ("data1", "100Gi"), ("data2", "200Gi"), ("scratch", "50Gi")]),
        ),
        ("boots from an image", from_iso, (4, 1, 1, "16Gi", root)),
    ];
    let first = published("first", json!({"machineClass": "large"}));
    eventually("the webhook sees the classes and the cluster", async || tried(&ground, &first).await).await;
    for (case, spec, (cores, threads, sockets, memory, disks)) in cases {
        let manifest = published("machine", spec);
        let stored = tried(&ground, &manifest).await.unwrap_or_else(|refused| panic!("{case}: {refused}"));
        for (key, value) in manifest["spec"].as_object().expect("a spec") {
            assert_eq!(&stored["spec"][key], value, "{case}: {key} is kept as it is");
        }
        let annotations = &stored["metadata"]["annotations"];
        assert_eq!(annotations[KUBEVIRT_CONFIG], "north", "{case}");
        let sizing: Sizing = serde_json::from_str(annotations[RESOLVED].as_str().expect(case)).expect(case);
        assert_eq!(
            (sizing.cores, sizing.threads, sizing.sockets, sizing.memory.as_str()),
            (cores, threads, sockets, memory),
            "{case}"
        );
        let sized: Vec<_> = sizing.disks.iter().map(|disk| (disk.name.as_str(), disk.size.as_str())).collect();
        assert_eq!(sized, disks, "{case}");
    }
    let refused =
        tried(&ground, &published("machine", json!({"machineClass": "cpus"}))).await.expect_err("a disabled class");
    assert!(refused.contains("MachineClass \"cpus\" is disabled for new Machines"), "{refused}");
    docs_examples(&ground).await;
}

/// What every file of docs/examples is answered with on this one cluster, which is neither `east` nor `west`.
async fn docs_examples(ground: &Ground<'_>) {
    let folder = root().join("docs/examples");
    let apply = async |file: &Path| {
        let file = file.display().to_string();
        said(kubectl(ground.fleet.supervisor(), &["apply", "--filename", &file], "").await)
    };
    // The interfaces of two-networks.yaml join these.
    apply(&folder.join("networks.yaml")).await.expect("networks");
    let cases = [
        ("basic.yaml", Some("KubevirtConfig \"east\" not found")),
        ("overrides.yaml", Some("KubevirtConfig \"west\" not found")),
        ("root-disk.yaml", Some("KubevirtConfig \"east\" not found")),
        ("data-disk.yaml", Some("KubevirtConfig \"east\" not found")),
        ("retained.yaml", Some("KubevirtConfig \"east\" not found")),
        ("cloud-image.yaml", Some("KubevirtConfig \"west\" not found")),
        ("go-operator.yaml", None),
        ("firmware.yaml", Some("KubevirtConfig \"east\" not found")),
        ("vlan-and-keys.yaml", Some("KubevirtConfig \"west\" not found")),
        ("two-mistakes.yaml", Some("template \"smal\" not found")),
        ("cluster-selector.yaml", Some("region=west matches none of the 1 KubevirtConfigs: region is north")),
        ("adoption.yaml", None),
        ("unplaced.yaml", None),
        ("spread.yaml", None),
        ("cloud-init.yaml", None),
        ("two-networks.yaml", None),
    ];
    for (file, refused) in cases {
        eventually(file, async || match (apply(&folder.join(file)).await, refused) {
            (Ok(_), None) => Ok(()),
            (Err(said), Some(wanted)) if said.contains(wanted) => Ok(()),
            // The watch of what it refers to may be a moment behind.
            (Err(said), None) if said.contains("NotFound") || said.contains("not found") => Err(said),
            (answer, _) => panic!("{file}: {answer:?}"),
        })
        .await;
    }
    let others = ["networks.yaml", "adoption-vm.yaml", "go-operator-vm.yaml"];
    every_row(std::fs::read_dir(&folder).expect("docs/examples"), |entry| {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(cases.iter().any(|(file, _)| *file == name) || others.contains(&&*name), "{name} is not tried");
    });
}
