//! The wire format of protocol buffers, as much of it as the encoders need.

/// Appends a number in base 128, least digits first.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How long [`varint`] writes a number.
fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn key(field: u32, wire_type: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | wire_type), out);
}

/// Appends an unsigned number, an enum or a bool.
pub(super) fn uint(field: u32, value: u64, out: &mut Vec<u8>) {
    key(field, 0, out);
    varint(value, out);
}

/// Appends a plain signed number.
pub(super) fn int(field: u32, value: i64, out: &mut Vec<u8>) {
    uint(field, value as u64, out);
}

/// Appends a signed number whose sign is the last bit.
pub(super) fn sint(field: u32, value: i64, out: &mut Vec<u8>) {
    uint(field, (value << 1 ^ value >> 63) as u64, out);
}

/// Appends a double.
pub(super) fn double(field: u32, value: f64, out: &mut Vec<u8>) {
    fixed(field, value.to_bits(), out);
}

/// Appends a number of eight bytes.
pub(super) fn fixed(field: u32, value: u64, out: &mut Vec<u8>) {
    key(field, 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a text or bytes.
pub(super) fn bytes(field: u32, value: &[u8], out: &mut Vec<u8>) {
    key(field, 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Appends the message that `write` writes.
pub(super) fn message(field: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    key(field, 2, out);
    delimited(out, write);
}

/// Appends what `write` writes with its length before it.
pub(super) fn delimited(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let length = out.len() - start;
    // Room for the length is made afterwards: messages are short, and most lengths take one byte.
    let mut digits = Vec::with_capacity(varint_len(length as u64));
    varint(length as u64, &mut digits);
    out.splice(start..start, digits);
}
