//! Kubernetes quantities of bytes: read, bounded, and written in one canonical form. Pure.

use kube_quantity::ParsedQuantity;

use super::review::Amount;

/// Bytes in a GiB.
pub const GIB: u64 = 1 << 30;
const UNITS: [(&str, u64); 5] = [("Ti", 1 << 40), ("Gi", GIB), ("Mi", 1 << 20), ("Ki", 1 << 10), ("", 1)];

/// The number of bytes, or what is wrong in words that complete "Invalid value: …:".
pub fn bytes(amount: &Amount<'_>) -> Result<u64, &'static str> {
    match amount {
        Amount::Number(number) => u64::try_from(*number).map_err(|_| "must not be negative"),
        Amount::Text(text) => parse(text),
    }
}

/// The number of bytes that a quantity such as `20Gi` stands for, rounded down.
pub fn parse(text: &str) -> Result<u64, &'static str> {
    if text.len() > 32 {
        return Err("must be a quantity such as \"20Gi\"");
    }
    if text.starts_with('-') {
        return Err("must not be negative");
    }
    let parsed = ParsedQuantity::try_from(text).map_err(|_| "must be a quantity such as \"20Gi\"")?;
    parsed.to_bytes_u64().ok_or("is out of range")
}

/// The shortest whole number with a binary suffix: `17179869184` is `16Gi`.
pub fn canonical(bytes: u64) -> String {
    let (suffix, unit) = UNITS.into_iter().find(|(_, unit)| bytes % unit == 0).unwrap_or(("", 1));
    format!("{}{}", bytes / unit, if bytes == 0 { "" } else { suffix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x25_quantities_are_read_and_written_canonically() {
        #[rustfmt::skip]
        let cases = [
            ("20Gi", 21_474_836_480, "20Gi"), ("1024Mi", 1 << 30, "1Gi"), ("1.5Gi", 1_610_612_736, "1536Mi"),
            ("2G", 2_000_000_000, "1953125Ki"), ("17179869184", 17_179_869_184, "16Gi"), ("0", 0, "0"), ("1Ti", 1 << 40, "1Ti"),
            ("1e3", 1000, "1000"), ("8Gi", 8_589_934_592, "8Gi"),
        ];
        for (text, want, canon) in cases {
            assert_eq!(parse(text), Ok(want), "{text}");
            assert_eq!(canonical(want), canon, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        #[rustfmt::skip]
        let cases = [
            ("2GB", "must be a quantity such as \"20Gi\""), ("", "must be a quantity such as \"20Gi\""), ("Gi", "must be a quantity such as \"20Gi\""),
            ("-1Gi", "must not be negative"), ("twenty", "must be a quantity such as \"20Gi\""), ("1 Gi", "must be a quantity such as \"20Gi\""),
        ];
        for (text, why) in cases {
            assert_eq!(parse(text), Err(why), "{text:?}");
        }
        assert!(parse("99999999999Ei").is_err());
        assert_eq!(bytes(&Amount::Number(-1)), Err("must not be negative"));
    }
}
