//! The problems of J. Moré, B. Garbow and K. Hillstrom, Testing unconstrained optimization software, 1981,
//! doi:10.1145/355934.355936: residuals, starting points and minima of the sum of squares.

use super::dual::{Dual, jacobian};

/// One problem: minimise Σ rᵢ(x)².
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its number in the paper and its name.
    pub name: &'static str,
    /// The standard starting point.
    pub start: Vec<f64>,
    /// The known minima of the sum of squares, the global one first.
    pub minima: Vec<f64>,
    residuals: fn(&[Dual]) -> Vec<Dual>,
}

impl Problem {
    /// The residuals at `x` and their Jacobian, residual by residual.
    #[must_use]
    pub fn residuals_and_jacobian(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        jacobian(self.residuals, x)
    }

    /// The residuals at `x`.
    #[must_use]
    pub fn residuals(&self, x: &[f64]) -> Vec<f64> {
        let point: Vec<Dual> = x.iter().copied().map(Dual::constant).collect();
        (self.residuals)(&point).iter().map(|r| r.value).collect()
    }

    /// The sum of squares at `x`; its gradient goes into `gradient`.
    pub fn sum_of_squares(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (residuals, entries) = self.residuals_and_jacobian(x);
        gradient.fill(0.0);
        for (r, row) in residuals.iter().zip(entries.chunks_exact(x.len())) {
            for (g, entry) in gradient.iter_mut().zip(row) {
                *g += 2.0 * r * entry;
            }
        }
        residuals.iter().map(|r| r * r).sum()
    }

    /// Whether `value` is one of the known minima, to 1e-5 of it and 1e-8.
    #[must_use]
    pub fn is_solved_by(&self, value: f64) -> bool {
        self.minima.iter().any(|m| {
            (value - m).abs() <= 1e-5 * m.abs().max(1.0) + 1e-8 && value >= m - 1e-5 * m.abs().max(1e-3)
        })
    }
}

/// The whole numbers from `from` to `to` as floats.
fn count(from: usize, to: usize) -> impl Iterator<Item = f64> {
    (from..=to).map(|i| i as f64)
}

fn rosenbrock(x: &[Dual]) -> Vec<Dual> {
    let pairs = x.chunks_exact(2);
    pairs
        .flat_map(|p| [(p[1] - p[0] * p[0]) * 10.0, -p[0] + 1.0])
        .collect()
}

fn freudenstein_roth(x: &[Dual]) -> Vec<Dual> {
    let (a, b) = (x[0], x[1]);
    vec![
        a - 13.0 + ((-b + 5.0) * b - 2.0) * b,
        a - 29.0 + ((b + 1.0) * b - 14.0) * b,
    ]
}

fn powell_badly_scaled(x: &[Dual]) -> Vec<Dual> {
    vec![x[0] * x[1] * 1e4 - 1.0, (-x[0]).exp() + (-x[1]).exp() - 1.0001]
}

fn brown_badly_scaled(x: &[Dual]) -> Vec<Dual> {
    vec![x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0]
}

fn beale(x: &[Dual]) -> Vec<Dual> {
    let targets = [(1, 1.5), (2, 2.25), (3, 2.625)];
    targets.map(|(i, y)| -(x[0] * (-x[1].powi(i) + 1.0)) + y).to_vec()
}

fn jennrich_sampson(x: &[Dual]) -> Vec<Dual> {
    count(1, 10)
        .map(|i| -((x[0] * i).exp() + (x[1] * i).exp()) + (2.0 + 2.0 * i))
        .collect()
}

fn helical_valley(x: &[Dual]) -> Vec<Dual> {
    let mut turn = (x[1] / x[0]).atan() / (2.0 * std::f64::consts::PI);
    if x[0].value < 0.0 {
        turn = turn + 0.5;
    }
    vec![
        (x[2] - turn * 10.0) * 10.0,
        ((x[0] * x[0] + x[1] * x[1]).sqrt() - 1.0) * 10.0,
        x[2],
    ]
}

fn bard(x: &[Dual]) -> Vec<Dual> {
    const Y: [f64; 15] = [
        0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39,
    ];
    let term = |u: f64| {
        let v = 16.0 - u;
        x[0] + Dual::constant(u) / (x[1] * v + x[2] * u.min(v))
    };
    count(1, 15).zip(Y).map(|(u, y)| -term(u) + y).collect()
}

