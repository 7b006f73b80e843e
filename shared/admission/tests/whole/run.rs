//! One run: who does what next, and at the end whether everything comes to rest as it should.

use std::collections::BTreeMap;

use admission::world::Strategy;
use serde_json::Value;

use crate::cluster::{act, acts};
use crate::controller::Controller;
use crate::dice::Dice;
use crate::laws::Laws;
use crate::store::{By, Sort, is_leaving, key, label, text};
use crate::webhook::Webhook;
use crate::world::{NAMESPACE, TROUBLES, Trouble, World};

/// Steps of a run before faults stop.
const STEPS: usize = 260;
/// Rounds in which everything has to come to rest then.
const ROUNDS: usize = 120;

pub(crate) struct Run {
    pub(crate) world: World,
    controllers: [Controller; 2],
    pub(crate) webhooks: [Webhook; 2],
    pub(crate) laws: Laws,
    pub(crate) dice: Dice,
    pub(crate) strategy: Strategy,
    /// The disks of the two Machines would get one name on one cluster.
    pub(crate) alike: bool,
    /// Both controllers work: one has lost its lease and does not know.
    split: bool,
    leader: usize,
    pub(crate) steps: usize,
    /// How many events a watch brings at once in a round.
    pub(crate) at_once: usize,
}

impl Run {
    pub(crate) fn new(seed: u64, script: BTreeMap<usize, Trouble>, split: bool) -> Self {
        let mut dice = Dice::new(seed);
        let strategy = if dice.one_in(2) { Strategy::Balanced } else { Strategy::Strict };
        let mut run = Self {
            world: World::new(script),
            controllers: Default::default(),
            webhooks: Default::default(),
            laws: Laws::new(split),
            alike: dice.one_in(5),
            dice,
            strategy,
            split,
            leader: 0,
            steps: 0,
            at_once: usize::MAX,
        };
        for (number, controller) in run.controllers.iter_mut().enumerate() {
            controller.number = number;
            controller.start(&run.world);
        }
        run.webhooks.iter_mut().for_each(|webhook| webhook.start(&run.world));
        run
    }

