use super::*;
use crate::table::every_row;

const PACE: Pace =
    Pace { lives: Lives { ca: Duration::days(90), leaf: Duration::hours(24) }, announcement: Duration::seconds(60) };

fn start() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn ca(days: i64) -> Arc<Ca> {
    Arc::new(Ca::new(PACE.lives, start() + Duration::days(days)).unwrap())
}

fn set(current: &Arc<Ca>, next: Option<&Arc<Ca>>, former: &[&Arc<Ca>], since_hours: i64) -> Authorities {
    Authorities {
        current: current.clone(),
        next: next.cloned(),
        former: former.iter().map(|ca| ca.cert.clone()).collect(),
        since: start() + Duration::hours(since_hours),
    }
}

fn damaged(current: Option<&Arc<Ca>>) -> Stored {
    Stored::Damaged(current.cloned(), IssueError::NotACa("a test"))
}

/// A row: what is stored; what is held; whose leaf is served; what the two configurations trust; how long, in seconds; hours since
/// the start; whether somebody asked.
type Row<'a> = (Stored, Option<Authorities>, Option<&'a Arc<Ca>>, [Vec<&'a Arc<Ca>>; 2], i64, i64, bool);

fn step((stored, held, serving, live, live_for, hours, asked): &Row<'_>) -> Option<Step> {
    let live = live.clone().map(|trusted| trusted.iter().map(|ca| ca.cert.clone()).collect::<Vec<_>>());
    let seen = Seen {
        stored,
        asked: *asked,
        held: held.as_ref(),
        serving: serving.map(|ca| &ca.cert),
        live: &live,
        live_for: Duration::seconds(*live_for),
    };
    next_step(&seen, &PACE, start() + Duration::hours(*hours))
}

#[test]
fn cert1_each_phase_follows_from_what_is_there() {
    use Stored::Whole;
    let (a, b, c) = (ca(0), ca(60), ca(0));
    let day = 24;
    let live = |trusted: &[&'static str]| -> Vec<&Arc<Ca>> {
        trusted
            .iter()
            .map(|name| {
                if *name == "a" {
                    &a
                } else if *name == "b" {
                    &b
                } else {
                    &c
                }
            })
            .collect()
    };
    let both = |trusted: &[&'static str]| [live(trusted), live(trusted)];
    let sets = |current, next, former: &[&Arc<Ca>], hours| Whole(set(current, next, former, hours));
    #[rustfmt::skip]
    let rows: Vec<(&str, Row<'_>, Option<Step>)> = vec![
        ("a young CA",             (sets(&a, None, &[], 0),        None, Some(&a), both(&["a"]), 999, 0, false),               None),
        ("just before two thirds", (sets(&a, None, &[], 0),        None, Some(&a), both(&["a"]), 999, 60 * day, false),        None),
        ("past two thirds",        (sets(&a, None, &[], 0),        None, Some(&a), both(&["a"]), 999, 60 * day + 1, false),    Some(Step::Announce)),
        ("somebody asks",          (sets(&a, None, &[], 0),        None, Some(&a), both(&["a"]), 0, 1, true),                  Some(Step::Announce)),
        ("asked in a rotation",    (sets(&a, Some(&c), &[], 0),    None, Some(&a), both(&["a"]), 999, 1, true),                None),
        ("asked in an overlap",    (sets(&a, None, &[&c], 0),      None, Some(&a), both(&["a", "c"]), 999, 1, true),           None),
        ("nowhere live",           (sets(&a, Some(&c), &[], 0),    None, Some(&a), both(&["a"]), 999, 1, false),               None),
        ("live in one",            (sets(&a, Some(&c), &[], 0),    None, Some(&a), [live(&["a", "c"]), live(&["a"])], 999, 1, false), None),
        ("live too short",         (sets(&a, Some(&c), &[], 0),    None, Some(&a), both(&["a", "c"]), 59, 1, false),           None),
        ("live long enough",       (sets(&a, Some(&c), &[], 0),    None, Some(&a), both(&["a", "c"]), 60, 1, false),           Some(Step::Promote)),
        ("no configurations",      (sets(&a, Some(&c), &[], 0),    None, Some(&a), [vec![], vec![]], 60, 1, false),            None),
        ("a next that is old",     (sets(&a, Some(&c), &[], 0),    None, Some(&a), both(&["a", "c"]), 60, 61 * day, false),    Some(Step::Announce)),
        ("in the overlap",         (sets(&c, None, &[&a], 0),      None, Some(&c), both(&["a", "c"]), 999, 47, false),         None),
        ("after the overlap",      (sets(&c, None, &[&a], 0),      None, Some(&c), both(&["a", "c"]), 999, 48, false),         Some(Step::Retire)),
        ("its leaf is served yet", (sets(&c, None, &[&a], 0),      None, Some(&a), both(&["a", "c"]), 999, 48, false),         None),
        ("the former has ended",   (sets(&b, None, &[&a], 90 * day), None, Some(&b), both(&["a", "b"]), 0, 90 * day, false),   Some(Step::Retire)),
        ("replaced by hand",       (sets(&c, None, &[], 0),        None, Some(&a), both(&["a"]), 999, 1, false),               Some(Step::Trust)),
        ("replaced long ago",      (sets(&c, None, &[], 0),        None, Some(&a), both(&["c"]), 999, 1, false),               None),
        // CERT6: whatever the clock says, it is said at once.
        ("ended, next is there",   (sets(&a, Some(&b), &[], 0),    None, Some(&a), both(&["a"]), 0, 91 * day, false),          Some(Step::Promote)),
        ("ended, nothing there",   (sets(&a, None, &[], 0),        None, Some(&a), both(&["a"]), 0, 91 * day, false),          Some(Step::Replace)),
        ("ended, a backup",        (sets(&a, None, &[], 0),        Some(set(&b, None, &[], 0)), Some(&b), both(&["b"]), 0, 91 * day, false), Some(Step::Restore)),
        ("made by a clock ahead",  (sets(&b, None, &[], 0),        None, Some(&b), both(&["b"]), 0, 0, false),                 Some(Step::Announce)),
    ];
    every_row(rows, |(name, row, want)| assert_eq!(step(&row), want, "{name}"));
}

#[test]
fn cert5_what_is_lost_is_stored_again_from_memory_or_begun() {
    let (a, b) = (ca(0), ca(60));
    let held = set(&a, None, &[], 0);
    let none = || [vec![], vec![]];
    #[rustfmt::skip]
    let rows: Vec<(&str, Row<'_>, Step)> = vec![
        ("the first replica",     (Stored::Absent,    None,               None,     none(), 0, 0, false),       Step::Begin),
        ("deleted",               (Stored::Absent,    Some(held.clone()), Some(&a), none(), 0, 0, false),       Step::Restore),
        ("damaged",               (damaged(None),     Some(held.clone()), Some(&a), none(), 0, 0, false),       Step::Restore),
        ("damaged beside it",     (damaged(Some(&b)), Some(held.clone()), Some(&a), none(), 0, 0, false),       Step::Restore),
        ("damaged, none held",    (damaged(None),     None,               None,     none(), 0, 0, false),       Step::Begin),
        ("deleted, held too old", (Stored::Absent,    Some(held),         Some(&a), none(), 0, 91 * 24, false), Step::Begin),
    ];
    every_row(rows, |(name, row, want)| assert_eq!(step(&row), Some(want), "{name}"));
}

#[test]
fn cert5_whoever_begins_keeps_trusting_what_is_live_and_ours() {
    let (mine, old, stored) = (ca(0), ca(-91), ca(0));
    let params = {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
    };
    let stranger = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    let stranger = Cert::from_pem(&stranger).unwrap();
    let live = [vec![mine.cert.clone(), old.cert.clone(), stranger], vec![mine.cert.clone()]];
    let begin = |stored: &Stored| {
        let seen = Seen { stored, asked: false, held: None, serving: None, live: &live, live_for: Duration::ZERO };
        take(&Step::Begin, &seen, &PACE, start()).unwrap()
    };
    assert_eq!(begin(&Stored::Absent).former, std::slice::from_ref(&mine.cert));
    let salvaged = begin(&damaged(Some(&stored)));
    assert_eq!((salvaged.current.cert.clone(), salvaged.former), (stored.cert.clone(), vec![mine.cert.clone()]));
}

#[test]
fn cert1_nothing_is_signed_with_a_ca_that_api_servers_do_not_know() {
    let (a, c) = (ca(0), ca(0));
    let certs = |all: &[&Arc<Ca>]| all.iter().map(|ca| ca.cert.clone()).collect::<Vec<_>>();
    let (only_a, only_c, two) = (certs(&[&a]), certs(&[&c]), certs(&[&a, &c]));
    #[rustfmt::skip]
    let rows = [
        ("served already",       Some(&c), [&two, &two],       0, 0,       false),
        ("at the start",         None,     [&only_a, &only_a], 0, 0,       true),
        ("unknown",              Some(&a), [&only_a, &only_a], 99, 0,      false),
        ("known to one",         Some(&a), [&two, &only_a],    99, 0,      false),
        ("known for a moment",   Some(&a), [&two, &two],       59, 0,      false),
        ("known",                Some(&a), [&two, &two],       60, 0,      true),
        ("the old one is gone",  Some(&a), [&only_c, &only_c], 0, 0,       true),
        ("the old one has ended", Some(&a), [&only_a, &only_a], 0, 91 * 24, true),
    ];
    every_row(rows, |(name, serving, live, live_for, hours, want)| {
        let now = start() + Duration::hours(hours);
        let live = live.map(Clone::clone);
        let serving = serving.map(|ca| &ca.cert);
        assert_eq!(should_switch(serving, &c.cert, &live, Duration::seconds(live_for), &PACE, now), want, "{name}");
    });
    let ahead = ca(60);
    let live = [certs(&[&a, &ahead]), certs(&[&a, &ahead])];
    let early = should_switch(Some(&a.cert), &ahead.cert, &live, Duration::hours(1), &PACE, start());
    assert!(!early, "API servers do not take it yet");
}

#[test]
fn lives_that_do_not_fit_together_are_refused() {
    let pace = |ca, leaf, announcement| Pace {
        lives: Lives { ca: Duration::seconds(ca), leaf: Duration::seconds(leaf) },
        announcement: Duration::seconds(announcement),
    };
    #[rustfmt::skip]
    let rows = [
        (PACE, true), (pace(63, 10, 1), true), (pace(62, 10, 1), false), (pace(90, 1, 10), true), (pace(89, 1, 10), false),
    ];
    every_row(rows, |(pace, fits)| assert_eq!(pace.check().is_ok(), fits, "{pace:?}"));
    let said = pace(62, 10, 1).check().expect_err("too short");
    assert!(
        said.ends_with("with certificates of 10 s and an announcement of 1 s it must be valid for 63 s or more"),
        "{said}"
    );
}

#[path = "simulation_tests.rs"]
mod simulation;
