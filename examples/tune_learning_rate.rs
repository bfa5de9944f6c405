//! I have a classifier with a learning rate and a penalty: which values are best?
//!
//! `cargo run --example tune_learning_rate` searches both at random on a logarithmic scale, prints the study, and writes the
//! loss curve of the best fit and the history of the study as SVG under `target/tune_learning_rate/`.

use std::error::Error;
use std::fs;

use modelops::optimization::{
    Direction, GradientDescent, LearningRate, LinePlot, OptimizationError, RandomSampler, SearchSpace,
    SoftmaxFit, SoftmaxRegression, Study, Trial,
};
use ndarray::{Array2, ArrayView2, s};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const ROWS: usize = 600;
const FEATURES: usize = 6;
const CLASSES: usize = 3;
const TRAINING: usize = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let (x, labels) = clouds(7);
    let (train, test) = (x.slice(s![..TRAINING, ..]), x.slice(s![TRAINING.., ..]));
    let (train_labels, test_labels) = labels.split_at(TRAINING);

    // 1. Search. The last quarter of the training rows judges each trial; the test rows are not looked at.
    let (fit_rows, judge_rows) = (300, TRAINING);
    let space = SearchSpace::new()
        .log_float("learning_rate", 1e-3..=1e2)?
        .log_float("l2", 1e-6..=1.0)?;
    let mut study = Study::new("softmax on three clouds", space, Direction::Maximize)
        .with_sampler(RandomSampler::new(42));
    study.optimize(40, |trial| -> Result<f64, Box<dyn Error>> {
        let fitted = fit(trial, train.slice(s![..fit_rows, ..]), &train_labels[..fit_rows])?;
        let judged = train.slice(s![fit_rows..judge_rows, ..]);
        Ok(fitted.model().accuracy(judged, &train_labels[fit_rows..])?)
    })?;
    println!("{study}");

    // 2. The best parameters on all training rows, then once on the test rows.
    let best = study.best_trial().ok_or("no trial succeeded")?;
    let fitted = fit(best, train, train_labels)?;
    let majority = (0..CLASSES)
        .map(|c| test_labels.iter().filter(|l| **l == c).count())
        .max()
        .unwrap_or(0);
    println!("best: {}", best.parameters());
    println!(
        "test accuracy {:.3}, majority class {:.3}; {} after {} steps, loss {:.4} to {:.4}",
        fitted.model().accuracy(test, test_labels)?,
        majority as f64 / test_labels.len() as f64,
        fitted.solution().termination,
        fitted.solution().iterations,
        fitted.solution().history[0],
        fitted.solution().value,
    );

    // 3. Too large a learning rate is an error with a better one in it.
    let greedy = GradientDescent::new().with_learning_rate(LearningRate::Fixed(1e4));
    let diverged: Result<_, OptimizationError> = SoftmaxRegression::new()
        .with_l2(1.0)
        .with_solver(greedy)
        .fit(train, train_labels);
    if let Err(error) = diverged {
        println!("a learning rate of 1e4: {error}");
    }

    let folder = "target/tune_learning_rate";
    fs::create_dir_all(folder)?;
    let curve = LinePlot::new("loss of the best fit", "step", "loss")
        .with_line("training loss", fitted.solution().history.iter().copied());
    fs::write(format!("{folder}/loss.svg"), curve.to_svg())?;
    fs::write(format!("{folder}/study.svg"), study.history_plot().to_svg())?;
    println!("wrote {folder}/loss.svg and {folder}/study.svg");
    Ok(())
}

fn fit(trial: &Trial, x: ArrayView2<'_, f64>, labels: &[usize]) -> Result<SoftmaxFit, Box<dyn Error>> {
    let rate = trial.parameters().float("learning_rate")?;
    let descent = GradientDescent::new()
        .with_learning_rate(LearningRate::Fixed(rate))
        .with_max_iterations(200);
    let l2 = trial.parameters().float("l2")?;
    Ok(SoftmaxRegression::new()
        .with_l2(l2)
        .with_solver(descent)
        .fit(x, labels)?)
}

/// Three overlapping clouds of points in a few dimensions.
fn clouds(seed: u64) -> (Array2<f64>, Vec<usize>) {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let labels: Vec<usize> = (0..ROWS).map(|_| generator.random_range(0..CLASSES)).collect();
    let x = Array2::from_shape_fn((ROWS, FEATURES), |(row, feature)| {
        let centre = if feature % CLASSES == labels[row] {
            1.4
        } else {
            0.0
        };
        // Four uniform draws add up to something close to a bell.
        centre + (0..4).map(|_| generator.random::<f64>() - 0.5).sum::<f64>() * 2.0
    });
    (x, labels)
}
