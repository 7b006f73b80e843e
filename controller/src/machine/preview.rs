//! What a pass would do with a Machine now: the same functions, without doing it and without asking any cluster. No I/O.

use std::collections::BTreeSet;

use futures::FutureExt;
use model::api::Machine;
use model::machine::{Intent, Kind, Observed, Plan, Remote, adoption, plan, vm};
use serde_json::Value;

use super::gather::{self, Asking};
use crate::context::Context;

/// A pass that is not done.
pub(crate) struct Preview {
    /// What the Machine asks for.
    pub(crate) intent: Intent,
    /// What the watches know.
    pub(crate) seen: Observed,
    /// What would be written, if a question to the cluster changes nothing.
    pub(crate) plan: Plan,
    /// The VM as it should be, where we say that.
    pub(crate) desired: Option<Value>,
    /// A pass would ask the cluster first, for what no watch shows.
    pub(crate) asks_first: bool,
}

/// Thinks a pass through.
pub(crate) fn preview(machine: &Machine, ctx: &Context) -> Preview {
    let gather::Read { config, connection, intent } = gather::read(machine, ctx);
    let seen = gather::gather(&intent, config.as_deref(), connection, Asking::Nobody, ctx);
    // It has nobody to wait for, so that it is there at once.
    let gathered = seen.now_or_never().and_then(Result::ok).map(|(seen, _)| seen);
    let asks_first = gathered.as_ref().is_none_or(|seen| asks_first(&intent, seen));
    let seen = gathered.unwrap_or_else(|| Observed::nothing(&ctx.supervisor, Remote::Connecting));
    let desired = match &intent {
        Intent::Run(admitted) if !adoption::keeps_its_disks(&seen) => Some(vm::patched(admitted, &seen)),
        Intent::Run(_) | Intent::Leave(_) | Intent::Undecided(..) | Intent::Foreign => None,
    };
    let plan = plan(&intent, &seen);
    Preview { intent, seen, plan, desired, asks_first }
}

/// Whether a pass would look for a VM to adopt, or whether everything is gone.
fn asks_first(intent: &Intent, seen: &Observed) -> bool {
    if !matches!(seen.remote, Remote::Connected { .. }) {
        return false;
    }
    let nothing = seen.vm.is_none() && seen.vmi.is_none();
    match intent {
        Intent::Run(admitted) => {
            seen.vm.is_none() && !admitted.adopt.is_empty() && !awaited(&admitted.adopt, &seen.awaited)
        }
        Intent::Leave(leaving) => nothing && !leaving.finalizers.is_empty() && leaving.identity.cluster_id.is_some(),
        Intent::Undecided(..) | Intent::Foreign => false,
    }
}

fn awaited(names: &[String], awaited: &BTreeSet<(Kind, String)>) -> bool {
    names.iter().any(|name| awaited.contains(&(Kind::Vm, name.clone())))
}
