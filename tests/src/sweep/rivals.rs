//! Two controllers, one of which leads: again and again the one that leads is stopped in the middle of its work until the other one
//! leads, and goes on as if nothing had been, while Machines are made, edited and deleted. What is judged is what `sweep` says, for
//! each Machine by its name. I/O: the fleet, as an administrator.

mod machines;

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use self::machines::live_until;
use super::ledger::{Ledger, writes_of_ours};
use super::story::Ground;
use crate::audit::Audit;
use crate::error::Result;
use crate::fleet::{Component, Endpoint, Fleet};
use crate::probe;
use crate::wait::eventually;

const NAMESPACE: &str = "rivals";
/// Machines that live at once.
const TOGETHER: usize = 4;
/// A controller that leads is paused after fewer writes than this: in a life there are about twenty.
const WRITES: usize = 20;
const BOTH: [(Component, Endpoint); 2] =
    [(Component::Controller, Endpoint::ControllerDebug), (Component::SecondController, Endpoint::SecondDebug)];

/// Goes on for so long, and until the present Machines and the present pause are over: how often a controller was paused, how many
/// Machines lived, and what did not hold. Both controllers run when it begins to return, and no Machine is left.
pub(super) async fn run(
    ground: &Ground<'_>,
    kubeconfig: &Path,
    length: Duration,
    say: fn(&str),
) -> Result<(usize, usize, Vec<String>)> {
    let rivals = Rivals { fleet: ground.fleet, kubeconfig: kubeconfig.display().to_string() };
    for (component, _) in &BOTH {
        rivals.start(component).await?;
    }
    ground.fleet.supervisor().ensure_namespace(NAMESPACE).await?;
    let (ledger, until) = (Ledger::open(ground.fleet, NAMESPACE), Instant::now() + length);
    let lives = join_all((0..TOGETHER).map(|worker| live_until(ground, NAMESPACE, worker, until)));
    let (pauses, lives) = tokio::join!(rivals.pause_until(until, say), lives);
    let lived = lives.iter().map(|(lived, _)| lived).sum();
    let mut violations: Vec<String> = lives.into_iter().flat_map(|(_, wrong)| wrong).collect();
    violations.extend(ledger.judge_each(machine_of)?);
    let again = format!("; again: cargo sweep --rivals {}", length.as_secs());
    Ok((pauses?, lived, violations.into_iter().map(|what| what + &again).collect()))
}

/// The Machine that gave an object its name; Machines here have no hyphen in theirs.
fn machine_of(name: &str) -> String {
    let name = name.strip_prefix("vm-").unwrap_or(name);
    name.split('-').next().unwrap_or_default().to_owned()
}

struct Rivals<'f> {
    fleet: &'f Fleet,
    kubeconfig: String,
}

impl Rivals<'_> {
    async fn start(&self, component: &Component) -> Result<()> {
        let env = [("KUBECONFIG", self.kubeconfig.as_str()), ("LEADER_ELECTION", "true")];
        self.fleet.start_with(component, &env).await
    }

    /// Pauses whoever leads, after some writes, until the other one does, and lets it go on at that moment. It ends then, and is started again as
    /// a kubelet would.
    async fn pause_until(&self, until: Instant, say: fn(&str)) -> Result<usize> {
        let mut pauses = 0_usize;
        while pauses == 0 || Instant::now() < until {
            let leads = eventually("one of two controllers leads", async || {
                let said = [self.leads(&BOTH[0]).await, self.leads(&BOTH[1]).await];
                said.iter().position(Result::is_ok).ok_or_else(|| format!("{said:?}"))
            })
            .await;
            let ((paused, _), other) = (&BOTH[leads], &BOTH[1 - leads]);
            self.works(1 + 7 * pauses % WRITES, until).await;
            let name = paused.to_string();
            self.fleet.processes().pause(&name, true)?;
            eventually(&format!("{} leads", other.0), async || self.leads(other).await).await;
            self.fleet.processes().pause(&name, false)?;
            eventually(
                &format!("{name} ends"),
                async || {
                    if self.fleet.is_running(paused) { Err("it runs") } else { Ok(()) }
                },
            )
            .await;
            self.start(paused).await?;
            pauses += 1;
            if pauses.is_multiple_of(10) {
                say(&format!("{pauses} pauses"));
            }
        }
        Ok(pauses)
    }

    /// Waits until whoever leads has written so often on the clusters; there may be nothing to write once it is over.
    async fn works(&self, wanted: usize, until: Instant) {
        let logs: Vec<(Audit, u64)> = self.fleet.remotes().iter().map(|it| (it.audit(), it.audit().mark())).collect();
        eventually(&format!("whoever leads writes {wanted} times"), async || {
            let mut written = 0;
            for (audit, mark) in &logs {
                let records = audit.since(*mark).map_err(|error| error.to_string())?;
                written += writes_of_ours(&records).count();
            }
            let enough = written >= wanted || Instant::now() >= until;
            if enough { Ok(()) } else { Err(format!("{written} times")) }
        })
        .await;
    }

    /// Whether this one leads; else what it says of the Lease.
    async fn leads(&self, (_, debug): &(Component, Endpoint)) -> Result<(), String> {
        let address = self.fleet.address(*debug).map_err(|error| error.to_string())?;
        let page = probe::get(address, "/debug/health").await?;
        let line = page.lines().next().unwrap_or_default().to_owned();
        if line.starts_with("Lease     held by this process") { Ok(()) } else { Err(line) }
    }
}

#[cfg(test)]
mod tests {
    use super::machine_of;

    #[test]
    fn the_names_of_objects_say_whose_they_are() {
        let names = ["w1x12", "vm-w1x12", "w1x12-data", "w1x12-cloudinit", "stranger"];
        assert_eq!(names.map(machine_of), ["w1x12", "w1x12", "w1x12", "w1x12", "stranger"]);
    }
}
