//! Oracles and strategies for `modelops-security`.

use proptest::prelude::*;

/// Lengths of messages around the edges of 16 KiB chunks and of batches of 16 of them, and some in between.
pub fn interesting_len() -> impl Strategy<Value = usize> {
    let edge = (
        prop::sample::select(vec![0_usize, 1, 2, 3, 15, 16, 17, 32, 65, 129]),
        -2_i64..=2,
    )
        .prop_map(|(chunks, off)| usize::try_from(chunks as i64 * 16_384 + off).unwrap_or(0));
    prop_oneof![3 => edge, 2 => 0_usize..100_000]
}

/// The plain lengths of the chunks of a message, cut one by one as the specification words it: full chunks while 16 KiB are
/// left, then a last one that is shorter, and empty where nothing is left.
#[must_use]
pub fn cut_by_hand(message_len: u64) -> Vec<u64> {
    let mut left = message_len;
    let mut chunks = Vec::new();
    while left >= 16 * 1024 {
        chunks.push(16 * 1024);
        left -= 16 * 1024;
    }
    chunks.push(left);
    chunks
}

/// The Merkle tree hash of RFC 6962, section 2.1, by its recursive definition, over leaves that are hashed already.
///
/// # Panics
///
/// Without leaves.
pub fn merkle_root_by_hand(
    leaves: &[[u8; 32]],
    node: &impl Fn(&[u8; 32], &[u8; 32]) -> [u8; 32],
) -> [u8; 32] {
    if let [leaf] = leaves {
        return *leaf;
    }
    let mut split = 1;
    while split * 2 < leaves.len() {
        split *= 2;
    }
    let (left, right) = leaves.split_at(split);
    node(
        &merkle_root_by_hand(left, node),
        &merkle_root_by_hand(right, node),
    )
}
