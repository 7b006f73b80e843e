//! Three replicas and two API servers over years of simulated time: their passes come in any order, their clocks differ, an
//! API server hears of a bundle late, and the Secret is deleted and damaged. Every call must be trusted all the time.

use super::*;

const MINUTE: i64 = 60;
/// How far the clocks of the replicas are off, in seconds.
const SKEW: [i64; 3] = [-59 * MINUTE, 0, 59 * MINUTE];
/// API servers hear of a bundle at most this late. The announcement is longer.
const LAG: i64 = 55;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// What two API servers have in common.
struct Install {
    secret: Option<Authorities>,
    is_damaged: bool,
    bundle: Vec<Cert>,
    /// When the bundle became what it is, and what it was before.
    changed: (i64, Vec<Cert>),
}

#[derive(Default)]
struct Replica {
    skew: i64,
    held: Option<Authorities>,
    serving: Option<Cert>,
    live: Option<(String, i64)>,
    steps: Vec<Step>,
}

impl Replica {
    fn live_for(&self, bundle: &str, at: i64) -> Duration {
        self.live
            .as_ref()
            .filter(|(text, _)| text == bundle)
            .map_or(Duration::ZERO, |(_, since)| Duration::seconds(at - since))
    }

    /// As the keeper does it, without I/O.
    fn pass(&mut self, install: &mut Install, pace: &Pace, at: i64) {
        let now = start() + Duration::seconds(at + self.skew);
        let live = [install.bundle.clone(), install.bundle.clone()];
        let stored = loop {
            let stored = match &install.secret {
                None => Stored::Absent,
                Some(_) if install.is_damaged => damaged(None),
                Some(whole) => Stored::Whole(whole.clone()),
            };
            let live_for = match &stored {
                Stored::Whole(whole) => self.live_for(&whole.bundle(), at),
                Stored::Absent | Stored::Damaged(..) => Duration::ZERO,
            };
            let (held, serving) = (self.held.as_ref(), self.serving.as_ref());
            let seen = Seen { stored: &stored, asked: false, held, serving, live: &live, live_for };
            match (next_step(&seen, pace, now), &stored) {
                (None, Stored::Whole(whole)) => break whole.clone(),
                (None, Stored::Absent | Stored::Damaged(..)) => panic!("it rests without a CA"),
                (Some(step), _) => {
                    install.secret = Some(take(&step, &seen, pace, now).unwrap());
                    install.is_damaged = false;
                    self.steps.push(step);
                }
            }
        };
        let (current, bundle) = (stored.current.cert.clone(), stored.bundle());
        let live_for = self.live_for(&bundle, at);
        if should_switch(self.serving.as_ref(), &current, &live, live_for, pace, now) {
            self.serving = Some(current);
        }
        let wanted = stored.certs();
        let is_same = wanted.len() == install.bundle.len() && wanted.iter().all(|cert| cert.is_in(&install.bundle));
        if !is_same {
            install.changed = (at, std::mem::replace(&mut install.bundle, wanted));
        }
        if !is_same || self.live.as_ref().is_none_or(|(text, _)| *text != bundle) {
            self.live = Some((bundle, at));
        }
        self.held = Some(stored);
    }
}

/// What went on in three years; or the first call that is not trusted.
fn years(seed: u64, pace: &Pace) -> Result<Vec<Step>, String> {
    let mut dice = Dice(seed);
    let mut install = Install { secret: None, is_damaged: false, bundle: vec![], changed: (0, vec![]) };
    let mut replicas = SKEW.map(|skew| Replica { skew, ..Replica::default() });
    for replica in &mut replicas {
        replica.pass(&mut install, pace, 0);
    }
    assert_eq!(replicas.each_ref().map(|it| it.steps.clone()), [vec![Step::Begin], vec![], vec![]], "CERT3");
    let mut at = LAG;
    while at < 3 * 365 * 24 * 60 * MINUTE {
        // Now and then nobody looks for hours; where something happens, time goes in small steps.
        let busy = install.secret.as_ref().is_some_and(|it| it.next.is_some() || at - install.changed.0 < 1000);
        let pause = if busy { dice.below(40) } else { dice.below(4 * 60 * 60) };
        at += i64::try_from(pause).unwrap();
        match dice.below(400) {
            0 => install.secret = None,
            1 => install.is_damaged = true,
            2 => {
                // A new process in its place.
                let replica = &mut replicas[usize::try_from(dice.below(3)).unwrap()];
                *replica = Replica { skew: replica.skew, steps: replica.steps.clone(), ..Replica::default() };
                replica.pass(&mut install, pace, at);
            }
            _ => {}
        }
        replicas[usize::try_from(dice.below(3)).unwrap()].pass(&mut install, pace, at);
        let late = at - install.changed.0 < LAG;
        let views = [Some(&install.bundle), late.then_some(&install.changed.1)];
        for (replica, view) in replicas.iter().flat_map(|it| views.into_iter().flatten().map(move |view| (it, view))) {
            let serving = replica.serving.as_ref().expect("it serves from its first pass on");
            if !serving.is_in(view) || !serving.is_valid(start() + Duration::seconds(at)) {
                return Err(format!("seed {seed}, {at} s: {:?}", replica.steps));
            }
        }
    }
    Ok(replicas.into_iter().flat_map(|it| it.steps).collect())
}

#[test]
fn cert1_cert3_cert5_cert6_every_call_is_trusted_through_years_of_rotations() {
    every_row(0..3, |seed| {
        let steps = years(seed, &PACE).unwrap_or_else(|untrusted| panic!("{untrusted}"));
        let count = |step: &Step| steps.iter().filter(|it| *it == step).count();
        let rotations = count(&Step::Promote);
        assert!(rotations >= 15, "three years have eighteen times two thirds of 90 days: {rotations}");
        assert!(count(&Step::Restore) > 0 && count(&Step::Replace) == 0, "{steps:?}");
    });
}

#[test]
fn the_years_find_an_announcement_that_is_too_short() {
    let hasty = Pace { announcement: Duration::seconds(5), ..PACE };
    assert!((0..3).any(|seed| years(seed, &hasty).is_err()));
}
