//! The page: a summary, and a section per crate with its plot, its losses and a row for each case and peer.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::pair::{Pair, pairs};
use crate::plot::plot;
use crate::record::{self, Record};
use crate::{CRATES, Provenance, Verdict};

const TITLE: &str = "# Comparison with peers\n\n\
Our crates beside the tools that people use for the same work, each case measured in one run, losses included.\n\n\
How to read it:\n\n\
- Ours and every peer take turns, round by round. A figure is the median of the rounds, with the smallest and the largest in \
parentheses.\n\
- A case with one peer is a pair. **Ahead** and **behind** mean that no round of one overlapped a round of the other, **level** \
that some did.\n\
- `cpu` is processor time of the whole process, all its threads together, and judges a pair where nothing else is said; `wall` is \
the time that passed.\n\
- \"Times better\" above 1 is in our favour, whichever of the figures is the better one.\n\
- Some peers are no rival but a floor: a part of the same work alone, such as a plain copy of the file, one hash or one lock. Ours \
cannot be ahead of these; how far behind it is says what the rest of the work costs.\n\
- \"No peer\" has our figures alone.\n\n\
The command of each section measures it anew. With `--render` the results are added to docs/compare/, and this page and its \
plots are written from there: do not edit them by hand.\n";

/// Writes the page and the plots of the results in `docs/compare`, after those of `results` have been added to them.
///
/// # Errors
///
/// What reading a result file or writing the page gives.
pub fn render(docs: &Path, results: &Path) -> io::Result<()> {
    let kept = docs.join("compare");
    std::fs::create_dir_all(&kept)?;
    std::fs::create_dir_all(docs.join("images"))?;
    let mut summary = String::from(
        "\n| crate | pairs | ahead | level | behind | behind in some figure |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut sections = String::new();
    for name in CRATES {
        let file = kept.join(format!("{name}.json"));
        record::merge(&file, &record::read(&results.join(format!("{name}.json")))?)?;
        let records = record::read(&file)?;
        let pairs = pairs(&records);
        let count = |verdict| {
            let same = pairs.iter().filter(|pair| pair.main().verdict() == Some(verdict));
            same.count()
        };
        let losing = pairs.iter().filter(|pair| pair.losses().next().is_some()).count();
        // Writing to a string cannot fail.
        let _ = writeln!(
            summary,
            "| [{name}](#{name}) | {} | {} | {} | {} | {losing} |",
            pairs.len(),
            count(Verdict::Ahead),
            count(Verdict::Level),
            count(Verdict::Behind),
        );
        let title = format!("{name}: how many times better than each peer");
        std::fs::write(
            docs.join("images").join(format!("compare-{name}.svg")),
            plot(&title, &pairs),
        )?;
        sections.push_str(&section(name, &records, &pairs));
    }
    std::fs::write(docs.join("COMPARE.md"), format!("{TITLE}{summary}{sections}"))
}

/// The section of one crate.
fn section(name: &str, records: &[Record], pairs: &[Pair<'_>]) -> String {
    let mut text =
        format!("\n## {name}\n\n`cargo run --release -p modelops-benches --bin compare -- {name}`\n\n");
    let mut places: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for Provenance { cpu, commit, rounds } in records.iter().map(|record| &record.run) {
        let rounds = rounds.to_string();
        match places
            .iter_mut()
            .find(|place| (place.0, place.1) == (cpu, commit))
        {
            Some(place) if place.2.contains(&rounds) => {}
            Some(place) => place.2.push(rounds),
            None => places.push((cpu, commit, vec![rounds])),
        }
    }
    for (cpu, commit, rounds) in places {
        let _ = writeln!(
            text,
            "- {cpu}; commit {commit}; rounds of a case: {}",
            rounds.join(", ")
        );
    }
    let _ = writeln!(
        text,
        "\n![How many times better ours is than each peer, case by case; the table below has the figures](images/compare-{name}.svg)\n"
    );
    let mut losses = Vec::new();
    for pair in pairs {
        for figure in pair.losses() {
            let words = figure.words().replace(", **behind**", "");
            losses.push(format!("- {}, {}: {words}", pair.case, pair.peer));
        }
    }
    if losses.is_empty() {
        text.push_str("Behind in no figure.\n\n");
    } else {
        let _ = writeln!(text, "Behind:\n\n{}\n", losses.join("\n"));
    }
    let main = pairs.first().map_or("", |pair| pair.main().metric());
    let _ = writeln!(
        text,
        "| case | peer | ours, {main} unless said | theirs | times better | further figures |\n| --- | --- | --- | --- | --- | --- |"
    );
    for pair in pairs {
        let [ours, theirs, times] = pair.main().cells();
        let metric = pair.main().metric();
        let ours = if metric == main {
            ours
        } else {
            format!("{metric}: {ours}")
        };
        let further: Vec<String> = pair.figures[1..].iter().map(|figure| figure.words()).collect();
        row(
            &mut text,
            &[pair.case, pair.peer, &ours, &theirs, &times, &further.join("; ")],
        );
    }
    let mut told: Vec<(&str, &str)> = Vec::new();
    for record in records {
        for (peer, reason) in &record.missing {
            if !told.contains(&(&record.case, peer)) {
                told.push((&record.case, peer));
                row(
                    &mut text,
                    &[&record.case, peer, "", &format!("not run: {reason}"), "", ""],
                );
            }
        }
    }
    let alone = |record: &&Record| record.peers.is_empty() && record.missing.is_empty();
    for first in records.iter().filter(alone) {
        let mut figures = records
            .iter()
            .filter(alone)
            .filter(|other| other.case == first.case);
        // All figures of a case are one row, where its first one stands.
        if figures.next().is_some_and(|head| std::ptr::eq(head, first)) {
            let further: Vec<String> = figures.map(figure).collect();
            row(
                &mut text,
                &[
                    &first.case,
                    "no peer",
                    &figure(first),
                    "",
                    "",
                    &further.join("; "),
                ],
            );
        }
    }
    text
}

/// A figure of ours alone, with its name.
fn figure(record: &Record) -> String {
    let ours = format!(
        "{}: {} {}",
        record.metric,
        crate::table::spread(&record.ours),
        record.unit
    );
    ours.trim_end().to_owned()
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
        .collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: &str = r#"[{"case":"a|b","metric":"cpu","unit":"ms","better":"lower",
        "ours":{"median":2,"min":1,"max":3},"peers":{"p":{"median":8,"min":8,"max":8},"q":{"median":0.5,"min":0.5,"max":0.5}},
        "correct":true,"missing":{"r":"no wheel"}},
        {"case":"a|b","metric":"accuracy","unit":"","better":"higher","ours":{"median":0.9,"min":0.9,"max":0.9},
        "peers":{"p":{"median":0.95,"min":0.95,"max":0.95},"q":{"median":0.9,"min":0.9,"max":0.9}},"correct":true}]"#;

    #[test]
    fn a_pair_is_one_row_and_losses_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let (docs, results) = (folder.path().join("docs"), folder.path().join("results"));
        std::fs::create_dir_all(&results).unwrap();
        std::fs::write(results.join("security.json"), RECORDS).unwrap();
        render(&docs, &results).unwrap();
        let text = std::fs::read_to_string(docs.join("COMPARE.md")).unwrap();
        assert!(
            text.contains("| [security](#security) | 2 | 1 | 0 | 1 | 2 |"),
            "{text}"
        );
        assert!(
            text.contains("- a|b, p: accuracy 0.900 against 0.950\n- a|b, q: cpu 2.00 against 0.500 ms\n")
        );
        let row =
            "| a\\|b | p | 2.00 (1.00–3.00) ms | 8.00 ms | 4.00 | accuracy 0.900 against 0.950, **behind** |";
        assert!(text.contains(row), "{text}");
        assert!(
            text.contains("| **0.250** | accuracy the same (0.900) |"),
            "{text}"
        );
        assert!(
            text.contains("| a\\|b | r |  | not run: no wheel |  |  |"),
            "{text}"
        );
        let plot = std::fs::read_to_string(docs.join("images/compare-security.svg")).unwrap();
        assert_eq!(plot.matches("<circle").count(), 2);

        // What was measured is kept beside the page, and a page from there is the same.
        std::fs::remove_file(results.join("security.json")).unwrap();
        render(&docs, &results).unwrap();
        assert_eq!(std::fs::read_to_string(docs.join("COMPARE.md")).unwrap(), text);
    }
}
