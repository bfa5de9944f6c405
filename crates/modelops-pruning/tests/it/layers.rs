//! Pruning a layer against its inputs: references, laws and errors.

use modelops_pruning::weights::{
    Gram, LayerPruner, Pattern, PrunedLayer, Scope, Solver, Sparsity, taylor, wanda,
};
use modelops_pruning::{LayerError, PatternError};
use modelops_testkit::pruning::{congruential, lowest, refitted};
use modelops_testkit::tolerance::{F32_LAYER, REFERENCE_LAYER, STATIONARY_IN_F32, close_relative};
use ndarray::{Array2, array};
use proptest::prelude::*;

const SOLVERS: [Solver; 6] = [
    Solver::Magnitude,
    Solver::Wanda,
    Solver::Obs,
    Solver::Random { seed: 7 },
    Solver::SparseGpt,
    Solver::Admm,
];
const TWO_OF_FOUR: Pattern = Pattern::NM { keep: 2, group: 4 };

fn half(scope: Scope) -> Pattern {
    Pattern::Unstructured {
        sparsity: Sparsity::try_new(0.5).unwrap(),
        scope,
    }
}

fn matrix(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
    let flat = congruential(rows * columns, seed)
        .into_iter()
        .map(|x| x as f32)
        .collect();
    Array2::from_shape_vec((rows, columns), flat).unwrap()
}

fn gram(x: &Array2<f32>) -> Gram {
    let mut gram = Gram::new(x.ncols());
    gram.observe(x.view()).unwrap();
    gram
}

/// ‖X(W − Ŵ)ᵀ‖² from the inputs themselves.
fn change(x: &Array2<f32>, before: &Array2<f32>, after: &PrunedLayer) -> f64 {
    let delta = before.mapv(f64::from) - after.weights().mapv(f64::from);
    x.mapv(f64::from).dot(&delta.t()).iter().map(|d| d * d).sum()
}

/// The published implementations of SparseGPT and Wanda on a generated layer with a nearly doubled and a dead input.
#[test]
fn a_generated_layer_agrees_with_the_reference_implementations() {
    let (w, mut x) = (matrix(8, 16, 1), matrix(64, 16, 2));
    for row in 0..64 {
        x[[row, 1]] = x[[row, 0]] * 0.9 + 0.1 * x[[row, 1]];
        x[[row, 5]] = 0.0;
    }
    let plain = |pattern, solver| {
        LayerPruner::new(pattern)
            .with_solver(solver)
            .with_refit(false)
            .with_block(8)
    };
    let total = |pruned: &PrunedLayer| pruned.weights().iter().map(|w| f64::from(*w)).sum::<f64>();

    let sparse = plain(TWO_OF_FOUR, Solver::SparseGpt)
        .prune(w.view(), &gram(&x))
        .unwrap();
    assert_eq!(sparse.mask().pruned(), 64);
    assert!(close_relative(
        sparse.certificate().objective,
        70.86674,
        REFERENCE_LAYER
    ));
    assert!(close_relative(total(&sparse), 0.54273701, REFERENCE_LAYER));

    let pruned = plain(half(Scope::Row), Solver::Wanda)
        .prune(w.view(), &gram(&x))
        .unwrap();
    assert!(close_relative(
        pruned.certificate().objective,
        62.35964,
        F32_LAYER
    ));
    assert!(close_relative(total(&pruned), 0.63779378, F32_LAYER));
    assert!(
        (0..8).all(|row| !pruned.mask().is_kept(row, 5)),
        "nothing is lost with a dead input"
    );
}

#[test]
fn sums_of_workers_are_the_sum_of_all() {
    let x = matrix(1_100, 6, 3);
    let mut parts = gram(&x.slice(ndarray::s![..700, ..]).to_owned());
    parts
        .merge(&gram(&x.slice(ndarray::s![700.., ..]).to_owned()))
        .unwrap();
    let whole = gram(&x);
    assert_eq!(parts.rows(), whole.rows());
    for (a, b) in parts.matrix().iter().zip(whole.matrix()) {
        assert!((a - b).abs() < 1e-9 * whole.matrix()[[0, 0]]);
    }
    let norms: Vec<f64> = x
        .columns()
        .into_iter()
        .map(|c| c.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt())
        .collect();
    for (a, b) in whole.column_norms().iter().zip(norms) {
        assert!(close_relative(*a, b, F32_LAYER));
    }
}

