//! Laws, each against an oracle or a change that must not matter.

use std::fs;

use half::{bf16, f16};
use modelops_pruning::features::{
    Chi2, Dependence, FClassif, FRegression, MutualInfo, Samples, ScoreFunction, Scores, Select, Target,
};
use modelops_pruning::graph::{
    Cascade, Connectivity, Fate, NodePruner, NodeScore, Strength, Threshold, backbone, core_numbers,
};
use modelops_pruning::weights::{
    Checkpoint, Format, Mask, Pattern, Recipe, Scope, Sparsity, prune_checkpoint,
};
use modelops_testkit::pruning::{
    SmallGraph, congruential, count_components, ksg, lowest, peel, ross, small_graph, tied_matrix,
};
use modelops_testkit::tolerance::{F_UNDER_OFFSET, PRINTED_STATISTIC, close};
use ndarray::{Array2, Axis};
use petgraph::graph::{NodeIndex, UnGraph};
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn petgraph(graph: &SmallGraph) -> UnGraph<usize, f64> {
    let mut out = UnGraph::new_undirected();
    let nodes: Vec<_> = (0..graph.nodes).map(|node| out.add_node(node)).collect();
    for (a, b, weight) in &graph.edges {
        out.add_edge(nodes[*a], nodes[*b], *weight);
    }
    out
}

