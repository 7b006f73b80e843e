//! The disks of a Machine: grown, lost, filled, kept and taken back.
#![allow(clippy::type_complexity, clippy::large_stack_arrays)] // reason: rows of tables

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use model::machine::storage::{may_be_copied, provisioned, take_back};

use super::*;

const GIB: u64 = 1 << 30;

/// The claims of [`machine`], bound, with what a class grants them.
fn stored(change: impl Fn(&mut Claim)) -> BTreeMap<String, Claim> {
    let mut all = claims("Bound");
    for (name, gib) in [("web-root", 20), ("web-data", 100)] {
        let claim = all.get_mut(name).expect("a claim");
        (claim.size, claim.requested) = (Some(gib * GIB), Some(format!("{gib}Gi")));
        (claim.resource_version, claim.storage_class) = ("5".to_owned(), Some("fast".to_owned()));
    }
    change(all.get_mut("web-root").expect("a claim"));
    all
}

fn with(change: impl Fn(&mut Claim)) -> Observed {
    let class = |expands, waits| StorageClass { expands, waits };
    let classes = [("fast", class(true, false)), ("fixed", class(false, false)), ("late", class(true, true))];
    let storage_classes = classes.into_iter().map(|(name, class)| (name.to_owned(), class)).collect();
    Observed { claims: stored(change), storage_classes, ..running() }
}

/// A Machine whose boot disk shall have so much.
fn asking(size: &'static str) -> Intent {
    intent(move |machine| {
        machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!(RESOLVED.replace("20Gi", size));
    })
}

/// Condition `StorageReady`, its sentence, and `Ready`.
fn said(intent: &Intent, seen: &Observed) -> (String, String, String) {
    let plan = plan(intent, seen);
    let shown = status(&MachineStatus::default(), intent, seen, plan.refused.as_ref(), now(1));
    let message = shown.conditions.iter().find(|it| it.type_ == "StorageReady").map(|it| it.message.clone());
    (condition(&shown, "StorageReady"), message.unwrap_or_default(), condition(&shown, "Ready"))
}

#[test]
fn c52_fr19_a_disk_grows_and_says_so_until_it_has_grown_or_may_not() {
    let class = |name: &'static str| move |claim: &mut Claim| claim.storage_class = Some(name.to_owned());
    let grow: &[&str] = &["merge Claim web-root"];
    #[rustfmt::skip]
    let cases: Vec<(&str, &str, Observed, &[&str], &str, &str)> = vec![
        ("as large as asked for",   "20Gi", with(|_| ()),                        &[],  "True/PVCBound",           "every disk is bound"),
        ("the same, in other words", "20480Mi", with(|_| ()),                    &[],  "True/PVCBound",           "every disk is bound"),
        ("never shrinks",           "10Gi", with(|_| ()),                        &[],  "True/PVCBound",           "every disk is bound"),
        ("larger",                  "40Gi", with(|_| ()),                        grow, "False/DiskGrowing",       "root grows from 20Gi to 40Gi"),
        ("on its way",              "40Gi", with(|it| it.requested = Some("40Gi".to_owned())), &[], "False/DiskGrowing", "root grows from 20Gi to 40Gi"),
        ("there",                   "40Gi", with(|it| (it.requested, it.size) = (Some("40Gi".to_owned()), Some(40 * GIB))), &[], "True/PVCBound", "every disk is bound"),
        ("its class forbids it",    "40Gi", with(class("fixed")),                &[],  "False/ExpansionRefused",  "root stays at 20Gi and does not get 40Gi: StorageClass \"fixed\" does not allow expansion: have allowVolumeExpansion: true set"),
        ("its class is gone",       "40Gi", with(class("gone")),                 &[],  "False/ExpansionRefused",  "there is no StorageClass \"gone\" any more"),
        ("of no class",             "40Gi", with(|it| it.storage_class = None),  &[],  "False/ExpansionRefused",  "its claim has no StorageClass"),
        ("not bound",               "40Gi", with(|it| it.phase = "Pending".to_owned()), &[], "False/PVCPending", "waiting for web-root"),
        ("waits for its first user", "20Gi", with(|it| (it.phase, it.storage_class) = ("Pending".to_owned(), Some("late".to_owned()))), &[], "False/PVCPending", "web-root (StorageClass \"late\" binds it when the VM starts)"),
        ("is being deleted",        "40Gi", with(|it| it.deleting = true),       &[],  "False/DiskTerminating",   "goes as soon as nothing uses it any more"),
    ];
    every_row(cases, |(name, size, seen, writes, want, says)| {
        let mut writes_now = brief(&plan(&asking(size), &seen));
        writes_now.retain(|it| !it.contains("Vm"));
        assert_eq!(writes_now, writes, "{name}");
        let (storage, why, ready) = said(&asking(size), &seen);
        assert_eq!(storage, want, "{name}: {why}");
        assert!(why.contains(says), "{name}: {why}");
        assert_eq!(ready, "True/Running", "{name}: what runs goes on");
    });
    let writes = plan(&asking("40Gi"), &with(|_| ())).writes;
    let Some(Write::There(There::Merge(Kind::Claim, _, change))) = writes.last() else { panic!("{writes:?}") };
    let want = json!({
        "metadata": {"uid": "uid-web-root", "resourceVersion": "5"},
        "spec": {"resources": {"requests": {"storage": "40Gi"}}},
    });
    assert_eq!(*change, want, "bound to what was seen");
}

