//! `tests/data/README.md` says where the verdicts come from.

use modelops_cleaning::text::quality::{
    C4Quality, FineWebQuality, GopherQuality, GopherRepetition, Page, Verdict,
};
use modelops_cleaning::text::words::English;
use modelops_testkit::cleaning_text::pages;

fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::Keep => "keep".to_owned(),
        Verdict::Drop(reason) => reason.to_string(),
    }
}

/// Verdicts of datatrove, one page a line: Gopher quality, Gopher repetition, FineWeb, C4.
#[test]
fn verdicts_are_those_of_datatrove() {
    let english = English::new();
    let expected = include_str!("../../data/quality-verdicts.tsv");
    let texts = pages(600, 2026);
    assert_eq!(expected.lines().count(), texts.len());
    for (at, (text, line)) in texts.iter().zip(expected.lines()).enumerate() {
        let page = Page::new(&english, text);
        let ours = [
            GopherQuality::default().verdict(&page),
            GopherRepetition::default().verdict(&page),
            FineWebQuality::default().verdict(&page),
            C4Quality::default().clean(&page).verdict,
        ];
        assert_eq!(ours.map(reason).join("\t"), line, "page {at}: {text}");
    }
}

/// Tokens of spaCy 3.8 with the blank English pipeline.
#[test]
fn words_are_those_of_spacy() {
    let english = English::new();
    for line in include_str!("../../data/words.tsv").lines() {
        let (text, words) = line.split_once('\t').unwrap();
        let ours: Vec<&str> = english.tokenize(text).words().collect();
        assert_eq!(ours.join(" "), words, "{text}");
    }
}
