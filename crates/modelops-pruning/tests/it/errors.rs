//! Bad input gives a typed error, and nothing under the output's name.

use std::fs;
use std::path::{Path, PathBuf};

use modelops_pruning::features::{
    Chi2, Dependence, FClassif, FRegression, MutualInfo, Samples, ScoreFunction, Select, Target, Variance,
};
use modelops_pruning::graph::{
    Cascade, Connectivity, NodePruner, NodeScore, Threshold, backbone, benefit_per_cost,
};
use modelops_pruning::weights::{Checkpoint, Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint};
use modelops_pruning::{CheckpointError, FeatureError, GraphError, PatternError};
use ndarray::{Array2, array};
use petgraph::graph::{NodeIndex, UnGraph};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn graph(weights: [f64; 2]) -> UnGraph<(), f64> {
    UnGraph::from_edges([(0, 1, weights[0]), (1, 2, weights[1])])
}

#[test]
fn graphs_refuse_weights_and_thresholds_without_an_order() {
    let pruner = |threshold| NodePruner::<u32>::new(threshold);
    let below = || pruner(Threshold::Below(1.0));
    let run = |pruner: NodePruner, weights| pruner.prune(&graph(weights), |w| *w).unwrap_err();
    assert_eq!(
        run(below(), [1.0, f64::NAN]),
        GraphError::NonFiniteWeight { edge: 1 }
    );
    assert_eq!(
        run(below(), [f64::INFINITY, 1.0]),
        GraphError::NonFiniteWeight { edge: 0 }
    );
    let fixpoint = below().with_cascade(Cascade::Fixpoint);
    assert_eq!(run(fixpoint, [1.0, -1.0]), GraphError::NegativeWeight { edge: 1 });
    assert_eq!(
        run(pruner(Threshold::Below(f64::NAN)), [1.0; 2]),
        GraphError::InvalidThreshold
    );
    assert_eq!(
        run(pruner(Threshold::Quantile(1.1)), [1.0; 2]),
        GraphError::InvalidThreshold
    );
    let keep = pruner(Threshold::Keep(1)).with_cascade(Cascade::Fixpoint);
    assert_eq!(run(keep, [1.0; 2]), GraphError::NoFixpoint);
    let short = below().with_score(NodeScore::PerNode(vec![1.0]));
    assert_eq!(
        run(short, [1.0; 2]),
        GraphError::Length {
            expected: 3,
            found: 1
        }
    );
    let nan = below().with_score(NodeScore::PerNode(vec![1.0, f64::NAN, 1.0]));
    assert_eq!(run(nan, [1.0; 2]), GraphError::InvalidScore { node: 1 });
    let lost = below().with_connectivity(Connectivity::Terminals(vec![NodeIndex::new(9)]));
    assert_eq!(run(lost, [1.0; 2]), GraphError::UnknownTerminal { node: 9 });
    assert_eq!(
        benefit_per_cost(&[1.0], &[0.0]),
        Err(GraphError::InvalidScore { node: 0 })
    );
    assert_eq!(
        benefit_per_cost(&[1.0], &[]),
        Err(GraphError::Length {
            expected: 1,
            found: 0
        })
    );
    assert_eq!(
        backbone::disparity(&graph([1.0, -1.0]), |w| *w),
        Err(GraphError::NegativeWeight { edge: 1 })
    );
    assert!(matches!(
        backbone::retain(&graph([1.0; 2]), &[true]),
        Err(GraphError::Length { .. })
    ));
}

#[test]
fn an_empty_graph_prunes_to_an_empty_graph() {
    let empty = UnGraph::<(), f64>::new_undirected();
    for connectivity in [
        Connectivity::Free,
        Connectivity::LargestComponent,
        Connectivity::PreserveComponents,
    ] {
        for threshold in [
            Threshold::Below(1.0),
            Threshold::Quantile(0.5),
            Threshold::Keep(3),
        ] {
            let pruner = NodePruner::new(threshold).with_connectivity(connectivity.clone());
            assert_eq!(pruner.prune(&empty, |w| *w).unwrap().graph().node_count(), 0);
        }
    }
}

