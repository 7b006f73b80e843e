//! What the parts of one patchable value must have with one another, as KubeVirt judges it.

use std::collections::BTreeSet;

use serde_json::Value;

/// No two entries of a list have one `name`.
pub(super) fn different_names(list: &Value) -> Result<(), String> {
    different(list, "name")
}

/// No two private DHCP options have one number.
pub(super) fn different_options(list: &Value) -> Result<(), String> {
    different(list, "option")
}

fn different(list: &Value, key: &str) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for entry in list.as_array().into_iter().flatten() {
        if !seen.insert(entry[key].to_string()) {
            return Err(format!("has the {key} {} twice", entry[key]));
        }
    }
    Ok(())
}

/// A clock runs at an offset or in a time zone.
pub(super) fn one_offset(clock: &Value) -> Result<(), String> {
    match (clock.get("utc"), clock.get("timezone")) {
        (Some(_), Some(_)) => Err("must have utc or timezone, not both".to_owned()),
        _ => Ok(()),
    }
}

/// KubeVirt refuses it without a feature gate.
pub(super) fn no_vsock(attach: &Value) -> Result<(), String> {
    if attach == true {
        Err("must be false: VSOCK is a feature gate that a cluster may lack".to_owned())
    } else {
        Ok(())
    }
}

/// Search domains are one line of 256 characters in the guest's resolv.conf.
pub(super) fn searches(dns: &Value) -> Result<(), String> {
    let all: Vec<&str> = dns["searches"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let length = all.join(" ").len();
    if length > 256 { Err(format!("has search domains of {length} characters in all, may have 256")) } else { Ok(()) }
}

/// Sizes are powers of two that fit in one another.
pub(super) fn block_size(size: &Value) -> Result<(), String> {
    let Some(custom) = size.get("custom") else { return Ok(()) };
    if size.get("matchVolume").is_some_and(on) {
        return Err("must have custom or matchVolume, not both".to_owned());
    }
    let number = |key: &str| custom[key].as_u64().unwrap_or_default();
    let (logical, physical) = (number("logical"), number("physical"));
    for (key, size) in [("logical", logical), ("physical", physical)] {
        if !size.is_power_of_two() {
            return Err(format!("has {key} {size}, which is no power of 2"));
        }
    }
    if logical > physical {
        return Err(format!("has logical {logical}, which is more than physical {physical}"));
    }
    if !number("discardGranularity").is_multiple_of(logical) {
        return Err(format!("has a discardGranularity that is no multiple of logical {logical}"));
    }
    Ok(())
}

/// Some Hyper-V features need another, which must then not be switched off. KubeVirt says so only when the VM starts.
pub(super) fn hyperv(features: &Value) -> Result<(), String> {
    let Some(hyperv) = features.get("hyperv") else { return Ok(()) };
    if features.get("hypervPassthrough").is_some() {
        return Err("must have hyperv or hypervPassthrough, not both".to_owned());
    }
    let needs = [
        ("evmcs", "vapic"),
        ("ipi", "vpindex"),
        ("tlbflush", "vpindex"),
        ("synictimer", "synic"),
        ("synic", "vpindex"),
        ("synictimer", "vpindex"),
    ];
    for (feature, needed) in needs {
        if hyperv.get(feature).is_some_and(on) && hyperv.get(needed).is_some_and(|state| !on(state)) {
            return Err(format!("has hyperv {feature}, which needs {needed}: do not switch that off"));
        }
    }
    Ok(())
}

/// A feature that is named is on unless it says otherwise.
pub(super) fn on(state: &Value) -> bool {
    state.get("enabled") != Some(&Value::Bool(false))
}
