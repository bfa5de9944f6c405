use modelops_cleaning::text::decontaminate::Decontaminator;
use modelops_testkit::cleaning_text::shingles;
use proptest::prelude::*;
use std::num::NonZeroUsize;

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "B,", "c", "é"]), 0..12)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn it_finds_every_shared_run_and_no_other(
        items in prop::collection::vec(text(), 0..5), text in text(), size in 1usize..6,
    ) {
        let mut evaluation = Decontaminator::new(NonZeroUsize::new(size).unwrap());
        for item in &items {
            evaluation.add(item);
        }
        // The run of an item: n words, or all of it where it is shorter.
        let words = text.split_whitespace().count();
        let shared = items.iter().any(|item| {
            let length = size.min(item.split_whitespace().count());
            length > 0 && length <= words
                && !shingles(item, length, true).is_disjoint(&shingles(&text, length, true))
        });
        let overlaps = evaluation.overlaps(&text);
        prop_assert_eq!(!overlaps.is_empty(), shared);
        prop_assert_eq!(evaluation.first_overlap(&text), overlaps.first().cloned());
        let tokens: Vec<&str> = text.split_whitespace().collect();
        for overlap in overlaps {
            let run = tokens[overlap.words.clone()].join(" ");
            let run = shingles(&run, overlap.words.len(), true);
            prop_assert!(run.is_subset(&shingles(&items[overlap.item], overlap.words.len(), true)));
        }
    }
}
