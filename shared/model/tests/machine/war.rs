//! How often a VM is corrected, and when two who want different things stop fighting over it.

use std::time::Duration;

use model::baseline::war::{Turn, War};

use super::*;

#[test]
fn x88_a_war_is_ten_corrections_of_one_field_and_pauses_longer_each_time() {
    let mut war = War::default();
    let fields = ["spec.runStrategy".to_owned()];
    let at = |second: i64| now(second).0;
    for round in 0..10 {
        assert_eq!(war.turn(&fields, None, at(round)), Turn::Now, "{round}");
        war.corrected(&fields, at(round));
    }
    assert_eq!(war.turn(&fields, None, at(100)), Turn::Pause("spec.runStrategy".to_owned()));
    #[rustfmt::skip]
    let paused = [
        ("a mark that is gone is the opponent's work", None,        101, Turn::Paused),
        ("until the hold is over",                     None,        699, Turn::Paused),
        ("and longer while it is marked",              Some(true), 9000, Turn::Paused),
        ("then it goes on",                            None,       9001, Turn::Now),
    ];
    for (name, mark, second, wanted) in paused {
        assert_eq!(war.turn(&fields, mark, at(second)), wanted, "{name}");
    }
    for round in 0..10 {
        war.corrected(&fields, at(9002 + round));
    }
    assert_eq!(war.turn(&fields, None, at(9100)), Turn::Pause("spec.runStrategy".to_owned()));
    assert_eq!(war.turn(&fields, None, at(9100 + 1199)), Turn::Paused, "twice as long");
    assert_eq!(war.turn(&fields, Some(false), at(9100 + 2)), Turn::Now, "\"false\" ends it at once");
}

#[test]
fn x88_a_burst_of_different_corrections_waits_for_its_turn() {
    let mut war = War::default();
    let at = |second: i64| now(second).0;
    let field = |round: i64| [format!("spec.x{round}")];
    for round in 0..10 {
        assert_eq!(war.turn(&field(round), None, at(0)), Turn::Now);
        war.corrected(&field(round), at(0));
    }
    for round in 10..13 {
        let second = (round - 10) * 6;
        assert_eq!(
            war.turn(&field(round), None, at(second)),
            Turn::In(Duration::from_secs(6)),
            "{round}: one more each 6 s"
        );
        assert_eq!(war.turn(&field(round), None, at(second + 6)), Turn::Now, "{round}");
        war.corrected(&field(round), at(second + 6));
    }
    assert_eq!(war.turn(&field(13), None, at(24)), Turn::Pause("spec.x13".to_owned()), "three in a row had to wait");
    assert!(!war.is_over(at(24)));
    assert!(war.is_over(at(48 * 3600)));
}
