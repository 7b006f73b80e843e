//! The part of `cargo sweep` that runs with everything else.

use std::time::Duration;

use tests::faultline::Way;
use tests::sweep::{Extent, Story, run};

/// One of two controllers is paused until the other one leads, which takes longer than this.
const RIVALS: Duration = Duration::from_secs(5);

#[tokio::test]
async fn i1_i2_i3_i4_i5_i7_r11_r19_harm_changes_when_something_happens_and_nothing_else() {
    let extent = Extent::Pruned(Story::ALL.to_vec(), Way::ALL.to_vec());
    let found = run(Some(&extent), Some(RIVALS), |_| ()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.violations, Vec::<String>::new());
    // A life may be a request or two shorter than another, where two changes of a status come together.
    assert!(found.tried > 50 && found.unreached <= 8, "{found}");
    assert!(found.pauses > 0 && found.lived >= 4, "{found}");
}
