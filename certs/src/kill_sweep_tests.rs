//! Whoever keeps the certificate is killed at each request of a first start and of a whole rotation, before it and after it, and so
//! is the API server; somebody goes on. Every handshake must succeed meanwhile, and nothing is left to do by hand.

#[path = "kill_sweep_tests/api_server.rs"]
mod api_server;

use tokio::task::JoinHandle;

use self::api_server::{Cut, Fuse, Server};
use super::*;
use crate::issue::Lives;

/// Everything is looked at each 30 s; a rotation takes some ten minutes.
const PACE: Pace = Pace {
    lives: Lives { ca: time::Duration::days(90), leaf: time::Duration::minutes(4) },
    announcement: time::Duration::seconds(60),
};
/// API servers hear of a bundle at most this late. The announcement is longer.
const LAG: Duration = Duration::from_secs(55);
const NAMES: [&str; 1] = ["127.0.0.1"];

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    FirstStart,
    Rotation,
}

/// Who is there when the first replica is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Survivors {
    /// Another replica; the first one stays away.
    Other,
    /// Nobody: the first one is started again and knows nothing.
    Restarted,
    /// Another replica, and the first one is started again.
    Both,
}

/// A process.
struct Replica {
    task: JoinHandle<()>,
    ready: watch::Receiver<bool>,
    resolver: Arc<Resolver>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Replica {
    fn start(server: &Arc<Server>, fuse: &Arc<Fuse>) -> Self {
        let client = api_server::client(server, fuse);
        let resolver = Arc::new(Resolver::default());
        let keeper = Keeper {
            store: Store::new(client.clone(), "ns", "ca".to_owned()),
            targets: [Target::mutating(client.clone(), "hook"), Target::validating(client, "hook")],
            names: NAMES.map(str::to_owned).to_vec(),
            pace: PACE,
            clock: server.clock(),
            resolver: resolver.clone(),
            metrics: Metrics::default(),
            held: None,
            serving: None,
            live: None,
        };
        let (published, ready) = watch::channel(false);
        Self { task: tokio::spawn(keep(keeper, published)), ready, resolver }
    }
}

struct Install {
    scene: Scene,
    survivors: Survivors,
    server: Arc<Server>,
    /// Of the one that is killed.
    fuse: Arc<Fuse>,
    replicas: Vec<Replica>,
}

impl Install {
    fn start_another(&mut self) {
        self.replicas.push(Replica::start(&self.server, &Arc::default()));
    }

    /// Time goes on for a second, and the handshakes of that second are made.
    async fn second(&mut self) -> Result<(), String> {
        let fuse = self.fuse.clone();
        tokio::select! {
            () = fuse.blown() => {
                drop(self.replicas.remove(0));
                if self.survivors != Survivors::Other {
                    self.start_another();
                }
            }
            () = sleep(Duration::from_secs(1)) => {}
        }
        // API servers call whoever is ready.
        let called = self.replicas.iter().filter(|replica| *replica.ready.borrow());
        called.filter_map(|replica| replica.resolver.0.load_full()).try_for_each(|leaf| self.server.shake(&leaf))
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        let begun = Instant::now();
        while !done(self) {
            self.second().await?;
            if begun.elapsed() > Duration::from_secs(40 * 60) {
                return Err(format!("not {what}: {}", self.server.told()));
            }
        }
        Ok(())
    }

