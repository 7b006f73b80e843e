//! Machines drawn over the whole schema, the same ones for the same seed. Some of them are refused by admission, which is what it is for.

use serde_json::{Map, Value, json};

/// Draws numbers (splitmix64).
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn number(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below as u64).expect("invariant: smaller than a usize")
    }

    fn one(&mut self, of: &[Value]) -> Value {
        of[self.number(of.len())].clone()
    }

    /// Adds a field, or leaves it out; each value is as likely as that.
    fn maybe(&mut self, object: &mut Map<String, Value>, field: &str, values: &[Value]) {
        if let Some(value) = values.get(self.number(values.len() + 1)) {
            object.insert(field.to_owned(), value.clone());
        }
    }

    fn object(&mut self, fields: &[(&str, &[Value])]) -> Value {
        let mut object = Map::new();
        for (field, values) in fields {
            self.maybe(&mut object, field, values);
        }
        Value::Object(object)
    }

    /// A Machine of that name on that cluster.
    pub(super) fn machine(&mut self, name: &str, cluster: &str) -> Value {
        let mut spec = json!({"template": self.one(&["small", "medium", "large"].map(Value::from))});
        // Few run: what is judged is the object.
        spec["runStrategy"] =
            self.one(&["Halted", "Halted", "Halted", "Manual", "RerunOnFailure", "Always"].map(Value::from));
        let parts = [
            ("resources", self.resources()),
            ("disks", self.disks()),
            ("networks", self.networks()),
            ("domain", self.domain()),
            ("cloudInit", self.cloud_init()),
        ];
        for (field, part) in parts {
            if self.number(2) == 0 && !part.is_null() {
                spec[field] = part;
            }
        }
        let more = self.object(&[
            ("machineType", &[json!("q35"), json!("pc-q35-rhel9.4.0"), json!("pc")]),
            ("bootOrder", &[json!(["disk", "network"]), json!(["network", "disk"]), json!(["cdrom", "disk"])]),
            (
                "sshKeys",
                &[json!([
                    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtLbGZ1c2VkIGZvciBhbiBleGFtcGxlIG9ubHkhISEh a@example.com"
                ])],
            ),
            (
                "os",
                &[
                    json!({"imageID": "https://images.example.com/a.qcow2"}),
                    json!({"isoUri": "https://images.example.com/a.iso"}),
                    json!({"family": "linux"}),
                ],
            ),
            ("tags", &[json!({"a": "b"})]),
        ]);
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let mut annotations = json!({"vitistack.io/kubevirt-config": cluster});
        if self.number(3) == 0 {
            annotations["platform.kubevirt.io/patch"] = json!(self.patch().to_string());
        }
        json!({
            "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
            "metadata": {"name": name, "annotations": annotations, "labels": {"app": "corpus"}}, "spec": spec,
        })
    }

    fn resources(&mut self) -> Value {
        let cpu = self.object(&[
            ("cores", &[json!(1), json!(2), json!(3), json!(8)]),
            ("sockets", &[json!(1), json!(2), json!(4)]),
            ("threads", &[json!(1), json!(2)]),
        ]);
        let memory = ["512Mi", "1Gi", "3Gi", "4096Mi", "1500M", "2.5Gi"].map(Value::from);
        json!({"cpu": cpu, "memory": {"size": self.one(&memory)}})
    }

    fn disks(&mut self) -> Value {
        let count = self.number(4);
        let disks = (0..count).map(|at| {
            let mut disk = self.object(&[
                ("storageClass", &[json!("default"), json!("fast-ssd")]),
                ("accessMode", &[json!("ReadWriteOnce"), json!("ReadWriteMany")]),
                ("volumeMode", &[json!("Filesystem"), json!("Block")]),
                (
                    "source",
                    &[
                        json!({"http": {"url": "https://images.example.com/b.img"}}),
                        json!({"registry": {"url": "docker://quay.io/a/b:1"}}),
                    ],
                ),
            ]);
            disk["name"] = json!(format!("disk{at}"));
            disk["size"] = self.one(&["1Gi", "5Gi", "1500Mi", "10G"].map(Value::from));
            disk
        });
        disks.collect()
    }

    fn networks(&mut self) -> Value {
        let count = self.number(3);
        let networks = (0..=count).map(|at| {
            let mut network = self.object(&[
                ("model", &["virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet"].map(Value::from)),
                ("networkName", &[json!("frontend")]),
            ]);
            network["name"] = json!(format!("nic{at}"));
            if self.number(3) == 0 {
                network["macAddress"] =
                    json!(format!("02:00:00:{:02x}:{:02x}:{at:02x}", self.number(256), self.number(256)));
            }
            network
        });
        networks.collect()
    }

    fn domain(&mut self) -> Value {
        let either = [json!(true), json!(false)];
        let features = self.object(&[("acpi", &either), ("apic", &either), ("hyperv", &either), ("smm", &either)]);
        let bootloader = self.object(&[("efi", &either), ("secureBoot", &either)]);
        self.object(&[
            ("features", &[features]),
            ("firmware", &[json!({"bootloader": bootloader})]),
            ("machine", &[json!({"type": "q35"}), json!({"type": "pc-q35-8.2"}), json!({"type": "pc-i440fx"})]),
        ])
    }

    fn cloud_init(&mut self) -> Value {
        let long = format!("#cloud-config\nwrite_files:\n- {{path: /a, content: {}}}\n", "x".repeat(3000));
        self.object(&[
            ("type", &[json!("noCloud"), json!("configDrive")]),
            ("userData", &[json!("#cloud-config\npackages: [nginx]\n"), json!("#!/bin/sh\necho hello\n"), json!(long)]),
            ("networkData", &[json!("version: 2\nethernets: {eth0: {dhcp4: true}}\n")]),
        ])
    }

    fn patch(&mut self) -> Value {
        let guest = |path: &str, value: Value| json!([{"op": "add", "path": format!("/spec/template/spec{path}"), "value": value}]);
        self.one(&[
            guest("/domain/devices/tpm", json!({})),
            guest("/domain/devices/tpm", json!({"persistent": true})),
            guest("/domain/devices/rng", json!({})),
            guest("/domain/devices/watchdog", json!({"name": "dog", "i6300esb": {"action": "reset"}})),
            guest("/domain/devices/inputs", json!([{"name": "tablet", "type": "tablet", "bus": "usb"}])),
            guest("/domain/devices/sound", json!({"name": "sound", "model": "ich9"})),
            guest("/domain/cpu/model", json!("host-passthrough")),
            guest("/domain/cpu/dedicatedCpuPlacement", json!(true)),
            guest("/domain/ioThreadsPolicy", json!("auto")),
            guest("/domain/memory/hugepages", json!({"pageSize": "2Mi"})),
            guest("/terminationGracePeriodSeconds", json!(30)),
            guest("/evictionStrategy", json!("LiveMigrateIfPossible")),
            guest("/hostname", json!("web")),
            guest("/dnsPolicy", json!("ClusterFirst")),
            guest("/priorityClassName", json!("high")),
            guest("/readinessProbe", json!({"tcpSocket": {"port": 22}})),
            guest("/domain/clock", json!({"utc": {}, "timer": {"hpet": {"present": false}}})),
        ])
    }
}