/// A Machine whose status records its boot disk, with more in the annotations.
fn recorded(annotations: &'static [(&'static str, &'static str)], replaced: Option<&'static str>) -> Intent {
    intent(move |machine| {
        machine["status"]["disks"] = json!([{"name": "root", "pvcName": "web-root", "uid": "u-1", "size": 21_474_836_480_i64, "requestedSize": "20Gi"}]);
        if let Some(replaced) = replaced {
            machine["status"]["disks"][0]["replaced"] = json!(replaced);
        }
        for (key, value) in annotations {
            machine["metadata"]["annotations"][*key] = json!(value);
        }
    })
}

#[test]
fn fr7_a_disk_that_was_there_is_lost_and_no_blank_one_takes_its_place_unasked() {
    let mut left = stored(|_| ());
    left.remove("web-root");
    let gone = Observed { claims: left, ..seen() };
    let nothing_left = Observed { namespace_known: false, ..seen() };
    let running = Observed { vm: vm("Running"), vmi: vmi("Running", true), ..gone.clone() };
    let awaited = Observed { awaited: [(Kind::Claim, "web-root".to_owned())].into(), ..gone.clone() };
    let back = Observed { claims: stored(|_| ()), ..gone.clone() };
    let replace: &[(&str, &str)] = &[("vitistack.io/replace-lost-disk", "data, root")];
    let other: &[(&str, &str)] = &[("vitistack.io/replace-lost-disk", "data")];
    #[rustfmt::skip]
    let cases = [
        ("lost, no VM is made",         recorded(&[], None), gone.clone(), vec!["refuse DiskLost"]),
        ("lost, its VM stays as it is", recorded(&[], None), running.clone(), vec!["refuse DiskLost"]),
        ("its namespace went",          recorded(&[], None), nothing_left, vec!["create Namespace shop", "create Claim web-data", "refuse DiskLost"]),
        ("another one may be replaced", recorded(other, None), gone.clone(), vec!["refuse DiskLost"]),
        ("it may be replaced",          recorded(replace, None), gone.clone(), vec!["create Claim web-root", "create Vm vm-web"]),
        ("once",                        recorded(replace, Some("u-0")), gone.clone(), vec!["refuse DiskLost"]),
        ("its claim is on its way",     recorded(&[], None), awaited, vec!["create Vm vm-web"]),
        ("restored",                    recorded(&[], None), back, vec!["create Vm vm-web"]),
        ("unknown is not absent",       recorded(&[], None), Observed { remote: Remote::Unreachable("down".to_owned()), ..gone.clone() }, vec![]),
        ("one that was never made",     intent(|_| ()), gone.clone(), vec!["create Claim web-root", "create Vm vm-web"]),
    ];
    every_row(cases, |(name, intent, seen, want)| assert_eq!(brief(&plan(&intent, &seen)), want, "{name}"));

    let intent = recorded(&[], None);
    let (storage, why, ready) = said(&intent, &gone);
    assert_eq!((storage.as_str(), ready.as_str()), ("False/DiskLost", "False/DiskLost"));
    assert_eq!(
        why,
        "disk \"root\" of 20Gi is lost: PersistentVolumeClaim shop/web-root, last of UID u-1, is gone from the cluster: restore it from a backup, or to have it made anew, blank, set the annotation vitistack.io/replace-lost-disk: root"
    );
    assert_eq!(said(&intent, &running).2, "False/DiskLost", "FR19: green is never a lie");
    assert!(said(&recorded(replace, Some("u-0")), &gone).1.contains("replaced once already"), "and says what to do");
}

