//! Side-by-side runs of `modelops-optimization` against its peers.

#[path = "../optimization/accuracy.rs"]
mod accuracy;
#[path = "../optimization/descent.rs"]
mod descent;
#[path = "../optimization/evolution.rs"]
mod evolution;
#[path = "../optimization/interop.rs"]
mod interop;
#[path = "../optimization/search.rs"]
mod search;
#[path = "../optimization/service.rs"]
mod service;
#[path = "../optimization/suite.rs"]
mod suite;

use modelops_benches::{Better, Comparison};
use modelops_optimization::{
    Differentiable, ElasticNet, FnObjective, Lbfgs, LinearRegression, LogisticRegression, SquaredLoss,
    gradient_descent,
};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

const SCIPY: &str = "SciPy 1.17.1";
const SCIKIT: &str = "scikit-learn 1.9.1";
const NUMPY: &str = "NumPy 2.4.1";

fn main() {
    let mut comparison = Comparison::from_args("optimization");
    tables(&mut comparison);
    descent::run(&mut comparison);
    rosenbrock(&mut comparison);
    suite::run(&mut comparison);
    accuracy::run(&mut comparison);
    search::run(&mut comparison);
    interop::run(&mut comparison);
    evolution::run(&mut comparison);
    service::run(&mut comparison);
    comparison.finish();
}

/// The fused gradient of least squares beside the least that any pass over the table costs: adding it up.
fn step(comparison: &mut Comparison, name: &str, x: &Array2<f64>, y: &Array1<f64>) {
    let loss = SquaredLoss::new(x.view(), y.view(), 0.0).expect("a regular table");
    let w = vec![0.01; x.ncols()];
    let mut gradient = vec![0.0; x.ncols()];
    let cells = x.as_slice().expect("a whole table");
    let bytes = size_of_val(cells);
    comparison
        .case(name)
        .ours(|| vec![loss.value_and_gradient(&w, &mut gradient)])
        .peer("a streaming sum of the table, one thread", || {
            // Sixteen sums keep the adders busy while the memory is waited for.
            let mut sums = [0.0; 16];
            for chunk in cells.chunks_exact(16) {
                for (sum, cell) in sums.iter_mut().zip(chunk) {
                    *sum += cell;
                }
            }
            sums.to_vec()
        })
        .per("byte", bytes)
        .rounds(15)
        .run();
}

/// A table that both sides can make alike: a congruential sequence in ±½, and targets linear in it.
fn table(rows: usize, columns: usize) -> (Array2<f64>, Array1<f64>) {
    let mut state = 12_345u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state) / 4_294_967_296.0 - 0.5
    };
    let x = Array2::from_shape_simple_fn((rows, columns), &mut draw);
    let w = Array1::from_shape_fn(columns, |j| ((j * 7) % 11) as f64 / 11.0 - 0.5);
    let noise = Array1::from_shape_simple_fn(rows, &mut draw);
    let y = x.dot(&w) + 0.1 * noise;
    (x, y)
}

fn near(ours: &[f64], theirs: &[f64], tolerance: f64) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| (a - b).abs() <= tolerance * b.abs().max(1.0))
}

fn tables(comparison: &mut Comparison) {
    let names = [
        "1000 steps of descent, 100,000 × 100",
        "ridge, 100,000 × 100",
        "logistic, 100,000 × 100",
        "lasso, 100,000 × 100",
        "lasso, 500 × 20,000",
        "one step of descent, 100,000 × 100",
    ];
    if !names.iter().any(|name| comparison.wants(name)) {
        return;
    }
    let (x, y) = table(100_000, 100);
    let labels: Vec<bool> = y.iter().map(|v| *v > 0.0).collect();
    step(comparison, names[5], &x, &y);
    comparison
        .case(names[0])
        .rounds(5)
        .peer_rounds(1)
        .ours(|| {
            gradient_descent(x.view(), y.view(), 0.01, 1000)
                .expect("a calm rate")
                .to_vec()
        })
        .python(NUMPY, "tables.py", &["descent"])
        .agree(|a, b| near(a, b, 1e-10))
        .run();
    comparison
        .case(names[1])
        .rounds(5)
        .ours(|| {
            let model = LinearRegression::new()
                .with_l2(1e-5)
                .fit(x.view(), y.view())
                .expect("a regular table");
            model.coefficients().to_vec()
        })
        .python(SCIKIT, "tables.py", &["ridge"])
        .agree(|a, b| near(a, b, 1e-6))
        .run();
    comparison
        .case(names[2])
        .rounds(3)
        .ours(|| {
            let solver = Lbfgs::new().with_tolerance(1e-9);
            let model = LogisticRegression::new()
                .with_l2(1e-5)
                .with_solver(solver)
                .fit(x.view(), &labels);
            model.expect("two classes").coefficients().to_vec()
        })
        .python(SCIKIT, "tables.py", &["logistic"])
        .agree(|a, b| near(a, b, 1e-6))
        .run();
    lasso(comparison, [names[3], names[4]], &x, &y);
}

/// Tall and wide lasso; the wide table is the same numbers in longer rows.
fn lasso(comparison: &mut Comparison, names: [&str; 2], x: &Array2<f64>, y: &Array1<f64>) {
    let wide = x.to_shape((500, 20_000)).expect("as many numbers");
    let few = y.slice(s![..500]);
    let fit = |x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>, l1| {
        let fit = ElasticNet::new(l1, 0.0).fit(x, y).expect("a regular table");
        assert!(fit.converged());
        fit.model().coefficients().to_vec()
    };
    comparison
        .case(names[0])
        .rounds(5)
        .ours(|| fit(x.view(), y.view(), 0.005))
        .python(SCIKIT, "tables.py", &["lasso"])
        .agree(|a, b| near(a, b, 1e-4))
        .run();
    comparison
        .case(names[1])
        .rounds(3)
        .ours(|| fit(wide.view(), few, 0.01))
        .python(SCIKIT, "tables.py", &["wide"])
        .agree(|a, b| near(a, b, 1e-4))
        .run();
}

/// The chained Rosenbrock function; its valley bends once for every variable.
fn chain(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let mut value = 0.0;
    for i in 0..x.len() - 1 {
        let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
        value += a * a + 100.0 * b * b;
        g[i] += -2.0 * a - 400.0 * x[i] * b;
        g[i + 1] += 200.0 * b;
    }
    value
}

fn rosenbrock(comparison: &mut Comparison) {
    let start: Vec<f64> = (0..1000).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
    comparison
        .case("chained Rosenbrock, n = 1000, L-BFGS")
        .rounds(3)
        .ours(|| {
            let objective = FnObjective::new(start.len(), chain);
            let solver = Lbfgs::new()
                .with_memory(10)
                .with_tolerance(1e-6)
                .with_max_iterations(100_000);
            let solution = solver.minimize(&objective, &start).expect("a finite start");
            vec![solution.value, solution.evaluations.total() as f64]
        })
        .python(SCIPY, "rosenbrock.py", &["1000"])
        .value("evaluations", "", Better::Lower, |out| out[1])
        .agree(|a, b| (a[0] - b[0]).abs() < 1e-6)
        .run();
}
