//! What changes while a machine runs: by others on its cluster, and by its author.

use crate::Result;
use crate::story::Story;

const IGNORE: &str = "platform.kubevirt.io/ignore-fields";

/// Changes on the cluster.
pub(super) async fn drift(story: &mut Story<'_>) -> Result<()> {
    story.apply("basic.yaml").await?;
    story.wait("basic-vm", "condition=Ready").await?;
    story.tell("somebody gives the VM of basic-vm seven cores, on its cluster and past its Machine: that is set back, and told");
    let cores = r#"{"spec":{"template":{"spec":{"domain":{"cpu":{"cores":7}}}}}}"#;
    story.on("east", &["patch", "vm", "vm-basic-vm", "--type=merge", "-p", cores]).await?;
    let two = "jsonpath={.spec.template.spec.domain.cpu.cores}=2";
    story.wait_on("east", "vm/vm-basic-vm", two).await?;
    story.describe("basic-vm", &["DriftCorrected"]).await?;

    story.tell("the author leaves the cores to others: of a change of cores and memory, only the memory is set back");
    let ignore = format!("{IGNORE}=/spec/template/spec/domain/cpu/cores");
    story.run(&["annotate", "machine", "basic-vm", "--overwrite", &ignore]).await?;
    let both = r#"{"spec":{"template":{"spec":{"domain":{"cpu":{"cores":7},"memory":{"guest":"9Gi"}}}}}}"#;
    story.on("east", &["patch", "vm", "vm-basic-vm", "--type=merge", "-p", both]).await?;
    let four = "jsonpath={.spec.template.spec.domain.memory.guest}=4Gi";
    story.wait_on("east", "vm/vm-basic-vm", four).await?;
    let seven = "jsonpath={.spec.template.spec.domain.cpu.cores}=7";
    story.wait_on("east", "vm/vm-basic-vm", seven).await?;

    story.tell("the annotation goes, and with it the exception: the cores are set back as well");
    story.run(&["annotate", "machine", "basic-vm", &format!("{IGNORE}-")]).await?;
    story.wait_on("east", "vm/vm-basic-vm", two).await
}

/// Edits of the Machine.
pub(super) async fn edits(story: &mut Story<'_>) -> Result<()> {
    story.anew(&["archive"]).await?;
    story.apply("data-disk.yaml").await?;
    story.wait("archive", "condition=Ready").await?;
    grow(story).await?;
    restart(story).await?;
    halt(story).await
}

async fn grow(story: &mut Story<'_>) -> Result<()> {
    let size = |size: &str| format!(r#"{{"spec":{{"disks":[{{"name":"data","size":"{size}"}}]}}}}"#);
    story.tell("the disk data grows from 5Gi to 8Gi, while the machine runs");
    story.run(&["patch", "machine", "archive", "--type=merge", "-p", &size("8Gi")]).await?;
    story.wait_on("east", "pvc/archive-data", "jsonpath={.status.capacity.storage}=8Gi").await?;
    story.wait("archive", "condition=StorageReady").await?;
    let disks = r#"jsonpath={range .status.disks[*]}{.name} asks for {.requestedSize}, has {.size} bytes{"\n"}{end}"#;
    story.run(&["get", "machine", "archive", "-o", disks]).await?;
    story.tell("a disk never shrinks");
    story
        .refused("archive with a disk of 5Gi", &["patch", "machine", "archive", "--type=merge", "-p", &size("5Gi")])
        .await
}

async fn restart(story: &mut Story<'_>) -> Result<()> {
    story.tell("two cores instead of one: the guest sees them with its next start. Nothing is restarted unasked");
    let edit = r#"{"spec":{"resources":{"cpu":{"cores":2}}}}"#;
    story.run(&["patch", "machine", "archive", "--type=merge", "-p", edit]).await?;
    story.wait("archive", "condition=RestartRequired").await?;
    story.describe("archive", &["RestartRequired"]).await?;
    story.tell("the author asks for a restart; each new value is one");
    story.run(&["annotate", "machine", "archive", "vitistack.io/restart=1"]).await?;
    story.wait("archive", "condition=SpecApplied").await?;
    story.wait("archive", "condition=Ready").await?;
    let cores = r#"jsonpath={.spec.domain.cpu.cores} cores{"\n"}"#;
    story.on("east", &["get", "vmi", "vm-archive", "-o", cores]).await?;
    story.describe("archive", &["SpecApplied"]).await
}

async fn halt(story: &mut Story<'_>) -> Result<()> {
    let strategy = |word: &str| format!(r#"{{"spec":{{"runStrategy":"{word}"}}}}"#);
    story.tell("the machine is halted. That is what its author wants, so it is ready");
    story.run(&["patch", "machine", "archive", "--type=merge", "-p", &strategy("Halted")]).await?;
    story.wait("archive", "jsonpath={.status.phase}=Stopped").await?;
    story.describe("archive", &["Ready", "Stopped"]).await?;
    story.on("east", &["get", "vm", "vm-archive"]).await?;
    story.tell("and runs again");
    story.run(&["patch", "machine", "archive", "--type=merge", "-p", &strategy("Always")]).await?;
    story.wait("archive", "jsonpath={.status.phase}=Running").await
}