#[test]
fn fr7_what_is_known_of_a_lost_disk_stays_in_the_status() {
    let disk = |intent: &Intent, seen: &Observed| {
        let shown = status(&MachineStatus::default(), intent, seen, None, now(1));
        serde_json::to_value(&shown.disks[0]).expect("JSON")
    };
    let lost = json!({"name": "root", "pvcName": "web-root", "uid": "u-1", "size": 21_474_836_480_i64, "requestedSize": "20Gi"});
    assert_eq!(disk(&recorded(&[], None), &seen()), lost);
    let replace: &[(&str, &str)] = &[("vitistack.io/replace-lost-disk", "root")];
    let anew = disk(&recorded(replace, None), &with(|_| ()));
    assert_eq!(
        (&anew["uid"], &anew["replaced"]),
        (&json!("uid-web-root"), &json!("u-1")),
        "it is said what it replaced"
    );
    let again = disk(&recorded(replace, Some("u-0")), &seen());
    assert_eq!(again["replaced"], "u-0", "as long as the annotation is there");
    assert_eq!(disk(&recorded(&[], Some("u-0")), &seen()).get("replaced"), None, "then it may be set again");
}

/// A Machine whose second disk is filled from somewhere.
fn filled(source: Value) -> Intent {
    intent(move |machine| machine["spec"]["disks"] = json!([{"name": "data", "source": source}]))
}

fn import(change: impl Fn(&mut Import)) -> Imports {
    let mut import = Import { uid: "d-1".to_owned(), ..Import::default() };
    change(&mut import);
    Imports::Known([("web-data".to_owned(), import)].into())
}

