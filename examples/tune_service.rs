//! I serve a model: which batch size, answer length, cache share and number of replicas give the most tokens a second and replica,
//! while 99 of 100 requests are answered within twelve seconds?
//!
//! `cargo run --example tune_service` tunes a simulated service from the configuration in use, with random search beside it, and writes
//! the history of the study as SVG under `target/tune_service/`.

use std::error::Error;
use std::fs;

use modelops::optimization::{
    Direction, Measurement, Parameters, RandomSampler, RunOptions, ServiceTuner, ServingQueue, Study,
};

const REQUESTS_PER_SECOND: f64 = 80.0;
const MEAN_INPUT_TOKENS: f64 = 400.0;
const MEAN_OUTPUT_TOKENS: f64 = 250.0;
const SECONDS: f64 = 12.0;
const TRIALS: usize = 60;
const WARM_UP: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    // To tune a service of your own, measure it here instead: some minutes of its traffic for each trial.
    let queue = ServingQueue::new(REQUESTS_PER_SECOND, MEAN_INPUT_TOKENS, MEAN_OUTPUT_TOKENS)?;
    let space = ServingQueue::space()?;
    let in_use = ServingQueue::modest(&space)?;

    // 1. Tune, cautiously. Each trial serves other requests, as it would on live traffic.
    let tuner = ServiceTuner::new(space.clone(), SECONDS)
        .with_start(in_use.clone())
        .with_warm_up(WARM_UP)
        .with_seed(1);
    let tuned = tuner.tune(TRIALS, |trial| {
        queue.simulate(trial.parameters(), trial.number() as u64)
    })?;
    println!("{tuned}");

    // 2. Random search on as many trials.
    let mut random = Study::new("random", space, Direction::Maximize).with_sampler(RandomSampler::new(1));
    random.run(&RunOptions::new(TRIALS), |trial| {
        let measured = queue.simulate(trial.parameters(), trial.number() as u64);
        measured.map(|m| tuner.outcome(m))
    })?;

    // 3. What was in use and what both recommend, on requests that nobody tuned on.
    let again = |knobs: &Parameters| queue.simulate(knobs, 1_000);
    print("in use", again(&in_use)?, &in_use);
    for (name, study) in [("random", &random), ("tuned", &tuned)] {
        let winner = tuner.recommend(study).ok_or("no trial kept the limit")?;
        print(name, again(winner.parameters())?, winner.parameters());
        let late = &study.trials()[WARM_UP..];
        let broken = late.iter().filter(|t| !t.is_feasible()).count();
        println!(
            "        {broken} of {} trials after the warm-up broke the limit",
            late.len()
        );
    }

    let folder = "target/tune_service";
    fs::create_dir_all(folder)?;
    fs::write(format!("{folder}/study.svg"), tuned.history_plot().to_svg())?;
    println!("wrote {folder}/study.svg");
    Ok(())
}

fn print(name: &str, measured: Measurement, knobs: &Parameters) {
    println!(
        "{name:>6}: {:.0} tokens a second and replica, p99 {:.1} s ({knobs})",
        measured.throughput, measured.latency,
    );
}
