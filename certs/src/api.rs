//! What every request to the API server has in common. No I/O.

/// Field manager of the `caBundle`s.
pub const FIELD_MANAGER: &str = "kubevirt-operator-webhook";

/// An API server's answer as a person wants to read it: kube's own text holds the whole status twice.
pub(crate) fn said(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("{} ({})", status.message, status.code);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