#[test]
fn t6_t14_fr19_a_disk_is_filled_by_cdi_and_nothing_is_made_on_one_that_cannot_be() {
    let http = || filled(json!({"http": {"url": "https://a.org/x.img"}}));
    let pvc = |namespace: Option<&str>| filled(json!({"pvc": {"name": "image", "namespace": namespace}}));
    let image = |image: &'static str| intent(move |machine| machine["spec"]["os"] = json!({"imageID": image}));
    let root_only = |imports: Imports| Observed { claims: stored(|_| ()).split_off("web-root"), imports, ..seen() };
    let cdi = || Imports::Known(BTreeMap::new());
    let claimed = |imports: Imports| Observed {
        claims: stored(|_| ())
            .into_iter()
            .map(|(name, it)| (name.clone(), Claim { imported: name == "web-data", ..it }))
            .collect(),
        imports,
        ..seen()
    };
    let shared =
        |change: &dyn Fn(&mut Value)| Intent::of(&machine(change), "vm-", Some(&mapping("tenants")), &Shown::new());
    let copy = shared(&|machine| {
        machine["status"]["kubevirtConfigRef"]["namespace"] = json!("tenants");
        machine["spec"]["disks"] = json!([{"name": "data", "source": {"pvc": {"name": "image"}}}]);
    });
    #[rustfmt::skip]
    let cases = [
        ("CDI makes the claim, and the VM waits for it", http(), root_only(cdi()), vec!["create DataVolume web-data"], ""),
        ("its claim is there",           http(), claimed(import(|_| ())), vec!["create Vm vm-web"], ""),
        ("CDI has none yet",             http(), root_only(import(|_| ())), vec![], ""),
        ("no CDI",                       http(), root_only(Imports::Missing), vec!["refuse CDIMissing"], "cluster \"east\" does not have: have it installed there"),
        ("no right",                     http(), root_only(Imports::Refused("no right".to_owned())), vec!["refuse CDIMissing"], "is not known: no right"),
        ("unknown is not absent",        http(), root_only(Imports::Unknown("no answer".to_owned())), vec!["refuse CDIMissing"], "is not known: no answer"),
        ("made already, no CDI needed",  http(), claimed(Imports::Missing), vec!["create Vm vm-web"], ""),
        ("a corrected source begins anew", http(), claimed(import(|it| (it.failure, it.source) = (Some("404".to_owned()), Some("old".to_owned())))), vec!["delete DataVolume web-data d-1", "create Vm vm-web"], ""),
        ("what gets on is left alone",   http(), claimed(import(|it| it.source = Some("old".to_owned()))), vec!["create Vm vm-web"], ""),
        ("a copy",                       pvc(None), root_only(cdi()), vec!["create DataVolume web-data"], ""),
        ("a copy, named",                pvc(Some("shop")), root_only(cdi()), vec!["create DataVolume web-data"], ""),
        ("T14: from elsewhere",          pvc(Some("bank")), root_only(cdi()), vec!["refuse SourceInvalid"], "from the namespace of its VM only, \"shop\""),
        ("T14: in a shared namespace",   copy, root_only(cdi()), vec!["refuse SourceInvalid"], "which other namespaces share"),
        ("an image",                     image("docker://quay.io/a/b:1"), Observed { imports: cdi(), ..seen() }, vec!["create DataVolume web-root", "create Claim web-data"], ""),
        ("an image at a URL",            image("https://a.org/x.qcow2"), Observed { imports: cdi(), ..seen() }, vec!["create DataVolume web-root", "create Claim web-data"], ""),
        ("an ISO is a CD-ROM",           image("https://a.org/x.ISO?a=b"), Observed { imports: cdi(), ..seen() }, vec!["create Claim web-root", "create Claim web-data", "create DataVolume web-iso"], ""),
        ("no image that is known",       image("ami-1"), Observed { imports: cdi(), ..seen() }, vec!["create Claim web-data", "refuse SourceInvalid"], "docker:// and a container disk"),
        ("too late for an image",        image("ami-1"), Observed { claims: stored(|_| ()), ..seen() }, vec!["create Vm vm-web"], ""),
    ];
    every_row(cases, |(name, intent, seen, want, says)| {
        let plan = plan(&intent, &seen);
        assert_eq!(brief(&plan), want, "{name}");
        let why = plan.refused.map(|failure| failure.message).unwrap_or_default();
        assert!(why.contains(says) && why.is_empty() == says.is_empty(), "{name}: {why}");
    });
    let writes = plan(&http(), &root_only(cdi())).writes;
    let Some(Write::There(There::Create(Kind::DataVolume, _, object))) = writes.first() else { panic!("{writes:?}") };
    assert_eq!(
        object["spec"],
        json!({
            "source": {"http": {"url": "https://a.org/x.img"}},
            "pvc": {"accessModes": ["ReadWriteMany"], "volumeMode": "Block", "storageClassName": "fast-ssd", "resources": {"requests": {"storage": "100Gi"}}},
        })
    );
    assert_eq!(object["metadata"]["labels"]["vitistack.io/machine-uid"], "m-1", "CDI gives the claim these labels");

    let shows = |imports: Imports| {
        let (storage, why, ready) = said(&http(), &Observed { vm: vm("Provisioning"), ..claimed(imports) });
        assert_eq!(storage, ready, "FR19: {why}");
        format!("{storage}: {why}")
    };
    assert_eq!(shows(import(|it| it.percent = 50)), "False/ImportInProgress: data is filled to 50 %");
    let failed = shows(import(|it| it.failure = Some("CDI says: 404 Not Found".to_owned())));
    assert_eq!(
        failed,
        "False/ImportFailed: disk \"data\" is not filled: CDI says: 404 Not Found: correct its source, or what it leads to"
    );
    let uid = |imports: Imports| {
        let shown = status(&MachineStatus::default(), &http(), &claimed(imports), None, now(1));
        shown.disks[1].uid.clone()
    };
    assert_eq!(uid(import(|_| ())), None, "FR7: what was never filled cannot be lost");
    assert_eq!(uid(import(|it| it.done = true)).as_deref(), Some("uid-web-data"));
}

