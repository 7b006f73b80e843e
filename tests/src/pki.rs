//! Keys and certificates of one plane: an authority for serving and client certificates, one for the front proxy, and the
//! key that signs service account tokens. Written once, so that tokens and kubeconfigs outlive a restart.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::error::{Result, io};

/// The `kubernetes` Service's address in `--service-cluster-ip-range`, and every name that a client might use.
const SERVING_NAMES: [&str; 5] = ["127.0.0.1", "localhost", "10.0.0.1", "kubernetes", "kubernetes.default.svc"];

/// Files of a plane's `pki` folder. The validity is rcgen's default, 1975 to 4096: no clock takes part.
#[derive(Clone, Debug)]
pub struct Pki {
    dir: PathBuf,
}

/// A client certificate: who it says its bearer is.
struct Identity {
    file: &'static str,
    user: &'static str,
    group: Option<&'static str>,
}

/// `kcm` has a name of its own in the audit log; its rights are those of an administrator.
const CLIENTS: [Identity; 2] = [
    Identity { file: "admin", user: "admin", group: Some("system:masters") },
    Identity { file: "kcm", user: "system:kube-controller-manager", group: Some("system:masters") },
];

impl Pki {
    /// The keys in `dir`, made now if there are none.
    ///
    /// Guarantees: either all files exist or none (a half-written folder from a killed run is started again).
    pub fn ensure(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            let part = dir.with_extension("part");
            if part.is_dir() {
                fs::remove_dir_all(&part).map_err(io("cannot remove", &part))?;
            }
            fs::create_dir_all(&part).map_err(io("cannot create", &part))?;
            write_all(&part)?;
            fs::rename(&part, dir).map_err(io("cannot put in place", dir))?;
        }
        Ok(Self { dir: dir.to_path_buf() })
    }

    /// Path of one file, such as `ca.crt`, `apiserver.key` or `sa.key`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Content of one file.
    pub fn read(&self, name: &str) -> Result<String> {
        let path = self.file(name);
        fs::read_to_string(&path).map_err(io("cannot read", &path))
    }
}

fn write_all(dir: &Path) -> Result<()> {
    let authority = authority(dir, "ca")?;
    let mut serving = CertificateParams::new(SERVING_NAMES.map(str::to_owned))?;
    serving.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf(dir, "apiserver", serving, &authority)?;
    for Identity { file, user, group } in CLIENTS {
        leaf(dir, file, client(user, group)?, &authority)?;
    }

    let front_proxy = self::authority(dir, "front-proxy-ca")?;
    leaf(dir, "front-proxy", client("front-proxy", None)?, &front_proxy)?;
    let signing = KeyPair::generate()?;
    write(dir, "sa.key", &signing.serialize_pem())?;
    write(dir, "sa.pub", &signing.public_key_pem())
}

/// A client certificate of this user by an authority of its own folder: `{name}.crt` and `{name}.key`.
pub fn client_certificate(dir: &Path, name: &str, user: &str, issuer: &Issuer<'_, KeyPair>) -> Result<()> {
    leaf(dir, name, client(user, None)?, issuer)
}

fn client(user: &str, group: Option<&str>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// A new authority: `{name}.crt` and `{name}.key`.
pub fn authority(dir: &Path, name: &str) -> Result<Issuer<'static, KeyPair>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    write(dir, &format!("{name}.crt"), &params.self_signed(&key)?.pem())?;
    write(dir, &format!("{name}.key"), &key.serialize_pem())?;
    Ok(Issuer::new(params, key))
}

fn leaf(dir: &Path, name: &str, mut params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<()> {
    let key = KeyPair::generate()?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    write(dir, &format!("{name}.crt"), &params.signed_by(&key, issuer)?.pem())?;
    write(dir, &format!("{name}.key"), &key.serialize_pem())
}

fn write(dir: &Path, name: &str, text: &str) -> Result<()> {
    write_private(&dir.join(name), text)
}

/// Writes a file that only its owner may read. One that says the same already is not touched: somebody may be reading it.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let file = File::options().create(true).write(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(io("cannot write", path))
}
