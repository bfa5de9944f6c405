//! Stage 3: which learning rate and which penalty?

use std::error::Error;

use modelops::optimization::{
    Direction, GradientDescent, LearningRate, LinePlot, RandomSampler, SearchSpace, SoftmaxFit, SoftmaxModel,
    SoftmaxRegression, Study, Trial, TrialState,
};

use crate::SEED;
use crate::cycle::{Stage, percent};
use crate::select::{Data, Rows};

const TRIALS: usize = 40;

/// Searches at random, fits the best on all training rows, and judges it on the test rows.
pub(crate) fn run(stage: &mut Stage<'_>, data: &Data) -> Result<SoftmaxModel, Box<dyn Error>> {
    let space = SearchSpace::new()
        .log_float("learning_rate", 1e-3..=3.0)?
        .log_float("l2", 1e-5..=1.0)?;
    let mut study =
        Study::new("softmax regression", space, Direction::Minimize).with_sampler(RandomSampler::new(SEED));
    let bar = stage.bar(TRIALS, "trials");
    study.optimize(TRIALS, |trial| -> Result<f64, Box<dyn Error>> {
        bar.step();
        cross_entropy(fit(trial, &data.fit)?.model(), &data.judge)
    })?;
    bar.done();
    println!("{study}");
    write_study(stage, &study)?;

    let best = study.best_trial().ok_or("no trial succeeded")?;
    let fitted = fit(best, &data.train)?;
    let solution = fitted.solution();
    let curve = LinePlot::new("loss of the best fit", "step", "loss")
        .with_line("training loss", solution.history.iter().copied())
        .with_log_y();
    stage.write("loss.svg", curve.to_svg())?;
    stage.write("study.svg", study.history_plot().to_svg())?;

    let accuracy = fitted.model().accuracy(data.test.x.view(), &data.test.y)?;
    let baseline = percent(
        data.test.y.iter().filter(|&&y| y == data.majority).count(),
        data.test.y.len(),
    );
    println!(
        "best: {}; {} after {} steps",
        best.parameters(),
        solution.termination,
        solution.iterations
    );
    println!(
        "test accuracy {:.2} %, majority class {baseline:.2} %",
        100.0 * accuracy
    );
    stage.fact("trials", study.trials().len());
    stage.fact(
        "failed_trials",
        study
            .trials()
            .iter()
            .filter(|t| t.state() == TrialState::Failed)
            .count(),
    );
    stage.fact("test_accuracy_percent", 100.0 * accuracy);
    stage.fact("majority_percent", baseline);
    stage.result(
        format!("accuracy {:.1} %, majority {baseline:.1} %", 100.0 * accuracy),
        "loss.svg",
    );
    Ok(fitted.into_model())
}

fn fit(trial: &Trial, rows: &Rows) -> Result<SoftmaxFit, Box<dyn Error>> {
    let rate = trial.parameters().float("learning_rate")?;
    let descent = GradientDescent::new()
        .with_learning_rate(LearningRate::Fixed(rate))
        .with_max_iterations(300);
    let l2 = trial.parameters().float("l2")?;
    Ok(SoftmaxRegression::new()
        .with_l2(l2)
        .with_solver(descent)
        .fit(rows.x.view(), &rows.y)?)
}

/// The mean of −ln p of the true class: unlike the accuracy it tells good fits apart.
fn cross_entropy(model: &SoftmaxModel, rows: &Rows) -> Result<f64, Box<dyn Error>> {
    let p = model.predict_probability(rows.x.view())?;
    let losses = p
        .rows()
        .into_iter()
        .zip(&rows.y)
        .map(|(p, &label)| -p[label].max(1e-300).ln());
    Ok(losses.sum::<f64>() / rows.y.len() as f64)
}

fn write_study(stage: &Stage<'_>, study: &Study) -> Result<(), Box<dyn Error>> {
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(["trial", "learning_rate", "l2", "state", "cross_entropy", "reason"])?;
    for trial in study.trials() {
        file.write_record([
            trial.number().to_string(),
            trial.parameters().float("learning_rate")?.to_string(),
            trial.parameters().float("l2")?.to_string(),
            format!("{:?}", trial.state()).to_lowercase(),
            trial.value().map(|value| value.to_string()).unwrap_or_default(),
            trial.reason().unwrap_or_default().to_owned(),
        ])?;
    }
    stage.write("study.csv", file.into_inner()?)
}
