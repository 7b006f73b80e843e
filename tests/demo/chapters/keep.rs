//! What outlives a Machine, and what was there before one.

use crate::Result;
use crate::story::{Story, file};

/// The UID of a VM's instance, which another one has after a restart.
const INSTANCE: &str = r#"jsonpath={.metadata.uid}{"\n"}"#;

/// Disks that stay.
pub(super) async fn retain(story: &mut Story<'_>) -> Result<()> {
    story.anew(&["database"]).await?;
    story.tell("database: its annotation vitistack.io/deletion-policy says Retain");
    story.apply("retained.yaml").await?;
    story.wait("database", "condition=Ready").await?;
    story.tell("it is deleted: the VM goes, its disks stay, and say whose they were");
    story.run(&["delete", "machine", "database"]).await?;
    let whose = r"custom-columns=NAME:.metadata.name,STATUS:.status.phase,KEPT-FOR:.metadata.annotations.vitistack\.io/retained-from,DISK:.metadata.annotations.vitistack\.io/retained-disk";
    story.on("east", &["get", "vm,pvc", "-l", "vitistack.io/retained=true", "-o", whose]).await?;
    story.tell("the same Machine is applied again, and has its disks back, with their content");
    story.apply("retained.yaml").await?;
    story.wait("database", "condition=Ready").await?;
    story.describe("database", &["DiskReattached"]).await
}

/// VMs that are taken over as they run.
pub(super) async fn adopt(story: &mut Story<'_>) -> Result<()> {
    story.anew(&["legacy", "shop"]).await?;
    story.tell(
        "somebody made a VM by hand on west. A Machine of its name that names no cluster goes there, and adopts it",
    );
    story.on("west", &["apply", "-f", &file("adoption-vm.yaml")]).await?;
    story.apply("adoption.yaml").await?;
    story.wait("legacy", "condition=Ready").await?;
    story.describe("legacy", &["Adopted"]).await?;

    story.tell(
        "a VM as the published Go operator makes it, with its labels, its disk and its name, which has no prefix",
    );
    story.on("west", &["apply", "-f", &file("go-operator-vm.yaml")]).await?;
    story.wait_on("west", "vm/shop", "condition=Ready").await?;
    story.on("west", &["get", "vmi", "shop", "-o", INSTANCE]).await?;
    story.tell("its Machine, as its users have it: the VM is taken over, and that operator's finalizer is taken off");
    story.apply("go-operator.yaml").await?;
    story.wait("shop", "condition=Ready").await?;
    story.describe("shop", &["SpecApplied", "VirtualMachineReady", "Adopted"]).await?;
    story.run(&["get", "machine", "shop", "-o", r#"jsonpath={.metadata.finalizers}{"\n"}"#]).await?;
    story.tell("it is the same instance as before: nothing was restarted");
    story.on("west", &["get", "vmi", "shop", "-o", INSTANCE]).await
}
