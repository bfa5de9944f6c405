//! Splits into pipeline stages against every assignment, and by the definition.

use modelops_allocation::pipeline::{DeviceKind, Layer, StagePlan, chain, graph};
use modelops_allocation::{PipelineError, SolverOptions, Status};
use modelops_testkit::allocation_pipeline::{KindCase, LayerCase, stages_by_trial};
use petgraph::graph::{DiGraph, NodeIndex};
use proptest::prelude::*;

fn layers() -> impl Strategy<Value = (Vec<LayerCase>, Vec<(usize, usize)>)> {
    let time = prop_oneof![9 => (0..20_u64).prop_map(Some), 1 => Just(None)];
    let layer = (
        (time.clone(), time),
        0..6_u64,
        0..5_u64,
        prop::option::weighted(0.3, 0..3_u32),
        prop::bool::weighted(0.25),
    );
    prop::collection::vec(layer, 0..7).prop_flat_map(|layers| {
        let n = layers.len();
        let edges = prop::collection::vec((0..n.max(1), 0..n.max(1)), 0..2 * n + 1);
        let layers: Vec<LayerCase> = layers
            .into_iter()
            .map(|((a, b), memory, output, class, backward)| LayerCase {
                times: vec![a, b],
                memory,
                output,
                class,
                backward,
            })
            .collect();
        let forward: Vec<bool> = layers.iter().map(|layer| !layer.backward).collect();
        // Forward layers come before backward ones, and edges lead onward.
        let edges = edges.prop_map(move |edges| {
            let place = |i: usize| (!forward[i], i);
            edges
                .into_iter()
                .filter(|(a, b)| a != b)
                .map(|(a, b)| if place(a) < place(b) { (a, b) } else { (b, a) })
                .collect()
        });
        (Just(layers), edges)
    })
}

fn kinds() -> impl Strategy<Value = [KindCase; 2]> {
    let gpus = (0..3_u32, 4..24_u64).prop_map(|(count, memory)| (count, memory, true));
    let hosts = (0..2_u32, Just(u64::MAX), any::<bool>());
    (gpus, hosts).prop_map(|(gpus, hosts)| [gpus, hosts])
}

pub(crate) fn model(layers: &[LayerCase], edges: &[(usize, usize)]) -> DiGraph<Layer, ()> {
    let mut model = DiGraph::new();
    for case in layers {
        let mut layer = Layer::new(case.times.clone())
            .with_memory(case.memory)
            .with_output(case.output)
            .with_backward(case.backward);
        if let Some(class) = case.class {
            layer = layer.with_colocation(class);
        }
        model.add_node(layer);
    }
    for (a, b) in edges {
        model.add_edge(NodeIndex::new(*a), NodeIndex::new(*b), ());
    }
    model
}

pub(crate) fn devices(kinds: &[KindCase]) -> Vec<DeviceKind> {
    kinds
        .iter()
        .map(|(count, memory, transfers)| {
            let kind = DeviceKind::new("kind", *count, *memory);
            if *transfers {
                kind
            } else {
                kind.without_transfers()
            }
        })
        .collect()
}

