//! Cloud-init data: which source counts, what stands in the VM and what in a Secret beside it, and what becomes of that.

use model::machine::carried::{Carried, Load, Source, SourceKind, carry, fingerprint, sources};
use model::machine::{DataSecret, Hidden, Parcel};

use super::*;

mod keys;

/// What the Secrets and ConfigMaps of the tests hold: their name and key, and no more than that.
fn content(source: &Source) -> Result<Vec<u8>, Failure> {
    match source.name.as_str() {
        "gone" => {
            let message = "Secret shop/gone does not exist".to_owned();
            Err(Failure { reason: Reason::CloudInitSourceMissing, message })
        }
        "long" => Ok(vec![b'#'; 2049]),
        name => Ok(format!("{name}/{}", source.key).into_bytes()),
    }
}

fn carried(spec: &Value) -> Result<Carried, Failure> {
    let machine = machine(|machine| machine["spec"] = spec.clone());
    carry(&machine.spec, "m-1", None, content)
}

/// The VM and its writes for a Machine with this in its spec.
fn planned(spec: &Value, seen: Observed) -> Plan {
    let intent = intent(|machine| machine["spec"] = spec.clone());
    plan(&intent, &Observed { cloud_init: carried(spec), ..seen })
}

/// The volume of a new VM, and what the Secret beside it holds.
fn made(spec: &Value) -> (Value, Value) {
    let plan = planned(spec, Observed { claims: claims("Bound"), ..seen() });
    assert_eq!(plan.refused, None, "{spec}");
    let (mut volume, mut secret) = (json!(null), json!(null));
    for write in plan.writes {
        match write {
            Write::There(There::Carry(parcel)) => secret = parcel.object(),
            Write::There(There::Create(Kind::Vm, _, vm)) => {
                let volumes = vm["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes").clone();
                let disks = &vm["spec"]["template"]["spec"]["domain"]["devices"]["disks"];
                let of = |name: &str| json!({"name": name, "disk": {"bus": "virtio"}});
                let last = volumes.last().filter(|volume| volume["name"] == "cloudinitdisk");
                let attached = disks.as_array().expect("disks").contains(&of("cloudinitdisk"));
                assert_eq!(attached, last.is_some(), "C24: {vm}");
                volume = last.cloned().unwrap_or_default();
            }
            other => panic!("{other:?}"),
        }
    }
    (volume, secret)
}

