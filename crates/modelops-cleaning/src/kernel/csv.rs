//! Where CSV records and fields begin and end.
//!
//! Quoting follows RFC 4180 and, where that is silent, what the `csv` crate does: a quote opens a field only as its
//! first byte, elsewhere it is text; a record ends at LF, CRLF or CR outside quotes. The scanner only finds borders, it
//! never copies; it is checked against the `csv` crate on random input.

/// Something to know about a record before trusting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traits {
    /// A field starts with a quote.
    pub(crate) quoted: bool,
    /// A quote stands inside an unquoted field.
    pub(crate) stray_quote: bool,
    /// Text follows a closing quote.
    pub(crate) text_after_quote: bool,
    /// The file ended inside quotes.
    pub(crate) unclosed: bool,
    /// The record ended at a CR without LF.
    pub(crate) bare_cr: bool,
}

/// One record found at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes up to the next record, terminator included.
    pub(crate) len: usize,
    /// Bytes without the terminator.
    pub(crate) body: usize,
    /// What to know about it.
    pub(crate) traits: Traits,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of every byte of `word` that may be a quote, the separator or a control byte below 0x0e.
/// May also mark a byte above a true hit, so callers look at the byte itself.
#[inline(always)]
fn candidates(word: u64, separator: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let sep = word ^ separator;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES * 0x0e) & !word;
    (zero(quote) | zero(sep) | control) & HIGH
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Quoted,
    /// A quote closed the field at this position, or begins an escaped quote.
    Closed(usize),
}

/// Finds the record that starts at `buffer[0]` and appends the end of each of its fields to `ends`.
/// `None` where the record goes on beyond the buffer (and `last` is false) or the buffer is empty.
pub(crate) fn find_record(buffer: &[u8], separator: u8, last: bool, ends: &mut Vec<u32>) -> Option<Found> {
    if buffer.is_empty() {
        return None;
    }
    let known = ends.len();
    let pattern = ONES * u64::from(separator);
    let mut traits = Traits::default();
    let mut state = State::Plain;
    let mut field_start = 0usize;
    let mut at = 0usize;
    // Whole words while they last, then one padded word: a zero byte would count as control, so pad with 0x7f.
    while at < buffer.len() {
        let word = match buffer.get(at..at + 8) {
            Some(bytes) => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
            None => {
                let mut padded = [0x7f_u8; 8];
                let rest = &buffer[at..];
                padded[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(padded)
            }
        };
        let mut hits = candidates(word, pattern);
        while hits != 0 {
            let p = at + (hits.trailing_zeros() / 8) as usize;
            hits &= hits - 1;
            let Some(&byte) = buffer.get(p) else { break };
            if state == State::Quoted {
                if byte == b'"' {
                    state = State::Closed(p);
                }
                continue;
            }
            if byte == b'"' {
                match state {
                    State::Closed(q) if q + 1 == p => state = State::Quoted,
                    State::Plain if p == field_start => {
                        traits.quoted = true;
                        state = State::Quoted;
                    }
                    State::Closed(_) => {
                        // Text after a closing quote: the field goes on unquoted and this quote is text.
                        traits.text_after_quote = true;
                        state = State::Plain;
                    }
                    _ => traits.stray_quote = true,
                }
            } else if byte == separator {
                if let State::Closed(q) = state
                    && q + 1 != p
                {
                    traits.text_after_quote = true;
                }
                state = State::Plain;
                ends.push(p as u32);
                field_start = p + 1;
            } else if byte == b'\n' || byte == b'\r' {
                if let State::Closed(q) = state
                    && q + 1 != p
                {
                    traits.text_after_quote = true;
                }
                let mut len = p + 1;
                if byte == b'\r' {
                    match buffer.get(p + 1) {
                        Some(b'\n') => len = p + 2,
                        Some(_) => traits.bare_cr = true,
                        None if last => traits.bare_cr = true,
                        None => {
                            ends.truncate(known);
                            return None;
                        }
                    }
                }
                ends.push(p as u32);
                return Some(Found { len, body: p, traits });
            }
        }
        at += 8;
    }
    if !last {
        ends.truncate(known);
        return None;
    }
    match state {
        State::Quoted => traits.unclosed = true,
        State::Closed(q) if q + 1 != buffer.len() => traits.text_after_quote = true,
        _ => {}
    }
    ends.push(buffer.len() as u32);
    Some(Found {
        len: buffer.len(),
        body: buffer.len(),
        traits,
    })
}

/// The text of a field as written: `field` itself, or `scratch` where quotes had to be taken off.
/// Text after a closing quote is kept as it stands.
pub(crate) fn unquote<'a>(field: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if field.first() != Some(&b'"') {
        return field;
    }
    let inner = &field[1..];
    match inner.iter().position(|&b| b == b'"') {
        Some(end) if end + 1 == inner.len() => return &inner[..end],
        None => return inner,
        Some(_) => {}
    }
    scratch.clear();
    let mut rest = inner;
    loop {
        match rest.iter().position(|&b| b == b'"') {
            None => {
                scratch.extend_from_slice(rest);
                break;
            }
            Some(q) => {
                scratch.extend_from_slice(&rest[..q]);
                if rest.get(q + 1) == Some(&b'"') {
                    scratch.push(b'"');
                    rest = &rest[q + 2..];
                } else {
                    // The closing quote; anything behind it is text.
                    scratch.extend_from_slice(&rest[q + 1..]);
                    break;
                }
            }
        }
    }
    scratch
}

