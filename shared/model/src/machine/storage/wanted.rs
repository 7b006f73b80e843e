//! The disks that a Machine asks for, and what each is filled with. Pure. X16, X23, T6, T14.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::image::{is_http, is_image, is_iso, iso_url};
use super::super::intent::Admitted;
use super::super::observed::Observed;
use super::super::write::Kind;
use crate::api::machine::disk::{Disk, DiskSource};
use crate::message::{SizedDisk, said};
use crate::names::{ISO_BYTES, ISO_DISK, ISO_SIZE, claim_name};
use crate::patch::UserPatch;
use crate::quantity;
use crate::text::line;

/// Bytes of what an author wrote, in a sentence.
const QUOTED: usize = 128;

/// One disk of the VM.
pub(in super::super) struct Wanted {
    /// Name and size.
    pub(super) disk: SizedDisk,
    /// Name of its claim.
    pub(super) claim: String,
    /// What it is filled with when it is made, or why that cannot be.
    pub(super) source: Result<Source, String>,
    /// It is the CD-ROM.
    pub(super) cdrom: bool,
    /// What its author says about its claim.
    pub(super) user: UserPatch,
}

impl Wanted {
    /// There is no claim of its name, and none is on its way.
    pub(super) fn is_unmade(&self, seen: &Observed) -> bool {
        let coming = |kind| seen.awaited.contains(&(kind, self.claim.clone()));
        !seen.claims.contains_key(&self.claim) && !coming(Kind::Claim) && !coming(Kind::DataVolume)
    }
}

/// What a disk is filled with when it is made.
#[derive(PartialEq)]
pub(super) enum Source {
    /// Nothing.
    Blank,
    /// What CDI fetches, in its words.
    Import(Value),
    /// The claim is there already: another Machine left it behind.
    Retained,
}

impl Source {
    /// What tells the source of one DataVolume from another's.
    pub(super) fn hash(source: &Value) -> String {
        format!("{:.16}", format!("{:x}", Sha256::digest(source.to_string().as_bytes())))
    }
}

/// Every disk whose claim is ours to make and to keep, the CD-ROM last.
pub(in super::super) fn managed(admitted: &Admitted) -> Vec<Wanted> {
    disks(admitted).into_iter().filter(|wanted| !wanted.user.unmanaged).collect()
}

/// Every disk, the CD-ROM last.
pub(in super::super) fn disks(admitted: &Admitted) -> Vec<Wanted> {
    let sized = &admitted.sizing.disks;
    let boot = sized.iter().position(|disk| disk.boot).unwrap_or(0);
    let mut all: Vec<Wanted> = (sized.iter().enumerate())
        .map(|(index, disk)| {
            let mut given = admitted.spec.disks.iter().enumerate();
            let given = given.find(|(index, given)| called(given, *index) == disk.name);
            let given = given.and_then(|(_, given)| given.source.as_ref());
            let retained = given.and_then(|source| said(source.retained.as_deref()));
            Wanted {
                disk: disk.clone(),
                claim: retained.map_or_else(|| claim_of(admitted, &disk.name), str::to_owned),
                source: match given {
                    Some(given) => source(given, admitted),
                    None if index == boot => image(admitted),
                    None => Ok(Source::Blank),
                },
                cdrom: false,
                user: UserPatch::default(),
            }
        })
        .collect();
    all.extend(cdrom(admitted, sized.get(boot)));
    if let Ok(patches) = &admitted.patches {
        for wanted in &mut all {
            wanted.user = patches.disks.get(&wanted.disk.name).cloned().unwrap_or_default();
        }
    }
    all
}

/// The claim of a disk. One that the published operator made is recorded under the name that it gave to boot disks (X16).
fn claim_of(admitted: &Admitted, disk: &str) -> String {
    let machine = &admitted.identity.key.name;
    let recorded = admitted.disks.iter().find(|it| it.name.as_deref() == Some(disk));
    let published = recorded.and_then(|it| it.pvc_name.as_ref()).filter(|claim| *claim == machine);
    published.cloned().unwrap_or_else(|| claim_name(machine, disk))
}

