//! What is counted anew for each scrape, from what the watches know: nothing is remembered, so nothing is forgotten when an
//! object goes. C28, C30, C31. No I/O.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::jiff::Timestamp;
use model::message::is_ours;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use runtime::clusters::State;
use serde::Deserialize;

use crate::context::AtWork;
use crate::lead::Lead;

/// Names of templates that are kept apart; Machines of the rest count as [`OTHER`]. Anybody may make up a name.
const TEMPLATES: usize = 100;
/// What is not one of the known words.
const OTHER: &str = "other";

/// The words of a Machine's phase. Until the first status it is pending.
const PHASES: [&str; 7] = ["Pending", "Creating", "Running", "Stopping", "Stopped", "Failed", "Terminating"];

/// KubeVirt's words. A cluster may say anything.
const STATUSES: [&str; 17] = [
    "Stopped",
    "Provisioning",
    "Starting",
    "Running",
    "Paused",
    "Stopping",
    "Terminating",
    "CrashLoopBackOff",
    "Migrating",
    "Unknown",
    "ErrorUnschedulable",
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrorPvcNotFound",
    "DataVolumeError",
    "WaitingForVolumeBinding",
    "WaitingForReceiver",
];

/// Counts Machines and VMs. A process that does not lead knows of none, and says only that.
pub struct Scrape {
    /// Whether it leads.
    pub lead: Lead,
    /// What it knows then.
    pub at_work: AtWork,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let leads = ConstGauge::new(i64::from(self.lead.holds()));
        let help = "1 while this process works, 0 while it waits for another one to go.";
        leads.encode(encoder.encode_descriptor("kubevirt_operator_leader", help, None, MetricType::Gauge)?)?;
        let Some(known) = self.at_work.get() else { return Ok(()) };
        let machines = known.machines.state();
        let machines = count_machines(machines.iter().filter_map(|machine| machine.read()));
        let labels = |((phase, template), count)| ([("phase", phase), ("template", template)], count);
        let help = "Machines by phase and by the template that their size is from.";
        gauge(&mut encoder, "kubevirt_operator_machines_total", help, machines.into_iter().map(labels))?;

        let clusters = known.ctx.clusters.load();
        let clusters = || clusters.values().filter_map(|entry| entry.cluster.as_ref());
        let ends = clusters().filter_map(|cluster| Some(cluster.validity?.until));
        if let Some(left) = left_until_first(ends, Timestamp::now().as_second()) {
            let help = "Until the first credentials of a connection to a cluster end; below zero once they have.";
            let name = "kubevirt_operator_credential_expiry_seconds";
            let first = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(left).encode(first)?;
        }
        let assets = crate::platform::count(clusters().map(|cluster| &*cluster.index.platform));
        let labels = |((asset, state), count)| ([("asset", asset), ("state", state)], count);
        let help = "Clusters by the state of each asset of the platform baseline; none where it is off.";
        gauge(&mut encoder, "kubevirt_operator_platform_assets", help, assets.into_iter().map(labels))?;
        let shown = clusters().map(|cluster| {
            let answers = matches!(*cluster.state.borrow(), State::Connected { .. });
            (answers, cluster.index.objects.printable())
        });
        let labels = |(status, count)| ([("status", status)], count);
        let help = "VirtualMachines of Machines by what their cluster says of them; Unknown while it does not answer.";
        gauge(&mut encoder, "kubevirt_operator_virtual_machines_total", help, count_vms(shown).into_iter().map(labels))
    }
}

/// Seconds until the first of these times, if there is one.
fn left_until_first(ends: impl Iterator<Item = i64>, now: i64) -> Option<i64> {
    ends.min().map(|first| first - now)
}

