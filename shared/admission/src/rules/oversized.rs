//! What would make judging slow, judged first and alone: the API server checks the schema only after admission.

use crate::review::{Amount, Annotations, Disk, List, Object, Request, Text};
use model::reason::{Reason, Violation};

/// Longest of any text that names something.
const TEXT: usize = 253;
/// Longest URL, as in the schema.
const URL: usize = 2048;
/// Longest public key, as in the schema.
const SSH_KEY: usize = 16384;

type Length = (&'static str, Option<usize>);

/// The first part of a Machine that is too large to be judged.
pub fn oversized(request: &Request<'_>, object: &Object<'_>) -> Option<Violation> {
    let spec = &object.spec;
    let lists = [
        ("spec.disks", spec.disks.as_ref().and_then(List::excess)),
        ("spec.networks", spec.networks.as_ref().and_then(List::excess)),
        ("spec.sshKeys", spec.ssh_keys.as_ref().and_then(List::excess)),
        ("spec.bootOrder", spec.boot_order.as_ref().and_then(List::excess)),
        ("metadata.finalizers", object.metadata.finalizers.as_ref().and_then(List::excess)),
    ];
    let many = lists.into_iter().find_map(|(path, excess)| excess.map(|many| (path.to_owned(), many)));
    let many = many.or_else(|| {
        let (path, count, most) = spec.cluster_selector.as_ref()?.excess()?;
        Some((format!("spec.clusterSelector.{path}"), (count, most)))
    });
    if let Some((path, (count, most))) = many {
        let says = format!("Too many: {count}: must have at most {most} items");
        return Some(Reason::FieldInvalid.at(path).says(says));
    }
    let (path, length, most) = names(request, object).or_else(|| texts(object)).or_else(|| entries(object))?;
    Some(Reason::FieldInvalid.at(path).says(format!("Too long: {length} bytes: must have at most {most}")))
}

fn long(text: Option<&Text<'_>>, most: usize) -> Option<usize> {
    text.map(|text| text.len()).filter(|length| *length > most)
}

/// What the Machine is called. The API server bounds all of it; whoever calls us himself does not, and it is remembered.
fn names(request: &Request<'_>, object: &Object<'_>) -> Option<(String, usize, usize)> {
    let metadata = &object.metadata;
    let all = [
        ("request.name", Some(&request.name)),
        ("request.namespace", Some(&request.namespace)),
        ("metadata.name", metadata.name.as_ref()),
        ("metadata.generateName", metadata.generate_name.as_ref()),
    ];
    all.into_iter().find_map(|(path, text)| Some((path.to_owned(), long(text, TEXT)?, TEXT)))
}

/// Texts that stand alone.
fn texts(object: &Object<'_>) -> Option<(String, usize, usize)> {
    let spec = &object.spec;
    let annotations = object.metadata.annotations.as_ref();
    let annotation = |which: for<'o, 'a> fn(&'o Annotations<'a>) -> Option<&'o Text<'a>>| {
        annotations.and_then(|all| long(which(all), TEXT))
    };
    let network = spec.network.as_ref().and_then(|network| network.network_namespace_name.as_ref());
    let machine = spec.domain.as_ref().and_then(|domain| domain.machine.as_ref()?.kind.as_ref());
    let os = spec.os.as_ref();
    let cloud = spec.cloud_init.as_ref();
    let lengths: [Length; 16] = [
        ("spec.template", long(spec.template.as_ref(), TEXT)),
        ("spec.instanceType", long(spec.instance_type.as_ref(), TEXT)),
        ("spec.machineClass", long(spec.machine_class.as_ref(), TEXT)),
        ("spec.provider", long(spec.provider.as_ref(), TEXT)),
        ("spec.runStrategy", long(spec.run_strategy.as_ref(), TEXT)),
        ("spec.machineType", long(spec.machine_type.as_ref(), TEXT)),
        ("spec.domain.machine.type", long(machine, TEXT)),
        ("spec.network.networkNamespaceName", long(network, TEXT)),
        ("spec.os.architecture", long(os.and_then(|os| os.architecture.as_ref()), TEXT)),
        ("spec.os.isoUri", long(os.and_then(|os| os.iso_uri.as_ref()), URL)),
        ("spec.os.imageID", long(os.and_then(|os| os.image_id.as_ref()), URL)),
        ("spec.cloudInit.type", long(cloud.and_then(|cloud| cloud.kind.as_ref()), TEXT)),
        ("spec.name", long(spec.name.as_ref(), TEXT)),
        (
            "spec.kubevirtConfigRef.name",
            long(spec.kubevirt_config_ref.as_ref().and_then(|reference| reference.name.as_ref()), TEXT),
        ),
        ("metadata.annotations[vitistack.io/kubevirt-config]", annotation(|all| all.kubevirt_config.as_ref())),
        ("metadata.annotations[vitistack.io/deletion-policy]", annotation(|all| all.deletion_policy.as_ref())),
    ];
    let (path, length) = lengths.into_iter().find(|(_, length)| length.is_some())?;
    Some((path.to_owned(), length?, if path.starts_with("spec.os.i") { URL } else { TEXT }))
}

/// Texts in lists.
fn entries(object: &Object<'_>) -> Option<(String, usize, usize)> {
    let spec = &object.spec;
    let disk = |disk: &Disk<'_>| {
        let texts = [&disk.name, &disk.storage_class, &disk.access_mode, &disk.volume_mode];
        let source = disk.source.as_ref();
        let pvc = source.and_then(|source| source.pvc.as_ref());
        let urls =
            source.map(|source| [source.http.as_ref(), source.registry.as_ref()]).into_iter().flatten().flatten();
        let named = texts.into_iter().map(Option::as_ref).find_map(|text| long(text, TEXT));
        named
            .or_else(|| disk.size.as_ref().and_then(Amount::length).filter(|length| *length > TEXT))
            .or_else(|| pvc.and_then(|pvc| long(pvc.name.as_ref(), TEXT).or(long(pvc.namespace.as_ref(), TEXT))))
            .map(|length| (length, TEXT))
            .or_else(|| urls.into_iter().find_map(|it| long(it.url.as_ref(), URL)).map(|length| (length, URL)))
    };
    let disks = spec.disks.iter().flatten().enumerate();
    let disks = disks.filter_map(|(at, it)| disk(it).map(|(length, most)| (format!("spec.disks[{at}]"), length, most)));
    let networks = spec.networks.iter().flatten().enumerate().filter_map(|(at, network)| {
        let texts = [&network.name, &network.network_name, &network.model, &network.mac_address];
        let length = texts.into_iter().find_map(|text| long(text.as_ref(), TEXT))?;
        Some((format!("spec.networks[{at}]"), length, TEXT))
    });
    let keys = spec.ssh_keys.iter().flatten().enumerate();
    let keys = keys.filter_map(|(at, key)| Some((at, long(Some(key), SSH_KEY)?)));
    let keys = keys.map(|(at, length)| (format!("spec.sshKeys[{at}]"), length, SSH_KEY));
    let boots = spec.boot_order.iter().flatten().enumerate();
    let boots = boots.filter_map(|(at, boot)| Some((at, long(Some(boot), TEXT)?)));
    let boots = boots.map(|(at, length)| (format!("spec.bootOrder[{at}]"), length, TEXT));
    disks.chain(networks).chain(keys).chain(boots).next()
}
