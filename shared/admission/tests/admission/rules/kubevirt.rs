//! What KubeVirt 1.8.2 refuses, row by row, as far as a Machine can express it: ours is refused first, at a field that its
//! author knows. And what KubeVirt takes although it cannot work.
//!
//! Rows that no Machine leads to, because nothing of it becomes that field: running beside runStrategy, template labels
//! and annotations, subdomain, evictionStrategy, probes, DNS, maxSockets, resources requests and limits, dedicated CPUs,
//! maxGuest, hugepages, LUN and other disk targets, buses, cache and io modes, serials, PCI addresses, block sizes, service
//! accounts, hostDisk, containerDisk paths, access credentials, multus defaults, slirp and other bindings, ports, interface
//! states, kernelBoot, video, watchdogs, sound, host devices. Users reach some of them by patch, which has its own list.

use super::*;

/// What KubeVirt says, the spec that would lead there, and where we refuse it.
#[rustfmt::skip]
fn denied() -> Vec<(&'static str, Value, &'static str)> {
    let disks = |disks: Value| with("disks", disks);
    let networks = |networks: Value| with("networks", networks);
    let mac = |mac: &str| networks(json!([{"name": "a", "macAddress": mac}]));
    let cpu = |cores: Value| with("resources", json!({"cpu": {"cores": cores}}));
    let memory = |size: Value| with("resources", json!({"memory": {"size": size}}));
    let boot = |loader: Value, smm: Value| with("domain", json!({"features": {"smm": smm}, "firmware": {"bootloader": loader}}));
    let many = |entry: Value| json!(vec![entry; 257]);
    vec![
        ("Invalid RunStrategy (X)",                          with("runStrategy", json!("Sometimes")),  "spec.runStrategy"),
        ("WaitAsReceiver: feature gate is not enabled",      with("runStrategy", json!("WaitAsReceiver")), "spec.runStrategy"),
        ("unsupported architecture: X",                      with("os", json!({"architecture": "riscv64"})), "spec.os.architecture"),
        ("cannot unmarshal number -1 of type uint32",        cpu(json!(-1)),                           "spec.resources.cpu.cores"),
        ("quantities must match the regular expression",     memory(json!("2GB")),                     "spec.resources.memory.size"),
        ("no memory requested",                              json!({"cpu": {"cores": 2}, "disks": [{"size": "1Gi"}]}), "spec.template"),
        ("must be greater than or equal to 1M",              memory(json!("500k")),                    "spec.resources.memory.size"),
        ("memory negative",                                  with("memory", json!(-1)),                "spec.memory"),
        ("volumes must not have the same Name",              disks(json!([{"name": "a", "size": "1Gi"}, {"name": "a", "size": "1Gi"}])), "spec.disks[1].name"),
        ("the same, of a nameless disk and the template's",  disks(json!([{"size": "1Gi"}, {"name": "root", "size": "1Gi"}])), "spec.disks[0].name"),
        ("the same, of a disk and the cloud-init volume",    disks(json!([{"name": "cloudinitdisk", "size": "1Gi"}])), "spec.disks[0].name"),
        ("a lowercase RFC 1123 label",                       disks(json!([{"name": "My_Disk", "size": "1Gi"}])), "spec.disks[0].name"),
        ("no more than 63 characters",                       disks(json!([{"name": "d".repeat(64), "size": "1Gi"}])), "spec.disks[0].name"),
        ("Boot order already set for a different device",    disks(json!([{"name": "a", "size": "1Gi", "boot": true}, {"name": "b", "size": "1Gi", "boot": true}])), "spec.disks[1].boot"),
        ("Too many: 257: must have at most 256 items",       disks(many(json!({"size": "1Gi"}))),      "spec.disks"),
        ("Too many: 257: networks",                          networks(many(json!({"name": "a"}))),     "spec.networks"),
        ("Data volume should have either Source or SourceRef", disks(json!([{"name": "a", "size": "1Gi", "source": {}}])), "spec.disks[0].source"),
        ("Data volume: not exactly one source",              disks(json!([{"name": "a", "size": "1Gi", "source": {"http": {"url": "https://a.example/b"}, "pvc": {"name": "c"}}}])), "spec.disks[0].source"),
        ("is not a valid base64 value",                      with("cloudInit", json!({"userDataBase64": "not base64"})), "spec.cloudInit.userDataBase64"),
        ("must have at least one userdatasource",            with("cloudInit", json!({"userDataConfigMapRef": {"name": ""}})), "spec.cloudInit.userDataConfigMapRef.name"),
        ("every network must have a unique name",            networks(json!([{"name": "a"}, {"name": "a", "networkName": "prod-network"}])), "spec.networks[1].name"),
        ("more than one interface is connected to a pod network", networks(json!([{"name": "a"}, {"name": "b"}])), "spec.networks[1].networkName"),
        ("reserved for the in-pod bridge",                   mac("02:00:00:00:00:00"),                 "spec.networks[0].macAddress"),
        ("can only contain alphabetical characters",         networks(json!([{"name": "eth0:1"}])),    "spec.networks[0].name"),
        ("uses model X that is not supported",               networks(json!([{"name": "a", "model": "vmxnet3"}])), "spec.networks[0].model"),
        ("malformed MAC address",                            mac("52:54:00:zz:00:01"),                 "spec.networks[0].macAddress"),
        ("too long MAC address",                             mac("52:54:00:00:00:01:02:03"),           "spec.networks[0].macAddress"),
        ("SecureBoot requires SMM",                          boot(json!({"efi": true, "secureBoot": true}), json!(false)), "spec.domain.features.smm"),
        ("SecureBoot of BIOS",                               boot(json!({"secureBoot": true}), json!(null)), "spec.domain.firmware.bootloader.secureBoot"),
        ("machine.type is not supported: pc",                with("domain", json!({"machine": {"type": "pc"}})), "spec.domain.machine.type"),
        // Taken by KubeVirt, and yet no machine.
        ("taken: memory 0",                                  memory(json!("0")),                       "spec.resources.memory.size"),
        ("taken: memory 1Mi",                                memory(json!("1Mi")),                     "spec.resources.memory.size"),
        ("taken: no cores, which become 1",                  cpu(json!(0)),                            "spec.resources.cpu.cores"),
        ("taken: 1000 cores",                                cpu(json!(1000)),                         "spec.resources.cpu.cores"),
        ("taken: two cards of one address",                  networks(json!([{"name": "a", "macAddress": "52:54:00:00:00:01"}, {"name": "b", "networkName": "prod-network", "macAddress": "52:54:00:00:00:01"}])), "spec.networks[1].macAddress"),
        ("taken: a multicast address",                       mac("01:00:5e:00:00:01"),                 "spec.networks[0].macAddress"),
        ("taken: an address with dashes",                    mac("52-54-00-00-00-01"),                 "spec.networks[0].macAddress"),
        ("taken: no disks at all",                           json!({"cpu": {"cores": 2}, "memory": 1_i64 << 30}), "spec.disks"),
        ("taken: a claim without a name",                    disks(json!([{"name": "a", "size": "1Gi", "source": {"pvc": {"name": ""}}}])), "spec.disks[0].source.pvc.name"),
    ]
}

