//! Which cluster may have its nodes restarted.

use std::collections::BTreeMap;

use model::names::ClusterName;
use model::platform::snapshot::Disruption::{self, Allow, Withhold};
use model::platform::turn::{Pools, shown_by, turn};

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
        ("written, and not seen yet",      vec![idle, ("west", Allow, Ok(false), Some(-119))],             1, Err("waits for the cluster west, whose nodes may still restart for what was written")),
        ("written two minutes ago",        vec![idle, ("west", Allow, Ok(false), Some(-120))],             1, Ok(())),
        ("silent, and may be restarting",  vec![idle, ("west", Allow, Err("no answer"), None)],            1, Err("waits for the cluster west, whose nodes cannot be seen")),
        ("silent, and never restarted",    vec![idle, ("west", Withhold, Err("no answer"), None)],         1, Ok(())),
        ("two may",                        vec![idle, ("west", Allow, Ok(true), None)],                    2, Ok(())),
        ("and a third may not",            vec![idle, ("north", Allow, Ok(true), None), ("west", Allow, Ok(true), None)], 2, Err("waits for the cluster north, whose nodes are being updated")),
        ("none may",                       vec![idle],                                                     0, Err("no cluster may have nodes that restart: PLATFORM_DISRUPTED_CLUSTERS is 0")),
    ];
    every_row(rows, |(name, clusters, most, want)| {
        let pools = |(name, disruption, updating, written): Cluster| {
            let until = written.and_then(|second| shown_by(at(second)));
            let pools = Pools { disruption, updating: updating.map_err(str::to_owned), until };
            (ClusterName(name.to_owned()), pools)
        };
        let clusters: BTreeMap<_, _> = clusters.into_iter().map(pools).collect();
        let got = turn(&ClusterName("mine".to_owned()), &clusters, most, at(0));
        assert_eq!(got, want.map_err(str::to_owned), "{name}");
    });
}

#[test]
fn x87_a_cluster_that_was_being_updated_counts_for_a_while_when_its_nodes_are_to_be_left_alone() {
    let (east, west) = (ClusterName("east".to_owned()), ClusterName("west".to_owned()));
    let asks = |west_is: &Pools, second| {
        let clusters = BTreeMap::from([(west.clone(), west_is.clone())]);
        turn(&east, &clusters, 1, at(second)).map_err(|why| why.contains("may still restart"))
    };
    let idle = || Pools { disruption: Allow, updating: Ok(false), until: None };
    let mut rests = idle();
    rests.withdraw(at(0));
    assert_eq!(asks(&rests, 0), Ok(()), "it rested");
    let mut runs = Pools { updating: Ok(true), ..idle() };
    runs.withdraw(at(0));
    assert_eq!((asks(&runs, 1799), asks(&runs, 1800)), (Err(true), Ok(())), "it was being updated");
    runs.withdraw(at(1000));
    assert_eq!(asks(&runs, 1801), Ok(()), "and is told so again");
    let mut wrote = idle();
    wrote.wrote(at(0));
    assert_eq!(asks(&wrote, 119), Err(true), "nothing is seen yet");
    wrote.see(Ok(true));
    wrote.see(Ok(false));
    assert_eq!(asks(&wrote, 5), Ok(()), "it came to its end");
}
