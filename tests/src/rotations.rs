//! Rotations of the webhook's certificate authority, one after the other, while Machines are applied all the time: none may fail.
//!
//! A rotation takes as long as two lives of a serving certificate. So that a thousand of them do not take a night, the webhook is
//! there several times, each time with two replicas, a Secret and configurations of its own; all of them rotate side by side.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use model::api::Machine;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{Error, Result, kube};
use crate::fleet::{Blueprint, Fleet, NAMESPACE, Webhooks};
use crate::process::Processes;
use crate::trust::{bundle, connect};
use crate::wait::{LIMIT, eventually};

/// How many rotations there are, unless somebody says another number.
pub const ROTATIONS: usize = 1000;
/// How many rotate side by side.
const SIDE_BY_SIDE: usize = 12;
/// A serving certificate of 12 seconds is signed anew after 6; a new CA is signed with after 3; the former is retired after 24.
/// Shorter ones would end before a busy machine comes to renew them.
const PACE: [(&str, &str); 3] =
    [("WEBHOOK_CERTIFICATE_VALIDITY", "12s"), ("WEBHOOK_CA_ANNOUNCEMENT", "3s"), ("WEBHOOK_CA_VALIDITY", "1h")];
/// Between two applies of one client.
const PAUSE: Duration = Duration::from_secs(1);
/// How late a slow API server hears of a bundle.
const LATE: Duration = Duration::from_secs(1);
/// So many failures are told in full.
const TOLD: usize = 20;

/// What went on.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Rotations from the announcement to the end of trust in the former authority.
    pub rotations: usize,
    /// Machines applied: by a client that keeps its connection, and by one that makes a new one each time.
    pub applies: usize,
    /// Connections to a webhook that trusted the `caBundle` alone, that of the moment or of a second before.
    pub handshakes: usize,
    /// How many of the latter two failed.
    pub failures: usize,
    /// The first of them.
    pub told: Vec<String>,
    /// How long the rotations took.
    pub took: Duration,
}

impl Found {
    /// All rotations were made, and nothing failed.
    pub fn is_well(&self, rotations: usize) -> bool {
        self.rotations == rotations && self.failures == 0
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rotations, applies, handshakes, failures, told, took } = self;
        writeln!(f, "rotations:        {rotations} in {} s", took.as_secs())?;
        writeln!(f, "Machines applied: {applies}")?;
        writeln!(f, "TLS handshakes:   {handshakes}")?;
        write!(f, "failed:           {failures}")?;
        told.iter().try_for_each(|why| write!(f, "\n  {why}"))
    }
}

/// Does all of it on a fleet of its own.
pub async fn run(rotations: usize, say: fn(&str)) -> Result<Found> {
    let env = PACE.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let fleet = Fleet::up(Processes::kept()?, Blueprint { env, ..Blueprint::of(&["east"]) }).await?;
    let parts = fleet.divide_webhook(rotations.min(SIDE_BY_SIDE)).await?;
    say(&format!("{} webhooks with two replicas each are ready; logs are in {}", parts.len(), fleet.dir().display()));
    let (found, begun) = (RefCell::new(Found::default()), Instant::now());
    let turns = |at: usize| (rotations + parts.len() - 1 - at) / parts.len();
    let rotated = || {
        let mut found = found.borrow_mut();
        found.rotations += 1;
        if found.rotations.is_multiple_of(50) {
            let Found { rotations: done, applies, failures, .. } = &*found;
            let seconds = begun.elapsed().as_secs();
            say(&format!("{done} of {rotations} rotations after {seconds} s, {applies} applies, {failures} failed"));
        }
    };
    let all = parts.iter().enumerate().map(|(at, part)| exercise(&fleet, part, turns(at), &found, &rotated, say));
    try_join_all(all).await?;
    Ok(Found { took: begun.elapsed(), ..found.into_inner() })
}

/// Rotates one webhook's authority that often while its Machines are applied.
async fn exercise(
    fleet: &Fleet,
    part: &Webhooks,
    turns: usize,
    found: &RefCell<Found>,
    rotated: &impl Fn(),
    say: fn(&str),
) -> Result<()> {
    let client = fleet.supervisor().client().await?;
    let over = Cell::new(false);
    let failed = |what: &str, why: String| {
        let mut found = found.borrow_mut();
        found.failures += 1;
        if found.told.len() < TOLD {
            let after = format!("after {} rotations, {what} of {}", found.rotations, part.namespace);
            say(&format!("{after}: {why}"));
            found.told.push(format!("{after}: {why}"));
        }
    };
    let applied = async |client: Result<Client>, name: &str, at: usize| {
        let done = match client {
            Ok(client) => apply(client, &part.namespace, name, at).await,
            Err(error) => Err(error.to_string()),
        };
        found.borrow_mut().applies += 1;
        done.unwrap_or_else(|why| failed("an apply", why));
    };
    let keeps = async |at| applied(Ok(client.clone()), "kept", at).await;
    let anew = async |at: usize| applied(fleet.supervisor().client().await, &format!("new-{at}"), at).await;
    let shake = async |at: usize| {
        let trusted = bundle(&client, &part.configuration).await;
        if at % 2 == 1 {
            sleep(LATE).await;
        }
        for address in part.addresses {
            let shaken = async { connect(address, trusted.as_ref().map_err(Clone::clone)?).await.map(drop) }.await;
            found.borrow_mut().handshakes += 1;
            shaken.unwrap_or_else(|why| failed("a handshake", why));
        }
    };
    let turn = async {
        let done = rotate(&client, part, turns, rotated).await;
        over.set(true);
        done
    };
    let (done, ..) = tokio::join!(turn, drive(&over, keeps), drive(&over, anew), drive(&over, shake));
    done
}

