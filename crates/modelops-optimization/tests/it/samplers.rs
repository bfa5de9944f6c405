//! Laws that every sampler keeps, and what each is for.

use modelops_optimization::{
    CmaEs, CmaEsSampler, Direction, GaussianProcessSampler, GridSampler, HaltonSampler,
    LatinHypercubeSampler, NsgaIiSampler, OptimizationError, Outcome, RandomSampler, RunOptions, Sampler,
    SearchSpace, SobolSampler, Study, TpeSampler, Trial,
};

/// Every kind of parameter, with a condition.
fn space() -> SearchSpace {
    SearchSpace::new()
        .float("x", -2.0..=3.0)
        .and_then(|s| s.log_float("rate", 1e-5..=1e-1))
        .and_then(|s| s.stepped_float("clip", 0.0..=0.3, 0.1))
        .and_then(|s| s.int("layers", -3..=4))
        .and_then(|s| s.log_int("width", 1..=1024))
        .and_then(|s| s.float("one", 2.5..=2.5))
        .and_then(|s| s.categorical("kind", ["a", "b", "c"]))
        .and_then(|s| s.when("kind", "b", |s| s.float("only_b", 0.0..=1.0)))
        .unwrap()
}

type Make = fn(Study) -> Study;

const SAMPLERS: [(&str, Make); 9] = [
    ("random", |s| s.with_sampler(RandomSampler::new(5))),
    ("grid", |s| s.with_sampler(GridSampler::new(3))),
    ("Sobol", |s| s.with_sampler(SobolSampler::new(5))),
    ("Halton", |s| s.with_sampler(HaltonSampler::new(5))),
    ("Latin hypercube", |s| {
        s.with_sampler(LatinHypercubeSampler::new(16, 5))
    }),
    ("TPE", |s| s.with_sampler(TpeSampler::new(5))),
    ("CMA-ES", |s| s.with_sampler(CmaEsSampler::new(5))),
    ("NSGA-II", |s| {
        s.with_sampler(NsgaIiSampler::new(5).with_population(8))
    }),
    ("Gaussian process", |s| {
        s.with_sampler(GaussianProcessSampler::new(5).with_startup_trials(5))
    }),
];

fn outcome(trial: &Trial) -> Outcome {
    let p = trial.parameters();
    match trial.number() % 9 {
        4 => Outcome::Failed("no".to_owned()),
        6 => f64::INFINITY.into(),
        _ => {
            let values = vec![p.float("x").unwrap().powi(2) + p.int("layers").unwrap().pow(2) as f64];
            let constraints = vec![p.float("rate").unwrap() - 1e-2];
            Outcome::Constrained { values, constraints }
        }
    }
}

/// Every value is in its range, whatever came before, and a study that is told again what it was told suggests the same again.
#[test]
fn every_sampler_keeps_to_the_space_and_to_its_prefix() {
    for (name, make) in SAMPLERS {
        let new = || make(Study::new("s", space(), Direction::Minimize));
        let mut study = new();
        study.optimize(40, outcome).unwrap();
        for trial in study.trials() {
            let p = trial.parameters();
            assert!((-2.0..=3.0).contains(&p.float("x").unwrap()), "{name}: {p}");
            assert!((1e-5..=1e-1).contains(&p.float("rate").unwrap()), "{name}: {p}");
            let clip = p.float("clip").unwrap();
            assert!([0.0, 0.1, 0.2, 0.3, 3.0 * 0.1].contains(&clip), "{name}: {p}");
            assert!((-3..=4).contains(&p.int("layers").unwrap()), "{name}: {p}");
            assert!((1..=1024).contains(&p.int("width").unwrap()), "{name}: {p}");
            assert_eq!(p.float("one").unwrap(), 2.5, "{name}");
            assert_eq!(
                p.float("only_b").is_ok(),
                p.text("kind").unwrap() == "b",
                "{name}: {p}"
            );
        }
        // The first 20 trials enqueued rather than suggested: what was learned step by step is learned at once.
        let mut resumed = new();
        for trial in &study.trials()[..20] {
            let repeats = resumed
                .trials()
                .iter()
                .any(|t| t.parameters() == trial.parameters());
            if !repeats {
                resumed.enqueue(trial.parameters()).unwrap();
            }
        }
        if resumed.trials().len() == 20 {
            resumed.optimize(40, outcome).unwrap();
            assert_eq!(resumed.trials(), study.trials(), "{name}");
        }
    }
}

#[test]
fn every_sampler_gives_the_same_study_for_any_number_of_workers() {
    for (name, make) in SAMPLERS {
        let run = |workers| {
            let mut study = make(Study::new("s", space(), Direction::Maximize).with_concurrency(4));
            let objective = |trial: &mut modelops_optimization::ActiveTrial<'_>| {
                let p = trial.parameters();
                -p.float("x").unwrap().powi(2) - p.int("layers").unwrap() as f64
            };
            study
                .run(&RunOptions::new(40).with_workers(workers), objective)
                .unwrap();
            study
        };
        assert_eq!(run(1).trials(), run(4).trials(), "{name}");
    }
}

