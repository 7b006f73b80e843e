//! Tables of cases, for the tests of every crate: `#[path]` takes this file in where there is a table.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Checks every row with assertions, and fails at the end: one bad row does not hide the others. Each prints itself.
#[track_caller]
pub(crate) fn every_row<R>(rows: impl IntoIterator<Item = R>, mut check: impl FnMut(R)) {
    let (mut all, mut bad) = (0, 0);
    for row in rows {
        all += 1;
        bad += usize::from(catch_unwind(AssertUnwindSafe(|| check(row))).is_err());
    }
    assert!(bad == 0, "{bad} of {all} rows failed, see above");
    assert!(all > 0, "the table is empty");
}
