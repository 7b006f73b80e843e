use std::sync::LazyLock;

use model::platform::built_in;
use model::platform::given::{Given, snapshot};
use model::platform::snapshot::{Asked, Mode};
use serde_json::json;

use super::*;
use crate::table::every_row;

fn catalogue() -> &'static Catalogue {
    static READ: LazyLock<Catalogue> = LazyLock::new(built_in::catalogue);
    &READ
}

/// A cluster as the files of somebody describe it.
fn looked(name: &str, annotations: &[(&str, &str)]) -> Looked {
    let annotations =
        annotations.iter().map(|(word, text)| (format!("platform.kubevirt.io/{word}"), (*text).to_owned()));
    let root = json!({"apiVersion": "hco.kubevirt.io/v1beta1", "kind": "HyperConverged",
        "metadata": {"namespace": "virt", "name": "hco"}, "spec": {}});
    let asked = Asked { mode: Mode::Enforce, annotations: annotations.collect(), ..Asked::default() };
    let given = Given { hyperconvergeds: vec![root], asked: Some(asked), ..Given::default() };
    (ClusterName(name.to_owned()), snapshot(given, catalogue()).0, BTreeMap::new())
}

fn baselines(clusters: Vec<Looked>) -> Baselines<'static> {
    Baselines { catalogue: Some(catalogue()), refused: &[], clusters }
}

fn two() -> Baselines<'static> {
    let excluding = [("disabled-resources", "MetalLB/*, MetalLB/metalb")];
    baselines(vec![looked("east", &[("enable-loadaware", "true")]), looked("west", &excluding)])
}

fn query(text: &str) -> Query {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn d10_d18_p9_assets_are_shown_as_the_query_wants_them() {
    #[rustfmt::skip]
    let rows: [(&str, Option<&str>, &str, &str, &str); 13] = [
        ("all clusters",      None, "",                                      "# Cluster: west\n# Stage: effective\n", "EXCLUDED"),
        ("one cluster",       None, "cluster=east",                          "# Cluster: east\n",           "# Cluster: west"),
        ("baseline",          None, "cluster=east&stage=baseline",           "# Reason: \n# Cluster: east\n# Stage: baseline\n", "Missing"),
        ("excluded",          None, "cluster=west&show-excluded=true",       "# Status: FILTERED\n# Reason: Excluded: disabled-resources names MetalLB/*\n", "east"),
        ("not excluded",      None, "cluster=west&show-excluded=false",      "# Note: the exclusion MetalLB/metalb matches nothing", "FILTERED"),
        ("a table",           None, "cluster=west&format=status",            "ASSET",                       "---"),
        ("an asset",          Some("swap-enable"), "cluster=east",           "# Asset: swap-enable\n",      "# Asset: swap-optimization"),
        ("a group",           Some("descheduler-loadaware"), "cluster=east", "# Asset: psi-enable\n",       "# Asset: swap-enable"),
        ("why one is not",    Some("psi-enable"), "cluster=west",            "# Status: EXCLUDED\n",        "INCLUDED"),
        ("an unknown key",    None, "clutser=east",                          "there is no \"clutser\" (did you mean \"cluster\"?): known are cluster, format", "Asset"),
        ("a wrong word",      None, "stage=raw",                             "stage must be one of effective, baseline\n", "Asset"),
        ("neither",           None, "only-installed=maybe",                  "only-installed must be true or false\n", "Asset"),
        ("an unknown cluster", None, "cluster=eats",                         "no platform baseline is known of the cluster \"eats\" (did you mean \"east\"?)\n", "Asset"),
    ];
    every_row(rows, |(name, asset, asked, says, not)| {
        let page = two().assets(asset, &query(asked), Timestamp::UNIX_EPOCH).expect("a page");
        assert!(page.contains(says), "{name}: {page}");
        assert!(!page.contains(not), "{name}: {page}");
    });
    assert_eq!(two().assets(Some("metallb"), &Query::new(), Timestamp::UNIX_EPOCH), None, "D18: there is no such page");
    assert_eq!(
        baselines(vec![]).assets(None, &Query::new(), Timestamp::UNIX_EPOCH).expect("a page"),
        "no cluster has a platform baseline\n"
    );
}

#[test]
fn d10_json_of_all_clusters_is_one_list() {
    let page = two().assets(None, &query("format=json&show-excluded"), Timestamp::UNIX_EPOCH).expect("a page");
    let rows: Vec<Value> = serde_json::from_str(&page).expect("JSON");
    assert_eq!(rows.len(), 2 * catalogue().assets.len());
    let of = |cluster: &str| rows.iter().filter(|row| row["cluster"] == cluster).count();
    assert_eq!((of("east"), of("west")), (catalogue().assets.len(), catalogue().assets.len()));
}

#[test]
fn d10_d19_d20_below_the_machines_among_exclusions_and_in_health() {
    let now = Timestamp::UNIX_EPOCH;
    let tables = two().tables(now);
    assert!(tables.starts_with("\nplatform of east\nASSET ") && tables.contains("\n\nplatform of west\n"), "{tables}");
    let left = two().exclusions(now);
    for line in [
        "west/metallb-operator  FILTERED  Excluded: disabled-resources names MetalLB/*\n",
        "west/descheduler-loadaware  EXCLUDED  ConditionNotMet: set the annotation",
        "west  note  the exclusion MetalLB/metalb matches nothing (did you mean MetalLB/metallb?)\n",
    ] {
        assert!(left.contains(line), "{left}");
    }
    assert!(!left.contains("east/descheduler-loadaware"), "{left}");
    let health = two().health(now);
    assert!(health.starts_with("platform  2\n  east  0/") && health.contains("\n  west  0/"), "{health}");
    assert_eq!(baselines(vec![]).tables(now) + &baselines(vec![]).exclusions(now), "", "nothing where nobody asked");
}

#[test]
fn d6_p1_tombstones_and_what_is_refused() {
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(two().tombstones(now), "the catalogue has no tombstones\n");
    let object = |name: &str| {
        format!(
            "apiVersion: a.io/v1\nkind: A\nmetadata: {{name: {name}, labels: {{platform.kubevirt.io/managed-by: kubevirt-operator}}}}\n"
        )
    };
    let (a, old) = (object("a"), object("old"));
    let rows = "assets:\n- {name: a, tier: always, component: A, path: active/a.yaml, plural: as, scope: Cluster}\n";
    let files = [("metadata.yaml", rows), ("active/a.yaml", a.as_str()), ("tombstones/v1/old.yaml", old.as_str())];
    let own = Catalogue::read(files).expect("a catalogue");
    let (name, mut seen, memory) = looked("east", &[]);
    let stone = own.tombstones[0].key.clone();
    seen.crds.insert(stone.crd.clone(), Ok(None));
    let clusters = vec![(name, seen, memory), looked("west", &[("disabled-resources", "no/rule/of/any")])];
    let page = Baselines { catalogue: Some(&own), refused: &[], clusters }.tombstones(now);
    assert_eq!(
        page,
        "tombstones/v1/old.yaml  A old\n  east  Applied: is gone\n  west  the cluster is held: see /debug/health\n"
    );
    let wrong = ["a: the name must\u{1b}[2J fit".to_owned()];
    let refused = Baselines { catalogue: None, refused: &wrong, clusters: vec![] };
    let says = "no platform baseline is kept: PLATFORM_ASSETS is refused\n  a: the name must[2J fit\n";
    let pages =
        [refused.assets(None, &Query::new(), now).expect("a page"), refused.tombstones(now), refused.health(now)];
    every_row(pages, |page| assert_eq!(page, says));
}