#[test]
fn the_grid_has_every_point_once_and_conditions_do_not_multiply_it() {
    let space = SearchSpace::new()
        .int("layers", 1..=2)
        .and_then(|s| s.categorical("kind", ["a", "b", "c"]))
        .and_then(|s| s.when("kind", "b", |s| s.float("only_b", 0.0..=1.0)))
        .and_then(|s| s.boolean("cache"))
        .unwrap();
    let grid = GridSampler::new(5);
    // 2 · (1 + 5 + 1) · 2
    assert_eq!(grid.points(&space), 28);
    let mut study = Study::new("grid", space, Direction::Minimize).with_sampler(grid);
    study.optimize(56, |_| 0.0).unwrap();
    let (first, second) = study.trials().split_at(28);
    for (k, trial) in first.iter().enumerate() {
        assert!(first[..k].iter().all(|t| t.parameters() != trial.parameters()));
        assert_eq!(second[k].parameters(), trial.parameters());
    }
    let wide = SearchSpace::new()
        .float("x", -1.0..=1.0)
        .and_then(|s| s.log_int("n", 1..=1000))
        .unwrap();
    let mut study = Study::new("grid", wide, Direction::Minimize).with_sampler(GridSampler::new(4));
    study.optimize(16, |_| 0.0).unwrap();
    let n: Vec<i64> = study.trials()[..4]
        .iter()
        .map(|t| t.parameters().int("n").unwrap())
        .collect();
    assert_eq!(n, [1, 10, 100, 1000]);
    assert_eq!(study.trials()[15].parameters().float("x"), Ok(1.0));
}

fn cube(dim: usize) -> SearchSpace {
    (0..dim).fold(SearchSpace::new(), |s, j| {
        s.float(&format!("x{j}"), -5.0..=5.0).unwrap()
    })
}

fn best(sampler: impl Sampler + 'static, trials: usize, objective: fn(&[f64]) -> f64) -> f64 {
    let mut study = Study::new("s", cube(4), Direction::Minimize).with_sampler(sampler);
    study
        .optimize(trials, |t| objective(t.parameters().numbers()))
        .unwrap();
    study.best_trial().and_then(Trial::value).unwrap()
}

#[test]
fn models_beat_chance() {
    let bowl = |x: &[f64]| {
        x.iter()
            .enumerate()
            .map(|(j, x)| (x - 0.5 * j as f64).powi(2))
            .sum::<f64>()
    };
    let chance = best(RandomSampler::new(2), 100, bowl);
    assert!(best(GaussianProcessSampler::new(2), 50, bowl) < 0.05 * chance);
    assert!(best(TpeSampler::new(2), 100, bowl) < 0.5 * chance);
    assert!(best(CmaEsSampler::new(2), 600, bowl) < 1e-6);
    // A valley that is not along the axes.
    let valley = |x: &[f64]| {
        (0..3)
            .map(|k| 100.0 * (x[k + 1] - x[k] * x[k]).powi(2) + (1.0 - x[k]).powi(2))
            .sum::<f64>()
    };
    assert!(best(CmaEsSampler::new(3), 3_000, valley) < 1e-6);
}

#[test]
fn whole_numbers_do_not_freeze() {
    // The sphere over integers, with a start far from the best: without the margin the distribution collapses on the way.
    let space = (0..3).fold(cube(3), |s, j| s.int(&format!("n{j}"), -20..=20).unwrap());
    let mut solved = 0;
    for seed in 0..5 {
        let mut study =
            Study::new("s", space.clone(), Direction::Minimize).with_sampler(CmaEsSampler::new(seed));
        study
            .optimize(1_500, |t| {
                let x = t.parameters().numbers();
                x[..3].iter().map(|x| x * x).sum::<f64>()
                    + x[3..].iter().map(|n| (n - 7.0) * (n - 7.0)).sum::<f64>()
            })
            .unwrap();
        solved += usize::from(study.best_trial().unwrap().value().unwrap() < 1e-6);
    }
    assert_eq!(solved, 5);
}