proptest! {
    /// New names and another order of nodes and edges change nothing but names.
    #[test]
    fn pruning_does_not_depend_on_the_order(
        graph in small_graph(), threshold in 0.0_f64..8.0, fixpoint: bool, seed: u64,
    ) {
        let shuffled = |n: usize| {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by_key(|i| (*i as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
            order
        };
        let (names, order) = (shuffled(graph.nodes), shuffled(graph.edges.len()));
        let renamed = SmallGraph {
            nodes: graph.nodes,
            edges: order.iter().map(|e| graph.edges[*e]).map(|(a, b, w)| (names[b], names[a], w)).collect(),
        };
        let cascade = if fixpoint { Cascade::Fixpoint } else { Cascade::Snapshot };
        let pruner = NodePruner::new(Threshold::Below(threshold)).with_cascade(cascade);
        let plan = pruner.plan(&petgraph(&graph), |w| *w).unwrap();
        let other = pruner.plan(&petgraph(&renamed), |w| *w).unwrap();
        for (node, name) in names.iter().enumerate() {
            prop_assert_eq!(plan.fates()[node], other.fates()[*name]);
            prop_assert_eq!(plan.scores()[node].to_bits(), other.scores()[*name].to_bits());
        }
        prop_assert_eq!(core_numbers(&petgraph(&graph)).iter().sum::<usize>(),
            core_numbers(&petgraph(&renamed)).iter().sum::<usize>());
    }

    /// The cascade finds what peeling from scratch finds, in as many rounds (whole weights: no rounding).
    #[test]
    fn the_fixpoint_is_the_s_core(mut graph in small_graph(), threshold in 0_u8..12) {
        graph.edges.iter_mut().for_each(|edge| edge.2 = edge.2.round());
        let pruner = NodePruner::new(Threshold::Below(f64::from(threshold))).with_cascade(Cascade::Fixpoint);
        let pruned = pruner.prune(&petgraph(&graph), |w| *w).unwrap();
        let (left, rounds) = peel(&graph, f64::from(threshold));
        let kept: Vec<bool> = pruned.plan().new_index().iter().map(Option::is_some).collect();
        prop_assert_eq!(kept, left);
        prop_assert_eq!(pruned.plan().rounds(), rounds);
        // The graph, the map and the edges agree.
        for (old, new) in pruned.plan().new_index().iter().enumerate() {
            if let Some(new) = new {
                prop_assert_eq!(pruned.graph()[NodeIndex::new(*new)], old);
            }
        }
        let inside = graph.edges.iter().filter(|(a, b, _)| pruned.plan().new_index()[*a].is_some()
            && pruned.plan().new_index()[*b].is_some()).count();
        prop_assert_eq!(pruned.graph().edge_count(), inside);
    }

    /// Core numbers are degrees' fixpoints: node n is in the k-core exactly for k ≤ its number.
    #[test]
    fn core_numbers_are_degree_fixpoints(mut graph in small_graph()) {
        graph.edges.retain(|(a, b, _)| a != b);
        let cores = core_numbers(&petgraph(&graph));
        for k in 0..=cores.iter().max().copied().unwrap_or(0) + 1 {
            let pruner = NodePruner::new(Threshold::Below(k as f64))
                .with_score(NodeScore::Degree(Strength::Total))
                .with_cascade(Cascade::Fixpoint);
            let plan = pruner.plan(&petgraph(&graph), |w| *w).unwrap();
            for (node, core) in cores.iter().enumerate() {
                prop_assert_eq!(plan.fates()[node] == Fate::Kept, *core >= k);
            }
        }
    }

    /// Policies keep what they promise, and never drop a node that was strong enough.
    #[test]
    fn connectivity_is_kept(graph in small_graph(), threshold in 0.0_f64..8.0, terminals: [usize; 3]) {
        let pruner = NodePruner::new(Threshold::Below(threshold));
        let input = petgraph(&graph);
        let kept = |connectivity| {
            let plan = pruner.clone().with_connectivity(connectivity).plan(&input, |w| *w).unwrap();
            plan.new_index().iter().map(Option::is_some).collect::<Vec<bool>>()
        };
        let free = kept(Connectivity::Free);
        let whole = kept(Connectivity::PreserveComponents);
        prop_assert_eq!(count_components(&graph, &whole), count_components(&graph, &vec![true; graph.nodes]));
        prop_assert!(free.iter().zip(&whole).all(|(free, whole)| *whole || !free));
        let largest = kept(Connectivity::LargestComponent);
        prop_assert!(count_components(&graph, &largest) == usize::from(free.contains(&true)));
        prop_assert!(free.iter().zip(&largest).all(|(free, largest)| *free || !largest));

        let terminals: Vec<usize> = terminals.iter().map(|t| t % graph.nodes).collect();
        let held = kept(Connectivity::Terminals(terminals.iter().map(|t| NodeIndex::new(*t)).collect()));
        prop_assert!(terminals.iter().all(|t| held[*t]));
        // Terminals fall into as many parts as before: bridge every part of the rest away and count.
        let parts = |present: &[bool]| {
            let apart = |t: &usize| {
                let joined = terminals.iter().map(|other| (*t, *other, 1.0));
                let joined = SmallGraph { nodes: graph.nodes, edges: graph.edges.iter().copied().chain(joined).collect() };
                count_components(&joined, present)
            };
            count_components(&graph, present) - terminals.first().map_or(0, apart)
        };
        prop_assert_eq!(parts(&held), parts(&vec![true; graph.nodes]));
    }

    /// A maximum spanning forest keeps the components and is not lighter than the forest of a random order.
    #[test]
    fn the_spanning_forest_spans(graph in small_graph()) {
        let kept = backbone::maximum_spanning_forest(&petgraph(&graph), |w| *w).unwrap();
        let forest = SmallGraph {
            nodes: graph.nodes,
            edges: graph.edges.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(edge, _)| *edge).collect(),
        };
        let all = vec![true; graph.nodes];
        let components = count_components(&graph, &all);
        prop_assert_eq!(count_components(&forest, &all), components);
        prop_assert_eq!(forest.edges.len(), graph.nodes - components);
        let first_come = backbone::maximum_spanning_forest(&petgraph(&graph), |_| 1.0).unwrap();
        let weight = |kept: &[bool]| graph.edges.iter().zip(kept).filter(|(_, k)| **k).map(|(e, _)| e.2).sum::<f64>();
        prop_assert!(weight(&kept) >= weight(&first_come) - F_UNDER_OFFSET);
    }
}

fn unstructured(sparsity: f64, scope: Scope) -> Pattern {
    Pattern::Unstructured {
        sparsity: Sparsity::try_new(sparsity).unwrap(),
        scope,
    }
}

fn gone(mask: &Mask) -> Vec<usize> {
    let [rows, columns] = mask.shape();
    let at = (0..rows * columns).filter(|at| !mask.is_kept(at / columns, at % columns));
    at.collect()
}

proptest! {
    /// Exactly the lowest go, of equals the first, in every scope.
    #[test]
    fn masks_take_the_lowest(a in tied_matrix(1), b in tied_matrix(1), sparsity in 0.0_f64..=1.0) {
        let count = |n: usize| (sparsity * n as f64).round() as usize;
        let tensor = unstructured(sparsity, Scope::Tensor).mask(a.view()).unwrap();
        prop_assert_eq!(gone(&tensor), lowest(a.as_slice().unwrap(), count(a.len())));

        let rows = unstructured(sparsity, Scope::Row).mask(a.view()).unwrap();
        let per_row = a.rows().into_iter().enumerate().flat_map(|(i, row)| {
            let gone = lowest(row.as_slice().unwrap(), count(a.ncols()));
            gone.into_iter().map(move |j| i * row.len() + j).collect::<Vec<_>>()
        });
        prop_assert_eq!(gone(&rows), per_row.collect::<Vec<_>>());

        let both: Vec<f32> = a.iter().chain(&b).copied().collect();
        let masks = unstructured(sparsity, Scope::Global).masks(&[a.view(), b.view()]).unwrap();
        let shifted = gone(&masks[1]).into_iter().map(|at| at + a.len());
        let found: Vec<usize> = gone(&masks[0]).into_iter().chain(shifted).collect();
        prop_assert_eq!(found, lowest(&both, count(both.len())));
        prop_assert_eq!(tensor.pruned() + tensor.kept(), a.len());
    }

    /// In every group exactly the lowest go, for the fast groups of four and for all others.
    #[test]
    fn groups_keep_the_highest(four in tied_matrix(4), three in tied_matrix(3), keep in 1_usize..4) {
        for (matrix, group) in [(four, 4), (three, 3)] {
            let keep = keep.min(group);
            let mask = Pattern::NM { keep, group }.mask(matrix.view()).unwrap();
            let flat = matrix.as_slice().unwrap();
            let expected = flat.chunks(group).enumerate().flat_map(|(g, weights)| {
                lowest(weights, group - keep).into_iter().map(move |at| g * group + at)
            });
            prop_assert_eq!(gone(&mask), expected.collect::<Vec<_>>());
        }
    }
}

/// A checkpoint of one matrix in each type, a bias and a buffer of whole numbers.
fn write_checkpoint(path: &std::path::Path, matrix: &Array2<f32>) {
    let bytes = |each: &dyn Fn(f32) -> Vec<u8>| matrix.iter().flat_map(|w| each(*w)).collect::<Vec<u8>>();
    let single = bytes(&|w| w.to_le_bytes().to_vec());
    let half = bytes(&|w| f16::from_f32(w).to_le_bytes().to_vec());
    let brain = bytes(&|w| bf16::from_f32(w).to_le_bytes().to_vec());
    let shape = vec![matrix.nrows(), matrix.ncols()];
    let view = |dtype, data| TensorView::new(dtype, shape.clone(), data).unwrap();
    let tensors = [
        ("a.weight", view(Dtype::F32, &single)),
        ("b.weight", view(Dtype::F16, &half)),
        ("c.weight", view(Dtype::BF16, &brain)),
        ("a.bias", TensorView::new(Dtype::F32, vec![2], &[1; 8]).unwrap()),
        ("model.embed_tokens.weight", view(Dtype::F32, &single)),
        (
            "position_ids",
            TensorView::new(Dtype::I64, vec![1, 1], &[7; 8]).unwrap(),
        ),
    ];
    let metadata = ["format", "model", "licence", "step"].map(|key| (key.to_owned(), "pt".to_owned()));
    safetensors::serialize_to_file(tensors, Some(metadata.into()), path).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// File, memory and compressed file agree weight for weight; what is not pruned keeps its bytes; counts are exact.
    #[test]
    fn files_hold_what_masks_say(matrix in tied_matrix(4), sparsity in 0.0_f64..=1.0, which in 0_usize..4) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_checkpoint(&path("in.safetensors"), &matrix);
        let pattern = match which {
            0 => Pattern::NM { keep: 2, group: 4 },
            1 => unstructured(sparsity, Scope::Row),
            2 => unstructured(sparsity, Scope::Tensor),
            _ => unstructured(sparsity, Scope::Global),
        };
        let recipe = Recipe::new(pattern);
        let run = |name: &str, format| prune_checkpoint(path("in.safetensors"), path(name), &recipe, format).unwrap();
        let report = run("dense.safetensors", Format::Dense);
        let packed = run("packed.safetensors", Format::Bitmask);
        run("again.safetensors", Format::Bitmask);
        prop_assert_eq!(fs::read(path("packed.safetensors")).unwrap(), fs::read(path("again.safetensors")).unwrap());

        let open = |name: &str| Checkpoint::open(path(name)).unwrap();
        let (input, dense, compressed) = (open("in.safetensors"), open("dense.safetensors"), open("packed.safetensors"));
        let pruned = ["a.weight", "b.weight", "c.weight"];
        // In the order of the file, which puts wide types first.
        let read: Vec<Array2<f32>> = pruned.iter().map(|name| input.matrix(name).unwrap()).collect();
        let names: Vec<&str> = input.names().filter(|name| pruned.contains(name)).collect();
        let views: Vec<_> = names.iter().map(|name| read[pruned.iter().position(|p| p == name).unwrap()].view()).collect();
        let masks = pattern.masks(&views).unwrap();
        for ((name, view), mask) in names.iter().zip(&views).zip(&masks) {
            let mut expected = view.to_owned();
            mask.apply(expected.view_mut()).unwrap();
            let found = dense.matrix(name).unwrap();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(&compressed.matrix(name).unwrap(), &expected);
            prop_assert!(found.iter().all(|w| *w != 0.0 || w.is_sign_positive() || view.iter().any(|w| w.to_bits() == 1 << 31)));
            let row = report.tensors.iter().find(|tensor| tensor.name == *name).unwrap();
            prop_assert_eq!(row.pruned, mask.pruned() as u64);
            prop_assert_eq!(row.zeros_after, expected.iter().filter(|w| **w == 0.0).count() as u64);
            prop_assert_eq!(row.zeros_before, view.iter().filter(|w| **w == 0.0).count() as u64);
        }
        let bytes = fs::read(path("in.safetensors")).unwrap();
        let written = fs::read(path("dense.safetensors")).unwrap();
        let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        prop_assert_eq!(&bytes[..head], &written[..head]);
        let tensors = |bytes: &'_ [u8], name: &str| safetensors::SafeTensors::deserialize(bytes).unwrap().tensor(name).unwrap().data().to_vec();
        let squeezed = fs::read(path("packed.safetensors")).unwrap();
        for name in ["a.bias", "model.embed_tokens.weight", "position_ids"] {
            prop_assert_eq!(tensors(&bytes, name), tensors(&written, name));
            prop_assert_eq!(tensors(&bytes, name), tensors(&squeezed, name));
        }
        prop_assert_eq!(packed.bytes_after, squeezed.len() as u64);
        let stored: u64 = packed.tensors.iter().map(|tensor| tensor.bytes_after).sum();
        let head = 8 + u64::from_le_bytes(squeezed[..8].try_into().unwrap());
        prop_assert_eq!(stored + head, squeezed.len() as u64);
    }

    /// Nothing to prune: not a byte changes.
    #[test]
    fn no_sparsity_changes_no_byte(matrix in tied_matrix(1)) {
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("a.safetensors"), folder.path().join("b.safetensors"));
        write_checkpoint(&input, &matrix);
        for scope in [Scope::Row, Scope::Tensor, Scope::Global] {
            prune_checkpoint(&input, &output, &Recipe::new(unstructured(0.0, scope)), Format::Dense).unwrap();
            prop_assert_eq!(fs::read(&input).unwrap(), fs::read(&output).unwrap());
        }
    }
}

