//! What is copied into an asset from root, annotations and CRD. Pure. X93. Values keep their types, and no text is put into YAML.

use std::fmt::Write;

use serde_json::{Value, json};

use super::catalogue::{Asset, Fill, How, Source};
use super::context::Context;
use super::fit::Schema;
use super::state::{Said, State, say};

/// The object of an asset with everything filled in; or how the asset stands, if that cannot be. `object` is one of
/// [`Asset::objects`].
pub fn fill(asset: &Asset, object: &Value, context: &Context, schema: &Schema) -> Result<Value, Said> {
    let mut filled = object.clone();
    for fill in &asset.row.fills {
        let found = match fill.from {
            Source::Asset => object.pointer(&fill.to).cloned(),
            Source::Root => context.fact(&fill.path).cloned(),
            Source::Annotation => context.word(&fill.path).map(|text| json!(text)),
        };
        let mut value = found.or_else(|| fill.default.clone());
        for how in &fill.how {
            value = value.map(|value| make(*how, value, fill, schema)).transpose()?;
        }
        put(&mut filled, &fill.to, value);
    }
    Ok(filled)
}

/// The lists of an asset in which entries of others stay, by pointer.
pub fn united(asset: &Asset) -> impl Iterator<Item = &str> {
    let united = asset.row.fills.iter().filter(|fill| fill.how.contains(&How::Union));
    united.map(|fill| fill.to.as_str())
}

fn make(how: How, value: Value, fill: &Fill, schema: &Schema) -> Result<Value, Said> {
    match how {
        How::FirstInEnum => first_in_enum(&value, fill, schema),
        // Which entries others have is known only when the object is read: the engine unites them.
        How::Union => Ok(value),
        How::VfioModprobe => Ok(json!(vfio_modprobe(&value))),
        How::DataUrl => Ok(json!(data_url(value.as_str().unwrap_or_default()))),
        How::CpuSet => {
            let text = value.as_str().unwrap_or_default();
            if is_cpu_set(text) {
                return Ok(value);
            }
            Err(say(
                State::Refused,
                format!("{text:?} is no list of CPUs: set platform.kubevirt.io/{} to one such as \"0-1,4\"", fill.path),
            ))
        }
    }
}

/// A CRD without an enum takes the first.
fn first_in_enum(candidates: &Value, fill: &Fill, schema: &Schema) -> Result<Value, Said> {
    let known = match schema.at(&format!("{}/0", fill.to)) {
        Some(Schema::Text(words)) => words.as_slice(),
        _ => &[],
    };
    let all: Vec<&str> = candidates.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match all.iter().find(|word| known.is_empty() || known.iter().any(|known| known == *word)) {
        Some(word) => Ok(json!([word])),
        None => Err(say(
            State::DependencyMissing,
            format!("the CRD is too old: {} takes none of {}", fill.to, all.join(", ")),
        )),
    }
}

/// The devices by vendor and product, as the driver is told: `options vfio-pci ids=10de:1db6,8086:1572`.
fn vfio_modprobe(devices: &Value) -> String {
    let selectors = devices.as_array().into_iter().flatten().filter_map(|it| it["pciDeviceSelector"].as_str());
    let is_id = |text: &&str| {
        let hex = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        text.split_once(':').is_some_and(|(vendor, product)| hex(vendor) && hex(product))
    };
    let mut ids: Vec<String> = selectors.filter(is_id).map(str::to_ascii_lowercase).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() { String::new() } else { format!("options vfio-pci ids={}\n", ids.join(",")) }
}

/// Percent-encoded, as Ignition reads it.
fn data_url(text: &str) -> String {
    let mut url = "data:,".to_owned();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

/// Numbers and ranges that go upwards.
fn is_cpu_set(text: &str) -> bool {
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let part = |part: &str| match part.split_once('-') {
        Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
        None => number(part).is_some(),
    };
    text.len() <= 256 && text.split(',').all(part)
}

/// Writes a value at a pointer, or takes out what is there.
fn put(object: &mut Value, pointer: &str, value: Option<Value>) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    match (object.pointer_mut(parent), value) {
        (Some(Value::Object(fields)), Some(value)) => drop(fields.insert(last.to_owned(), value)),
        (Some(Value::Object(fields)), None) => drop(fields.remove(last)),
        (Some(Value::Array(list)), Some(value)) => {
            if let Some(place) = last.parse().ok().and_then(|index: usize| list.get_mut(index)) {
                *place = value;
            }
        }
        _ => {}
    }
}
