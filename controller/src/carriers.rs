//! What is remembered of the Secrets with cloud-init data of Machines on their way out, so that each is looked for once, and
//! only where there may be one. No I/O.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By Machine UID.
#[derive(Debug, Default)]
pub struct Carriers(Mutex<HashMap<String, Past>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    /// The VM was seen, and said whether it has one.
    Said(bool),
    /// It is gone, or was let go.
    Done,
}

impl Carriers {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Past>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The VM was seen, and says whether it has one.
    pub fn saw(&self, machine: &str, has_one: bool) {
        let mut all = self.all();
        if all.get(machine) != Some(&Past::Done) {
            all.insert(machine.to_owned(), Past::Said(has_one));
        }
    }

    /// It is gone, or was let go.
    pub fn done(&self, machine: &str) {
        self.all().insert(machine.to_owned(), Past::Done);
    }

    /// Whether it has to be looked for. By its spec a Machine may need one; a VM that nobody saw may have had one.
    pub fn is_due(&self, machine: &str, by_spec: bool) -> bool {
        match self.all().get(machine) {
            Some(Past::Done) => false,
            Some(Past::Said(has_one)) => by_spec || *has_one,
            None => true,
        }
    }

    /// The Machine is gone.
    pub fn forget(&self, machine: &str) {
        self.all().remove(machine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_looked_for_once_and_only_where_there_may_be_one() {
        let carriers = Carriers::default();
        assert!(carriers.is_due("m-1", false), "nobody saw its VM");
        carriers.saw("m-1", false);
        assert!(!carriers.is_due("m-1", false));
        assert!(carriers.is_due("m-1", true), "it may have been made and the VM not");
        carriers.saw("m-1", true);
        assert!(carriers.is_due("m-1", false));
        carriers.done("m-1");
        carriers.saw("m-1", true);
        assert!(!carriers.is_due("m-1", true));
        carriers.forget("m-1");
        assert!(carriers.is_due("m-1", false));
    }
}
