//! Which failures hold for which objects: from the command line, the live ConfigMap and annotations. Pure.

use super::objects::{Object, annotation};
use std::str::FromStr;

/// A failure that can be asked for; the module documentation says what each does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No node takes the VMI.
    Unschedulable,
    /// The guest dies as soon as it starts.
    CrashLoop,
    /// The node never finishes shutting the guest down.
    StuckTerminating,
    /// The provisioner makes no volume for the claim.
    PvcPending,
}

impl Failure {
    const ALL: [Self; 4] = [Self::Unschedulable, Self::CrashLoop, Self::StuckTerminating, Self::PvcPending];

    /// The name in annotations, ConfigMap keys and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unschedulable => "unschedulable",
            Self::CrashLoop => "crash-loop",
            Self::StuckTerminating => "stuck-terminating",
            Self::PvcPending => "pvc-pending",
        }
    }
}

/// A failure and the objects it hits: `crash-loop=team-a/vm-web*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    failure: Failure,
    glob: String,
}

/// The text is not `<failure>=<namespace>/<glob>`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not FAILURE=NAMESPACE/NAME with FAILURE one of unschedulable, crash-loop, stuck-terminating, pvc-pending"
)]
pub struct BadRule(String);

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = || BadRule(text.to_owned());
        let (name, glob) = text.split_once('=').ok_or_else(bad)?;
        let failure = Failure::ALL.into_iter().find(|f| f.name() == name).ok_or_else(bad)?;
        if !glob.contains('/') {
            return Err(bad());
        }
        Ok(Self { failure, glob: glob.into() })
    }
}

/// The rules of the ConfigMap. Lines that are no rule are ignored: a person may be halfway through editing.
pub(super) fn parse(config_map: &Object) -> Vec<Rule> {
    let lines = |failure: Failure| {
        let text = config_map.data.pointer(&format!("/data/{}", failure.name())).and_then(|v| v.as_str());
        let lines = text.unwrap_or_default().lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        lines.filter(|line| line.contains('/')).map(move |glob| Rule { failure, glob: glob.into() })
    };
    Failure::ALL.into_iter().flat_map(lines).collect()
}

/// The failures that hold for something described by these objects; the first of them gives the name for the rules.
pub(super) fn active(rules: &[Rule], objects: &[&Object]) -> Vec<Failure> {
    let name = objects.first().map(|o| super::objects::Name::of(o).to_string()).unwrap_or_default();
    let named = |failure| rules.iter().any(|rule| rule.failure == failure && matches(&rule.glob, &name));
    let marked = |failure: Failure| {
        let key = format!("sim.kubevirt.io/{}", failure.name());
        objects.iter().any(|object| annotation(object, &key) == Some("true"))
    };
    Failure::ALL.into_iter().filter(|&failure| named(failure) || marked(failure)).collect()
}

/// Whether the text fits the glob; `*` stands for any characters, none included.
fn matches(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(tail, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;
    use serde_json::json;

    fn object(value: serde_json::Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn globs() {
        #[rustfmt::skip]
        let cases = [
            ("a/web",   "a/web",    true),
            ("a/web",   "a/web-1",  false),
            ("a/web*",  "a/web-1",  true),
            ("a/web*",  "a/web",    true),
            ("*/web",   "b/web",    true),
            ("a/*-db*", "a/x-db-1", true),
            ("a/*",     "b/web",    false),
        ];
        every_row(cases, |(glob, text, want)| assert_eq!(matches(glob, text), want, "{glob} {text}"));
    }

    #[test]
    fn a_rule_names_a_known_failure_and_a_namespace() {
        assert!("unschedulable=a/web*".parse::<Rule>().is_ok());
        every_row(["unschedulable", "unschedulable=web", "burning=a/web"], |bad| {
            assert_eq!(bad.parse::<Rule>(), Err(BadRule(bad.into())));
        });
    }

    #[test]
    fn rules_and_annotations_add_up() {
        let map = object(json!({"metadata": {"name": "kubevirt-sim"},
            "data": {"crash-loop": "a/web # while we look\n\n# b/web\nhalf", "pvc-pending": "a/data*"}}));
        let rules = parse(&map);
        let vm = object(json!({"metadata": {"namespace": "a", "name": "web"}}));
        let vmi = object(
            json!({"metadata": {"namespace": "a", "name": "web", "annotations": {"sim.kubevirt.io/unschedulable": "true"}}}),
        );
        assert_eq!(active(&rules, &[&vm]), [Failure::CrashLoop]);
        assert_eq!(active(&rules, &[&vm, &vmi]), [Failure::Unschedulable, Failure::CrashLoop]);
        assert_eq!(active(&rules, &[]), []);
    }
}