/// Every layer once, no more stages than devices, memory respected, the loads as the definition says.
fn check(plan: &StagePlan, layers: &[LayerCase], edges: &[(usize, usize)], kinds: &[KindCase]) {
    let mut at = vec![usize::MAX; layers.len()];
    for (s, stage) in plan.stages.iter().enumerate() {
        for layer in &stage.layers {
            assert_eq!(
                std::mem::replace(&mut at[*layer], s),
                usize::MAX,
                "a layer in two stages"
            );
        }
        let (_, memory, transfers) = kinds[stage.kind];
        assert_eq!(
            stage.memory,
            stage.layers.iter().map(|i| layers[*i].memory).sum::<u64>()
        );
        assert!(stage.memory <= memory);
        let compute: u64 = stage
            .layers
            .iter()
            .map(|i| layers[*i].times[stage.kind].unwrap())
            .sum();
        assert_eq!(stage.compute, compute);
        let crosses = |i: usize| {
            let inside = |j: &usize| stage.layers.contains(j);
            edges.iter().any(|(a, b)| *a == i && inside(a) != inside(b))
        };
        let moved: u64 = (0..layers.len())
            .filter(|i| crosses(*i))
            .map(|i| layers[i].output)
            .sum();
        assert_eq!(stage.transfer, if transfers { moved } else { 0 });
    }
    assert!(at.iter().all(|s| *s != usize::MAX), "every layer has a stage");
    for (k, (count, ..)) in kinds.iter().enumerate() {
        assert!(plan.stages.iter().filter(|stage| stage.kind == k).count() <= *count as usize);
    }
    for (a, b) in edges {
        assert!(
            layers[*a].backward || layers[*b].backward || at[*a] <= at[*b],
            "a later stage is read"
        );
    }
    assert_eq!(
        plan.max_load,
        plan.stages.iter().map(|s| s.load()).max().unwrap_or(0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn splits_are_the_best((layers, edges) in layers(), kinds in kinds()) {
        let best = stages_by_trial(&layers, &edges, &kinds);
        match graph(&model(&layers, &edges), &devices(&kinds), &SolverOptions::default()) {
            Ok(plan) => {
                check(&plan, &layers, &edges, &kinds);
                prop_assert_eq!((Some(plan.max_load), plan.bound, plan.status), (best, plan.max_load, Status::Optimal));
            }
            Err(error) => {
                let expected = matches!(error, PipelineError::Unplaceable { .. } | PipelineError::Infeasible);
                prop_assert!(expected, "{}", error);
                prop_assert_eq!(best, None);
            }
        }
    }

    /// However early it stops, what it gives is feasible and the bound holds.
    #[test]
    fn limit_is_honest((layers, edges) in layers(), kinds in kinds(), limit in 0..2000_u64) {
        let best = stages_by_trial(&layers, &edges, &kinds);
        match graph(&model(&layers, &edges), &devices(&kinds), &SolverOptions::default().with_max_states(limit)) {
            Ok(plan) => {
                check(&plan, &layers, &edges, &kinds);
                prop_assert!(best.is_some_and(|best| plan.bound <= best && best <= plan.max_load));
                prop_assert!(plan.status == Status::StateLimit || Some(plan.max_load) == best);
            }
            Err(PipelineError::Undecided) => {}
            Err(_) => prop_assert_eq!(best, None),
        }
    }

    /// Twice the times, twice the load; one more device, no larger load; layers in a row are a graph.
    #[test]
    fn scale_devices_and_rows(times in prop::collection::vec((1..50_u64, 0..9_u64), 1..30), count in 1..6_u32) {
        let row = |factor: u64| -> Vec<Layer> {
            times.iter().map(|(t, o)| Layer::new([Some(factor * t)]).with_output(factor * o)).collect()
        };
        let options = SolverOptions::default();
        let split = |factor, count| chain(&row(factor), &[DeviceKind::new("gpu", count, u64::MAX)], &options).unwrap().max_load;
        let once = split(1, count);
        prop_assert_eq!(split(2, count), 2 * once);
        prop_assert!(split(1, count + 1) <= once);
        prop_assert_eq!(split(1, 1), times.iter().map(|(t, _)| t).sum::<u64>());
    }
}

#[test]
fn nothing_one_and_wrong_input() {
    let gpu = DeviceKind::new("gpu", 2, 10);
    let solve = |layers: &[Layer], edges: &[(usize, usize)], kinds: &[DeviceKind]| {
        let mut model: DiGraph<Layer, ()> = DiGraph::new();
        layers.iter().for_each(|layer| {
            model.add_node(layer.clone());
        });
        for (a, b) in edges {
            model.add_edge(NodeIndex::new(*a), NodeIndex::new(*b), ());
        }
        graph(&model, kinds, &SolverOptions::default())
    };
    let one = |time| Layer::new([Some(time)]);
    let plan = solve(&[], &[], &[]).unwrap();
    assert_eq!(
        (plan.stages.len(), plan.max_load, plan.status),
        (0, 0, Status::Optimal)
    );
    let plan = solve(&[one(0)], &[], std::slice::from_ref(&gpu)).unwrap();
    assert_eq!((plan.stages.len(), plan.max_load), (1, 0));
    assert_eq!(
        solve(&[one(3)], &[], &[]),
        Err(PipelineError::Times {
            layer: 0,
            times: 1,
            kinds: 0
        })
    );
    let gpus = std::slice::from_ref(&gpu);
    let circle = solve(&[one(1), one(1)], &[(0, 1), (1, 0)], gpus);
    assert!(matches!(circle, Err(PipelineError::Cycle { .. })));
    assert!(matches!(
        solve(&[one(1)], &[(0, 0)], gpus),
        Err(PipelineError::Cycle { layer: 0 })
    ));
    assert_eq!(
        solve(&[one(1).with_memory(11)], &[], gpus),
        Err(PipelineError::Unplaceable { layer: 0 })
    );
    assert_eq!(
        solve(&[one(1), Layer::new([None])], &[], gpus),
        Err(PipelineError::Unplaceable { layer: 1 })
    );
    assert_eq!(
        solve(&vec![one(1).with_memory(7); 3], &[], gpus),
        Err(PipelineError::Infeasible)
    );
    assert_eq!(
        solve(&[one(1 << 61)], &[], gpus),
        Err(PipelineError::Overflow { what: "times" })
    );
    assert_eq!(
        solve(&[one(1).with_backward(true), one(1)], &[(0, 1)], gpus),
        Err(PipelineError::BackwardFeedsForward { from: 0, to: 1 })
    );
    // Parallel edges are one; a class that closes a circle is one piece.
    let layers =
        [one(2).with_colocation(7), one(2), one(2).with_colocation(7)].map(|layer| layer.with_output(1));
    let plan = solve(&layers, &[(0, 1), (0, 1), (1, 2)], gpus).unwrap();
    assert_eq!((plan.stages.len(), plan.max_load), (1, 6));
}

/// Forty layers side by side have 2⁴⁰ prefixes: it stops, and what it says is true.
#[test]
fn a_graph_with_too_many_prefixes_ends_with_a_valid_bound() {
    let mut model: DiGraph<Layer, ()> = DiGraph::new();
    for i in 0..40 {
        model.add_node(Layer::new([Some(100 + i % 7)]).with_output(1));
    }
    let kinds = [DeviceKind::new("gpu", 4, u64::MAX)];
    let plan = graph(&model, &kinds, &SolverOptions::default().with_max_states(1 << 20)).unwrap();
    let total: u64 = plan.stages.iter().map(|s| s.compute).sum();
    assert_eq!(plan.status, Status::StateLimit);
    assert!(plan.bound >= total.div_ceil(4) && plan.bound <= plan.max_load && plan.max_load <= total / 2);
    // More devices than layers, and more uses than can be tabulated.
    let crowd: Vec<DeviceKind> = (0..9)
        .map(|_| DeviceKind::new("gpu", u32::MAX, u64::MAX))
        .collect();
    let mut model: DiGraph<Layer, ()> = DiGraph::new();
    (0..40).for_each(|_| {
        model.add_node(Layer::new(vec![Some(1); 9]));
    });
    let end = graph(&model, &crowd, &SolverOptions::default());
    assert_eq!(end, Err(PipelineError::Undecided));
}

/// Without transfers, two thousand layers in a row are split as the textbook's table splits them.
#[test]
fn a_long_row_is_split_as_by_the_table() {
    let times: Vec<u64> = (0..2000_u64).map(|i| 1 + i * i % 97).collect();
    let layers: Vec<Layer> = times.iter().map(|t| Layer::new([Some(*t)])).collect();
    let plan = chain(
        &layers,
        &[DeviceKind::new("gpu", 16, u64::MAX)],
        &SolverOptions::default(),
    )
    .unwrap();
    // The least limit that a greedy filling keeps with sixteen stages.
    let stages = |limit: u64| {
        let (mut count, mut load) = (1, 0);
        for time in &times {
            if load + time > limit {
                (count, load) = (count + 1, 0);
            }
            load += time;
        }
        count
    };
    let least = (97..).find(|limit| stages(*limit) <= 16).unwrap();
    assert_eq!((plan.max_load, plan.status), (least, Status::Optimal));
}

/// Long rows, wide memories and times at the limit under few and endless states: an error or a plan whose bound holds.
#[test]
fn large_and_extreme_rows_end() {
    let few = SolverOptions::default().with_max_states(1 << 12);
    let layers: Vec<Layer> = (0..50_000_u64)
        .map(|i| Layer::new([Some(1 + i % 13), Some(1 + i % 7)]).with_output(i % 3))
        .collect();
    let kinds = [
        DeviceKind::new("gpu", 3, u64::MAX),
        DeviceKind::new("host", 2, u64::MAX),
    ];
    match chain(&layers, &kinds, &few) {
        Ok(plan) => {
            assert!(plan.bound <= plan.max_load);
            assert_eq!(
                plan.stages.iter().map(|stage| stage.layers.len()).sum::<usize>(),
                layers.len()
            );
        }
        Err(error) => assert_eq!(error, PipelineError::Undecided),
    }
    // Memory whose sum passes 64 bits, on devices that have all of it.
    let wide = vec![Layer::new([Some(1)]).with_memory(u64::MAX / 2); 4];
    let roomy = [DeviceKind::new("gpu", 4, u64::MAX)];
    match chain(&wide, &roomy, &SolverOptions::default()) {
        Ok(plan) => assert!(plan.stages.iter().all(|stage| stage.layers.len() <= 2)),
        Err(error) => assert_eq!(error, PipelineError::Overflow { what: "memory" }),
    }
    // A kind of which there is no device.
    let one = [Layer::new([Some(1)])];
    let none = chain(
        &one,
        &[DeviceKind::new("gpu", 0, u64::MAX)],
        &SolverOptions::default(),
    );
    assert!(matches!(
        none,
        Err(PipelineError::Unplaceable { .. } | PipelineError::Infeasible)
    ));
    let endless = SolverOptions::default().with_max_states(u64::MAX);
    assert_eq!(chain(&one, &roomy, &endless).unwrap().max_load, 1);
}
