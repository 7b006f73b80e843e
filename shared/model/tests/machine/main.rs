//! What a reconcile decides: from a Machine and what was seen of its cluster to an ordered list of writes and a status.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use model::api::{KubevirtConfigSpec, Machine, MachineStatus};
use model::machine::{
    Claim, Failure, Here, Import, Imports, Intent, Kind, Lookup, Nic, Observed, Plan, Remote, Shown, StorageClass,
    Terms, There, Vm, Vmi, Write, plan, record, status,
};
use model::names::ClusterName;
use model::reason::Reason;
use serde_json::{Value, json};

use crate::table::every_row;

mod addresses;
mod adoption;
mod claims;
mod cloudinit;
mod forged;
mod hardware;
mod kept;
mod leaving;
mod networks;
mod places;
mod published;
mod reach;
mod reap;
mod records;
mod shown;
mod steps;
mod storage;
#[path = "../../../../tests/table.rs"]
mod table;
mod takeover;
mod topology;
mod war;
mod written;

const RESOLVED: &str = r#"{"template":"small","source":"built-in","cores":1,"threads":1,"sockets":1,"memory":"2Gi","disks":[
    {"name":"root","size":"20Gi","storageClass":"default","accessMode":"ReadWriteOnce"},
    {"name":"data","size":"100Gi","storageClass":"fast-ssd","accessMode":"ReadWriteMany","volumeMode":"Block"}]}"#;

fn machine(change: impl Fn(&mut Value)) -> Machine {
    let mut machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "m-1", "generation": 3, "resourceVersion": "7",
            "finalizers": ["machine.vitistack.io/cleanup"],
            "annotations": {"vitistack.io/kubevirt-config": "east", "vitistack.io/resolved": RESOLVED},
        },
        "spec": {"template": "small"},
        "status": {"kubevirtConfigRef": {"name": "east", "clusterId": "c-east"}},
    });
    change(&mut machine);
    serde_json::from_value(machine).expect("a Machine")
}

/// A KubevirtConfig that sends everything to this namespace.
fn mapping(namespace: &str) -> KubevirtConfigSpec {
    KubevirtConfigSpec { namespace: Some(namespace.to_owned()), ..KubevirtConfigSpec::default() }
}

fn intent(change: impl Fn(&mut Value)) -> Intent {
    Intent::of(&machine(change), "vm-", None, &Shown::new())
}

fn seen() -> Observed {
    let remote = Remote::Connected { id: "c-east".to_owned() };
    Observed { namespace_known: true, imports: Imports::Missing, ..Observed::nothing("sup", remote) }
}

fn claims(phase: &str) -> BTreeMap<String, Claim> {
    let claim = |name: &str| {
        let hash = Some(written::CLAIM_HASH.to_owned());
        (name.to_owned(), Claim { uid: format!("uid-{name}"), phase: phase.to_owned(), hash, ..Claim::default() })
    };
    BTreeMap::from([claim("web-root"), claim("web-data")])
}

#[allow(clippy::unnecessary_wraps)] // reason: it is what `Observed` holds
fn vm(printable: &str) -> Option<Vm> {
    Some(Vm {
        name: "vm-web".to_owned(),
        uid: "v-1".to_owned(),
        resource_version: "9".to_owned(),
        printable: printable.to_owned(),
        hash: Some(written::HASH.to_owned()),
        ..Vm::default()
    })
}

#[allow(clippy::unnecessary_wraps)] // reason: it is what `Observed` holds
fn vmi(phase: &str, ready: bool) -> Option<Vmi> {
    let nic = Nic { name: Some("default".to_owned()), ips: vec!["10.0.0.5".to_owned()], ..Nic::default() };
    Some(Vmi {
        name: "vm-web".to_owned(),
        uid: "i-1".to_owned(),
        phase: phase.to_owned(),
        ready,
        node: Some("n1".to_owned()),
        interfaces: vec![nic],
        ..Vmi::default()
    })
}

fn running() -> Observed {
    Observed { vm: vm("Running"), vmi: vmi("Running", true), claims: claims("Bound"), ..seen() }
}

