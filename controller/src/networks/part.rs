//! One kind of networks, by namespace and name. No I/O.

use std::collections::BTreeMap;

use model::names::MachineKey;
use runtime::follow::News;
use runtime::listing::Step;

/// All of one kind.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) all: BTreeMap<MachineKey, Box<T>>,
    /// There is no such kind.
    pub(super) not_installed: bool,
    /// Why what is not in `all` may be there all the same.
    pub(super) unlisted: Option<String>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), not_installed: false, unlisted: Some("it was not asked yet".to_owned()) }
    }
}

/// What one object was before, and what it is now.
pub(super) type Change<T> = (MachineKey, Option<T>, Option<T>);

impl<T: Clone + PartialEq> Part<T> {
    /// Takes in one object, or that it is gone, and says whether that is something else than before.
    pub(super) fn set(&mut self, key: MachineKey, now: Option<T>) -> Option<Change<T>> {
        let before = match &now {
            Some(now) => self.all.insert(key.clone(), Box::new(now.clone())),
            None => self.all.remove(&key),
        };
        let before = before.map(|before| *before);
        (before != now).then_some((key, before, now))
    }

    /// Takes in what was heard, and says what is different now.
    pub(super) fn take(&mut self, news: News<(MachineKey, T)>) -> Vec<Change<T>> {
        let listed = match news {
            News::Unlisted(why) => {
                self.unlisted = Some(why);
                return Vec::new();
            }
            News::Step(Step::Seen((key, now))) => return self.set(key, Some(now)).into_iter().collect(),
            News::Step(Step::Deleted((key, _))) => return self.set(key, None).into_iter().collect(),
            News::Step(Step::Listed(all)) => Some(all),
            News::NotInstalled => None,
        };
        (self.unlisted, self.not_installed) = (None, listed.is_none());
        let mut listed: BTreeMap<_, _> = listed.into_iter().flatten().collect();
        let gone: Vec<_> = self.all.keys().filter(|key| !listed.contains_key(key)).cloned().collect();
        let mut changes: Vec<_> = gone.into_iter().filter_map(|key| self.set(key, None)).collect();
        while let Some((key, now)) = listed.pop_first() {
            changes.extend(self.set(key, Some(now)));
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_different_is_told_and_unknown_is_not_absent() {
        let key = |name: &str| MachineKey { namespace: "shop".to_owned(), name: name.to_owned() };
        let seen = |name: &str, value: i32| News::Step(Step::Seen((key(name), value)));
        let listed = |all: &[(&str, i32)]| {
            News::Step(Step::Listed(all.iter().map(|(name, value)| (key(name), *value)).collect()))
        };
        let mut part = Part::default();
        assert!(part.unlisted.is_some(), "before it was asked");
        #[rustfmt::skip]
        let steps = [
            (listed(&[("a", 1), ("b", 1)]),                     vec!["a None Some(1)", "b None Some(1)"]),
            (seen("a", 1),                                      vec![]),
            (seen("a", 2),                                      vec!["a Some(1) Some(2)"]),
            (News::Unlisted("forbidden".to_owned()),            vec![]),
            (listed(&[("b", 1), ("c", 1)]),                     vec!["a Some(2) None", "c None Some(1)"]),
            (News::Step(Step::Deleted((key("b"), 7))),          vec!["b Some(1) None"]),
            (News::Step(Step::Deleted((key("b"), 7))),          vec![]),
            (News::NotInstalled,                                vec!["c Some(1) None"]),
        ];
        for (at, (news, want)) in steps.into_iter().enumerate() {
            let unlisted = matches!(news, News::Unlisted(_));
            let not_installed = news == News::NotInstalled;
            let said = part.take(news).into_iter().map(|(key, before, now)| format!("{} {before:?} {now:?}", key.name));
            assert_eq!(said.collect::<Vec<_>>(), want, "step {at}");
            assert_eq!(part.not_installed, not_installed, "step {at}");
            assert_eq!(part.unlisted.is_some(), unlisted, "step {at}");
        }
    }
}
