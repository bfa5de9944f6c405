//! Values that other programs gave; tests/data/README.md says which, and how.

use modelops_pruning::features::{Chi2, FClassif, FRegression, MutualInfo, Samples, ScoreFunction, Target};
use modelops_pruning::graph::{Cascade, NodePruner, Threshold, backbone, core_numbers};
use modelops_testkit::pruning::congruential;
use modelops_testkit::tolerance::{F_UNDER_OFFSET, PRINTED_STATISTIC, REORDERED_SUM, close, close_relative};
use ndarray::Array2;
use petgraph::graph::UnGraph;

fn graph(text: &str) -> UnGraph<(), f64> {
    UnGraph::from_edges(text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let (a, b): (u32, u32) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
        (a, b, fields[2].parse::<f64>().unwrap())
    }))
}

fn karate() -> UnGraph<(), f64> {
    graph(include_str!("../data/karate.csv"))
}

fn miserables() -> UnGraph<(), f64> {
    graph(include_str!("../data/lesmis.csv"))
}

#[test]
fn node_pruning_agrees_with_networkx() {
    let davis = graph(include_str!("../data/davis.csv"));
    // (graph, threshold, snapshot nodes and edges, fixpoint nodes, edges and rounds)
    for (graph, threshold, snapshot, fixpoint) in [
        (karate(), 10.0, (17, 41), (14, 35, 2)),
        (karate(), 15.0, (10, 22), (0, 0, 4)),
        (miserables(), 10.0, (43, 194), (42, 192, 2)),
        (miserables(), 20.0, (28, 115), (22, 89, 3)),
        (davis, 6.0, (14, 32), (0, 0, 3)),
    ] {
        let pruner = NodePruner::new(Threshold::Below(threshold));
        let once = pruner.prune(&graph, |w| *w).unwrap();
        assert_eq!((once.graph().node_count(), once.graph().edge_count()), snapshot);
        let last = pruner
            .with_cascade(Cascade::Fixpoint)
            .prune(&graph, |w| *w)
            .unwrap();
        let found = (
            last.graph().node_count(),
            last.graph().edge_count(),
            last.plan().rounds(),
        );
        assert_eq!(found, fixpoint);
    }
}

#[test]
fn core_numbers_agree_with_networkx() {
    let cores = core_numbers(&karate());
    assert_eq!((cores.iter().sum::<usize>(), cores.iter().max()), (99, Some(&4)));
    assert_eq!(cores[..12], [4, 4, 4, 4, 3, 3, 3, 4, 4, 2, 3, 1]);
    let cores = core_numbers(&miserables());
    assert_eq!((cores[10], cores[48], cores[67], cores[76]), (8, 9, 1, 7));
}

#[test]
fn disparity_agrees_with_its_definition_in_python() {
    for (graph, levels, sum) in [
        (
            miserables(),
            vec![(0.05, 9), (0.1, 21), (0.2, 47), (0.5, 162)],
            103.205944964637,
        ),
        (karate(), vec![(0.2, 4), (0.3, 18), (0.5, 61)], 30.561745159386),
    ] {
        let alpha = backbone::disparity(&graph, |w| *w).unwrap();
        for (level, kept) in levels {
            assert_eq!(alpha.iter().filter(|a| **a < level).count(), kept, "{level}");
        }
        assert!(close(alpha.iter().sum(), sum, REORDERED_SUM));
    }
}

#[test]
fn disparity_agrees_with_networkit_on_its_own_test() {
    // Scores there are 1 − α of this star with two more edges.
    let edges = [
        (0, 1, 1.0),
        (0, 2, 5.0),
        (0, 3, 10.0),
        (0, 4, 20.0),
        (4, 5, 1.0),
        (3, 5, 0.5),
    ];
    let alpha = backbone::disparity(&UnGraph::<(), f64>::from_edges(edges), |w| *w).unwrap();
    let kept = |level: f64| (0..6).filter(|e| 1.0 - alpha[*e] >= level).collect::<Vec<_>>();
    assert_eq!(kept(0.5), [2, 3, 4]);
    assert_eq!(kept(0.7), [2, 3]);
}

fn all_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            close_relative(*found, *expected, tolerance),
            "{found} for {expected}"
        );
    }
}

pub(crate) fn iris() -> (Array2<f64>, Vec<usize>) {
    let rows: Vec<Vec<f64>> = include_str!("../data/iris.csv")
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|field| field.parse().unwrap()).collect())
        .collect();
    let x = Array2::from_shape_fn((rows.len(), 4), |(i, j)| rows[i][j]);
    (x, rows.iter().map(|row| row[4] as usize).collect())
}

