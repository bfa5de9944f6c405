//! From a value to its exponential bucket and back, exact at every bound.

use super::bounds::FRACTIONS;

const FRACTION_BITS: u32 = 52;
const FRACTION_MASK: u64 = (1 << FRACTION_BITS) - 1;
const BIAS: i32 = 1023;

/// The bucket of a normal `value > 0` at `schema` (−4 to 8): the least `i` with `value ≤ 2^(i / 2^schema)`.
///
/// The bounds are the nearest `f64` of the powers; the comparison is of integers, so no logarithm rounds a value over.
pub(crate) fn bucket(value: f64, schema: i8) -> i32 {
    let bits = value.to_bits();
    let exponent = (bits >> FRACTION_BITS) as i32 - BIAS;
    let fraction = bits & FRACTION_MASK;
    if schema <= 0 {
        // ceil(log2 value), then ceil of its division by 2^-schema.
        let octave = exponent + i32::from(fraction > 0);
        let shift = -i32::from(schema);
        return (octave + (1 << shift) - 1) >> shift;
    }
    let stride = 1usize << (8 - schema);
    let inside = 1usize << schema;
    // The bounds within an octave that lie below the value.
    let mut below = 0;
    let mut step = inside;
    while step > 0 {
        let next = below + step;
        if next <= inside && fraction > FRACTIONS[(next - 1) * stride] {
            below = next;
        }
        step /= 2;
    }
    (exponent << schema) + below as i32
}

/// The upper, inclusive bound of bucket `index` at `schema`; `f64::MAX` where the power lies beyond it.
pub(crate) fn upper_bound(index: i32, schema: i8) -> f64 {
    let (exponent, fraction) = if schema <= 0 {
        (index << -i32::from(schema), 0)
    } else {
        let within = index & ((1 << schema) - 1);
        (index >> schema, FRACTIONS[(within as usize) << (8 - schema)])
    };
    if exponent > BIAS {
        f64::MAX
    } else if exponent <= -BIAS {
        f64::MIN_POSITIVE
    } else {
        f64::from_bits((((exponent + BIAS) as u64) << FRACTION_BITS) | fraction)
    }
}

/// The bucket of a value by one table look-up and one comparison, for one positive schema.
#[derive(Debug)]
pub(crate) struct IndexTable {
    schema: u32,
    /// By the leading fraction bits of a value: the bounds surely below it, and the one bound left to compare with.
    guesses: Box<[Guess]>,
}

#[derive(Debug, Clone, Copy)]
struct Guess {
    bound: u64,
    below: u32,
}

impl IndexTable {
    /// A table for `schema` in `0..=8`.
    pub(crate) fn new(schema: i8) -> Self {
        debug_assert!((0..=8).contains(&schema));
        let inside = 1usize << schema;
        let stride = 1usize << (8 - schema);
        // Bounds lie at least ln 2 / 2^n apart, cells 1 / 2^(n+1): at most one bound falls into a cell.
        let cells = inside * 2;
        let width = (1u64 << FRACTION_BITS) / cells as u64;
        let guesses = (0..cells as u64)
            .map(|cell| {
                let least = cell * width;
                let below = (0..inside).take_while(|i| FRACTIONS[i * stride] < least).count();
                let bound = if below == inside {
                    u64::MAX
                } else {
                    FRACTIONS[below * stride]
                };
                Guess {
                    bound,
                    below: below as u32,
                }
            })
            .collect();
        Self {
            schema: u32::from(schema.unsigned_abs()),
            guesses,
        }
    }

    /// The bucket of a normal `value > 0`; the same as [`bucket`].
    #[inline]
    pub(crate) fn bucket(&self, value: f64) -> i32 {
        let bits = value.to_bits();
        let fraction = bits & FRACTION_MASK;
        let cell = (fraction >> (FRACTION_BITS - self.schema - 1)) as usize;
        let guess = self.guesses[cell & (self.guesses.len() - 1)];
        let octave = (bits >> FRACTION_BITS) as i32 - BIAS;
        (octave << self.schema) + (guess.below + u32::from(fraction > guess.bound)) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_search_agree_at_and_around_every_bound() {
        for schema in 0..=8i8 {
            let table = IndexTable::new(schema);
            for index in -(3 << schema)..=(3 << schema) {
                let bound = upper_bound(index, schema);
                assert_eq!(bucket(bound, schema), index, "schema {schema}");
                assert_eq!(bucket(bound.next_up(), schema), index + 1);
                for value in [bound, bound.next_up(), bound.next_down(), bound * 1.001] {
                    assert_eq!(table.bucket(value), bucket(value, schema));
                }
            }
        }
    }

    #[test]
    fn coarse_schemas_halve_the_finer_index() {
        for schema in -3..=8i8 {
            for i in 1..2_000 {
                let value = 1e-4 * 1.013f64.powi(i);
                let fine = bucket(value, schema);
                assert_eq!(bucket(value, schema - 1), (fine + 1) >> 1);
            }
        }
    }
}
