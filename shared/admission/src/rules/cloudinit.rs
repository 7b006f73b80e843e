//! Data for cloud-init: its sources, their order, and the Secrets behind them. Pure. C8, X26, X70, X79, T9.

use memchr::memchr2;

use super::ask::Ask;
use super::form::{SUBDOMAIN_RULE, invalid, is_base64, is_key, is_subdomain, one_of};
use crate::findings::Findings;
use crate::review::{CloudInit, KeyRef, Long, Object, Spec};
use crate::world::World;
use model::api::machine::cloudinit::TYPES;
pub use model::cloudinit::MOST;
use model::cloudinit::{self, NetworkData, UserData};
use model::reason::{Reason, Violation};

const KEY_RULE: &str = "must be a key of the object: letters, digits, '-', '_' and '.', at most 253";
const KEY: &str = "must be one public key on one line, such as \"ssh-ed25519 AAAA… alice@example.com\"";

/// What a source gives.
#[derive(Clone, Copy)]
enum Given<'s> {
    Here(Option<Long<'s>>),
    From(Option<&'s KeyRef<'s>>),
}

impl Given<'_> {
    fn is_given(&self) -> bool {
        match self {
            Given::Here(data) => data.is_some_and(|data| !data.is_empty()),
            Given::From(reference) => reference.is_some(),
        }
    }
}

/// A source, and where it stands.
type Place<'s> = (&'static str, Given<'s>);

/// The sources of user data and of network data in the order in which they count (X26).
fn sources<'s>(spec: &'s Spec<'_>) -> ([Place<'s>; 6], [Place<'s>; 4]) {
    let none = const {
        &CloudInit::<'static> {
            user_data: None,
            user_data_base64: None,
            secret_ref: None,
            user_data_secret_ref: None,
            user_data_config_map_ref: None,
            network_data: None,
            network_data_base64: None,
            network_data_secret_ref: None,
            network_data_config_map_ref: None,
            kind: None,
            rest: Vec::new(),
        }
    };
    let data: &CloudInit<'_> = spec.cloud_init.as_ref().unwrap_or(none);
    let user = UserData {
        text: Given::Here(data.user_data),
        base64: Given::Here(data.user_data_base64),
        secret: Given::From(data.secret_ref.as_ref()),
        published_secret: Given::From(data.user_data_secret_ref.as_ref()),
        config_map: Given::From(data.user_data_config_map_ref.as_ref()),
        published: Given::Here(spec.user_data),
    };
    let network = NetworkData {
        text: Given::Here(data.network_data),
        base64: Given::Here(data.network_data_base64),
        secret: Given::From(data.network_data_secret_ref.as_ref()),
        config_map: Given::From(data.network_data_config_map_ref.as_ref()),
    };
    (user.in_order(), network.in_order())
}

/// What keywords of the schema say, and what they can only say roughly: base64 that decodes, and lengths in bytes.
pub fn keywords(spec: &Spec<'_>, wrong: &mut Vec<Violation>) {
    if spec.cloud_init.is_none() && spec.user_data.is_none() && spec.ssh_keys.is_none() {
        return;
    }
    if let Some(kind) = spec.cloud_init.as_ref().and_then(|data| data.kind.as_deref()) {
        one_of(|| "spec.cloudInit.type".to_owned(), kind, &TYPES, wrong);
    }
    let (user, network) = sources(spec);
    for (path, source) in user.iter().chain(&network) {
        match source {
            Given::Here(Some(data)) => text(path, *data, wrong),
            Given::From(Some(reference)) => key_ref(path, reference, wrong),
            Given::Here(None) | Given::From(None) => {}
        }
    }
    for (at, key) in spec.ssh_keys.iter().flatten().enumerate() {
        let bytes = key.as_bytes();
        let begins = bytes.first().is_some_and(|byte| !matches!(byte, b' ' | b'\t' | b'\x0c'));
        if !begins || memchr2(b'\r', b'\n', bytes).is_some() {
            wrong.push(invalid(format!("spec.sshKeys[{at}]"), key, KEY));
        }
    }
}

fn text(path: &str, data: Long<'_>, wrong: &mut Vec<Violation>) {
    let base64 = path.ends_with("Base64");
    let most = if base64 { MOST / 3 * 4 } else { MOST };
    if data.at_most() > most {
        let length = data.read().len();
        if length > most {
            wrong.push(Reason::FieldInvalid.at(path).says(format!(
                "Too long: {length} bytes: must have at most {most}, because a Secret carries it: fetch the rest from within the guest"
            )));
        }
    }
    if base64 && !is_base64(&data.read()) {
        wrong.push(invalid(path.to_owned(), &data.read(), "must be base64, padded with '='"));
    }
}

