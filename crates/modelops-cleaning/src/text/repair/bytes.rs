//! Bytes that are nearly UTF-8.

/// Words after which a lone accented capital and a blank are not the French word "à" at the end of another.
const NOT_A_WORD: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];

/// A byte inside of a sequence of three: the two that blanks may once have been are left out.
fn inside(byte: u8) -> bool {
    matches!(byte, 0x80..=0x84 | 0x86..=0x9f | 0xa1..=0xbf)
}

fn continues(byte: u8) -> bool {
    matches!(byte, 0x80..=0xbf)
}

/// The length of a sequence at the start of `bytes` in which a byte A0 has become a blank; 0 where there is none.
fn altered(bytes: &[u8]) -> usize {
    let blank = |byte: u8| byte == b' ';
    match *bytes {
        [0xc2 | 0xc3 | 0xc5 | 0xce | 0xd0 | 0xd9, b' ', ..] => 2,
        [0xe2 | 0xe3, b' ', last, ..] if inside(last) => 3,
        [0xe0..=0xe3, middle, b' ', ..] if inside(middle) => 3,
        [0xf0, a, b, c, ..] => {
            let blanks = [a, b, c].into_iter().filter(|&byte| blank(byte)).count();
            let rest = [a, b, c].into_iter().all(|byte| blank(byte) || continues(byte));
            if blanks == 1 && rest { 4 } else { 0 }
        }
        _ => 0,
    }
}

/// Puts bytes A0 back where blanks have taken their place; `None` where none has.
pub(super) fn restore_blanks(bytes: &[u8]) -> Option<Vec<u8>> {
    (0..bytes.len()).find(|&at| altered(&bytes[at..]) > 0)?;
    // The word "à" first: its blank is both the byte and the gap between words.
    let mut spaced = Vec::with_capacity(bytes.len() + 8);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"\xc3 ") && !NOT_A_WORD.iter().any(|word| rest[2..].starts_with(word)) {
            spaced.extend_from_slice(b"\xc3\xa0 ");
            at += 2;
        } else {
            spaced.push(rest[0]);
            at += 1;
        }
    }
    let mut at = 0;
    while at < spaced.len() {
        let length = altered(&spaced[at..]);
        for byte in &mut spaced[at..at + length] {
            if *byte == b' ' {
                *byte = 0xa0;
            }
        }
        at += length.max(1);
    }
    Some(spaced)
}

/// The length of a sequence at the start of `bytes` some of whose bytes were lost; 0 where there is none.
fn lossy(bytes: &[u8]) -> usize {
    const LOST: u8 = super::pages::LOST;
    let lost = |byte: u8| byte == LOST || byte == b'?';
    let there = |byte: u8| byte == LOST || continues(byte);
    // One of the bytes after the first was lost for good, the others are there or marked.
    let with_gap = |rest: &[u8]| {
        (0..rest.len()).any(|gap| {
            (0..rest.len()).all(|at| {
                if at == gap {
                    lost(rest[at])
                } else {
                    there(rest[at])
                }
            })
        })
    };
    match *bytes {
        [0xc2..=0xdf, LOST, ..] | [0xc2 | 0xc3, b'?', ..] => 2,
        [0xed, 0xa0..=0xaf, a, 0xed, 0xb0..=0xbf, b, ..]
            if (lost(a) && (lost(b) || continues(b))) || ((lost(a) || continues(a)) && lost(b)) =>
        {
            6
        }
        [0xe0..=0xef, a, b, ..] if with_gap(&[a, b]) => 3,
        [0xf0..=0xf4, a, b, c, ..] if with_gap(&[a, b, c]) => 4,
        [LOST, ..] => 1,
        _ => 0,
    }
}

/// Puts U+FFFD in the place of sequences that have lost bytes; `None` where there is none.
pub(super) fn mark_losses(bytes: &[u8]) -> Option<Vec<u8>> {
    (0..bytes.len()).find(|&at| lossy(&bytes[at..]) > 0)?;
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut at = 0;
    while at < bytes.len() {
        let length = lossy(&bytes[at..]);
        if length > 0 {
            out.extend_from_slice("\u{fffd}".as_bytes());
        } else {
            out.push(bytes[at]);
        }
        at += length.max(1);
    }
    Some(out)
}

/// Decodes UTF-8, and what some programs take for it: pairs of surrogates of three bytes each, and C0 80 for the null character.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at..] {
            [0xc0, 0x80, ..] => {
                out.push(0);
                at += 2;
            }
            [
                0xed,
                a @ 0xa0..=0xaf,
                b @ 0x80..=0xbf,
                0xed,
                c @ 0xb0..=0xbf,
                d @ 0x80..=0xbf,
                ..,
            ] => {
                let half = |high: u8, low: u8| u32::from(high & 0x0f) << 6 | u32::from(low & 0x3f);
                let code = 0x1_0000 + (half(a, b) << 10) + (half(c, d) & 0x3ff);
                let character = char::from_u32(code)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += 6;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}
