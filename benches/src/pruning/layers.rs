//! Speed of the solvers on one layer of 4096 × 4096, given its Gram matrix.

use std::path::Path;

use modelops_benches::Comparison;
use modelops_pruning::weights::{Gram, LayerPruner, Pattern, Scope, Solver, Sparsity, wanda_mask};
use modelops_testkit::pruning::congruential;
use ndarray::{Array2, s};

const SIDE: usize = 4_096;
const TOKENS: usize = 8_192;

/// SparseGPT without a refit, and Wanda's masks.
pub(crate) fn speed(run: &mut Comparison, folder: &Path) {
    let names = [
        "SparseGPT, 4096²",
        "Wanda, 4096², 2 of 4",
        "Wanda, 4096², row, 50 %",
    ];
    if !names.iter().any(|name| run.wants(name)) {
        return;
    }
    let draws =
        |count, seed| -> Vec<f32> { congruential(count, seed).into_iter().map(|x| x as f32).collect() };
    let weights =
        Array2::from_shape_vec((SIDE, SIDE), draws(SIDE * SIDE, 21)).expect("as many as the shape holds");
    let mut inputs =
        Array2::from_shape_vec((TOKENS, SIDE), draws(TOKENS * SIDE, 22)).expect("as many as the shape holds");
    // Neighbours have something in common, or there would be nothing to make up for.
    for j in 1..SIDE {
        let (before, mut now) = inputs.multi_slice_mut((s![.., j - 1], s![.., j]));
        now.zip_mut_with(&before, |now, before| *now = 0.8 * *now + 0.6 * before);
    }
    let mut gram = Gram::new(SIDE);
    gram.observe(inputs.view()).expect("inputs are finite");
    let save = |name: &str, values: &mut dyn Iterator<Item = f32>| {
        crate::save(
            folder,
            name,
            &values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>(),
        )
    };
    let w = save("layer.f32", &mut weights.iter().copied());
    let h = save("gram.f32", &mut gram.matrix().iter().map(|x| *x as f32));
    let half = Pattern::Unstructured {
        sparsity: Sparsity::try_new(0.5).expect("a half is a share"),
        scope: Scope::Tensor,
    };
    // The reference does not measure what was lost.
    let sparse = LayerPruner::new(half)
        .with_solver(Solver::SparseGpt)
        .with_refit(false)
        .with_measures(false);
    let side = SIDE.to_string();
    run.case(names[0])
        .ours(|| {
            let pruned = sparse.prune(weights.view(), &gram).expect("the layer is fine");
            pruned.mask().pruned() as f64
        })
        .python(
            "SparseGPT as published, PyTorch 1.13.1",
            "sparsegpt.py",
            &["sparsegpt", &w, &h, &side],
        )
        // The reference removes ties and one more in every block.
        .agree(|ours, theirs| (ours - theirs).abs() <= 1e-3 * ours)
        .cold()
        .rounds(1)
        .run();
    let row = Pattern::Unstructured {
        sparsity: Sparsity::try_new(0.5).expect("a half is a share"),
        scope: Scope::Row,
    };
    for (name, how, pattern) in [
        (names[1], "wanda24", Pattern::NM { keep: 2, group: 4 }),
        (names[2], "wanda", row),
    ] {
        run.case(name)
            .ours_with(
                || weights.clone(),
                |mut weights| {
                    let mask = wanda_mask(weights.view(), &gram, pattern).expect("the layer is fine");
                    mask.apply(weights.view_mut()).expect("the shapes agree");
                    mask.pruned() as f64
                },
            )
            .python(
                "Wanda as published, PyTorch 1.13.1",
                "sparsegpt.py",
                &[how, &w, &h, &side],
            )
            .agree(|ours, theirs| (ours - theirs).abs() <= f64::EPSILON)
            .rounds(3)
            .run();
    }
}
