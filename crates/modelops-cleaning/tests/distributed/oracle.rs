//! An engine that knows the few statements a run sends: the slow, obviously right version.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use modelops_cleaning::distributed::{EngineFailure, SqlEngine};

/// Views by name, and the folders they read.
#[derive(Debug, Default)]
pub(crate) struct Oracle(Mutex<HashMap<String, PathBuf>>);

/// The text between the first `open` and the next `close` behind it.
fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let from = text.find(open).unwrap_or_else(|| panic!("{open} in {text}")) + open.len();
    &text[from..from + text[from..].find(close).unwrap()]
}

fn rows(folder: &Path) -> Vec<Vec<i64>> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| !f.file_name().unwrap().to_str().unwrap().starts_with('.'));
    files.sort();
    files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let row = |line: &str| line.split(',').map(|cell| cell.parse().unwrap()).collect();
            text.lines().map(row).collect::<Vec<Vec<i64>>>()
        })
        .collect()
}

fn write(folder: &Path, rows: impl IntoIterator<Item = Vec<i64>>) {
    fs::create_dir_all(folder).unwrap();
    let line = |row: Vec<i64>| row.iter().map(i64::to_string).collect::<Vec<_>>().join(",") + "\n";
    fs::write(
        folder.join("x.csv"),
        rows.into_iter().map(line).collect::<String>(),
    )
    .unwrap();
}

