use modelops_cleaning::text::near::{Banding, Link, Linkage, NearDuplicates, NearIndex, Shingle};
use modelops_testkit::cleaning_text::{
    RECALL_CONFIDENCE, components, jaccard, planted, proportion_lower_bound, shingles,
};
use proptest::prelude::*;

/// Short documents over few words, so that they share shingles often.
fn documents() -> impl Strategy<Value = Vec<String>> {
    let text = prop::collection::vec(prop::sample::select(vec!["a", "B", "c,", "été", "7", "—"]), 0..14)
        .prop_map(|words| words.join(" "));
    prop::collection::vec(text, 0..40)
}

fn shingle() -> impl Strategy<Value = Shingle> {
    prop_oneof![
        (1usize..4).prop_map(Shingle::Words),
        (1usize..5).prop_map(Shingle::Chars)
    ]
}

fn search(threshold: f64, shingle: Shingle) -> NearDuplicates {
    NearDuplicates::new(threshold, 0.9)
        .unwrap()
        .with_shingle(shingle)
        .unwrap()
}

fn oracle(text: &str, shingle: Shingle) -> std::collections::BTreeSet<String> {
    match shingle {
        Shingle::Words(size) => shingles(text, size, true),
        Shingle::Chars(size) => shingles(text, size, false),
        _ => unreachable!("no other shingle"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn each_link_is_exact_and_repetition_is_always_found(
        texts in documents(), shingle in shingle(), threshold in 0.3..=1.0f64,
    ) {
        let index = search(threshold, shingle).find(&texts).unwrap();
        let sets: Vec<_> = texts.iter().map(|text| oracle(text, shingle)).collect();
        for link in index.links() {
            prop_assert!(link.earlier < link.later);
            prop_assert_eq!(link.jaccard, jaccard(&sets[link.earlier], &sets[link.later]));
            prop_assert!(link.jaccard >= threshold);
        }
        for later in 0..texts.len() {
            for earlier in 0..later {
                let linked = index.are_linked(earlier, later);
                prop_assert_eq!(linked, index.are_linked(later, earlier));
                if sets[earlier] == sets[later] && !sets[later].is_empty() {
                    prop_assert!(linked);
                }
                prop_assert!(!linked || jaccard(&sets[earlier], &sets[later]) >= threshold);
            }
        }
    }

    #[test]
    fn batches_threads_and_a_file_in_between_change_nothing(
        texts in documents(), shingle in shingle(), cut in 0.0..=1.0f64, threads in 1usize..5,
    ) {
        let whole = search(0.5, shingle).find(&texts).unwrap();
        let (first, second) = texts.split_at((cut * texts.len() as f64) as usize);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let index = pool.install(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("seen.idx");
            let mut index = search(0.5, shingle).find(first).unwrap();
            index.save(&path).unwrap();
            index = NearIndex::open(&path).unwrap();
            index.add(second).unwrap();
            index
        });
        prop_assert_eq!(index.links(), whole.links());
        for linkage in [Linkage::Closure, Linkage::Leader] {
            prop_assert_eq!(index.clusters(linkage), whole.clusters(linkage));
        }
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        index.save(&a).unwrap();
        whole.save(&b).unwrap();
        prop_assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
    }

    #[test]
    fn closure_is_the_components_and_every_chain_is_made_of_links(texts in documents()) {
        let index = search(0.4, Shingle::Words(1)).find(&texts).unwrap();
        let pairs: Vec<_> = index.links().iter().map(|link| (link.earlier, link.later)).collect();
        let clusters = index.clusters(Linkage::Closure);
        let expected = components(texts.len(), &pairs);
        for (document, &kept) in expected.iter().enumerate() {
            prop_assert_eq!(clusters.kept_for(document), kept);
            let mut at = document;
            for link in clusters.explain(document) {
                prop_assert!(index.links().contains(&link));
                prop_assert!(at == link.earlier || at == link.later);
                at = link.earlier + link.later - at;
            }
            prop_assert_eq!(at, kept);
        }
    }

    #[test]
    fn a_leader_is_kept_and_linked_with_all_it_stands_for(texts in documents()) {
        let index = search(0.4, Shingle::Words(1)).find(&texts).unwrap();
        let clusters = index.clusters(Linkage::Leader);
        for document in 0..texts.len() {
            let kept = clusters.kept_for(document);
            prop_assert!(clusters.is_kept(kept));
            prop_assert!(kept == document || index.are_linked(kept, document));
            if clusters.is_kept(document) {
                // No kept document was linked with an earlier kept one.
                let earlier_kept = |link: &&Link| link.later == document && clusters.is_kept(link.earlier);
                prop_assert!(!index.links().iter().any(|link| earlier_kept(&link)));
            }
        }
        let members: usize = clusters.groups().iter().map(|group| group.len() - 1).sum();
        prop_assert_eq!(members + clusters.kept().count(), texts.len());
    }

    #[test]
    fn a_banding_keeps_its_promise_with_no_band_to_spare(
        threshold in 0.05..=1.0f64, recall in 0.01..0.9999f64, max_hashes in 1usize..400,
    ) {
        let Ok(banding) = Banding::solve(threshold, recall, max_hashes) else { return Ok(()) };
        prop_assert!(banding.hashes() <= max_hashes);
        prop_assert!(banding.recall_at(threshold) >= recall);
        let formula = |bands: usize, rows: usize| 1.0 - (1.0 - threshold.powi(rows as i32)).powf(bands as f64);
        prop_assert!(banding.bands() == 1 || formula(banding.bands() - 1, banding.rows()) < recall);
        // One row more would not fit.
        let rows = banding.rows() + 1;
        prop_assert!(max_hashes / rows == 0 || formula(max_hashes / rows, rows) < recall);
    }

    #[test]
    fn a_comparison_agrees_with_the_sets(a in "[a-c ,.É]{0,30}", b in "[a-c ,.É]{0,30}", shingle in shingle()) {
        let (left, right) = (oracle(&a, shingle), oracle(&b, shingle));
        let comparison = search(0.5, shingle).compare(&a, &b);
        prop_assert_eq!(comparison.jaccard().unwrap_or(0.0), jaccard(&left, &right));
        prop_assert_eq!(comparison.shared().len() + comparison.only_left().len(), left.len());
    }
}

/// The promise: with 95 % confidence, the recall over the pairs at or above the threshold is at least the promised one.
#[test]
fn the_promised_recall_holds_on_planted_families() {
    for (threshold, recall) in [(0.5, 0.9), (0.7, 0.95), (0.8, 0.99), (0.9, 0.99)] {
        let (mut found, mut all) = (0, 0);
        for seed in 0..8 {
            let texts = planted(60, 7, 14, seed);
            let index = NearDuplicates::new(threshold, recall)
                .unwrap()
                .with_seed(seed)
                .find(&texts)
                .unwrap();
            let sets: Vec<_> = texts.iter().map(|text| shingles(text, 5, true)).collect();
            // Documents of different families share nothing.
            for family in (0..texts.len()).step_by(8) {
                for later in family..family + 8 {
                    for earlier in family..later {
                        if jaccard(&sets[earlier], &sets[later]) >= threshold {
                            all += 1;
                            found += u64::from(index.are_linked(earlier, later));
                        }
                    }
                }
            }
        }
        let bound = proportion_lower_bound(found, all, RECALL_CONFIDENCE);
        assert!(all > 500, "only {all} pairs at {threshold}");
        assert!(
            bound >= recall,
            "{found} of {all} at {threshold}: {bound} < {recall}"
        );
    }
}

/// At the threshold itself the formula must hold, neither less nor more: minima of one document under many functions are
/// as good as independent.
#[test]
fn recall_at_one_similarity_follows_the_formula() {
    // 200 shingles each, 160 shared: J = 160 / 240 = 2/3.
    let pairs = 20_000;
    let texts: Vec<String> = (0..pairs)
        .flat_map(|pair| {
            let side = |tag: &'static str| {
                (0..200)
                    .map(|i| format!("{}x{pair}x{i}", if i < 160 { "s" } else { tag }))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            [side("l"), side("r")]
        })
        .collect();
    let search = NearDuplicates::new(0.6, 0.5)
        .unwrap()
        .with_shingle(Shingle::Words(1))
        .unwrap();
    let expected = search.banding().recall_at(2.0 / 3.0);
    let index = search.find(&texts).unwrap();
    let found = (0..pairs)
        .filter(|pair| index.are_linked(2 * pair, 2 * pair + 1))
        .count();
    let measured = found as f64 / pairs as f64;
    let five_sigma = 5.0 * (expected * (1.0 - expected) / pairs as f64).sqrt();
    assert!(
        (measured - expected).abs() < five_sigma,
        "{measured} against {expected}"
    );
}
