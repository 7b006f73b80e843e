//! The root of a cluster: the one object that its KubeVirt is configured by. Pure. X89.

use serde_json::Value;

use super::snapshot::{Known, Snapshot};
use super::state::{Held, Key, Root};

/// CRD of the operator that installs KubeVirt and more.
pub const HYPERCONVERGED: &str = "hyperconvergeds.hco.kubevirt.io";
/// CRD of KubeVirt itself.
pub const KUBEVIRT: &str = "kubevirts.kubevirt.io";

/// The HyperConverged if there is one, else the KubeVirt that is not one's operand. An object on its way out is none.
///
/// Guarantees: what could not be asked is never taken for absent, and of several none is chosen.
pub fn select<'s>(hyperconvergeds: &'s Known<Vec<Value>>, kubevirts: &'s Known<Vec<Value>>) -> Result<&'s Value, Held> {
    let all = |found: &'s Known<Vec<Value>>| found.as_ref().map_err(|why| Held::Unknown(why.clone()));
    let stays = |object: &&Value| object["metadata"]["deletionTimestamp"].is_null();
    let hyperconvergeds: Vec<&Value> = all(hyperconvergeds)?.iter().filter(stays).collect();
    if !hyperconvergeds.is_empty() {
        return only(&hyperconvergeds);
    }
    let free: Vec<&Value> = all(kubevirts)?.iter().filter(stays).filter(|it| !is_operand(it)).collect();
    only(&free)
}

/// Whether a KubeVirt is written by a HyperConverged: what we wrote there would be undone.
pub fn is_operand(kubevirt: &Value) -> bool {
    let metadata = &kubevirt["metadata"];
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    owners.into_iter().any(|owner| owner["kind"] == "HyperConverged")
        || metadata["labels"]["app.kubernetes.io/managed-by"] == "hco-operator"
}

/// What the root is called.
pub fn key(root: &Value) -> Key {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let kind = text(&root["kind"]).unwrap_or_default();
    Key {
        crd: if kind == "HyperConverged" { HYPERCONVERGED } else { KUBEVIRT }.to_owned(),
        kind,
        namespace: text(&root["metadata"]["namespace"]),
        name: text(&root["metadata"]["name"]).unwrap_or_default(),
    }
}

/// The root as it is told of.
pub fn told(root: &Value) -> Root {
    Root { api_version: root["apiVersion"].as_str().unwrap_or_default().to_owned(), key: key(root) }
}

/// The root of a cluster that is held, where it was asked for.
pub(super) fn of_held(held: &Held, snapshot: &Snapshot) -> Option<Root> {
    match held {
        Held::Off | Held::OtherCluster(_) | Held::NoVirtualization(_) | Held::Conflict(_) | Held::Unknown(_) => None,
        Held::Vetoed(_) | Held::ExclusionInvalid(_) | Held::AnotherAutopilot(_) => {
            select(&snapshot.hyperconvergeds, &snapshot.kubevirts).ok().map(told)
        }
    }
}

fn only<'s>(found: &[&'s Value]) -> Result<&'s Value, Held> {
    match found {
        [] => Err(Held::NoVirtualization(
            "the cluster has neither a HyperConverged nor a KubeVirt of its own: install KubeVirt first".to_owned(),
        )),
        [one] => Ok(one),
        many => {
            let names: Vec<String> = many.iter().take(8).map(|it| key(it).to_string()).collect();
            Err(Held::Conflict(format!("which of {} is meant is not clear: keep one of them", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn x89_the_root_is_the_hyperconverged_else_a_kubevirt_of_its_own() {
        let object = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"namespace": "virt", "name": name}});
        let hco = |name| object("HyperConverged", name);
        let kubevirt = |name| object("KubeVirt", name);
        let mut operand = kubevirt("kubevirt-hco");
        operand["metadata"]["ownerReferences"] = json!([{"kind": "HyperConverged", "name": "hco"}]);
        let mut labelled = kubevirt("kubevirt-hco");
        labelled["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "hco-operator"});
        let mut leaving = hco("hco");
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let silent = || Err("east does not answer".to_owned());
        #[rustfmt::skip]
        let cases = [
            ("HCO alone",                          Ok(vec![hco("hco")]),           Ok(vec![]),                       "HyperConverged virt/hco"),
            ("HCO and its KubeVirt",               Ok(vec![hco("hco")]),           Ok(vec![operand.clone()]),        "HyperConverged virt/hco"),
            ("HCO, and KubeVirts cannot be asked", Ok(vec![hco("hco")]),           silent(),                         "HyperConverged virt/hco"),
            ("KubeVirt alone",                     Ok(vec![]),                     Ok(vec![kubevirt("kubevirt")]),   "KubeVirt virt/kubevirt"),
            ("an operand and one of its own",      Ok(vec![]),                     Ok(vec![labelled, kubevirt("kubevirt")]), "KubeVirt virt/kubevirt"),
            ("an operand that HCO left",           Ok(vec![]),                     Ok(vec![operand]),                "NoVirtualization"),
            ("neither",                            Ok(vec![]),                     Ok(vec![]),                       "NoVirtualization"),
            ("HCO on its way out",                 Ok(vec![leaving]),              Ok(vec![]),                       "NoVirtualization"),
            ("two HCOs",                           Ok(vec![hco("a"), hco("b")]),   Ok(vec![]),                       "Conflict"),
            ("two KubeVirts",                      Ok(vec![]),                     Ok(vec![kubevirt("a"), kubevirt("b")]), "Conflict"),
            ("HCOs cannot be asked",               silent(),                       Ok(vec![kubevirt("kubevirt")]),   "Unknown"),
            ("KubeVirts cannot be asked",          Ok(vec![]),                     silent(),                         "Unknown"),
        ];
        every_row(cases, |(name, hyperconvergeds, kubevirts, want)| {
            let got = match select(&hyperconvergeds, &kubevirts) {
                Ok(root) => key(root).to_string(),
                Err(held) => format!("{held:?}").split('(').next().unwrap_or_default().to_owned(),
            };
            assert_eq!(got, want, "{name}");
        });
    }
}