fn key_ref(path: &str, reference: &KeyRef<'_>, wrong: &mut Vec<Violation>) {
    match reference.name.as_deref() {
        None => wrong.push(
            Reason::FieldRequired
                .at(format!("{path}.name"))
                .says("Required value: name an object in the Machine's namespace"),
        ),
        Some(name) if !is_subdomain(name) => wrong.push(invalid(format!("{path}.name"), name, SUBDOMAIN_RULE)),
        Some(_) => {}
    }
    if let Some(key) = reference.key.as_deref().filter(|key| !is_key(key)) {
        wrong.push(invalid(format!("{path}.key"), key, KEY_RULE));
    }
}

/// Says which of several sources counts, and what comes of the keys.
pub fn warn(spec: &Spec<'_>, warnings: &mut Vec<String>) {
    if spec.cloud_init.is_none() && spec.user_data.is_none() && spec.ssh_keys.is_none() {
        return;
    }
    let (user, network) = sources(spec);
    let used = |sources: &[Place<'_>], warnings: &mut Vec<String>| {
        let mut given = sources.iter().filter(|(_, source)| source.is_given()).map(|(path, _)| *path);
        let first = given.next();
        let others: Vec<&str> = given.collect();
        if let Some(first) = first.filter(|_| !others.is_empty()) {
            warnings.push(format!("{first} is used, and {} is not: several sources are given", others.join(", ")));
        }
        first
    };
    let counts = used(&user, warnings);
    let network = used(&network, warnings);
    let keys = spec.ssh_keys.as_ref().is_some_and(|keys| !keys.is_empty());
    if counts.is_none() && network.is_none() && !keys && spec.cloud_init.is_some() {
        warnings.push("spec.cloudInit names no source, so it has no effect".to_owned());
    }
    let data = user.iter().find(|(path, _)| Some(*path) == counts);
    if let Some((path, Given::Here(Some(data)))) = data
        && keys
        && !takes_keys(path, *data)
    {
        warnings.push(format!("spec.sshKeys are not added to {path}: it does not begin with #cloud-config"));
    }
}

/// Whether keys can be added to user data (X79).
fn takes_keys(path: &str, data: Long<'_>) -> bool {
    let text = data.read();
    if path.ends_with("Base64") {
        cloudinit::takes_keys(&cloudinit::decode(&text).unwrap_or_default())
    } else {
        cloudinit::takes_keys(text.as_bytes())
    }
}

/// The Secrets of a Machine's namespace that it takes cloud-init data from.
fn referenced<'s>(spec: &'s Spec<'_>) -> impl Iterator<Item = (&'static str, &'s str)> {
    let data = spec.cloud_init.as_ref();
    let secrets = data.map(|data| {
        [
            ("spec.cloudInit.secretRef.name", data.secret_ref.as_ref()),
            ("spec.cloudInit.userDataSecretRef.name", data.user_data_secret_ref.as_ref()),
            ("spec.cloudInit.networkDataSecretRef.name", data.network_data_secret_ref.as_ref()),
        ]
    });
    secrets.into_iter().flatten().filter_map(|(path, reference)| Some((path, reference?.name.as_deref()?)))
}

/// The Secrets that a request newly takes data from: its author must be allowed to read them (T9).
fn secrets<'s>(object: &'s Object<'_>, old: Option<&'s Object<'_>>) -> Vec<&'s str> {
    let before = |name: &str| old.is_some_and(|old| referenced(&old.spec).any(|(_, known)| known == name));
    let mut new = Vec::new();
    for (_, name) in referenced(&object.spec).filter(|(_, name)| is_subdomain(name) && !before(name)) {
        if !new.contains(&name) {
            new.push(name);
        }
    }
    new
}

/// Refuses Secrets that the author may not read: the guest would hand him what is in them (T9). Whether he may has to be
/// asked first.
pub fn readable(ask: &Ask<'_>, world: &World, found: &mut Findings) {
    let namespace = &*ask.request.namespace;
    // Another provider's Machine that becomes ours is judged like a new one (X79).
    for name in secrets(ask.object, ask.old.filter(|old| old.is_judged())) {
        let Some(readable) = &world.readable else {
            found.needs.secrets.push(name.to_owned());
            continue;
        };
        let says = match readable.get(name) {
            Some(Ok(true)) => continue,
            Some(Ok(false)) => {
                format!(
                    "Forbidden: you may not read Secret {name:?}: ask for get on secrets/{name} in namespace {namespace}"
                )
            }
            Some(Err(why)) => format!("whether you may read Secret {name:?} could not be checked: {why}; apply again"),
            None => format!("whether you may read Secret {name:?} was not checked in time; apply again"),
        };
        for (path, _) in referenced(&ask.object.spec).filter(|(_, other)| *other == name) {
            found.wrong.push(Reason::SecretNotReadable.at(path).says(says.clone()));
        }
    }
}