#[test]
fn t6_kvo22_the_cdrom_boots_second_and_its_size_is_a_setting() {
    let iso = |size: Option<&'static str>| {
        intent(move |machine| {
            machine["spec"]["os"] = json!({"isoUri": "https://a.org/x.iso"});
            if let Some(size) = size {
                machine["metadata"]["annotations"]["vitistack.io/iso-size"] = json!(size);
            }
        })
    };
    let size = |intent: &Intent| {
        let plan = plan(intent, &Observed { imports: Imports::Known(BTreeMap::new()), ..seen() });
        match plan.writes.last() {
            Some(Write::There(There::Create(Kind::DataVolume, name, object))) if name == "web-iso" => {
                object["spec"]["pvc"]["resources"]["requests"]["storage"].as_str().map(str::to_owned)
            }
            _ => plan.refused.map(|failure| failure.message),
        }
        .unwrap_or_default()
    };
    assert_eq!(size(&iso(None)), "10Gi");
    assert_eq!(size(&iso(Some("4Gi"))), "4Gi");
    assert!(size(&iso(Some("four"))).contains("\"four\" is no size such as \"10Gi\""), "{}", size(&iso(Some("four"))));
    let mut all = stored(|_| ());
    all.insert("web-iso".to_owned(), Claim { uid: "i-1".to_owned(), imported: true, ..Claim::default() });
    let writes = plan(&iso(None), &Observed { claims: all, ..seen() }).writes;
    let Some(Write::There(There::Create(Kind::Vm, _, vm))) = writes.first() else { panic!("{writes:?}") };
    let spec = &vm["spec"]["template"]["spec"];
    let cdrom = json!({"name": "iso", "cdrom": {"bus": "sata"}, "bootOrder": 2});
    assert_eq!(spec["domain"]["devices"]["disks"][2], cdrom);
    assert_eq!(spec["domain"]["devices"]["disks"][0]["bootOrder"], 1);
    assert_eq!(spec["volumes"][2], json!({"name": "iso", "dataVolume": {"name": "web-iso"}}));
}