#[test]
fn features_refuse_tables_that_mean_nothing() {
    let x = array![[1.0, 2.0], [3.0, f64::NAN], [5.0, -6.0]];
    let classes = [0, 1, 1];
    let all = |target| Samples::all(x.view(), target);
    let training = |rows: &[usize]| Samples::training(x.view(), Target::Classes(&classes), rows);
    assert_eq!(
        all(Target::Classes(&[0])).unwrap_err(),
        FeatureError::TargetLength {
            expected: 3,
            found: 1
        }
    );
    assert_eq!(
        all(Target::Values(&[0.0, f64::NAN, 1.0])).unwrap_err(),
        FeatureError::NonFiniteTarget { row: 1 }
    );
    assert_eq!(
        training(&[0, 3]).unwrap_err(),
        FeatureError::TrainingIndex { index: 3, rows: 3 }
    );
    assert_eq!(
        training(&[1, 1]).unwrap_err(),
        FeatureError::TrainingIndex { index: 1, rows: 3 }
    );
    assert_eq!(
        training(&[]).unwrap_err(),
        FeatureError::TooFewRows { needed: 1, found: 0 }
    );
    let none = Array2::<f64>::zeros((3, 0));
    assert_eq!(
        Samples::all(none.view(), Target::None).unwrap_err(),
        FeatureError::NoFeatures
    );

    let all_rows = all(Target::Classes(&classes)).unwrap();
    let nan = FeatureError::NonFinite { row: 1, column: 1 };
    assert_eq!(FClassif.score(&all_rows).unwrap_err(), nan);
    assert_eq!(Chi2.score(&all_rows).unwrap_err(), nan);
    assert_eq!(Variance.score(&all_rows).unwrap_err(), nan);
    assert_eq!(MutualInfo::default().score(&all_rows).unwrap_err(), nan);
    assert_eq!(
        FRegression
            .score(&all(Target::Values(&[0.0, 1.0, 2.0])).unwrap())
            .unwrap_err(),
        nan
    );
    let fine = training(&[0, 2]).unwrap();
    assert_eq!(
        Chi2.score(&fine).unwrap_err(),
        FeatureError::Negative { row: 1, column: 1 }
    );
    assert_eq!(
        FClassif.score(&fine).unwrap_err(),
        FeatureError::TooFewRows { needed: 3, found: 2 }
    );
    assert_eq!(
        FClassif.score(&training(&[1, 2]).unwrap()).unwrap_err(),
        FeatureError::OneClass
    );
    assert!(matches!(
        FRegression.score(&fine).unwrap_err(),
        FeatureError::TargetKind { .. }
    ));
    let none = MutualInfo::default().with_neighbors(0);
    assert_eq!(
        none.score(&fine).unwrap_err(),
        FeatureError::Parameter { name: "neighbors" }
    );
}

#[test]
fn selectors_refuse_levels_out_of_range_and_scores_without_p() {
    let x = array![[1.0], [2.0], [3.0], [4.0]];
    let samples = Samples::all(x.view(), Target::Classes(&[0, 0, 1, 1])).unwrap();
    let fdr = Select::Fdr {
        level: 0.05,
        dependence: Dependence::Any,
    };
    assert_eq!(fdr.fit(&Variance, &samples).unwrap_err(), FeatureError::NoPValues);
    let wrong = Select::Fpr(1.5).fit(&FClassif, &samples).unwrap_err();
    assert_eq!(wrong, FeatureError::Parameter { name: "level" });
    let wrong = Select::Percentile(f64::NAN).fit(&FClassif, &samples).unwrap_err();
    assert_eq!(wrong, FeatureError::Parameter { name: "percentile" });
    let selection = Select::KBest(7).fit(&FClassif, &samples).unwrap();
    assert_eq!(selection.selected(), [0]);
    let narrow = array![[1.0, 2.0]];
    assert!(matches!(
        selection.transform(narrow.view()),
        Err(FeatureError::Columns {
            expected: 1,
            found: 2
        })
    ));
}