#[test]
fn c8_c24_x26_the_first_source_that_is_given_counts() {
    let cloud = |data: Value| json!({"template": "small", "cloudInit": data});
    let no_cloud = |data: Value| json!({"name": "cloudinitdisk", "cloudInitNoCloud": data});
    let own = json!({"name": "web-cloudinit"});
    let from =
        |name: &str, key: Option<&str>| key.map_or(json!({"name": name}), |key| json!({"name": name, "key": key}));
    let all = json!({
        "userData": "text", "userDataBase64": "YmFzZTY0", "secretRef": from("a", None), "userDataSecretRef": from("b", None),
        "userDataConfigMapRef": from("c", None), "networkData": "net", "networkDataBase64": "bmV0", "networkDataSecretRef": from("d", None),
        "networkDataConfigMapRef": from("e", None),
    });
    let less = |gone: &[&str]| {
        let mut some = all.clone();
        for key in gone {
            some.as_object_mut().expect("an object").remove(*key);
        }
        some
    };
    let mut published = cloud(json!({"userData": ""}));
    published["userData"] = json!("old");
    let secret = |user: Option<&str>, network: Option<&str>| {
        let data: serde_json::Map<_, _> = [("userdata", user), ("networkdata", network)]
            .into_iter()
            .filter_map(|(key, data)| Some((key.to_owned(), json!(data?))))
            .collect();
        json!(data)
    };
    #[rustfmt::skip]
    let cases = vec![
        ("none",             json!({"template": "small"}),  json!(null), json!(null)),
        ("an empty block",   cloud(json!({"type": "noCloud"})), json!(null), json!(null)),
        ("all",              cloud(all.clone()),            no_cloud(json!({"userData": "text", "networkData": "net"})), json!(null)),
        ("base64",           cloud(less(&["userData", "networkData"])), no_cloud(json!({"userData": "base64", "networkData": "net"})), json!(null)),
        ("secretRef",        cloud(less(&["userData", "userDataBase64"])), no_cloud(json!({"secretRef": own, "networkData": "net"})), secret(Some("YS91c2VyZGF0YQ=="), None)),
        ("both secret",      cloud(less(&["userData", "userDataBase64", "secretRef", "networkData", "networkDataBase64"])),
            no_cloud(json!({"secretRef": own, "networkDataSecretRef": own})), secret(Some("Yi91c2VyZGF0YQ=="), Some("ZC9uZXR3b3JrZGF0YQ=="))),
        ("a ConfigMap's stay", cloud(less(&["userData", "userDataBase64", "secretRef", "userDataSecretRef", "networkData", "networkDataBase64", "networkDataSecretRef"])),
            no_cloud(json!({"userData": "c/userdata", "networkData": "e/networkdata"})), json!(null)),
        ("a key",            cloud(json!({"userDataConfigMapRef": from("c", Some("other"))})), no_cloud(json!({"userData": "c/other"})), json!(null)),
        ("a long ConfigMap", cloud(json!({"userDataConfigMapRef": from("long", None)})), no_cloud(json!({"secretRef": own})), secret(Some(&"IyMj".repeat(683)), None)),
        ("network alone",    cloud(json!({"networkDataSecretRef": from("d", None)})), no_cloud(json!({"networkDataSecretRef": own})), secret(None, Some("ZC9uZXR3b3JrZGF0YQ=="))),
        ("spec.userData",    published, no_cloud(json!({"userData": "old"})), json!(null)),
        ("a drive",          cloud(json!({"userData": "text", "type": "configDrive"})), json!({"name": "cloudinitdisk", "cloudInitConfigDrive": {"userData": "text"}}), json!(null)),
        ("no text",          cloud(json!({"userDataBase64": "/w=="})), no_cloud(json!({"userDataBase64": "/w=="})), json!(null)),
    ];
    every_row(cases, |(name, spec, volume, data)| {
        let (made, secret) = made(&spec);
        assert_eq!(made, volume, "{name}");
        assert_eq!(secret.get("data").cloned().unwrap_or_default(), data, "{name}");
    });
}

#[test]
fn x70_kvo21_what_is_inline_is_counted_in_bytes() {
    let cloud = |data: Value| json!({"template": "small", "cloudInit": data});
    #[rustfmt::skip]
    let cases = [
        ("as much as KubeVirt takes", cloud(json!({"userData": "u".repeat(2048), "networkData": "n".repeat(2048)})), (true, true)),
        ("one byte more",             cloud(json!({"userData": "u".repeat(2049), "networkData": "n"})),              (false, true)),
        ("bytes, not characters",     cloud(json!({"userData": "é".repeat(1024), "networkData": "é".repeat(1025)})), (true, false)),
        ("decoded",                   cloud(json!({"userDataBase64": "QUFB".repeat(682) + "QUE=", "networkData": "n"})), (true, true)),
        ("with the keys",             json!({"sshKeys": ["k".repeat(2048)], "cloudInit": {"networkData": "n"}}),     (false, true)),
    ];
    every_row(cases, |(name, spec, (user, network))| {
        let carried = carried(&spec).expect(name);
        let inline = |load: &Option<Load>| matches!(load, Some(Load::Inline(_)));
        assert_eq!((inline(&carried.user), inline(&carried.network)), (user, network), "{name}");
        assert_eq!(carried.hash.is_none(), user && network, "{name}");
    });
}

#[test]
fn x70_the_secret_comes_before_the_vm_and_is_the_machines() {
    let spec = json!({"template": "small", "cloudInit": {"secretRef": {"name": "a"}}});
    let new = Observed { claims: claims("Bound"), ..seen() };
    assert_eq!(brief(&planned(&spec, new.clone())), ["carry web-cloudinit", "create Vm vm-web"]);
    let Some(Write::There(There::Carry(parcel))) = planned(&spec, new).writes.into_iter().next() else { panic!("X70") };
    let object = parcel.object();
    assert_eq!(object["metadata"]["labels"]["vitistack.io/machine-uid"], "m-1");
    assert_eq!((&object["kind"], &object["metadata"]["namespace"]), (&json!("Secret"), &json!("shop")));
    let change = parcel.change("s-1", "4");
    assert_eq!(change["data"], json!({"userdata": "YS91c2VyZGF0YQ==", "networkdata": null}), "what is not wanted goes");
    assert_eq!((&change["metadata"]["uid"], &change["metadata"]["resourceVersion"]), (&json!("s-1"), &json!("4")));
}

