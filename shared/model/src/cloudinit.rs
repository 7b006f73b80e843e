//! Cloud-init data: which of several sources counts, and how it is read. Admission judges by it, and the controller carries by
//! it. Pure. X26, X70, X79.

pub mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes that KubeVirt takes inside of a VM.
pub const INLINE: usize = 2048;
/// Bytes that one Secret holds.
pub const MOST: usize = 1 << 20;

/// The sources of user data.
#[derive(Clone, Copy, Debug)]
pub struct UserData<T> {
    /// `spec.cloudInit.userData`
    pub text: T,
    /// `spec.cloudInit.userDataBase64`
    pub base64: T,
    /// `spec.cloudInit.secretRef`
    pub secret: T,
    /// `spec.cloudInit.userDataSecretRef`
    pub published_secret: T,
    /// `spec.cloudInit.userDataConfigMapRef`
    pub config_map: T,
    /// `spec.userData`
    pub published: T,
}

impl<T> UserData<T> {
    /// The sources and where they stand, in the order in which they count (X26).
    pub fn in_order(self) -> [(&'static str, T); 6] {
        [
            ("spec.cloudInit.userData", self.text),
            ("spec.cloudInit.userDataBase64", self.base64),
            ("spec.cloudInit.secretRef", self.secret),
            ("spec.cloudInit.userDataSecretRef", self.published_secret),
            ("spec.cloudInit.userDataConfigMapRef", self.config_map),
            ("spec.userData", self.published),
        ]
    }
}

/// The sources of network data.
#[derive(Clone, Copy, Debug)]
pub struct NetworkData<T> {
    /// `spec.cloudInit.networkData`
    pub text: T,
    /// `spec.cloudInit.networkDataBase64`
    pub base64: T,
    /// `spec.cloudInit.networkDataSecretRef`
    pub secret: T,
    /// `spec.cloudInit.networkDataConfigMapRef`
    pub config_map: T,
}

impl<T> NetworkData<T> {
    /// The sources and where they stand, in the order in which they count (X26).
    pub fn in_order(self) -> [(&'static str, T); 4] {
        [
            ("spec.cloudInit.networkData", self.text),
            ("spec.cloudInit.networkDataBase64", self.base64),
            ("spec.cloudInit.networkDataSecretRef", self.secret),
            ("spec.cloudInit.networkDataConfigMapRef", self.config_map),
        ]
    }
}

/// The bytes that base64 with or without line breaks stands for.
pub fn decode(base64: &str) -> Option<Vec<u8>> {
    let signs: String = base64.chars().filter(|sign| !matches!(sign, '\r' | '\n')).collect();
    STANDARD.decode(signs).ok()
}

/// Whether SSH keys can be added to user data: a script or a multi-part message has no place for them (X79).
pub fn takes_keys(data: &[u8]) -> bool {
    const CLOUD_CONFIG: &[u8] = b"#cloud-config";
    let data = data.trim_ascii_start();
    let head = data.get(..CLOUD_CONFIG.len()).is_some_and(|head| head.eq_ignore_ascii_case(CLOUD_CONFIG));
    // #cloud-config-archive and #cloud-config-jsonp are lists of other things.
    data.is_empty() || head && data.get(CLOUD_CONFIG.len()) != Some(&b'-')
}
