//! Who of several controllers leads: what to do about a Lease as it is seen. Pure. C57, R10, R11; `controller/src/election.rs` does it.
//!
//! Clocks of two machines are never compared: whoever waits measures by its own clock for how long a Lease has stayed as it
//! is, and whoever leads since when it has not renewed it. The times in a Lease are for people.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::{Value, json};

use crate::text::line;

/// How long a Lease stays its holder's without a renewal.
pub const DURATION: Duration = Duration::from_secs(15);
/// Who could not renew it for this long does not lead any more: well before anybody else may take it.
pub const RENEW_WITHIN: Duration = Duration::from_secs(10);
/// How often it is renewed, or looked at.
pub const EVERY: Duration = Duration::from_secs(2);

/// Bytes of a holder's name that are kept.
const HOLDER: usize = 253;

/// A Lease, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its `metadata.resourceVersion`; none where there is no Lease.
    pub version: Option<String>,
    /// Who holds it; none where nobody does.
    pub holder: Option<String>,
    /// For how long without a renewal, as the holder wrote it.
    pub lasts: Duration,
    /// How often it went from one to another.
    pub transitions: i32,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write our name on it, and lead.
    Take,
    /// Renew it.
    Renew,
    /// Look again later.
    Wait,
    /// Stop at once: it is another's, or may be soon.
    Stop,
}

