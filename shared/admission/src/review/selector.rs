//! `spec.clusterSelector`, as much of it as may be judged.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::List;
use model::api::Selector;
use model::api::selector::SelectorExpression;

/// Most entries of `matchLabels`.
const LABELS: usize = 256;
/// Most entries of `matchExpressions`, as in the schema.
const EXPRESSIONS: usize = 64;

/// A selector of clusters. Of lists that are too long it holds only the beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSelector {
    selector: Selector,
    excess: Option<(String, usize, usize)>,
}

impl ClusterSelector {
    /// The first part with too many entries: its path below `spec.clusterSelector`, how many there are, and how many there
    /// may be. Such a selector selects something else than its author said.
    pub fn excess(&self) -> Option<(&str, usize, usize)> {
        self.excess.as_ref().map(|(path, count, most)| (path.as_str(), *count, *most))
    }
}

impl std::ops::Deref for ClusterSelector {
    type Target = Selector;
    fn deref(&self) -> &Selector {
        &self.selector
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Written {
    #[serde(default)]
    match_labels: Labels,
    #[serde(default)]
    match_expressions: List<Expression, EXPRESSIONS>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Expression {
    key: String,
    operator: String,
    #[serde(default)]
    values: List<String>,
}

impl<'de> Deserialize<'de> for ClusterSelector {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Written { match_labels: labels, match_expressions: expressions } = Written::deserialize(from)?;
        let too_many = |path: String, (count, most): (usize, usize)| (path, count, most);
        let many = (labels.count > LABELS).then_some((labels.count, LABELS));
        let excess = many.map(|many| too_many("matchLabels".to_owned(), many));
        let excess = excess.or_else(|| Some(too_many("matchExpressions".to_owned(), expressions.excess()?)));
        let excess = excess.or_else(|| {
            let mut values = expressions.iter().enumerate();
            values.find_map(|(at, it)| Some(too_many(format!("matchExpressions[{at}].values"), it.values.excess()?)))
        });
        let expression =
            |Expression { key, operator, values }| SelectorExpression { key, operator, values: values.into_kept() };
        let match_expressions = expressions.into_kept().into_iter().map(expression).collect();
        Ok(Self { selector: Selector { match_labels: labels.kept, match_expressions }, excess })
    }
}

/// A map of labels with a bound. A key that is there twice counts twice.
#[derive(Default)]
struct Labels {
    kept: BTreeMap<String, String>,
    count: usize,
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Labels;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Labels, A::Error> {
                let mut labels = Labels::default();
                while labels.count <= LABELS
                    && let Some((key, value)) = entries.next_entry()?
                {
                    labels.kept.insert(key, value);
                    labels.count += 1;
                }
                while labels.count > LABELS && entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    labels.count += 1;
                }
                Ok(labels)
            }
        }
        from.deserialize_map(Entries)
    }
}
