//! Lists with a bound: what a stranger may send in one body must not take a hundred times its size in memory.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

/// A list of which no more than `MOST` entries and one are kept; the others are counted and skipped unread. The one too many
/// keeps a list that is too long from equalling one that is not.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T, const MOST: usize = 256> {
    kept: Vec<T>,
    count: usize,
}

impl<T, const MOST: usize> List<T, MOST> {
    /// How many entries there are and how many there may be, when there are too many.
    pub fn excess(&self) -> Option<(usize, usize)> {
        (self.count > MOST).then_some((self.count, MOST))
    }

    /// Adds an entry, which is only counted when there are too many.
    pub(super) fn push(&mut self, entry: T) {
        if !self.is_full() {
            self.kept.push(entry);
        }
        self.count += 1;
    }

    /// Those that were kept.
    pub(super) fn into_kept(self) -> Vec<T> {
        self.kept
    }

    fn is_full(&self) -> bool {
        self.kept.len() > MOST
    }
}

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self { kept: Vec::new(), count: 0 }
    }
}

impl<T, const MOST: usize> std::ops::Deref for List<T, MOST> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.kept
    }
}

impl<'l, T, const MOST: usize> IntoIterator for &'l List<T, MOST> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.kept.iter()
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Entries<T, MOST> {
            type Value = List<T, MOST>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut list = List::default();
                while !list.is_full()
                    && let Some(entry) = entries.next_element()?
                {
                    list.push(entry);
                }
                while list.is_full() && entries.next_element::<IgnoredAny>()?.is_some() {
                    list.count += 1;
                }
                Ok(list)
            }
        }
        from.deserialize_seq(Entries(PhantomData))
    }
}