impl Seen {
    /// What a Lease says.
    pub fn of(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            version: lease.metadata.resource_version.clone(),
            holder: spec.holder_identity.map(|holder| line(&holder, HOLDER)).filter(|holder| !holder.is_empty()),
            lasts: seconds.map_or(DURATION, Duration::from_secs),
            transitions: spec.lease_transitions.unwrap_or(0),
        }
    }

    /// What to do. `me` is a name that no other process has; `unchanged` is for how long it was seen as it is now; `renewed` is
    /// when we last renewed it, if we lead.
    pub fn decide(&self, me: &str, unchanged: Duration, renewed: Option<Duration>) -> Step {
        let ours = self.holder.as_deref() == Some(me);
        match (renewed, &self.holder) {
            (Some(ago), _) if ago >= RENEW_WITHIN => Step::Stop,
            (Some(_), Some(_)) if !ours => Step::Stop,
            (Some(_), _) => Step::Renew,
            // Written by us, though we never heard so.
            (None, Some(_)) if ours => Step::Take,
            (None, None) => Step::Take,
            // Longer than any of ours means a mistake, which must not keep everybody waiting for ever.
            (None, Some(_)) if unchanged >= self.lasts.clamp(DURATION, 4 * DURATION) => Step::Take,
            (None, Some(_)) => Step::Wait,
        }
    }

    /// The Lease as a new one of ours, or a merge patch of one that is there, bound to the version that was seen.
    pub fn held(&self, name: &str, me: &str, now: &MicroTime) -> Value {
        let mut spec = json!({"holderIdentity": me, "leaseDurationSeconds": DURATION.as_secs(), "renewTime": now});
        if self.holder.as_deref() != Some(me) {
            spec["acquireTime"] = json!(now);
            spec["leaseTransitions"] = json!(self.transitions.saturating_add(i32::from(self.version.is_some())));
        }
        match &self.version {
            None => json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec,
            }),
            Some(version) => json!({"metadata": {"resourceVersion": version}, "spec": spec}),
        }
    }

    /// A merge patch that gives it up, so that the next one need not wait; nothing where it is not ours.
    pub fn released(&self, me: &str, now: &MicroTime) -> Option<Value> {
        let version = self.version.as_ref().filter(|_| self.holder.as_deref() == Some(me))?;
        let spec = json!({"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now});
        Some(json!({"metadata": {"resourceVersion": version}, "spec": spec}))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::table::every_row;

    fn seen(holder: Option<&str>, lasts: u64) -> Seen {
        let lasts = Duration::from_secs(lasts);
        Seen { version: Some("7".to_owned()), holder: holder.map(str::to_owned), lasts, transitions: 3 }
    }

    #[test]
    fn c57_r10_r11_who_leads_is_decided_by_what_was_seen_to_change() {
        use Step::{Renew, Stop, Take, Wait};
        let (me, other) = (Some("me"), Some("other"));
        #[rustfmt::skip]
        let cases = [
            ("there is none",                          Seen::default(),  0,   None,     Take),
            ("nobody holds it",                        seen(None, 1),    0,   None,     Take),
            ("another's, just seen",                   seen(other, 15),  0,   None,     Wait),
            ("another's, not renewed for 14 s",        seen(other, 15),  14,  None,     Wait),
            ("another's, not renewed for 15 s",        seen(other, 15),  15,  None,     Take),
            ("another's, who promised 30 s",           seen(other, 30),  29,  None,     Wait),
            ("and did not keep it",                    seen(other, 30),  30,  None,     Take),
            ("another's, who promised 1 s",            seen(other, 1),   14,  None,     Wait),
            ("another's, who promised a day",          seen(other, 86_400), 60, None,   Take),
            ("ours, though the answer was lost",       seen(me, 15),     0,   None,     Take),
            ("we lead",                                seen(me, 15),     2,   Some(2),  Renew),
            ("we lead, and the last try was in vain",  seen(me, 15),     8,   Some(9),  Renew),
            ("R11: we could not renew for 10 s",       seen(me, 15),     9,   Some(10), Stop),
            ("R11: we were paused for a minute",       seen(me, 15),     60,  Some(60), Stop),
            ("R10: we led, and it is another's",       seen(other, 15),  0,   Some(3),  Stop),
            ("we lead, and somebody emptied it",       seen(None, 15),   0,   Some(3),  Renew),
            ("we lead, and somebody deleted it",       Seen::default(),  0,   Some(3),  Renew),
        ];
        every_row(cases, |(name, seen, unchanged, renewed, want)| {
            let renewed = renewed.map(Duration::from_secs);
            assert_eq!(seen.decide("me", Duration::from_secs(unchanged), renewed), want, "{name}");
        });
    }

    #[test]
    fn c57_every_write_is_bound_to_what_was_seen() {
        let now = MicroTime(Timestamp::from_second(1_700_000_000).expect("a time"));
        let at = "2023-11-14T22:13:20.000000Z";
        let taken = json!({"metadata": {"resourceVersion": "7"}, "spec": {
            "holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": at, "acquireTime": at, "leaseTransitions": 4,
        }});
        let renewed = json!({"metadata": {"resourceVersion": "7"}, "spec": {
            "holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": at,
        }});
        let made = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "lead"}, "spec": {
            "holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": at, "acquireTime": at, "leaseTransitions": 0,
        }});
        let cases = [
            ("made", Seen::default(), made),
            ("taken over", seen(Some("other"), 15), taken),
            ("renewed", seen(Some("me"), 15), renewed),
        ];
        every_row(cases, |(name, seen, want)| assert_eq!(seen.held("lead", "me", &now), want, "{name}"));
        let given_up = json!({"metadata": {"resourceVersion": "7"}, "spec": {
            "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": at,
        }});
        let cases = [
            ("ours", seen(Some("me"), 15), Some(given_up)),
            ("another's by now", seen(Some("other"), 15), None),
            ("none", Seen::default(), None),
        ];
        every_row(cases, |(name, seen, want)| assert_eq!(seen.released("me", &now), want, "{name}"));
    }

    #[test]
    fn r16_c57_what_a_lease_holds_is_read_with_care_and_its_times_not_at_all() {
        let lease = |spec: Value| -> Seen {
            let text = json!({"metadata": {"name": "lead", "resourceVersion": "7"}, "spec": spec});
            Seen::of(&serde_json::from_value(text).expect("a Lease"))
        };
        let free = Seen { version: Some("7".to_owned()), lasts: DURATION, ..Seen::default() };
        let cases = [
            ("empty", json!({}), free.clone()),
            ("given up", json!({"holderIdentity": ""}), free.clone()),
            ("a negative duration", json!({"leaseDurationSeconds": -5}), free),
            (
                "held",
                json!({"holderIdentity": "ot\u{1b}her", "leaseDurationSeconds": 30, "leaseTransitions": 3}),
                seen(Some("other"), 30),
            ),
            (
                "R16: by a clock that is years ahead",
                json!({"holderIdentity": "other", "leaseDurationSeconds": 15, "leaseTransitions": 3, "renewTime": "2090-01-01T00:00:00.000000Z"}),
                seen(Some("other"), 15),
            ),
            (
                "R16: by one that is years behind",
                json!({"holderIdentity": "other", "leaseDurationSeconds": 15, "leaseTransitions": 3, "renewTime": "1990-01-01T00:00:00.000000Z"}),
                seen(Some("other"), 15),
            ),
        ];
        every_row(cases, |(name, spec, want)| assert_eq!(lease(spec), want, "{name}"));
    }
}
