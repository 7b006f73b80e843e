//! A Machine that is being deleted. Nothing acts on what it asks for, so a change could only take what is somebody else's.
//! Pure. ATK4, ATK10.

use model::reason::{Reason, Violation};

use crate::review::Object;

/// What was decided about it stays as it was.
pub fn changed(object: &Object<'_>, old: &Object<'_>) -> Option<Violation> {
    let resolved = object.annotation(|all| &all.resolved) != old.annotation(|all| &all.resolved);
    let assigned = old.cluster().is_none() && object.assigned().is_some();
    (object.spec != old.spec || resolved || assigned).then(|| {
        Reason::FieldForbidden.at("spec").says(
            "Forbidden: the Machine is being deleted: its spec and the annotations vitistack.io/kubevirt-config and vitistack.io/resolved stay as they are; create it again once it is gone",
        )
    })
}
