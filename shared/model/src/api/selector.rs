//! A label selector, for clusters (`Machine.spec.clusterSelector`) and namespaces (`KubevirtConfig.spec.allowedNamespaces`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CEL rule of one expression: values where the operator compares, none where it does not.
pub(super) const VALUES_FIT: &str = "self.operator in ['In', 'NotIn'] \
    ? has(self.values) && self.values.size() > 0 \
    : !has(self.values) || self.values.size() == 0";
/// What the author of a violating expression is told.
pub(super) const VALUES_FIT_MESSAGE: &str = "In and NotIn need values, Exists and DoesNotExist take none";

optional! {
    /// Labels that an object must carry. All of `matchLabels` and `matchExpressions` must hold; an empty selector
    /// matches everything.
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub struct Selector {
        /// Labels that must have exactly these values, for example `region: us-east`.
        #[schemars(extend("maxProperties" = 256))]
        pub match_labels: BTreeMap<String, String>,
        /// Conditions on labels that equality cannot express.
        #[schemars(length(max = 64))]
        pub match_expressions: Vec<SelectorExpression>,
    }
}

/// One condition on one label.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelectorExpression {
    /// Key of the label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// `In` and `NotIn` compare the label with `values`; `Exists` and `DoesNotExist` look only at the key.
    #[schemars(extend("enum" = ["In", "NotIn", "Exists", "DoesNotExist"]))]
    pub operator: String,
    /// Values for `In` and `NotIn`, at least one. Must be empty for `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 63)))]
    pub values: Vec<String>,
}

impl Selector {
    /// Whether an object with these labels is selected. An operator that is none selects nothing.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.matches(labels))
    }
}

impl SelectorExpression {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator.as_str() {
            "In" => listed,
            // As everywhere in Kubernetes: a label that is not there is not in the list either.
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

impl std::fmt::Display for Selector {
    /// In the form of `kubectl --selector`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let expressions =
            self.match_expressions.iter().map(|SelectorExpression { key, operator, values }| match operator.as_str() {
                "In" => format!("{key} in ({})", values.join(",")),
                "NotIn" => format!("{key} notin ({})", values.join(",")),
                "Exists" => key.clone(),
                "DoesNotExist" => format!("!{key}"),
                other => format!("{key} {other}"),
            });
        f.write_str(&labels.chain(expressions).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn a25_a_selector_selects_as_kubernetes_does() {
        let labels = BTreeMap::from([("region".to_owned(), "us-east".to_owned())]);
        let selects = |key: &str, operator: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            let expression = SelectorExpression { key: key.to_owned(), operator: operator.to_owned(), values };
            Selector { match_expressions: vec![expression], ..Selector::default() }.matches(&labels)
        };
        #[rustfmt::skip]
        let cases: [(&str, &str, &[&str], bool); 10] = [
            ("region", "In", &["us-east", "us-west"], true), ("region", "In", &["eu"], false), ("zone", "In", &["a"], false),
            ("region", "NotIn", &["eu"], true), ("region", "NotIn", &["us-east"], false), ("zone", "NotIn", &["a"], true),
            ("region", "Exists", &[], true), ("zone", "Exists", &[], false), ("zone", "DoesNotExist", &[], true), ("region", "Like", &["us-east"], false),
        ];
        every_row(cases, |(key, operator, values, want)| {
            assert_eq!(selects(key, operator, values), want, "{key} {operator} {values:?}");
        });
        assert!(Selector::default().matches(&labels), "an empty selector selects everything");
        let both = Selector { match_labels: labels.clone(), ..Selector::default() };
        assert!(both.matches(&labels) && !both.matches(&BTreeMap::new()));
        assert_eq!(both.to_string(), "region=us-east");
    }
}
