//! Whether the cluster of a Machine can be worked on, from what its connections are.

use model::api::KubevirtConfig;
use model::clusters::{Newest, View};

use super::*;
use crate::table::every_row;

#[test]
fn b23_unknown_is_not_absent_and_first_contact_is_compared_with_the_record_of_the_config() {
    let config = |id: Option<&str>| -> Option<KubevirtConfig> {
        let mut config = KubevirtConfig::new("east", Default::default());
        config.status =
            Some(model::api::KubevirtConfigStatus { cluster_id: id.map(str::to_owned), ..Default::default() });
        Some(config)
    };
    let leaving = |id: Option<&str>| {
        let mut config = config(id)?;
        config.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-11-27T00:00:00Z")).expect("a time"));
        Some(config)
    };
    let up = || Some(View::Connected { id: "c-1".to_owned(), newest: Newest::InUse });
    let refused = |older_connecting| Some(View::Refused { why: "no key".to_owned(), older_connecting });
    let away = |why: &str| Remote::Unreachable(why.to_owned());
    let here = || Remote::Connected { id: "c-1".to_owned() };
    #[rustfmt::skip]
    let cases = vec![
        ("there is no KubevirtConfig",              None,                                    None,                None,        Remote::Missing),
        ("the registry has not taken it up yet",    None,                                    config(None),        None,        Remote::Connecting),
        ("it is gone, and its connection is not",   up(),                                    None,                Some("c-1"), here()),
        ("not asked to the end",                    Some(View::Connecting),                  config(None),        None,        Remote::Connecting),
        ("R1: away",                                Some(View::Unreachable("no route".to_owned())), config(None), None,        away("no route")),
        ("no kubeconfig that can be used",          refused(false),                          config(None),        None,        away("no key")),
        ("the older connection is made anew",       refused(true),                           config(Some("c-1")), Some("c-1"), Remote::Connecting),
        ("first contact",                           up(),                                    config(None),        None,        here()),
        ("the one that is recorded",                up(),                                    config(Some("c-1")), None,        here()),
        ("R7: another one than is recorded",        up(),                                    config(Some("c-0")), None,        away("it is cluster c-1, but c-0 is recorded: the kubeconfig leads elsewhere")),
        ("R5: it is going, with what is there",     up(),                                    leaving(Some("c-1")), Some("c-1"), here()),
        ("R5: it is going, and nothing new comes",  up(),                                    leaving(Some("c-1")), None,       away("its KubevirtConfig is being deleted and takes no new Machines: assign the Machine to another one, or create this one again once it is gone")),
        ("R7: the Machine has a record of its own", up(),                                    config(Some("c-0")), Some("c-2"), here()),
    ];
    every_row(cases, |(name, view, config, recorded, want)| {
        assert_eq!(Remote::of(view, config.as_ref(), recorded), want, "{name}");
    });
}