fn gaussian(x: &[Dual]) -> Vec<Dual> {
    const Y: [f64; 15] = [
        0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989, 0.3521, 0.2420, 0.1295, 0.0540,
        0.0175, 0.0044, 0.0009,
    ];
    let bell = |t: f64| x[0] * (-(x[1] * (-x[2] + t).powi(2)) / 2.0).exp();
    count(1, 15)
        .zip(Y)
        .map(|(i, y)| bell((8.0 - i) / 2.0) - y)
        .collect()
}

fn meyer(x: &[Dual]) -> Vec<Dual> {
    const Y: [f64; 16] = [
        34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0, 8261.0, 7030.0, 6005.0,
        5147.0, 4427.0, 3820.0, 3307.0, 2872.0,
    ];
    count(1, 16)
        .zip(Y)
        .map(|(i, y)| x[0] * (x[1] / (x[2] + (45.0 + 5.0 * i))).exp() - y)
        .collect()
}

fn gulf(x: &[Dual]) -> Vec<Dual> {
    let term = |i: f64| {
        let t = i / 100.0;
        let y = 25.0 + (-50.0 * t.ln()).powf(2.0 / 3.0);
        (-((-x[1] + y).abs().pow(x[2])) / x[0]).exp() - t
    };
    count(1, 99).map(term).collect()
}

fn box_3d(x: &[Dual]) -> Vec<Dual> {
    let term = |i: f64| {
        let t = 0.1 * i;
        (x[0] * -t).exp() - (x[1] * -t).exp() - x[2] * ((-t).exp() - (-10.0 * t).exp())
    };
    count(1, 10).map(term).collect()
}

fn powell_singular(x: &[Dual]) -> Vec<Dual> {
    let quads = x.chunks_exact(4);
    quads
        .flat_map(|q| {
            [
                q[0] + q[1] * 10.0,
                (q[2] - q[3]) * 5f64.sqrt(),
                (q[1] - q[2] * 2.0).powi(2),
                (q[0] - q[3]).powi(2) * 10f64.sqrt(),
            ]
        })
        .collect()
}

fn wood(x: &[Dual]) -> Vec<Dual> {
    vec![
        (x[1] - x[0] * x[0]) * 10.0,
        -x[0] + 1.0,
        (x[3] - x[2] * x[2]) * 90f64.sqrt(),
        -x[2] + 1.0,
        (x[1] + x[3] - 2.0) * 10f64.sqrt(),
        (x[1] - x[3]) / 10f64.sqrt(),
    ]
}

fn kowalik_osborne(x: &[Dual]) -> Vec<Dual> {
    const Y: [f64; 11] = [
        0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246,
    ];
    const U: [f64; 11] = [
        4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625,
    ];
    let term = |u: f64| x[0] * (x[1] * u + u * u) / (x[2] * u + x[3] + u * u);
    U.into_iter().zip(Y).map(|(u, y)| -term(u) + y).collect()
}

fn brown_dennis(x: &[Dual]) -> Vec<Dual> {
    let term = |i: f64| {
        let t = i / 5.0;
        (x[0] + x[1] * t - t.exp()).powi(2) + (x[2] + x[3] * t.sin() - t.cos()).powi(2)
    };
    count(1, 20).map(term).collect()
}

fn osborne_1(x: &[Dual]) -> Vec<Dual> {
    const Y: [f64; 33] = [
        0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658,
        0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431,
        0.424, 0.420, 0.414, 0.411, 0.406,
    ];
    let term = |t: f64| x[0] + x[1] * (x[3] * -t).exp() + x[2] * (x[4] * -t).exp();
    count(0, 32).zip(Y).map(|(i, y)| -term(10.0 * i) + y).collect()
}

fn biggs_exp6(x: &[Dual]) -> Vec<Dual> {
    let term = |i: f64| {
        let t = 0.1 * i;
        let y = (-t).exp() - 5.0 * (-10.0 * t).exp() + 3.0 * (-4.0 * t).exp();
        x[2] * (x[0] * -t).exp() - x[3] * (x[1] * -t).exp() + x[5] * (x[4] * -t).exp() - y
    };
    count(1, 13).map(term).collect()
}