/// One metric, of several label sets.
fn gauge<const N: usize, L: AsRef<str>>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    counts: impl Iterator<Item = ([(&'static str, L); N], usize)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, count) in counts {
        let labels = labels.each_ref().map(|(name, value)| (*name, value.as_ref()));
        let count = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        count.encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// What of a Machine counts.
#[derive(Deserialize)]
struct Counted {
    spec: Asked,
    status: Option<Shown>,
}

#[derive(Deserialize)]
struct Asked {
    provider: Option<String>,
    template: Option<String>,
}

#[derive(Deserialize)]
struct Shown {
    phase: Option<String>,
    resolved: Option<Resolved>,
}

#[derive(Deserialize)]
struct Resolved {
    template: Option<String>,
}

/// Those that are ours, by phase and template. Of the templates, those with the most Machines are named.
fn count_machines(machines: impl Iterator<Item = Counted>) -> BTreeMap<(String, String), usize> {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut templates: BTreeMap<String, usize> = BTreeMap::new();
    for Counted { spec, status } in machines.filter(|machine| is_ours(machine.spec.provider.as_deref())) {
        let (phase, resolved) = status.map_or((None, None), |status| (status.phase, status.resolved));
        let template = resolved.and_then(|resolved| resolved.template).or(spec.template).unwrap_or_default();
        let template = if is_name(&template) { template } else { OTHER.to_owned() };
        let phase = known(phase.as_deref().unwrap_or("Pending"), &PHASES);
        *counts.entry((phase, template.clone())).or_default() += 1;
        *templates.entry(template).or_default() += 1;
    }
    let mut most: Vec<(String, usize)> = templates.into_iter().collect();
    most.sort_by(|(name, count), (other, than)| than.cmp(count).then_with(|| name.cmp(other)));
    most.truncate(TEMPLATES);
    let mut kept = BTreeMap::new();
    for ((phase, template), count) in counts {
        let named = most.iter().any(|(name, _)| *name == template);
        let template = if named { template.as_str() } else { OTHER };
        *kept.entry((phase.to_owned(), template.to_owned())).or_default() += count;
    }
    kept
}

/// What clusters show of our VMs. What one that does not answer has shown is no knowledge.
fn count_vms(clusters: impl Iterator<Item = (bool, Vec<String>)>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for (answers, printable) in clusters {
        for status in printable {
            // Nothing yet: KubeVirt has not looked at it.
            let status = if answers && !status.is_empty() { known(&status, &STATUSES) } else { "Unknown" };
            *counts.entry(status).or_default() += 1;
        }
    }
    counts
}

fn known(word: &str, words: &[&'static str]) -> &'static str {
    words.iter().find(|known| **known == word).copied().unwrap_or(OTHER)
}

/// Whether it may be the name of a template: no size at all is none, too.
fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use model::api::Machine;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use serde_json::json;

    use super::*;
    use crate::lead::Standing;
    use crate::packed::{Guarded, Packed};

    fn machine(template: &str, status: serde_json::Value) -> Counted {
        let text = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": "web"},
            "spec": {"template": template}, "status": status});
        let machine: Machine = serde_json::from_value(text).expect("a Machine");
        Packed::of(&Guarded(Ok(machine))).read().expect("what counts")
    }

    #[test]
    fn c28_machines_are_counted_by_phase_and_template() {
        let running = |template: &str| machine("", json!({"phase": "Running", "resolved": {"template": template}}));
        let mut foreign = machine("small", json!({"phase": "Running"}));
        foreign.spec.provider = Some("proxmox".to_owned());
        let machines = [
            running("small"),
            running("small"),
            machine("large", json!(null)),
            machine("", json!({"phase": "Creating"})),
            machine("small", json!({"phase": "Exploded\n"})),
            running("sm\"all}\n1"),
            foreign,
        ];
        let want = [
            (("Creating", ""), 1),
            (("Pending", "large"), 1),
            (("Running", "other"), 1),
            (("Running", "small"), 2),
            (("other", "small"), 1),
        ];
        let want = want.map(|((phase, template), count)| ((phase.to_owned(), template.to_owned()), count));
        assert_eq!(count_machines(machines.into_iter()), want.into());
    }

    #[test]
    fn c28_no_more_than_a_hundred_templates_are_named_and_those_are_the_ones_in_use() {
        let machines: Vec<Counted> = (0..300)
            .flat_map(|number| std::iter::repeat_n(format!("made-up-{number:03}"), if number < 150 { 1 } else { 2 }))
            .chain(std::iter::repeat_n("zoo".to_owned(), 50))
            .map(|template| machine(&template, json!({"phase": "Running"})))
            .collect();
        let counts = count_machines(machines.into_iter());
        assert_eq!(counts.len(), 101, "and the rest together");
        let count = |template: &str| counts.get(&("Running".to_owned(), template.to_owned())).copied();
        assert_eq!((count("zoo"), count("made-up-150"), count("made-up-000")), (Some(50), Some(2), None));
        assert_eq!(count("other"), Some(500 - 50 - 99 * 2));
    }

    #[test]
    fn c30_vms_are_counted_by_what_kubevirt_says_and_unknown_where_the_cluster_is_away() {
        let says = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let clusters = [(true, says(&["Running", "Running", "Stopped", "", "<b>"])), (false, says(&["Running"]))];
        let want = [("Running", 2), ("Stopped", 1), ("Unknown", 2), ("other", 1)];
        assert_eq!(count_vms(clusters.into_iter()), want.into());
    }

    #[test]
    fn the_credentials_that_end_first_are_the_ones_to_look_at() {
        assert_eq!(left_until_first([500, 300, 400].into_iter(), 100), Some(200));
        assert_eq!(left_until_first([50].into_iter(), 100), Some(-50), "over");
        assert_eq!(left_until_first([].into_iter(), 100), None, "none says when it ends");
    }

    #[test]
    fn c31_gauges_keep_the_suffix_that_they_are_documented_with() {
        struct Counts;
        impl fmt::Debug for Counts {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Ok(())
            }
        }
        impl Collector for Counts {
            fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
                let counts = [([("phase", "Running"), ("template", "small")], 2)];
                gauge(&mut encoder, "kubevirt_operator_machines_total", "Machines.", counts.into_iter())
            }
        }
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Counts));
        let me = "me".to_owned();
        let at_work: AtWork = Arc::new(OnceLock::new());
        let lead = Lead::new(Standing::Waits { me, holder: None });
        registry.register_collector(Box::new(Scrape { lead, at_work }));
        let mut text = String::new();
        encode(&mut text, &registry).expect("text");
        let want = "# HELP kubevirt_operator_machines_total Machines.\n\
            # TYPE kubevirt_operator_machines_total gauge\n\
            kubevirt_operator_machines_total{phase=\"Running\",template=\"small\"} 2\n\
            # HELP kubevirt_operator_leader 1 while this process works, 0 while it waits for another one to go.\n\
            # TYPE kubevirt_operator_leader gauge\n\
            kubevirt_operator_leader 0\n# EOF\n";
        assert_eq!(text, want, "who does not lead says nothing about Machines");
    }
}
