//! What may be placed on a cluster, by its KubevirtConfig's `capabilities` and `hubType` (E1 to E3, X53). Pure.

use crate::api::KubevirtConfigSpec;

/// The word in `spec.capabilities` for Machines.
pub const VIRTUAL_MACHINES: &str = "virtualmachines";
/// The word in `spec.capabilities` for whole clusters.
pub const CLUSTERS: &str = "clusters";

/// What may be placed on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// Machines.
    pub virtualmachines: bool,
    /// Whole clusters, which are not ours to place.
    pub clusters: bool,
}

/// What a KubevirtConfig says about its cluster: `capabilities` if there are any, else what `hubType` stands for, else
/// Machines. Words that nobody knows, which only a foreign CRD lets through, add nothing.
pub fn capabilities(spec: &KubevirtConfigSpec) -> Capabilities {
    let listed = |word: &str| spec.capabilities.iter().any(|capability| capability == word);
    let (virtualmachines, clusters) = match (spec.capabilities.as_slice(), spec.hub_type.as_deref()) {
        ([], Some("cluster")) => (false, true),
        ([], Some("hybrid")) => (true, true),
        ([], Some(_) | None) => (true, false),
        ([_, ..], _) => (listed(VIRTUAL_MACHINES), listed(CLUSTERS)),
    };
    Capabilities { virtualmachines, clusters }
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use serde_json::json;

    use super::*;
    use crate::api::KubevirtConfig;
    use crate::table::every_row;

    #[test]
    fn x32_x53_e2_capabilities_come_from_the_list_then_the_hub_type_then_the_default() {
        #[rustfmt::skip]
        let cases = [
            ("X53: neither",                    vec![],                              None,            (true,  false)),
            ("X53: cluster alone",              vec![],                              Some("cluster"), (false, true)),
            ("X53: vmaas alone",                vec![],                              Some("vmaas"),   (true,  false)),
            ("X53: hybrid alone",               vec![],                              Some("hybrid"),  (true,  true)),
            ("E2: virtualmachines",             vec!["virtualmachines"],             None,            (true,  false)),
            ("E2: clusters",                    vec!["clusters"],                    None,            (false, true)),
            ("E2: both",                        vec!["clusters", "virtualmachines"], None,            (true,  true)),
            ("E2: the list beats the hub type", vec!["virtualmachines"],             Some("cluster"), (true,  false)),
            ("E2: the list beats hybrid",       vec!["clusters"],                    Some("hybrid"),  (false, true)),
            ("an unknown capability",           vec!["databases"],                   None,            (false, false)),
            ("an unknown hub type",             vec![],                              Some("edge"),    (true,  false)),
        ];
        every_row(cases, |(name, list, hub_type, (virtualmachines, clusters))| {
            let spec = KubevirtConfigSpec {
                capabilities: list.into_iter().map(str::to_owned).collect(),
                hub_type: hub_type.map(str::to_owned),
                ..KubevirtConfigSpec::default()
            };
            let want = Capabilities { virtualmachines, clusters };
            assert_eq!(capabilities(&spec), want, "{name}");
        });
    }

    #[test]
    fn e1_e2_the_record_of_a_cluster_has_every_documented_field() {
        let crd = serde_json::to_value(KubevirtConfig::crd()).expect("JSON");
        let version = &crd["spec"]["versions"][0];
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        let type_of = |field: &str| spec[field]["type"].as_str();
        assert_eq!(type_of("name"), Some("string"), "its id for people; metadata.name is the one that is referred to");
        assert_eq!(type_of("kubeconfigSecretRef"), Some("string"), "the kubeconfig, by reference");
        assert_eq!(type_of("namespace"), Some("string"));
        assert_eq!(spec["capabilities"]["items"]["enum"], json!([VIRTUAL_MACHINES, CLUSTERS]));
        assert_eq!(spec["hubType"]["enum"], json!(["cluster", "vmaas", "hybrid"]));
        let columns = version["additionalPrinterColumns"].as_array().expect("columns");
        assert!(
            columns.iter().any(|column| column["jsonPath"] == ".metadata.creationTimestamp"),
            "when it was created"
        );
        let required = &version["schema"]["openAPIV3Schema"]["properties"]["spec"]["required"];
        assert_eq!(required, &json!(["kubeconfigSecretRef", "name"]));
    }
}
