use modelops_cleaning::text::near::{Linkage, NearDuplicates, Shingle};
use modelops_testkit::cleaning_text::proportion_lower_bound;

/// A → B → C, each a small step from the last, the ends too far apart.
#[test]
fn a_chain_is_one_component_but_not_one_leader() {
    let texts = ["a b c d e f g h", "b c d e f g h i", "c d e f g h i j"];
    let search = NearDuplicates::new(0.7, 0.999)
        .unwrap()
        .with_shingle(Shingle::Words(1))
        .unwrap();
    let index = search.find(&texts).unwrap();
    // Neighbours share 7 of 9 words, the ends 6 of 10.
    let links: Vec<_> = index
        .links()
        .iter()
        .map(|link| (link.earlier, link.later, link.jaccard))
        .collect();
    assert_eq!(links, [(0, 1, 7.0 / 9.0), (1, 2, 7.0 / 9.0)]);
    let closure = index.clusters(Linkage::Closure);
    assert_eq!(closure.groups(), [[0, 1, 2]]);
    assert_eq!(closure.explain(2).len(), 2);
    let leader = index.clusters(Linkage::Leader);
    assert_eq!(leader.kept().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn canonical_forms_and_case_are_one() {
    let composed = "Caf\u{e9} ŠKODA déjà vu";
    let decomposed = "cafe\u{301} s\u{30c}koda de\u{301}ja\u{300} VU";
    let index = NearDuplicates::new(1.0, 0.5)
        .unwrap()
        .find(&[composed, decomposed])
        .unwrap();
    assert_eq!(index.links().len(), 1);
}

#[test]
fn documents_without_words_are_nobodys_duplicates() {
    let index = NearDuplicates::new(0.5, 0.9)
        .unwrap()
        .find(&["", "", "…!?", " \n"])
        .unwrap();
    assert!(index.links().is_empty());
    assert!(!index.are_linked(0, 1));
    assert_eq!(index.clusters(Linkage::Closure).kept().count(), 4);
}

/// In closed form: when all of n trials succeed, the bound is 0.05^(1/n).
#[test]
fn the_oracle_of_the_promise_is_right() {
    let closed = 0.05f64.powf(1.0 / 50.0);
    assert!((proportion_lower_bound(50, 50, 0.95) - closed).abs() < 1e-9);
}
