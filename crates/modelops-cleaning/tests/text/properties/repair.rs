use modelops_cleaning::text::pii::Pii;
use modelops_cleaning::text::repair::{repair, repair_and_explain};
use proptest::prelude::*;

proptest! {
    /// Law: any text is repaired without a panic and once is enough, and the two ways agree.
    #[test]
    fn repairing_twice_is_repairing_once(text in "(\\PC|[\\x00-\\xff]|&[a-zA-Z#0-9]{1,8};|Ã.|â€.){0,12}") {
        // A line end that is made plain begins a new line, which is judged by itself the next time.
        prop_assume!(!text.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']));
        let once = repair(&text).into_owned();
        prop_assert_eq!(&repair(&once), &once);
        let (explained, steps) = repair_and_explain(&text);
        prop_assert_eq!(&explained, &once);
        prop_assert!(!steps.is_empty() || once == text);
    }

    /// Law: printable ASCII without an ampersand is never touched.
    #[test]
    fn plain_text_is_never_touched(text in "[ -%'-~\t\n]{0,80}") {
        prop_assert_eq!(repair(&text), text.as_str());
    }

    /// Law: what is found is in the text, in order, apart from one another, and nothing else changes.
    #[test]
    fn only_what_is_found_changes(text in "([a-z@. 0-9+()-]|[0-9]{4} ?|é|\\d{1,3}\\.){0,60}") {
        let scrubbed = Pii::default().scrub(&text);
        let mut rest = scrubbed.text.as_str();
        let mut done = 0;
        for found in &scrubbed.found {
            prop_assert!(found.bytes.start >= done && found.bytes.end <= text.len());
            let kept = &text[done..found.bytes.start];
            prop_assert!(rest.starts_with(kept));
            rest = &rest[kept.len()..];
            let with = Pii::default();
            let with = with.replacements(found.kind).iter().find(|with| rest.starts_with(with.as_str()));
            rest = &rest[with.unwrap().len()..];
            done = found.bytes.end;
        }
        prop_assert_eq!(rest, &text[done..]);
    }
}
