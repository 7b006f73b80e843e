//! X74: no field is ignored in silence. The schema is walked, and each field of it is given to admission and to what the
//! controller writes: either that comes out different, or a warning says that the field has no effect. Never both.

use std::collections::{BTreeMap, BTreeSet};

use model::api::{Machine, MachineStatus};
use model::machine::carried::{Source, carry};
use model::machine::configuration::{Configuration, NetworkNamespace};
use model::machine::networks::{Attachments, Named, Networks, Record};
use model::machine::{Claim, Import, Imports, Intent, Kind, Observed, Remote, Shown, There, Vm, Write, plan, status};

use super::*;

mod fields;

/// Every leaf below a schema: `[]` stands for each entry of a list, `<>` for each of a map.
fn leaves(path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        let dot = if path.is_empty() { "" } else { "." };
        properties.iter().for_each(|(name, inner)| leaves(&format!("{path}{dot}{name}"), inner, found));
    } else if let Some(items) = schema.get("items") {
        leaves(&format!("{path}[]"), items, found);
    } else if let Some(values) = schema.get("additionalProperties") {
        leaves(&format!("{path}<>"), values, found);
    } else {
        found.insert(path.to_owned());
    }
}

/// The spec with that value of the field; the first entry of a list, and the entry `region` of a map.
fn given(beside: &Value, path: &str, value: Value) -> Value {
    let mut spec = json!({"template": "small"});
    json_patch::merge(&mut spec, beside);
    if !value.is_null() {
        let mut at = &mut spec;
        for name in path.split('.') {
            at = match name.split_at(name.trim_end_matches(['[', ']', '<', '>']).len()) {
                (name, "[]") if at[name].is_null() => {
                    at[name] = json!([null]);
                    &mut at[name][0]
                }
                (name, "[]") => &mut at[name][0],
                (name, "<>") => &mut at[name]["region"],
                (name, _) => &mut at[name],
            };
        }
        *at = value;
    }
    if ["kubevirtConfigRef", "clusterSelector"].iter().all(|field| spec[*field].is_null()) {
        spec["kubevirtConfigRef"] = json!({"name": "east"});
    }
    spec
}

/// Two clusters that a selector tells apart, networks to join, and Secrets that may be read.
fn fleet() -> World {
    let mut world = networked();
    let west = world.configs[&ClusterName("east".to_owned())].clone();
    world.configs.insert(ClusterName("west".to_owned()), west);
    let labelled = |world, cluster: &str, labels: [(&str, &str); 2]| {
        knowing(world, cluster, |config| config.labels.extend(labels.map(|(key, value)| (key.into(), value.into()))))
    };
    let world = labelled(world, "east", [("region", "eu"), ("gpu", "1")]);
    let world = labelled(world, "west", [("region", "us"), ("numa", "1")]);
    World { readable: Some(["keys", "more"].map(|name| (name.to_owned(), Ok(true))).into()), ..world }
}

/// The fleet as the controller sees it for a Machine on a cluster; these claims are there.
fn seen(machine: &Machine, cluster: &str, claims: BTreeMap<String, Claim>) -> Observed {
    let shared = Configuration { vlan: Some(100), ..Configuration::default() };
    let own = NetworkNamespace { vlan: Some(2101), reported: true, ..NetworkNamespace::default() };
    let named = [
        ("prod-network", Named { configuration: Some(shared), namespace: None }),
        ("prod-net", Named { configuration: None, namespace: Some(own) }),
    ];
    let content = |source: &Source| Ok(format!("{}/{}", source.name, source.key).into_bytes());
    Observed {
        namespace_known: true,
        imports: Imports::Known(BTreeMap::<String, Import>::new()),
        networks: Networks {
            named: named.map(|(name, it)| (name.to_owned(), it)).into(),
            record: Record::Absent,
            attachments: Attachments::Listed(BTreeMap::new()),
            ..Networks::default()
        },
        cloud_init: carry(&machine.spec, "m-1", None, content),
        claims,
        ..Observed::nothing("sup", Remote::Connected { id: format!("c-{cluster}") })
    }
}

/// All that comes of a spec, and what the status says about it; or where it is refused.
fn outcome(spec: Value, world: &World) -> Result<(Vec<String>, String), Vec<String>> {
    let object = machine(spec);
    if let Verdict::Refuse(wrong) = judge("CREATE", &object, None, world) {
        return Err(wrong.into_iter().map(|it| it.path).collect());
    }
    let mut after = stored("CREATE", &object, None, world);
    let cluster = after["metadata"]["annotations"][names::KUBEVIRT_CONFIG].as_str().unwrap_or_default().to_owned();
    (after["apiVersion"], after["kind"]) = (json!("vitistack.io/v1alpha1"), json!("Machine"));
    json_patch::merge(
        &mut after,
        &json!({
            "metadata": {"uid": "m-1", "generation": 1, "resourceVersion": "7"},
            "status": {"kubevirtConfigRef": {"name": cluster, "clusterId": format!("c-{cluster}")}},
        }),
    );
    let machine: Machine = serde_json::from_value(after).expect("a Machine");
    let intent = Intent::of(&machine, "vm-", None, &Shown::new());
    let mut writes = vec![format!("on {cluster:?}")];
    let mut note = |plan: model::machine::Plan| -> BTreeMap<String, Claim> {
        assert_eq!(plan.refused, None);
        writes.extend(plan.writes.iter().map(|write| match write {
            Write::There(There::Carry(parcel)) => parcel.object().to_string(),
            other => format!("{other:?}"),
        }));
        let claim = |imported| Claim { uid: "u-1".to_owned(), phase: "Bound".to_owned(), imported, ..Claim::default() };
        let made = plan.writes.into_iter().filter_map(|write| match write {
            Write::There(There::Create(Kind::DataVolume, name, _)) => Some((name, claim(true))),
            Write::There(There::Create(Kind::Claim, name, _) | There::TakeBack(name)) => Some((name, claim(false))),
            _ => None,
        });
        made.collect()
    };
    // A VM is made once disks that others fill are there.
    let claims = note(plan(&intent, &seen(&machine, &cluster, BTreeMap::new())));
    let there = seen(&machine, &cluster, claims);
    note(plan(&intent, &there));
    let running = Observed { vm: Some(Vm { name: "vm-web".to_owned(), ..Vm::default() }), ..there };
    let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    let shown = status(&MachineStatus::default(), &intent, &running, None, time);
    let applied = shown.conditions.into_iter().find(|it| it.type_ == "SpecApplied");
    Ok((writes, applied.map(|it| it.message).unwrap_or_default()))
}

