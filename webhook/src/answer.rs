//! From the body of a review to the body of the answer. No I/O: a function of the body and the World.

mod response;

use admission::changes::Change;
use admission::placement::Rule;
use admission::review::{Request, decode, shortened};
use admission::{Admission, Answers, Verdict, World, decide, hold, pledge};
use model::names;

use self::response::{ADMITTED, admit, refuse, unstable};
pub use self::response::{Answer, Assigned, undecodable};

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

/// Answers one call with what is known; what would have to be asked first stays unknown.
pub fn answer(route: Route, body: &[u8], world: &World) -> Answer {
    match decode(&shortened(body)) {
        Err(wrong) => undecodable(wrong, world),
        Ok(review) => decided(route, &review.request, decide(&review.request, world), world),
    }
}

/// The answer to a request that was decided, on this World.
pub fn decided(route: Route, request: &Request<'_>, verdict: Verdict, world: &World) -> Answer {
    match (verdict, route) {
        // Nobody could be asked.
        (Verdict::Ask(_), _) => decided(route, request, decide(request, &world.knowing(Answers::default())), world),
        (Verdict::Refuse(violations), _) => refuse(&request.uid, &request.called(), &violations),
        (Verdict::Admit(admission), Route::Validate) if !admission.changes.is_empty() => {
            refuse(&request.uid, &request.called(), &unstable(&admission.changes))
        }
        (Verdict::Admit(mut admission), _) => {
            if route == Route::Validate {
                // Said by the first route already.
                admission.warnings.clear();
            }
            let answer = admit(request, &admission);
            match route {
                _ if answer.outcome != ADMITTED => answer,
                Route::Validate => Answer { holds: hold(request, &admission, world), ..answer },
                Route::Mutate => Answer {
                    assigned: assigned(request, &admission),
                    holds: pledge(request, &admission, world),
                    ..answer
                },
            }
        }
    }
}

/// The assignment that an answer brings about.
fn assigned(request: &Request<'_>, admission: &Admission) -> Option<Assigned> {
    let placement = admission.placement.as_ref()?;
    let news = |change: &Change| matches!(change, Change::Annotate(names::KUBEVIRT_CONFIG, _));
    let new = &*request.operation == "CREATE" || admission.changes.iter().any(news);
    let stored = new && placement.rule != Rule::Kept && request.dry_run != Some(true);
    stored.then(|| assignment(request, &placement.cluster.0, placement.rule))
}

fn assignment(request: &Request<'_>, cluster: &str, rule: Rule) -> Assigned {
    let metadata = request.object.as_ref().map(|object| &object.metadata);
    let name = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let machine = metadata
        .and_then(|metadata| name(metadata.name.as_deref()).or_else(|| name(metadata.generate_name.as_deref())));
    Assigned {
        machine: machine.unwrap_or_default(),
        namespace: request.namespace.to_string(),
        cluster: cluster.to_owned(),
        rule,
    }
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod tests;
