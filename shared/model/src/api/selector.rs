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
