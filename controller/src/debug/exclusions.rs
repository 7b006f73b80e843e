//! `/debug/exclusions`: what is left alone, and why. D19.

use model::machine::cluster_of;
use model::machine::exclusions::{Exclusion, exclusions};
use model::text::line;

use crate::context::Known;
use crate::packed::Guarded;

/// Bytes of a sentence that is shown.
const SENTENCE: usize = 512;

/// A line for each; none where nothing is.
pub(super) fn page(known: &Known) -> String {
    let mut all: Vec<Exclusion> = known.machines.state().iter().flat_map(|machine| of(&machine.open())).collect();
    all.sort_by(|one, other| (&one.machine, &one.what).cmp(&(&other.machine, &other.what)));
    let line = |it: &Exclusion| format!("{}  {}  {}: {}\n", it.machine, it.reason, it.what, it.why);
    all.iter().map(line).collect()
}

fn of(machine: &Guarded) -> Vec<Exclusion> {
    match &machine.0 {
        Ok(machine) => exclusions(machine, cluster_of(machine).as_ref()),
        Err(broken) => {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let (metadata, why) = (&broken.metadata, line(&broken.error, SENTENCE));
            let machine = format!("{}/{}", part(&metadata.namespace), part(&metadata.name));
            vec![Exclusion { machine, what: "the Machine".to_owned(), reason: "Unreadable", why }]
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn d19_a_machine_that_cannot_be_read_is_among_them() {
        let text = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
            "metadata": {"namespace": "shop", "name": "web"}, "spec": {"disks": "none"}});
        let broken: Guarded = serde_json::from_value(text).expect("guarded");
        let [found] = <[Exclusion; 1]>::try_from(of(&broken)).expect("one");
        assert_eq!((found.machine.as_str(), found.reason), ("shop/web", "Unreadable"));
        assert_eq!(found.why, "invalid type: string \"none\", expected a sequence");
    }
}
