//! The page: a section per crate, rewritten from its result file.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::record::{self, Record};
use crate::table::{HEADS, rows};
use crate::{CRATES, Provenance};

const TITLE: &str = "# Comparison with peers\n\n\
Ours and every peer interleaved in one run, losses included. Each figure is the median of the rounds, with the smallest \
and the largest; **ahead** and **behind** mean that no round of one overlapped a round of the other. `cpu` is processor \
time of the whole process, `wall` elapsed time. Rendered by the command above each table with `--render` added; do not \
edit by hand.\n";

/// The text of `page` with a new section for each crate that has a result file in `results`; the other sections stay.
///
/// # Errors
///
/// What reading a result file gives.
pub fn render(page: &str, results: &Path) -> io::Result<String> {
    let mut text = TITLE.to_owned();
    for name in CRATES {
        let records = record::read(&results.join(format!("{name}.json")))?;
        if records.is_empty() {
            text.push_str(old_section(page, name).unwrap_or_default());
        } else {
            text.push_str(&section(name, &records));
        }
    }
    Ok(text)
}

/// The section of `name` in `page`, from the line break before its head.
fn old_section<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let start = page.find(&format!("\n## {name}\n"))?;
    let rest = &page[start + 1..];
    let end = rest.find("\n## ").map_or(page.len(), |end| start + 1 + end);
    Some(&page[start..end])
}

/// The section of one crate.
fn section(name: &str, records: &[Record]) -> String {
    let mut text =
        format!("\n## {name}\n\n`cargo run --release -p modelops-benches --bin compare -- {name}`\n\n");
    let mut places: Vec<&Provenance> = Vec::new();
    for record in records {
        if !places.contains(&&record.run) {
            places.push(&record.run);
        }
    }
    for Provenance { cpu, commit, rounds } in places {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {cpu}; commit {commit}; {rounds} rounds");
    }
    let _ = writeln!(
        text,
        "\n| {} |\n|{}",
        HEADS.join(" | "),
        " --- |".repeat(HEADS.len())
    );
    for row in rows(records) {
        let _ = writeln!(
            text,
            "| {} |",
            row.map(|cell| cell.replace('|', "\\|")).join(" | ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"[{"case":"a|b","metric":"cpu","unit":"ms","better":"lower",
        "ours":{"median":2,"min":1,"max":3},"peers":{"p":{"median":8,"min":8,"max":8},"q":{"median":0.5,"min":0.5,"max":0.5}},
        "correct":true,"missing":{"r":"no wheel"}}]"#;

    #[test]
    fn only_measured_sections_change() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("security.json"), RECORD).unwrap();
        let page = "# Old\n\n## allocation\n\nkept\n\n## security\n\ngone\n\n## pruning\n\nkept too\n";
        let text = render(page, folder.path()).unwrap();
        assert!(text.contains("\n## allocation\n\nkept\n"));
        assert!(text.contains("\n## pruning\n\nkept too\n"));
        assert!(!text.contains("gone"));
        assert!(
            text.contains("| a\\|b | cpu, ms | 2.00 (1.00–3.00) | p | 8.00 | 0.250 | ahead |"),
            "{text}"
        );
        assert!(text.contains("| q | 0.500 | 4.00 | **behind** |"));
        assert!(text.contains("| r | not installed |  |  |"));
        assert_eq!(render(&text, folder.path()).unwrap(), text);
    }
}
