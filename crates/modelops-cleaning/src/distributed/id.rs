//! The number of a record among all shards.

/// Bits for the place of a record in its shard; the statements shift by as many.
const ORDINAL_BITS: u32 = 40;
/// Shards that leave ids positive.
pub(crate) const MOST_SHARDS: usize = 1 << 22;

/// Where a record is: given when it is first read, and never changed by where or when it is processed. Ids have the
/// order of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// Its shard, from 0.
    pub shard: u32,
    /// Its place in the shard, from 0.
    pub ordinal: u64,
}

impl RowId {
    /// The shard above the ordinal: ids have the order of the input.
    pub(crate) fn number(self) -> i64 {
        i64::from(self.shard) << ORDINAL_BITS | self.ordinal as i64
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        let shard = u32::try_from(number >> ORDINAL_BITS).ok()?;
        let ordinal = (number & ((1 << ORDINAL_BITS) - 1)) as u64;
        Some(Self { shard, ordinal })
    }
}

/// An integer that has the order of a double under [`f64::total_cmp`].
pub(crate) fn order_key(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The double of an [`order_key`].
pub(crate) fn from_order_key(key: i64) -> f64 {
    f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_have_the_order_of_doubles(a in any::<u64>(), b in any::<u64>()) {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            prop_assert_eq!(order_key(a).cmp(&order_key(b)), a.total_cmp(&b));
            prop_assert_eq!(from_order_key(order_key(a)).to_bits(), a.to_bits());
        }

        #[test]
        fn ids_have_the_order_of_the_input(
            a in (0u32..MOST_SHARDS as u32, 0u64..1 << 40), b in (0u32..MOST_SHARDS as u32, 0u64..1 << 40),
        ) {
            let id = |(shard, ordinal)| RowId { shard, ordinal };
            prop_assert_eq!(id(a).number().cmp(&id(b).number()), a.cmp(&b));
            prop_assert_eq!(RowId::from_number(id(a).number()), Some(id(a)));
        }
    }
}
