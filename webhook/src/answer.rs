//! From the body of a review to the body of the answer. No I/O: a function of the body and the World.

mod response;

use model::admission::changes::Change;
use model::admission::placement::Source;
use model::admission::review::{Request, decode, shortened};
use model::admission::rules::sources;
use model::admission::world::{Held, Said};
use model::admission::{Admission, Verdict, World, decide};
use model::names::{self, MachineKey};

use self::response::{admit, refuse, undecodable, unstable};
use crate::ask::Questions;

/// Which webhook was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/mutate/machines`: decides, and writes the decision.
    Mutate,
    /// `/validate/machines`: demands that nothing is left to write.
    Validate,
}

impl Route {
    /// The word in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Route::Mutate => "mutate",
            Route::Validate => "validate",
        }
    }
}

/// The answer to one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: 200 for every review that could be read.
    pub status: u16,
    /// HTTP body.
    pub body: Vec<u8>,
    /// What to count it as.
    pub outcome: &'static str,
    /// A Machine gets its cluster by this answer: worth a count, and where the operator chose, a line in the log.
    pub assigned: Option<Assigned>,
    /// What the Machine holds from now on, unless somebody after us refuses it: admission should know of it at once.
    pub holds: Option<(MachineKey, Held)>,
}

/// An assignment.
#[derive(Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Name of the Machine, or what is known of it under `generateName`.
    pub machine: String,
    /// Its namespace.
    pub namespace: String,
    /// The KubevirtConfig.
    pub cluster: String,
    /// The rule.
    pub source: Source,
}

/// Answers one call with what is known, or says what should be asked before.
pub fn answer_or_ask(route: Route, body: &[u8], world: &World) -> Result<Answer, Questions> {
    match decode(&shortened(body)) {
        Err(wrong) => Ok(undecodable(wrong)),
        Ok(review) => match Questions::about(&review.request, world) {
            None => Ok(decided(route, &review.request, world)),
            Some(questions) => Err(questions),
        },
    }
}

/// Answers one call with what is known.
pub fn answer(route: Route, body: &[u8], world: &World) -> Answer {
    match decode(&shortened(body)) {
        Err(wrong) => undecodable(wrong),
        Ok(review) => decided(route, &review.request, world),
    }
}

fn decided(route: Route, request: &Request<'_>, world: &World) -> Answer {
    match (decide(request, world), route) {
        (Verdict::Refuse(violations), _) => refuse(&request.uid, &request.name, &violations),
        (Verdict::Admit(admission), Route::Validate) if !admission.changes.is_empty() => {
            refuse(&request.uid, &request.name, &unstable(&admission.changes))
        }
        (Verdict::Admit(admission), Route::Validate) => {
            let holds = holds(request, &admission, world);
            Answer { holds, ..admit(request, &Admission { warnings: Vec::new(), ..admission }) }
        }
        (Verdict::Admit(admission), Route::Mutate) => {
            Answer { assigned: assigned(request, &admission), ..admit(request, &admission) }
        }
    }
}

/// What an admitted Machine holds, when it is new or newly assigned and will be stored. The validating route is the last that
/// is asked, and the one that knows its name under `generateName` (X77).
fn holds(request: &Request<'_>, admission: &Admission, world: &World) -> Option<(MachineKey, Held)> {
    let cluster = admission.placement.as_ref()?.cluster.0.as_str();
    let object = request.object.as_ref().filter(|_| request.dry_run != Some(true))?;
    let old = request.old_object.as_ref().and_then(|old| old.metadata.annotations.as_ref());
    if old.and_then(|old| old.kubevirt_config.as_deref()) == Some(cluster) {
        return None;
    }
    let name = object.metadata.name.as_deref().filter(|name| !name.is_empty())?;
    let key = MachineKey { namespace: request.namespace.to_string(), name: name.to_owned() };
    let resolved = object.metadata.annotations.as_ref().and_then(|all| all.resolved.as_deref());
    let networks = object.spec.networks.as_deref().unwrap_or_default();
    let macs: Vec<String> =
        networks.iter().filter_map(|network| Some(network.mac_address.as_deref()?.to_owned())).collect();
    let iso = sources::iso(&object.spec).is_some();
    let said = Said { cluster: Some(cluster), resolved, macs: &macs, iso, ..Said::default() };
    let held = Held::of(&key, said, world);
    Some((key, held))
}

/// The assignment that an answer brings about.
fn assigned(request: &Request<'_>, admission: &Admission) -> Option<Assigned> {
    let placement = admission.placement.as_ref()?;
    let news = |change: &Change| matches!(change, Change::Annotate(names::KUBEVIRT_CONFIG, _));
    let new = &*request.operation == "CREATE" || admission.changes.iter().any(news);
    let stored = new && placement.source != Source::Kept && request.dry_run != Some(true);
    stored.then(|| assignment(request, &placement.cluster.0, placement.source))
}

fn assignment(request: &Request<'_>, cluster: &str, source: Source) -> Assigned {
    let metadata = request.object.as_ref().map(|object| &object.metadata);
    let name = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let machine = metadata
        .and_then(|metadata| name(metadata.name.as_deref()).or_else(|| name(metadata.generate_name.as_deref())));
    Assigned {
        machine: machine.unwrap_or_default(),
        namespace: request.namespace.to_string(),
        cluster: cluster.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