fn half(scope: Scope) -> Recipe {
    Recipe::new(Pattern::Unstructured {
        sparsity: Sparsity::try_new(0.5).unwrap(),
        scope,
    })
}

fn write_f32(path: &Path, name: &str, shape: Vec<usize>, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|w| w.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
    safetensors::serialize_to_file([(name, view)], None, path).unwrap();
}

fn folder_with_input(values: &[f32]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.safetensors");
    write_f32(&input, "w", vec![1, values.len()], values);
    (folder, input)
}

#[test]
fn patterns_refuse_what_they_cannot_keep() {
    let weights = array![[1.0_f32, f32::NAN, 3.0]];
    let pattern = |keep, group| Pattern::NM { keep, group };
    assert_eq!(
        pattern(1, 3).mask(weights.view()).unwrap_err(),
        PatternError::NonFinite { index: 1 }
    );
    let weights = array![[1.0_f32, 2.0, 3.0]];
    let wrong = pattern(2, 4).mask(weights.view()).unwrap_err();
    assert_eq!(wrong, PatternError::GroupDoesNotDivide { columns: 3, group: 4 });
    for (keep, group) in [(0, 3), (4, 3), (1, 0), (1, 65)] {
        let wrong = pattern(keep, group).mask(weights.view()).unwrap_err();
        assert_eq!(wrong, PatternError::InvalidGroup { keep, group });
    }
    assert!(matches!(
        half(Scope::Row).with_ignored("(").unwrap_err(),
        PatternError::InvalidExpression { expression } if expression == "("
    ));
    assert!(serde_json::from_str::<Sparsity>("1.5").is_err());
    let mask = pattern(1, 3).mask(weights.view()).unwrap();
    let mut other = array![[1.0_f32], [2.0], [3.0]];
    let wrong = mask.apply(other.view_mut()).unwrap_err();
    assert_eq!(
        wrong,
        PatternError::Shape {
            expected: [1, 3],
            found: [3, 1]
        }
    );
}

#[test]
fn a_failed_run_leaves_nothing_behind() {
    for scope in [Scope::Row, Scope::Tensor, Scope::Global] {
        for format in [Format::Dense, Format::Bitmask] {
            let (folder, input) = folder_with_input(&[1.0, 2.0, f32::INFINITY, 3.0]);
            let output = folder.path().join("out.safetensors");
            let error = prune_checkpoint(&input, &output, &half(scope), format).unwrap_err();
            let source = PatternError::NonFinite { index: 2 };
            assert_eq!(
                error,
                CheckpointError::Pattern {
                    tensor: "w".into(),
                    source
                }
            );
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                1,
                "only the input is there"
            );
        }
    }
}

#[test]
fn the_input_is_never_the_output() {
    let (folder, input) = folder_with_input(&[1.0, 2.0]);
    let before = fs::read(&input).unwrap();
    let same = folder.path().join(".").join("in.safetensors");
    let error = prune_checkpoint(&input, &same, &half(Scope::Row), Format::Dense).unwrap_err();
    assert_eq!(error, CheckpointError::SameFile { path: same });
    assert_eq!(fs::read(&input).unwrap(), before);
}

