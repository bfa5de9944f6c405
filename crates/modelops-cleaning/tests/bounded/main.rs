//! Runs in bounded memory: the same bytes, whatever stops them half-way.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod resume;
mod slow;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use modelops_cleaning::{
    Check, DropDuplicates, DropMissing, Equality, Keep, Mode, Pipeline, PipelineSpec, Read, Rule,
};

/// Records with missing values, bad values, broken lines, and repeats near and far.
fn input(records: usize) -> String {
    let mut text = String::from("id,name,score\n");
    for i in 0..records {
        // One in three repeats an earlier record, by a step that is no divisor of the length.
        let of = if i % 3 == 2 { i * 7919 % (i + 1) / 2 } else { i };
        let score = if of % 11 == 0 {
            String::new()
        } else {
            (of % 1000).to_string()
        };
        let _ = match of % 97 {
            5 => writeln!(text, "{of},\"two\nlines\",{score}"),
            6 => writeln!(text, "{of},ragged"),
            _ => writeln!(text, "{of},Name{},{score}", of % 400),
        };
    }
    text
}

/// Two duplicate steps with a judgement between them, so that the second depends on the first.
fn pipeline(folder: &Path, keep: Keep) -> Pipeline {
    let spec = PipelineSpec::new(Read::csv(folder.join("in")))
        .mode(Mode::Textual)
        .step(DropMissing::default())
        .step(DropDuplicates {
            keep,
            ..DropDuplicates::default()
        })
        .step(Check::new(
            "score",
            Rule::Range {
                min: Some(0.0),
                max: Some(900.0),
            },
        ))
        .step(DropDuplicates {
            columns: vec!["name".into(), "score".into()],
            keep,
            equality: Equality::Normalised,
        })
        .write_csv(folder.join("clean"))
        .quarantine(folder.join("quarantine"));
    Pipeline::try_new(spec).unwrap()
}

/// The outputs, and every name left in the folder.
fn outputs(folder: &Path) -> (Vec<u8>, Vec<u8>, Vec<PathBuf>) {
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into())
        .collect();
    names.sort();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    (read("clean"), read("quarantine"), names)
}
