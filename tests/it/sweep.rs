//! The part of `cargo sweep` that runs with everything else.

use tests::sweep::{Extent, Story, run};

#[tokio::test]
async fn i1_i2_i3_i4_i5_harm_at_a_request_changes_when_something_happens_and_nothing_else() {
    let found = run(Extent::Pruned(Story::ALL.to_vec()), |_| ()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.violations, Vec::<String>::new());
    // A life may be a request or two shorter than another, where two changes of a status come together.
    assert!(found.tried > 40 && found.unreached <= 8, "{found}");
}