/// A plan in short: one word and one name for each write, and why it ends.
fn brief(plan: &Plan) -> Vec<String> {
    let say = |write: &Write| match write {
        Write::Here(Here::Record { cluster, id, vm }) => format!("record {cluster}={id} {vm}"),
        Write::Here(Here::Guard) => "guard".to_owned(),
        Write::Here(Here::AskAdmission) => "ask admission".to_owned(),
        Write::Here(Here::Release(_)) => "release".to_owned(),
        Write::Here(Here::Forsake { cluster, orphan }) => {
            format!("forsake {cluster} {} {}", orphan.machine, orphan.virtual_machine)
        }
        Write::Here(Here::CreateRecord(_)) => "create record".to_owned(),
        Write::Here(Here::ChangeRecord(_)) => "change record".to_owned(),
        Write::Here(Here::DeleteRecord(uid)) => format!("delete record {uid}"),
        Write::There(There::Create(kind, name, _)) => format!("create {kind:?} {name}"),
        Write::There(There::Adopt(name, _)) => format!("adopt {name}"),
        Write::There(There::Merge(kind, name, _)) => format!("merge {kind:?} {name}"),
        Write::There(There::Update { kind, name, .. }) => format!("update {kind:?} {name}"),
        Write::There(There::Restart(name, _)) => format!("restart {name}"),
        Write::There(There::Delete(kind, name, uid)) => format!("delete {kind:?} {name} {uid}"),
        Write::There(There::DeleteAlone(kind, name, uid)) => format!("delete alone {kind:?} {name} {uid}"),
        Write::There(There::TakeBack(name)) => format!("take back {name}"),
        Write::There(There::AdoptClaim(name)) => format!("adopt claim {name}"),
        Write::There(There::TakeOver(kind, name)) => format!("take over {kind:?} {name}"),
        Write::There(There::Carry(parcel)) => format!("carry {}", parcel.name),
    };
    let refused = plan.refused.iter().map(|failure| format!("refuse {}", failure.reason.code()));
    plan.writes.iter().map(say).chain(refused).collect()
}

fn leaving(machine: &mut Value) {
    machine["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
}

fn policy(word: &'static str) -> impl Fn(&mut Value) {
    move |machine| {
        leaving(machine);
        machine["metadata"]["annotations"]["vitistack.io/deletion-policy"] = json!(word);
    }
}

fn now(second: i64) -> Time {
    Time(Timestamp::from_second(second).expect("a time"))
}

fn condition(status: &MachineStatus, kind: &str) -> String {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind);
    found.map(|condition| format!("{}/{}", condition.status, condition.reason)).unwrap_or_default()
}

#[test]
fn r4_kvo2_a_machine_goes_without_its_cluster_only_by_an_explicit_word() {
    let released = |name: &'static str| {
        move |machine: &mut Value| {
            leaving(machine);
            machine["metadata"]["annotations"]["vitistack.io/release-from"] = json!(name);
        }
    };
    let terms = |decommissioned| Terms { decommissioned, ..Terms::default() };
    let gone = |remote, decommissioned| Observed { terms: terms(decommissioned), ..Observed::nothing("sup", remote) };
    let down = || Remote::Unreachable("down".to_owned());
    let other = || Remote::Connected { id: "rebuilt".to_owned() };
    let forsaken: &[&str] = &["forsake east shop/web shop/vm-web", "release"];
    #[rustfmt::skip]
    let cases: Vec<(&str, Intent, Observed, &[&str])> = vec![
        ("nobody said anything",             intent(leaving),           gone(down(), false),            &[]),
        ("this Machine may go",              intent(released("east")),  gone(down(), false),            forsaken),
        ("its KubevirtConfig is gone, too",  intent(released("east")),  gone(Remote::Missing, false),   forsaken),
        ("another cluster took its address", intent(released("east")),  gone(other(), false),           forsaken),
        ("it names another cluster",         intent(released("west")),  gone(down(), false),            &[]),
        ("nobody knows yet",                 intent(released("east")),  gone(Remote::Connecting, false), &[]),
        ("all of the cluster's may go",      intent(leaving),           gone(down(), true),             forsaken),
        ("it answers all the same",          intent(released("east")),  Observed { terms: terms(true), ..running() }, &["delete Vm vm-web v-1"]),
        ("it is not being deleted",          intent(|it| it["metadata"]["annotations"]["vitistack.io/release-from"] = json!("east")), gone(down(), true), &[]),
        ("an unknown policy",                intent(|it| { policy("Maybe")(it); it["metadata"]["annotations"]["vitistack.io/release-from"] = json!("east"); }), gone(down(), true), &[]),
    ];
    every_row(cases, |(_, intent, seen, wanted)| assert_eq!(brief(&plan(&intent, &seen)), wanted));
}