#[test]
fn x57_kvo10_data_volumes_take_no_kept_claim_along() {
    let known = |done| import(move |it| it.done = done);
    let after = |imports| Observed { imports, claims: claims("Bound"), ..seen() };
    let disks = ["merge Claim web-data", "merge Claim web-root"];
    let running = Observed { imports: known(true), ..running() };
    #[rustfmt::skip]
    let cases: Vec<(&str, &str, Observed, Vec<&str>)> = vec![
        ("KVO10: the VM first",                     "Delete", running.clone(), vec!["delete Vm vm-web v-1"]),
        ("both go",                                 "Delete", after(known(true)), vec!["delete DataVolume web-data d-1", "delete Claim web-data uid-web-data", "delete Claim web-root uid-web-root"]),
        ("the claim is kept once it is let go",     "Retain", after(known(true)), vec!["delete alone DataVolume web-data d-1", "merge Claim web-root"]),
        ("then it is",                              "Retain", after(Imports::Known(BTreeMap::new())), disks.to_vec()),
        ("one that holds nothing is not kept",      "Retain", after(known(false)), vec!["delete DataVolume web-data d-1", "delete Claim web-data uid-web-data", "merge Claim web-root"]),
        ("everything stays",                        "Orphan", running.clone(), vec!["merge Vm vm-web", "merge Claim web-data", "merge Claim web-root", "merge DataVolume web-data"]),
        ("a DataVolume is something that is left",  "Delete", Observed { claims: BTreeMap::new(), ..after(import(|it| it.deleting = true)) }, vec![]),
        ("unknown is not absent, nor is it let go", "Orphan", Observed { imports: Imports::Unknown("no answer".to_owned()), ..running.clone() }, vec!["refuse KubeVirtApiError"]),
        ("unknown is not absent",                   "Delete", after(Imports::Unknown("no answer".to_owned())), vec!["refuse KubeVirtApiError"]),
        ("what we may not see, we did not make",    "Delete", Observed { imports: Imports::Refused("no right".to_owned()), ..seen() }, vec!["release"]),
    ];
    every_row(cases, |(name, word, seen, want)| {
        assert_eq!(brief(&plan(&intent(policy(word)), &seen)), want, "{name}");
    });
    let writes = plan(&intent(policy("Retain")), &after(Imports::Missing)).writes;
    let Some(Write::There(There::Merge(_, _, change))) = writes.first() else { panic!("{writes:?}") };
    let left = json!({"vitistack.io/retained-from": "shop/web", "vitistack.io/retained-supervisor": "sup", "vitistack.io/retained-disk": "data"});
    assert_eq!(change["metadata"]["annotations"], left, "X116");
}

