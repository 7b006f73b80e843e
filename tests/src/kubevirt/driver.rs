//! The loop: look at what changed, ask the parts what comes next, wait for its time, send it, look again.
//! I/O: all of it is here, in `watch` and in `writes::send`. One task owns the world and every queue.

mod queue;

use super::controller::{self, Scene};
use super::failures::{self, Rule};
use super::objects::{Kind, Name, Object, claim_names, text};
use super::pace::Timers;
use super::watch;
use super::world::World;
use super::writes::{Fault, Move, send};
use super::{Role, Settings, cdi, furniture, kubelet, node, storage};
use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use queue::{Key, Queue};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Requests in flight at once.
const WIDTH: usize = 32;

/// Plays until `stop` resolves. Never gives up: an API server that is away is waited for.
pub async fn run(client: Client, settings: Settings, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    tokio::select! {
        () = &mut stop => return,
        () = furniture::set_up(&client, &settings.roles) => {}
    }
    let mut events = watch::everything(&client);
    let mut simulator = Simulator::new(settings);
    let mut sending = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some((kind, event)) = events.next() => simulator.observe(kind, event),
            Some(sent) = sending.join_next() => match sent {
                Ok((key, result)) => simulator.queue.sent(key, result, Instant::now()),
                Err(error) => tracing::error!(%error, "a write died"),
            },
            () = tokio::time::sleep_until(simulator.queue.next_wake()) => simulator.queue.wake(Instant::now()),
        }
        while sending.len() < WIDTH
            && let Some((key, due)) = simulator.next_due()
        {
            sending.spawn(send_all(client.clone(), key, due));
        }
    }
}

struct Simulator {
    settings: Settings,
    world: World,
    /// Rules of the settings and of the ConfigMap as it is now.
    rules: Vec<Rule>,
    timers: Timers<Key>,
    queue: Queue,
}

impl Simulator {
    fn new(settings: Settings) -> Self {
        let (rules, timers) = (settings.rules.clone(), Timers::new(settings.delays));
        Self { settings, world: World::default(), rules, timers, queue: Queue::default() }
    }

    fn observe(&mut self, kind: Kind, event: kube::runtime::watcher::Event<Object>) {
        let was_complete = self.world.is_complete();
        for object in self.world.observe(kind, event) {
            self.touched(kind, &object);
        }
        if !was_complete && self.world.is_complete() {
            tracing::info!("everything listed, playing");
        }
    }

    /// Marks whose next step may have changed with this object.
    fn touched(&mut self, kind: Kind, object: &Object) {
        let name = Name::of(object);
        match kind {
            Kind::Vm => self.queue.touch(Key::Instance(name)),
            Kind::Vmi => {
                // A claim may wait for its first user.
                for claim in object.data.get("spec").into_iter().flat_map(claim_names) {
                    self.queue.touch(Key::Claim(Name::new(&name.namespace, claim)));
                }
                self.touch_pods(&name.namespace);
                self.queue.touch(Key::Instance(name));
            }
            Kind::Pod => self.queue.touch(Key::Pod(name)),
            Kind::DataVolume => self.queue.touch(Key::DataVolume(name)),
            Kind::Claim => {
                self.queue.touch(Key::Volume(Name::new("", &storage::volume_name(object))));
                for user in self.users(&name) {
                    self.queue.touch(Key::Instance(user));
                }
                self.queue.touch(Key::DataVolume(name.clone()));
                self.touch_pods(&name.namespace);
                self.queue.touch(Key::Claim(name));
            }
            Kind::Volume => {
                let claim = |field| text(object, &format!("/spec/claimRef/{field}"));
                self.queue.touch(Key::Claim(Name::new(claim("namespace"), claim("name"))));
                self.queue.touch(Key::Volume(name));
            }
            Kind::Class => self.touch_all(Kind::Claim, Key::Claim),
            Kind::Rules => {
                self.rules = self.settings.rules.clone();
                self.rules.extend(self.world.all(Kind::Rules).flat_map(failures::parse));
                tracing::info!(rules = ?self.rules, "failures on request");
                self.touch_all(Kind::Claim, Key::Claim);
                self.touch_all(Kind::Vm, Key::Instance);
                self.touch_all(Kind::Vmi, Key::Instance);
            }
        }
    }

    fn touch_all(&mut self, kind: Kind, key: impl Fn(Name) -> Key) {
        for object in self.world.all(kind) {
            self.queue.touch(key(Name::of(object)));
        }
    }

    fn touch_pods(&mut self, namespace: &str) {
        for pod in self.world.within(Kind::Pod, namespace) {
            self.queue.touch(Key::Pod(Name::of(pod)));
        }
    }

    /// The VMs and VMIs that mount a claim.
    fn users(&self, claim: &Name) -> Vec<Name> {
        let mounts = |spec: &str, object: &Object| {
            object.data.pointer(spec).is_some_and(|spec| claim_names(spec).any(|mounted| mounted == claim.name))
        };
        let machines = self.world.within(Kind::Vm, &claim.namespace).filter(|o| mounts("/spec/template/spec", o));
        let instances = self.world.within(Kind::Vmi, &claim.namespace).filter(|o| mounts("/spec", o));
        machines.chain(instances).map(Name::of).collect()
    }