/// A VM that is in line with a spec, and says so of its Secret.
fn in_line(spec: &Value, mark: Option<&str>) -> Observed {
    let new = planned(spec, Observed { claims: claims("Bound"), ..seen() });
    let made = new.writes.iter().find_map(|write| match write {
        Write::There(There::Create(Kind::Vm, _, made)) => Some(made),
        _ => None,
    });
    let made = made.unwrap_or_else(|| panic!("{new:?}"));
    let hash = made["metadata"]["annotations"]["vitistack.io/last-applied"].as_str().map(model::baseline::hash);
    let vm = vm("Running").map(|vm| Vm { hash, cloud_init: mark.map(str::to_owned), ..vm });
    Observed { vm, ..running() }
}

#[test]
fn x70_a_changed_source_reaches_the_secret_and_leaves_the_vm_as_it_is() {
    let spec = json!({"template": "small", "cloudInit": {"secretRef": {"name": "a"}}});
    let hash = carried(&spec).expect("carried").hash.expect("a hash");
    assert_eq!(brief(&planned(&spec, in_line(&spec, Some(&hash)))), [""; 0], "nothing changed");
    let changed = planned(&spec, in_line(&spec, Some("before")));
    assert_eq!(brief(&changed), ["carry web-cloudinit", "merge Vm vm-web"]);
    let [Write::There(There::Carry(parcel)), Write::There(There::Merge(_, _, change))] = changed.writes.as_slice()
    else {
        panic!("{changed:?}")
    };
    assert!(parcel.known, "it is brought in line");
    let wanted = json!({"metadata": {"uid": "v-1", "annotations": {"vitistack.io/cloud-init-hash": hash}}});
    assert_eq!(*change, wanted, "no restart, and no conflict with whoever writes the VM's status");
    let gone = json!({"template": "small", "cloudInit": {"secretRef": {"name": "gone"}}});
    let missing = planned(&gone, in_line(&spec, Some(&hash)));
    assert_eq!(brief(&missing), ["refuse CloudInitSourceMissing"], "the VM is left as it is");
}

#[test]
fn x70_a_secret_that_is_not_needed_any_more_goes_after_the_last_guest_that_has_it() {
    let (with, without) =
        (json!({"template": "small", "cloudInit": {"secretRef": {"name": "a"}}}), json!({"template": "small"}));
    let ours = || DataSecret::Ours { uid: "s-1".to_owned() };
    let old = in_line(&with, Some("old"));
    assert_eq!(
        brief(&planned(&without, old)),
        ["update Vm vm-web"],
        "the VM comes first, and keeps its mark: there still is one"
    );
    let follows = |data_secret| brief(&planned(&without, Observed { data_secret, ..in_line(&without, Some("old")) }));
    #[rustfmt::skip]
    let cases = [
        (DataSecret::Unasked,                      vec![]),
        (DataSecret::Unknown("late".to_owned()),   vec![]),
        (ours(),                                   vec!["delete Secret web-cloudinit s-1", "merge Vm vm-web"]),
        (DataSecret::Absent,                       vec!["merge Vm vm-web"]),
    ];
    every_row(cases, |(found, wanted)| assert_eq!(follows(found), wanted));
}

#[test]
fn x57_x70_the_secret_of_a_machine_goes_with_its_vm() {
    let ours = DataSecret::Ours { uid: "s-1".to_owned() };
    let left = |data_secret: &DataSecret| Observed { data_secret: data_secret.clone(), ..seen() };
    let bare =
        |data_secret: &DataSecret| Observed { vm: None, vmi: None, data_secret: data_secret.clone(), ..running() };
    let unknown = DataSecret::Unknown("no answer".to_owned());
    #[rustfmt::skip]
    let cases = vec![
        ("after the VM",      intent(leaving),          bare(&ours),    vec!["delete Claim web-data uid-web-data", "delete Claim web-root uid-web-root", "delete Secret web-cloudinit s-1"]),
        ("before it is let go", intent(leaving),        left(&ours),    vec!["delete Secret web-cloudinit s-1"]),
        ("also with Retain",  intent(policy("Retain")), left(&ours),    vec!["delete Secret web-cloudinit s-1"]),
        ("not with Orphan",   intent(policy("Orphan")), left(&ours),    vec!["merge Secret web-cloudinit"]),
        ("unknown",           intent(leaving),          left(&unknown), vec!["refuse KubeVirtApiError"]),
        ("none",              intent(leaving),          left(&DataSecret::Absent), vec!["release"]),
    ];
    every_row(cases, |(name, intent, seen, wanted)| assert_eq!(brief(&plan(&intent, &seen)), wanted, "{name}"));
}