#[test]
fn g4_x45_x72_what_kubevirt_would_refuse_or_not_run_is_refused_here_with_its_field() {
    every_row(denied(), |(says, spec, path)| {
        let wrong = refuse(&machine(spec), &networked());
        let paths: Vec<&str> = wrong.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, [path], "{says}: {wrong:?}");
    });
    // Hostname and label of the VM: names of 64 and more, or with dots.
    every_row(["web.prod".to_owned(), "w".repeat(64), "Web".to_owned()], |name| {
        let named = json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"template": "small"}});
        assert_eq!(refuse(&named, &networked())[0].path, "metadata.name", "{name}");
    });
}

#[test]
fn x70_what_kubevirt_refuses_and_the_controller_carries_otherwise_is_admitted() {
    let long = with("cloudInit", json!({"userData": "#".repeat(2049), "networkData": "#".repeat(2049)}));
    admit(&machine(long), &networked());
    admit(&machine(with("cloudInit", json!({}))), &networked());
    admit(&machine(with("domain", json!({"firmware": {"bootloader": {"efi": true}}}))), &networked());
}

#[test]
fn kvo35_a_number_beside_a_template_overrides_it_and_is_no_conflict() {
    let spec = json!({"template": "small", "resources": {"cpu": {"cores": 4}, "memory": {"size": "8Gi"}}});
    let got = sizing(&machine(spec), &networked());
    assert_eq!((got.template.as_deref(), got.cores, got.memory.as_str()), (Some("small"), 4, "8Gi"));
}
