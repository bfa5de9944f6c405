//! I have a dirty table: which rows can I train on, and what became of the others?
//!
//! `cargo run --example clean_table` cleans the raw Palmer penguins and prints the ledger, then fits on the training
//! part only and balances it.

use std::error::Error;
use std::path::Path;

use modelops::cleaning::{
    EncodeOptions, Origin, Pipeline, PipelineSpec, Scaler, SimpleImputer, Smote, Table,
};

const SPEC: &str = r#"
version: 1
read:
  path: examples/data/penguins_raw.csv
  trim: true
  sentinels: { everywhere: [NA, "."] }
steps:
  - drop_duplicates: {}
  - drop_missing: { columns: [Species] }
  # A bird that was never measured teaches nothing; one missing value can be filled in later.
  - drop_missing:
      how: all
      columns: [Culmen Length (mm), Culmen Depth (mm), Flipper Length (mm), Body Mass (g)]
  - check: { column: Body Mass (g), rule: { range: { min: 2000, max: 7000 } } }
  - check: { column: Sex, rule: { in_set: [MALE, FEMALE] } }
  - outliers: { columns: [Delta 15 N (o/oo), Delta 13 C (o/oo)], method: { mad: 3.5 } }
write: { path: target/clean_table/clean.csv }
quarantine: target/clean_table/quarantine.jsonl
profile: true
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let out = Path::new("target/clean_table");
    std::fs::create_dir_all(out)?;

    let run = Pipeline::try_new(PipelineSpec::from_yaml(SPEC)?)?.run()?;
    println!("{}\n", run.ledger);
    if let Some(profile) = &run.profile {
        let page = profile.to_html("Palmer penguins, cleaned", &run.ledger);
        std::fs::write(out.join("profile.html"), page)?;
    }

    let table = Table::read_csv(out.join("clean.csv"))?;
    let options = EncodeOptions::default().with_excluded("Sample Number");
    let data = table.encode("Species", &options)?;
    println!("{} rows, {} features", data.y().len(), data.features().len());
    for (column, why) in data.skipped() {
        println!("  not a feature: {column} ({why:?})");
    }

    // Everything that learns takes the training part: passing `test` would not compile.
    let (train, test) = data.split(0.25, 7)?;
    let imputer = SimpleImputer::median().fit(&train)?;
    let (train, test) = (imputer.transform(&train)?, imputer.transform(&test)?);
    let scaler = Scaler::standard().fit(&train)?;
    let (train, test) = (scaler.transform(&train)?, scaler.transform(&test)?);
    let balanced = Smote::default().fit_resample(&train, 7)?;

    for (class, name) in data.classes().iter().enumerate() {
        let count = |labels: &[usize]| labels.iter().filter(|&&label| label == class).count();
        println!(
            "{name}: {} to train on, {} after balancing, {} to test with",
            count(train.y()),
            count(balanced.y()),
            count(test.y())
        );
    }
    let made = balanced.origins().iter().find(|o| !matches!(o, Origin::Row(_)));
    println!("a synthetic row names its parents: {made:?}");
    println!("written: {}", out.display());
    Ok(())
}
