//! How often an object is corrected, and when two who want different things stop fighting over it. Pure. X88.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// Annotation on an object of a cluster: `"true"` while nothing of it is corrected, because somebody changes it back each time.
pub const PAUSED: &str = "platform.kubevirt.io/reconcile-paused";

/// Corrections of one object at once, and how long it takes until there may be one more.
const BURST: u32 = 10;
const REFILL: Duration = Duration::from_secs(6);
/// A war: so many corrections in a row that had to wait, or of one field within an hour.
const WAITED: u32 = 3;
const REPEATED: usize = 10;
const HOUR: Duration = Duration::from_secs(3600);
/// How long the first pause lasts at least; each one after it twice as long.
const HOLD: Duration = Duration::from_secs(600);
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);
/// Fields that are counted of one object.
const FIELDS: usize = 64;

/// Whether an object may be corrected now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Now,
    /// Not before this long.
    In(Duration),
    /// It begins to be paused, over this field.
    Pause(String),
    /// It is paused.
    Paused,
}

/// What is remembered of the corrections of one object.
#[derive(Clone, Debug, Default)]
pub struct War {
    /// When each correction of the burst comes back.
    spent: Vec<Timestamp>,
    waited: u32,
    waiting: bool,
    corrected: Vec<(String, Vec<Timestamp>)>,
    until: Option<Timestamp>,
    wars: u32,
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(now)
}

impl War {
    /// What is known of a pause that began before this process did, as the first one.
    pub fn paused_since(since: Timestamp) -> Self {
        Self { until: Some(after(since, HOLD)), wars: 1, ..Self::default() }
    }

    /// Whether `fields` may be corrected. `mark` is what [`PAUSED`] says on the object, or on its Machine.
    pub fn turn(&mut self, fields: &[String], mark: Option<bool>, now: Timestamp) -> Turn {
        match (mark, self.until) {
            (Some(true), _) => return Turn::Paused,
            (None, Some(until)) if now < until => return Turn::Paused,
            (Some(false) | None, Some(_)) => *self = Self { wars: self.wars, ..Self::default() },
            (_, None) => {}
        }
        self.spent.retain(|back| *back > now);
        for (_, times) in &mut self.corrected {
            times.retain(|time| after(*time, HOUR) > now);
        }
        self.corrected.retain(|(_, times)| !times.is_empty());
        let repeated = self.corrected.iter().find(|(field, times)| fields.contains(field) && times.len() >= REPEATED);
        let over = repeated.map(|(field, _)| field.clone());
        let over = over.or_else(|| (self.waited >= WAITED).then(|| fields.first().cloned().unwrap_or_default()));
        if let Some(field) = over {
            let hold = HOLD.saturating_mul(1 << self.wars.min(16)).min(LONGEST_HOLD);
            (self.until, self.wars) = (Some(after(now, hold)), self.wars + 1);
            return Turn::Pause(field);
        }
        if self.spent.len() < BURST as usize {
            return Turn::Now;
        }
        self.waiting = true;
        let next = self
            .spent
            .iter()
            .min()
            .map_or(Duration::ZERO, |back| Duration::try_from(back.duration_since(now)).unwrap_or_default());
        Turn::In(next)
    }

    /// How long the pause still lasts at least.
    pub fn rests(&self, now: Timestamp) -> Option<Duration> {
        Duration::try_from(self.until?.duration_since(now)).ok().filter(|left| !left.is_zero())
    }

    /// They were corrected.
    pub fn corrected(&mut self, fields: &[String], now: Timestamp) {
        self.waited = if self.waiting { self.waited + 1 } else { 0 };
        self.waiting = false;
        let last = self.spent.iter().max().copied().unwrap_or(now).max(now);
        self.spent.push(after(last, REFILL));
        let room = FIELDS.saturating_sub(self.corrected.len());
        for field in fields.iter().take(room.max(1)) {
            match self.corrected.iter_mut().find(|(known, _)| known == field) {
                Some((_, times)) => times.push(now),
                None => self.corrected.push((field.clone(), vec![now])),
            }
        }
    }

    /// Nothing of it is worth remembering.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let quiet = self.corrected.iter().flat_map(|(_, times)| times).all(|time| after(*time, HOUR) <= now);
        let peace = self.until.is_none_or(|until| after(until, LONGEST_HOLD) <= now);
        quiet && peace && self.spent.iter().all(|back| *back <= now)
    }
}
