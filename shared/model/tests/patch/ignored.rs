//! `ignore-fields`: which fields, and what becomes of them. X47, KVO27.

use model::patch::UserPatches;
use model::reason::Reason::{self, PatchForbidden, PatchInvalid};
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{claim, only, vm, wrong};

const IGNORE: &str = "platform.kubevirt.io/ignore-fields";

/// The VM after `pointers` were masked with what `live` has.
fn masked(pointers: &str, live: &Value) -> Value {
    let mut desired = vm();
    UserPatches::read([(IGNORE, pointers)]).expect(pointers).vm.mask(&mut desired, live);
    desired
}

#[test]
fn kvo27_ignored_fields_keep_what_they_have_on_the_cluster() {
    let mut live = vm();
    live["spec"]["runStrategy"] = json!("Halted");
    live["spec"]["template"]["spec"]["domain"]["cpu"] =
        json!({"cores": 2, "sockets": 4, "threads": 1, "model": "Haswell"});
    live["spec"]["template"]["spec"]["hostname"] = json!("mine");
    live["spec"]["template"]["spec"]["volumes"] = json!([]);
    let mut want = vm();
    want["spec"]["runStrategy"] = json!("Halted");
    want["spec"]["template"]["spec"]["domain"]["cpu"]["sockets"] = json!(4);
    want["spec"]["template"]["spec"]["domain"]["cpu"]["model"] = json!("Haswell");
    let fields = "/spec/runStrategy, /spec/template/spec/domain/cpu/sockets,\n /spec/template/spec/domain/cpu/model,";
    assert_eq!(masked(fields, &live), want);
}

/// The entry with the same name is meant, wherever it stands on the cluster.
#[test]
fn kvo27_an_index_into_a_list_works_and_finds_its_entry_by_name() {
    let mut live = vm();
    let disks = live.pointer_mut("/spec/template/spec/domain/devices/disks").and_then(Value::as_array_mut).unwrap();
    disks.insert(0, json!({"name": "hotplugged", "disk": {"bus": "scsi"}, "cache": "writethrough"}));
    disks[2]["cache"] = json!("writeback");
    let path = "/spec/template/spec/domain/devices/disks/1/cache";
    let mut want = vm();
    want["spec"]["template"]["spec"]["domain"]["devices"]["disks"][1]["cache"] = json!("writeback");
    assert_eq!(masked(path, &live), want);
}

#[test]
fn kvo27_a_path_that_leads_nowhere_is_no_error() {
    #[rustfmt::skip]
    let cases = [
        ("KVO27: in neither",             "/spec/template/spec/dnsConfig",                             vm()),
        ("KVO27: beyond the list",        "/spec/template/spec/domain/devices/disks/9/cache",          vm()),
        ("KVO27: no index",               "/spec/template/spec/domain/devices/disks/data/cache",       vm()),
        ("KVO27: the end of a list",      "/spec/template/spec/domain/devices/disks/-/cache",          vm()),
        ("KVO27: parents in neither",     "/spec/template/spec/domain/clock/timer/hpet/present",       vm()),
        ("KVO27: another kind of value",  "/spec/template/spec/domain/cpu/model",                      json!({"spec": {"template": {"spec": {"domain": "x"}}}})),
        ("KVO27: an entry that is new",   "/spec/template/spec/domain/devices/disks/1/disk/bus",       json!({"spec": {"template": {"spec": {"domain": {"devices": {"disks": []}}}}}})),
        ("KVO27: nothing on the cluster", "/spec/runStrategy",                                         json!(null)),
    ];
    every_row(cases, |(name, pointer, live)| {
        assert_eq!(masked(pointer, &live), vm(), "{name}");
        assert_eq!(wrong(&[(IGNORE, pointer)], false), [], "{name}");
    });
    let mut live = vm();
    live["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"][0].as_object_mut().unwrap().remove("model");
    let path = "/spec/template/spec/domain/devices/interfaces/0/model";
    assert_eq!(masked(path, &live), live, "what is not on the cluster is not written");
}

