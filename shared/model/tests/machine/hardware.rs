//! Machine type, firmware, features and boot order of the VM.

use model::machine::vm::desired;

use super::*;

fn instance(spec: Value) -> Value {
    let Intent::Run(admitted) = intent(|machine| machine["spec"] = spec.clone()) else { panic!("a VM") };
    desired(&admitted, &seen())["spec"]["template"]["spec"].clone()
}

#[test]
fn c9_x72_firmware_and_features_as_kubevirt_takes_them() {
    let on = json!({"enabled": true});
    let hyperv = json!({"relaxed": on, "vapic": on, "vpindex": on, "spinlocks": {"enabled": true, "spinlocks": 8191}});
    #[rustfmt::skip]
    let cases = [
        ("nothing said",      json!({}),                                                                         json!([null, null, null])),
        ("EFI",               json!({"firmware": {"bootloader": {"efi": true}}}),                                json!([{"bootloader": {"efi": {"secureBoot": false}}}, null, null])),
        ("secure boot",       json!({"firmware": {"bootloader": {"efi": true, "secureBoot": true}}}),            json!([{"bootloader": {"efi": {"secureBoot": true}}}, {"smm": on}, null])),
        ("BIOS",              json!({"firmware": {"bootloader": {"efi": false}}}),                               json!([null, null, null])),
        ("features",          json!({"features": {"acpi": true, "apic": false, "hyperv": true}}),                json!([null, {"acpi": on, "apic": {"enabled": false}, "hyperv": hyperv}, null])),
        ("no Hyper-V",        json!({"features": {"hyperv": false}}),                                            json!([null, null, null])),
        ("a machine type",    json!({"machine": {"type": "pc-q35"}}),                                            json!([null, null, {"type": "pc-q35"}])),
    ];
    every_row(cases, |(name, domain, wanted)| {
        let made = instance(json!({"domain": domain}))["domain"].clone();
        let of = |field: &str| made.get(field).cloned().unwrap_or_default();
        assert_eq!(json!([of("firmware"), of("features"), of("machine")]), wanted, "{name}");
    });
    assert_eq!(
        instance(json!({"machineType": "q35"}))["domain"]["machine"],
        json!({"type": "q35"}),
        "X74: the published form"
    );
}

#[test]
fn c7_x37_boot_order_goes_over_disks_and_interfaces() {
    let order = |boot: Value| -> Vec<String> {
        let devices = instance(json!({"bootOrder": boot}))["domain"]["devices"].clone();
        let all =
            ["disks", "interfaces"].into_iter().flat_map(|kind| devices[kind].as_array().cloned().unwrap_or_default());
        let mut numbered: Vec<(i64, String)> = all
            .filter_map(|device| Some((device["bootOrder"].as_i64()?, device["name"].as_str()?.to_owned())))
            .collect();
        numbered.sort();
        assert!(numbered.iter().zip(1..).all(|((number, _), place)| *number == place), "{numbered:?}");
        numbered.into_iter().map(|(_, name)| name).collect()
    };
    #[rustfmt::skip]
    let cases: [(Value, &[&str]); 4] = [
        (json!([]),                            &["root"]),
        (json!(["network", "disk"]),           &["default", "root"]),
        (json!(["disk", "network", "cdrom"]),  &["root", "default"]),
        (json!(["network"]),                   &["default"]),
    ];
    every_row(cases, |(boot, wanted)| assert_eq!(order(boot.clone()), wanted, "{boot}"));
}
