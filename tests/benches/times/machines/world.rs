//! What happens to the objects of a fleet that is imitated: Machines arrive, VMs start, an address changes; and how long it takes
//! until the Machine says so. No I/O.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::baseline;
use super::objects::{
    NAMESPACE, PHASES, bind, cluster, instance, is_settled, machine, manage, name, run, start, uid, word, word_of,
};
use super::store::{Kind, Store};
use crate::Fault;

/// Of the API servers, the one that has the Machines.
pub(super) const SUPERVISOR: &str = "supervisor";

/// What is imitated.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Fleet {
    pub(super) clusters: usize,
    /// Milliseconds that a cluster takes for each answer.
    pub(super) distance: u64,
    /// Milliseconds of a VM in each of its phases.
    pub(super) boot: u64,
    /// Clusters have what a platform baseline is about, and whatever is watched by its name is there by its name.
    pub(super) baseline: bool,
}

/// What was seen of whoever works on the Machines.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Machines of which everything is said that there is to say.
    pub(super) settled: usize,
    /// Seconds from the last arrival to the last that settled.
    pub(super) seconds: f64,
    /// Requests that read and are no watch; that write; and writes of Events alone, which count nowhere else.
    pub(super) reads: usize,
    pub(super) writes: usize,
    pub(super) events: usize,
}

/// A supervisor, clusters, and what was seen.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) fleet: Fleet,
    pub(super) seen: Seen,
    /// The first cluster says nothing any more.
    pub(super) silent: bool,
    arrived: Instant,
    settled: HashSet<String>,
    /// The address that a Machine does not show yet, and since when its instance has it.
    awaited: HashMap<String, (String, Instant)>,
    /// Milliseconds until a Machine showed the address.
    pub(super) lags: Vec<f64>,
}

/// As what an object is followed that is watched by its name.
pub(super) fn named((server, plural): &Kind, name: &str) -> Kind {
    kind(server, &format!("{plural} {name}"))
}

fn kind(server: &str, plural: &str) -> Kind {
    (server.to_owned(), plural.to_owned())
}

impl World {
    /// KubevirtConfigs, and no Machine. `kubeconfig` is that of a cluster.
    pub(super) fn new(fleet: Fleet, kubeconfig: impl Fn(&str) -> String) -> Result<Self, Fault> {
        let mut store = Store::default();
        let metadata = |name: &str| json!({"name": name, "namespace": "default", "uid": name});
        let clusters: Vec<String> = (0..fleet.clusters).map(cluster).collect();
        for name in &clusters {
            let config = json!({"metadata": metadata(name), "spec": {"name": name, "kubeconfigSecretRef": name}});
            let secret = json!({"metadata": metadata(name), "data": {"kubeconfig": STANDARD.encode(kubeconfig(name))}});
            let class = json!({"metadata": {"name": "fast-ssd", "uid": "class"}, "provisioner": "csi", "allowVolumeExpansion": true});
            store.put(&kind(SUPERVISOR, "kubevirtconfigs"), &format!("default/{name}"), config);
            store.put(&kind(SUPERVISOR, "secrets"), &format!("default/{name}"), secret);
            store.put(&kind(name, "storageclasses"), "/fast-ssd", class);
        }
        for server in clusters.iter().map(String::as_str).chain([SUPERVISOR]) {
            for (name, id) in [(NAMESPACE, NAMESPACE), ("kube-system", server)] {
                let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": id}});
                store.put(&kind(server, "namespaces"), &format!("/{name}"), namespace);
            }
        }
        let (seen, silent, arrived) = (Seen::default(), false, Instant::now());
        let (settled, awaited, lags) = (HashSet::new(), HashMap::new(), Vec::new());
        let mut world = Self { store, fleet, seen, silent, arrived, settled, awaited, lags };
        if fleet.baseline {
            for (plural, object) in baseline::objects()? {
                for server in &clusters {
                    let metadata = &object["metadata"];
                    let text = |field: &str| metadata[field].as_str().unwrap_or_default();
                    let key = format!("{}/{}", text("namespace"), text("name"));
                    world.put(&kind(server, plural), &key, object.clone());
                }
            }
        }
        Ok(world)
    }

    /// Every cluster is to have its platform baseline from now on.
    pub(super) fn enforce(&mut self) {
        let of = kind(SUPERVISOR, "kubevirtconfigs");
        for at in 0..self.fleet.clusters {
            let key = format!("default/{}", cluster(at));
            let Some(mut config) = self.read(&of, &key) else { continue };
            baseline::ask(&mut config);
            self.put(&of, &key, config);
        }
    }

    /// The statuses of the KubevirtConfigs.
    pub(super) fn statuses(&self) -> Vec<Value> {
        let of = kind(SUPERVISOR, "kubevirtconfigs");
        let status = |at| Some(self.read(&of, &format!("default/{}", cluster(at)))?["status"].clone());
        (0..self.fleet.clusters).filter_map(status).collect()
    }