#[test]
fn t14_a_name_that_is_none_leads_nowhere() {
    #[rustfmt::skip]
    let cases = [
        json!({"secretRef": {"name": "../../kube-system/secrets/admin"}}),
        json!({"secretRef": {"name": ".."}}),
        json!({"secretRef": {"name": ""}}),
        json!({"userDataConfigMapRef": {"name": "a?b"}}),
        json!({"networkDataSecretRef": {"name": "a", "key": "../b"}}),
    ];
    every_row(cases, |data| {
        let spec = json!({"cloudInit": data});
        let failure = carried(&spec).expect_err("no name");
        assert!(failure.message.contains("in the Machine's namespace"), "{failure:?}");
        let machine = machine(|machine| machine["spec"] = spec.clone());
        assert_eq!(sources(&machine.spec), []);
    });
    let machine = machine(|machine| {
        machine["spec"] =
            json!({"cloudInit": {"secretRef": {"name": "a.b", "key": "k"}, "networkDataConfigMapRef": {"name": "c"}}});
    });
    let source = |kind, name: &str, key: &str| Source { kind, name: name.to_owned(), key: key.to_owned() };
    let wanted = [source(SourceKind::Secret, "a.b", "k"), source(SourceKind::ConfigMap, "c", "networkdata")];
    assert_eq!(sources(&machine.spec), wanted);
}

#[test]
fn t19_data_is_never_shown_and_its_hash_says_nothing_of_another_machines() {
    let spec = json!({"cloudInit": {"secretRef": {"name": "canary"}, "networkDataSecretRef": {"name": "canary"}}});
    let data = carried(&spec).expect("carried");
    let plan = planned(&spec, Observed { claims: claims("Bound"), ..seen() });
    every_row([format!("{data:?}"), format!("{plan:?}")], |shown| {
        assert!(!shown.contains("canary/") && !shown.contains("Y2FuYXJ5"), "{shown}");
    });
    let machine = machine(|machine| machine["spec"] = spec.clone());
    let other = carry(&machine.spec, "m-2", None, content).expect("carried");
    assert_ne!(data.hash, other.hash, "the same data of another Machine");
    assert_eq!(data.hash.as_deref().map(str::len), Some(32));
    let moved = carry(&machine.spec, "m-1", None, |source| Ok(format!("{}{}", source.key, "x").into_bytes()));
    assert_ne!(moved.expect("carried").hash, data.hash);
    let kept = data.clone().without_secrets();
    assert_eq!((kept.hash, kept.user), (data.hash, Some(Load::Secret(None))));
    assert_ne!(fingerprint(&machine.spec, None), fingerprint(&self::machine(|_| ()).spec, None));
    let parcel = Parcel {
        name: "n".to_owned(),
        namespace: "s".to_owned(),
        labels: json!({}),
        data: vec![("userdata", Some(Hidden(b"canary of a Secret".to_vec()))), ("networkdata", None)],
        known: false,
    };
    assert!(!format!("{parcel:?}").contains("canary"));
    #[rustfmt::skip]
    let cases = [
        ("Secret n: exceeded quota: secrets, requested: 1",              false),
        ("Secret n: denied: data.userdata: canary of a Secret",          true),
        ("Secret n: denied: data.userdata: Y2FuYXJ5IG9mIGEgU2VjcmV0",    true),
        ("canary",                                                       false),
    ];
    every_row(cases, |(message, hidden)| {
        let failure = Failure { reason: Reason::QuotaExceeded, message: message.to_owned() };
        let told = parcel.without_data(failure.clone());
        assert_eq!(told != failure, hidden, "{message}");
        assert!(!told.message.contains("canary of"), "{told:?}");
    });
}