    /// The next key that has something to send now. Nothing is decided before everything has been listed.
    fn next_due(&mut self) -> Option<(Key, Vec<Move>)> {
        if !self.world.is_complete() {
            return None;
        }
        loop {
            let (at, now) = (Instant::now(), Timestamp::now());
            let key = self.queue.pop(at, |kind, version| self.world.has_reached(kind, version))?;
            let wanted = self.decide(&key, now);
            let (due, wait) = self.timers.due(key.clone(), wanted, at, now);
            if let Some(wait) = wait {
                self.queue.later(key.clone(), at + wait);
            }
            if !due.is_empty() {
                self.queue.start(key.clone());
                return Some((key, due));
            }
        }
    }

    fn decide(&self, key: &Key, now: Timestamp) -> Vec<Move> {
        let plays = |role| self.settings.roles.contains(&role);
        let active = |objects: &[&Object]| failures::active(&self.rules, objects);
        match key {
            Key::Instance(name) => {
                let (vm, vmi) = (self.world.get(Kind::Vm, name), self.world.get(Kind::Vmi, name));
                let failures = active(&[vm, vmi].into_iter().flatten().collect::<Vec<_>>());
                let claims = self.world.within(Kind::Claim, &name.namespace).collect();
                let node = vmi.filter(|_| plays(Role::Node)).and_then(|vmi| node::next(vmi, &failures, now));
                let scene = Scene { vm, vmi, claims, failures };
                let controller = if plays(Role::Controller) { controller::next(&scene, now) } else { Vec::new() };
                controller.into_iter().chain(node).collect()
            }
            Key::Pod(name) => {
                let pod = self.world.get(Kind::Pod, name).filter(|_| plays(Role::Kubelet));
                pod.and_then(|pod| self.pod(name, pod, now)).into_iter().collect()
            }
            Key::Claim(_) | Key::Volume(_) | Key::DataVolume(_) if !plays(Role::Storage) => Vec::new(),
            Key::DataVolume(name) => {
                let Some(volume) = self.world.get(Kind::DataVolume, name) else { return Vec::new() };
                cdi::data_volume(volume, self.world.get(Kind::Claim, name)).into_iter().collect()
            }
            Key::Claim(name) => {
                let Some(claim) = self.world.get(Kind::Claim, name) else { return Vec::new() };
                let class = self.world.get(Kind::Class, &Name::new("", text(claim, "/spec/storageClassName")));
                let volume = self.world.get(Kind::Volume, &Name::new("", &storage::volume_name(claim)));
                let mut instances = self.world.within(Kind::Vmi, &name.namespace).filter_map(|it| it.data.get("spec"));
                let used = instances.any(|spec| claim_names(spec).any(|mounted| mounted == name.name));
                storage::claim(claim, class.filter(|class| used || !waits(class)), volume, &active(&[claim]))
                    .into_iter()
                    .collect()
            }
            Key::Volume(name) => {
                let Some(volume) = self.world.get(Kind::Volume, name) else { return Vec::new() };
                let claim = |field| text(volume, &format!("/spec/claimRef/{field}"));
                let claim = self.world.get(Kind::Claim, &Name::new(claim("namespace"), claim("name")));
                storage::volume(volume, claim).into_iter().collect()
            }
        }
    }

    fn pod(&self, name: &Name, pod: &Object, now: Timestamp) -> Option<Move> {
        let claim = |claim: &str| self.world.get(Kind::Claim, &Name::new(&name.namespace, claim));
        let bound = |name: &str| claim(name).is_some_and(|it| text(it, "/status/phase") == "Bound");
        let others = self.world.within(Kind::Pod, &name.namespace).filter(|other| Name::of(other) != *name).collect();
        match kubelet::owner_of(pod)? {
            kubelet::Owner::Instance(instance) => {
                let (vm, vmi) = (self.world.get(Kind::Vm, &instance), self.world.get(Kind::Vmi, &instance));
                let failures = failures::active(&self.rules, &[vm, vmi].into_iter().flatten().collect::<Vec<_>>());
                kubelet::launcher(pod, &kubelet::Around { vmi, others, bound, failures }, now)
            }
            kubelet::Owner::Launcher(owner) => {
                let launcher = self.world.get(Kind::Pod, &owner)?;
                let around = kubelet::Around { vmi: None, others, bound, failures: Vec::new() };
                kubelet::attachment(pod, launcher, &around, now)
            }
        }
    }
}

/// Whether claims of this class are bound only when somebody uses them.
fn waits(class: &Object) -> bool {
    text(class, "/volumeBindingMode") == "WaitForFirstConsumer"
}

/// Sends the moves of one key one after another, up to the first that fails.
async fn send_all(client: Client, key: Key, moves: Vec<Move>) -> (Key, Result<Vec<(Kind, u64)>, Fault>) {
    let mut reached = Vec::new();
    for next in moves {
        match send(client.clone(), &next.write).await {
            Ok(version) => {
                tracing::debug!(step = next.step, kind = ?next.write.kind, name = %next.write.name, "done");
                reached.push((next.write.kind, version));
            }
            Err(fault) => {
                if fault.is_stale() {
                    tracing::debug!(step = next.step, name = %next.write.name, %fault, "overtaken");
                } else {
                    tracing::warn!(step = next.step, name = %next.write.name, %fault, "failed, trying again");
                }
                return (key, Err(fault));
            }
        }
    }
    (key, Ok(reached))
}
