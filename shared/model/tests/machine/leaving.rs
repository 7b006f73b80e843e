//! What goes or is on its way: nothing is written to the one, and nothing is let go over the other.

use model::machine::cluster_of;

use super::*;

#[test]
fn x57_orphan_lets_nothing_go_over_what_is_on_its_way() {
    let nothing: &[&str] = &[];
    for name in ["vm-web", "web-root"] {
        let kind = if name == "vm-web" { Kind::Vm } else { Kind::Claim };
        let awaited = BTreeSet::from([(kind, name.to_owned())]);
        let some = Observed { awaited: awaited.clone(), claims: claims("Bound"), ..seen() };
        assert_eq!(brief(&plan(&intent(policy("Orphan")), &some)), nothing, "{name}, and there are claims");
        let none = Observed { awaited, ..seen() };
        assert_eq!(brief(&plan(&intent(policy("Orphan")), &none)), nothing, "{name}");
    }
}

#[test]
fn i4_atk4_the_claims_that_a_machine_may_have_are_known_by_name_when_it_goes() {
    type Change = fn(&mut Value);
    let recorded: Change = |it| {
        it["status"]["disks"] = json!([
            {"name": "root", "pvcName": "web"}, {"name": "a", "pvcName": "../secrets/b"}, {"name": "b", "pvcName": ""},
        ]);
    };
    let named: Change = |it| it["spec"]["disks"] = json!([{"name": "old", "source": {"retained": "db-data"}}]);
    let iso: Change = |it| it["spec"]["os"] = json!({"isoUri": "http://images.example.com/a.iso"});
    let unread: Change = |it| it["metadata"]["annotations"]["vitistack.io/resolved"] = json!("{");
    #[rustfmt::skip]
    let cases: [(&str, Change, &[&str]); 5] = [
        ("those of its size",            |_| (),   &["web-data", "web-root"]),
        ("those that its status names",  recorded, &["web", "web-data", "web-root"]),
        ("one that another left",        named,    &["db-data", "web-data", "web-root"]),
        ("that of a CD-ROM",             iso,      &["web-data", "web-iso", "web-root"]),
        ("its size cannot be read",      unread,   &[]),
    ];
    every_row(cases, |(case, change, wanted)| {
        let Intent::Leave(goes) = intent(|it| (leaving(it), change(it)).1) else { panic!("it goes") };
        assert_eq!(goes.claims.iter().map(String::as_str).collect::<Vec<_>>(), wanted, "{case}");
    });
}

#[test]
fn fr7_a_claim_that_goes_is_not_brought_in_line() {
    let old = |deleting| {
        let mut seen = running();
        seen.claims.values_mut().for_each(|claim| (claim.hash, claim.deleting) = (None, deleting));
        brief(&plan(&intent(|_| ()), &seen))
    };
    assert_eq!(old(false), ["update Claim web-root", "update Claim web-data"]);
    assert_eq!(old(true), [] as [&str; 0]);
}

#[test]
fn x60_a_machine_concerns_the_cluster_that_it_is_recorded_on_whatever_its_annotation_says() {
    let assigned = |to: &'static str| {
        move |it: &mut Value| it["metadata"]["annotations"]["vitistack.io/kubevirt-config"] = json!(to)
    };
    let moved = machine(assigned("west"));
    let new = machine(|it| (assigned("west")(it), it["status"] = json!({})).1);
    let bare = machine(|it| it["metadata"]["annotations"] = json!({}));
    let nowhere = machine(|it| (it["metadata"]["annotations"], it["status"]) = (json!({}), json!({})));
    let cases = [(moved, Some("east")), (new, Some("west")), (bare, Some("east")), (nowhere, None)];
    every_row(cases, |(machine, wanted)| assert_eq!(cluster_of(&machine).map(|it| it.0).as_deref(), wanted));
}

#[test]
fn r7_another_cluster_under_the_name_is_not_reached() {
    let other = Observed::nothing("sup", Remote::Connected { id: "c-new".to_owned() });
    for intent in [intent(|_| ()), intent(leaving)] {
        let shown = status(&MachineStatus::default(), &intent, &other, None, now(1));
        assert_eq!(condition(&shown, "ClusterReachable"), "False/ClusterIdentityChanged");
    }
}
