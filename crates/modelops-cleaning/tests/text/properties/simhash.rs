use modelops_cleaning::text::near::Shingle;
use modelops_cleaning::text::simhash::{SimHashIndex, SimHasher};
use proptest::prelude::*;

proptest! {
    #[test]
    fn the_index_finds_what_a_scan_finds(
        seeds in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..40), distance in 0u32..=15,
    ) {
        // Masks with few bits make pairs at every distance.
        let prints: Vec<u64> = seeds.iter().map(|&(a, b, c)| (a & b & c) >> 8).collect();
        let mut index = SimHashIndex::new(distance).unwrap();
        for &print in &prints {
            index.insert(print);
        }
        for &query in &prints {
            let scan: Vec<(usize, u32)> = prints.iter().enumerate()
                .map(|(at, print)| (at, (print ^ query).count_ones()))
                .filter(|&(_, bits)| bits <= distance)
                .collect();
            prop_assert_eq!(index.within(query), scan);
        }
    }

    #[test]
    fn a_fingerprint_depends_on_the_set_of_shingles_alone(words in prop::collection::vec("[a-d]{1,2}", 1..20)) {
        let hasher = SimHasher::new(Shingle::Words(1)).unwrap();
        let forwards = words.join(" ");
        let backwards = words.iter().rev().chain(&words).map(|word| word.to_uppercase()).collect::<Vec<_>>().join("; ");
        prop_assert_eq!(hasher.fingerprint(&forwards), hasher.fingerprint(&backwards));
    }
}
