use super::*;
use crate::table::every_row;

fn read(reference: Reference<'static>, assigned: Option<&'static str>) -> Option<Recorded<'static>> {
    Recorded::read(reference, assigned)
}

#[test]
fn x58_x71_a_cluster_is_recorded_with_its_identity_and_not_before() {
    let reference = Reference { name: Some("east"), cluster_id: Some("uid-1"), namespace: Some("vms") };
    let recorded = Recorded { cluster: Some("east"), id: "uid-1", namespace: Some("vms") };
    let cases = [
        ("recorded", reference, Some("west"), Some(recorded)),
        (
            "without a name",
            Reference { name: None, ..reference },
            Some("west"),
            Some(Recorded { cluster: Some("west"), ..recorded }),
        ),
        (
            "with an empty name",
            Reference { name: Some(""), ..reference },
            None,
            Some(Recorded { cluster: None, ..recorded }),
        ),
        (
            "in its own namespace",
            Reference { namespace: Some(""), ..reference },
            None,
            Some(Recorded { namespace: None, ..recorded }),
        ),
        ("without an identity", Reference { cluster_id: None, ..reference }, Some("east"), None),
        ("with an empty identity", Reference { cluster_id: Some(""), ..reference }, Some("east"), None),
    ];
    let wrong: Vec<_> = cases.into_iter().filter(|(_, from, assigned, want)| read(*from, *assigned) != *want).collect();
    assert_eq!(wrong, []);
}

/// Written by the previous version, byte for byte.
const OLD_SIZING: &str = r#"{"template":"medium","source":"MachineClass","generation":3,"cores":4,"threads":1,"sockets":1,"memory":"8Gi","disks":[{"name":"root","size":"40Gi","storageClass":"default","accessMode":"ReadWriteOnce","boot":true},{"name":"data","size":"1Ti","accessMode":"ReadWriteMany","volumeMode":"Block"}]}"#;
const OLD_PLAIN: &str = r#"{"rule":"adopted","cluster":"east","vm":"vm-web"}"#;
const OLD_CHOICE: &str = r#"{"rule":"balanced","cluster":"east","searched":false,"defaultPassedOver":"north","dropped":{"silent":1,"unschedulable":2},"candidates":2,"among":["east","west"]}"#;

#[test]
fn what_the_previous_version_wrote_is_read_and_written_again_byte_for_byte() {
    let sizing = Sizing::read(OLD_SIZING).expect("a size");
    assert_eq!((sizing.cores, sizing.disks[1].volume_mode.as_deref()), (4, Some("Block")));
    assert_eq!(sizing.write(), OLD_SIZING);
    every_row([(OLD_PLAIN, Some("vm-web"), true), (OLD_CHOICE, None, false)], |(text, vm, searched)| {
        let explanation = Explanation::read(text).expect("an explanation");
        assert_eq!((explanation.vm.as_deref(), explanation.searched, &*explanation.cluster), (vm, searched, "east"));
        assert_eq!(explanation.write(), text);
    });
}

#[test]
fn an_explanation_needs_no_more_than_its_cluster_and_is_never_long() {
    let short = Explanation::read(r#"{"cluster":"east"}"#).expect("an explanation");
    assert_eq!((&*short.cluster, short.vm, short.searched), ("east", None, true));
    let long = format!(r#"{{"cluster":"east","rule":"{}"}}"#, "x".repeat(5000));
    every_row(["", "null", "[]", "{}", r#"{"cluster":7}"#, r#"{"cluster":"east","vm":{}}"#, &long], |text| {
        assert_eq!(Explanation::read(text), None, "{text:.40}");
    });
}

#[test]
fn only_no_provider_and_kubevirt_are_ours() {
    let ours = [None, Some(""), Some("kubevirt"), Some("KubeVirt"), Some("proxmox")].map(is_ours);
    assert_eq!(ours, [true, true, true, false, false]);
}
