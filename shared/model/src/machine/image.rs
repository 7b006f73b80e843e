//! Which texts are images of disks and of CD-ROMs. Pure.

use crate::message::said;

pub(super) fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// Whether an image is one that a boot disk or a CD-ROM can be filled with.
pub fn is_image(image: &str) -> bool {
    is_http(image) || image.starts_with("docker://")
}

/// Whether it is the URL of an ISO image, which is no image of a disk: users of the published operator name one so.
pub(super) fn is_iso(image: &str) -> bool {
    let path = image.split(['?', '#']).next().unwrap_or_default();
    is_http(image) && path.get(path.len().saturating_sub(4)..).is_some_and(|end| end.eq_ignore_ascii_case(".iso"))
}

/// The URL of the ISO image, of what stands in `spec.os.isoUri` and `spec.os.imageID`.
pub fn iso_url<'s>(iso_uri: Option<&'s str>, image_id: Option<&'s str>) -> Option<&'s str> {
    said(iso_uri).or(image_id.filter(|image| is_iso(image)))
}
