//! Two hundred kubeconfigs and more, each with the verdict that a person gave it: which are used and which are not, that no
//! secret of one is told, and that none of them leads to a program or a file of ours. T1 to T4, T19.

mod accepted;
mod alone;
mod corpus;
mod credentials;
mod detours;
mod documents;
mod files;
mod programs;
mod servers;
#[path = "../../../../tests/table.rs"]
mod table;
mod trust;

use std::collections::BTreeSet;

use corpus::{Kubeconfig, all, judged};
use table::every_row;

/// Nothing longer is ever shown of a refusal.
const LONGEST: usize = 400;

#[tokio::test]
async fn t1_t2_t3_t4_t5_each_of_the_kubeconfigs_gets_the_verdict_that_a_person_gave_it() {
    let corpus = all();
    let names: BTreeSet<&str> = corpus.iter().map(|one| one.name.as_str()).collect();
    let texts: BTreeSet<&[u8]> = corpus.iter().map(|one| one.text.as_slice()).collect();
    assert_eq!((names.len(), texts.len()), (corpus.len(), corpus.len()), "each name and each text is there once");
    let good = corpus.iter().filter(|one| one.refused.is_none()).count();
    assert!(corpus.len() - good >= 200 && good >= 20, "{} of {} are accepted", good, corpus.len());
    every_row(corpus, |Kubeconfig { name, text, refused }| match (judged(&text), refused) {
        (Ok(()), None) => {}
        (Err(said), Some(why)) if said.contains(why) => {}
        (said, want) => panic!("{name}\n wants {want:?}\n said  {said:?}"),
    });
}

#[tokio::test]
async fn t19_a_refusal_is_one_short_line_without_a_secret_of_the_kubeconfig() {
    every_row(all(), |Kubeconfig { name, text, .. }| {
        let Err(said) = judged(&text) else { return };
        assert!(said.len() <= LONGEST, "{name}: {} bytes: {said}", said.len());
        assert!(said.chars().all(|c| c == ' ' || (!c.is_control() && !c.is_whitespace())), "{name}: {said:?}");
        assert!(!said.chars().any(model::text::is_hidden), "{name}: {said:?}");
        for secret in corpus::secrets() {
            assert!(!said.contains(&secret), "{name}: {said}");
        }
    });
}
