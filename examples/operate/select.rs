//! Stage 2: which features matter, and are there enough rows of every class?

use std::error::Error;

use modelops::cleaning::{Dataset, RandomOverSampler, Resampled, Scaler, SimpleImputer, Smote, Split, Train};
use modelops::pruning::features::{
    Chi2, Dependence, FClassif, MutualInfo, Samples, ScoreFunction, Scores, Select, Selection, Target,
};
use ndarray::{Array2, ArrayView2};

use crate::SEED;
use crate::clean::Cleaned;
use crate::cycle::Stage;

/// Rows that a model learns from or is judged by.
pub(crate) struct Rows {
    /// Rows × features, scaled.
    pub(crate) x: Array2<f64>,
    /// A class for each row.
    pub(crate) y: Vec<usize>,
}

/// What was learned of one selected feature: a missing value becomes `fill`, then (value − centre) / spread is served.
#[derive(serde::Serialize)]
pub(crate) struct Preparation {
    fill: f64,
    centre: f64,
    spread: f64,
}

/// What the later stages work on.
pub(crate) struct Data {
    /// Training rows, balanced.
    pub(crate) train: Rows,
    /// Rows that nothing has learned from.
    pub(crate) test: Rows,
    /// A part of the training rows, balanced, to fit trials on …
    pub(crate) fit: Rows,
    /// … and the rest of them, to judge the trials by.
    pub(crate) judge: Rows,
    /// Names of the selected features.
    pub(crate) features: Vec<String>,
    /// How a raw value of each of them becomes what the model was trained on.
    pub(crate) preparation: Vec<Preparation>,
    /// Names of the classes.
    pub(crate) classes: Vec<String>,
    /// The most frequent class of the training rows before balancing.
    pub(crate) majority: usize,
    /// The name of what is predicted.
    pub(crate) target: String,
}

/// Splits, then fits everything that learns on the training part alone.
pub(crate) fn run(stage: &mut Stage<'_>, table: &Cleaned) -> Result<Data, Box<dyn Error>> {
    let data = &table.data;
    let (train, test) = data.split(0.25, SEED)?;
    let imputer = SimpleImputer::median().fit(&train)?;
    let (train, test) = (imputer.transform(&train)?, imputer.transform(&test)?);
    let scaler = Scaler::standard().fit(&train)?;
    let (scaled, test) = (scaler.transform(&train)?, scaler.transform(&test)?);

    // Chi² counts, so it wants features that are not negative; the others do not mind the scale. Scores see the rows
    // as they were measured: rows made by SMOTE would make every p-value too small.
    let counted = Scaler::min_max().fit(&train)?.transform(&train)?;
    let f = FClassif.score(&samples(scaled.x(), train.y())?)?;
    let chi2 = Chi2.score(&samples(counted.x(), train.y())?)?;
    let information = MutualInfo::default().score(&samples(scaled.x(), train.y())?)?;
    let selection = select(&f, &information)?;
    write_scores(stage, train.features(), &f, &chi2, &information, &selection)?;

    let narrow = |x: ArrayView2<'_, f64>| selection.transform(x);
    let balanced = balance(&scaled)?;
    let inner = Dataset::try_new(narrow(scaled.x())?, scaled.y().to_vec(), data.classes().to_vec())?;
    let (fit, judge) = inner.split(0.25, SEED + 1)?;
    let fit = balance(&fit)?;
    let prepared = Data {
        train: Rows {
            x: narrow(balanced.x())?,
            y: balanced.y().to_vec(),
        },
        test: Rows {
            x: narrow(test.x())?,
            y: test.y().to_vec(),
        },
        fit: Rows {
            x: fit.x().to_owned(),
            y: fit.y().to_vec(),
        },
        judge: Rows {
            x: judge.x().to_owned(),
            y: judge.y().to_vec(),
        },
        features: selection
            .selected()
            .iter()
            .map(|&i| train.features()[i].clone())
            .collect(),
        preparation: selection
            .selected()
            .iter()
            .map(|&i| Preparation {
                fill: imputer.values()[i],
                centre: scaler.centres()[i],
                spread: scaler.spreads()[i],
            })
            .collect(),
        classes: data.classes().to_vec(),
        majority: majority(train.y(), data.classes().len()),
        target: table.target.clone(),
    };
    write_rows(stage, "train.csv", &prepared, &prepared.train)?;
    write_rows(stage, "test.csv", &prepared, &prepared.test)?;
    print_classes(&prepared, train.y());

    let made = balanced.y().len() - train.y().len();
    stage.fact("features", train.features().len());
    stage.fact("selected", prepared.features.len());
    stage.fact("synthetic_rows", made);
    let (kept, all) = (prepared.features.len(), train.features().len());
    stage.result(
        format!("{kept} of {all} features, {made} rows made to balance"),
        "scores.csv",
    );
    Ok(prepared)
}

