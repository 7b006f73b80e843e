//! What was lately, by key. No I/O.

use std::collections::HashMap;

/// So many are not worth a look at each of them.
const FEW: usize = 64;

/// What is over is forgotten whenever there is twice as much as was left the last time, so that one more costs the same however many
/// there are.
#[derive(Debug)]
pub(crate) struct Lately<V> {
    all: HashMap<String, V>,
    left: usize,
}

impl<V> Default for Lately<V> {
    fn default() -> Self {
        Self { all: HashMap::new(), left: 0 }
    }
}

impl<V> Lately<V> {
    /// What was under this key, or what it begins with; it may be over.
    pub(crate) fn of(&mut self, key: &str, is_over: impl Fn(&V) -> bool, begin: impl FnOnce() -> V) -> &mut V {
        self.forget(is_over);
        self.all.entry(key.to_owned()).or_insert_with(begin)
    }

    /// This is under the key from now on.
    pub(crate) fn put(&mut self, key: String, value: V, is_over: impl Fn(&V) -> bool) {
        self.forget(is_over);
        self.all.insert(key, value);
    }

    /// What was under this key; it may be over.
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.all.get(key)
    }

    fn forget(&mut self, is_over: impl Fn(&V) -> bool) {
        if self.all.len() > FEW.max(2 * self.left) {
            self.all.retain(|_, it| !is_over(it));
            self.left = self.all.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_and_nothing_else() {
        let mut lately = Lately::default();
        for now in 0..10_000_u32 {
            lately.of(&format!("{now}"), |since| *since + 100 <= now, || now);
            assert!(lately.all.len() <= 201, "at {now}: {}", lately.all.len());
            let lasting = now.saturating_sub(99)..now;
            assert!(lasting.into_iter().all(|it| lately.get(&format!("{it}")) == Some(&it)), "at {now}");
        }
    }
}
