//! Repaired texts against ftfy, and personal data against datatrove; the commands are in tests/data/README.md.

use modelops_cleaning::text::pii::{Kind, Pii};
use modelops_cleaning::text::repair::repair;

fn pairs(lines: &str) -> impl Iterator<Item = [String; 2]> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap())
}

#[test]
fn texts_are_repaired_as_ftfy_repairs_them() {
    let mut changed = 0;
    for [original, fixed] in pairs(include_str!("../../data/repair.jsonl")) {
        assert_eq!(repair(&original), fixed, "{original:?}");
        changed += usize::from(original != fixed);
    }
    assert!(changed > 200, "{changed}");
}

#[test]
fn addresses_are_replaced_as_datatrove_replaces_them() {
    let all = Pii::default();
    let mut pii = Pii::none();
    for kind in [Kind::Email, Kind::Ip] {
        pii = pii.with(kind, all.replacements(kind).iter().cloned());
    }
    let mut changed = 0;
    for [original, fixed] in pairs(include_str!("../../data/pii.jsonl")) {
        assert_eq!(pii.scrub(&original).text, fixed, "{original:?}");
        changed += usize::from(original != fixed);
    }
    assert!(changed > 200, "{changed}");
}
