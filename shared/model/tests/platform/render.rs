//! What people are shown of a pass: the rows, and that they are what the pass itself makes.

use model::names::LAST_APPLIED;
use model::platform::render::text::page as text;
use model::platform::render::{Format, Options, Rendered, Stage, Status, render};

use super::*;

fn rendered(world: &World, options: &Options) -> Rendered<'static> {
    render(built_in(), &world.snapshot, &world.memory, at(0), options)
}

/// Every row.
fn all() -> Options {
    Options { show_excluded: true, ..Options::default() }
}

fn status(world: &World, name: &str) -> (Status, String) {
    let rendered = rendered(world, &all());
    let found = rendered.rows.iter().find(|row| row.asset.row.name == name).unwrap_or_else(|| panic!("no row {name}"));
    (found.status, found.reason.clone())
}

/// The object without our own note of what was written last.
fn without_note(mut object: Value) -> Value {
    let annotations = object["metadata"]["annotations"].as_object_mut().expect("annotations");
    annotations.remove(LAST_APPLIED).expect("the note");
    if annotations.is_empty() {
        object["metadata"].as_object_mut().expect("metadata").remove("annotations");
    }
    object
}

/// Whether all of `part` is in `whole`.
fn is_in(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|it| is_in(value, it)))
        }
        _ => part == whole,
    }
}

const PATCH: &str = r#"[{"op": "add", "path": "/spec/deschedulingIntervalSeconds", "value": 90}]"#;

#[test]
fn p9_what_is_shown_is_what_the_pass_creates_byte_for_byte() {
    let mut world = world()
        .annotated("enable-loadaware", "true")
        .annotated("patch.asset.descheduler-loadaware", PATCH)
        .annotated("ignore-fields.asset.swap-optimization", "/spec/config/systemd/units/0/contents");
    let shown = rendered(&world, &all());
    let pass = world.pass(0);
    assert_eq!(shown.pass, pass, "it is the same pass");
    let mut created = 0;
    for (key, step) in &pass.steps {
        let Step::Create(object) = step else { continue };
        let row = shown.rows.iter().find(|row| row.asset.key == *key && row.object.is_some()).expect("a row");
        let written = without_note(object.clone());
        assert_eq!(row.object.as_ref().map(Value::to_string), Some(written.to_string()), "{key}");
        created += 1;
    }
    assert!(created > 5, "{:?}", pass.steps);
    let spec = |row: &str| {
        shown.rows.iter().find(|it| it.asset.row.name == row).and_then(|it| Some(it.object.as_ref()?["spec"].clone()))
    };
    assert_eq!(spec("descheduler-loadaware").expect("a spec")["deschedulingIntervalSeconds"], 90, "patched");
}

#[test]
fn p9_what_is_shown_is_on_the_cluster_after_the_pass_and_then_the_pass_is_done() {
    let mut world = world().annotated("enable-loadaware", "true");
    world.settle(0);
    let descheduler = key("KubeDescheduler", "cluster");
    world.edit(
        &descheduler,
        &json!({"spec": {"mode": "Predictive", "deschedulingIntervalSeconds": 5},
        "metadata": {"annotations": {"platform.kubevirt.io/ignore-fields": "/spec/deschedulingIntervalSeconds"}}}),
    );
    let before = rendered(&world, &all());
    world.settle(60);
    let live = |key: &Key| match world.snapshot.objects.get(key) {
        Some(Ok(Live::Whole(object))) => object.clone(),
        _ => world.snapshot.hyperconvergeds.as_ref().expect("the root")[0].clone(),
    };
    for row in before.rows.iter().filter(|row| row.object.is_some()) {
        let object = row.object.as_ref().expect("an object");
        assert!(is_in(object, &live(&row.asset.key)), "{}: {object:#}", row.asset.row.name);
    }
    let shown = before.rows.iter().find(|row| row.asset.key == descheduler).and_then(|row| row.object.clone());
    let shown = shown.expect("the descheduler");
    assert_eq!(
        (&shown["spec"]["mode"], &shown["spec"]["deschedulingIntervalSeconds"]),
        (&json!("Automatic"), &json!(5)),
        "D4"
    );
    let metadata = |live: Live| match live {
        Live::Whole(object) => Live::Metadata(json!({"metadata": object["metadata"]})),
        other => other,
    };
    let mut watched = world.snapshot.objects[&descheduler].clone().expect("known");
    watched = metadata(watched);
    world.snapshot.objects.insert(descheduler.clone(), Ok(watched));
    let row = rendered(&world, &all()).rows.into_iter().find(|row| row.asset.key == descheduler).expect("a row");
    assert_eq!(row.reason, "Applied");
    let object = row.object.expect("an object");
    assert!(
        object["spec"]["deschedulingIntervalSeconds"].is_null(),
        "what is ignored is not known from metadata: {object:#}"
    );
}

