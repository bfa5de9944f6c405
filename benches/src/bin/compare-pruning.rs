//! Side-by-side runs of `modelops-pruning` against its peers, one thread each.
//!
//! The data is generated here, written as raw little-endian numbers under `target/compare/pruning`, and read by both sides.

#[path = "../pruning/bert.rs"]
mod bert;
#[path = "../pruning/layers.rs"]
mod layers;
#[path = "../pruning/minilm.rs"]
mod minilm;
#[path = "../pruning/selectors.rs"]
mod selectors;
#[path = "../pruning/shards.rs"]
mod shards;

use std::fs;
use std::path::{Path, PathBuf};

use modelops_benches::{Comparison, results_dir};
use modelops_pruning::features::{Chi2, FClassif, MutualInfo, Rfe, Samples, ScoreFunction, Target, Variance};
use modelops_pruning::graph::{Cascade, NodePruner, Threshold, backbone, core_numbers};
use modelops_pruning::weights::{Pattern, Scope, Sparsity};
use modelops_testkit::pruning::congruential;
use ndarray::{Array2, s};
use petgraph::graph::UnGraph;

const NODES: usize = 100_000;
const EDGES: usize = 1_000_000;
const ROWS: usize = 100_000;
const FEATURES: usize = 100;
const SIDE: usize = 4_096;
/// The strength below which about three nodes in ten fall.
const CUT: f64 = 16.5;

fn main() {
    let folder = results_dir().join("pruning");
    fs::create_dir_all(&folder).expect("the folder of results can be made");
    let mut run = Comparison::from_args("pruning");
    // First, while the peak of memory of this process is that of this case.
    shards::shards(&mut run, &folder);
    graphs(&mut run, &folder);
    masks(&mut run, &folder);
    minilm::solvers(&mut run, &folder);
    bert::end_to_end(&mut run, &folder);
    layers::speed(&mut run, &folder);
    features(&mut run, &folder);
    selectors::selectors(&mut run, &folder);
    run.finish();
}

fn save(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = folder.join(name);
    fs::write(&path, bytes).expect("the folder of results can be written");
    path.to_string_lossy().into_owned()
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// As [`near`], for estimates to which the peer adds noise of its own.
fn alike(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3)
}

fn near(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0))
}

fn graphs(run: &mut Comparison, folder: &Path) {
    let names = [
        "nodes below a strength, 1M edges",
        "nodes below a strength, cascade, 1M edges",
        "core numbers, 1M edges",
        "disparity, 1M edges",
    ];
    if !names.iter().any(|name| run.wants(name)) {
        return;
    }
    // No self-loops and no parallel edges, so that all three agree on what a degree is.
    let node = |draw: f64| ((draw + 1.0) / 2.0 * NODES as f64) as u32;
    let mut edges: Vec<(u32, u32, f64)> = congruential(EDGES * 3, 11)
        .chunks_exact(3)
        .map(|d| (node(d[0]).min(node(d[1])), node(d[0]).max(node(d[1])), d[2] + 1.0))
        .filter(|(a, b, _)| a != b)
        .collect();
    edges.sort_unstable_by_key(|(a, b, _)| (*a, *b));
    edges.dedup_by_key(|(a, b, _)| (*a, *b));
    let flat: Vec<f64> = edges
        .iter()
        .flat_map(|(a, b, w)| [f64::from(*a), f64::from(*b), *w])
        .collect();
    let path = save(folder, "edges.f64", &doubles(&flat));
    let mut graph = UnGraph::<(), f64>::with_capacity(NODES, edges.len());
    (0..NODES).for_each(|_| {
        graph.add_node(());
    });
    edges.iter().for_each(|(a, b, w)| {
        graph.add_edge((*a).into(), (*b).into(), *w);
    });
    let nodes = NODES.to_string();
    let cut = CUT.to_string();
    let pruner = NodePruner::new(Threshold::Below(CUT));
    let counts = |pruner: &NodePruner| {
        let pruned = pruner.prune(&graph, |w| *w).expect("weights are fine");
        vec![
            pruned.graph().node_count() as f64,
            pruned.graph().edge_count() as f64,
        ]
    };
    run.case(names[0])
        .ours(|| counts(&pruner))
        .python(
            "NetworKit 11.3",
            "graphs.py",
            &["networkit", "snapshot", &path, &nodes, &cut],
        )
        .python(
            "networkx 3.6.1",
            "graphs.py",
            &["networkx", "snapshot", &path, &nodes, &cut],
        )
        .agree(|a, b| near(a, b))
        .rounds(7)
        .peer_rounds(1)
        .run();
    let fixpoint = NodePruner::new(Threshold::Below(CUT)).with_cascade(Cascade::Fixpoint);
    run.case(names[1])
        .ours(|| counts(&fixpoint))
        .python(
            "networkx 3.6.1",
            "graphs.py",
            &["networkx", "cascade", &path, &nodes, &cut],
        )
        .agree(|a, b| near(a, b))
        .rounds(7)
        .peer_rounds(1)
        .run();
    run.case(names[2])
        .ours(|| {
            let cores = core_numbers(&graph);
            vec![
                cores.iter().sum::<usize>() as f64,
                cores.iter().max().copied().unwrap_or(0) as f64,
            ]
        })
        .python(
            "NetworKit 11.3",
            "graphs.py",
            &["networkit", "cores", &path, &nodes, &cut],
        )
        .agree(|a, b| near(a, b))
        .rounds(5)
        .run();
    run.case(names[3])
        .ours(|| {
            let alpha = backbone::disparity(&graph, |w| *w).expect("weights are fine");
            vec![alpha.iter().sum::<f64>()]
        })
        .python(
            "NetworKit 11.3",
            "graphs.py",
            &["networkit", "disparity", &path, &nodes, &cut],
        )
        .agree(|a, b| near(a, b))
        .rounds(5)
        .run();
}