fn osborne_2(x: &[Dual]) -> Vec<Dual> {
    const Y: [f64; 65] = [
        1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608, 0.655,
        0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661, 0.612, 0.558,
        0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562,
        0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559, 0.597, 0.625, 0.739, 0.710,
        0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
    ];
    let bell = |t: f64, k: usize| x[k] * (-((-x[k + 7] + t).powi(2)) * x[k + 4]).exp();
    let term = |t: f64| x[0] * (x[4] * -t).exp() + bell(t, 1) + bell(t, 2) + bell(t, 3);
    count(0, 64).zip(Y).map(|(i, y)| -term(i / 10.0) + y).collect()
}

fn watson(x: &[Dual]) -> Vec<Dual> {
    let term = |i: f64| {
        let t = i / 29.0;
        let slope: Dual = (1..x.len())
            .map(|j| x[j] * (j as f64 * t.powi(j as i32 - 1)))
            .sum();
        let value: Dual = x.iter().enumerate().map(|(j, x)| *x * t.powi(j as i32)).sum();
        slope - value * value - 1.0
    };
    count(1, 29)
        .map(term)
        .chain([x[0], x[1] - x[0] * x[0] - 1.0])
        .collect()
}

fn penalty_1(x: &[Dual]) -> Vec<Dual> {
    let squares: Dual = x.iter().map(|x| *x * *x).sum();
    x.iter()
        .map(|x| (*x - 1.0) * 1e-5f64.sqrt())
        .chain([squares - 0.25])
        .collect()
}

fn penalty_2(x: &[Dual]) -> Vec<Dual> {
    let n = x.len();
    let weight = 1e-5f64.sqrt();
    let mut r = vec![x[0] - 0.2];
    for i in 1..n {
        let y = ((i + 1) as f64 / 10.0).exp() + (i as f64 / 10.0).exp();
        r.push(((x[i] / 10.0).exp() + (x[i - 1] / 10.0).exp() - y) * weight);
    }
    r.extend(
        x[1..]
            .iter()
            .map(|x| ((*x / 10.0).exp() - (-0.1f64).exp()) * weight),
    );
    let total: Dual = x.iter().enumerate().map(|(j, x)| *x * *x * (n - j) as f64).sum();
    r.push(total - 1.0);
    r
}

fn variably_dimensioned(x: &[Dual]) -> Vec<Dual> {
    let total: Dual = x.iter().zip(count(1, x.len())).map(|(x, i)| (*x - 1.0) * i).sum();
    x.iter().map(|x| *x - 1.0).chain([total, total * total]).collect()
}

fn trigonometric(x: &[Dual]) -> Vec<Dual> {
    let cosines: Dual = x.iter().map(|x| x.cos()).sum();
    let n = x.len();
    x.iter()
        .zip(count(1, n))
        .map(|(x, i)| -cosines + n as f64 + (-x.cos() + 1.0) * i - x.sin())
        .collect()
}

fn brown_almost_linear(x: &[Dual]) -> Vec<Dual> {
    let n = x.len();
    let total: Dual = x.iter().copied().sum();
    let product = x.iter().fold(Dual::constant(1.0), |p, x| p * *x);
    x[..n - 1]
        .iter()
        .map(|x| *x + total - (n + 1) as f64)
        .chain([product - 1.0])
        .collect()
}

/// The neighbour at `i`, 0 beyond the ends; `i` counts from 1.
fn inside(x: &[Dual], i: usize) -> Dual {
    if i == 0 {
        Dual::constant(0.0)
    } else {
        x.get(i - 1).copied().unwrap_or(Dual::constant(0.0))
    }
}

fn discrete_boundary_value(x: &[Dual]) -> Vec<Dual> {
    let h = 1.0 / (x.len() + 1) as f64;
    let term = |i: usize| {
        let t = i as f64 * h;
        let bend = (inside(x, i) + (t + 1.0)).powi(3) * (h * h / 2.0);
        inside(x, i) * 2.0 - inside(x, i - 1) - inside(x, i + 1) + bend
    };
    (1..=x.len()).map(term).collect()
}