/// A table without ties, values, and classes that depend on it.
fn table() -> impl Strategy<Value = (Array2<f64>, Vec<f64>, Vec<usize>)> {
    (8_usize..40).prop_flat_map(|rows| {
        let x = proptest::collection::vec(-1.0_f64..1.0, rows * 3);
        let noise = proptest::collection::vec(-1.0_f64..1.0, rows);
        (x, noise).prop_map(move |(x, noise)| {
            let x = Array2::from_shape_vec((rows, 3), x).unwrap();
            let y: Vec<f64> = x.column(0).iter().zip(&noise).map(|(x, e)| x + 0.7 * e).collect();
            let mut classes: Vec<usize> = y.iter().map(|y| usize::from(*y > 0.0) * 5).collect();
            (classes[0], classes[1], classes[2], classes[3]) = (0, 5, 0, 5);
            (x, y, classes)
        })
    })
}

proptest! {
    /// The fast estimates equal those over all pairs, clamped at zero and at the entropy.
    #[test]
    fn mutual_information_is_that_of_all_pairs((x, y, classes) in table(), k in 1_usize..6) {
        let score = MutualInfo::default().with_neighbors(k);
        let found = score.score(&Samples::all(x.view(), Target::Classes(&classes)).unwrap()).unwrap();
        let n = classes.len() as f64;
        let share = classes.iter().filter(|c| **c == 0).count() as f64 / n;
        let entropy = -share * share.ln() - (1.0 - share) * (1.0 - share).ln();
        for (j, found) in found.statistics().iter().enumerate() {
            let expected = ross(&x.column(j).to_vec(), &classes, k).clamp(0.0, entropy);
            prop_assert!(close(*found, expected, PRINTED_STATISTIC), "{found} for {expected}");
        }
        let found = score.score(&Samples::all(x.view(), Target::Values(&y)).unwrap()).unwrap();
        for (j, found) in found.statistics().iter().enumerate() {
            let scaled = |values: &[f64]| {
                let mean = values.iter().sum::<f64>() / n;
                let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
                values.iter().map(|v| v / deviation).collect::<Vec<_>>()
            };
            let expected = ksg(&scaled(&x.column(j).to_vec()), &scaled(&y), k).max(0.0);
            prop_assert!(close(*found, expected, PRINTED_STATISTIC), "{found} for {expected}");
        }
    }

    /// As many points as fill many leaves of the tree, on a line, in clusters, with far outliers.
    #[test]
    fn information_of_many_values_is_that_of_all_pairs(
        (n, seed, k) in (100_usize..500, any::<u64>(), 1_usize..6),
        (noise, power) in (prop_oneof![Just(0.0), Just(1e-9), 0.0_f64..2.0], 1_i32..8),
    ) {
        let draws = congruential(2 * n, seed);
        let x: Vec<f64> = draws[..n].iter().enumerate().map(|(i, d)| d.powi(2 * power + 1) + 1e-7 * i as f64).collect();
        let y: Vec<f64> = x.iter().zip(&draws[n..]).map(|(x, e)| x + noise * e).collect();
        let table = Array2::from_shape_vec((n, 1), x.clone()).unwrap();
        let samples = Samples::all(table.view(), Target::Values(&y)).unwrap();
        let found = MutualInfo::default().with_neighbors(k).score(&samples).unwrap().statistics()[0];
        let scaled = |values: &[f64]| {
            let origin = values[0];
            let mean = values.iter().map(|v| v - origin).sum::<f64>() / n as f64;
            let centred: Vec<f64> = values.iter().map(|v| v - origin - mean).collect();
            let deviation = (centred.iter().map(|v| v * v).sum::<f64>() / n as f64).sqrt();
            centred.iter().map(|v| v / deviation).collect::<Vec<_>>()
        };
        let expected = ksg(&scaled(&x), &scaled(&y), k).max(0.0);
        // Where the power vanishes x is a grid of steps of 10⁻⁷, whose neighbours to the left and right are equally far but for
        // rounding, which may put one on either side of the bound: a count that is one off moves the mean by at most 1/n. Noise
        // above a step ends that.
        let slack = if noise < 1e-6 { 5.0 / n as f64 } else { 0.0 };
        prop_assert!((found - expected).abs() <= slack || close(found, expected, PRINTED_STATISTIC), "{found} for {expected}");
    }

    /// Rows in another order, other labels, another unit and another origin change no F and no mutual information.
    #[test]
    fn scores_do_not_depend_on_units((x, y, classes) in table(), scale in 0.5_f64..2.0, shift in -4_i8..5) {
        let n = classes.len();
        let order: Vec<usize> = (0..n).rev().collect();
        let moved = x.select(Axis(0), &order).mapv(|x| x * scale + f64::from(shift));
        let renamed: Vec<usize> = order.iter().map(|i| 9 - classes[*i]).collect();
        let values: Vec<f64> = order.iter().map(|i| y[*i]).collect();
        let scores = |x: &Array2<f64>, classes: &[usize], y: &[f64]| {
            let of_classes = Samples::all(x.view(), Target::Classes(classes)).unwrap();
            let of_values = Samples::all(x.view(), Target::Values(y)).unwrap();
            [FClassif.score(&of_classes), MutualInfo::default().score(&of_classes), FRegression.score(&of_values)]
                .map(Result::unwrap)
        };
        for (a, b) in scores(&x, &classes, &y).iter().zip(&scores(&moved, &renamed, &values)) {
            for (a, b) in a.statistics().iter().zip(b.statistics()) {
                prop_assert!(close(*a, *b, PRINTED_STATISTIC), "{a} and {b}");
            }
        }
    }

    /// Held-out rows and their targets cannot be seen: changing them changes no bit of the selection.
    #[test]
    fn selection_does_not_leak((mut x, _, mut classes) in table(), poison in -1e9_f64..1e9) {
        let training: Vec<usize> = (0..classes.len() / 2).collect();
        let select = |x: &Array2<f64>, classes: &[usize]| {
            let samples = Samples::training(x.view(), Target::Classes(classes), &training).unwrap();
            let counts = Samples::training(x.view(), Target::Classes(classes), &training).unwrap();
            let chi2 = Chi2.score(&counts).ok();
            (Select::KBest(2).fit(&FClassif, &samples).unwrap(), MutualInfo::default().score(&samples).unwrap(), chi2)
        };
        let before = select(&x, &classes);
        for (row, class) in classes.iter_mut().enumerate().skip(training.len()) {
            x.row_mut(row).fill(poison);
            *class = row;
        }
        prop_assert_eq!(select(&x, &classes), before);
    }

    /// More tolerance selects more; a stricter assumption selects no more; all agree with the definition on p.
    #[test]
    fn false_discovery_rates_are_nested(p in proptest::collection::vec(0.0001_f64..1.0, 1..40), level in 0.01_f64..0.5) {
        let n = p.len();
        let scores = || Scores::new(p.iter().map(|p| -p).collect()).with_ln_p_values(p.iter().map(|p| p.ln()).collect()).unwrap();
        let select = |select: Select| select.select(scores()).unwrap().selected().to_vec();
        let fdr = |level, dependence| select(Select::Fdr { level, dependence });
        let found = fdr(level, Dependence::Positive);
        let mut sorted = p.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let bound = (1..=n).rev().find(|i| sorted[i - 1] <= level * *i as f64 / n as f64).map(|i| sorted[i - 1]);
        let expected: Vec<usize> = (0..n).filter(|i| bound.is_some_and(|bound| p[*i] <= bound)).collect();
        prop_assert_eq!(&found, &expected);
        let within = |few: Vec<usize>, many: &[usize]| few.iter().all(|i| many.contains(i));
        prop_assert!(within(fdr(level, Dependence::Any), &found));
        prop_assert!(within(fdr(level / 2.0, Dependence::Positive), &found));
        prop_assert!(within(select(Select::Fwe(level)), &found));
        prop_assert!(within(found, &select(Select::Fpr(level + 1e-9))));
    }
}