fn masks(run: &mut Comparison, folder: &Path) {
    let names = [
        "mask of 16M weights, tensor, 50 %",
        "mask of 16M weights, row, 50 %",
        "mask of 16M weights, 2 of 4",
    ];
    if !names.iter().any(|name| run.wants(name)) {
        return;
    }
    let weights: Vec<f32> = congruential(SIDE * SIDE, 5)
        .into_iter()
        .map(|w| w as f32)
        .collect();
    let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    let path = save(folder, "weights.f32", &bytes);
    let weights = Array2::from_shape_vec((SIDE, SIDE), weights).expect("as many as the shape holds");
    let half = Sparsity::try_new(0.5).expect("a half is a share");
    let side = SIDE.to_string();
    for (name, how, pattern) in [
        (
            names[0],
            "tensor",
            Pattern::Unstructured {
                sparsity: half,
                scope: Scope::Tensor,
            },
        ),
        (
            names[1],
            "row",
            Pattern::Unstructured {
                sparsity: half,
                scope: Scope::Row,
            },
        ),
        (names[2], "group", Pattern::NM { keep: 2, group: 4 }),
    ] {
        run.case(name)
            .ours(|| pattern.mask(weights.view()).expect("weights are finite").pruned() as f64)
            .python("NumPy 2.4.6, partition", "masks.py", &[how, &path, &side])
            // Ties at the bound go together there.
            .agree(|ours, theirs| (ours - theirs).abs() <= 16.0 * SIDE as f64)
            .rounds(3)
            .run();
    }
}

fn features(run: &mut Comparison, folder: &Path) {
    let x = Array2::from_shape_vec((ROWS, FEATURES), congruential(ROWS * FEATURES, 3))
        .expect("as many as the shape holds");
    let noise = congruential(ROWS, 4);
    let y: Vec<f64> = (0..ROWS)
        .map(|i| x[[i, 0]] + 0.5 * x[[i, 1]] + noise[i])
        .collect();
    let classes: Vec<usize> = y
        .iter()
        .map(|y| usize::from(*y > 0.0) + usize::from(*y > 0.8))
        .collect();
    let positive = x.mapv(f64::abs);
    let flat = save(folder, "x.f64", &doubles(x.as_slice().unwrap_or(&[])));
    let target = save(folder, "y.f64", &doubles(&y));
    // Draws are of 32 bits, and some fall together: scikit-learn parts those by noise, we count them. So that both estimate the same,
    // no two of these are equal.
    let one = &x.slice(s![.., ..1]) + &(&x.slice(s![.., 1..2]) * 2_f64.powi(-20));
    let arguments = |how: &'static str| [how.to_owned(), flat.clone(), target.clone(), FEATURES.to_string()];
    macro_rules! case {
        ($name:expr, $how:expr, $x:expr, $target:expr, $score:expr, $rounds:expr, $agree:ident) => {
            let arguments = arguments($how);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run.case($name)
                .ours(|| {
                    let samples = Samples::all($x.view(), $target).expect("the table is fine");
                    $score
                        .score(&samples)
                        .expect("the table is fine")
                        .statistics()
                        .to_vec()
                })
                .python("scikit-learn 1.9.1", "features.py", &arguments)
                .agree(|a, b| $agree(a, b))
                .rounds($rounds)
                .run();
        };
    }
    case!(
        "F of classes, 100k × 100",
        "f_classif",
        x,
        Target::Classes(&classes),
        FClassif,
        5,
        near
    );
    case!(
        "chi², 100k × 100",
        "chi2",
        positive,
        Target::Classes(&classes),
        Chi2,
        5,
        near
    );
    case!(
        "variance, 100k × 100",
        "variance",
        x,
        Target::None,
        Variance,
        5,
        near
    );
    case!(
        "mutual information with classes, 100k",
        "mi_classif",
        one,
        Target::Classes(&classes),
        MutualInfo::default(),
        3,
        alike
    );
    case!(
        "mutual information with values, 100k",
        "mi_regression",
        one,
        Target::Values(&y),
        MutualInfo::default(),
        3,
        alike
    );
    // A quarter of the rows, for the minutes that the peer takes.
    let few = ROWS / 4;
    let (x, y) = (x.slice(s![..few, ..]), &y[..few]);
    let flat = save(folder, "x-few.f64", &doubles(x.as_slice().unwrap_or(&[])));
    let target = save(folder, "y-few.f64", &doubles(y));
    let width = FEATURES.to_string();
    run.case("RFE of a linear regression, 25k × 100 to 10")
        .ours(|| {
            let samples = Samples::all(x.view(), Target::Values(y)).expect("the table is fine");
            let found = Rfe::new(10).fit(&samples).expect("the table is fine");
            found.ranking().iter().map(|rank| *rank as f64).collect()
        })
        .python(
            "scikit-learn 1.9.1",
            "features.py",
            &["rfe", &flat, &target, &width],
        )
        .agree(|a: &Vec<f64>, b| a == b)
        .rounds(5)
        .peer_rounds(1)
        .run();
}
