//! Words as they are compared: composed, in lower case, letters and digits only.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Calls `f` with the bytes of each word in lower case.
pub(super) fn each_word(text: &str, buffer: &mut Vec<u8>, mut f: impl FnMut(&[u8])) {
    buffer.clear();
    if text.is_ascii() {
        buffer.extend_from_slice(text.as_bytes());
        buffer.make_ascii_lowercase();
    } else {
        let lower = |c: char| c.to_lowercase();
        let mut write = |c: char| {
            let kept = if c.is_alphanumeric() { c } else { ' ' };
            buffer.extend_from_slice(kept.encode_utf8(&mut [0; 4]).as_bytes());
        };
        if is_nfc_quick(text.chars()) == IsNormalized::Yes {
            text.chars().flat_map(lower).for_each(&mut write);
        } else {
            text.nfc().flat_map(lower).for_each(&mut write);
        }
    }
    // All that is left outside ASCII is a letter or a digit.
    let separates = |byte: u8| !(byte.is_ascii_alphanumeric() || byte >= 0x80);
    let mut rest = buffer.as_slice();
    while let Some(begin) = rest.iter().position(|&byte| !separates(byte)) {
        rest = &rest[begin..];
        let end = rest
            .iter()
            .position(|&byte| separates(byte))
            .unwrap_or(rest.len());
        f(&rest[..end]);
        rest = &rest[end..];
    }
}