#[test]
fn p9_the_baseline_is_what_nobody_patched() {
    let world = world().annotated("enable-loadaware", "true").annotated("patch.asset.descheduler-loadaware", PATCH);
    let options = Options { stage: Stage::Baseline, asset: Some("descheduler-loadaware".to_owned()), ..all() };
    let rendered = rendered(&world, &options);
    let names: Vec<&str> = rendered.rows.iter().map(|row| row.asset.row.name.as_str()).collect();
    assert_eq!(names, ["psi-enable", "descheduler-loadaware"], "by the name of the group, too");
    let object = rendered.rows[1].object.as_ref().expect("an object");
    assert_eq!(object["spec"]["deschedulingIntervalSeconds"], 60);
    assert!(object["metadata"]["labels"]["vitistack.io/supervisor"].is_null(), "it is the same for every supervisor");
}

#[test]
fn d10_p9_every_state_has_its_status() {
    let ours = |labels: Value| {
        Ok(Live::Whole(
            json!({"kind": "KubeDescheduler", "metadata": {"name": "cluster", "uid": "u", "resourceVersion": "1",
        "labels": labels, "annotations": {"platform.kubevirt.io/mode": "unmanaged"}}, "spec": {}}),
        ))
    };
    let managed = || json!({"platform.kubevirt.io/managed-by": "kubevirt-operator"});
    let asked = || world().annotated("enable-loadaware", "true");
    let name = "descheduler-loadaware";
    #[rustfmt::skip]
    let rows = [
        ("missing",        asked(),                                                                       Status::Included, "Missing: it is not there"),
        ("audited",        asked().mode(Mode::Audit),                                                     Status::Included, "Missing: it is not there"),
        ("no annotation",  world(),                                                                       Status::Excluded, "ConditionNotMet: set the annotation"),
        ("no CRD",         asked().without_crd("kubedeschedulers.operator.openshift.io"),                 Status::Excluded, "DependencyMissing: "),
        ("not asked for",  asked().asked(|it| it.assets = vec!["mtv-operator".to_owned()]),               Status::Excluded, "NotSelected: "),
        ("D7",             asked().annotated("disabled-resources", "KubeDescheduler/*"),                  Status::Filtered, "Excluded: "),
        ("D5",             asked().object("KubeDescheduler", "cluster", ours(managed())),                 Status::Filtered, "Unmanaged: "),
        ("P5",             asked().object("KubeDescheduler", "cluster", Ok(Live::Metadata(json!({"metadata": {"name": "cluster"}})))), Status::Filtered, "Foreign: "),
        ("P2",             asked().annotated("patch.asset.descheduler-loadaware", "{"),                   Status::Error,    "Refused: "),
        ("P10",            asked().object("KubeDescheduler", "cluster", Err("no answer".to_owned())),     Status::Error,    "Unknown: no answer"),
        ("P1",             asked().annotated("disabled-resources", "KubeDescheduler"),                    Status::Error,    "platform.kubevirt.io/disabled-resources of KubevirtConfig"),
        ("off",            asked().mode(Mode::Off),                                                       Status::Filtered, "nobody asked"),
    ];
    table::every_row(rows, |(case, world, want, reason)| {
        let (found, why) = status(&world, name);
        assert!(found == want && why.starts_with(reason), "{case}: {found:?} {why}");
        let is_shown = rendered(&world, &Options::default()).rows.iter().any(|row| row.asset.row.name == name);
        assert_eq!(is_shown, matches!(want, Status::Included | Status::Error), "{case}");
    });
}

