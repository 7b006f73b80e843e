//! Rules about what the guest is given: cloud-init data, board and firmware.

use super::*;

#[test]
fn c8_x26_x79_cloud_init() {
    use Reason::{FieldInvalid, FieldNotSupported, FieldRequired};
    let data = |value: Value| with("cloudInit", value);
    #[rustfmt::skip]
    let rows = vec![
        ("a type",          data(json!({"type": "nocloud", "userData": "x"})), "spec.cloudInit.type", FieldNotSupported, "did you mean \"noCloud\"?"),
        ("base64",          data(json!({"userDataBase64": "I2Nsb3Vk!"})), "spec.cloudInit.userDataBase64", FieldInvalid, "must be base64"),
        ("base64, cut",     data(json!({"networkDataBase64": "I2Nsb3V"})), "spec.cloudInit.networkDataBase64", FieldInvalid, "must be base64"),
        ("no name",         data(json!({"userDataConfigMapRef": {"key": "a"}})), "spec.cloudInit.userDataConfigMapRef.name", FieldRequired, "name an object"),
        ("an empty name",   data(json!({"networkDataConfigMapRef": {"name": ""}})), "spec.cloudInit.networkDataConfigMapRef.name", FieldInvalid, "must be the name of an object"),
        ("another namespace's", data(json!({"secretRef": {"name": "other/secret"}})), "spec.cloudInit.secretRef.name", FieldInvalid, "must be the name of an object"),
        ("a key",           data(json!({"userDataConfigMapRef": {"name": "a", "key": "a/b"}})), "spec.cloudInit.userDataConfigMapRef.key", FieldInvalid, "must be a key"),
        ("X70: too long",   data(json!({"userData": "\n".repeat((1 << 20) + 1)})), "spec.cloudInit.userData", FieldInvalid, "Too long: 1048577 bytes: must have at most 1048576"),
        ("a key of two lines", with("sshKeys", json!(["ssh-ed25519 AAAA a\nruncmd: []"])), "spec.sshKeys[0]", FieldInvalid, "one public key on one line"),
        ("an empty key",    with("sshKeys", json!([""])), "spec.sshKeys[0]", FieldInvalid, "one public key"),
    ];
    refused(rows, &world(&["east"]));
    let said = |spec: Value| {
        let warnings = admit(&machine(spec), &world(&["east"])).warnings;
        warnings.into_iter().filter(|line| !line.starts_with("accepted, but")).collect::<Vec<_>>()
    };
    let map = json!({"name": "a"});
    let several = data(
        json!({"userDataConfigMapRef": map, "userDataBase64": "YQ==", "userData": "a", "networkDataConfigMapRef": map}),
    );
    assert_eq!(
        said(several),
        [
            "spec.cloudInit.userData is used, and spec.cloudInit.userDataBase64, spec.cloudInit.userDataConfigMapRef is not: several sources are given"
        ]
    );
    let mut older = data(json!({"networkData": "version: 2", "networkDataBase64": "YQ=="}));
    older["userData"] = json!("#cloud-config");
    assert_eq!(
        said(older),
        ["spec.cloudInit.networkData is used, and spec.cloudInit.networkDataBase64 is not: several sources are given"]
    );
    assert_eq!(said(data(json!({"type": "noCloud"}))), ["spec.cloudInit names no source, so it has no effect"]);
    assert_eq!(said(data(json!({"userData": ""}))).len(), 1, "an empty text is no source");
    assert_eq!(
        said(data(json!({"userDataBase64": "I2Ns\nb3Vk\n"}))),
        Vec::<String>::new(),
        "line breaks are no mistake"
    );
    let keys = |user: Value| {
        let mut spec = data(user);
        spec["sshKeys"] = json!(["ssh-ed25519 AAAA a"]);
        said(spec)
    };
    assert_eq!(keys(json!({"userData": "#cloud-config\nusers: []"})), Vec::<String>::new());
    assert_eq!(keys(json!({"userDataBase64": "I2Nsb3VkLWNvbmZpZwo="})), Vec::<String>::new());
    assert_eq!(keys(json!({"userDataConfigMapRef": {"name": "a"}})), Vec::<String>::new(), "not known yet");
    let script = ["spec.sshKeys are not added to spec.cloudInit.userData: it does not begin with #cloud-config"];
    assert_eq!(keys(json!({"userData": "#!/bin/sh\n"})), script);
    assert_eq!(
        keys(json!({"userData": "#cloud-config-archive\n- type: text/x-shellscript\n"})),
        script,
        "a list of parts"
    );
}

#[test]
fn c9_x45_x72_x79_hardware() {
    use Reason::{FieldInvalid, FieldNotSupported, SizingConflict};
    let loader = |loader: Value| with("domain", json!({"firmware": {"bootloader": loader}}));
    let mut two = with("machineType", json!("q35"));
    two["domain"] = json!({"machine": {"type": "pc-q35"}});
    let secure = json!({"bootloader": {"efi": true, "secureBoot": true}});
    #[rustfmt::skip]
    let rows = vec![
        ("X72: no EFI",   loader(json!({"secureBoot": true})), "spec.domain.firmware.bootloader.secureBoot", FieldInvalid, "needs efi: true, and efi is unset"),
        ("X72: EFI off",  loader(json!({"secureBoot": true, "efi": false})), "spec.domain.firmware.bootloader.secureBoot", FieldInvalid, "and efi is false"),
        ("X72: SMM off",  with("domain", json!({"features": {"smm": false}, "firmware": secure})), "spec.domain.features.smm", FieldInvalid, "features.smm must not be false"),
        ("X79: two types", two, "spec.machineType", SizingConflict, "spec.domain.machine.type is \"pc-q35\""),
        ("X45: i440fx",   with("domain", json!({"machine": {"type": "pc-i440fx"}})), "spec.domain.machine.type", FieldNotSupported, "the KubeVirt of cluster \"east\" is not known to take others than q35*, pc-q35*"),
        ("X45: published", with("machineType", json!("pc")), "spec.machineType", FieldNotSupported, "\"pc\""),
        ("X45: too long", with("machineType", json!(format!("q35{}", "a".repeat(61)))), "spec.machineType", FieldInvalid, "at most 63"),
    ];
    refused(rows, &world(&["east"]));
    admit(
        &machine(with("domain", json!({"features": {"acpi": true, "apic": true, "hyperv": true}, "firmware": secure}))),
        &world(&["east"]),
    );
    for kind in ["pc-q35", "q35", "pc-q35-rhel9.2.0"] {
        admit(&machine(with("domain", json!({"machine": {"type": kind}}))), &world(&["east"]));
    }
    let wide = knowing(world(&["east"]), "east", |config| {
        config.emulated_machines = Some(vec!["q35*".to_owned(), "pc-*-2*".to_owned()]);
    });
    admit(&machine(with("machineType", json!("pc-i440fx-2.10"))), &wide);
    let wrong = refuse(&machine(with("machineType", json!("pc-i440fx-3.1"))), &wide);
    assert!(wrong[0].message.contains("takes q35*, pc-*-2*"), "{}", wrong[0].message);
}
