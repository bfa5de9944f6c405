//! MinHash signatures, and the band keys cut from them.

use super::Banding;
use super::shingle::mix;
use multiversion::multiversion;

/// Hash functions computed side by side; signatures are padded to a multiple.
const LANES: usize = 32;

/// The hash functions xᵢ ↦ mixed(aᵢ x + bᵢ) cᵢ on 32 bits, in groups of [`LANES`].
#[derive(Debug, Clone)]
pub(super) struct Hashers {
    groups: Vec<Group>,
    banding: Banding,
}

#[derive(Debug, Clone)]
struct Group {
    a: [u32; LANES],
    b: [u32; LANES],
    c: [u32; LANES],
}

impl Hashers {
    pub(super) fn new(banding: Banding, seed: u64) -> Self {
        let mut state = seed;
        let mut next = || {
            state = mix(state);
            (state >> 32) as u32
        };
        let mut lanes = |odd: u32| std::array::from_fn(|_| next() | odd);
        let groups = (0..banding.hashes().div_ceil(LANES))
            .map(|_| Group {
                a: lanes(1),
                b: lanes(0),
                c: lanes(1),
            })
            .collect();
        Self { groups, banding }
    }

    /// One key a band; documents are compared where a key is equal in the same band.
    pub(super) fn band_keys(&self, set: &[u64]) -> Vec<u64> {
        let mut minima = vec![u32::MAX; self.groups.len() * LANES];
        for (group, out) in self.groups.iter().zip(minima.as_chunks_mut::<LANES>().0) {
            fold_minima(set, group, out);
        }
        minima
            .chunks_exact(self.banding.rows())
            .take(self.banding.bands())
            .map(|band| band.iter().fold(0, |key, &row| mix(key ^ u64::from(row))))
            .collect()
    }
}

/// Lowers each lane to the least hash of the set under its function.
///
/// Two odd multiplications around a shift of 16 permute the 32-bit numbers; the affine map alone is too regular, its
/// minima over neighbouring functions are not independent.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn fold_minima(set: &[u64], group: &Group, out: &mut [u32; LANES]) {
    let mut minima = *out;
    for &shingle in set {
        let x = (shingle >> 32) as u32;
        let functions = group.a.iter().zip(&group.b).zip(&group.c);
        for (least, ((&a, &b), &c)) in minima.iter_mut().zip(functions) {
            let h = x.wrapping_mul(a).wrapping_add(b);
            let h = (h ^ (h >> 16)).wrapping_mul(c);
            *least = h.min(*least);
        }
    }
    *out = minima;
}
