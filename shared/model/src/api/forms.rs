//! Patterns of the schemas; admission reads the same forms (X55).

/// Name of an object.
pub(super) const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// DNS label, or nothing.
pub(super) const LABEL_OR_NOTHING: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$";
/// One line that does not begin with a space.
pub(super) const LINE: &str = r"^[^ \t\r\n\f][^\r\n]*$";
/// Base64 with line breaks. A pattern cannot count to four; admission does.
pub(super) const BASE64: &str = r"^[A-Za-z0-9+/\r\n]*=?[\r\n]*=?[\r\n]*$";
macro_rules! http_url {
    () => {
        concat!(
            r"https?://((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}",
            r"|\[[0-9A-Fa-f:.]+\]|([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?)",
            r"(:[0-9]{1,5})?([/?][!-~]*)?"
        )
    };
}

/// URL over HTTP. A host whose last label begins with a digit must be an IPv4 address.
pub(super) const HTTP_URL: &str = concat!("^", http_url!(), "$");
/// URL over HTTP, or nothing.
pub(super) const HTTP_URL_OR_NOTHING: &str = concat!("^(", http_url!(), ")?$");
macro_rules! registry_url {
    () => {
        r"docker://[A-Za-z0-9][A-Za-z0-9._:/@-]*"
    };
}

/// URL of a container disk.
pub(super) const REGISTRY_URL: &str = concat!("^", registry_url!(), "$");
/// One of these two, or no URL at all.
pub(super) const IMAGE: &str = concat!("^(", http_url!(), "|", registry_url!(), "|([^/]|/[^/])*/?)$");