/// Originals that agree on a band, and how many shingles they share.
fn pairs(documents: &[Vec<i64>], bands: &[Vec<i64>], shingles: &[Vec<i64>]) -> Vec<Vec<i64>> {
    let is_original = |id: i64| {
        let set = |id: i64| &documents.iter().find(|d| d[0] == id).unwrap()[1..3];
        !documents.iter().any(|d| d[1..3] == *set(id) && d[0] < id)
    };
    let mut pairs = Vec::new();
    for a in bands {
        for b in bands {
            if a[1..] == b[1..] && a[0] < b[0] && is_original(a[0]) && is_original(b[0]) {
                pairs.push((a[0], b[0]));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    let has = |id: i64, shingle: i64| shingles.iter().any(|s| s[..] == [id, shingle]);
    let shared = |a: i64, b: i64| shingles.iter().filter(|s| s[0] == a && has(b, s[1])).count() as i64;
    let rows = pairs.into_iter().map(|(a, b)| vec![a, b, shared(a, b)]);
    rows.filter(|row| row[2] > 0).collect()
}

impl SqlEngine for Oracle {
    fn execute(&self, statement: &str) -> Result<(), EngineFailure> {
        let mut views = self.0.lock().unwrap();
        if let Some(rest) = statement.strip_prefix("CREATE OR REPLACE TEMPORARY VIEW `") {
            let name = rest[..rest.find("` (`").unwrap()].replace("``", "`");
            views.insert(name, between(rest, "(path '", "'").into());
            return Ok(());
        }
        if statement.starts_with("DROP ") {
            return Ok(());
        }
        assert!(statement.starts_with("CREATE TABLE `modelops_"), "{statement}");
        let output = PathBuf::from(between(statement, "LOCATION '", "'"));
        assert!(!output.exists());
        // Names are quoted, so what stands between a word and the next backtick is one.
        let named = |word: &str| {
            let at = statement
                .find(word)
                .unwrap_or_else(|| panic!("{word} in {statement}"));
            let rest = &statement[at + word.len()..];
            let view = views
                .iter()
                .find(|(view, _)| rest.starts_with(&format!("`{}`", view.replace('`', "``"))));
            rows(
                view.unwrap_or_else(|| panic!("no view behind {word} in {statement}"))
                    .1,
            )
        };
        if statement.contains("AS `found`") {
            let parents = named("SELECT DISTINCT `hi`, `lo` FROM ");
            let mut shards: BTreeMap<i64, Vec<Vec<i64>>> = BTreeMap::new();
            for key in named("\nFROM ") {
                let found = parents.iter().any(|parent| parent[..] == key[1..]);
                let shard = shards.entry(key[0] >> 40).or_default();
                shard.push(vec![key[0], found.into()]);
            }
            for (shard, rows) in shards {
                write(&output.join(format!("shard={shard}")), rows);
            }
            return Ok(());
        }
        if statement.contains("AS `shared`") {
            let documents = named("AS `id` FROM ");
            let shingles = named("\nJOIN ");
            write(&output, pairs(&documents, &named("`b`.`value` FROM "), &shingles));
            return Ok(());
        }
        let input = named("\nFROM ");
        if statement.contains("AS `original`") {
            let original = |row: &[i64]| {
                let same = input.iter().filter(|other| other[1..3] == row[1..3]);
                same.map(|other| other[0]).min().unwrap()
            };
            write(
                &output,
                input
                    .iter()
                    .map(|row| vec![row[0], original(row), row[3]])
                    .collect::<Vec<_>>(),
            );
            return Ok(());
        }
        if statement.contains("AS `survivor`") {
            let mut ids: HashMap<(i64, i64), Vec<i64>> = HashMap::new();
            for row in &input {
                ids.entry((row[1], row[2])).or_default().push(row[0]);
            }
            let mut shards: BTreeMap<i64, Vec<Vec<i64>>> = BTreeMap::new();
            for row in &input {
                let ids = &ids[&(row[1], row[2])];
                let survivor = if statement.contains("count(*)") {
                    if ids.len() == 1 { row[0] } else { -1 }
                } else if statement.contains("DESC") {
                    *ids.iter().max().unwrap()
                } else {
                    *ids.iter().min().unwrap()
                };
                shards
                    .entry(row[0] >> 40)
                    .or_default()
                    .push(vec![row[0], survivor]);
            }
            for (shard, mut rows) in shards {
                // Engines promise no order.
                rows.reverse();
                write(&output.join(format!("shard={shard}")), rows);
            }
        } else if statement.contains("SELECT `hi`, `lo`, `place`") {
            let mut sums: BTreeMap<&[i64], (i64, i64)> = BTreeMap::new();
            for row in &input {
                let (sum, parts) = sums.entry(&row[..3]).or_default();
                *sum += row[3];
                *parts += 1;
            }
            let row = |(key, (sum, parts)): (&[i64], (i64, i64))| [key, &[sum, parts]].concat();
            write(&output, sums.into_iter().map(row));
        } else if statement.contains("sum(`digit`)") {
            let mut sums: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
            for row in &input {
                let (sum, parts) = sums.entry((row[0], row[1])).or_default();
                *sum += row[2];
                *parts += 1;
            }
            write(
                &output,
                sums.into_iter()
                    .map(|((series, place), (sum, parts))| vec![series, place, sum, parts]),
            );
        } else if statement.contains("AS `bits`") {
            let shift: u32 = between(statement, "shiftright(`value`, ", ")").parse().unwrap();
            let conditions: Vec<(i64, Option<i64>)> = statement
                .lines()
                .filter(|line| line.starts_with("WHERE") || line.starts_with("OR"))
                .map(|line| {
                    let number = |text: &str| text.rsplit(" = ").next().unwrap().parse().unwrap();
                    match line.split_once(" AND ") {
                        Some((series, bits)) => (number(series), Some(number(bits))),
                        None => (number(line), None),
                    }
                })
                .collect();
            let mut bins: BTreeMap<(i64, i64), i64> = BTreeMap::new();
            for row in &input {
                let wanted = conditions.iter().any(|(series, bits)| {
                    *series == row[0] && bits.is_none_or(|bits| row[1] >> (shift + 16) == bits)
                });
                if wanted {
                    *bins.entry((row[0], row[1] >> shift)).or_default() += 1;
                }
            }
            write(
                &output,
                bins.into_iter().map(|((series, bits), n)| vec![series, bits, n]),
            );
        } else {
            panic!("unknown statement {statement}");
        }
        Ok(())
    }
}