#[test]
fn a_machine_is_made_true_in_the_order_of_effects() {
    let nothing = |_: &mut Value| ();
    let unrecorded = |machine: &mut Value| machine["status"] = json!({});
    let bare = |machine: &mut Value| machine["metadata"]["annotations"] = json!({});
    let foreign = |machine: &mut Value| machine["spec"]["provider"] = json!("aws");
    let away = |remote: Remote| Observed { remote, ..seen() };
    let awaited = BTreeSet::from([
        (Kind::Claim, "web-root".to_owned()),
        (Kind::Claim, "web-data".to_owned()),
        (Kind::Vm, "vm-web".to_owned()),
    ]);
    let edited = |machine: &mut Value| machine["spec"]["runStrategy"] = json!("Halted");
    let dying = Observed { vm: vm("Running").map(|vm| Vm { deleting: true, ..vm }), ..running() };
    #[rustfmt::skip]
    let cases: Vec<(&str, Intent, Observed, Vec<&str>)> = vec![
        ("the finalizer comes before anything", intent(|m| m["metadata"]["finalizers"] = json!([])), seen(), vec!["guard"]),
        ("the finalizer, also while the cluster is away", intent(|m| m["metadata"]["finalizers"] = json!([])), away(Remote::Unreachable("down".to_owned())), vec!["guard"]),
        ("X58: the identity comes first, alone", intent(unrecorded), seen(), vec!["record east=c-east vm-web"]),
        ("X17: namespace, disks, VM last", intent(nothing), Observed { namespace_known: false, ..seen() },
            vec!["create Namespace shop", "create Claim web-root", "create Claim web-data", "create Vm vm-web"]),
        ("only what is missing", intent(nothing), Observed { claims: claims("Pending"), ..seen() }, vec!["create Vm vm-web"]),
        ("what was created is not created again", intent(nothing), Observed { awaited: awaited.clone(), ..seen() }, vec![]),
        ("nothing left to do", intent(nothing), running(), vec![]),
        ("KVO20: an edit reaches the VM", intent(edited), running(), vec!["update Vm vm-web"]),
        ("R13: a dying VM is waited for", intent(edited), dying.clone(), vec![]),
        ("unknown is not absent", intent(nothing), away(Remote::Unreachable("down".to_owned())), vec![]),
        ("no config, no write", intent(nothing), away(Remote::Missing), vec![]),
        ("R7: another cluster, no write", intent(nothing), away(Remote::Connected { id: "other".to_owned() }), vec![]),
        ("R15: nothing is made in a namespace that goes", intent(nothing), Observed { namespace_terminating: true, ..seen() }, vec!["refuse NamespaceTerminating"]),
        ("X11: the controller asks, and never places", intent(bare), seen(), vec!["ask admission"]),
        ("another provider's", intent(foreign), seen(), vec![]),

        ("X58: nothing was made, released at once", intent(|m| { leaving(m); m["status"] = json!({}); }), away(Remote::Missing), vec!["release"]),
        ("X17: the VM goes first", intent(leaving), running(), vec!["delete Vm vm-web v-1"]),
        ("X17: it is waited for", intent(leaving), dying, vec![]),
        ("X17: and so is its instance", intent(leaving), Observed { vm: None, ..running() }, vec![]),
        ("X17: then the disks", intent(leaving), Observed { vm: None, vmi: None, ..running() },
            vec!["delete Claim web-data uid-web-data", "delete Claim web-root uid-web-root"]),
        ("X17: released when nothing is left", intent(leaving), seen(), vec!["release"]),
        ("a creation on its way is waited for", intent(leaving), Observed { awaited, ..seen() }, vec![]),
        ("R3: a cluster that is away keeps the finalizer", intent(leaving), away(Remote::Unreachable("down".to_owned())), vec![]),
        ("R7: so does another cluster", intent(leaving), away(Remote::Connected { id: "other".to_owned() }), vec![]),
        ("R15: what is in a namespace that goes is deleted all the same", intent(leaving), Observed { namespace_terminating: true, ..running() }, vec!["delete Vm vm-web v-1"]),
        ("X57: a word nobody knows deletes nothing", intent(policy("retain")), running(), vec![]),
        ("X12: what the published operator guards is not let go unseen", intent(|m| { leaving(m); m["status"] = json!({}); m["metadata"]["finalizers"] = json!(["machine.vitistack.io/finalizer"]); }), away(Remote::Missing), vec![]),
        ("a provider changed behind our back keeps nothing", intent(|m| { leaving(m); m["spec"]["provider"] = json!("aws"); }), running(), vec!["delete Vm vm-web v-1"]),
        ("X57: Retain takes the VM", intent(policy("Retain")), running(), vec!["delete Vm vm-web v-1"]),
        ("X57: and lets the disks go", intent(policy("Retain")), Observed { vm: None, vmi: None, ..running() }, vec!["merge Claim web-data", "merge Claim web-root"]),
        ("X57: Orphan stops nothing", intent(policy("Orphan")), running(), vec!["merge Vm vm-web", "merge Claim web-data", "merge Claim web-root"]),
        ("X57: and is done", intent(policy("Orphan")), seen(), vec!["release"]),
    ];
    every_row(cases, |(name, intent, seen, want)| {
        assert_eq!(brief(&plan(&intent, &seen)), want, "{name}");
    });
}

