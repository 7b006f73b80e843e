//! Machines by chance: most of their fields well, some of them wrong in ways that people's manifests are.

use serde_json::{Value, json};

/// Storage classes that exist.
pub(super) const CLASSES: &[&str] = &["fast-ssd", "slow"];
/// Networks that exist.
pub(super) const NETWORKS: &[&str] = &["prod-network", "prod-net"];
/// Secrets that may be read.
pub(super) const SECRETS: &[&str] = &["keys"];

/// A reproducible source of choices (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below as u64).expect("it is below a usize")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.next(count) == 0
    }

    /// A good value, or once in twenty times a bad one.
    fn pick(&mut self, good: &Value, bad: &Value) -> Value {
        let from = if self.one_in(20) { bad } else { good };
        let from = from.as_array().expect("a list");
        from[self.next(from.len())].clone()
    }

    /// Sets a field now and then.
    fn maybe(&mut self, rarely: usize, object: &mut Value, path: &str, good: &Value, bad: &Value) {
        if self.one_in(rarely) {
            set(object, path, self.pick(good, bad));
        }
    }
}

/// Sets a field, and makes what it lies in.
fn set(object: &mut Value, path: &str, value: Value) {
    let at = path.split('.').fold(object, |at, step| &mut at[step]);
    *at = value;
}

/// The Machine of that number.
pub(super) fn machine(number: u64) -> Value {
    let mut chance = Chance(number.wrapping_mul(0x00d1_342c_1f00_dba5));
    let long = "a".repeat(63);
    let names = json!(["web", "a", "web-1", long]);
    let name = chance.pick(&names, &json!(["Web", "web.1", "-web", "a".repeat(64), "web_1"]));
    let mut machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {"name": name, "namespace": "default"}, "spec": {"template": "small"},
    });
    let spec = &mut machine["spec"];
    size(&mut chance, spec);
    words(&mut chance, spec);
    hardware(&mut chance, spec);
    cloud_init(&mut chance, spec);
    if chance.one_in(2) {
        let count = chance.next(4);
        spec["disks"] = (0..count).map(|_| disk(&mut chance)).collect();
    }
    if chance.one_in(3) {
        let count = chance.next(4);
        spec["networks"] = (0..count).map(|_| network(&mut chance)).collect();
    }
    machine
}

#[rustfmt::skip]
fn size(chance: &mut Chance, spec: &mut Value) {
    chance.maybe(20, spec, "template", &json!(["small", "medium"]), &json!(["", 7, "x".repeat(254)]));
    chance.maybe(12, spec, "instanceType", &json!(["small"]), &json!(["", "large"]));
    chance.maybe(12, spec, "machineClass", &json!(["small"]), &json!(["large", null]));
    chance.maybe(8, spec, "resources.cpu.cores", &json!([1, 4, 256]), &json!([0, -1, 257, "4", 1.5]));
    chance.maybe(12, spec, "resources.cpu.threads", &json!([1, 2, 8]), &json!([0, 9]));
    chance.maybe(12, spec, "resources.cpu.sockets", &json!([1, 16]), &json!([0, 17]));
    chance.maybe(12, spec, "cpu.cores", &json!([0, 4]), &json!([-1, 257]));
    chance.maybe(12, spec, "cpu.threadsPerCore", &json!([0, 2]), &json!([9, -2]));
    chance.maybe(12, spec, "cpu.sockets", &json!([0, 1]), &json!([17]));
    chance.maybe(5, spec, "resources.memory.size", &json!(["2Gi", "4096Mi", "32Mi", "1.5Gi", "2e9", "64Ti", 2_147_483_648_i64, ".5Gi", "3.Gi", "1e+9", "2E3M"]),
        &json!(["2GB", "-2Gi", "+2Gi", "31Mi", "65Ti", "0", "", "1e-3", "4000000000000m", "Gi", "1.2.3Gi", -5, 5, "1e99", "999999999999999999999999999999999", true]));
    chance.maybe(8, spec, "memory", &json!([0, 2_147_483_648_i64, 33_554_432, 70_368_744_177_664_i64]), &json!([1, -1, 33_554_431, 70_368_744_177_665_i64, "2Gi"]));
}