#[test]
fn d10_only_what_is_installed_is_shown_where_that_is_asked_for() {
    let world = world().without_crd("metallbs.metallb.io");
    let rows = |only_installed| {
        let rendered = rendered(&world, &Options { only_installed, ..all() });
        rendered.rows.iter().map(|row| row.asset.row.name.clone()).collect::<Vec<_>>()
    };
    let (some, every) = (rows(true), rows(false));
    let gone: Vec<_> = every.iter().filter(|name| !some.contains(name)).collect();
    assert_eq!(gone, ["metallb-operator"]);
}

#[test]
fn p11_p15_an_object_has_the_scope_of_its_crd_and_a_wrong_one_is_an_error() {
    let world = world();
    for row in rendered(&world, &all()).rows {
        let Some(object) = &row.object else { continue };
        let crd = world.snapshot.crd(&row.asset.key.crd).expect("known").expect("served");
        assert_eq!(object["metadata"]["namespace"].is_string(), crd.namespaced, "{}", row.asset.row.name);
        let plural = row.asset.key.crd.split_once('.').expect("plural and group").0;
        assert_eq!(plural, row.asset.row.plural, "{}", row.asset.row.name);
    }
    let known = frames::crds().remove("metallbs.metallb.io").expect("a CRD").expect("known").expect("served");
    let mut crd = Crd::clone(&known);
    crd.namespaced = false;
    let world = world.seen(|seen| drop(seen.crds.insert("metallbs.metallb.io".to_owned(), Ok(Some(crd.into())))));
    assert_eq!(
        status(&world, "metallb-operator"),
        (Status::Error, "Refused: the catalogue has the wrong scope for MetalLB: correct its row".to_owned())
    );
}

#[test]
fn d10_the_three_forms_say_the_same() {
    let world =
        world().annotated("disabled-resources", "UIPlugin/nothing").label("feature.node.kubernetes.io/memory-numa");
    let page = |format| {
        let options = Options { format, ..all() };
        text("east", &rendered(&world, &options), &options)
    };
    let (yaml, json, table) = (page(Format::Yaml), page(Format::Json), page(Format::Status));
    assert_eq!(yaml, page(Format::Yaml), "always the same");
    let listed: Vec<Value> = serde_json::from_str(&json).expect("JSON");
    assert_eq!(listed.len(), built_in().assets.len());
    let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml).expect("YAML");
    let of_yaml: Vec<&Value> = documents.iter().filter(|it| it.is_object()).collect();
    let mut objects: Vec<&Value> = listed.iter().map(|row| &row["object"]).filter(|it| it.is_object()).collect();
    objects.dedup();
    assert_eq!(of_yaml, objects, "the parts of one object are shown once");
    assert!(
        yaml.contains(
            "# Asset: kubelet-numa\n# Path: active/kubelet/numa.yaml\n# Component: KubeletConfig\n# Status: INCLUDED\n"
        ),
        "{yaml}"
    );
    assert!(yaml.contains("# Cluster: east\n# Stage: effective\n# Object: with kubelet-perf-settings\n"), "{yaml}");
    assert!(yaml.starts_with("# Note: the exclusion UIPlugin/nothing matches nothing"), "{yaml}");
    for row in &listed {
        let line = table.lines().find(|line| line.split_whitespace().next() == row["asset"].as_str()).expect("a line");
        assert_eq!(line.split_whitespace().nth(1), row["status"].as_str(), "{line}");
    }
    assert!(table.contains("KubeletConfig virt-kubelet") && table.contains("HyperConverged virt/hco"), "{table}");
    assert!(table.ends_with('\n') && table.contains("\nnote: the exclusion UIPlugin/nothing"), "{table}");
}

#[test]
fn t22_what_a_cluster_says_ends_no_comment() {
    let world = world().object("MetalLB", "metallb", Err("no\n---\nkind: Evil\u{1b}[2J".to_owned()));
    let options = Options { asset: Some("metallb-operator".to_owned()), ..all() };
    let page = text("east", &rendered(&world, &options), &options);
    assert!(page.contains("# Reason: Unknown: no---kind: Evil[2J\n"), "{page}");
}