/// Fewer tokens than inputs, no damping asked for: it is raised until the factor exists, and reported.
#[test]
fn damping_is_reported_and_never_an_identity() {
    let (w, x) = (matrix(4, 16, 5), matrix(3, 16, 6));
    let pruner = LayerPruner::new(half(Scope::Row))
        .with_solver(Solver::SparseGpt)
        .with_damping(0.0);
    let pruned = pruner.prune(w.view(), &gram(&x)).unwrap();
    let damping = pruned.certificate().damping;
    assert!(damping > 0.0 && damping < 0.01, "{damping}");
    // Eight weights explain three tokens exactly; magnitude pruning, which an identity would give, cannot.
    assert!(pruned.certificate().relative_error < 1e-6);
}

#[test]
fn layers_refuse_what_does_not_fit() {
    let (w, x) = (matrix(2, 4, 1), matrix(8, 4, 2));
    let pruner = LayerPruner::new(TWO_OF_FOUR);
    let narrow = Gram::new(3);
    let width = LayerError::Width {
        expected: 4,
        found: 3,
    };
    assert_eq!(pruner.prune(w.view(), &narrow).unwrap_err(), width);
    assert!(matches!(wanda(w.view(), &narrow), Err(LayerError::Width { .. })));
    assert!(matches!(
        taylor(w.view(), matrix(2, 3, 1).view()),
        Err(LayerError::Width { .. })
    ));
    assert!(matches!(gram(&x).merge(&narrow), Err(LayerError::Width { .. })));
    for damping in [-1.0, f64::NAN] {
        let wrong = pruner
            .with_damping(damping)
            .prune(w.view(), &gram(&x))
            .unwrap_err();
        assert_eq!(wrong, LayerError::Parameter { name: "damping" });
    }
    let wrong = pruner.with_block(0).prune(w.view(), &gram(&x)).unwrap_err();
    assert_eq!(wrong, LayerError::Parameter { name: "block" });
    let mut damaged = w;
    damaged[[1, 1]] = f32::NAN;
    let wrong = pruner.prune(damaged.view(), &gram(&x)).unwrap_err();
    assert_eq!(wrong, LayerError::Pattern(PatternError::NonFinite { index: 5 }));
    let mut seen = gram(&x);
    assert_eq!(
        seen.observe(array![[1.0, f32::NAN, 0.0, 0.0]].view()),
        Err(LayerError::NonFiniteInput)
    );
    assert_eq!(seen, gram(&x), "a refused batch leaves no trace");
    assert_eq!(
        Gram::from_sum(array![[1.0, 2.0], [3.0, 1.0]], 1),
        Err(LayerError::NotAGram)
    );
    assert_eq!(Gram::from_sum(array![[-1.0]], 1), Err(LayerError::NotAGram));
    assert_eq!(
        Gram::from_sum(array![[f64::NAN]], 1),
        Err(LayerError::NonFiniteInput)
    );
}

