//! Fields that are accepted without an effect: named in a warning, none in silence. Pure. X74.

use super::ask::Ask;
use super::cloudinit;
use super::form::shown;
use crate::findings::LINE;
use crate::review::Spec;
use model::machine::storage::is_image;

/// Lines of one kind; unknown fields are pruned before admission, so this is never met.
const LINES: usize = 8;

/// Warnings that share a beginning and list fields.
struct Listing<'w> {
    begins: &'static str,
    lines: Vec<String>,
    warnings: &'w mut Vec<String>,
}

impl<'w> Listing<'w> {
    fn new(begins: &'static str, warnings: &'w mut Vec<String>) -> Self {
        Self { begins, lines: Vec::new(), warnings }
    }

    fn name(&mut self, path: &str, key: &str) {
        let cut = if key.len() > 64 { key.char_indices().nth(64) } else { None };
        let key = cut.map_or(key, |(at, _)| &key[..at]);
        let full = self.lines.last().is_none_or(|line| line.len() + path.len() + key.len() + 2 > LINE);
        if full && self.lines.len() == LINES {
            return;
        }
        if full {
            let mut line = String::with_capacity(LINE);
            line.push_str(self.begins);
            self.lines.push(line);
        } else if let Some(line) = self.lines.last_mut() {
            line.push_str(", ");
        }
        if let Some(line) = self.lines.last_mut() {
            line.push_str(path);
            line.push_str(key);
        }
    }

    fn name_if(&mut self, given: bool, path: &str) {
        if given {
            self.name(path, "");
        }
    }

    fn say(self) {
        self.warnings.extend(self.lines);
    }
}

/// Warns of what is set and has no effect.
pub fn warn(ask: &Ask<'_>, warnings: &mut Vec<String>) {
    let spec = &ask.object.spec;
    never(spec, warnings);
    cloudinit::warn(spec, warnings);
    let (name, machine) = (spec.name.as_deref(), ask.object.metadata.name.as_deref());
    if let (Some(name), Some(machine)) = (name, machine.filter(|machine| !machine.is_empty()))
        && name != machine
    {
        let name: String = name.chars().take(64).collect();
        warnings
            .push(format!("spec.name: {name:?} has no effect: everything is named after metadata.name, {machine:?}"));
    }
    let image = spec.os.as_ref().and_then(|os| os.image_id.as_deref()).filter(|image| !image.is_empty());
    if let Some(image) = image.filter(|image| !is_image(image)) {
        warnings.push(format!(
            "spec.os.imageID: {:?} is no image that is known here, and no boot disk is made from it: write an http:// or https:// URL, or docker:// and a container disk",
            shown(image)
        ));
    }
    let cdrom = super::sources::iso(spec).is_some();
    if !cdrom && spec.boot_order.iter().flatten().any(|device| &**device == "cdrom") {
        warnings.push("spec.bootOrder: cdrom is passed over: without spec.os.isoUri there is none".to_owned());
    }
    for (index, disk) in spec.disks.iter().flatten().enumerate() {
        if disk.boot == Some(true) && disk.access_mode.as_deref() == Some("ReadOnlyMany") {
            warnings.push(format!("spec.disks[{index}]: the guest starts from this disk and cannot write to it: its accessMode is ReadOnlyMany"));
        }
    }
}

/// What means nothing to KubeVirt.
fn never(spec: &Spec<'_>, warnings: &mut Vec<String>) {
    let mut listing = Listing::new("without effect on KubeVirt: ", warnings);
    for key in &spec.rest {
        listing.name("spec.", key);
    }
    let disks = spec.disks.as_deref().unwrap_or_default();
    for (index, disk) in disks.iter().enumerate() {
        for key in disk.rest.iter().filter(|key| !disks[..index].iter().any(|other| other.rest.contains(key))) {
            listing.name("spec.disks[].", key);
        }
    }
    listing.name_if(disks.iter().any(|disk| disk.iops.is_some()), "spec.disks[].iops");
    listing.name_if(disks.iter().any(|disk| disk.throughput.is_some()), "spec.disks[].throughput");
    if let Some(network) = &spec.network {
        for key in &network.rest {
            listing.name("spec.network.", key);
        }
        let beside = network.network_namespace_name.as_deref().is_some_and(|name| !name.is_empty())
            && spec.networks.as_ref().is_some_and(|networks| !networks.is_empty());
        listing.name_if(beside, "spec.network.networkNamespaceName (spec.networks counts)");
    }
    if let Some(os) = &spec.os {
        for key in &os.rest {
            listing.name("spec.os.", key);
        }
        listing.name_if(os.architecture.is_some(), "spec.os.architecture");
    }
    listing.say();
}