#[test]
fn hostile_files_are_refused() {
    let (folder, input) = folder_with_input(&[1.0, 2.0]);
    let whole = fs::read(&input).unwrap();
    let damaged = folder.path().join("damaged.safetensors");
    let header = CheckpointError::Header {
        path: damaged.clone(),
    };
    let open = |bytes: &[u8]| {
        fs::write(&damaged, bytes).unwrap();
        Checkpoint::open(&damaged).unwrap_err()
    };
    for cut in 0..whole.len() {
        assert_eq!(open(&whole[..cut]), header, "cut at {cut}");
    }
    assert_eq!(
        open(&[whole.as_slice(), &[0]].concat()),
        header,
        "a byte too many"
    );
    assert_eq!(
        open(&[&u64::MAX.to_le_bytes(), &whole[8..]].concat()),
        header,
        "an endless header"
    );
    let text = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &[0; 8]].concat();
    assert_eq!(
        open(&text(r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#)),
        header
    );
    let huge = format!(
        r#"{{"w":{{"dtype":"F32","shape":[{},9],"data_offsets":[0,8]}}}}"#,
        u64::MAX
    );
    assert_eq!(open(&text(&huge)), header);
    let missing = folder.path().join("missing.safetensors");
    let kind = std::io::ErrorKind::NotFound;
    assert_eq!(
        Checkpoint::open(&missing).unwrap_err(),
        CheckpointError::Io { path: missing, kind }
    );
}

#[test]
fn an_index_must_agree_with_its_shards() {
    let (folder, _) = folder_with_input(&[1.0, 2.0]);
    let path = folder.path().join("model.safetensors.index.json");
    let wrong = CheckpointError::Index { path: path.clone() };
    for map in [
        r#"{"w":"../in.safetensors"}"#,
        r#"{"w":"/in.safetensors"}"#,
        r#"{"w":"in.safetensors","v":"in.safetensors"}"#,
        r#"{"v":"in.safetensors"}"#,
        r#"{"w":3}"#,
    ] {
        fs::write(&path, format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#)).unwrap();
        assert_eq!(Checkpoint::open(&path).unwrap_err(), wrong, "{map}");
    }
    fs::write(&path, r#"{"weight_map":{"w":"in.safetensors"}}"#).unwrap();
    assert_eq!(
        Checkpoint::open(&path).unwrap().matrix("w").unwrap(),
        array![[1.0, 2.0]]
    );
}

#[test]
fn compressed_parts_that_disagree_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let values: Vec<u8> = [1.0_f32].iter().flat_map(|w| w.to_le_bytes()).collect();
    let read = |bits: &[u8], shape: [i64; 2]| {
        let shape: Vec<u8> = shape.iter().flat_map(|n| n.to_le_bytes()).collect();
        let parts = [
            (
                "w.compressed",
                TensorView::new(Dtype::F32, vec![1], &values).unwrap(),
            ),
            (
                "w.bitmask",
                TensorView::new(Dtype::U8, vec![bits.len(), 1], bits).unwrap(),
            ),
            ("w.shape", TensorView::new(Dtype::I64, vec![2], &shape).unwrap()),
        ];
        safetensors::serialize_to_file(parts, None, &path).unwrap();
        Checkpoint::open(&path).unwrap().matrix("w")
    };
    assert_eq!(read(&[0b10], [1, 3]).unwrap(), array![[0.0, 1.0, 0.0]]);
    let wrong = Err(CheckpointError::NotAMatrix { tensor: "w".into() });
    assert_eq!(read(&[0b11], [1, 3]), wrong, "more bits than values");
    assert_eq!(read(&[0b00], [1, 3]), wrong, "fewer bits than values");
    assert_eq!(read(&[0b1000], [1, 3]), wrong, "a bit in the padding");
    assert_eq!(read(&[0b10], [2, 3]), wrong, "too few rows");
    assert_eq!(read(&[0b10], [-1, 3]), wrong, "a negative shape");
    assert_eq!(read(&[0b10], [i64::MAX, 3]), wrong, "an endless shape");
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(
        checkpoint.matrix("x"),
        Err(CheckpointError::NoTensor { tensor: "x".into() })
    );
    assert_eq!(
        checkpoint.matrix("w.shape"),
        Err(CheckpointError::NotAMatrix {
            tensor: "w.shape".into()
        })
    );
}
