//! Cloud-init data of a Machine: where it comes from, and what of it goes into a Secret. Pure. C8, T14, X26, X36, X70, X79.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::write::{Failure, Hidden};
use crate::api::MachineSpec;
use crate::api::machine::cloudinit::{CloudInit, KeyRef};
use crate::cloudinit::{INLINE, MOST, NetworkData, UserData, decode, keys};
use crate::reason::Reason;

/// Key of user data in a Secret, ours or the author's.
pub(super) const USER: &str = "userdata";
/// Key of network data.
pub(super) const NETWORK: &str = "networkdata";

/// Kinds of object that data may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl SourceKind {
    /// As kubectl users call it.
    pub const fn name(self) -> &'static str {
        match self {
            SourceKind::Secret => "Secret",
            SourceKind::ConfigMap => "ConfigMap",
        }
    }
}

/// One key of an object in the Machine's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its kind.
    pub kind: SourceKind,
    /// Its name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// A source that counts.
enum Given {
    Here(Vec<u8>),
    From(Source),
}

/// How one part of the data reaches the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// In the VM.
    Inline(Hidden),
    /// In a Secret beside it. Without data it is what the VM was last written with.
    Secret(Option<Hidden>),
}

impl Load {
    /// What a Secret has to hold of it.
    pub(super) fn in_secret(&self) -> Option<&[u8]> {
        match self {
            Load::Secret(data) => data.as_ref().map(|data| data.0.as_slice()),
            Load::Inline(_) => None,
        }
    }
}

/// The data of a Machine, ready to be carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// User data.
    pub user: Option<Load>,
    /// Network data.
    pub network: Option<Load>,
    /// Of what the Secret holds, salted with the UID of the Machine; nothing where no Secret is needed.
    pub hash: Option<String>,
}

impl Carried {
    /// The same without what only the Secret holds.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        for load in [&mut self.user, &mut self.network].into_iter().flatten() {
            if let Load::Secret(data) = load {
                *data = None;
            }
        }
        self
    }
}

/// The objects that the data of a Machine comes from: at most two.
pub fn sources(spec: &MachineSpec) -> Vec<Source> {
    let given = [user(spec), network(spec)].into_iter().flatten();
    let from = given.filter_map(|given| match given {
        Ok(Given::From(source)) => Some(source),
        Ok(Given::Here(_)) | Err(_) => None,
    });
    from.collect()
}

/// Whether a Secret may have been made for a Machine with this spec.
pub fn may_need_secret(spec: &MachineSpec) -> bool {
    let long = |given: Option<Result<Given, Failure>>| match given {
        Some(Ok(Given::Here(data))) => data.len() > INLINE,
        Some(Ok(Given::From(_))) => true,
        Some(Err(_)) | None => false,
    };
    let keys: usize = spec.ssh_keys.iter().map(|key| key.len() + 8).sum();
    // Of the record's addresses, so many interfaces fit into a VM, however much is known of each.
    let fits = spec.networks.len() <= 3;
    long(user(spec)) || long(network(spec)) || !fits || (keys > 0 && keys + text_of(spec) > INLINE)
}

/// Bytes of user data in the spec.
fn text_of(spec: &MachineSpec) -> usize {
    match user(spec) {
        Some(Ok(Given::Here(data))) => data.len() + 64,
        _ => 64,
    }
}

/// The Machine itself says what its network data is, or where that stands.
pub(super) fn has_network_data(spec: &MachineSpec) -> bool {
    network(spec).is_some()
}

/// Of all that a Machine and its record say about its data: as long as it is the same, the same comes of the same sources.
pub fn fingerprint(spec: &MachineSpec, addresses: Option<&str>) -> String {
    let text = json!([spec.cloud_init, spec.user_data, spec.ssh_keys, addresses]).to_string();
    format!("{:x}", Sha256::digest(text))
}