fn samples<'a>(x: ArrayView2<'a, f64>, y: &[usize]) -> Result<Samples<'a>, Box<dyn Error>> {
    Ok(Samples::all(x, Target::Classes(y))?)
}

/// Features whose class means differ, with at most one useless among a hundred kept; where that leaves fewer than two,
/// the two with the most information.
fn select(f: &Scores, information: &Scores) -> Result<Selection, Box<dyn Error>> {
    let strict = Select::Fdr {
        level: 0.01,
        dependence: Dependence::Any,
    }
    .select(f.clone())?;
    Ok(if strict.selected().len() < 2 {
        Select::KBest(2).select(information.clone())?
    } else {
        strict
    })
}

/// Rows made between neighbours, or copies where a class has too few neighbours.
fn balance(train: &Split<Train>) -> Result<Resampled, Box<dyn Error>> {
    let count = |class| train.y().iter().filter(|&&label| label == class).count();
    let smallest = (0..train.classes().len())
        .map(count)
        .filter(|&n| n > 0)
        .min()
        .unwrap_or(0);
    Ok(match smallest.saturating_sub(1).min(5) {
        0 => RandomOverSampler.fit_resample(train, SEED)?,
        neighbours => Smote::new(neighbours)?.fit_resample(train, SEED)?,
    })
}

fn majority(labels: &[usize], classes: usize) -> usize {
    let count = |class: &usize| labels.iter().filter(|label| *label == class).count();
    (0..classes).rev().max_by_key(count).unwrap_or(0)
}

fn write_scores(
    stage: &Stage<'_>,
    features: &[String],
    f: &Scores,
    chi2: &Scores,
    information: &Scores,
    selection: &Selection,
) -> Result<(), Box<dyn Error>> {
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record([
        "feature",
        "F",
        "ln p of F",
        "chi2",
        "mutual information (nats)",
        "selected",
    ])?;
    println!(
        "{:<28}{:>10}{:>10}{:>10}  kept",
        "feature", "F", "chi²", "MI, nats"
    );
    for (i, name) in features.iter().enumerate() {
        let numbers = [f, chi2, information].map(|scores| scores.statistics()[i]);
        let ln_p = f.ln_p_values().map_or(f64::NAN, |ln_p| ln_p[i]);
        let kept = if selection.selected().contains(&i) {
            "yes"
        } else {
            "no"
        };
        let [a, b, c] = numbers;
        println!("{name:<28}{a:>10.2}{b:>10.2}{c:>10.3}  {kept}");
        let cells = [a, ln_p, b, c].map(|x| x.to_string());
        file.write_record([name, &cells[0], &cells[1], &cells[2], &cells[3], kept])?;
    }
    stage.write("scores.csv", file.into_inner()?)
}

fn write_rows(stage: &Stage<'_>, name: &str, data: &Data, rows: &Rows) -> Result<(), Box<dyn Error>> {
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(
        data.features
            .iter()
            .map(String::as_str)
            .chain([data.target.as_str()]),
    )?;
    for (row, &label) in rows.x.rows().into_iter().zip(&rows.y) {
        let cells = row
            .iter()
            .map(ToString::to_string)
            .chain([data.classes[label].clone()]);
        file.write_record(cells)?;
    }
    stage.write(name, file.into_inner()?)
}

fn print_classes(data: &Data, before: &[usize]) {
    let count = |labels: &[usize], class| labels.iter().filter(|&&label| label == class).count();
    for (class, name) in data.classes.iter().enumerate() {
        println!(
            "{name}: {} to train on, {} after balancing, {} to test with",
            count(before, class),
            count(&data.train.y, class),
            count(&data.test.y, class)
        );
    }
}