#[test]
fn x57_an_orphaned_vm_has_nothing_of_ours_left_that_could_delete_it() {
    let same = Observed { supervisor: "c-east".to_owned(), ..running() };
    let writes = plan(&intent(policy("Orphan")), &same).writes;
    let Some(Write::There(There::Merge(Kind::Vm, _, change))) = writes.first() else { panic!("{writes:?}") };
    assert!(
        change["metadata"].get("ownerReferences").is_some_and(Value::is_null),
        "the garbage collector would delete it"
    );
    every_row([&change["metadata"]["labels"], &change["spec"]["template"]["metadata"]["labels"]], |labels| {
        assert!(labels.get("vitistack.io/machine-uid").is_some_and(Value::is_null), "{change}");
    });
    assert_eq!(change["metadata"]["labels"]["vitistack.io/retained"], "true");
    assert_eq!(change["metadata"]["annotations"]["vitistack.io/retained-from"], "shop/web");
}

#[test]
fn x2_the_name_of_a_vm_is_prefixed_once_and_then_kept() {
    let name = |change: fn(&mut Value), prefix: &str| {
        Intent::of(&machine(change), prefix, None, &Shown::new()).identity().map(|it| it.vm.name.clone())
    };
    assert_eq!(name(|_| (), "vm-").as_deref(), Some("vm-web"));
    assert_eq!(name(|_| (), "").as_deref(), Some("web"), "a drop-in upgrade");
    assert_eq!(
        name(|machine| machine["status"]["vmName"] = json!("web"), "vm-").as_deref(),
        Some("web"),
        "a changed prefix loses no VM"
    );
}

#[test]
fn an_assignment_that_was_spoilt_is_said_and_nothing_is_written() {
    let moved = intent(|machine| machine["metadata"]["annotations"]["vitistack.io/kubevirt-config"] = json!("west"));
    let broken = intent(|machine| machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!("{}"));
    let cases = [(moved, "the VM is on \"east\""), (broken, "set vitistack.io/refresh-class to a new value")];
    every_row(cases, |(intent, says)| {
        assert_eq!(plan(&intent, &running()), Plan::default());
        let shown = status(&MachineStatus::default(), &intent, &running(), None, now(1));
        assert_eq!(shown.phase.as_deref(), Some("Failed"));
        assert!(shown.message.as_deref().unwrap_or_default().contains(says), "{:?}", shown.message);
    });
}
