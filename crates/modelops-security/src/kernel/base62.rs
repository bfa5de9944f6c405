//! Base62 of fixed width, for identifiers and secrets inside tokens.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether `byte` is a base62 digit.
pub(crate) fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Writes `value` into `out`, most significant digit first, padded with `0`.
pub(crate) fn write_u32(mut value: u32, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = DIGITS[(value % 62) as usize];
        value /= 62;
    }
}

/// Fills `out` with uniform digits, drawing bytes until enough of them are below 248 = 4 · 62.
pub(crate) fn fill_random(
    random: &mut dyn crate::SecureRandom,
    out: &mut [u8],
) -> Result<(), crate::RandomError> {
    let mut drawn = zeroize::Zeroizing::new([0; 64]);
    let mut at = 0;
    while at < out.len() {
        random.fill(drawn.as_mut_slice())?;
        for byte in drawn.iter().filter(|byte| **byte < 248) {
            if at < out.len() {
                out[at] = DIGITS[usize::from(byte % 62)];
                at += 1;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_is_written_with_its_leading_zeros() {
        let mut out = [0; 6];
        super::write_u32(62 * 62 + 61, &mut out);
        assert_eq!(&out, b"00010z");
        super::write_u32(u32::MAX, &mut out);
        assert_eq!(&out, b"4gfFC3");
    }
}