fn discrete_integral_equation(x: &[Dual]) -> Vec<Dual> {
    let n = x.len();
    let h = 1.0 / (n + 1) as f64;
    let t = |j: usize| j as f64 * h;
    let cube = |j: usize| (inside(x, j) + (t(j) + 1.0)).powi(3);
    let term = |i: usize| {
        let before: Dual = (1..=i).map(|j| cube(j) * t(j)).sum();
        let after: Dual = (i + 1..=n).map(|j| cube(j) * (1.0 - t(j))).sum();
        inside(x, i) + (before * (1.0 - t(i)) + after * t(i)) * (h / 2.0)
    };
    (1..=n).map(term).collect()
}

fn broyden_tridiagonal(x: &[Dual]) -> Vec<Dual> {
    let term = |i: usize| {
        let here = inside(x, i);
        (-here * 2.0 + 3.0) * here - inside(x, i - 1) - inside(x, i + 1) * 2.0 + 1.0
    };
    (1..=x.len()).map(term).collect()
}

fn broyden_banded(x: &[Dual]) -> Vec<Dual> {
    let term = |i: usize| {
        let band = i.saturating_sub(5)..(i + 2).min(x.len());
        let others: Dual = band.filter(|j| *j != i).map(|j| x[j] * (x[j] + 1.0)).sum();
        x[i] * (x[i] * x[i] * 5.0 + 2.0) + 1.0 - others
    };
    (0..x.len()).map(term).collect()
}

/// Residuals of the linear problems.
const ROWS: usize = 100;

fn linear_full_rank(x: &[Dual]) -> Vec<Dual> {
    let total: Dual = x.iter().copied().sum::<Dual>() * (2.0 / ROWS as f64);
    (0..ROWS)
        .map(|i| x.get(i).copied().unwrap_or(Dual::constant(0.0)) - total - 1.0)
        .collect()
}

fn linear_rank_1(x: &[Dual]) -> Vec<Dual> {
    let total: Dual = x.iter().zip(count(1, x.len())).map(|(x, j)| *x * j).sum();
    count(1, ROWS).map(|i| total * i - 1.0).collect()
}

fn linear_rank_1_zero(x: &[Dual]) -> Vec<Dual> {
    let n = x.len();
    let total: Dual = x[1..n - 1].iter().zip(count(2, n - 1)).map(|(x, j)| *x * j).sum();
    let term = |i: usize| {
        if i == 1 || i == ROWS {
            Dual::constant(-1.0)
        } else {
            total * (i - 1) as f64 - 1.0
        }
    };
    (1..=ROWS).map(term).collect()
}

fn chebyquad(x: &[Dual]) -> Vec<Dual> {
    let n = x.len();
    let y: Vec<Dual> = x.iter().map(|x| *x * 2.0 - 1.0).collect();
    let mut before = vec![Dual::constant(1.0); n];
    let mut now = y.clone();
    let mut r = Vec::new();
    for i in 1..=n {
        if i > 1 {
            let next: Vec<Dual> = y
                .iter()
                .zip(&now)
                .zip(&before)
                .map(|((y, t), b)| *y * *t * 2.0 - *b)
                .collect();
            before = std::mem::replace(&mut now, next);
        }
        let mean = now.iter().copied().sum::<Dual>() / n as f64;
        r.push(if i % 2 == 0 {
            mean + 1.0 / ((i * i - 1) as f64)
        } else {
            mean
        });
    }
    r
}