/// What a disk without a name is called (KVO9).
fn called(disk: &Disk, index: usize) -> String {
    match said(disk.name.as_deref()) {
        Some(name) => name.to_owned(),
        None if index == 0 => "root".to_owned(),
        None => format!("disk{index}"),
    }
}

fn source(given: &DiskSource, admitted: &Admitted) -> Result<Source, String> {
    let namespace = &admitted.identity.vm.namespace;
    if said(given.retained.as_deref()).is_some() {
        return Ok(Source::Retained);
    }
    if let Some(http) = &given.http {
        return Ok(Source::Import(json!({"http": {"url": http.url}})));
    }
    if let Some(registry) = &given.registry {
        return Ok(Source::Import(json!({"registry": {"url": registry.url}})));
    }
    let Some(pvc) = &given.pvc else { return Ok(Source::Blank) };
    // What lies in a namespace that several tenants share is not told apart by it: a copy would be theft (T14).
    if let Some(namespace) = &admitted.shared {
        return Err(format!(
            "source.pvc: its VM is in namespace {namespace:?} of the cluster, which other namespaces share by their KubevirtConfig: nothing is copied there; use source.http or source.registry"
        ));
    }
    match said(pvc.namespace.as_deref()).filter(|other| other != namespace) {
        Some(other) => Err(format!(
            "source.pvc: a volume is copied from the namespace of its VM only, {namespace:?}, and not from {:?}: leave source.pvc.namespace out",
            line(other, QUOTED)
        )),
        None => Ok(Source::Import(json!({"pvc": {"namespace": namespace, "name": pvc.name}}))),
    }
}

/// The image of the boot disk (`spec.os.imageID`).
fn image(admitted: &Admitted) -> Result<Source, String> {
    let os = admitted.spec.os.as_ref();
    let Some(image) = os.and_then(|os| said(os.image_id.as_deref())) else { return Ok(Source::Blank) };
    match image {
        // That is the CD-ROM, unless there is another one.
        iso if is_iso(iso) => Ok(Source::Blank),
        url if is_http(url) => Ok(Source::Import(json!({"http": {"url": url}}))),
        url if is_image(url) => Ok(Source::Import(json!({"registry": {"url": url}}))),
        other => Err(format!(
            "spec.os.imageID: {:?} is no image that is known here: write an http:// or https:// URL of a disk image or an .iso, or docker:// and a container disk",
            line(other, QUOTED)
        )),
    }
}

/// The CD-ROM lies where the boot disk does.
fn cdrom(admitted: &Admitted, boot: Option<&SizedDisk>) -> Option<Wanted> {
    let os = admitted.spec.os.as_ref()?;
    let url = iso_url(os.iso_uri.as_deref(), os.image_id.as_deref())?;
    let size = admitted.words.get(ISO_SIZE).filter(|size| !size.is_empty());
    let mut source = Ok(Source::Import(json!({"http": {"url": url}})));
    if let Some(wrong) = size.filter(|size| quantity::size(size).is_err()) {
        source = Err(format!("the annotation {ISO_SIZE}: {:?} is no size such as {ISO_BYTES:?}", line(wrong, QUOTED)));
    }
    if admitted.sizing.disks.iter().any(|disk| disk.name == ISO_DISK) {
        source = Err(format!("a disk has the name {ISO_DISK:?}, which the CD-ROM needs: rename the disk"));
    }
    let disk = SizedDisk {
        name: ISO_DISK.to_owned(),
        size: size.cloned().unwrap_or_else(|| ISO_BYTES.to_owned()),
        storage_class: boot.and_then(|boot| boot.storage_class.clone()),
        access_mode: boot.map_or_else(|| "ReadWriteOnce".to_owned(), |boot| boot.access_mode.clone()),
        volume_mode: boot.and_then(|boot| boot.volume_mode.clone()),
        boot: false,
    };
    let claim = claim_name(&admitted.identity.key.name, ISO_DISK);
    Some(Wanted { disk, claim, source, cdrom: true, user: UserPatch::default() })
}