#[test]
fn iris_scores_agree_with_scikit_learn() {
    let (x, y) = iris();
    let samples = Samples::all(x.view(), Target::Classes(&y)).unwrap();
    let f = FClassif.score(&samples).unwrap();
    let expected = [
        119.26450218449871,
        49.16004008961098,
        1180.1611822529776,
        960.0071468018025,
    ];
    all_close(f.statistics(), &expected, PRINTED_STATISTIC);
    let p = [
        1.6696691907731882e-31,
        4.492017133312052e-17,
        2.85677661096213e-91,
        4.169445839445089e-85,
    ];
    all_close(f.ln_p_values().unwrap(), &p.map(f64::ln), PRINTED_STATISTIC);
    let chi2 = Chi2.score(&samples).unwrap();
    let expected = [
        10.817820878494002,
        3.7107283035324965,
        116.31261309207025,
        67.04836020011118,
    ];
    all_close(chi2.statistics(), &expected, PRINTED_STATISTIC);
}

/// Subtracting the offset again is exact, so that small numbers give what large ones must give.
#[test]
fn f_does_not_lose_digits_to_an_offset() {
    let (x, y) = iris();
    let values: Vec<f64> = y.iter().map(|y| *y as f64).collect();
    for offset in [1e4, 1e6, 1e8] {
        let far = x.mapv(|x| x + offset);
        let near = far.mapv(|x| x - offset);
        let scores = |x: &Array2<f64>| {
            let classes = Samples::all(x.view(), Target::Classes(&y)).unwrap();
            let line = Samples::all(x.view(), Target::Values(&values)).unwrap();
            (
                FClassif.score(&classes).unwrap(),
                FRegression.score(&line).unwrap(),
            )
        };
        let (far, near) = (scores(&far), scores(&near));
        all_close(far.0.statistics(), near.0.statistics(), F_UNDER_OFFSET);
        all_close(far.1.statistics(), near.1.statistics(), F_UNDER_OFFSET);
    }
}

fn generated() -> (Array2<f64>, Vec<f64>, Vec<usize>) {
    let mut x = Array2::from_shape_vec((200, 3), congruential(600, 7)).unwrap();
    let noise = congruential(200, 8);
    let y: Vec<f64> = (0..200).map(|i| x[[i, 0]] + 0.5 * noise[i]).collect();
    for i in 0..200 {
        x[[i, 2]] = (x[[i, 1]] * y[i]).abs();
    }
    let classes = y
        .iter()
        .map(|y| usize::from(*y > 0.0) + usize::from(*y > 0.6))
        .collect();
    (x, y, classes)
}

#[test]
fn generated_scores_agree_with_scikit_learn() {
    let (x, y, classes) = generated();
    let of_classes = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
    let of_values = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let check = |score: &dyn ScoreFunction, samples: &Samples<'_>, expected: [f64; 3]| {
        all_close(
            score.score(samples).unwrap().statistics(),
            &expected,
            PRINTED_STATISTIC,
        );
    };
    check(
        &FClassif,
        &of_classes,
        [182.22222153123778, 0.9320197116896787, 14.30597801349593],
    );
    check(
        &FRegression,
        &of_values,
        [678.2057842492309, 0.16837458799743074, 10.070580905917781],
    );
    let three = MutualInfo::default();
    check(
        &three,
        &of_classes,
        [0.4860169754347383, 0.0, 0.07152464206056908],
    );
    check(
        &three,
        &of_values,
        [0.7679442115280026, 0.013852916149901695, 0.5743912150137871],
    );
    let five = MutualInfo::default().with_neighbors(5);
    check(
        &five,
        &of_classes,
        [0.481171167478570_4, 0.006938296253973686, 0.08284070495144658],
    );
    check(
        &five,
        &of_values,
        [0.7507556251827121, 0.02874166817278434, 0.5088324704155474],
    );

    let counts = x.mapv(|x| (10.0 * x.abs()).floor());
    let counts = Samples::all(counts.view(), Target::Classes(&classes)).unwrap();
    check(
        &Chi2,
        &counts,
        [54.89295904680522, 2.055351174855108, 57.823726061577716],
    );
    let codes = x.mapv(|x| (4.0 * x).floor());
    let discrete = MutualInfo::default().with_discrete(vec![true; 3]);
    let of_classes = Samples::all(codes.view(), Target::Classes(&classes)).unwrap();
    check(
        &discrete,
        &of_classes,
        [0.51439699905859, 0.04159125205209463, 0.10827039261111847],
    );
    let of_values = Samples::all(codes.view(), Target::Values(&y)).unwrap();
    // The third by NumPy over all pairs: scikit-learn's varies in the fourth digit with the seed of its noise.
    check(
        &discrete,
        &of_values,
        [0.7267463656317563, 0.0, 0.3316405122105708],
    );
}

/// A constant against a rare class: an estimator that breaks ties with noise reports more than the entropy here.
#[test]
fn a_constant_tells_nothing() {
    let classes: Vec<usize> = (0..100_000).map(|i| usize::from(i < 10)).collect();
    let x = Array2::from_elem((100_000, 1), 3.25);
    let samples = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
    assert_eq!(MutualInfo::default().score(&samples).unwrap().statistics(), [0.0]);
    let f = FClassif.score(&samples).unwrap();
    assert_eq!(
        (f.statistics(), f.ln_p_values().unwrap()),
        ([0.0].as_slice(), [0.0].as_slice())
    );
}
