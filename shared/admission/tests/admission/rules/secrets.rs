//! Cloud-init data of Secrets (T9), and the documented examples (C38).

use super::*;

#[test]
fn t9_data_of_a_secret_is_only_for_who_may_read_it() {
    let spec = with(
        "cloudInit",
        json!({"secretRef": {"name": "keys", "key": "userdata"}, "networkDataSecretRef": {"name": "net"}}),
    );
    let answered = |keys: Option<Result<bool, String>>| {
        let net = ("net".to_owned(), Ok(true));
        let readable = std::iter::once(net).chain(keys.map(|answer| ("keys".to_owned(), answer)));
        World { readable: Some(readable.collect()), ..world(&["east"]) }
    };
    #[rustfmt::skip]
    let rows = [
        (Some(Ok(false)), "you may not read Secret \"keys\": ask for get on secrets/keys in namespace default"),
        (Some(Err("timed out".to_owned())), "could not be checked: timed out; apply again"),
        (None, "was not checked in time; apply again"),
    ];
    every_row(rows, |(answer, says)| {
        let wrong = refuse(&machine(spec.clone()), &answered(answer));
        assert_eq!((wrong.len(), first(&wrong)), (1, (Reason::SecretNotReadable, "spec.cloudInit.secretRef.name")));
        assert!(wrong[0].message.contains(says), "{}", wrong[0].message);
    });
    let before = stored("CREATE", &machine(spec), None, &answered(Some(Ok(true))));
    assert_eq!(reasons(edited(&before, &world(&["east"]), halted)), [], "not asked again for what it has");
    let other = edited(&before, &world(&["east"]), |it| it["spec"]["cloudInit"]["secretRef"]["name"] = json!("other"));
    assert_eq!(reasons(other), [("spec.cloudInit.secretRef.name".to_owned(), Reason::SecretNotReadable)]);
}

#[test]
fn t9_the_secrets_that_have_to_be_asked_for_are_the_new_ones() {
    let asked = |operation: &str, object: &Value, old: Option<&Value>| -> Vec<String> {
        let mut old = old.cloned();
        if let Some(old) = &mut old {
            *old = annotated(old.clone(), names::RESOLVED, "{}");
        }
        super::asked(operation, object, old.as_ref(), &world(&["east"])).secrets
    };
    let cloud = |value: Value| machine(with("cloudInit", value));
    let old = cloud(json!({"secretRef": {"name": "a"}, "userDataConfigMapRef": {"name": "map"}}));
    let new = cloud(json!({"userDataSecretRef": {"name": "b"}, "networkDataSecretRef": {"name": "a"}}));
    assert_eq!(asked("CREATE", &old, None), ["a"], "ConfigMaps need no such check");
    assert_eq!(asked("CREATE", &new, None), ["b", "a"]);
    assert_eq!(asked("UPDATE", &new, Some(&old)), ["b"], "a was referenced before");
    assert_eq!(asked("UPDATE", &new, Some(&new)), Vec::<String>::new());
    assert_eq!(
        asked("CREATE", &cloud(json!({"secretRef": {"name": "no/name"}})), None),
        Vec::<String>::new(),
        "refused anyway"
    );
    assert_eq!(asked("CREATE", &machine(json!({"template": "small"})), None), Vec::<String>::new());
}

#[test]
fn c38_the_documented_examples_are_admitted() {
    let mut world = networked();
    world.networks.configurations.insert_mut(key("storage-network"), false);
    world.readable = Some([("machine-secrets".to_owned(), Ok(true))].into());
    #[rustfmt::skip]
    let examples = [
        ("basic",      json!({"template": "medium"})),
        ("overrides",  json!({"template": "small", "resources": {"cpu": {"cores": 4}, "memory": {"size": "8Gi"}}, "disks": [{"name": "data", "size": "100Gi", "storageClass": "fast-ssd"}]})),
        ("networks",   json!({"template": "medium", "networks": [{"name": "eth0", "networkName": "prod-network", "model": "virtio"}, {"name": "eth1", "networkName": "storage-network", "model": "virtio"}]})),
        ("cloud-init", json!({"template": "large", "cloudInit": {"userData": "#cloud-config\nusers:\n- name: admin\n  sudo: ALL=(ALL) NOPASSWD:ALL\n  ssh_authorized_keys:\n  - ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB...\npackages:\n- curl\n- vim\n"}})),
        ("two sources", json!({"template": "small", "cloudInit": {"userData": "#cloud-config\nusers:\n- name: admin\n", "secretRef": {"name": "machine-secrets", "key": "userdata"}}})),
        ("everything", json!({"template": "large", "bootOrder": ["disk", "network", "cdrom"], "domain": {"machine": {"type": "pc-q35"}, "features": {"acpi": true, "apic": true, "hyperv": true}, "firmware": {"bootloader": {"efi": true, "secureBoot": true}}}, "disks": [{"name": "root", "size": "20Gi", "storageClass": "fast-ssd", "accessMode": "ReadWriteOnce", "volumeMode": "Block"}]})),
    ];
    every_row(examples, |(name, spec)| {
        let mut object = machine(spec);
        object["metadata"]["labels"] = json!({"cluster.vitistack.io/cluster-name": "prod"});
        assert_eq!(reasons(judge("CREATE", &object, None, &world)), [], "{name}");
    });
}