#[rustfmt::skip]
fn words(chance: &mut Chance, spec: &mut Value) {
    chance.maybe(8, spec, "runStrategy", &json!(["Always", "Halted", "Manual", "RerunOnFailure", "Once"]), &json!(["", "always", "On", 1]));
    chance.maybe(6, spec, "bootOrder", &json!([["disk"], ["disk", "network"], ["network", "disk", "cdrom"], []]), &json!([["disk", "disk"], ["floppy"], ["disk", "network", "cdrom", "disk"], "disk", [""]]));
    chance.maybe(8, spec, "kubevirtConfigRef", &json!([{"name": "east"}]), &json!([{}, {"name": ""}, {"name": 1}, "east"]));
    chance.maybe(8, spec, "clusterSelector", &json!([
        {"matchLabels": {"region": "eu"}}, {}, {"matchExpressions": [{"key": "region", "operator": "In", "values": ["eu"]}]},
        {"matchExpressions": [{"key": "region", "operator": "Exists"}, {"key": "gpu", "operator": "DoesNotExist", "values": []}]},
    ]), &json!([
        {"matchExpressions": [{"key": "region", "operator": "In"}]}, {"matchExpressions": [{"key": "", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "region", "operator": "Exists", "values": ["eu"]}]}, {"matchExpressions": [{"key": "region", "operator": "Is"}]},
        {"matchExpressions": [{"operator": "Exists"}]}, {"matchLabels": {"region": 1}}, {"matchExpressions": [{"key": "region", "operator": "In", "values": ["e".repeat(64)]}]},
    ]));
    chance.maybe(12, spec, "name", &json!(["web"]), &json!(["", 3]));
    chance.maybe(12, spec, "os.architecture", &json!(["amd64", "arm64", "x86_64"]), &json!(["amd46", ""]));
    chance.maybe(10, spec, "os.isoUri", &json!(["https://images.example.org/a.iso", "", "http://10.0.0.1:8080/a.iso?x=1", "http://[2001:db8::1]:80/a"]), &urls());
    chance.maybe(12, spec, "network.networkNamespaceName", &json!(["prod-net", ""]), &json!([1]));
    chance.maybe(10, spec, "sshKeys", &json!([["ssh-ed25519 AAAA a"], []]), &json!([[""], [" ssh"], ["a\nb"], ["\ta"], "key", ["k".repeat(16385)]]));
}

fn urls() -> Value {
    json!([
        "http://127.0.0.1/a",
        "https://LOCALHOST/a",
        "http://localhost",
        "http://169.254.169.254/a",
        "http://[::1]/a",
        "http://[fe80::1]/a",
        "http://[0:0:0:0:0:0:0:1]/a",
        "http://[::ffff:127.0.0.1]/a",
        "http://[FEbf::1]/a",
        "http://0.0.0.0/",
        "ftp://a/b",
        "https://",
        "https:///a",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://256.1.1.1/",
        "http://user@host/a",
        "http://a_b/c",
        "http://-a/b",
        "http://a:123456/b",
        "http://a/b c",
        "http://a#b",
        "a.img",
        7
    ])
}

#[rustfmt::skip]
fn hardware(chance: &mut Chance, spec: &mut Value) {
    chance.maybe(8, spec, "machineType", &json!(["q35", ""]), &json!(["pc-q35", "pc", "q".repeat(64)]));
    chance.maybe(6, spec, "domain.machine.type", &json!(["q35", ""]), &json!(["pc-i440fx", "q".repeat(64), 1]));
    chance.maybe(10, spec, "domain.features.smm", &json!([true]), &json!([false, "on"]));
    chance.maybe(10, spec, "domain.features.hyperv", &json!([true, false]), &json!([1]));
    chance.maybe(6, spec, "domain.firmware.bootloader", &json!([{"efi": true}, {}, {"efi": true, "secureBoot": true}, {"secureBoot": false}]), &json!([{"secureBoot": true}, {"efi": false, "secureBoot": true}]));
}

