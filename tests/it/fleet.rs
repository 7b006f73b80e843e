//! The fleet that the suites share, and what they take for granted about it: everybody comes back under the same address
//! with the same rights, and a later process finds it all from its folder.

use crate::table::every_row;
use tests::fleet::{self, Blueprint, Component, Fleet};
use tests::install::{self, Render};
use tests::process::{Processes, Stop};
use tests::wait::eventually;
use tokio::sync::OnceCell;

/// A failure is kept, too: it would cost every test the same minute again.
static FLEET: OnceCell<Result<Fleet, String>> = OnceCell::const_new();

/// Supervisor, `east` and `west`, with webhook and controller; brought up by whoever asks first.
pub(crate) async fn shared() -> &'static Fleet {
    let up = FLEET.get_or_init(async || up(&["east", "west"], &[]).await.map_err(|error| error.to_string())).await;
    up.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// A fleet for one test that breaks things.
pub(crate) async fn fresh(remotes: &[&str]) -> Fleet {
    with(remotes, &[]).await
}

/// One with such settings of webhook and controller.
pub(crate) async fn with(remotes: &[&str], env: &[(&str, &str)]) -> Fleet {
    up(remotes, env).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn up(remotes: &[&str], env: &[(&str, &str)]) -> tests::Result<Fleet> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fleet::up(Processes::kept()?, Blueprint { env, ..Blueprint::of(remotes) }).await
}

#[tokio::test]
async fn both_processes_are_users_of_their_own_on_every_plane() {
    let fleet = shared().await;
    every_row(fleet.components(), |component| assert!(fleet.is_running(&component), "{component}"));
    let seen = |plane: &tests::plane::Plane, account: &str| {
        let records = plane.audit().since(0).expect("audit log");
        records.iter().any(|record| record.user == fleet::user(account) && record.code == 200)
    };
    assert!(seen(fleet.supervisor(), fleet::WEBHOOK_ACCOUNT));
    assert!(seen(fleet.supervisor(), fleet::CONTROLLER_ACCOUNT));
    every_row(fleet.remotes(), |remote| assert!(seen(remote, fleet::REMOTE_CONTROLLER_ACCOUNT), "{}", remote.name()));
}

#[tokio::test]
async fn a_fleet_is_found_again_in_its_folder_and_its_parts_come_back() {
    let fleet = fresh(&["north"]).await;
    let again = Fleet::open(fleet.dir()).expect("readable").expect("there is one");
    assert_eq!(again.components(), fleet.components());
    for name in ["north", "north-sim", "supervisor", "webhook", "controller"] {
        let component = again.component(name).expect("known");
        let how = if component == Component::Controller { Stop::Gracefully } else { Stop::AtOnce };
        again.stop(&component, how).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(!fleet.is_running(&component), "{name}");
        again.start(&component).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(fleet.is_running(&component), "{name}");
    }
    again.down().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(fleet.components().iter().all(|component| !fleet.is_running(component)));
    assert_eq!(fleet.processes().names(), Vec::<String>::new());
    let error = again.component("nort").expect_err("no such component").to_string();
    assert_eq!(error, "there is no component nort; there are etcd, supervisor, north, north-sim, webhook, controller");
}

#[tokio::test]
async fn g6_what_the_chart_installs_is_taken_without_a_warning() {
    let fleet = shared().await;
    let set = vec!["webhook.url=https://127.0.0.1:1".to_owned()];
    let release = Render { set, ..Render::in_namespace(fleet::NAMESPACE) };
    let rendered = install::template(&install::chart(), &release).await.unwrap_or_else(|error| panic!("{error}"));
    let args = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename", "-"];
    let printed =
        install::kubectl(fleet.supervisor(), &args, &rendered).await.unwrap_or_else(|error| panic!("{error}"));
    every_row(["machines", "machineclasses", "kubevirtconfigs", "networkconfigurations"], |plural| {
        assert!(printed.contains(&format!("/{plural}.vitistack.io serverside-applied")), "{printed}");
    });
    assert!(!printed.contains("Warning"), "{printed}");
}

#[tokio::test]
async fn fr22_what_nobody_would_act_on_is_warned_of_and_nothing_else() {
    let plane = shared().await.supervisor();
    let create = ["create", "--dry-run=server", "--filename", "-"];
    let machine = |provider: &str| {
        format!(
            "apiVersion: vitistack.io/v1alpha1\nkind: Machine\nmetadata: {{name: case, namespace: default}}\nspec: {{template: small, provider: {provider}, kubevirtConfigRef: {{name: east}}}}"
        )
    };
    let config = |namespace: &str| {
        format!(
            "apiVersion: vitistack.io/v1alpha1\nkind: KubevirtConfig\nmetadata: {{name: stray, namespace: {namespace}}}\nspec: {{name: stray, kubeconfigSecretRef: east-kubeconfig}}"
        )
    };
    let delete = ["delete", "--dry-run=server", "kubevirtconfig", "--namespace", fleet::CONFIGS_NAMESPACE, "east"];
    #[rustfmt::skip]
    let cases: [(&str, &[&str], String, Option<&str>); 6] = [
        ("another case",        &create, machine("KubeVirt"),               Some("write \"kubevirt\" in lower case")),
        ("ours",                &create, machine("kubevirt"),               None),
        ("another's",           &create, machine("proxmox"),                None),
        ("in another namespace", &create, config("default"),                Some("nobody reads this KubevirtConfig")),
        ("where they are read", &create, config(fleet::CONFIGS_NAMESPACE),  None),
        ("one that goes",       &delete, String::new(),                     Some("its KubevirtConfig stays and says how many are left")),
    ];
    // An API server acts on a policy a moment after it has taken it.
    eventually("the policies hold", async || {
        let mut wrong = Vec::new();
        for (name, args, stdin, want) in &cases {
            let printed = install::kubectl(plane, args, stdin).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            let found = printed.contains("Warning: Validation failed");
            if found != want.is_some() || !want.is_none_or(|says| printed.contains(says)) {
                wrong.push(format!("{name}: {printed}"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    })
    .await;
}
