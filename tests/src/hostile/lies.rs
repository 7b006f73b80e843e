//! A cluster that takes what is created on it, and says of it what nobody should read. I/O: one connection at a time.

use std::io;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::http::{Request, respond, write};
use super::{CANARY, Stream, usual};

/// Addresses of each instance.
const ADDRESSES: u32 = 45_000;

/// What was created, in the order in which it was.
pub(super) struct Lies(watch::Sender<Vec<Value>>);

impl Default for Lies {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

/// It clears the screen, hides what follows, goes on in a line of its own, and is long.
fn nasty(word: &str) -> String {
    format!("{word}\u{1b}[2J\u{9b}\u{202e}\u{2066}\u{200b}\r\n{{\"level\":\"error\"}}{}{CANARY}", "z".repeat(20_000))
}

impl Lies {
    pub(super) async fn answer(&self, stream: &mut Stream, request: &Request) -> io::Result<()> {
        let plural = request.path.rsplit('/').next().unwrap_or_default();
        match request.method.as_str() {
            "POST" => {
                let mut object: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let number = self.0.borrow().len() + 2;
                object["metadata"]["uid"] = json!(format!("00000000-0000-0000-0000-{number:012}"));
                if let Some((_, below)) = request.path.split_once("/namespaces/") {
                    object["metadata"]["namespace"] = json!(below.split('/').next());
                }
                object["metadata"]["resourceVersion"] = json!(number.to_string());
                self.0.send_modify(|all| all.push(object.clone()));
                respond(stream, "201 Created", &object).await
            }
            "GET" if request.is_watch() => self.tell(stream, plural).await,
            "GET" => match self.named(&request.path) {
                Some(object) => respond(stream, "200 OK", &object).await,
                None => usual(stream, request, &self.shown(plural)).await,
            },
            _ => usual(stream, request, &[]).await,
        }
    }

    /// A watch that says everything again whenever something was created.
    async fn tell(&self, stream: &mut Stream, plural: &str) -> io::Result<()> {
        let mut news = self.0.subscribe();
        write(stream, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n").await?;
        loop {
            for object in self.shown(plural) {
                write(stream, format!("{}\n", json!({"type": "MODIFIED", "object": object})).as_bytes()).await?;
            }
            if news.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    fn named(&self, path: &str) -> Option<Value> {
        let (path, name) = path.rsplit_once('/')?;
        let (_, plural) = path.rsplit_once('/')?;
        self.shown(plural).into_iter().find(|object| object["metadata"]["name"] == name)
    }

    fn shown(&self, plural: &str) -> Vec<Value> {
        let all = self.0.borrow().clone();
        let of = |kind: &'static str| all.iter().filter(move |object| object["kind"] == kind).cloned();
        match plural {
            "persistentvolumeclaims" => of("PersistentVolumeClaim").map(claim).collect(),
            "virtualmachines" => of("VirtualMachine").map(vm).collect(),
            "virtualmachineinstances" => of("VirtualMachine").map(|vm| instance(&vm)).collect(),
            "kubevirts" => vec![kubevirt()],
            _ => Vec::new(),
        }
    }
}

fn claim(mut claim: Value) -> Value {
    claim["status"] = json!({"phase": "Bound", "capacity": {"storage": nasty("20Gi")}});
    claim
}

fn vm(mut vm: Value) -> Value {
    vm["status"] = json!({"printableStatus": nasty("Running") + &"z".repeat(1 << 20), "conditions": [
        {"type": "RestartRequired", "status": "True", "message": nasty("a change waits")},
    ]});
    vm
}

fn instance(vm: &Value) -> Value {
    let addresses: Vec<String> = (0..ADDRESSES).map(|at| format!("10.0.{}.{}", at >> 8, at & 255)).collect();
    let odd =
        json!({"name": nasty("default"), "mac": nasty("02"), "ipAddress": nasty("10.0.0.1"), "ipAddresses": addresses});
    let metadata = &vm["metadata"];
    json!({
        "kind": "VirtualMachineInstance", "apiVersion": "kubevirt.io/v1",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "labels": metadata["labels"],
            "uid": "00000000-0000-0000-0000-000000000001", "resourceVersion": metadata["resourceVersion"]},
        "status": {"phase": "Running", "nodeName": nasty("n1"), "interfaces": [odd],
            "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn kubevirt() -> Value {
    json!({
        "kind": "KubeVirt", "apiVersion": "kubevirt.io/v1",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt", "resourceVersion": "1"},
        "spec": {"configuration": {"emulatedMachines": vec![nasty("q35*"); 100]}},
        "status": {"observedKubeVirtVersion": nasty("v1.8.2")},
    })
}
