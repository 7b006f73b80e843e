//! `cargo demo status`: what runs where, and the Machines.

use std::time::Duration;

use http::Request;
use tests::fleet::{Component, Endpoint, Fleet};
use tests::plane::Plane;
use tests::{ports, probe};
use tokio::time::timeout;

use crate::fit::columns;
use crate::home::Home;
use crate::notes::Notes;
use crate::{Result, kubectl, run, say, settings, term};

const LIMIT: Duration = Duration::from_secs(2);

/// Prints it. Needs no lock: it changes nothing.
pub(crate) async fn show() -> Result<()> {
    let home = Home::find()?;
    let fleet = run::existing(&home)?;
    let mut rows = vec![["PART", "STATE", "ADDRESS", "PID"].map(str::to_owned)];
    for component in fleet.components() {
        let name = component.to_string();
        let pid = fleet.processes().running(&name).map(|process| process.pid.to_string()).unwrap_or_default();
        rows.push([name, state(&fleet, &component).await, address(&fleet, &component)?, pid]);
    }
    for line in columns(&rows, term::width(), &[3, 2]) {
        say::line(&line);
    }
    if let Some(settings) = Notes::read(&home).settings.filter(|settings| !settings.is_empty()) {
        say::line(&format!("Settings of webhook and controller: {}", settings::shown(&settings)));
    }
    if fleet.is_running(&Component::Supervisor) {
        say::line("");
        let args = ["get", "machines", "-A", "-o", "wide", "--request-timeout=5s"];
        kubectl::run(&home, fleet.supervisor(), &args).await?;
    }
    Ok(())
}

async fn state(fleet: &Fleet, component: &Component) -> String {
    let (name, processes) = (component.to_string(), fleet.processes());
    if !fleet.is_running(component) {
        let died = processes.names().contains(&name);
        return if died { format!("died, see logs/{name}.log") } else { "stopped".to_owned() };
    }
    let answer = match component {
        Component::Etcd => match ports::claim(fleet.dir(), &name) {
            Ok(address) => probe::get(address, "/health").await.map(drop),
            Err(error) => Err(error.to_string()),
        },
        Component::Supervisor => plane_ready(fleet, fleet.supervisor()).await,
        Component::Remote(remote) => match fleet.remote(remote) {
            Ok(plane) => plane_ready(fleet, plane).await,
            Err(error) => Err(error.to_string()),
        },
        Component::Sim(_) | Component::VirtApi(_) | Component::VirtController(_) => return "running".to_owned(),
        Component::Webhook => ready(fleet, Endpoint::WebhookHealth).await,
        Component::SecondWebhook => ready(fleet, Endpoint::SecondWebhookHealth).await,
        Component::Controller => ready(fleet, Endpoint::ControllerHealth).await,
        Component::SecondController => ready(fleet, Endpoint::SecondHealth).await,
    };
    answer.map_or_else(|why| format!("not ready: {}", why.lines().next().unwrap_or_default()), |()| "ready".to_owned())
}

async fn ready(fleet: &Fleet, endpoint: Endpoint) -> Result<(), String> {
    let address = fleet.address(endpoint).map_err(|error| error.to_string())?;
    probe::get(address, "/readyz").await.map(drop)
}

async fn plane_ready(fleet: &Fleet, plane: &Plane) -> Result<(), String> {
    if fleet.processes().running(&format!("{}-kcm", plane.name())).is_none() {
        return Err("its kube-controller-manager does not run".to_owned());
    }
    let client = plane.client().await.map_err(|error| error.to_string())?;
    let request = Request::get("/readyz").body(Vec::new()).map_err(|error| error.to_string())?;
    match timeout(LIMIT, client.request_text(request)).await {
        Ok(answer) => answer.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

fn address(fleet: &Fleet, component: &Component) -> Result<String> {
    Ok(match component {
        Component::Etcd => format!("http://{}", ports::claim(fleet.dir(), "etcd")?),
        Component::Supervisor => fleet.supervisor().url(),
        Component::Remote(name) => fleet.remote(name)?.url(),
        Component::Sim(_) | Component::VirtApi(_) | Component::VirtController(_) => String::new(),
        Component::Webhook => format!("https://{}", fleet.address(Endpoint::Webhook)?),
        Component::SecondWebhook => format!("https://{}", fleet.address(Endpoint::SecondWebhook)?),
        Component::Controller => format!("http://{}", fleet.address(Endpoint::ControllerHealth)?),
        Component::SecondController => format!("http://{}", fleet.address(Endpoint::SecondHealth)?),
    })
}
