//! Searches: what a trial costs, and how good the best one is.

use std::path::Path;

use modelops_benches::{Better, Comparison, workspace_root};
use modelops_optimization::{Direction, RandomSampler, Sampler, SearchSpace, Study, TpeSampler, Trial};
use serde::Deserialize;

const OPTUNA: &str = "Optuna 5.0.0";
const RUSTUNA: &str = "Rustuna 0.2.0";
/// One seed decides nothing: the best values of two differ by a factor of three.
const SPHERE_SEEDS: u64 = 8;

pub(crate) fn run(comparison: &mut Comparison) {
    overhead(comparison);
    regret(comparison);
}

fn overhead(comparison: &mut Comparison) {
    // NAME, sampler of ours, sampler of theirs, trials.
    let run = |sampler: &dyn Fn(Study) -> Study, trials: usize| {
        let mut space = SearchSpace::new();
        for j in 0..10 {
            space = space
                .float(&format!("x{j}"), -1.0..=1.0)
                .expect("a regular range");
        }
        let mut study = sampler(Study::new("sphere", space, Direction::Minimize));
        let objective = |t: &Trial| t.parameters().numbers().iter().map(|x| x * x).sum::<f64>();
        study.optimize(trials, objective).expect("one value");
        study.best_trial().and_then(|t| t.value()).unwrap_or(f64::NAN)
    };
    fn with<S: Sampler + Copy + 'static>(sampler: S) -> impl Fn(Study) -> Study {
        move |study| study.with_sampler(sampler)
    }
    comparison
        .case("random study, 1000 trials of 10 parameters")
        .rounds(3)
        .ours(|| run(&with(RandomSampler::new(1)), 1000))
        .python(OPTUNA, "study.py", &["optuna", "random", "1000"])
        .python(RUSTUNA, "study.py", &["rustuna", "random", "1000"])
        .per("trial", 1000)
        .run();
    comparison
        .case("TPE study, 1000 trials of 10 parameters")
        .rounds(1)
        .cold()
        .ours(|| run(&with(TpeSampler::new(1)), 1000))
        .python(OPTUNA, "study.py", &["optuna", "tpe", "1000"])
        .python(RUSTUNA, "study.py", &["rustuna", "tpe", "1000"])
        .per("trial", 1000)
        .agree(|a, b| (a - b).abs() < 0.5)
        .run();
    comparison
        .case(&format!(
            "TPE on the sphere, 10 parameters, mean of {SPHERE_SEEDS} seeds"
        ))
        .ours(|| {
            let best = |trials| {
                let sum: f64 = (0..SPHERE_SEEDS)
                    .map(|seed| run(&with(TpeSampler::new(seed)), trials))
                    .sum();
                sum / SPHERE_SEEDS as f64
            };
            vec![best(100), best(300), best(1000)]
        })
        .python(OPTUNA, "sphere.py", &["optuna", &SPHERE_SEEDS.to_string()])
        .python(RUSTUNA, "sphere.py", &["rustuna", &SPHERE_SEEDS.to_string()])
        .rounds(1)
        .cold()
        .without_times()
        .value(
            "best value of 100 trials",
            "",
            Better::Lower,
            |best: &Vec<f64>| best[0],
        )
        .value("best value of 300 trials", "", Better::Lower, |best| best[1])
        .value("best value of 1000 trials", "", Better::Lower, |best| best[2])
        .run();
    // Optuna's 10,000 trials take minutes: the last of them are asked for on a study that was given the others.
    comparison
        .case("TPE study, 10,000 trials of 10 parameters")
        .rounds(2)
        .cold()
        .ours(|| run(&with(TpeSampler::new(1)), 10_000))
        .missing(
            OPTUNA,
            "takes longer than a comparison may: see the trials after 10,000",
        )
        .per("trial", 10_000)
        .run();
    for known in [1_000, 10_000] {
        let (mut study, objective) = (filled(known), |t: &Trial| sphere(t.parameters().numbers()));
        comparison
            .case(&format!("TPE, 20 trials of 10 parameters after {known}"))
            .rounds(2)
            .ours(move || study.optimize(20, objective).expect("one value"))
            .python(OPTUNA, "ask.py", &["optuna", &known.to_string(), "20"])
            .python(RUSTUNA, "ask.py", &["rustuna", &known.to_string(), "20"])
            .per("trial", 20)
            .run();
    }
}

