//! What a catalogue may have, and what the one that is built in has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use model::baseline::hash;
use model::platform::catalogue::Tier;
use model::platform::fill::fill;
use model::platform::fit::fit;

use crate::table::every_row;
use crate::{built_in, read, world};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

fn yaml(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { yaml(&path, found) } else { found.push(path) }
    }
}

#[test]
fn x93_the_files_are_the_catalogue_that_is_built_in() {
    let mut paths = Vec::new();
    yaml(&folder(), &mut paths);
    let texts: Vec<(String, String)> = paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(folder()).expect("below").to_str().expect("text").to_owned();
            (name, fs::read_to_string(path).expect("a file"))
        })
        .collect();
    let files: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(read(&files), Ok(built_in().clone()));
}

#[test]
fn p14_p15_p16_the_catalogue_has_what_was_agreed() {
    use Tier::{Advanced, Always, Context};
    #[rustfmt::skip]
    let rows = [
        ("hco-golden-config",      Always,   "HyperConverged /",                                    false, false),
        ("kubevirt-golden-config", Always,   "KubeVirt /",                                          false, false),
        ("usb-passthrough",        Advanced, "KubeVirt /",                                          false, false),
        ("aaq-hco",                Advanced, "HyperConverged /",                                    false, false),
        ("swap-enable",            Always,   "MachineConfig /50-swap-enable",                       true,  false),
        ("swap-optimization",      Always,   "MachineConfig /99-kubevirt-swap-optimization",        true,  false),
        ("psi-enable",             Context,  "MachineConfig /99-worker-psi-karg",                   true,  false),
        ("pci-passthrough",        Context,  "MachineConfig /50-virt-pci-passthrough",              true,  false),
        ("vfio-assign",            Advanced, "MachineConfig /51-virt-vfio",                         true,  false),
        ("kubelet-perf-settings",  Always,   "KubeletConfig /virt-kubelet",                         true,  true),
        ("kubelet-numa",           Context,  "KubeletConfig /virt-kubelet",                         true,  true),
        ("kubelet-cpu-manager",    Context,  "KubeletConfig /virt-kubelet",                         true,  true),
        ("node-health-check",      Always,   "NodeHealthCheck /virt-node-health-check",             false, true),
        ("descheduler-loadaware",  Context,  "KubeDescheduler openshift-kube-descheduler-operator/cluster", false, false),
        ("mtv-operator",           Always,   "ForkliftController openshift-mtv/forklift-controller", false, false),
        ("metallb-operator",       Always,   "MetalLB metallb-system/metallb",                      false, true),
        ("observability-operator", Always,   "UIPlugin /monitoring",                                false, false),
        ("aaq-operator",           Advanced, "AAQ /aaq",                                            false, false),
    ];
    let assets = &built_in().assets;
    let found: Vec<_> = assets
        .iter()
        .map(|asset| {
            let key = &asset.key;
            let object = format!("{} {}/{}", key.kind, key.namespace.as_deref().unwrap_or_default(), key.name);
            (asset.row.name.as_str(), asset.row.tier, object, asset.row.disruptive, asset.row.yields)
        })
        .collect();
    assert_eq!(found.len(), rows.len());
    every_row(found.iter().zip(rows), |(found, (name, tier, object, disruptive, yields))| {
        assert_eq!(*found, (name, tier, object.to_owned(), disruptive, yields));
    });
}

#[test]
fn p17_every_object_fits_its_crd_once_it_is_filled() {
    let snapshot = world().snapshot;
    let root = crate::hyperconverged();
    let context = model::platform::context::Context::of(&root, &snapshot);
    every_row(&built_in().assets, |asset| {
        let crd = snapshot.crd(&asset.key.crd).expect("it was asked").expect("it is served");
        let version = asset.objects[0]["apiVersion"].as_str().and_then(|it| it.split_once('/')).expect("a group").1;
        let schema = crd.versions.get(version).expect(version);
        assert_eq!(crd.namespaced, asset.row.root || asset.key.namespace.is_some(), "{}", asset.row.name);
        let mut object = fill(asset, &asset.objects[0], &context, schema).expect("it can be filled");
        assert_eq!(fit(&mut object, schema), [], "{}", asset.row.name);
    });
}

/// A release that changes one of these restarts every worker of every fleet that allows it: change a hash only if you mean that.
#[test]
fn p6_what_restarts_nodes_changes_only_on_purpose() {
    #[rustfmt::skip]
    let known = [
        ("kubelet-cpu-manager", "1caedaaa7faa3c9c"), ("kubelet-numa", "89d415c95dcf11ab"), ("kubelet-perf-settings", "0551da043f3c250f"),
        ("pci-passthrough", "1cab08798931d281"), ("psi-enable", "935a845ae3ec6588"), ("swap-enable", "8a1bf94ef03b0b66"), ("swap-optimization", "ecdeaf43423071bb"), ("vfio-assign", "c349e4c67c52475e"),
    ];
    let mut found: Vec<_> = (built_in().assets.iter())
        .filter(|asset| asset.row.disruptive)
        .map(|asset| (asset.row.name.clone(), hash(&asset.objects[0].to_string())))
        .collect();
    found.sort_unstable();
    assert_eq!(found, known.map(|(name, hash)| (name.to_owned(), hash.to_owned())));
}

