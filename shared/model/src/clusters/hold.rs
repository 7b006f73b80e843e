//! What keeps a KubevirtConfig from being deleted while Machines are recorded on it (R5). Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::names::IN_USE;

/// The finalizers that a KubevirtConfig should have, if it has others. `machines` are recorded on it; while they are not all
/// known, nothing is changed.
///
/// Guarantees: one that no Machine uses is not held; what others put there stays; one that is being deleted is not held anew,
/// which API servers refuse.
pub fn finalizers(meta: &ObjectMeta, machines: Option<usize>) -> Option<Vec<String>> {
    let present = meta.finalizers.clone().unwrap_or_default();
    let held = present.iter().any(|finalizer| finalizer == IN_USE);
    match (held, machines?) {
        (true, 0) => Some(present.into_iter().filter(|finalizer| finalizer != IN_USE).collect()),
        (false, 1..) if meta.deletion_timestamp.is_none() => {
            Some(present.into_iter().chain([IN_USE.to_owned()]).collect())
        }
        (true | false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn r5_a_config_is_held_while_machines_are_recorded_on_it_and_no_longer() {
        let (ours, other) = ("kubevirtconfig.vitistack.io/in-use", "example.com/other");
        #[rustfmt::skip]
        let cases = [
            ("R5: the first Machine",              vec![],            false, Some(1), Some(vec![ours])),
            ("R5: beside another's",               vec![other],       false, Some(2), Some(vec![other, ours])),
            ("R5: more of them",                   vec![ours],        false, Some(9), None),
            ("R5: the last one went",              vec![ours, other], false, Some(0), Some(vec![other])),
            ("R5: never used",                     vec![other],       false, Some(0), None),
            ("R5: not all Machines are known",     vec![ours],        false, None,    None),
            ("R5: not known, and it is to go",     vec![ours],        true,  None,    None),
            ("R5: it is to go, and is used",       vec![ours],        true,  Some(1), None),
            ("R5: it is to go, and used too late", vec![other],       true,  Some(1), None),
            ("R5: it may go",                      vec![ours],        true,  Some(0), Some(vec![])),
        ];
        every_row(cases, |(name, present, leaves, machines, want)| {
            let meta = ObjectMeta {
                finalizers: Some(present.into_iter().map(str::to_owned).collect()),
                deletion_timestamp: leaves.then_some(Time(Timestamp::UNIX_EPOCH)),
                ..ObjectMeta::default()
            };
            let want = want.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(finalizers(&meta, machines), want, "{name}");
        });
        assert_eq!(finalizers(&ObjectMeta::default(), Some(1)), Some(vec![ours.to_owned()]));
    }
}
