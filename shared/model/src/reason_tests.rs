//! The columns of the table, and the nearest name.

use super::*;
use crate::table::every_row;

#[test]
fn nearest_finds_slips_and_invents_nothing() {
    let known = ["small", "medium", "large", "gpu-xl"];
    #[rustfmt::skip]
    let cases = [
        ("smal", Some("small")), ("Large", Some("large")), ("meduim", Some("medium")),
        ("xl", None), ("enormous", None), ("", None), ("gpu-xxl", Some("gpu-xl")),
    ];
    every_row(cases, |(written, want)| assert_eq!(nearest(written, known), want, "{written}"));
}

#[test]
fn every_failure_of_a_write_is_tried_again_with_backoff() {
    use Reason::{
        CdiMissing, ClusterUnreachable, Conflict, ExpansionRefused, ImportFailed, KubeVirtApiError, NotAdmitted,
    };
    use Reason::{NamespaceTerminating, QuotaExceeded, SourceInvalid, VmRefused};
    // No event tells that a cluster which did not answer a write does again, or that it takes what it refused.
    let of_disks = [CdiMissing, ExpansionRefused, ImportFailed, SourceInvalid];
    let others = [NotAdmitted, VmRefused, QuotaExceeded, KubeVirtApiError, Conflict, ClusterUnreachable];
    every_row(of_disks.into_iter().chain(others).chain([NamespaceTerminating]), |reason| {
        assert_eq!(reason.retry(), Retry::Backoff, "{reason:?}");
    });
}

#[test]
fn what_is_as_it_should_be_or_on_its_way_is_no_warning() {
    let normal = Reason::ALL.iter().filter(|reason| reason.severity() == Severity::Normal);
    let names: Vec<String> = normal.map(|reason| format!("{reason:?}")).collect();
    let wanted = "Creating Running Stopped Stopping Terminating VmCreated VmPending Unmanaged PvcBound PvcPending DiskGrowing \
        ImportInProgress NetworkConfigured NetworkPending ClusterConnected RestartPending SpecApplied SpecPartlyApplied ConfigConnected KubeconfigInUse KubeVirtRunning Draining Drained \
        PlatformApplied PlatformDiffers PlatformOff AssetWritten AssetDeleted AssetChanged AssetDiffers";
    assert_eq!(names.join(" "), wanted);
}

#[test]
fn codes_are_unique_within_where_they_are_seen() {
    let mut seen = std::collections::BTreeSet::new();
    every_row(Reason::ALL, |reason| {
        assert!(seen.insert((format!("{:?}", reason.shown_in()), reason.code())), "{}", reason.code());
        assert!(reason.next_step().ends_with('.'), "{}", reason.code());
    });
}
