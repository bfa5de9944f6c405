use modelops_cleaning::text::quality::{C4Quality, FineWebQuality, GopherQuality, GopherRepetition, Page};
use modelops_cleaning::text::words::English;
use proptest::prelude::*;
use std::sync::LazyLock;

static ENGLISH: LazyLock<English> = LazyLock::new(English::new);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn words_hold_every_character_but_white_space_in_order(text in "(\\PC|[ \n\t.,'’a-zA-Z0-9$%°:/@-]){0,60}") {
        let tokens = ENGLISH.tokenize(&text);
        let words: String = tokens.words().collect();
        let expected: String = text.chars().filter(|&c| !(c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))).collect();
        prop_assert_eq!(&words, &expected);
        let sentences: String = tokens.sentences().collect::<Vec<_>>().concat();
        let sentences: String = sentences.split(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)).collect();
        prop_assert_eq!(sentences, expected);
    }

    #[test]
    fn no_text_makes_a_filter_panic(text in "(\\PC|\\s|[.#…•{-]){0,80}") {
        let page = Page::new(&ENGLISH, &text);
        let _ = GopherQuality::default().verdict(&page);
        let _ = GopherRepetition::default().verdict(&page);
        let _ = FineWebQuality::default().verdict(&page);
        let _ = C4Quality::default().clean(&page);
        let mut open = GopherQuality::default();
        open.min_words = 0;
        let _ = open.verdict(&page);
    }
}

/// A megabyte without white space takes no longer than a megabyte with it: a quadratic step would not end here.
#[test]
fn long_words_of_every_kind_end() {
    for piece in [
        "(",
        "%",
        "a@",
        "...a",
        "5km",
        "'s",
        "\u{2026}",
        "-a",
        "://",
        "a.",
        "\u{1f600}",
        "1%)",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let words: usize = ENGLISH.tokenize(&text).words().map(str::len).sum();
        assert_eq!(words, text.len());
    }
}