/// Does something again and again until it is over.
async fn drive(over: &Cell<bool>, once: impl AsyncFn(usize)) {
    let mut at = 0;
    while !over.get() {
        once(at).await;
        at += 1;
        sleep(PAUSE).await;
    }
}

/// `kubectl apply --server-side` of one Machine: it is stored if it is the one that is kept.
async fn apply(client: Client, namespace: &str, name: &str, at: usize) -> Result<(), String> {
    let machines: Api<Machine> = Api::namespaced(client, namespace);
    let kept = name == "kept";
    let params = PatchParams { dry_run: !kept, ..PatchParams::apply("rotations").force() };
    let machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "spec": {"template": "small"},
        "metadata": {"name": name, "annotations": {"example.com/turn": at.to_string()}},
    });
    machines.patch(name, &params, &Patch::Apply(&machine)).await.map(drop).map_err(|error| error.to_string())
}

/// The authorities of a Secret, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Phase {
    current: String,
    next: String,
    former: String,
}

impl Phase {
    fn of(secret: &Secret) -> Self {
        let text = |key: &str| {
            let bytes = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone());
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        Self { current: text("ca.crt"), next: text("next.crt"), former: text("former.crt") }
    }

    fn is_at_rest(&self) -> bool {
        self.next.is_empty() && self.former.is_empty()
    }
}

/// One rotation after the other, as docs/certificates.md says how to ask for them; each is told of when nothing of it is left.
async fn rotate(client: &Client, part: &Webhooks, turns: usize, rotated: &impl Fn()) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let mut current = until(&secrets, part, "at rest", Phase::is_at_rest).await?.current;
    for turn in 0..turns {
        let asked = json!({"metadata": {"annotations": {"vitistack.io/rotate": "now"}}});
        let patched = secrets.patch(&part.secret, &PatchParams::default(), &Patch::Merge(&asked)).await;
        patched.map_err(kube(format!("cannot annotate {}", part.secret)))?;
        // The former one is retired before the next one is announced.
        let announced = until(&secrets, part, "announced", |phase| !phase.next.is_empty()).await?;
        if (&announced.current, announced.former.as_str()) != (&current, "") {
            return Err(Error::Absent { what: format!("announcement beside the authority alone: {announced:?}") });
        }
        if turn > 0 {
            rotated();
        }
        let promoted = until(&secrets, part, "promoted", |phase| phase.next.is_empty()).await?;
        if promoted != (Phase { current: announced.next, next: String::new(), former: current }) {
            return Err(Error::Absent { what: format!("promotion of what was announced: {promoted:?}") });
        }
        current = promoted.current;
    }
    until(&secrets, part, "retired", Phase::is_at_rest).await?;
    eventually("the last authority is trusted alone, and both replicas serve by it", async || {
        let trusted = bundle(client, &part.configuration).await?;
        for address in part.addresses {
            connect(address, &trusted).await?;
        }
        if trusted == current.as_bytes() { Ok(()) } else { Err(String::from_utf8_lossy(&trusted).into_owned()) }
    })
    .await;
    if turns > 0 {
        rotated();
    }
    Ok(())
}

/// Waits until the Secret holds that.
async fn until(
    secrets: &Api<Secret>,
    part: &Webhooks,
    what: &str,
    wanted: impl Fn(&Phase) -> bool + Copy,
) -> Result<Phase> {
    let absent = |why: String| Error::Absent { what: format!("authority of {} that is {what}: {why}", part.secret) };
    let is_so = move |secret: Option<&Secret>| secret.is_some_and(|secret| wanted(&Phase::of(secret)));
    let seen = timeout(LIMIT, await_condition(secrets.clone(), &part.secret, is_so)).await;
    match seen.map_err(|_| absent(format!("not within {LIMIT:?}")))? {
        Ok(secret) => secret.as_ref().map(Phase::of).ok_or_else(|| absent("no Secret".to_owned())),
        Err(error) => Err(absent(error.to_string())),
    }
}