/// The fields that warnings say have no effect.
fn without_effect(warnings: &[String]) -> Vec<&str> {
    let fields = warnings.iter().flat_map(|line| {
        let listed = line.strip_prefix("without effect on KubeVirt: ");
        let beside =
            line.strip_suffix(" is not: several sources are given").and_then(|it| it.split_once(" is used, and "));
        let first = line.split([':', ' ']).next().filter(|_| line.contains("has no effect"));
        listed.or(beside.map(|(_, others)| others)).or(first).into_iter().flat_map(|fields| fields.split(", "))
    });
    fields.map(|field| field.split(' ').next().unwrap_or_default().trim_start_matches("spec.")).collect()
}

#[test]
fn kvo36_x74_every_field_of_the_schema_changes_what_is_written_or_is_warned_of() {
    let crd = model::crds::crds().remove(0);
    let schema = serde_json::to_value(crd.spec.versions[0].schema.as_ref().expect("a schema")).expect("JSON");
    let mut known = BTreeSet::new();
    leaves("", &schema["openAPIV3Schema"]["properties"]["spec"], &mut known);
    let rows = fields::all();
    let covered: BTreeSet<String> = rows.iter().map(|(path, ..)| (*path).to_owned()).collect();
    assert_eq!(covered, known, "a field without a row, or a row without a field");
    let world = fleet();
    every_row(rows, |(path, beside, value, other)| {
        let spec = given(&beside, path, value);
        let warnings = match judge("CREATE", &machine(spec.clone()), None, &world) {
            Verdict::Admit(admission) => admission.warnings,
            refused => panic!("{path}: {spec}: {refused:?}"),
        };
        let (writes, says) = outcome(spec, &world).expect("it was admitted");
        let compared = outcome(given(&beside, path, other), &world);
        let changes = match &compared {
            Ok((other, _)) => *other != writes,
            Err(wrong) => wrong.iter().any(|at| at.replace("[0]", "[]") == format!("spec.{path}")),
        };
        let below = |field: &str| {
            path == field || path.strip_prefix(field).is_some_and(|rest| rest.starts_with(['.', '[', '<']))
        };
        let warned = without_effect(&warnings).into_iter().any(below);
        assert_ne!(changes, warned, "{path}: changes {changes}, warned {warned}: {warnings:?}");
        // What counts only where something else is absent, or repeats a name, is no lasting property of the field.
        let depends = ["name", "userData", "cloudInit.type", "network.networkNamespaceName"].contains(&path);
        let listed = says.split_once("without effect on KubeVirt: ").map_or("", |(_, fields)| fields);
        let said = listed.split(", ").any(|field| below(field.trim_start_matches("spec.")));
        assert!(depends || said == warned, "{path}: the status says {says:?}, admission {warnings:?}");
        assert!(warnings.iter().all(|line| line.len() <= 256), "{path}: the API server cuts {warnings:?}");
    });
}

#[test]
fn x74_what_has_no_effect_is_named_compactly() {
    let spec = json!({
        "template": "small", "name": "other", "backup": {"enabled": true}, "monitoring": true, "tags": {"env": "prod"}, "securityGroups": [],
        "network": {"networkNamespaceName": "prod-net", "vpc": "v", "subnet": "", "interfaces": []},
        "os": {"family": "linux", "architecture": "amd64", "imageID": "ubuntu", "version": ""},
        "disks": [{"name": "a", "size": "1Gi", "type": "ssd", "iops": 300}, {"name": "b", "size": "1Gi", "type": "hdd"}],
    });
    assert_eq!(
        admit(&machine(spec), &networked()).warnings,
        [
            "without effect on KubeVirt: spec.backup, spec.monitoring, spec.tags, spec.disks[].type, spec.disks[].iops, spec.network.vpc, spec.os.family, spec.os.architecture",
            "spec.name: \"other\" has no effect: everything is named after metadata.name, \"web\"",
            "spec.os.imageID: \"ubuntu\" is no image that is known here, and no boot disk is made from it: write an http:// or https:// URL, or docker:// and a container disk",
        ]
    );
    let order = json!({"template": "small", "bootOrder": ["disk", "cdrom"], "disks": [{"name": "root", "boot": true, "accessMode": "ReadOnlyMany"}]});
    let warnings = admit(&machine(order), &networked()).warnings;
    assert_eq!(warnings[0], "spec.bootOrder: cdrom is passed over: without spec.os.isoUri there is none", "C7");
    assert!(warnings[1].contains("its accessMode is ReadOnlyMany"), "{warnings:?}");
    let long = json!({"template": "small", "os": (0..40).map(|at| (format!("{at:0>60}"), json!("x"))).collect::<serde_json::Map<_, _>>()});
    let warnings = admit(&machine(long), &networked()).warnings;
    assert!((2..=8).contains(&warnings.len()) && warnings.iter().all(|line| line.len() <= 256), "{warnings:?}");
}