/// Writes `text` as a CSV field, in quotes where it needs them; an empty text becomes an empty field.
pub(crate) fn write_field(out: &mut Vec<u8>, text: &[u8], separator: u8) {
    let quote = text
        .iter()
        .any(|&b| b == b'"' || b == separator || b == b'\n' || b == b'\r');
    if !quote {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(input: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut at = 0;
        let mut ends = Vec::new();
        let mut scratch = Vec::new();
        let mut all = Vec::new();
        while let Some(found) = {
            ends.clear();
            find_record(&input[at..], b',', true, &mut ends)
        } {
            let raw = &input[at..at + found.body];
            let mut start = 0;
            let fields = ends
                .iter()
                .map(|&end| {
                    let field = &raw[start..end as usize];
                    start = end as usize + 1;
                    unquote(field, &mut scratch).to_vec()
                })
                .collect();
            // The csv crate passes over blank lines; the ledger counts them.
            if found.body > 0 {
                all.push(fields);
            }
            at += found.len;
        }
        assert_eq!(at, input.len(), "every byte belongs to a record");
        all
    }

    fn oracle(input: &[u8]) -> Vec<Vec<Vec<u8>>> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(input)
            .into_byte_records()
            .map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect())
            .collect()
    }

    #[test]
    fn a_stray_quote_is_text() {
        assert_eq!(
            records(b"a,b\"c\nd,e\n"),
            [[b"a".to_vec(), b"b\"c".to_vec()], [b"d".to_vec(), b"e".to_vec()]]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn borders_are_those_of_the_csv_crate(
            input in proptest::collection::vec(
                prop_oneof![
                    Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'x'), Just(0xc3_u8), Just(b'\t'), Just(0)
                ],
                0..60,
            )
        ) {
            prop_assert_eq!(records(&input), oracle(&input));
        }

        #[test]
        fn a_cut_buffer_never_yields_another_record(
            input in proptest::collection::vec(
                prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'x')], 1..40),
            cut in 0usize..40,
        ) {
            let cut = cut.min(input.len());
            let (mut short, mut long) = (Vec::new(), Vec::new());
            if let Some(found) = find_record(&input[..cut], b',', false, &mut short) {
                prop_assert_eq!(Some(found), find_record(&input, b',', true, &mut long));
                prop_assert_eq!(short, long);
            }
        }
    }
}
