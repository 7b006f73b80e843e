use model::platform::state::State;

use super::*;
use crate::table::every_row;

const HCO: &str =
    "apiVersion: hco.kubevirt.io/v1beta1\nkind: HyperConverged\nmetadata: {namespace: virt, name: hco}\nspec: {}\n";
const KUBEVIRT: &str = "apiVersion: kubevirt.io/v1\nkind: KubeVirt\nmetadata: {namespace: virt, name: kv}\nspec: {}\n";

/// The answer to these words, where files are called by what is in them.
fn said(words: &[&str]) -> Answer {
    let of = |annotations: &str, spec: &str| {
        let metadata = format!("{{name: east, annotations: {{{annotations}}}}}");
        let spec = format!("{{name: east, kubeconfigSecretRef: east{spec}}}");
        format!("apiVersion: vitistack.io/v1alpha1\nkind: KubevirtConfig\nmetadata: {metadata}\nspec: {spec}\n")
    };
    let config = |annotations: &str| of(annotations, "");
    let read = |path: &Path| match path.to_str().unwrap_or_default() {
        "hco" => Ok(HCO.to_owned()),
        "kubevirt" => Ok(KUBEVIRT.to_owned()),
        "two" => Ok(format!("{HCO}---\n{}", HCO.replace("name: hco", "name: other"))),
        "nodes" => {
            Ok("kind: List\nitems: [{kind: Node, metadata: {labels: {node-role.kubernetes.io/worker: \"\"}}}]"
                .to_owned())
        }
        "none" => Ok("kind: List\nitems: []\n".to_owned()),
        "broken" => Ok("a: [".to_owned()),
        "enforced" => Ok(config("platform.kubevirt.io/autopilot: \"true\"")),
        "some" => Ok(of("", ", platform: {mode: Audit, assets: [mtv-operator]}")),
        "specless" => Ok("kind: KubevirtConfig\nmetadata: {name: east}\n".to_owned()),
        "off" => Ok(config("")),
        "configs" => Ok(format!("{}---\n{}", config(""), config(""))),
        "excluding" => Ok(config("platform.kubevirt.io/disabled-resources: \"MetalLB/metallb\"")),
        "badly" => Ok(config("platform.kubevirt.io/disabled-resources: MetalLB")),
        "patching" => Ok(config("platform.kubevirt.io/patch.asset.metallb-operator: \"{\"")),
        other => Err(format!("cannot be read: {other}")),
    };
    let words: Vec<OsString> = std::iter::once(RENDER).chain(words.iter().copied()).map(OsString::from).collect();
    futures::executor::block_on(answer(&words, &read))
}

#[test]
fn d10_how_render_ends() {
    #[rustfmt::skip]
    let rows: [(&str, &[&str], u8, &str); 25] = [
        ("HyperConverged",        &["--hco-file=hco"],                                        0, "# Asset: hco-golden-config\n"),
        ("KubeVirt",              &["--kubevirt-file=kubevirt"],                              0, "# Asset: kubevirt-golden-config\n"),
        ("P8: notes",             &["--hco-file=hco", "--output=status"],                     0, "note: no CRDs were given"),
        ("off",                   &["--hco-file=hco", "--config-file=off"],                   0, "note: the KubevirtConfig asks for no baseline"),
        ("its name",              &["--hco-file=hco", "--config-file=enforced"],              0, "# Cluster: east\n"),
        ("one asset",             &["--hco-file=hco", "--asset=metallb-operator"],            0, "# Asset: metallb-operator\n"),
        ("D7",                    &["--hco-file=hco", "--config-file=excluding", "--show-excluded"], 0, "# Reason: Excluded: "),
        ("X80: the field",        &["--hco-file=hco", "--config-file=some", "--show-excluded"], 0, "# Reason: NotSelected: "),
        ("no CRDs",               &["--hco-file=hco", "--crds-file=none", "--show-excluded"], 0, "the cluster does not serve"),
        ("the rights",            &["--output=rbac"],                                         0, "kind: ClusterRole\n"),
        ("help",                  &["--help"],                                                0, "--crds-file"),
        ("P2: a wrong patch",     &["--hco-file=hco", "--config-file=patching"],              1, "# Status: ERROR\n"),
        ("P1: a wrong exclusion", &["--hco-file=hco", "--config-file=badly", "--asset=mtv-operator"], 1, "must be Kind/name"),
        ("X89: two roots",        &["--hco-file=two"],                                        1, "keep one of them"),
        ("nothing",               &[],                                                        2, "--hco-file, --kubevirt-file or --kubeconfig is needed"),
        ("files and a cluster",   &["--hco-file=hco", "--kubeconfig=east"],                   2, "cannot be used with"),
        ("no such kubeconfig",    &["--kubeconfig=/gone/east"],                               2, "--kubeconfig: cannot use the kubeconfig /gone/east: "),
        ("an unknown flag",       &["--hco-fiel=hco"],                                        2, "--hco-file"),
        ("an unknown form",       &["--hco-file=hco", "--output=xml"],                        2, "[possible values: yaml, json, status, rbac]"),
        ("an unknown asset",      &["--hco-file=hco", "--asset=metalb-operator"],             2, "did you mean \"metallb-operator\"?"),
        ("no such file",          &["--hco-file=gone"],                                       2, "--hco-file: gone: cannot be read: gone"),
        ("another kind",          &["--hco-file=kubevirt"],                                   2, "has \"KubeVirt\" where a HyperConverged is wanted"),
        ("no YAML",               &["--hco-file=hco", "--nodes-file=broken"],                 2, "--nodes-file: broken: "),
        ("half a KubevirtConfig", &["--hco-file=hco", "--config-file=specless"],              2, "--config-file: is no KubevirtConfig: missing field `spec`"),
        ("two KubevirtConfigs",   &["--hco-file=hco", "--config-file=configs"],               2, "has 2 KubevirtConfigs, must have one"),
    ];
    every_row(rows, |(name, words, code, says)| {
        let answer = said(words);
        assert_eq!(answer.code, code, "{name}: {answer:?}");
        assert!(answer.out.contains(says) || answer.err.contains(says), "{name}: {answer:?}");
        assert!(code != USAGE || answer.out.is_empty(), "{name}: {answer:?}");
    });
}

#[test]
fn p8_hardware_counts_as_the_nodes_have_it() {
    let table = |words: &[&str]| said(&[words, &["--hco-file=hco", "--output=status", "--show-excluded"]].concat()).out;
    let line =
        |page: &str| page.lines().find(|line| line.starts_with("kubelet-numa ")).map(str::to_owned).expect("a row");
    assert!(line(&table(&[])).contains("INCLUDED"), "nobody said what the nodes have");
    let said = line(&table(&["--nodes-file=nodes"]));
    assert!(said.contains("EXCLUDED") && said.contains(State::ConditionNotMet.name()), "{said}");
}

#[test]
fn x94_the_role_that_is_printed_is_that_of_the_catalogue() {
    let role: Value = given::objects(&said(&["-o", "rbac"]).out, "ClusterRole").expect("YAML").remove(0);
    assert_eq!(role["rules"], rights::rules(&rights::rights(&model::platform::built_in::catalogue())));
    assert_eq!(role["metadata"]["name"], ROLE);
}

#[test]
fn only_the_first_word_asks_for_it() {
    let asks = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        futures::executor::block_on(asked(&words)).is_some()
    };
    assert!(!asks(&["controller"]) && !asks(&["controller", "--namespace", "render"]));
}