#[test]
fn a_front_is_found_and_spread() {
    // ZDT1 in six variables: the front is f₂ = 1 − √f₁.
    let space = (0..6).fold(SearchSpace::new(), |s, j| {
        s.float(&format!("x{j}"), 0.0..=1.0).unwrap()
    });
    let run = |make: Make| {
        let mut study =
            make(Study::multi_objective("zdt1", space.clone(), [Direction::Minimize; 2]).unwrap());
        study
            .optimize(2_000, |t| {
                let x = t.parameters().numbers();
                let g = 1.0 + 9.0 * x[1..].iter().sum::<f64>() / 5.0;
                vec![x[0], g * (1.0 - (x[0] / g).sqrt())]
            })
            .unwrap();
        study
    };
    let evolved = run(|s| s.with_sampler(NsgaIiSampler::new(1).with_population(40)));
    let near = |s: &Study| {
        let front = s.pareto_front();
        let mut first: Vec<f64> = front
            .iter()
            .filter(|t| t.values()[1] - (1.0 - t.values()[0].sqrt()) < 0.05)
            .map(|t| t.values()[0])
            .collect();
        first.sort_by(f64::total_cmp);
        first
    };
    let found = near(&evolved);
    let gap = found.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max);
    assert!(
        found.len() > 50 && gap < 0.15,
        "{} on the front, largest gap {gap}",
        found.len()
    );
    assert!(near(&run(|s| s.with_sampler(RandomSampler::new(1)))).len() < 5);
}

#[test]
fn evolution_solves_what_has_no_gradient_and_refuses_what_is_no_start() {
    let rosenbrock = |x: &[f64]| {
        x.windows(2)
            .map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2))
            .sum::<f64>()
    };
    let solver = CmaEs::new(3).with_max_evaluations(20_000).with_target(1e-10);
    let solution = solver.minimize(rosenbrock, &[0.0; 8], 0.5).unwrap();
    assert!(solution.value <= 1e-10 && solution.x.iter().all(|x| (x - 1.0).abs() < 1e-3));
    let again = solver.minimize(rosenbrock, &[0.0; 8], 0.5).unwrap();
    assert_eq!((again.x, again.history), (solution.x, solution.history));
    // Many minima: the restarts find the best.
    let rastrigin = |x: &[f64]| {
        x.iter()
            .map(|x| 10.0 + x * x - 10.0 * (2.0 * std::f64::consts::PI * x).cos())
            .sum::<f64>()
    };
    let solver = CmaEs::new(1)
        .with_max_evaluations(40_000)
        .with_target(1e-8)
        .with_start_box(-5.0, 5.0);
    assert!(solver.minimize(rastrigin, &[3.0; 4], 2.0).unwrap().value <= 1e-8);
    assert!(
        solver
            .clone()
            .without_restarts()
            .minimize(rastrigin, &[3.0; 4], 0.1)
            .unwrap()
            .value
            > 0.5
    );
    // Half of the space is NaN.
    let cut = |x: &[f64]| {
        if x[0] < 0.0 {
            f64::NAN
        } else {
            x.iter().map(|x| x * x).sum()
        }
    };
    assert!(CmaEs::new(1).minimize(cut, &[2.0, 2.0], 1.0).unwrap().value < 1e-6);
    assert_eq!(
        CmaEs::new(1)
            .with_max_evaluations(500)
            .minimize(|_| f64::NAN, &[1.0], 1.0),
        Err(OptimizationError::NonFiniteObjective)
    );
    assert!(matches!(
        solver.minimize(cut, &[], 1.0),
        Err(OptimizationError::EmptyInput { .. })
    ));
    assert!(matches!(
        solver.minimize(cut, &[f64::NAN], 1.0),
        Err(OptimizationError::NonFiniteInput { .. })
    ));
    assert!(matches!(
        solver.minimize(cut, &[1.0], 0.0),
        Err(OptimizationError::InvalidHyperparameter { .. })
    ));
    assert!(
        CmaEs::new(1)
            .with_max_evaluations(7)
            .minimize(cut, &[1.0, 1.0], 1.0)
            .unwrap()
            .evaluations
            .total()
            <= 7
    );
}

#[test]
fn a_study_can_be_looked_at() {
    let mut study =
        Study::new("<plots> & more", space(), Direction::Minimize).with_sampler(SobolSampler::new(1));
    assert!(study.to_html().contains("&lt;plots&gt; &amp; more"));
    study.optimize(40, outcome).unwrap();
    let finite = study
        .trials()
        .iter()
        .filter(|t| t.value().is_some_and(f64::is_finite))
        .count();
    assert_eq!(study.parallel_plot().matches("<polyline").count(), finite);
    assert!(study.slice_plot("nope").is_none() && study.pareto_plot().is_none());
    let slice = study.slice_plot("rate").unwrap().to_svg();
    assert!(slice.contains("log10 rate") && slice.contains("break a constraint"));
    assert_eq!(slice.matches("<circle").count(), finite);
    let html = study.to_html();
    for heading in ["History", "Importance", "Parallel coordinates", "Slices"] {
        assert!(html.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert_eq!(html.matches("<svg xmlns").count(), 2 + study.space().len());
    let parts = study.importance();
    assert!((parts.iter().map(|(_, part)| part).sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(parts.iter().all(|(name, _)| *name != "only_b"));
    assert!(parts.iter().any(|(name, part)| *name == "one" && *part == 0.0));
}