    /// One CA and nothing beside it, trusted in both configurations, and all are ready.
    fn is_settled(&self) -> bool {
        self.server.has_one_ca() && self.replicas.iter().all(|replica| *replica.ready.borrow())
    }
}

/// Walks a scene, cut there; answers with the requests of the first replica, or what went wrong.
async fn walk(
    scene: Scene,
    survivors: Survivors,
    cut: Option<(usize, Cut)>,
    lag: Duration,
) -> Result<Vec<String>, String> {
    let (server, fuse) = (Arc::new(Server::new(lag)), Arc::new(Fuse::default()));
    if scene == Scene::FirstStart {
        fuse.arm(cut);
    }
    let replicas = vec![Replica::start(&server, &fuse)];
    let mut install = Install { scene, survivors, server, fuse, replicas };
    if survivors != Survivors::Restarted {
        install.start_another();
    }
    install.until("settled", Install::is_settled).await?;
    if install.scene == Scene::Rotation {
        install.server.ask();
        install.fuse.arm(cut);
        install.until("rotated", |it| it.server.signed_with() > 1 && it.is_settled()).await?;
    }
    let after = Instant::now();
    install.until("at rest", |_| after.elapsed() > Duration::from_secs(62)).await?;
    let want = if scene == Scene::Rotation { 2 } else { 1 };
    if install.server.signed_with() != want || !install.is_settled() {
        return Err(format!("signed with {} CAs: {}", install.server.signed_with(), install.server.told()));
    }
    Ok(install.fuse.requests())
}

/// Every cut of a scene; answers with the writes that were cut.
async fn sweep(scene: Scene, survivors: Survivors) -> Vec<String> {
    let whole = walk(scene, survivors, None, LAG).await.unwrap_or_else(|why| panic!("uncut: {why}"));
    let mut failed = Vec::new();
    for (at, request) in whole.iter().enumerate() {
        // After a request that only reads, all is as it was before it. And where only the API server dies, nobody has to survive.
        let is_write = !request.starts_with("GET");
        let cuts: &[Cut] = match (is_write, survivors) {
            (true, Survivors::Other) => &[Cut::DiesBefore, Cut::DiesAfter, Cut::Refused, Cut::Unanswered],
            (true, Survivors::Restarted | Survivors::Both) => &[Cut::DiesBefore, Cut::DiesAfter],
            (false, Survivors::Other) => &[Cut::DiesBefore, Cut::Refused],
            (false, Survivors::Restarted | Survivors::Both) => &[Cut::DiesBefore],
        };
        for &cut in cuts {
            let walked = walk(scene, survivors, Some((at, cut)), LAG).await;
            failed.extend(walked.err().map(|why| format!("{cut:?} at {at}, {request}: {why}")));
        }
    }
    println!("{scene:?}, {survivors:?}: cut at each of {} requests", whole.len());
    assert!(failed.is_empty(), "{} cuts fail: {}", failed.len(), failed.join("\n"));
    whole.into_iter().filter(|request| !request.starts_with("GET")).collect()
}

const PUBLISHED: [&str; 2] = ["PATCH mutatingwebhookconfigurations", "PATCH validatingwebhookconfigurations"];

#[tokio::test(start_paused = true)]
async fn cert3_killed_at_any_request_of_the_first_start_leaves_nothing_to_do_by_hand() {
    for survivors in [Survivors::Other, Survivors::Restarted, Survivors::Both] {
        let writes = sweep(Scene::FirstStart, survivors).await;
        assert_eq!(writes, ["POST secrets", PUBLISHED[0], PUBLISHED[1]], "{survivors:?}");
    }
}

/// Announced, promoted, retired.
const ROTATED: [&str; 7] =
    ["PUT secrets", PUBLISHED[0], PUBLISHED[1], "PUT secrets", "PUT secrets", PUBLISHED[0], PUBLISHED[1]];

#[tokio::test(start_paused = true)]
async fn cert1_cert4_killed_at_any_request_of_a_rotation_while_another_goes_on() {
    sweep(Scene::Rotation, Survivors::Other).await;
}

#[tokio::test(start_paused = true)]
async fn cert1_cert4_killed_at_any_request_of_a_rotation_and_started_again_alone() {
    assert_eq!(sweep(Scene::Rotation, Survivors::Restarted).await, ROTATED);
}

#[tokio::test(start_paused = true)]
async fn cert1_cert4_killed_at_any_request_of_a_rotation_and_started_again_beside_another() {
    sweep(Scene::Rotation, Survivors::Both).await;
}

#[tokio::test(start_paused = true)]
async fn the_sweep_finds_an_announcement_that_is_too_short() {
    let why = walk(Scene::Rotation, Survivors::Other, None, Duration::from_secs(100)).await.expect_err("untrusted");
    assert!(why.starts_with("a handshake fails"), "{why}");
}