#[test]
fn x116_kvo8_a_kept_disk_is_given_to_whom_it_was_of_and_to_whom_its_namespace_names() {
    let claim = |from: &str, supervisor: Option<&str>, change: &dyn Fn(&mut Value)| -> ObjectMeta {
        let mut claim = json!({"name": "db-data", "uid": "c-1", "resourceVersion": "4", "labels": {"vitistack.io/retained": "true"}, "annotations": {"vitistack.io/retained-from": from, "vitistack.io/retained-supervisor": supervisor}});
        if supervisor.is_none() {
            claim["annotations"] = json!({"vitistack.io/retained-from": from});
        }
        change(&mut claim);
        serde_json::from_value(claim).expect("metadata")
    };
    let of = |from: &str| claim(from, Some("sup"), &|_| ());
    let owned = claim("shop/web", Some("sup"), &|it| it["labels"]["vitistack.io/machine-uid"] = json!("m-2"));
    let dying = claim("shop/web", Some("sup"), &|it| it["deletionTimestamp"] = json!("2026-11-21T00:00:00Z"));
    let intent = intent(|_| ());
    let identity = intent.identity().expect("an identity");
    let judge = |claim: &ObjectMeta, named| match take_back(claim, named, identity, "sup", "east") {
        None => "nobody left it".to_owned(),
        Some(Ok(_)) => "taken".to_owned(),
        Some(Err(failure)) => {
            assert_eq!(failure.reason, Reason::Conflict);
            assert!(
                !failure.message.contains("remove") && !failure.message.contains("delete it"),
                "{}",
                failure.message
            );
            failure.message
        }
    };
    let kept = "PersistentVolumeClaim shop/db-data on \"east\" is kept as it is, as ";
    #[rustfmt::skip]
    let cases = [
        ("its own",                     of("shop/web"),                          false, "taken"),
        ("its own, named",              of("shop/web"),                          true,  "taken"),
        ("another one's",               of("shop/db"),                           false, "Machine shop/db left it: to have it, name it in the disk's source.retained: db-data"),
        ("another one's, named",        of("shop/db"),                           true,  "taken"),
        ("of another namespace",        of("bank/web"),                          true,  "a Machine of another namespace left it: only a Machine of that namespace can have it"),
        ("of a namespace like it",      of("shopping/web"),                      true,  "only a Machine of that namespace"),
        ("of another supervisor",       claim("shop/web", Some("other"), &|_| ()), true, "that was on another supervisor"),
        ("of which supervisor",         claim("shop/web", None, &|_| ()),        false, "annotate it vitistack.io/retained-supervisor=sup"),
        ("it is somebody's",            owned.clone(),                           true,  "nobody left it"),
        ("it was never anybody's",      ObjectMeta::default(),                   true,  "nobody left it"),
        ("it goes",                     dying,                                   false, "it is being deleted: wait"),
    ];
    every_row(cases, |(name, claim, named, says)| {
        let judged = judge(&claim, named);
        let whole = ["taken", "nobody left it"].contains(&says);
        assert!(
            if whole { judged == says } else { judged.starts_with(kept) && judged.contains(says) },
            "{name}: {judged}"
        );
    });
    let change = take_back(&of("shop/web"), false, identity, "sup", "east").expect("left").expect("ours");
    assert_eq!(
        change,
        json!({"metadata": {
            "uid": "c-1", "resourceVersion": "4",
            "labels": {"vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web", "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup", "vitistack.io/retained": null},
            "annotations": {"vitistack.io/retained-from": null, "vitistack.io/retained-supervisor": null, "vitistack.io/retained-disk": null},
        }})
    );
    let copied = |claim: &ObjectMeta| may_be_copied(claim, identity).err().unwrap_or_else(|| "copied".to_owned());
    assert_eq!(copied(&ObjectMeta::default()), "copied");
    assert_eq!(copied(&of("shop/db")), "copied", "T14: it is kept in the author's own namespace");
    assert_eq!(copied(&of("bank/db")), "is kept as it is, as a Machine of another namespace left it");
    assert_eq!(copied(&owned), "is another Machine's");
}

#[test]
fn x116_a_disk_that_names_a_kept_one_is_that_one() {
    let named = filled(json!({"retained": "db-data"}));
    let root_only = Observed { claims: stored(|_| ()).split_off("web-root"), ..seen() };
    assert_eq!(brief(&plan(&named, &root_only)), ["take back db-data"], "and no VM is made before it is there");
    let twice = plan(&filled(json!({"retained": "web-root"})), &Observed { claims: stored(|_| ()), ..seen() });
    assert_eq!(brief(&twice), ["refuse SourceInvalid"], "KVO9: one claim is one disk");
    let mut all = root_only.claims.clone();
    all.insert("db-data".to_owned(), Claim { uid: "c-1".to_owned(), phase: "Bound".to_owned(), ..Claim::default() });
    let writes = plan(&named, &Observed { claims: all, ..seen() }).writes;
    let Some(Write::There(There::Create(Kind::Vm, _, vm))) = writes.first() else { panic!("{writes:?}") };
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "db-data"}});
    assert_eq!(vm["spec"]["template"]["spec"]["volumes"][1], volume);
}

#[test]
fn c42_a_claim_counts_once_and_only_if_it_was_made_for_the_machine() {
    let bound = |created| with(|claim| claim.created = Some(created));
    let next = status(&MachineStatus::default(), &intent(|_| ()), &bound(100), None, now(130));
    let counted = |previous: &MachineStatus, since| provisioned(previous, &next, &bound(100), since, 130);
    assert_eq!(counted(&MachineStatus::default(), 90), [("fast".to_owned(), 30)]);
    assert_eq!(counted(&MachineStatus::default(), 110), [], "it was kept of an earlier Machine");
    assert_eq!(counted(&next, 90), [], "it was shown before");
}
