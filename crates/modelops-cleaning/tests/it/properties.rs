//! Laws that hold for every input.

use modelops_cleaning::{
    Cause, Dataset, DropDuplicates, DropMissing, Jitter, KnnImputer, Mixup, Mode, Origin, Outcome,
    PipelineSpec, RandomOverSampler, RandomUnderSampler, Read, Scaler, SimpleImputer, Smote, Split,
    SynonymTable, TextAugmenter, TextOp, Train,
};
use modelops_testkit::cleaning::{hostile_csv, knn_impute, nearest};
use modelops_testkit::tolerance::{REORDERED_SUM, close};
use ndarray::Array2;
use proptest::prelude::*;

use crate::{Files, run};

/// The raw bytes of a quarantine line.
fn raw(line: &str) -> (usize, Vec<u8>) {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let bytes = match line["raw_hex"].as_str() {
        None => line["raw"].as_str().unwrap().as_bytes().to_vec(),
        Some(hex) => (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect(),
    };
    (line["row"].as_u64().unwrap() as usize, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Law: nothing is lost. What is clean and what is quarantined, put back in the order of the rows, is the input;
    /// only blank lines, which the ledger counts as dropped, are not in either.
    #[test]
    fn clean_and_quarantined_records_rebuild_the_input(input in hostile_csv()) {
        let files = Files::with(&input);
        let report = run(PipelineSpec::new(Read::csv(files.input()))
            .mode(Mode::Textual)
            .write_csv(files.at("clean"))
            .quarantine(files.at("quarantine")));
        let ledger = &report.ledger;
        let mut held: std::collections::HashMap<usize, Vec<u8>> =
            files.quarantine().lines().map(raw).collect();
        let clean = std::fs::read(files.at("clean")).unwrap();
        let mut rest = &clean[6..];
        let mut rebuilt = b"a,b,c\n".to_vec();
        let mut blank = 0;
        for row in 0..ledger.records_in() {
            match ledger.outcome(row).unwrap() {
                Outcome::Kept => {
                    // The length of a clean record is not written down: read it off the input.
                    let length = record_length(rest);
                    rebuilt.extend_from_slice(&rest[..length]);
                    rest = &rest[length..];
                }
                Outcome::Quarantined(_) => rebuilt.extend(held.remove(&(row as usize)).unwrap()),
                Outcome::Dropped { reason, .. } => {
                    prop_assert_eq!(reason.cause, Cause::BlankLine);
                    blank += 1;
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert!(rest.is_empty() && held.is_empty());
        let strip = |bytes: &[u8]| bytes.iter().copied().filter(|b| !b"\r\n".contains(b)).collect::<Vec<_>>();
        prop_assert_eq!(strip(&rebuilt), strip(&input));
        if blank == 0 {
            prop_assert_eq!(rebuilt, input);
        }
    }

    /// Law: both engines give every record the same outcome where types play no part.
    #[test]
    fn both_engines_agree(input in hostile_csv()) {
        let ledgers: Vec<_> = [Mode::Textual, Mode::Typed].into_iter().map(|mode| {
            let files = Files::with(&input);
            let mut read = Read::csv(files.input()).sentinels(["NA"]).trim(true);
            for column in ["a", "b", "c"] {
                read = read.typed(column, modelops_cleaning::ColumnType::Text);
            }
            let step = DropDuplicates {
                equality: modelops_cleaning::Equality::Normalised,
                ..DropDuplicates::default()
            };
            let report = run(PipelineSpec::new(read)
                .mode(mode)
                .step(DropMissing { columns: vec!["a".into()], ..DropMissing::default() })
                .step(step)
                .write_csv(files.at("clean"))
                .quarantine(files.at("quarantine")));
            (report.ledger.to_string(), files.quarantine(),
             (0..report.ledger.records_in()).map(|row| format!("{:?}", report.ledger.outcome(row))).collect::<Vec<_>>())
        }).collect();
        prop_assert_eq!(&ledgers[0], &ledgers[1]);
    }

    /// Law: cleaning what is clean changes nothing.
    #[test]
    fn cleaning_twice_is_cleaning_once(input in hostile_csv()) {
        let spec = |files: &Files, input: &str, output: &str| {
            PipelineSpec::new(Read::csv(files.at(input)).sentinels(["NA"]))
                .step(DropDuplicates::default())
                .write_csv(files.at(output))
        };
        let files = Files::with(&input);
        run(spec(&files, "in", "clean"));
        let again = run(spec(&files, "clean", "again"));
        prop_assert_eq!(files.clean(), crate::read(&files.at("again")));
        prop_assert_eq!(again.ledger.kept(), again.ledger.records_in());
    }
}

/// Bytes of the first CSV record of `bytes`, whose quotes are sound.
fn record_length(bytes: &[u8]) -> usize {
    let mut quoted = false;
    let mut field_start = true;
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes[i];
        if quoted {
            if byte == b'"' {
                if bytes.get(i + 1) == Some(&b'"') {
                    i += 1;
                } else {
                    quoted = false;
                }
            }
        } else if byte == b'"' && field_start {
            quoted = true;
        } else if byte == b'\n' {
            return i + 1;
        } else if byte == b'\r' {
            return if bytes.get(i + 1) == Some(&b'\n') {
                i + 2
            } else {
                i + 1
            };
        }
        field_start = !quoted && byte == b',';
        i += 1;
    }
    bytes.len()
}

/// Features with some values missing, at least one row of each of two classes.
fn data(missing: bool) -> impl Strategy<Value = Dataset> {
    (2..6usize, 14..40usize).prop_flat_map(move |(d, n)| {
        let cell = if missing {
            prop_oneof![9 => -5.0..5.0, 1 => Just(f64::NAN)].boxed()
        } else {
            (-5.0..5.0).boxed()
        };
        (
            proptest::collection::vec(cell, n * d),
            proptest::collection::vec(0..2usize, n),
        )
            .prop_map(move |(values, mut labels)| {
                // Seven rows of each class at least, and a value in every feature.
                for i in 0..7 {
                    labels[i] = 0;
                    labels[i + 7] = 1;
                }
                let mut x = Array2::from_shape_vec((n, d), values).unwrap();
                x.row_mut(0).fill(0.25);
                Dataset::try_new(x, labels, vec!["a".into(), "b".into()]).unwrap()
            })
    })
}

fn equal(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || close(a, b, REORDERED_SUM)
}

proptest! {
    /// Law: no bit of what is learned depends on the test part, and every row is in one part.
    #[test]
    fn the_test_part_teaches_nothing(data in data(true), seed in any::<u64>()) {
        let (train, test) = data.split(0.3, seed).unwrap();
        let mut rows: Vec<usize> = train.rows().iter().chain(test.rows()).copied().collect();
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..data.y().len()).collect::<Vec<_>>());

        let mut changed = data.x().to_owned();
        for &row in test.rows() {
            changed.row_mut(row).fill(1e9);
        }
        let other = Dataset::try_new(changed, data.y().to_vec(), data.classes().to_vec()).unwrap();
        let (other, _) = other.split(0.3, seed).unwrap();
        for imputer in [SimpleImputer::mean(), SimpleImputer::median(), SimpleImputer::mode()] {
            prop_assert_eq!(imputer.fit(&train), imputer.fit(&other));
        }
        for scaler in [Scaler::standard(), Scaler::min_max(), Scaler::robust()] {
            prop_assert_eq!(scaler.fit(&train), scaler.fit(&other));
        }
    }

    /// Law: the fast imputer gives what sorting all distances gives.
    #[test]
    fn knn_is_the_slow_knn(data in data(true), k in 1..8usize) {
        let train = Split::<Train>::declare(data);
        let filled = KnnImputer::new(k).unwrap().fit(&train).unwrap().transform(&train).unwrap();
        let oracle = knn_impute(train.x(), train.x(), k);
        for (ours, theirs) in filled.x().iter().zip(&oracle) {
            prop_assert!(theirs.is_nan() || equal(*ours, *theirs), "{} {}", ours, theirs);
            prop_assert!(!ours.is_nan());
        }
    }

    /// Law: every synthetic row lies between its parents, a row and one of its true nearest neighbours of the class.
    #[test]
    fn smote_rows_lie_between_true_neighbours(data in data(false), seed in any::<u64>()) {
        let train = Split::<Train>::declare(data);
        let k = 3;
        let balanced = Smote::new(k).unwrap().fit_resample(&train, seed).unwrap();
        let count = |label| balanced.y().iter().filter(|&&y| y == label).count();
        prop_assert_eq!(count(0), count(1));
        for (i, origin) in balanced.origins().iter().enumerate() {
            match *origin {
                Origin::Row(row) => prop_assert_eq!(balanced.x().row(i).to_vec(), train.x().row(row).to_vec()),
                Origin::Between { parents: [a, b], weight } => {
                    prop_assert_eq!((train.y()[a], train.y()[b]), (balanced.y()[i], balanced.y()[i]));
                    let members: Vec<usize> =
                        (0..train.y().len()).filter(|&j| train.y()[j] == train.y()[a]).collect();
                    let x = train.x().select(ndarray::Axis(0), &members);
                    let me = members.iter().position(|&j| j == a).unwrap();
                    let near: Vec<usize> = nearest(x.view(), me, k).iter().map(|&j| members[j]).collect();
                    prop_assert!(near.contains(&b));
                    for (f, value) in balanced.x().row(i).iter().enumerate() {
                        let (p, q) = (train.x()[[a, f]], train.x()[[b, f]]);
                        prop_assert!(equal(*value, p + weight * (q - p)));
                    }
                }
                _ => prop_assert!(false),
            }
        }
    }

    /// Law: resampling is the same bits for the same seed, balances where it says so, and never invents a label.
    #[test]
    fn resampling_repeats_itself(data in data(false), seed in any::<u64>()) {
        let train = Split::<Train>::declare(data);
        let counts = |y: &[usize]| [0, 1].map(|label| y.iter().filter(|&&l| l == label).count());
        let [a, b] = counts(train.y());
        let over = RandomOverSampler.fit_resample(&train, seed).unwrap();
        prop_assert_eq!(counts(over.y()), [a.max(b); 2]);
        prop_assert_eq!(&over, &RandomOverSampler.fit_resample(&train, seed).unwrap());
        let under = RandomUnderSampler.fit_resample(&train, seed).unwrap();
        prop_assert_eq!(counts(under.y()), [a.min(b); 2]);
        let jitter = Jitter::new(0.1, 2).unwrap().fit_resample(&train, seed).unwrap();
        prop_assert_eq!(counts(jitter.y()), [3 * a, 3 * b]);
        let mixed = Mixup::new(0.4).unwrap().mix(&train, 20, seed).unwrap();
        for row in mixed.y().rows() {
            prop_assert!(close(row.sum(), 1.0, REORDERED_SUM));
        }
    }

    /// Law: augmentation needs no table to be safe: no word is invented by swaps and deletions, one always stays, and
    /// a seed repeats itself.
    #[test]
    fn swaps_and_deletions_invent_nothing(words in proptest::collection::vec("[a-z]{1,6}", 1..12), seed in any::<u64>()) {
        let text = words.join(" ");
        let ops = vec![TextOp::Swap(2), TextOp::Delete(0.4)];
        let augmenter = TextAugmenter::new(SynonymTable::new(), ops).unwrap();
        let made = augmenter.augment(&text, seed);
        prop_assert_eq!(&made, &augmenter.augment(&text, seed));
        let mut pool = words;
        prop_assert!(made.split_whitespace().count() >= 1);
        for word in made.split_whitespace() {
            let at = pool.iter().position(|w| w == word);
            prop_assert!(at.is_some());
            pool.swap_remove(at.unwrap());
        }
    }
}

#[test]
fn public_types_cross_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<modelops_cleaning::Pipeline>();
    shared::<modelops_cleaning::RunReport>();
    shared::<modelops_cleaning::RunError>();
    shared::<modelops_cleaning::Ledger>();
    shared::<Split<Train>>();
    shared::<modelops_cleaning::FittedKnnImputer>();
}