    /// A run that a seed draws: at most two crashes and two messages that are lost or repeated, among other things.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(31));
        let mut script = BTreeMap::new();
        for among in [&TROUBLES[..3], &TROUBLES[3..]] {
            for _ in 0..dice.below(3) {
                script.insert(dice.below(40), among[dice.below(among.len())]);
            }
        }
        Self::new(seed, script, dice.one_in(2))
    }

    pub(crate) fn strategy_is_strict(&self) -> bool {
        self.strategy == Strategy::Strict
    }

    /// Everything that a seed draws, and the rest that follows.
    pub(crate) fn go(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.world.second += i64::try_from(self.dice.below(4)).expect("small");
            self.step();
            self.look()?;
        }
        self.settle()
    }

    /// The laws, after a step.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        self.steps += 1;
        self.laws.check(&self.world)
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..=29 => self.somebody_hears(),
            30..=44 => {
                let cluster = self.dice.below(3);
                let able = acts(&self.world.clusters[cluster]);
                if let Some(next) = self.dice.pick(&able) {
                    self.world.note(format!("{}: {next:?}", self.world.clusters[cluster].id));
                    act(&mut self.world.clusters[cluster], next);
                }
            }
            45..=90 => self.work(),
            91..=95 => self.somebody_acts(),
            _ => self.something_breaks(),
        }
    }

    fn somebody_hears(&mut self) {
        let events = if self.dice.one_in(3) { usize::MAX >> 1 } else { 1 + self.dice.below(3) };
        let clusters = self.clusters();
        let name = &clusters[self.dice.below(2)];
        let who = self.dice.below(2);
        match self.dice.below(5) {
            0 => self.controllers[who].hear_here(&self.world.supervisor, events),
            1 | 2 => self.controllers[who].hear_there(name, &self.world, events),
            3 => self.webhooks[who].hear_here(&self.world, events),
            _ => self.webhooks[who].hear_there(name, &self.world, events),
        }
    }

    /// A controller takes one step.
    fn work(&mut self) {
        let who = if self.split { self.dice.below(2) } else { self.leader };
        if self.controllers[who].pass.is_none() {
            let known = self.controllers[who].machines();
            let Some(name) = self.dice.pick(&known) else { return };
            self.world.note(format!("controller {who}:"));
            self.controllers[who].begin(name, &mut self.world);
        } else {
            self.world.note(format!("controller {who}:"));
            self.controllers[who].go_on(&mut self.world);
        }
        self.after_work(who);
    }

    fn after_work(&mut self, who: usize) {
        for name in std::mem::take(&mut self.world.asked) {
            if let Some(machine) = Laws::stored(&self.world, &name) {
                self.submit(&name, &machine);
            }
        }
        if std::mem::take(&mut self.world.crashed) {
            self.world.note(format!("controller {who} ended, and lists anew"));
            self.controllers[who].start(&self.world);
            self.hand_over();
        }
    }

    /// Another controller leads from now on, and lists anew.
    fn hand_over(&mut self) {
        if !self.split && self.controllers[self.leader].pass.is_none() {
            self.leader = 1 - self.leader;
            self.world.note(format!("controller {} leads, and lists", self.leader));
            self.controllers[self.leader].start(&self.world);
        }
    }

    fn something_breaks(&mut self) {
        let clusters = self.clusters();
        let (who, name) = (self.dice.below(2), clusters[self.dice.below(2)].clone());
        match self.dice.below(8) {
            0 => {
                let cluster = self.dice.below(2);
                self.world.note(format!("cluster {cluster} is cut off"));
                self.world.cut.insert(cluster);
            }
            1 | 2 => {
                self.world.note("all clusters answer again");
                self.world.cut.clear();
            }
            3 => {
                let to = self.dice.below(3);
                self.world.note(format!("{name} leads to cluster {to} from now on"));
                self.world.leads.insert(name, to);
            }
            4 => {
                self.world.note(format!("controller {who} connects to {name} anew"));
                self.controllers[who].connect(&name, &self.world);
            }
            5 => self.webhooks[who].connect(&name, &self.world),
            6 => self.webhooks[who].start(&self.world),
            _ => self.hand_over(),
        }
    }

    /// Faults stop, people do what only they can do, and everything comes to rest as it should; then nothing more is written.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.world.note("--- faults stop");
        self.world.cut.clear();
        self.world.script.clear();
        let clusters = self.clusters();
        self.world.leads = clusters.iter().cloned().zip(0..).collect();
        (self.split, self.controllers[1 - self.leader].pass) = (false, None);
        for name in &clusters {
            self.controllers.iter_mut().for_each(|it| it.connect(name, &self.world));
            self.webhooks.iter_mut().for_each(|it| it.connect(name, &self.world));
        }
        self.at_once = usize::MAX >> 1;
        self.rest()?;
        self.people_tidy_up();
        self.rest()?;
        self.judge_rest()?;
        // What meets a name that is another's is tried again.
        let failed = self.world.supervisor.of(Sort::Machine).any(|(_, it)| text(it, "/status/phase") == "Failed");
        for who in 0..2 {
            let before = self.world.writes;
            self.controllers[who].start(&self.world);
            self.passes(who)?;
            if self.world.writes != before && !failed {
                return Err(format!("O4: controller {who} writes when everything is as it should be"));
            }
        }
        Ok(())
    }

    /// Rounds until nothing happens any more.
    pub(crate) fn rest(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS {
            let before = self.world.events();
            self.round()?;
            let leader = &self.controllers[self.leader];
            let heard = leader.read == self.world.supervisor.log.len()
                && leader.links.values().all(|link| link.read == self.world.clusters[link.to].log.len());
            if self.world.events() == before && heard && !leader.awaits() {
                return Ok(());
            }
            self.world.second += if self.world.events() == before { 31 } else { 5 };
        }
        Err("convergence: it does not come to rest".to_owned())
    }

    fn round(&mut self) -> Result<(), String> {
        for name in self.clusters() {
            self.controllers[self.leader].hear_there(&name, &self.world, self.at_once);
            self.webhooks.iter_mut().for_each(|it| it.hear_there(&name, &self.world, self.at_once));
        }
        self.controllers[self.leader].hear_here(&self.world.supervisor, self.at_once);
        self.webhooks.iter_mut().for_each(|it| it.hear_here(&self.world, self.at_once));
        self.passes(self.leader)?;
        for cluster in 0..3 {
            for next in acts(&self.world.clusters[cluster]) {
                act(&mut self.world.clusters[cluster], &next);
            }
        }
        self.collect_garbage();
        self.look()
    }

    /// The supervisor takes away what belongs to a Machine that is gone.
    fn collect_garbage(&mut self) {
        let there = |uid: &str| self.world.supervisor.of(Sort::Machine).any(|(_, it)| text(it, "/metadata/uid") == uid);
        let owner = |record: &Value| text(record, "/metadata/ownerReferences/0/uid").to_owned();
        let records = self.world.supervisor.of(Sort::Record).map(|(at, record)| (at.clone(), owner(record)));
        let gone: Vec<_> = records.filter(|(_, owner)| !owner.is_empty() && !there(owner)).map(|(at, _)| at).collect();
        self.world.supervisor.by = By::Others;
        for at in gone {
            self.world.supervisor.delete(&at, None).expect("it is there");
        }
    }

    /// A whole pass of a controller over every Machine.
    fn passes(&mut self, who: usize) -> Result<(), String> {
        while self.controllers[who].pass.is_some() {
            self.controllers[who].go_on(&mut self.world);
            self.look()?;
        }
        for name in self.controllers[who].machines() {
            self.controllers[who].begin(&name, &mut self.world);
            while self.controllers[who].pass.is_some() && !self.world.crashed {
                self.controllers[who].go_on(&mut self.world);
                self.look()?;
            }
            self.after_work(who);
            if self.leader != who {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Everything is as its Machine says, and of those that are gone nothing is left.
    fn judge_rest(&self) -> Result<(), String> {
        for (at, machine) in self.world.supervisor.of(Sort::Machine) {
            let bad = |why: &str| {
                let said = text(machine, "/status/message");
                Err(format!(
                    "convergence: Machine {}: {why}; it says {:?}: {said}",
                    at.name,
                    text(machine, "/status/phase")
                ))
            };
            if is_leaving(machine) {
                return bad("it is still there");
            }
            if self.alike && self.holds_anothers_claim(machine) && text(machine, "/status/phase") == "Failed" {
                continue;
            }
            let recorded = text(machine, "/status/kubevirtConfigRef/clusterId");
            let Some(store) = self.world.clusters.iter().find(|store| store.id == recorded) else {
                return bad("its cluster is not recorded");
            };
            let vm = store.get(&key(Sort::Vm, NAMESPACE, text(machine, "/status/vmName")));
            let uid = text(machine, "/metadata/uid");
            if vm.is_none_or(|vm| label(vm, model::names::MACHINE_UID) != uid) {
                return bad("it has no VM");
            }
            let runs = store.get(&key(Sort::Vmi, NAMESPACE, text(machine, "/status/vmName"))).is_some();
            let (wanted, phase) =
                if text(machine, "/spec/runStrategy") == "Always" { (true, "Running") } else { (false, "Stopped") };
            // To adopt a VM neither starts nor stops it.
            let adopted = vm.is_some_and(|vm| vm["metadata"]["annotations"].get(model::names::ADOPTED).is_some());
            if adopted && ["Running", "Stopping", "Stopped"].contains(&text(machine, "/status/phase")) {
                continue;
            }
            if runs != wanted || text(machine, "/status/phase") != phase {
                return bad(&format!("its VM runs: {runs}, and it should be {phase}"));
            }
        }
        let left = self.laws.remains(&self.world);
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("convergence: Machines are gone, and there is still {left:?}"))
        }
    }

    /// A claim of its name is another Machine's: both were admitted before either replica saw the other.
    fn holds_anothers_claim(&self, machine: &Value) -> bool {
        let name = text(machine, "/metadata/name");
        let disk = self.names().into_iter().find(|(it, _)| *it == name).map(|(_, disk)| disk).unwrap_or_default();
        let claim = key(Sort::Claim, NAMESPACE, &format!("{name}-{disk}"));
        let uid = text(machine, "/metadata/uid");
        let others = |it: &Value| label(it, model::names::MACHINE_UID) != uid;
        self.world.clusters.iter().any(|store| store.get(&claim).is_some_and(|it| others(it)))
    }
}
