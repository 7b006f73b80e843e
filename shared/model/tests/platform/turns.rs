//! Which cluster may have its nodes restarted.

use std::collections::BTreeMap;

use model::names::ClusterName;
use model::platform::snapshot::Disruption::{self, Allow, Withhold};
use model::platform::turn::{Pools, turn};

use crate::at;
use crate::table::every_row;

/// Name, the clusters, how many may restart nodes, and the answer.
type Row = (&'static str, Vec<Cluster>, usize, Result<(), &'static str>);
type Cluster = (&'static str, Disruption, Result<bool, &'static str>, Option<i64>);

#[test]
fn x87_p6_nodes_of_one_cluster_after_the_other_are_restarted() {
    let idle: Cluster = ("mine", Allow, Ok(false), None);
    #[rustfmt::skip]
    let rows: [Row; 12] = [
        ("alone",                          vec![idle],                                                     1, Ok(())),
        ("others rest",                    vec![idle, ("west", Allow, Ok(false), None)],                   1, Ok(())),
        ("another one is being updated",   vec![idle, ("west", Allow, Ok(true), None)],                    1, Err("waits for the cluster west, whose nodes are being updated")),
        ("by somebody else",               vec![idle, ("west", Withhold, Ok(true), None)],                 1, Err("waits for the cluster west, whose nodes are being updated")),
        ("mine itself has the turn",       vec![("mine", Allow, Ok(true), Some(-10)), ("west", Allow, Ok(false), None)], 1, Ok(())),
        ("written, and not seen yet",      vec![idle, ("west", Allow, Ok(false), Some(-119))],             1, Err("waits for the cluster west, which was just written to")),
        ("written two minutes ago",        vec![idle, ("west", Allow, Ok(false), Some(-120))],             1, Ok(())),
        ("silent, and may be restarting",  vec![idle, ("west", Allow, Err("no answer"), None)],            1, Err("waits for the cluster west, whose nodes cannot be seen")),
        ("silent, and never restarted",    vec![idle, ("west", Withhold, Err("no answer"), None)],         1, Ok(())),
        ("two may",                        vec![idle, ("west", Allow, Ok(true), None)],                    2, Ok(())),
        ("and a third may not",            vec![idle, ("north", Allow, Ok(true), None), ("west", Allow, Ok(true), None)], 2, Err("waits for the cluster north, whose nodes are being updated")),
        ("none may",                       vec![idle],                                                     0, Err("no cluster may have nodes that restart: PLATFORM_DISRUPTED_CLUSTERS is 0")),
    ];
    every_row(rows, |(name, clusters, most, want)| {
        let pools = |(name, disruption, updating, written): Cluster| {
            let pools = Pools { disruption, updating: updating.map_err(str::to_owned), written: written.map(at) };
            (ClusterName(name.to_owned()), pools)
        };
        let clusters: BTreeMap<_, _> = clusters.into_iter().map(pools).collect();
        let got = turn(&ClusterName("mine".to_owned()), &clusters, most, at(0));
        assert_eq!(got, want.map_err(str::to_owned), "{name}");
    });
}
