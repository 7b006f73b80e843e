//! What a machine boots: image, first boot, firmware, and what only a patch can set.

use crate::Result;
use crate::story::Story;

/// Image, user data, keys, networks.
pub(super) async fn image(story: &mut Story<'_>) -> Result<()> {
    story.anew(&["web"]).await?;
    story.tell(
        "web: its root disk is filled from an image by CDI, and its user data stands in a Secret on the supervisor",
    );
    story.apply("cloud-image.yaml").await?;
    story.wait("web", "condition=Ready").await?;
    story.describe("web", &["StorageReady", "NetworkReady", "SpecApplied"]).await?;
    story.tell("on west: the DataVolume that fills the disk, the VLAN, and the user data with the SSH key in a Secret");
    story.on("west", &["get", "dv,net-attach-def"]).await?;
    let data = "go-template={{.data.userdata | base64decode}}";
    story.on("west", &["get", "secret", "web-cloudinit", "-o", data]).await?;
    story.tell("the VM only names that Secret, and the guest has an address on both interfaces");
    let disk = r#"jsonpath={.spec.template.spec.volumes[?(@.name=="cloudinitdisk")]}{"\n"}"#;
    story.on("west", &["get", "vm", "vm-web", "-o", disk]).await?;
    let addresses =
        r#"jsonpath={range .status.networkInterfaces[*]}{.name} {.macAddress} {.ipAddresses[0]}{"\n"}{end}"#;
    story.run(&["get", "machine", "web", "-o", addresses]).await
}

/// Firmware, and a patch that comes and goes.
pub(super) async fn patch(story: &mut Story<'_>) -> Result<()> {
    story.anew(&["secure-vm"]).await?;
    story.tell("secure-vm: UEFI with secure boot are fields; a TPM has none, so a patch of the VM adds it");
    story.apply("firmware.yaml").await?;
    story.wait("secure-vm", "condition=Ready").await?;
    let seen = r#"jsonpath={.spec.template.spec.domain.firmware} tpm:{.spec.template.spec.domain.devices.tpm}{"\n"}"#;
    story.on("east", &["get", "vm", "vm-secure-vm", "-o", seen]).await?;
    story.tell("the patch is taken away: its effect goes, too, and the guest notices at its next start");
    story.run(&["annotate", "machine", "secure-vm", "platform.kubevirt.io/patch-"]).await?;
    story.wait("secure-vm", "condition=RestartRequired").await?;
    story.on("east", &["get", "vm", "vm-secure-vm", "-o", seen]).await?;
    story.describe("secure-vm", &["RestartRequired"]).await
}