#[rustfmt::skip]
fn cloud_init(chance: &mut Chance, spec: &mut Value) {
    let (good_ref, bad_ref) = (json!([{"name": "keys"}, {"name": "keys", "key": "user.data"}]), json!([{}, {"name": ""}, {"name": "a/b"}, {"name": "keys", "key": ""}, {"name": "keys", "key": "a b"}, {"name": "Keys"}]));
    chance.maybe(8, spec, "cloudInit.userData", &json!(["#cloud-config\n", ""]), &json!([5, {}]));
    chance.maybe(14, spec, "cloudInit.userDataBase64", &json!(["YWJj", "YQ==", "YWI=\n", "", "YWJj\nYWJj"]), &json!(["YQ=a", "Y!==", "====", "YQ===\n"]));
    chance.maybe(14, spec, "cloudInit.networkDataBase64", &json!(["YWJj"]), &json!(["=YQ=", "é"]));
    chance.maybe(14, spec, "cloudInit.networkData", &json!(["version: 2"]), &json!([[]]));
    chance.maybe(14, spec, "cloudInit.type", &json!(["noCloud", "configDrive"]), &json!(["nocloud", ""]));
    for field in ["secretRef", "userDataSecretRef", "userDataConfigMapRef", "networkDataSecretRef", "networkDataConfigMapRef"] {
        chance.maybe(16, spec, &format!("cloudInit.{field}"), &good_ref, &bad_ref);
    }
    chance.maybe(14, spec, "userData", &json!(["a", ""]), &json!([1]));
}

#[rustfmt::skip]
fn disk(chance: &mut Chance) -> Value {
    let mut disk = json!({"size": chance.pick(&json!(["20Gi", "1Mi", "64Ti", 1_048_576]), &json!(["0", "20GB", "65Ti", "1Ki", -5, 5, "", "1e99", "20971520000m", "+1Gi"]))});
    let names = json!(["root", "data", "logs", "disk1", "disk2", "disk10", "iso", "a", "b", "c", "", null]);
    chance.maybe(1, &mut disk, "name", &names, &json!(["Data", "a.b", "-a", "a".repeat(64), "cloudinitdisk", 4]));
    chance.maybe(10, &mut disk, "sizeGB", &json!([0, 20]), &json!([-1, 65537, "20"]));
    chance.maybe(6, &mut disk, "boot", &json!([true, false]), &json!(["yes"]));
    chance.maybe(6, &mut disk, "storageClass", &json!(["fast-ssd", "slow", "default", ""]), &json!(["s".repeat(254)]));
    chance.maybe(6, &mut disk, "accessMode", &json!(["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"]), &json!(["RWO", ""]));
    chance.maybe(6, &mut disk, "volumeMode", &json!(["Filesystem", "Block"]), &json!(["block", ""]));
    chance.maybe(12, &mut disk, "iops", &json!([100, 64000]), &json!([99, 64001, 0]));
    chance.maybe(12, &mut disk, "throughput", &json!([125, 4000]), &json!([124, 4001]));
    if chance.one_in(8) {
        disk["source"] = chance.pick(&json!([
            {"http": {"url": "https://images.example.org/a.img"}}, {"registry": {"url": "docker://quay.io/a/b:1"}}, {"pvc": {"name": "golden"}},
            {"pvc": {"name": "golden", "namespace": "default"}}, {"pvc": {"name": "golden", "namespace": ""}},
        ]), &json!([
            {}, {"http": {}}, {"http": {"url": "https://a/b"}, "pvc": {"name": "golden"}}, {"pvc": {"name": "Golden"}}, {"pvc": {"name": ""}}, {"pvc": {}},
            {"pvc": {"name": "golden", "namespace": "De"}}, {"registry": {"url": "docker://localhost:5000/a"}}, {"registry": {"url": "quay.io/a"}},
        ]));
    } else if chance.one_in(10) {
        disk["source"] = json!({"http": {"url": chance.pick(&urls(), &urls())}});
    }
    disk
}

#[rustfmt::skip]
fn network(chance: &mut Chance) -> Value {
    let mut network = json!({"name": chance.pick(&json!(["eth0", "eth1", "eth2", "net_1", "A"]), &json!(["", "eth0.1", "a".repeat(64), null]))});
    if chance.one_in(2) {
        network["networkName"] = json!("prod-network");
    }
    chance.maybe(10, &mut network, "networkName", &json!(["prod-net", ""]), &json!(["n".repeat(254), 1]));
    chance.maybe(4, &mut network, "model", &json!(["virtio", "e1000", "rtl8139"]), &json!(["e100", "", "Virtio"]));
    chance.maybe(3, &mut network, "macAddress", &json!(["52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:AB:cd:03", "52:54:00:ab:CD:03", "0a:00:00:00:00:01"]),
        &json!(["00:00:00:00:00:00", "02:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "52-54-00-00-00-01", "52:54:00:00:00", "", "52:54:00:00:00:0g", 5]));
    network
}