/// The 35 problems in the sizes of the paper's smaller set, Watson's in two.
#[must_use]
pub fn problems() -> Vec<Problem> {
    let tenths: Vec<f64> = count(1, 10).map(|i| i / 11.0 * (i / 11.0 - 1.0)).collect();
    let rank_1 = 100.0 * 99.0 / (2.0 * 201.0);
    let rank_1_zero = (100.0 * 100.0 + 3.0 * 100.0 - 6.0) / (2.0 * 197.0);
    type Row = (&'static str, fn(&[Dual]) -> Vec<Dual>, Vec<f64>, Vec<f64>);
    let rows: Vec<Row> = vec![
        ("1 Rosenbrock", rosenbrock, vec![-1.2, 1.0], vec![0.0]),
        (
            "2 Freudenstein and Roth",
            freudenstein_roth,
            vec![0.5, -2.0],
            vec![0.0, 48.98425],
        ),
        (
            "3 Powell badly scaled",
            powell_badly_scaled,
            vec![0.0, 1.0],
            vec![0.0],
        ),
        (
            "4 Brown badly scaled",
            brown_badly_scaled,
            vec![1.0, 1.0],
            vec![0.0],
        ),
        ("5 Beale", beale, vec![1.0, 1.0], vec![0.0]),
        (
            "6 Jennrich and Sampson",
            jennrich_sampson,
            vec![0.3, 0.4],
            vec![124.362],
        ),
        (
            "7 helical valley",
            helical_valley,
            vec![-1.0, 0.0, 0.0],
            vec![0.0],
        ),
        ("8 Bard", bard, vec![1.0; 3], vec![8.214877e-3]),
        ("9 Gaussian", gaussian, vec![0.4, 1.0, 0.0], vec![1.12793e-8]),
        ("10 Meyer", meyer, vec![0.02, 4000.0, 250.0], vec![87.9458]),
        ("11 Gulf", gulf, vec![5.0, 2.5, 0.15], vec![0.0]),
        ("12 Box", box_3d, vec![0.0, 10.0, 20.0], vec![0.0]),
        (
            "13 Powell singular",
            powell_singular,
            vec![3.0, -1.0, 0.0, 1.0],
            vec![0.0],
        ),
        ("14 Wood", wood, vec![-3.0, -1.0, -3.0, -1.0], vec![0.0]),
        (
            "15 Kowalik and Osborne",
            kowalik_osborne,
            vec![0.25, 0.39, 0.415, 0.39],
            vec![3.075056e-4],
        ),
        (
            "16 Brown and Dennis",
            brown_dennis,
            vec![25.0, 5.0, -5.0, -1.0],
            vec![85822.2],
        ),
        (
            "17 Osborne 1",
            osborne_1,
            vec![0.5, 1.5, -1.0, 0.01, 0.02],
            vec![5.46489e-5],
        ),
        (
            "18 Biggs EXP6",
            biggs_exp6,
            vec![1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
            vec![0.0, 5.65565e-3],
        ),
        (
            "19 Osborne 2",
            osborne_2,
            vec![1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5],
            vec![4.01377e-2],
        ),
        ("20 Watson, 6", watson, vec![0.0; 6], vec![2.28767e-3]),
        ("20 Watson, 9", watson, vec![0.0; 9], vec![1.39976e-6]),
        (
            "21 extended Rosenbrock",
            rosenbrock,
            [-1.2, 1.0].repeat(50),
            vec![0.0],
        ),
        (
            "22 extended Powell singular",
            powell_singular,
            [3.0, -1.0, 0.0, 1.0].repeat(25),
            vec![0.0],
        ),
        (
            "23 penalty I",
            penalty_1,
            count(1, 10).collect(),
            vec![7.08765e-5],
        ),
        ("24 penalty II", penalty_2, vec![0.5; 10], vec![2.93660e-4]),
        (
            "25 variably dimensioned",
            variably_dimensioned,
            count(1, 10).map(|i| 1.0 - i / 10.0).collect(),
            vec![0.0],
        ),
        (
            "26 trigonometric",
            trigonometric,
            vec![0.1; 10],
            vec![0.0, 2.79506e-5],
        ),
        (
            "27 Brown almost linear",
            brown_almost_linear,
            vec![0.5; 10],
            vec![0.0],
        ),
        (
            "28 discrete boundary value",
            discrete_boundary_value,
            tenths.clone(),
            vec![0.0],
        ),
        (
            "29 discrete integral equation",
            discrete_integral_equation,
            tenths,
            vec![0.0],
        ),
        (
            "30 Broyden tridiagonal",
            broyden_tridiagonal,
            vec![-1.0; 10],
            vec![0.0],
        ),
        ("31 Broyden banded", broyden_banded, vec![-1.0; 10], vec![0.0]),
        (
            "32 linear, full rank",
            linear_full_rank,
            vec![1.0; 10],
            vec![90.0],
        ),
        ("33 linear, rank 1", linear_rank_1, vec![1.0; 10], vec![rank_1]),
        (
            "34 linear, rank 1 with zeros",
            linear_rank_1_zero,
            vec![1.0; 10],
            vec![rank_1_zero],
        ),
        (
            "35 Chebyquad",
            chebyquad,
            count(1, 8).map(|i| i / 9.0).collect(),
            vec![3.51687e-3],
        ),
    ];
    rows.into_iter()
        .map(|(name, residuals, start, minima)| Problem {
            name,
            start,
            minima,
            residuals,
        })
        .collect()
}