/// A layer that nothing was ever fed to can be pruned, at no loss.
#[test]
fn unseen_layers_lose_nothing() {
    let w = matrix(3, 8, 4);
    for solver in SOLVERS {
        let pruned = LayerPruner::new(TWO_OF_FOUR)
            .with_solver(solver)
            .prune(w.view(), &Gram::new(8))
            .unwrap();
        assert_eq!(pruned.mask().pruned(), 12);
        assert_eq!(pruned.certificate().relative_error.to_bits(), 0.0_f64.to_bits());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Every solver keeps exactly what the pattern says, certifies what the inputs say, and a refit can only help; at its
    /// end no weight that stays could move to gain.
    #[test]
    fn certificates_are_true(seed in 1_u64..1 << 40, which in 0_usize..3, rows in 1_usize..9) {
        let (w, x) = (matrix(rows, 12, seed), matrix(40, 12, seed ^ 0xabcdef));
        let pattern = [TWO_OF_FOUR, half(Scope::Row), half(Scope::Tensor)][which];
        for solver in SOLVERS {
            let pruner = LayerPruner::new(pattern).with_solver(solver).with_block(8);
            let plain = pruner.with_refit(false).prune(w.view(), &gram(&x)).unwrap();
            let refit = pruner.prune(w.view(), &gram(&x)).unwrap();
            for pruned in [&plain, &refit] {
                prop_assert_eq!(pruned.mask().pruned(), rows * 6);
                let zero = |i, j| pruned.mask().is_kept(i, j) || pruned.weights()[[i, j]] == 0.0;
                prop_assert!((0..rows).all(|i| (0..12).all(|j| zero(i, j))));
                let expected = change(&x, &w, pruned);
                prop_assert!(close_relative(pruned.certificate().objective, expected, F32_LAYER), "{solver:?}");
            }
            prop_assert_eq!(plain.mask(), refit.mask());
            prop_assert!(refit.certificate().objective <= plain.certificate().objective * (1.0 + F32_LAYER));
            prop_assert!(refit.certificate().stationarity < STATIONARY_IN_F32, "{solver:?} {}", refit.certificate().stationarity);
        }
    }

    /// Inputs that have nothing to do with each other: weights can be judged one by one, and the greedy solvers must find
    /// the best mask of all.
    #[test]
    fn independent_inputs_have_a_best_mask(seed in 1_u64..1 << 40) {
        let w = matrix(4, 12, seed);
        let norms = matrix(1, 12, seed ^ 0x77).mapv(|x| x.abs() + 0.1);
        let gram = Gram::from_sum(Array2::from_diag(&norms.row(0).mapv(|x| f64::from(x * x))), 1).unwrap();
        for solver in [Solver::Wanda, Solver::SparseGpt] {
            let pruned = LayerPruner::new(TWO_OF_FOUR).with_solver(solver).with_damping(0.0).prune(w.view(), &gram).unwrap();
            for i in 0..4 {
                let saliency: Vec<f32> = (0..12).map(|j| w[[i, j]].abs() * norms[[0, j]]).collect();
                for (g, group) in saliency.chunks(4).enumerate() {
                    let gone: Vec<usize> = (0..4).filter(|j| !pruned.mask().is_kept(i, g * 4 + j)).collect();
                    prop_assert_eq!(gone, lowest(group, 2), "{:?}", solver);
                }
            }
        }
    }

    /// Swaps only help, keep the pattern, and where the search ended no swap at all is left that helps, by trying them all.
    #[test]
    fn no_single_swap_is_left(seed in 1_u64..1 << 40, which in 0_usize..2) {
        let (w, x) = (matrix(3, 12, seed), matrix(40, 12, seed ^ 0x1234));
        let pattern = [TWO_OF_FOUR, half(Scope::Row)][which];
        let gram = gram(&x);
        for solver in [Solver::Magnitude, Solver::Admm] {
            let pruner = LayerPruner::new(pattern).with_solver(solver);
            let before = pruner.prune(w.view(), &gram).unwrap();
            let after = pruner.with_swaps(100).prune(w.view(), &gram).unwrap();
            let certificate = after.certificate();
            prop_assert!(certificate.objective <= before.certificate().objective * (1.0 + F32_LAYER));
            prop_assert_eq!(certificate.swap_optimal_rows, 3);
            prop_assert_eq!(after.mask().pruned(), 18);
            for row in 0..3 {
                let dense: Vec<f64> = w.row(row).iter().map(|w| f64::from(*w)).collect();
                let inside: Vec<usize> = (0..12).filter(|j| after.mask().is_kept(row, *j)).collect();
                let now = refitted(gram.matrix(), &dense, &inside);
                for out in &inside {
                    for into in (0..12).filter(|j| !inside.contains(j)) {
                        if which == 0 && out / 4 != into / 4 {
                            continue;
                        }
                        let swapped: Vec<usize> = inside.iter().map(|j| if j == out { into } else { *j }).collect();
                        prop_assert!(refitted(gram.matrix(), &dense, &swapped) >= now * (1.0 - F32_LAYER));
                    }
                }
            }
        }
    }

    /// Blocks and transposable tiles hold under every solver too, to the weight.
    #[test]
    fn rectangles_hold_under_every_solver(seed in 1_u64..1 << 40, share in 0.1_f64..0.9) {
        let (w, x) = (matrix(8, 24, seed), matrix(60, 24, seed ^ 0x4321));
        let sparsity = Sparsity::try_new(share).unwrap();
        let block = Pattern::Block { sparsity, rows: 2, columns: 4 };
        let tiles = Pattern::TransposableNM { keep: 2, group: 4 };
        for solver in SOLVERS {
            for (pattern, expected) in [(block, sparsity.count(24) as usize * 8), (tiles, 96)] {
                let pruner = LayerPruner::new(pattern).with_solver(solver).with_block(8).with_swaps(3);
                let pruned = pruner.prune(w.view(), &gram(&x)).unwrap();
                prop_assert_eq!(pruned.mask().pruned(), expected, "{:?} {:?}", solver, pattern);
                for line in 0..8 {
                    for tile in 0..6 {
                        let kept = (0..4).filter(|j| pruned.mask().is_kept(line, tile * 4 + j)).count();
                        prop_assert!(kept == 2 || pattern == block && kept % 4 == 0);
                    }
                }
            }
        }
    }
}
