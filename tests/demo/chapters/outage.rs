//! Parts that go away: a cluster, and the controller that works.

use ::tests::fleet::{Component, Fleet};
use ::tests::process::Stop;

use crate::notes::Notes;
use crate::story::Story;
use crate::{Result, say};

/// Who works.
const LEASE: [&str; 5] = ["-n", "kubevirt-operator-system", "get", "lease", "kubevirt-operator-controller"];
/// The first one has taken it.
const HELD: [&str; 6] = [
    "-n",
    "kubevirt-operator-system",
    "wait",
    "lease/kubevirt-operator-controller",
    "--for=jsonpath={.spec.holderIdentity}",
    "--timeout=30s",
];

/// The cluster west goes and comes back.
pub(super) async fn cluster(story: &mut Story<'_>) -> Result<()> {
    let west = Component::Remote("west".to_owned());
    story.anew(&["roomy-vm"]).await?;
    story.apply("overrides.yaml").await?;
    story.wait("custom-vm", "condition=Ready").await?;
    story.tell("the API server of west stops. Its VMs would run on, but nobody sees or changes them");
    part("stop west", story.fleet.stop(&west, Stop::Gracefully)).await?;
    story.wait("custom-vm", "condition=ClusterReachable=False").await?;
    story.describe("custom-vm", &["ClusterReachable", "Ready", "ClusterUnreachable"]).await?;
    story.tell("an edit of a Machine there is stored with a warning, and waits");
    story.run(&["annotate", "machine", "custom-vm", "--overwrite", "example.com/note=during the outage"]).await?;
    story.tell("east goes on: a new Machine gets its VM there");
    story.apply("root-disk.yaml").await?;
    story.wait("roomy-vm", "condition=Ready").await?;
    story.run(&["get", "machines"]).await?;
    story.run(&["-n", "kubevirt-configs", "get", "kubevirtconfigs"]).await?;
    story.tell("west is back");
    part("start west", story.fleet.start(&west)).await?;
    story.wait("custom-vm", "condition=Ready").await?;
    story.describe("custom-vm", &["ClusterReachable", "Ready"]).await
}

/// Two controllers, of which one works.
pub(super) async fn leader(story: &mut Story<'_>) -> Result<()> {
    story.anew(&["western-vm"]).await?;
    story.tell(
        "a second controller, as with `helm upgrade … --set replicaCount=2`. Which one works, they agree on by a Lease",
    );
    let notes = Notes::unsettled(story.home)?;
    say::during("starting two controllers", begin(story.fleet)).await?;
    let told = takeover(story).await;
    // Whatever came of it: the fleet is left with the one controller that it had.
    say::during("going back to one controller", end(story.fleet)).await?;
    notes.write(story.home)?;
    told
}

async fn begin(fleet: &Fleet) -> ::tests::Result<()> {
    fleet.stop(&Component::Controller, Stop::Gracefully).await?;
    fleet.start_with(&Component::Controller, &[("LEADER_ELECTION", "true"), ("HOSTNAME", "controller")]).await?;
    fleet.start_with(&Component::SecondController, &[("LEADER_ELECTION", "true"), ("HOSTNAME", "controller-2")]).await
}

async fn takeover(story: &mut Story<'_>) -> Result<()> {
    story.run(&HELD).await?;
    story.run(&LEASE).await?;
    story.tell(
        "the one that works is killed, as if its node had died. Machines are taken and placed by the webhook meanwhile",
    );
    part("stop --kill controller", story.fleet.stop(&Component::Controller, Stop::AtOnce)).await?;
    story.apply("cluster-selector.yaml").await?;
    story.run(&["get", "machine", "western-vm", "-o", "wide"]).await?;
    story.tell(
        "the second one takes the Lease when it has run out, which takes up to 17 s, and goes on with what it finds",
    );
    story.wait("western-vm", "condition=Ready").await?;
    story.run(&LEASE).await?;
    story.describe("western-vm", &["Ready", "Running"]).await
}

async fn end(fleet: &Fleet) -> ::tests::Result<()> {
    fleet.stop(&Component::SecondController, Stop::Gracefully).await?;
    fleet.stop(&Component::Controller, Stop::Gracefully).await?;
    fleet.start(&Component::Controller).await
}

/// Stops or starts a part, and says which command would.
async fn part(command: &str, work: impl Future<Output = ::tests::Result<()>>) -> Result<()> {
    say::command(&format!("cargo demo {command}"));
    say::during(&format!("waiting for `cargo demo {command}`"), work).await?;
    Ok(())
}