/// Prepares the data. `addresses` is the network data that follows from the record of the interfaces, and counts where the Machine
/// has none of its own; `read` gives what a source holds.
pub fn carry(
    spec: &MachineSpec,
    uid: &str,
    addresses: Option<&str>,
    read: impl Fn(&Source) -> Result<Vec<u8>, Failure>,
) -> Result<Carried, Failure> {
    let read = |given: Option<Result<Given, Failure>>| -> Result<Option<(Vec<u8>, bool)>, Failure> {
        Ok(match given.transpose()? {
            None => None,
            Some(Given::Here(data)) => Some((data, false)),
            Some(Given::From(source)) => Some((read(&source)?, source.kind == SourceKind::Secret)),
        })
    };
    let mut user = read(user(spec))?;
    if !spec.ssh_keys.is_empty() {
        let (data, secret) = user.unwrap_or_default();
        let data = keys::add(&data, &spec.ssh_keys).map_err(|why| Failure {
            reason: Reason::SshKeysNotAdded,
            message: format!(
                "spec.sshKeys cannot be added to the user data, which {why}: put them there yourself and empty spec.sshKeys, or correct it"
            ),
        })?;
        user = Some((data, secret));
    }
    let recorded = || Some(Ok(Given::Here(addresses?.as_bytes().to_vec())));
    let network = read(network(spec).or_else(recorded))?;
    for (what, data) in [("user data", &user), ("network data", &network)] {
        if let Some((data, _)) = data.as_ref().filter(|(data, _)| data.len() > MOST) {
            let message = format!("the {what} has {} bytes, and a Secret holds {MOST}: shorten it", data.len());
            return Err(Failure { reason: Reason::CloudInitSourceMissing, message });
        }
    }
    let load = |(data, secret): (Vec<u8>, bool)| {
        if secret || data.len() > INLINE { Load::Secret(Some(Hidden(data))) } else { Load::Inline(Hidden(data)) }
    };
    // What is empty is nothing to KubeVirt.
    let load = |data: Option<(Vec<u8>, bool)>| data.filter(|(data, _)| !data.is_empty()).map(load);
    let (user, network) = (load(user), load(network));
    let hash = hash(uid, user.as_ref(), network.as_ref());
    Ok(Carried { user, network, hash })
}

fn hash(uid: &str, user: Option<&Load>, network: Option<&Load>) -> Option<String> {
    let carried = [(USER, user), (NETWORK, network)];
    let mut carried = carried.into_iter().filter_map(|(key, load)| Some((key, load?.in_secret()?))).peekable();
    carried.peek()?;
    let mut hash = Sha256::new_with_prefix(uid);
    for (key, data) in carried {
        hash.update(format!("\n{key} {}\n", data.len()));
        hash.update(data);
    }
    Some(format!("{:.32}", format!("{:x}", hash.finalize())))
}

fn user(spec: &MachineSpec) -> Option<Result<Given, Failure>> {
    let none = CloudInit::default();
    let data = spec.cloud_init.as_ref().unwrap_or(&none);
    let sources = UserData {
        text: Origin::Text(data.user_data.as_deref()),
        base64: Origin::Base64(data.user_data_base64.as_deref()),
        secret: Origin::Object(SourceKind::Secret, data.secret_ref.as_ref()),
        published_secret: Origin::Object(SourceKind::Secret, data.user_data_secret_ref.as_ref()),
        config_map: Origin::Object(SourceKind::ConfigMap, data.user_data_config_map_ref.as_ref()),
        published: Origin::Text(spec.user_data.as_deref()),
    };
    first(sources.in_order(), USER)
}

fn network(spec: &MachineSpec) -> Option<Result<Given, Failure>> {
    let data = spec.cloud_init.as_ref()?;
    let sources = NetworkData {
        text: Origin::Text(data.network_data.as_deref()),
        base64: Origin::Base64(data.network_data_base64.as_deref()),
        secret: Origin::Object(SourceKind::Secret, data.network_data_secret_ref.as_ref()),
        config_map: Origin::Object(SourceKind::ConfigMap, data.network_data_config_map_ref.as_ref()),
    };
    first(sources.in_order(), NETWORK)
}

#[derive(Clone, Copy)]
enum Origin<'s> {
    Text(Option<&'s str>),
    Base64(Option<&'s str>),
    Object(SourceKind, Option<&'s KeyRef>),
}

fn first<const N: usize>(sources: [(&'static str, Origin<'_>); N], key: &str) -> Option<Result<Given, Failure>> {
    let filled = |text: Option<&'_ str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    sources.into_iter().find_map(|(path, origin)| match origin {
        Origin::Text(text) => Some(Ok(Given::Here(filled(text)?.into_bytes()))),
        Origin::Base64(text) => Some(decode(&filled(text)?).map(Given::Here).ok_or_else(|| {
            let message = format!("{path}: must be base64, padded with '='");
            Failure { reason: Reason::CloudInitSourceMissing, message }
        })),
        Origin::Object(kind, reference) => Some(object(path, kind, reference?, key)),
    })
}

/// Names that no API server would take never reach one: a slash in them would lead to another namespace (T14).
fn object(path: &str, kind: SourceKind, reference: &KeyRef, key: &str) -> Result<Given, Failure> {
    let plain = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (1..=253).contains(&text.len()) && text.bytes().all(allowed) && text != "." && text != ".."
    };
    let key = reference.key.as_deref().unwrap_or(key);
    if !plain(&reference.name) || !plain(key) {
        let message = format!("{path}: names no {} in the Machine's namespace, or no key of one", kind.name());
        return Err(Failure { reason: Reason::CloudInitSourceMissing, message });
    }
    Ok(Given::From(Source { kind, name: reference.name.clone(), key: key.to_owned() }))
}
