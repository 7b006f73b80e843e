//! Starts that failed: counted, waited for, asked for again.

use super::*;

#[test]
fn failed_starts_are_counted_once_and_wait_longer() {
    let (bound, failed) = (claim("Bound"), vmi("Failed"));
    let first = moves(Some(&vm("Always")), Some(&failed), Some(&bound), &[]);
    assert_eq!(steps(&first), Vec::<&str>::new(), "nothing goes before the failure is recorded");
    let counted = reported(vm("Always"), &first);
    assert_eq!(
        counted.data["status"]["startFailure"],
        json!({"consecutiveFailCount": 1, "lastFailedVMIUID": "vmi1", "retryAfterTimestamp": "1970-01-01T00:00:01Z"})
    );
    let second = moves(Some(&counted), Some(&failed), Some(&bound), &[]);
    assert_eq!(second.iter().map(|m| m.step).collect::<Vec<_>>(), ["stop"], "counted once");

    let waiting = moves(Some(&counted), None, Some(&bound), &[]);
    let start = waiting.iter().find(|m| m.step == "create-instance").unwrap();
    assert_eq!(start.pace, Pace::After(Timestamp::from_second(1).unwrap()));
    let shown = reported(counted.clone(), &waiting);
    assert_eq!(text(&shown, "/status/printableStatus"), "CrashLoopBackOff");

    let mut again = failed;
    again.metadata.uid = Some("vmi2".into());
    let third = reported(counted, &moves(Some(&shown), Some(&again), Some(&bound), &[]));
    assert_eq!(text(&third, "/status/startFailure/retryAfterTimestamp"), "1970-01-01T00:00:04Z");
}

#[test]
fn a_rerun_is_asked_for_in_the_status_so_that_it_survives_the_instance() {
    let (bound, failed) = (claim("Bound"), vmi("Failed"));
    let asked = reported(vm("RerunOnFailure"), &moves(Some(&vm("RerunOnFailure")), Some(&failed), Some(&bound), &[]));
    assert_eq!(asked.data["status"]["stateChangeRequests"], json!([{"action": "Start"}]));
    assert_eq!(steps(&moves(Some(&asked), None, Some(&bound), &[])), ["create-instance"]);
    let running = vmi("Running");
    let done = reported(asked.clone(), &moves(Some(&asked), Some(&running), Some(&bound), &[]));
    assert_eq!(done.data["status"]["stateChangeRequests"], Value::Null);
}
