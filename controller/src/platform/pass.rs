//! One pass over a cluster: judged from what was heard, read where that does not say enough, written, and judged again until there is
//! nothing left to do. I/O: the cluster, through `write`.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use model::platform::root;
use model::platform::rules::judge;
use model::platform::snapshot::{Disruption, Live};
use model::platform::state::{Key, Outcome, Pass, State, Step};
use model::platform::status::Passed;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Kept;
use super::facts::{News, Subject};
use super::worker::Worker;
use super::write::{MOVED, Written, is_root};

/// One pass asks and writes at most this often in a row; what is left is done in the next one.
const ROUNDS: usize = 16;
/// Whose turn it is not, looks again after this long.
const TURN: Duration = Duration::from_secs(5);
impl Worker<'_> {
    /// One pass. Answers after how long there has to be another one, though nothing happens.
    pub(super) async fn pass(
        &mut self,
        hears: &mut mpsc::Receiver<(Subject, News)>,
        tell: &(impl Fn() + Sync),
    ) -> Option<Duration> {
        self.unread.retain(|_, (_, until)| *until > Instant::now());
        for _ in 0..ROUNDS {
            while let Ok((subject, news)) = hears.try_recv() {
                self.take(subject, news);
            }
            let pass = self.judge();
            let again = self.act(&pass).await;
            if !matches!(again, Again::Now) {
                return self.end(pass, again, tell);
            }
        }
        let pass = self.judge();
        self.end(pass, Again::In(MOVED), tell)
    }

    fn judge(&self) -> Pass {
        let now = Timestamp::now();
        let mut kept = self.site.slot.kept();
        let Kept { facts, memory, stands, .. } = &mut *kept;
        let mut snapshot = facts.snapshot(self.wish.asked.clone(), &self.platform.supervisor, self.identity.clone());
        for (key, live) in &self.read {
            let roots = match key.crd.as_str() {
                root::HYPERCONVERGED => &mut snapshot.hyperconvergeds,
                root::KUBEVIRT => &mut snapshot.kubevirts,
                _ => {
                    snapshot.objects.insert(key.clone(), Ok(live.clone()));
                    continue;
                }
            };
            if let (Ok(roots), Live::Whole(whole)) = (roots, live) {
                roots.iter_mut().filter(|known| root::key(known) == *key).for_each(|known| known.clone_from(whole));
            }
        }
        for (key, (why, _)) in &self.unread {
            snapshot.objects.insert(key.clone(), Err(why.clone()));
        }
        let updating = facts.updating();
        let judge = |turn: Result<(), String>| {
            *stands = Some((self.identity.clone(), turn.clone()));
            snapshot.turn = turn;
            judge(self.catalogue, &snapshot, memory, now)
        };
        self.platform.judged((&self.site.name, updating), judge, |pass| self.restarts(pass), now)
    }

    /// Whether a step restarts nodes.
    fn restarts(&self, pass: &Pass) -> bool {
        let disruptive = |key: &Key| {
            self.catalogue.assets.iter().any(|asset| asset.row.disruptive && asset.key == *key)
                || self.catalogue.tombstones.iter().any(|stone| stone.disruptive && stone.key == *key)
        };
        pass.steps.iter().any(|(key, step)| match step {
            Step::Create(_) | Step::Delete { .. } => disruptive(key),
            Step::Change { fields, .. } => !fields.is_empty() && disruptive(key),
            Step::Read | Step::Pause(_) => false,
        })
    }

    /// Does what is due: first what has to be read, because the answer may be that nothing has to be written.
    async fn act(&mut self, pass: &Pass) -> Again {
        // A root is watched, but who wrote which field of it is not: that is asked for before it is set right.
        let unread = |(key, step): &&(Key, Step)| match step {
            Step::Read => true,
            Step::Change { .. } => !self.read.contains_key(key) && !self.unread.contains_key(key),
            Step::Create(_) | Step::Pause(_) | Step::Delete { .. } => false,
        };
        let to_read: Vec<Key> = pass.steps.iter().filter(unread).map(|(key, _)| key.clone()).collect();
        for key in &to_read {
            self.read(key).await;
        }
        if !to_read.is_empty() {
            return Again::Now;
        }
        let mut again = Again::Not;
        for (key, step) in &pass.steps {
            if !self.site.slot.is_wanted(&self.wish) {
                return Again::Not;
            }
            again = match (again, self.write(key, step, pass).await) {
                // The other objects are made of the root as it is now, whatever became of this.
                (_, Written::Moved(wait)) if is_root(key) => return Again::In(wait),
                (_, Written::Told) if is_root(key) => return Again::Now,
                (Again::In(wait), _) | (_, Written::Moved(wait)) => Again::In(wait),
                (_, Written::Told) => Again::Now,
            };
        }
        again
    }

    /// Tells what became of it.
    fn end(&mut self, mut pass: Pass, again: Again, tell: &impl Fn()) -> Option<Duration> {
        self.read.clear();
        let waits = |it: &Outcome| it.state == State::Withheld && self.wish.asked.disruption == Disruption::Allow;
        let withheld = pass.outcomes.iter().any(waits);
        let unread = self.unread.values().map(|(_, until)| until.saturating_duration_since(Instant::now())).min();
        let turn = withheld.then_some(TURN);
        let again = if let Again::In(wait) = again { Some(wait) } else { None };
        let wait = [pass.wait.take(), unread, turn, again].into_iter().flatten().min();
        pass.steps = Vec::new();
        pass.outcomes.shrink_to_fit();
        let passed = Passed { mode: self.wish.asked.mode, pass };
        let mut kept = self.site.slot.kept();
        if !self.site.slot.is_wanted(&self.wish) {
            return wait;
        }
        let now = Timestamp::now();
        kept.memory.retain(|_, memory| !memory.is_over(now));
        let news = kept.passed.as_ref() != Some(&passed) || !kept.wrote.is_empty();
        kept.passed = Some(passed);
        drop(kept);
        if news {
            tell();
        }
        wait
    }
}

/// Whether a pass goes on.
enum Again {
    /// There is nothing left to do.
    Not,
    /// What was learnt is judged at once.
    Now,
    /// Somebody else is about to change something.
    In(Duration),
}
