//! Which kinds a catalogue may name. Pure. X94. The rights that a pass needs are made of these names.

/// Kinds that are refused wherever they are: who may write them may do anything, or read what is secret.
const REFUSED: [&str; 10] = [
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "MutatingAdmissionPolicy",
    "MutatingWebhookConfiguration",
    "Role",
    "RoleBinding",
    "Secret",
    "ServiceAccount",
    "ValidatingWebhookConfiguration",
];
/// And all kinds of these groups, whatever they are called.
const REFUSED_GROUPS: [&str; 4] =
    ["admissionregistration.k8s.io", "apiextensions.k8s.io", "authorization.openshift.io", "rbac.authorization.k8s.io"];

/// Whether objects of a kind may be written.
pub(super) fn judge(kind: &str, group: &str, plural: &str) -> Result<(), String> {
    let is_it = |refused: &str| refused.eq_ignore_ascii_case(kind);
    if REFUSED.into_iter().any(is_it) || REFUSED_GROUPS.contains(&group) {
        return Err(format!("objects of kind {kind} are written by no catalogue"));
    }
    if group.is_empty() {
        return Err(format!("{kind} is no kind of a CRD"));
    }
    judge_crd(&format!("{plural}.{group}"))
}

/// Whether this is the name of a CRD whose objects may be looked at.
pub(super) fn judge_crd(crd: &str) -> Result<(), String> {
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
    };
    match crd.split_once('.') {
        Some((plural, group)) if plain(plural, "-") && plain(group, "-.") && !REFUSED_GROUPS.contains(&group) => Ok(()),
        _ => Err(format!(
            "{crd:?} is no CRD of a catalogue: it must be plural.group in lower-case letters, digits and '-'"
        )),
    }
}