const ROW: &str = "{name: a, tier: always, component: A, path: active/a.yaml, plural: as, scope: Cluster}";

fn object(kind: &str, group: &str) -> String {
    format!(
        "apiVersion: {group}\nkind: {kind}\nmetadata: {{name: a, labels: {{platform.kubevirt.io/managed-by: kubevirt-operator}}}}\n"
    )
}

/// What is wrong with one row and its object.
fn wrong(row: &str, text: &str) -> Vec<String> {
    let metadata = format!("assets:\n- {row}\n");
    read(&[("metadata.yaml", &metadata), ("active/a.yaml", text)]).err().unwrap_or_default()
}

#[test]
fn x94_no_catalogue_writes_rights_admission_crds_secrets_or_accounts() {
    #[rustfmt::skip]
    let kinds = [
        ("Secret", "v1"), ("ServiceAccount", "v1"), ("secret", "v1"), ("Role", "rbac.authorization.k8s.io/v1"),
        ("ClusterRole", "rbac.authorization.k8s.io/v1"), ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
        ("RoleBinding", "rbac.authorization.k8s.io/v1"), ("Anything", "rbac.authorization.k8s.io/v2"),
        ("CustomResourceDefinition", "apiextensions.k8s.io/v1"), ("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1"),
        ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"), ("ClusterRole", "authorization.openshift.io/v1"),
    ];
    every_row(kinds, |(kind, group)| {
        let want = format!("a: active/a.yaml: objects of kind {kind} are written by no catalogue");
        assert_eq!(wrong(ROW, &object(kind, group)), [want]);
    });
}

#[test]
fn p15_p11_a_catalogue_that_lies_is_refused_by_name() {
    let good = object("A", "a.io/v1");
    let with = |row: &str| ROW.replace('}', &format!(", {row}}}"));
    assert_eq!(wrong(ROW, &good), Vec::<String>::new());
    #[rustfmt::skip]
    let rows = [
        ("an unknown key",           with("diruptive: true"),                    good.clone(), "metadata.yaml: a: unknown field `diruptive`"),
        ("an unknown condition",     with("conditions: [{hardwear: x}]"),        good.clone(), "metadata.yaml: a: unknown variant `hardwear`"),
        ("an unknown detector",      with("conditions: [{hardware: tpu}]"),      good.clone(), "metadata.yaml: a: unknown variant `tpu`"),
        ("a key twice",              with("tier: context"),                      good.clone(), "metadata.yaml: "),
        ("a name with a slash",      ROW.replace("name: a", "name: a/b"),        good.clone(), "a/b: the name must have"),
        ("a file outside",           ROW.replace("active/a", "../a"),            good.clone(), "a: ../a.yaml: must be in active/"),
        ("a file that is missing",   ROW.replace("active/a", "active/b"),        good.clone(), "a: active/b.yaml: there is no such file"),
        ("P15: a namespace for a kind of the whole cluster", ROW.to_owned(), good.replace("name: a,", "name: a, namespace: b,"),
         "a: active/a.yaml: A belongs to the whole cluster: it has no namespace"),
        ("no namespace",             ROW.replace("Cluster", "Namespaced"),       good.clone(), "a: active/a.yaml: A is in a namespace: name it"),
        ("no name",                  ROW.to_owned(), good.replace("name: a,", ""),             "a: active/a.yaml: must have a name"),
        ("no label",                 ROW.to_owned(), good.replace("kubevirt-operator", "helm"), "a: active/a.yaml: must have the label"),
        ("a root with a name",       with("root: true"),                         good.clone(), "a: active/a.yaml: is a part of the root"),
        ("a kind of no CRD",         ROW.to_owned(), object("Pod", "v1"),                      "a: active/a.yaml: Pod is no kind of a CRD"),
        ("null",                     ROW.to_owned(), format!("{good}spec: {{a: null}}\n"),     "a: active/a.yaml: must have no null"),
        ("not YAML",                 ROW.to_owned(), "a: [".to_owned(),                        "a: active/a.yaml: "),
        ("two documents",            ROW.to_owned(), format!("{good}---\n{good}"),             "a: active/a.yaml: "),
        ("X94: every resource of a group", ROW.replace("plural: as", "plural: '*'"), good.clone(), "a: active/a.yaml: \"*.a.io\" is no CRD"),
        ("X94: a subresource",       ROW.replace("plural: as", "plural: as/status"), good.clone(), "a: active/a.yaml: \"as/status.a.io\" is no CRD"),
        ("X94: every group",         ROW.to_owned(), object("A", "'*/v1'"),                    "a: active/a.yaml: \"as.*\" is no CRD"),
        ("X94: rights of OpenShift by another name", ROW.to_owned(), object("A", "authorization.openshift.io/v1"),
         "a: active/a.yaml: objects of kind A are written by no catalogue"),
        ("X94: a condition upon what is secret", with("conditions: [{object: {crd: secrets, name: x}}]"), good.clone(), "a: \"secrets\" is no CRD"),
        ("an anchor",                ROW.to_owned(), format!("{good}spec: {{a: &x 1, b: *x}}\n"), "a: active/a.yaml: "),
        ("a fill into nothing",      with("fills: [{to: /spec/b/c}]"),           good.clone(), "a: active/a.yaml: there is nothing that /spec/b/c"),
        ("waits for nobody",         with("after: [b]"),                         good.clone(), "a: waits for \"b\", which is no asset before it"),
        ("waits for itself",         with("after: [a]"),                         good.clone(), "a: waits for \"a\", which is no asset before it"),
    ];
    every_row(rows, |(name, row, text, want)| {
        let found = wrong(&row, &text);
        assert!(found.iter().any(|it| it.starts_with(want)), "{name}: {found:?}");
    });
}

