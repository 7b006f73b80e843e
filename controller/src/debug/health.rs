//! `/debug/health`: who leads, the clusters and their watches, and how busy this process is. D20.

use std::fmt::Write;

use model::clusters::{Newest, View};
use model::text::line;
use runtime::clusters::Entry;

use crate::context::Known;
use crate::lead::Lead;
use crate::session::ClusterIndex;

/// Bytes of a sentence that is shown.
const SENTENCE: usize = 512;

pub(super) fn page(lead: &Lead, known: Option<&Known>) -> String {
    let mut page = format!("Lease     {}\n", lead.said());
    let Some(Known { ctx, machines }) = known else { return page };
    let listed = if ctx.uids.are_listed() { "listed and watched" } else { "being listed" };
    // Writing to a String does not fail.
    let _ = writeln!(page, "Machines  {}, {listed}", machines.len());
    let _ = writeln!(
        page,
        "passes    {} run now, {} Machines failed last time",
        ctx.metrics.running(),
        ctx.retries.waiting()
    );
    let clusters = ctx.clusters.load();
    let _ = writeln!(page, "clusters  {}", clusters.len());
    for (name, entry) in clusters.iter() {
        let _ = writeln!(page, "  {name}  {}", cluster(entry));
    }
    page
}

fn cluster(entry: &Entry<ClusterIndex>) -> String {
    let mut said = state(&entry.view());
    if let Some(cluster) = &entry.cluster {
        let (objects, kept) = (&cluster.index.objects, cluster.index.objects.bytes() >> 10);
        let _ = write!(said, "; {} objects of Machines in {kept} KiB", objects.count());
    }
    line(&said, SENTENCE)
}

fn state(view: &View) -> String {
    match view {
        View::Connecting => "is being asked".to_owned(),
        View::Unreachable(why) => format!("does not answer, what is known of it is old: {why}"),
        View::Unserved(why) => format!("does not serve what is needed there: {why}"),
        View::Refused { why, .. } => format!("its kubeconfig is refused: {why}"),
        View::Connected { id, newest: Newest::InUse } => format!("connected, watched, cluster {id}"),
        View::Connected { id, newest: Newest::Refused(why) } => {
            format!(
                "connected, watched, cluster {id}, by an earlier kubeconfig, because the present one is refused: {why}"
            )
        }
        View::Connected { id, newest: Newest::Failing(why) } => {
            format!(
                "connected, watched, cluster {id}, by an earlier kubeconfig, because the present one leads nowhere: {why}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn d20_every_state_of_a_connection_is_said() {
        let id = || "c-1".to_owned();
        let why = || "no route".to_owned();
        #[rustfmt::skip]
        let cases = [
            (View::Connecting,                                                  "is being asked"),
            (View::Unreachable(why()),                                          "does not answer, what is known of it is old: no route"),
            (View::Refused { why: why(), older_connecting: true },              "its kubeconfig is refused: no route"),
            (View::Connected { id: id(), newest: Newest::InUse },               "connected, watched, cluster c-1"),
            (View::Connected { id: id(), newest: Newest::Refused(why()) },
                "connected, watched, cluster c-1, by an earlier kubeconfig, because the present one is refused: no route"),
            (View::Connected { id: id(), newest: Newest::Failing(why()) },
                "connected, watched, cluster c-1, by an earlier kubeconfig, because the present one leads nowhere: no route"),
        ];
        every_row(cases, |(view, want)| assert_eq!(state(&view), want));
        let entry = Entry::<ClusterIndex> {
            cluster: None,
            rejected: Some("a\u{1b}b\nc".to_owned()),
            failing: None,
            webhook: None,
        };
        assert_eq!(cluster(&entry), "its kubeconfig is refused: abc", "T22");
    }

    #[test]
    fn d20_who_does_not_lead_says_who_does() {
        assert_eq!(
            page(&Lead::new(crate::lead::Standing::Over), None),
            "Lease     not held by this process any more, which ends\n"
        );
    }
}