    /// So many Machines more, each on the next cluster. Counts anew.
    pub(super) fn arrive(&mut self, machines: usize) {
        let machines_kind = kind(SUPERVISOR, "machines");
        let first = self.store.count(&machines_kind);
        self.seen = Seen { settled: self.seen.settled, ..Seen::default() };
        for at in first..first + machines {
            let word = word(at);
            let key = format!("{NAMESPACE}/{}", name(&word));
            self.store.put(&machines_kind, &key, machine(&word, &cluster(at % self.fleet.clusters)));
        }
        self.arrived = Instant::now();
    }

    /// So many Machines like the first, with all that was made of that. Nobody is told. Counts anew.
    pub(super) fn multiply(&mut self, machines: usize) {
        let words: Vec<String> = (0..machines).map(word).collect();
        self.store.multiply(&word(0), &words);
        self.seen = Seen { settled: machines, ..Seen::default() };
    }

    /// Stores what is new. Of a VM somebody has to [`boot`](Self::boot) it then.
    pub(super) fn create(&mut self, of: &Kind, namespace: &str, mut object: Value) -> String {
        let (_, plural) = of;
        if plural == "events" {
            // Nobody reads them.
            self.seen.events += 1;
            return object.to_string();
        }
        self.seen.writes += 1;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = format!("{namespace}/{name}");
        object["metadata"]["namespace"] = json!(namespace);
        object["metadata"]["uid"] = json!(uid(plural, word_of(&name)));
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!("2026-11-20T10:00:05Z");
        if plural == "persistentvolumeclaims" {
            bind(&mut object, word_of(&name));
        }
        self.put(of, &key, object)
    }

    /// A VM gets to the phase of its instance with this number.
    pub(super) fn boot(&mut self, server: &str, key: &str, at: usize) {
        let of = kind(server, "virtualmachines");
        let Some(mut vm) = self.read(&of, key) else { return };
        self.put(&kind(server, "virtualmachineinstances"), key, instance(&vm, at));
        if at == 0 {
            start(&mut vm);
            self.put(&of, key, vm);
        } else if at + 1 == PHASES.len() {
            run(&mut vm);
            self.put(&of, key, vm);
        }
    }

    /// Changes what is stored, as a merge patch does; nothing where there is none.
    pub(super) fn change(&mut self, of: &Kind, key: &str, change: &Value) -> Option<String> {
        let mut object = self.read(of, key)?;
        merge(&mut object, change);
        // Of its KubevirtConfig the controller says how many Machines it has.
        self.seen.writes += usize::from(of.1 != "kubevirtconfigs");
        if of.1 == "machines" {
            self.hear(key, &object);
        }
        Some(self.put(of, key, object))
    }

    /// A Machine says something new.
    fn hear(&mut self, key: &str, machine: &Value) {
        if is_settled(machine) && self.settled.insert(key.to_owned()) {
            self.seen.settled += 1;
            self.seen.seconds = self.arrived.elapsed().as_secs_f64();
        }
        let shows = |address: &str| {
            let mut all = machine["status"]["ipAddresses"].as_array().into_iter().flatten();
            all.any(|it| it.as_str() == Some(address))
        };
        if self.awaited.get(key).is_some_and(|(address, _)| shows(address)) {
            let since = self.awaited.remove(key).map(|(_, since)| since.elapsed());
            self.lags.extend(since.map(|since| since.as_secs_f64() * 1e3));
        }
    }

    /// The instance of one of the Machines has another address from now on.
    pub(super) fn readdress(&mut self, at: usize) {
        let (machine, server) = (name(&word(at)), cluster(at % self.fleet.clusters));
        let of = kind(&server, "virtualmachineinstances");
        let key = format!("{NAMESPACE}/vm-{machine}");
        let Some(mut instance) = self.read(&of, &key) else { return };
        let version = self.store.count(&kind(SUPERVISOR, "machines")) + self.lags.len() + self.awaited.len();
        let address = format!("10.{}.{}.{}", 30 + version / 65_536 % 200, version / 256 % 256, version % 256);
        instance["status"]["interfaces"][0]["ipAddress"] = json!(address);
        instance["status"]["interfaces"][0]["ipAddresses"] = json!([address]);
        self.put(&of, &key, instance);
        self.awaited.insert(format!("{NAMESPACE}/{machine}"), (address, Instant::now()));
    }

    fn read(&self, of: &Kind, key: &str) -> Option<Value> {
        serde_json::from_str(self.store.get(of, key)?).ok()
    }

    fn put(&mut self, of: &Kind, key: &str, mut object: Value) -> String {
        manage(&mut object);
        if let Some(name) = object["metadata"]["name"].as_str().filter(|_| self.fleet.baseline) {
            self.store.put(&named(of, name), key, object.clone());
        }
        self.store.put(of, key, object)
    }
}

fn merge(object: &mut Value, change: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (&mut *object, change) else {
        *object = change.clone();
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert_with(|| json!({})), change);
        }
    }
}