#[test]
fn kvo27_t7_only_what_a_patch_may_touch_can_be_ignored() {
    let forbidden = [
        "/metadata",
        "/metadata/name",
        "/metadata/uid",
        "/metadata/labels",
        "/metadata/labels/vitistack.io~1machine-uid",
        "/metadata/ownerReferences",
        "/metadata/finalizers",
        "/spec",
        "/spec/template",
        "/spec/template/spec",
        "/spec/template/spec/volumes",
        "/spec/template/spec/volumes/0",
        "/spec/template/spec/networks",
        "/spec/running",
        "/spec/template/spec/domain",
        "/spec/template/spec/domain/devices",
        "/spec/template/spec/domain/devices/disks",
        "/spec/template/spec/domain/devices/disks/0",
        "/spec/template/spec/domain/devices/disks/0/name",
        "/spec/template/spec/domain/devices/hostDevices",
        "/spec/template/metadata/labels",
        "/status",
        "/apiVersion",
        "/spec/template/spec/domain/cpu/cores/x",
        "/",
    ];
    every_row(forbidden, |pointer| {
        let (field, reason, says) = only(wrong(&[(IGNORE, pointer)], true));
        assert_eq!(
            (field.as_str(), reason),
            ("metadata.annotations[platform.kubevirt.io/ignore-fields]", PatchForbidden),
            "{pointer}"
        );
        assert!(says.starts_with(&format!("{pointer}: may not be ignored: ")), "{says}");
    });
    #[rustfmt::skip]
    let cases: [(&str, Reason, &str); 4] = [
        ("spec/runStrategy",      PatchInvalid, "\"spec/runStrategy\" is no JSON pointer: it must begin with '/'"),
        ("/spec/run~2Strategy",   PatchInvalid, "\"/spec/run~2Strategy\" is no JSON pointer: after '~' comes 0"),
        ("/spec/runStrategy,/~0~2", PatchInvalid, "\"/~0~2\" is no JSON pointer"),
        ("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", PatchInvalid, "\"/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a\" has 17 segments, may have 16"),
    ];
    every_row(cases, |(pointers, reason, starts)| {
        let (_, found, says) = only(wrong(&[(IGNORE, pointers)], true));
        assert_eq!(found, reason);
        assert!(says.starts_with(starts), "{says}");
    });
}

#[test]
fn fr15_an_object_of_which_we_write_nothing_else_may_be_ignored_as_a_whole() {
    let mut live = vm();
    live["spec"]["template"]["spec"]["domain"]["cpu"] =
        json!({"cores": 8, "sockets": 1, "threads": 1, "model": "host-model"});
    live["spec"]["template"]["spec"]["domain"]["memory"] = json!({"guest": "64Gi"});
    live["spec"]["template"]["spec"]["domain"]["devices"]["disks"][0]["disk"] = json!({"bus": "scsi"});
    every_row(["domain/cpu", "domain/memory", "domain/devices/disks/0/disk"], |field| {
        let pointer = format!("/spec/template/spec/{field}");
        assert_eq!(wrong(&[(IGNORE, &pointer)], false), [], "{pointer}");
        let masked = masked(&pointer, &live);
        assert_eq!(masked.pointer(&pointer), live.pointer(&pointer), "{pointer}");
    });
    let cpu = "/spec/template/spec/domain/cpu";
    live["spec"]["template"]["spec"]["domain"]["cpu"]["realtime"] = json!({});
    assert!(
        masked(cpu, &live).pointer(&format!("{cpu}/realtime")).is_none(),
        "what may not be ignored does not come along"
    );
    let disk = "/spec/template/spec/domain/devices/disks/0";
    assert_eq!(masked(disk, &live), vm(), "its name may not be ignored, so nothing of it is");
}

#[test]
fn x47_a_disk_ignores_labels_and_annotations_of_others_only() {
    const KEY: &str = "platform.kubevirt.io/ignore-fields.disk.root";
    let patches = UserPatches::read([(KEY, "/metadata/labels/example.com~1tier")]).unwrap();
    let (mut desired, mut live) = (claim("root"), claim("root"));
    live["metadata"]["labels"]["example.com/tier"] = json!("gold");
    live["metadata"]["labels"]["other"] = json!("x");
    patches.disks["root"].mask(&mut desired, &live);
    assert_eq!(desired["metadata"]["labels"], json!({"vitistack.io/machine-uid": "m-1", "example.com/tier": "gold"}));
    let cases =
        ["/metadata/labels/vitistack.io~1machine-uid", "/metadata/labels", "/spec/resources", "/metadata/finalizers"];
    every_row(cases, |pointer| {
        let (field, reason, _) = only(wrong(&[(KEY, pointer)], true));
        assert_eq!((field, reason), (format!("metadata.annotations[{KEY}]"), PatchForbidden), "{pointer}");
    });
}
