//! Selectors that look at features together, beside the packages that offer them.

use std::path::Path;

use modelops_benches::Comparison;
use modelops_pruning::features::{
    Boruta, ExtraTrees, FRegression, Mrmr, ReliefF, Samples, ScoreFunction, Sequential, Target,
};
use modelops_testkit::pruning::congruential;
use ndarray::Array2;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The names of features in ascending order, as numbers.
fn sorted(features: &[usize]) -> Vec<f64> {
    let mut features: Vec<f64> = features.iter().map(|feature| *feature as f64).collect();
    features.sort_by(f64::total_cmp);
    features
}

/// A table whose first three columns make the target, each later one a neighbour of the one before it.
struct Table {
    x: Array2<f64>,
    y: Vec<f64>,
    classes: Vec<usize>,
    arguments: [String; 3],
}

impl Table {
    fn new(folder: &Path, rows: usize, features: usize) -> Self {
        let mut x = Array2::from_shape_vec((rows, features), congruential(rows * features, 31))
            .expect("as many as the shape holds");
        for mut row in x.rows_mut() {
            for j in 3..features {
                row[j] += 0.3 * row[j - 1];
            }
        }
        let noise = congruential(rows, 32);
        let value = |(row, noise): (ndarray::ArrayView1<'_, f64>, &f64)| {
            row[0] + 0.7 * row[1] + 0.5 * row[2] + 0.3 * noise
        };
        let y: Vec<f64> = x.rows().into_iter().zip(&noise).map(value).collect();
        let classes = y.iter().map(|y| usize::from(*y > 0.0)).collect();
        let name = format!("{rows}-{features}");
        let flat = crate::save(
            folder,
            &format!("select-{name}.x"),
            &crate::doubles(x.as_slice().unwrap_or(&[])),
        );
        let target = crate::save(folder, &format!("select-{name}.y"), &crate::doubles(&y));
        let arguments = [flat, target, features.to_string()];
        Self {
            x,
            y,
            classes,
            arguments,
        }
    }

    fn run(
        &self,
        run: &mut Comparison,
        name: &str,
        (peer, how): (&str, &str),
        select: impl Fn(&Samples<'_>, &Samples<'_>) -> Vec<f64>,
    ) {
        let [x, y, features] = &self.arguments;
        run.case(name)
            .ours(|| {
                let values = Samples::all(self.x.view(), Target::Values(&self.y)).expect("the table is fine");
                let classes =
                    Samples::all(self.x.view(), Target::Classes(&self.classes)).expect("the table is fine");
                select(&values, &classes)
            })
            .python(peer, "selection.py", &[how, x, y, features])
            .agree(|a: &Vec<f64>, b| a == b)
            .rounds(3)
            .peer_rounds(1)
            .run();
    }
}

pub(crate) fn selectors(run: &mut Comparison, folder: &Path) {
    let names = [
        "mRMR, 10k × 200 to 20",
        "sequential selection, 2k × 30 to 6, 5 folds",
        "ReliefF, 2k × 30",
        "Boruta, 1k × 20, 20 rounds",
    ];
    if !names.iter().any(|name| run.wants(name)) {
        return;
    }
    let wide = Table::new(folder, 10_000, 200);
    wide.run(run, names[0], ("mrmr_selection 0.2.8", "mrmr"), |values, _| {
        let picks = Mrmr::new(20)
            .fit(&FRegression, values)
            .expect("the table is fine");
        picks.order().iter().map(|feature| *feature as f64).collect()
    });
    let table = Table::new(folder, 2_000, 30);
    table.run(
        run,
        names[1],
        ("scikit-learn 1.9.1", "sequential"),
        |values, _| {
            sorted(
                Sequential::new(6)
                    .fit(values)
                    .expect("the table is fine")
                    .selected(),
            )
        },
    );
    // The three that make the target, whatever the scale of the weights.
    table.run(run, names[2], ("skrebate 0.8.4", "relieff"), |_, classes| {
        let scores = ReliefF::new(10).score(classes).expect("the table is fine");
        sorted(&scores.ranking()[..3])
    });
    let small = Table::new(folder, 1_000, 20);
    small.run(
        run,
        names[3],
        ("Boruta 0.4.3, extremely randomised trees", "boruta"),
        |_, classes| {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
            let found = Boruta::new(20).fit(|seed| ExtraTrees::new(100, seed), classes, &mut rng);
            sorted(&found.expect("the table is fine").selected())
        },
    );
}
