//! Takes and keeps the Lease. I/O: one Lease in the operator's own namespace, looked at or renewed every two seconds.
//!
//! No library: the one that goes with this kube (kube-lease-manager 0.13) compares the holder's clock with ours, and renews
//! without a precondition, so that a holder that was paused takes the Lease back from whoever has it now.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PostParams};
use kube::{Api, Client};
use model::lease::{EVERY, RENEW_WITHIN, Seen, Step};
use runtime::clusters::{code, said};
use tokio::time::{sleep, timeout, timeout_at};

use crate::lead::{Lead, Standing};
use crate::objects::patch_params;

/// Name of the Lease.
pub const LEASE: &str = "kubevirt-operator-controller";
/// One request about it takes no longer; there are two before we have to stop.
const ANSWER: Duration = Duration::from_secs(4);

/// A candidate for the Lease, and its holder.
pub struct Election {
    leases: Api<Lease>,
    me: String,
    lead: Lead,
    seen: Seen,
    /// When it was seen to change last, by our clock.
    since: Instant,
    /// What went wrong last, so that it is said once.
    trouble: Option<String>,
}

impl Election {
    /// A candidate under a name that no other process has. `client` is none of those that are fenced.
    pub fn new(client: Client, namespace: &str) -> Self {
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "controller".to_owned());
        let me = format!("{host}_{:016x}", RandomState::new().build_hasher().finish());
        let lead = Lead::new(Standing::Waits { me: me.clone(), holder: None });
        let leases = Api::namespaced(client, namespace);
        Self { leases, me, lead, seen: Seen::default(), since: Instant::now(), trouble: None }
    }

    /// Whether we lead.
    pub fn lead(&self) -> Lead {
        self.lead.clone()
    }

    /// Returns once we lead. `waits` hears that another one does.
    pub async fn won(&mut self, waits: impl Fn()) {
        loop {
            match self.run().await {
                Ok(true) => {
                    tracing::info!(lease = LEASE, identity = self.me, "this process leads now");
                    return;
                }
                Ok(false) => {
                    self.trouble = None;
                    waits();
                }
                Err(why) => self.complain(why, "who leads is not known yet; it is asked again"),
            }
            sleep(EVERY).await;
        }
    }

    /// Tries once to take it; false while it is another's.
    async fn run(&mut self) -> Result<bool, String> {
        self.look().await?;
        match self.seen.decide(&self.me, self.since.elapsed(), None) {
            Step::Take => self.hold().await.map(|()| true),
            Step::Wait | Step::Renew | Step::Stop => {
                let holder = self.seen.holder.clone().map(|holder| (holder, self.since));
                self.lead.set(Standing::Waits { me: self.me.clone(), holder });
                Ok(false)
            }
        }
    }

    /// Keeps the Lease, and returns why we do not lead any more. Nothing is written by then.
    pub async fn lost(&mut self) -> String {
        loop {
            sleep(EVERY).await;
            let Some(renewed) = self.renewed() else { return "it was given up".to_owned() };
            let why = match timeout_at((renewed + RENEW_WITHIN).into(), self.renew()).await {
                Ok(None) => continue,
                Ok(Some(why)) => why,
                Err(_) => late(),
            };
            self.lead.set(Standing::Over);
            return why;
        }
    }

    /// Tries once to renew it; says why we have to stop, if we have to.
    async fn renew(&mut self) -> Option<String> {
        if let Some(why) = self.over() {
            return Some(why);
        }
        match self.hold().await {
            Ok(()) => {
                self.trouble = None;
                return None;
            }
            Err(why) => self.complain(why, "the Lease was not renewed; it is tried again"),
        }
        // It may be another's, or another version of ours: the answer to an earlier try may have been lost.
        if let Err(why) = self.look().await {
            self.complain(why, "the Lease cannot be read; it is tried again");
        }
        self.over()
    }

    fn over(&self) -> Option<String> {
        let renewed = self.renewed().map_or(RENEW_WITHIN, |renewed| renewed.elapsed());
        match self.seen.decide(&self.me, self.since.elapsed(), Some(renewed)) {
            Step::Take | Step::Renew | Step::Wait => None,
            Step::Stop => Some(match self.seen.holder.as_ref().filter(|holder| **holder != self.me) {
                Some(holder) => format!("the Lease {LEASE} is held by {holder} now"),
                None => late(),
            }),
        }
    }

    fn renewed(&self) -> Option<Instant> {
        match self.lead.standing() {
            Standing::Leads { renewed, .. } => Some(renewed),
            Standing::Alone | Standing::Waits { .. } | Standing::Over => None,
        }
    }

    /// Gives the Lease up, so that the next one need not wait. This process writes nothing any more.
    pub async fn release(mut self) {
        self.lead.set(Standing::Over);
        if timeout(ANSWER, self.give_up()).await.is_err() {
            tracing::warn!(lease = LEASE, error = silent(), "the Lease was not given up; it ends by itself");
        }
    }

    async fn give_up(&mut self) {
        for _ in 0..2 {
            let Some(change) = self.seen.released(&self.me, &MicroTime(Timestamp::now())) else { return };
            if self.leases.patch(LEASE, &patch_params(), &Patch::Merge(change)).await.is_ok() {
                tracing::info!(lease = LEASE, "gave the Lease up");
                return;
            }
            // A renewal that was on its way has made another version.
            if self.look().await.is_err() {
                return;
            }
        }
    }

    async fn look(&mut self) -> Result<(), String> {
        let found = timeout(ANSWER, self.leases.get_opt(LEASE)).await.map_err(|_| silent())?;
        let found = found.map_err(|why| refused("get", &why))?;
        self.see(found.as_ref().map(Seen::of).unwrap_or_default());
        Ok(())
    }

    /// Writes our name on it. What counts is when that was sent, not when it was answered.
    async fn hold(&mut self) -> Result<(), String> {
        let sent = Instant::now();
        let content = self.seen.held(LEASE, &self.me, &MicroTime(Timestamp::now()));
        let written = async {
            if self.seen.version.is_some() {
                return self.leases.patch(LEASE, &patch_params(), &Patch::Merge(content)).await;
            }
            let lease = serde_json::from_value(content).map_err(kube::Error::SerdeError)?;
            self.leases.create(&PostParams::default(), &lease).await
        };
        let held =
            timeout(ANSWER, written).await.map_err(|_| silent())?.map_err(|why| refused("create and patch", &why))?;
        self.see(Seen::of(&held));
        self.lead.set(Standing::Leads { me: self.me.clone(), renewed: sent });
        Ok(())
    }

    fn see(&mut self, seen: Seen) {
        if seen != self.seen {
            (self.seen, self.since) = (seen, Instant::now());
        }
    }

    fn complain(&mut self, why: String, so: &str) {
        if self.trouble.as_ref() != Some(&why) {
            tracing::warn!(lease = LEASE, error = why, "{so}");
            self.trouble = Some(why);
        }
    }
}

fn late() -> String {
    format!("the Lease {LEASE} was not renewed for {} s", RENEW_WITHIN.as_secs())
}

fn silent() -> String {
    format!("the supervisor did not answer within {} s", ANSWER.as_secs())
}

fn refused(verbs: &str, why: &kube::Error) -> String {
    match code(why) {
        Some(403) => format!("{}: install the chart's Roles again, which allow to {verbs} it", said(why)),
        Some(409) => "another process was faster".to_owned(),
        _ => said(why),
    }
}
