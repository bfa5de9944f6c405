//! One maintenance cycle of a small model service, from a dirty table to a watched endpoint.
//!
//! ```sh
//! cargo run --example operate                                            # the raw Palmer penguins
//! cargo run --example operate -- --data my.csv --target label            # a table of your own
//! ```
//!
//! Clean, select, tune, prune, protect, place, serve: one file a stage, each about one crate of `modelops`. Everything
//! lands under `target/operate/` and is the same bytes on every run, except for `times.json`, the one file with times.

mod arguments;
mod clean;
mod cycle;
mod place;
mod protect;
mod prune;
mod select;
mod serve;
mod tune;

use std::error::Error;
use std::process::ExitCode;

use arguments::{Arguments, USAGE};
use cycle::Cycle;

/// Every random choice of the cycle comes from this seed.
const SEED: u64 = 2026;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("operate: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("operate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut cycle = Cycle::begin(&arguments.out)?;
    let table = cycle.stage("1-clean", |stage| clean::run(stage, arguments))?;
    let data = cycle.stage("2-select", |stage| select::run(stage, &table))?;
    let model = cycle.stage("3-tune", |stage| tune::run(stage, &data))?;
    let pruned = cycle.stage("4-prune", |stage| prune::run(stage, &data, &model))?;
    let callers = cycle.stage("5-protect", |stage| protect::run(stage, &data, &pruned))?;
    cycle.stage("6-place", place::run)?;
    cycle.stage("7-serve", |stage| serve::run(stage, &data, &pruned, &callers))?;
    cycle.finish()
}