fn sphere(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum()
}

/// A study of the sphere in which so many trials are told.
fn filled(trials: usize) -> Study {
    let mut space = SearchSpace::new();
    for j in 0..10 {
        space = space
            .float(&format!("x{j}"), -1.0..=1.0)
            .expect("a regular range");
    }
    let mut study = Study::new("sphere", space, Direction::Minimize).with_sampler(RandomSampler::new(1));
    study
        .optimize(trials, |t| sphere(t.parameters().numbers()))
        .expect("one value");
    study = study.with_sampler(TpeSampler::new(1));
    study
        .optimize(1, |t| sphere(t.parameters().numbers()))
        .expect("one value");
    study
}

/// A benchmark whose every configuration has been trained.
#[derive(Deserialize)]
struct Table {
    sizes: Vec<usize>,
    /// Which parameters have no order.
    choice: Vec<bool>,
    values: Vec<f64>,
}

const TRIALS: usize = 100;
const SEEDS: u64 = 10;

/// Gives a study its sampler.
type WithSampler = Box<dyn Fn(Study) -> Study>;
/// The sampler of a seed.
type BySeed = fn(u64) -> WithSampler;

fn regret(comparison: &mut Comparison) {
    let folder = workspace_root()
        .join("target")
        .join("compare")
        .join("optimization");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    let path = folder.join("tables.json");
    let arguments = [&path.to_string_lossy(), "100", "10"].map(str::to_owned);
    let arguments = arguments.each_ref().map(String::as_str);
    let samplers: [(&str, BySeed); 2] = [
        ("TPE", |seed| {
            Box::new(move |s| s.with_sampler(TpeSampler::new(seed)))
        }),
        ("random", |seed| {
            Box::new(move |s| s.with_sampler(RandomSampler::new(seed)))
        }),
    ];
    for (name, sampler) in samplers {
        let case = comparison
            .case(&format!("regret on 12 tables, {name}, 100 trials, 10 seeds"))
            .ours(|| mean_regret(&path, &sampler))
            .without_times()
            .value(
                "geometric mean of the normalised regret",
                "",
                Better::Lower,
                |r| *r,
            )
            .rounds(1)
            .cold();
        case.python(
            OPTUNA,
            "hpo_tables.py",
            &[arguments[0], arguments[1], arguments[2], name],
        )
        .run();
    }
}

/// The geometric mean over the tables of the mean over the seeds of the regret: 0 for the best configuration, 1 for the median one.
fn mean_regret(path: &Path, sampler: &dyn Fn(u64) -> WithSampler) -> f64 {
    let Ok(file) = std::fs::File::open(path) else {
        return f64::NAN;
    };
    let tables: Vec<Table> =
        serde_json::from_reader(std::io::BufReader::new(file)).expect("the tables as the peer writes them");
    let logs = tables.iter().map(|table| {
        let mut sorted = table.values.clone();
        sorted.sort_by(f64::total_cmp);
        let (best, middle) = (sorted[0], sorted.len() / 2);
        let median = 0.5 * (sorted[middle] + sorted[(sorted.len() - 1) / 2]);
        let one = |seed| (table.best_of(sampler(seed)) - best) / (median - best);
        ((0..SEEDS).map(one).sum::<f64>() / SEEDS as f64).max(1e-6).ln()
    });
    (logs.sum::<f64>() / tables.len() as f64).exp()
}

impl Table {
    fn best_of(&self, sampler: Box<dyn Fn(Study) -> Study>) -> f64 {
        let mut space = SearchSpace::new();
        for (k, (size, choice)) in self.sizes.iter().zip(&self.choice).enumerate() {
            let last = *size as i64 - 1;
            space = if *choice {
                space.categorical(&k.to_string(), 0..=last)
            } else {
                space.int(&k.to_string(), 0..=last)
            }
            .expect("a regular range");
        }
        let mut study = sampler(Study::new("table", space, Direction::Minimize));
        let value = |t: &Trial| {
            let digits = t.parameters().numbers().iter().zip(&self.sizes);
            self.values[digits.fold(0, |place, (digit, size)| place * *size + *digit as usize)]
        };
        study.optimize(TRIALS, value).expect("one value");
        study.best_trial().and_then(Trial::value).unwrap_or(f64::NAN)
    }
}
