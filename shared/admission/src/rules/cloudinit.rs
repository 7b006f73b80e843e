//! Data for cloud-init: its sources, their order, and the Secrets behind them. Pure. C8, X26, X70, X79, T9.

use base64::Engine as _;
use memchr::memchr2;

use super::ask::Ask;
use super::form::{SUBDOMAIN_RULE, invalid, is_base64, is_key, is_subdomain, one_of};
use crate::findings::Findings;
use crate::review::{CloudInit, KeyRef, Long, Object, Spec};
use crate::world::World;
use model::api::machine::cloudinit::TYPES;
use model::reason::{Reason, Violation};

/// What one Secret holds, and so the most that can be carried.
pub const MOST: usize = 1 << 20;
const KEY_RULE: &str = "must be a key of the object: letters, digits, '-', '_' and '.', at most 253";
const KEY: &str = "must be one public key on one line, such as \"ssh-ed25519 AAAA… alice@example.com\"";

/// A source, and where it stands.
struct DataSource<'s> {
    path: &'static str,
    inline: Option<Long<'s>>,
    secret: Option<&'s KeyRef<'s>>,
}

fn inline<'s>(path: &'static str, data: Option<Long<'s>>) -> DataSource<'s> {
    DataSource { path, inline: data.filter(|data| !data.is_empty()), secret: None }
}

fn reference<'s>(path: &'static str, secret: Option<&'s KeyRef<'s>>) -> DataSource<'s> {
    DataSource { path, inline: None, secret }
}

/// The sources of user data and of network data in the order in which they count (X26).
fn sources<'s>(spec: &'s Spec<'_>) -> ([DataSource<'s>; 6], [DataSource<'s>; 4]) {
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
    (
        [
            inline("spec.cloudInit.userData", data.user_data),
            inline("spec.cloudInit.userDataBase64", data.user_data_base64),
            reference("spec.cloudInit.secretRef", data.secret_ref.as_ref()),
            reference("spec.cloudInit.userDataSecretRef", data.user_data_secret_ref.as_ref()),
            reference("spec.cloudInit.userDataConfigMapRef", data.user_data_config_map_ref.as_ref()),
            inline("spec.userData", spec.user_data),
        ],
        [
            inline("spec.cloudInit.networkData", data.network_data),
            inline("spec.cloudInit.networkDataBase64", data.network_data_base64),
            reference("spec.cloudInit.networkDataSecretRef", data.network_data_secret_ref.as_ref()),
            reference("spec.cloudInit.networkDataConfigMapRef", data.network_data_config_map_ref.as_ref()),
        ],
    )
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
    for source in user.iter().chain(&network) {
        if let Some(data) = source.inline {
            text(source.path, data, wrong);
        }
        if let Some(reference) = source.secret {
            key_ref(source.path, reference, wrong);
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
    let used = |sources: &[DataSource<'_>], warnings: &mut Vec<String>| {
        let mut given = sources.iter().filter(|it| it.inline.is_some() || it.secret.is_some()).map(|it| it.path);
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
    let data = user.iter().find(|source| Some(source.path) == counts);
    if let Some(DataSource { path, inline: Some(data), .. }) = data
        && keys
        && !takes_keys(path, *data)
    {
        warnings.push(format!("spec.sshKeys are not added to {path}: it does not begin with #cloud-config"));
    }
}

/// Whether keys can be merged into user data: a script or a multi-part message has no place for them (X79).
fn takes_keys(path: &str, data: Long<'_>) -> bool {
    const CLOUD_CONFIG: &[u8] = b"#cloud-config";
    let text = data.read();
    let decoded = if path.ends_with("Base64") {
        let signs: String = text.chars().filter(|sign| !matches!(sign, '\r' | '\n')).collect();
        base64::engine::general_purpose::STANDARD.decode(signs).unwrap_or_default()
    } else {
        text.into_owned().into_bytes()
    };
    let decoded = decoded.trim_ascii_start();
    decoded.is_empty() || decoded.get(..CLOUD_CONFIG.len()).is_some_and(|head| head.eq_ignore_ascii_case(CLOUD_CONFIG))
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
