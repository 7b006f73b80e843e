//! Kubernetes quantities of bytes: read, bounded, and written in one canonical form. Pure.
//!
//! Our own, because the crate for it (kube_quantity 0.9) reads `1.5Gi` as 1Gi and `Gi` as 0.

/// Bytes in a GiB.
pub const GIB: u64 = 1 << 30;
const UNITS: [(&str, u64); 5] = [("Ti", 1 << 40), ("Gi", GIB), ("Mi", 1 << 20), ("Ki", 1 << 10), ("", 1)];

const SHAPE: &str = "must be a quantity such as \"20Gi\"";

/// The number of bytes that a quantity such as `20Gi`, `1.5G` or `1e9` stands for, rounded up as Kubernetes does; or what is
/// wrong in words that complete "Invalid value: …:".
pub fn parse(text: &str) -> Result<u64, &'static str> {
    scaled(text, 1)
}

/// The number of bytes of a size as the schemas allow it: a quantity without a sign and without suffixes for parts of one.
pub fn size(text: &str) -> Result<u64, &'static str> {
    let parts = text.ends_with(['n', 'u', 'm']) || text.contains("e-") || text.contains("E-");
    if text.starts_with('+') || text.len() > 32 || parts && !text.starts_with('-') { Err(SHAPE) } else { parse(text) }
}

/// A quantity of CPUs in thousandths of one, rounded up: 1500 for `1.5` and for `1500m`.
pub fn thousandths(text: &str) -> Result<u64, &'static str> {
    scaled(text, 1000)
}

fn scaled(text: &str, by: u128) -> Result<u64, &'static str> {
    if text.starts_with('-') {
        return Err("must not be negative");
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let number = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.len() > 32 || (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(SHAPE);
    }
    let (multiplier, divisor) = unit(suffix).ok_or(SHAPE)?;
    // At most 32 digits, which fit.
    let digits = whole.bytes().chain(fraction.bytes()).fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let scale = u32::try_from(fraction.len()).ok().and_then(|places| 10_u128.checked_pow(places)?.checked_mul(divisor));
    let units = digits.checked_mul(multiplier).and_then(|units| units.checked_mul(by));
    let amount = units.zip(scale).map(|(scaled, scale)| scaled.div_ceil(scale));
    amount.and_then(|amount| u64::try_from(amount).ok()).ok_or("is out of range")
}

/// What a suffix multiplies and divides by.
fn unit(suffix: &str) -> Option<(u128, u128)> {
    let power = |base: u128, exponent| Some((base.checked_pow(exponent)?, 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => power(1000, 1),
        "M" => power(1000, 2),
        "G" => power(1000, 3),
        "T" => power(1000, 4),
        "P" => power(1000, 5),
        "E" => power(1000, 6),
        "Ki" => power(1024, 1),
        "Mi" => power(1024, 2),
        "Gi" => power(1024, 3),
        "Ti" => power(1024, 4),
        "Pi" => power(1024, 5),
        "Ei" => power(1024, 6),
        _ => {
            let exponent: i8 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let size = 10_u128.checked_pow(u32::from(exponent.unsigned_abs()))?;
            Some(if exponent < 0 { (1, size) } else { (size, 1) })
        }
    }
}

/// The shortest whole number with a binary suffix: `17179869184` is `16Gi`.
pub fn canonical(bytes: u64) -> String {
    let (suffix, unit) = UNITS.into_iter().find(|(_, unit)| bytes.is_multiple_of(*unit)).unwrap_or(("", 1));
    [(bytes / unit).to_string().as_str(), if bytes == 0 { "" } else { suffix }].concat()
}

/// The same for people: without a unit it is bytes.
pub fn shown(bytes: u64) -> String {
    let text = canonical(bytes);
    if text.ends_with(|sign: char| sign.is_ascii_digit()) { format!("{text} bytes") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn x25_quantities_are_read_and_written_canonically() {
        #[rustfmt::skip]
        let cases = [
            ("20Gi", 21_474_836_480, "20Gi"), ("1024Mi", 1 << 30, "1Gi"), ("1.5Gi", 1_610_612_736, "1536Mi"),
            ("2G", 2_000_000_000, "1953125Ki"), ("17179869184", 17_179_869_184, "16Gi"), ("0", 0, "0"), ("1Ti", 1 << 40, "1Ti"),
            ("1e3", 1000, "1000"), ("1500m", 2, "2"), (".5Ki", 512, "512"), ("12e-1", 2, "2"), ("8Gi", 8_589_934_592, "8Gi"),
        ];
        every_row(cases, |(text, want, canon)| {
            assert_eq!(parse(text), Ok(want), "{text}");
            assert_eq!(canonical(want), canon, "{text}");
        });
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        #[rustfmt::skip]
        let cases = [
            ("2GB", "must be a quantity such as \"20Gi\""), ("", "must be a quantity such as \"20Gi\""), ("Gi", "must be a quantity such as \"20Gi\""),
            ("-1Gi", "must not be negative"), ("twenty", "must be a quantity such as \"20Gi\""), ("1.2.3", "must be a quantity such as \"20Gi\""), (".", "must be a quantity such as \"20Gi\""), ("1e", "must be a quantity such as \"20Gi\""), ("1 Gi", "must be a quantity such as \"20Gi\""),
        ];
        every_row(cases, |(text, why)| assert_eq!(parse(text), Err(why), "{text:?}"));
        every_row(["99999999999Ei", "16Ei", "1e99", "99999999999999999999999999999999"], |huge| {
            assert!(parse(huge).is_err(), "{huge}");
        });
    }
}
