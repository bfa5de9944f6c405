//! Stage 1: which rows can be trained on, and what became of the others?

use std::error::Error;
use std::path::{Path, PathBuf};

use modelops::cleaning::{
    Action, Dataset, DropDuplicates, DropMissing, EncodeOptions, How, OutlierMethod, Outliers, Pipeline,
    PipelineSpec, Profile, Read, Skipped, Table, Values,
};

use crate::arguments::Arguments;
use crate::cycle::Stage;

/// What is known about the penguins before looking.
const PENGUINS: &str = r#"
version: 1
read:
  path: penguins_raw.csv
  trim: true
  sentinels: { everywhere: [NA], columns: { Sex: ["."] } }
  types:
    Sample Number: int
    Culmen Length (mm): float
    Culmen Depth (mm): float
    Flipper Length (mm): float
    Body Mass (g): float
    Delta 15 N (o/oo): float
    Delta 13 C (o/oo): float
    Comments: text
steps:
  - drop_duplicates: {}
  # One bird, one row: seen again in a later season it could stand on both sides of the split.
  - drop_duplicates: { columns: [Species, Individual ID] }
  # A bird that was never measured teaches nothing; a single missing number is filled in after the split.
  - drop_missing:
      how: all
      columns: [Culmen Length (mm), Culmen Depth (mm), Flipper Length (mm), Body Mass (g)]
  - fill: { column: Sex, value: UNKNOWN }
  - check: { column: Sex, rule: { in_set: [MALE, FEMALE, UNKNOWN] } }
  - check: { column: Body Mass (g), rule: { range: { min: 2000, max: 7000 } } }
  # A remark of a kind that nobody has decided about goes to a person.
  - check: { column: Comments, rule: { regex: "clutch|isotopes|primers|sexing|delta15N" } }
  - outliers: { columns: [Delta 15 N (o/oo), Delta 13 C (o/oo)], method: { mad: 3.5 }, action: clip }
profile: true
"#;

/// Columns that say who or when, not what: no features.
const NOT_FEATURES: [&str; 3] = ["studyName", "Sample Number", "Comments"];

/// The clean table as numbers.
pub(crate) struct Cleaned {
    /// Features, labels and their names; NaN where a value is missing.
    pub(crate) data: Dataset,
    /// The name of what is predicted.
    pub(crate) target: String,
}

/// Cleans the table, writes what was kept and what was not, and prints the ledger.
pub(crate) fn run(stage: &mut Stage<'_>, arguments: &Arguments) -> Result<Cleaned, Box<dyn Error>> {
    let (spec, title, target) = match &arguments.own {
        None => {
            let mut spec = PipelineSpec::from_yaml(PENGUINS)?;
            stage.write("pipeline.json", spec.to_json())?;
            spec.read.path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("data")
                .join(spec.read.path);
            (spec, "Palmer penguins, cleaned".to_owned(), "Species".to_owned())
        }
        Some((path, target)) => {
            let spec = spec_for(path, target)?;
            stage.write("pipeline.json", spec.to_json())?;
            (spec, format!("{}, cleaned", path.display()), target.clone())
        }
    };
    let clean = stage.path("clean.csv");
    let spec = spec.write_csv(&clean).quarantine(stage.path("quarantine.jsonl"));
    let run = Pipeline::try_new(spec)?.run()?;
    let ledger = &run.ledger;
    println!("{ledger}");

    stage.write("ledger.txt", format!("{ledger}\n"))?;
    let mut rows = Vec::new();
    ledger.write_json_lines(&mut rows)?;
    stage.write("ledger.jsonl", rows)?;
    if let Some(profile) = &run.profile {
        stage.write("profile.html", profile.to_html(&title, ledger))?;
    }

    let clean_rows = ledger.kept() + ledger.repaired();
    if clean_rows < 4 {
        return Err(format!("{clean_rows} clean rows are too few to train and to test with").into());
    }
    let data = encode(&Table::read_csv(&clean)?, &target, arguments.own.is_none())?;
    println!(
        "{} features of {} rows in {} classes",
        data.features().len(),
        data.y().len(),
        data.classes().len()
    );
    for (column, why) in data.skipped() {
        println!("  not a feature: {column} ({})", reason(*why));
    }
    if data.classes().len() < 2 {
        return Err(format!("the target {target:?} has fewer than two different values").into());
    }

    stage.fact("records_in", ledger.records_in());
    stage.fact("kept", ledger.kept());
    stage.fact("repaired", ledger.repaired());
    stage.fact("quarantined", ledger.quarantined());
    stage.fact("dropped", ledger.dropped());
    stage.result(
        format!("{clean_rows} of {} rows are clean", ledger.records_in()),
        "profile.html",
    );
    Ok(Cleaned { data, target })
}

/// A pipeline for a table nobody has seen: a first pass finds the numeric columns, whose far outliers are clipped.
fn spec_for(path: &PathBuf, target: &str) -> Result<PipelineSpec, Box<dyn Error>> {
    let read = Read::csv(path).trim(true).sentinels([
        "NA", "N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "None", "?",
    ]);
    let look = PipelineSpec::new(read.clone()).profile(true);
    let profile = Pipeline::try_new(look)?.run()?.profile;
    let columns = profile.as_ref().map_or(&[][..], Profile::columns);
    if !columns.iter().any(|column| column.name == target) {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let names = names.join(", ");
        return Err(format!("{} has no column {target:?}; it has: {names}", path.display()).into());
    }
    let numeric: Vec<String> = columns
        .iter()
        .filter(|column| column.numbers.is_some() && column.name != target)
        .map(|column| column.name.clone())
        .collect();
    let with_target = DropMissing {
        how: How::Any,
        columns: vec![target.to_owned()],
    };
    let spec = PipelineSpec::new(read)
        .step(DropDuplicates::default())
        .step(with_target)
        .profile(true);
    Ok(if numeric.is_empty() {
        spec
    } else {
        let method = OutlierMethod::ZScore(6.0);
        spec.step(Outliers {
            columns: numeric,
            method,
            action: Action::Clip,
        })
    })
}

/// Turns the table into numbers, leaving out what only names the rows.
fn encode(table: &Table, target: &str, penguins: bool) -> Result<Dataset, Box<dyn Error>> {
    let mut options = EncodeOptions::default();
    for (name, values) in table.columns().filter(|(name, _)| *name != target) {
        let named = penguins && NOT_FEATURES.contains(&name);
        if named || (!penguins && numbers_the_rows(values, table.rows())) {
            options = options.with_excluded(name);
        }
    }
    Ok(table.encode(target, &options)?)
}

/// Whether a column only numbers the rows: whole numbers, all different, close together.
fn numbers_the_rows(values: &Values, rows: usize) -> bool {
    let Values::Numbers(numbers) = values else {
        return false;
    };
    let mut sorted = numbers.clone();
    sorted.sort_by(f64::total_cmp);
    let whole = sorted.iter().all(|x| x.fract() == 0.0);
    let different = sorted.windows(2).all(|pair| pair[0] != pair[1]);
    let width = sorted
        .last()
        .zip(sorted.first())
        .map_or(0.0, |(last, first)| last - first);
    rows > 20 && whole && different && width <= 2.0 * rows as f64
}

fn reason(why: Skipped) -> String {
    match why {
        Skipped::Excluded => "it says who or when, not what".to_owned(),
        Skipped::Constant => "one value in every row".to_owned(),
        Skipped::TooManyCategories { distinct } => format!("{distinct} different texts"),
        _ => format!("{why:?}"),
    }
}
