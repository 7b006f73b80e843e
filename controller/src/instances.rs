//! The instances of adopted VMs, which no watch shows. No I/O: `machine/adopt.rs` looks.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::machine::{Vm, Vmi};

/// A change of an instance shows in its VM at once, save the addresses that a guest takes later: those within this.
const LOOKED_FOR: Duration = Duration::from_secs(300);

/// The instances of adopted VMs, each as it was when its VM was last seen to change: an idle one costs one request in
/// [`LOOKED_FOR`].
#[derive(Debug, Default)]
pub struct Instances(Mutex<BTreeMap<String, Look>>);

#[derive(Debug)]
struct Look {
    /// `metadata.resourceVersion` of the VM.
    version: String,
    since: Instant,
    vmi: Option<Vmi>,
}

impl Instances {
    /// The instance of a VM; nothing when nobody has looked since the VM changed.
    pub fn find(&self, vm: &Vm) -> Option<Option<Vmi>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let look = all.get(&vm.uid).filter(|look| look.version == vm.resource_version);
        look.filter(|look| look.since.elapsed() < LOOKED_FOR).map(|look| look.vmi.clone())
    }

    /// Somebody has looked.
    pub fn saw(&self, vm: &Vm, vmi: Option<Vmi>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, look| look.since.elapsed() < LOOKED_FOR);
        all.insert(vm.uid.clone(), Look { version: vm.resource_version.clone(), since: Instant::now(), vmi });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_asked_for_when_its_vm_changed() {
        let instances = Instances::default();
        let vm = |version: &str| Vm { uid: "v-1".to_owned(), resource_version: version.to_owned(), ..Vm::default() };
        assert!(instances.find(&vm("1")).is_none());
        instances.saw(&vm("1"), None);
        assert_eq!(instances.find(&vm("1")), Some(None), "nothing has changed since, and there was none");
        assert!(instances.find(&vm("2")).is_none());
    }
}
