use modelops_cleaning::text::near::{NearError, Shingle};
use modelops_cleaning::text::simhash::{SimHashError, SimHashIndex, SimHasher};

#[test]
fn a_distance_without_blocks_and_an_empty_shingle_are_refused() {
    assert_eq!(
        SimHashIndex::new(16).unwrap_err(),
        SimHashError::Distance { bits: 16 }
    );
    let error = SimHasher::new(Shingle::Words(0)).unwrap_err();
    assert_eq!(error, NearError::ShingleSize { size: 0 });
}
