//! Kubernetes quantities: `500m`, `16Gi`, `1e3`.

/// Which way to round to a whole unit: what a node has goes down, what a pod asks for goes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    Down,
    Up,
}

/// `text` in units of `unit_milli` thousandths (1 for millicores, 1000 for one, 1000 · 2²⁰ for MiB); `None` where it is no quantity
/// of 0 or more or too large.
pub(crate) fn parse(text: &str, unit_milli: u128, rounding: Rounding) -> Option<u64> {
    let (number, factor) = split(text.trim())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if whole.len() + fraction.len() > 24 {
        return None;
    }
    let mantissa: u128 = match format!("{whole}{fraction}").as_str() {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    // The amount is mantissa · numerator / denominator of a unit.
    let (mut numerator, mut denominator) = match factor {
        Factor::Binary(power) => (1_u128.checked_shl(10 * power)?, 1),
        Factor::Decimal(power) if power >= 0 => (10_u128.checked_pow(power.unsigned_abs())?, 1),
        Factor::Decimal(power) => (1, 10_u128.checked_pow(power.unsigned_abs())?),
    };
    denominator = 10_u128
        .checked_pow(fraction.len() as u32)?
        .checked_mul(denominator)?;
    // In thousandths, over the unit; common factors out first.
    denominator = denominator.checked_mul(unit_milli)?;
    numerator = numerator.checked_mul(1000)?;
    let common = gcd(numerator, denominator);
    (numerator, denominator) = (numerator / common, denominator / common);
    let product = mantissa.checked_mul(numerator)?;
    let amount = match rounding {
        Rounding::Down => product / denominator,
        Rounding::Up => product.div_ceil(denominator),
    };
    u64::try_from(amount).ok()
}

#[derive(Clone, Copy)]
enum Factor {
    /// A power of 1024.
    Binary(u32),
    /// A power of 10.
    Decimal(i32),
}

/// The number and what its suffix multiplies it by.
fn split(text: &str) -> Option<(&str, Factor)> {
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    for (power, suffix) in (1..).zip(binary) {
        if let Some(number) = text.strip_suffix(suffix) {
            return Some((number, Factor::Binary(power)));
        }
    }
    let decimal = [
        ("n", -9),
        ("u", -6),
        ("m", -3),
        ("k", 3),
        ("M", 6),
        ("G", 9),
        ("T", 12),
        ("P", 15),
        ("E", 18),
    ];
    for (suffix, power) in decimal {
        if let Some(number) = text.strip_suffix(suffix) {
            return Some((number, Factor::Decimal(power)));
        }
    }
    match text.split_once(['e', 'E']) {
        Some((number, power)) => {
            let power: i32 = power.parse().ok()?;
            (-18..=18)
                .contains(&power)
                .then_some((number, Factor::Decimal(power)))
        }
        None => Some((text, Factor::Decimal(0))),
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        const ONE: u128 = 1000;
        const MIB: u128 = 1000 << 20;
        for (text, unit, down, up) in [
            ("500m", 1, 500, 500),
            ("2", 1, 2000, 2000),
            ("0.1", 1, 100, 100),
            ("100u", 1, 0, 1),
            ("16Gi", MIB, 16_384, 16_384),
            ("1000Ki", MIB, 0, 1),
            ("64M", MIB, 61, 62),
            ("1e3", ONE, 1000, 1000),
            ("1E3", ONE, 1000, 1000),
            ("2E", ONE, 2_000_000_000_000_000_000, 2_000_000_000_000_000_000),
            (".5", 1, 500, 500),
            ("0", ONE, 0, 0),
            ("263816640Ki", MIB, 257_633, 257_634),
        ] {
            assert_eq!(parse(text, unit, Rounding::Down), Some(down), "{text}");
            assert_eq!(parse(text, unit, Rounding::Up), Some(up), "{text}");
        }
        for bad in [
            "",
            "-1",
            "1.2.3",
            "abc",
            "1Xi",
            "1e99",
            "m",
            ".",
            "99999999999999999999999999",
            "20E",
            "+1",
        ] {
            assert_eq!(parse(bad, ONE, Rounding::Up), None, "{bad}");
        }
    }
}
