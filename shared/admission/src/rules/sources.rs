//! Where the first content of a disk comes from, and the ISO image. Pure. T6, T14.

use super::ask::Ask;
use super::form::{
    HTTP_URL_RULE, LABEL_RULE, REGISTRY_URL_RULE, SUBDOMAIN_RULE, invalid, is_http_url, is_label, is_local,
    is_registry_url, is_subdomain, shown,
};
use crate::review::{Spec, Text, UrlSource};
use model::machine::storage::iso_url;
use model::reason::{Reason, Violation};

/// Longest URL.
const URL: usize = 2048;

const IMAGE_RULE: &str = "must have at most 2048 characters and be an http:// or https:// URL with a host name or an address, without user or password, or docker:// and a container disk";

type Form = fn(&str) -> bool;

/// What keywords of the schema say.
pub fn keywords(spec: &Spec<'_>, wrong: &mut Vec<Violation>) {
    for (index, disk) in spec.disks.iter().flatten().enumerate() {
        let Some(source) = &disk.source else { continue };
        let path = |field: &str| format!("spec.disks[{index}].source{field}");
        let given = usize::from(source.http.is_some())
            + usize::from(source.registry.is_some())
            + usize::from(source.pvc.is_some())
            + usize::from(source.retained.is_some());
        if given != 1 {
            let says = format!("must name exactly one of http, registry, pvc and retained, and names {given}");
            wrong.push(Reason::FieldInvalid.at(path("")).says(says));
        }
        let urls: [(&str, &Option<UrlSource<'_>>, Form, &str); 2] = [
            (".http.url", &source.http, is_http_url, HTTP_URL_RULE),
            (".registry.url", &source.registry, is_registry_url, REGISTRY_URL_RULE),
        ];
        for (field, source, form, rule) in urls {
            if let Some(source) = source {
                let url = required(|| path(field), source.url.as_ref(), rule, wrong);
                if let Some(url) = url.filter(|url| url.len() > URL || !form(url)) {
                    wrong.push(invalid(path(field), url, rule));
                }
            }
        }
        if let Some(name) = source.retained.as_deref().filter(|name| !is_subdomain(name)) {
            wrong.push(invalid(path(".retained"), name, SUBDOMAIN_RULE));
        }
        if let Some(pvc) = &source.pvc {
            let rule = "name the PersistentVolumeClaim to copy";
            let name = required(|| path(".pvc.name"), pvc.name.as_ref(), rule, wrong);
            if let Some(name) = name.filter(|name| !is_subdomain(name)) {
                wrong.push(invalid(path(".pvc.name"), name, SUBDOMAIN_RULE));
            }
            if let Some(namespace) = pvc.namespace.as_deref().filter(|it| !it.is_empty() && !is_label(it)) {
                wrong.push(invalid(path(".pvc.namespace"), namespace, LABEL_RULE));
            }
        }
    }
    let image = spec.os.as_ref().and_then(|os| os.image_id.as_deref());
    // What is no URL is never fetched.
    let is_odd = |image: &&str| image.contains("//") && !is_http_url(image) && !is_registry_url(image);
    if let Some(image) = image.filter(|image| image.chars().count() > URL || is_odd(image)) {
        wrong.push(invalid("spec.os.imageID".to_owned(), image, IMAGE_RULE));
    }
    let iso_uri = spec.os.as_ref().and_then(|os| os.iso_uri.as_deref()).filter(|uri| !uri.is_empty());
    if let Some(uri) = iso_uri.filter(|uri| uri.len() > URL || !is_http_url(uri)) {
        wrong.push(invalid("spec.os.isoUri".to_owned(), uri, HTTP_URL_RULE));
    }
}

fn required<'t>(
    path: impl FnOnce() -> String,
    text: Option<&'t Text<'_>>,
    rule: &str,
    wrong: &mut Vec<Violation>,
) -> Option<&'t str> {
    if text.is_none() {
        wrong.push(Reason::FieldRequired.at(path()).says(format!("Required value: {rule}")));
    }
    text.map(|text| &**text)
}

/// The ISO image; an empty one is unset.
pub fn iso<'s>(spec: &'s Spec<'_>) -> Option<&'s str> {
    let os = spec.os.as_ref()?;
    iso_url(os.iso_uri.as_deref(), os.image_id.as_deref())
}

/// An image cannot come from the importer's own address, nor from its node's metadata service (T6).
pub fn http(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    remote(ask, "http", says, wrong);
}

/// The same for container disks.
pub fn registry(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    remote(ask, "registry", says, wrong);
}

fn remote(ask: &Ask<'_>, kind: &str, says: &str, wrong: &mut Vec<Violation>) {
    for (index, disk) in ask.object.spec.disks.iter().flatten().enumerate() {
        let source = disk.source.as_ref();
        let source = source.and_then(|it| if kind == "http" { it.http.as_ref() } else { it.registry.as_ref() });
        if let Some(url) = source.and_then(|it| it.url.as_deref()).filter(|url| is_local(url)) {
            wrong.push(local(format!("spec.disks[{index}].source.{kind}.url"), url, says));
        }
    }
}

/// The same for the ISO image.
pub fn remote_iso(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let uri = ask.object.spec.os.as_ref().and_then(|os| os.iso_uri.as_deref());
    if let Some(uri) = uri.filter(|uri| is_local(uri)) {
        wrong.push(local("spec.os.isoUri".to_owned(), uri, says));
    }
}

/// The same for the image of the boot disk.
pub fn remote_image(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let image = ask.object.spec.os.as_ref().and_then(|os| os.image_id.as_deref());
    if let Some(image) = image.filter(|image| is_local(image)) {
        wrong.push(local("spec.os.imageID".to_owned(), image, says));
    }
}

fn local(path: String, url: &str, says: &str) -> Violation {
    Reason::FieldForbidden.at(path).says(format!("Forbidden: {:?}: {says}", shown(url)))
}