#[test]
fn p14_two_parts_of_one_object_set_no_field_differently() {
    let part = |name: &str, more: &str| {
        format!(
            "- {{name: {name}, tier: always, component: A, path: active/{name}.yaml, plural: as, scope: Cluster{more}}}\n"
        )
    };
    let good = object("A", "a.io/v1");
    #[rustfmt::skip]
    let rows = [
        ("different fields",        "", "spec: {one: 1, same: x}",     "spec: {two: 2, same: x}", vec![]),
        ("one field, two values",   "", "spec: {one: 1}",              "spec: {one: 2}",          vec!["a and b: both set /spec/one of one object"]),
        ("a field and what is in it", "", "spec: {one: {x: 1}}",       "spec: {one: 2}",          vec!["a and b: both set /spec/one of one object"]),
        ("two lists",               "", "spec: {one: [1]}",            "spec: {one: [2]}",        vec!["a and b: both set /spec/one of one object"]),
        ("only one of them restarts nodes", ", disruptive: true", "", "",                         vec!["a and b: are parts of A a, so their rows must agree"]),
    ];
    every_row(rows, |(name, more, one, other, want)| {
        let metadata = format!("assets:\n{}{}", part("a", more), part("b", ""));
        let (one, other) = (format!("{good}{one}\n"), format!("{good}{other}\n"));
        let found = read(&[("metadata.yaml", &metadata), ("active/a.yaml", &one), ("active/b.yaml", &other)]);
        assert_eq!(found.err().unwrap_or_default(), want, "{name}");
    });
}

#[test]
fn x92_a_tombstone_has_the_label_and_names_no_active_object() {
    let metadata = format!("assets:\n- {ROW}\n");
    let (active, other) = (object("A", "a.io/v1"), object("A", "a.io/v1").replace("name: a,", "name: old,"));
    let unknown = other.replace("kind: A", "kind: B");
    let unlabelled = other.replace("labels: {platform.kubevirt.io/managed-by: kubevirt-operator}", "labels: {}");
    #[rustfmt::skip]
    let rows = [
        ("a file that was moved",    other,                             None),
        ("no label",                 unlabelled,                        Some("tombstones/v1/a.yaml: must have the label")),
        ("an active object",         active.clone(),                    Some("tombstones/v1/a.yaml: A a is the object of the asset a")),
        ("a kind without a plural",  unknown,                           Some("tombstones/v1/a.yaml: no asset is of its kind")),
        ("a right",                  object("Role", "rbac.authorization.k8s.io/v1"), Some("tombstones/v1/a.yaml: no asset is of its kind")),
    ];
    every_row(rows, |(name, text, want)| {
        let found = read(&[("metadata.yaml", &metadata), ("active/a.yaml", &active), ("tombstones/v1/a.yaml", &text)]);
        match (found, want) {
            (Ok(catalogue), None) => assert_eq!(catalogue.tombstones[0].key.to_string(), "A old", "{name}"),
            (Err(wrong), Some(want)) => assert!(wrong.len() == 1 && wrong[0].starts_with(want), "{name}: {wrong:?}"),
            (found, _) => panic!("{name}: {found:?}"),
        }
    });
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let metadata = "assets:\n- {name: a}\n- {name: b}\n";
    let found = read(&[("metadata.yaml", metadata), ("active/c.yaml", "")]).expect_err("two rows lack everything");
    assert_eq!(found.len(), 2, "{found:?}");
    let none: BTreeSet<String> = read(&[]).expect_err("there is no catalogue").into_iter().collect();
    assert_eq!(none, BTreeSet::from(["metadata.yaml: there is no such file".to_owned()]));
    let idle = read(&[("metadata.yaml", "assets: []\n"), ("active/c.yaml", "a: 1\n")]);
    assert_eq!(idle, Err(vec!["active/c.yaml: no row of metadata.yaml names it".to_owned()]));
}
