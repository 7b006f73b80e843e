//! Where on a cluster the objects of a namespace are, and which namespaces are never used there (X38, X67). Pure.

use std::borrow::Cow;

/// What stands in `spec.namespace` of a KubevirtConfig for the namespace of the Machine (X38).
pub const OWN_NAMESPACE: &str = "{namespace}";
/// Characters of the name of a namespace.
pub const NAMESPACE_LENGTH: usize = 63;

/// Namespaces that hold no Machines and none of their objects, beside `kube-*`, `openshift-*` and the operator's own (X67).
const RESERVED: [&str; 2] = ["kubevirt", "cdi"];

/// Whether a namespace is never used on a cluster (X67). `own` is the operator's; empty where it has none there.
pub fn is_reserved(namespace: &str, own: &str) -> bool {
    namespace.starts_with("kube-")
        || namespace.starts_with("openshift-")
        || RESERVED.contains(&namespace)
        || !own.is_empty() && namespace == own
}

/// The namespace on a cluster for Machines of `own`; `mapped` is `spec.namespace` of its KubevirtConfig (X38). It may be longer
/// than a name may be.
pub fn namespace_on_cluster<'n>(mapped: Option<&'n str>, own: &'n str) -> Cow<'n, str> {
    match said(mapped) {
        None => Cow::Borrowed(own),
        Some(template) if template.contains(OWN_NAMESPACE) => Cow::Owned(template.replacen(OWN_NAMESPACE, own, 1)),
        Some(fixed) => Cow::Borrowed(fixed),
    }
}

/// Empty text is none.
fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// Whether `home`, a namespace on a cluster, holds objects of Machines of `own` only: two namespaces never come to the same one by
/// a template.
pub fn is_alone(mapped: Option<&str>, own: &str, home: &str) -> bool {
    match said(mapped) {
        Some(template) if template.contains(OWN_NAMESPACE) => home == namespace_on_cluster(mapped, own),
        mapped => home == own && mapped != Some(own),
    }
}

/// What is wrong with a text as `spec.namespace` of a KubevirtConfig, whose schema says the same.
pub fn judge_mapping(text: &str) -> Result<(), &'static str> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let one = text.replacen(OWN_NAMESPACE, "a", 1);
    let whole = one.bytes().all(inner) && !one.is_empty() && !one.starts_with('-') && !one.ends_with('-');
    match () {
        () if text.len() > NAMESPACE_LENGTH => Err("has more than 63 characters"),
        () if !whole => {
            Err("is a name of a-z, 0-9 and '-', in which {namespace} may stand once for that of the Machine")
        }
        () if is_reserved(text, "") => {
            Err("belongs to the cluster itself: choose a namespace for the virtual machines")
        }
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn x38_a_namespace_on_the_cluster_is_mirrored_fixed_or_made_from_the_machines_own() {
        #[rustfmt::skip]
        let cases = [
            // spec.namespace,              own,        on the cluster,     alone there, alone where it was mirrored
            (None,                          "shop",     "shop",             true,  true),
            (Some(""),                      "shop",     "shop",             true,  true),
            (Some("tenants"),               "shop",     "tenants",          false, true),
            (Some("shop"),                  "shop",     "shop",             false, false),
            (Some("vmaas-{namespace}"),     "shop",     "vmaas-shop",       true,  false),
            (Some("{namespace}-vms"),       "shop",     "shop-vms",         true,  false),
            (Some("{namespace}"),           "shop",     "shop",             true,  true),
            // Nobody is called so; what is taken for the namespace is taken once.
            (Some("a-{namespace}"),         "{namespace}", "a-{namespace}", true,  false),
        ];
        every_row(cases, |(mapped, own, want, there, mirrored)| {
            let home = namespace_on_cluster(mapped, own);
            assert_eq!(home, want, "X38: {mapped:?}");
            assert_eq!(
                (is_alone(mapped, own, &home), is_alone(mapped, own, own)),
                (there, mirrored),
                "X38: {mapped:?}"
            );
        });
        assert!(!is_alone(Some("vmaas-{namespace}"), "vmaas-shop", "vmaas-shop"), "that one is for Machines of shop");
    }

    #[test]
    fn x38_x67_a_mapping_is_a_name_with_one_place_for_the_namespace() {
        every_row(
            ["tenants", "vmaas-{namespace}", "{namespace}", "{namespace}-vms", "a", "kubevirt-{namespace}"],
            |good| {
                assert_eq!(judge_mapping(good), Ok(()), "X38: {good}");
            },
        );
        let long = "a".repeat(64);
        #[rustfmt::skip]
        let cases = [
            ("",                          "is a name of"),
            ("-{namespace}",              "is a name of"),
            ("{namespace}-",              "is a name of"),
            ("{namespace}-{namespace}",   "is a name of"),
            ("vmaas-{name}",              "is a name of"),
            ("Tenants",                   "is a name of"),
            ("a.b",                       "is a name of"),
            (long.as_str(),               "more than 63"),
            ("kube-{namespace}",          "belongs to the cluster itself"),
            ("openshift-{namespace}",     "belongs to the cluster itself"),
            ("kubevirt",                  "belongs to the cluster itself"),
            ("cdi",                       "belongs to the cluster itself"),
        ];
        every_row(cases, |(bad, says)| {
            let why = judge_mapping(bad).expect_err(bad);
            assert!(why.contains(says), "X38 X67: {bad}: {why}");
        });
    }
}
