//! The exact solvers against tables and trial.

use modelops_allocation::{
    Copies, DivisionMethod, Item, SolverOptions, Status, bounded_knapsack, choose_variants, divide, knapsack,
};
use modelops_testkit::allocation::{
    CHOICE_FAMILIES, KNAPSACK_FAMILIES, Pair, choice_by_table, choice_instance, division_by_trial,
    knapsack_by_table, knapsack_instance,
};
use proptest::prelude::*;

pub(crate) fn items(pairs: &[Pair]) -> Vec<Item> {
    pairs
        .iter()
        .map(|(value, weight)| Item::new(*value, *weight))
        .collect()
}

fn pairs(most: u64, count: usize) -> impl Strategy<Value = Vec<Pair>> {
    prop::collection::vec((0..most, 0..most), 0..count)
}

fn check_knapsack(pairs: &[Pair], capacity: u64, options: &SolverOptions) -> (u64, u64, Status) {
    let got = knapsack(&items(pairs), capacity, options).unwrap();
    assert!(got.chosen.is_sorted_by(|a, b| a < b));
    assert_eq!(got.chosen.iter().map(|i| pairs[*i].0).sum::<u64>(), got.value);
    assert_eq!(got.chosen.iter().map(|i| pairs[*i].1).sum::<u64>(), got.weight);
    assert!(got.weight <= capacity && got.value <= got.bound);
    (got.value, got.bound, got.status)
}

proptest! {
    #[test]
    fn knapsack_is_exact(pairs in pairs(40, 14), capacity in 0..200_u64) {
        let (value, bound, status) = check_knapsack(&pairs, capacity, &SolverOptions::default());
        prop_assert_eq!(value, knapsack_by_table(&pairs, capacity));
        prop_assert_eq!((bound, status), (value, Status::Optimal));
    }

    /// Twice the greedy, improved by the best single item, is at least the best.
    #[test]
    fn best_is_at_most_twice_the_greedy(pairs in pairs(100, 20), capacity in 1..300_u64) {
        let mut order: Vec<Pair> = pairs.iter().copied().filter(|(_, w)| *w <= capacity).collect();
        order.sort_by(|a, b| (b.0 * a.1).cmp(&(a.0 * b.1)));
        let (mut left, mut greedy) = (capacity, 0);
        for (value, weight) in &order {
            if *weight <= left {
                left -= weight;
                greedy += value;
            }
        }
        let single = order.iter().map(|(value, _)| *value).max().unwrap_or(0);
        let (best, ..) = check_knapsack(&pairs, capacity, &SolverOptions::default());
        prop_assert!(greedy <= best && best <= 2 * greedy.max(single));
    }

    /// However early it stops, the answer is feasible and the bound holds.
    #[test]
    fn knapsack_limit_is_honest(pairs in pairs(60, 30), capacity in 0..400_u64, limit in 0..60_u64) {
        let (value, bound, status) = check_knapsack(&pairs, capacity, &SolverOptions::default().with_max_states(limit));
        let best = knapsack_by_table(&pairs, capacity);
        prop_assert!(value <= best && best <= bound);
        prop_assert!(status != Status::Optimal || value == best);
    }

    #[test]
    fn copies_are_items(kinds in prop::collection::vec((0..20_u64, 0..20_u64, 0..6_u64), 0..6), capacity in 0..120_u64) {
        let copies: Vec<Copies> = kinds.iter()
            .map(|(value, weight, copies)| Copies { item: Item::new(*value, *weight), copies: *copies }).collect();
        let single: Vec<Pair> = kinds.iter()
            .flat_map(|(value, weight, copies)| std::iter::repeat_n((*value, *weight), *copies as usize)).collect();
        let got = bounded_knapsack(&copies, capacity, &SolverOptions::default()).unwrap();
        prop_assert_eq!(got.value, knapsack_by_table(&single, capacity));
        for (count, kind) in got.counts.iter().zip(&copies) {
            prop_assert!(*count <= kind.copies);
        }
    }

    #[test]
    fn variants_are_exact(classes in prop::collection::vec(prop::collection::vec((0..30_u64, 0..30_u64), 1..6), 0..8), budget in 0..160_u64) {
        let items: Vec<Vec<Item>> = classes.iter().map(|class| items(class)).collect();
        let best = choice_by_table(&classes, budget);
        match choose_variants(&items, budget, &SolverOptions::default()) {
            Ok(plan) => {
                prop_assert_eq!(Some(plan.value), best);
                prop_assert!(plan.weight <= budget && plan.status == Status::Optimal);
                let value: u64 = plan.chosen.iter().zip(&classes).map(|(j, class)| class[*j].0).sum();
                prop_assert_eq!(plan.value, value);
            }
            Err(_) => prop_assert_eq!(best, None),
        }
    }

    /// Values that are weights plus multiples of a step, where the bound falls to the next multiple.
    #[test]
    fn variants_in_steps_are_exact(steps in prop::collection::vec(prop::collection::vec(0..25_u64, 1..5), 0..7), step in 1..9_u64, budget in 0..260_u64, scrambled in any::<bool>()) {
        let classes: Vec<Vec<Pair>> = steps.iter().map(|weights| {
            let mut sum = 0;
            (1..).zip(weights).map(|(j, w)| {
                sum += w;
                (sum + step * if scrambled { w % 3 } else { j }, sum)
            }).collect()
        }).collect();
        let items: Vec<Vec<Item>> = classes.iter().map(|class| items(class)).collect();
        let plan = choose_variants(&items, budget, &SolverOptions::default());
        let best = choice_by_table(&classes, budget);
        prop_assert_eq!(plan.as_ref().ok().map(|plan| plan.value), best);
        prop_assert!(plan.is_err() || plan.is_ok_and(|plan| plan.status == Status::Optimal && plan.bound == plan.value));
    }

    #[test]
    fn variants_limit_is_honest(classes in prop::collection::vec(prop::collection::vec((0..30_u64, 0..30_u64), 1..6), 1..8), limit in 0..40_u64) {
        let items: Vec<Vec<Item>> = classes.iter().map(|class| items(class)).collect();
        let budget = 120;
        if let Ok(plan) = choose_variants(&items, budget, &SolverOptions::default().with_max_states(limit)) {
            let best = choice_by_table(&classes, budget).unwrap();
            prop_assert!(plan.weight <= budget && plan.value <= best && best <= plan.bound);
        }
    }

    #[test]
    fn divisions_are_exact(tables in prop::collection::vec(prop::collection::vec(0..50_u64, 1..7), 0..4), units in 0..10_usize) {
        let got = divide(&tables, units).unwrap();
        prop_assert_eq!(got.value, division_by_trial(&tables, units));
        prop_assert!(got.units.iter().sum::<usize>() <= units);
    }

    /// On concave tables the marginal greedy and the dynamic programme agree.
    #[test]
    fn greedy_and_bellman_agree_on_concave(gains in prop::collection::vec(prop::collection::vec(0..50_u64, 0..6), 1..5), units in 0..12_usize) {
        let tables: Vec<Vec<u64>> = gains.into_iter().map(|mut gains| {
            gains.sort_unstable_by(|a, b| b.cmp(a));
            std::iter::once(0).chain(gains.iter().scan(0, |sum, gain| { *sum += gain; Some(*sum) })).collect()
        }).collect();
        let marginal = divide(&tables, units).unwrap();
        prop_assert_eq!(marginal.method, DivisionMethod::Marginal);
        // One more table that is not concave but never worth a unit turns the method to Bellman's.
        let mut with_bump = tables;
        with_bump.push(vec![3, 0, 0, 3]);
        let bellman = divide(&with_bump, units).unwrap();
        prop_assert_eq!(bellman.method, DivisionMethod::Bellman);
        prop_assert_eq!(bellman.value, marginal.value + 3);
    }
}

#[test]
fn knapsack_families_match_the_table() {
    for family in KNAPSACK_FAMILIES {
        for seed in 0..40 {
            let (pairs, capacity) = knapsack_instance(family, 30 + 5 * seed as usize, 100, seed);
            if family == "similar" {
                continue; // its capacity is millions: too slow a table
            }
            let (value, _, status) = check_knapsack(&pairs, capacity, &SolverOptions::default());
            assert_eq!(
                (value, status),
                (knapsack_by_table(&pairs, capacity), Status::Optimal),
                "{family}"
            );
        }
    }
}

#[test]
fn choice_families_match_the_table() {
    for family in CHOICE_FAMILIES {
        let (classes, budget) = choice_instance(family, 12, 5, 100, 3);
        if family == "memory" {
            continue; // its budget is hundreds of thousands: too slow a table
        }
        let items: Vec<Vec<Item>> = classes.iter().map(|class| items(class)).collect();
        let plan = choose_variants(&items, budget, &SolverOptions::default()).unwrap();
        assert_eq!(Some(plan.value), choice_by_table(&classes, budget), "{family}");
    }
}

/// Small and large families at once: nothing, all, one, equals, and coefficients at the limit of the sums.
#[test]
fn knapsacks_at_the_edges() {
    let options = SolverOptions::default();
    for capacity in [0, 1, 6, u64::MAX] {
        assert_eq!(check_knapsack(&[], capacity, &options).0, 0);
        let one = check_knapsack(&[(9, 6)], capacity, &options).0;
        assert_eq!(one, if capacity >= 6 { 9 } else { 0 });
    }
    // Weightless items are taken without any capacity, worthless ones are not.
    assert_eq!(check_knapsack(&[(5, 0), (0, 0), (7, 1)], 0, &options).0, 5);
    let equal = vec![(3, 4); 1001];
    assert_eq!(
        check_knapsack(&equal, 2003, &options),
        (1500, 1500, Status::Optimal)
    );
    let large = 1 << 60;
    for pairs in [
        [(large, large), (large - 1, large - 1), (large + 1, large + 1)],
        [(large, 1), (1, large), (large - 1, large - 1)],
        [(1, 1), (large, large), (2 * large - 2, 2 * large - 2)],
    ] {
        for capacity in [1, large - 1, large, 2 * large - 1, 2 * large, u64::MAX] {
            let best = (0..8_u32)
                .map(|set| (0..3).filter(move |i| set >> i & 1 == 1).map(|i| pairs[i]))
                .filter(|chosen| chosen.clone().map(|(_, weight)| weight).sum::<u64>() <= capacity)
                .map(|chosen| chosen.map(|(value, _)| value).sum::<u64>())
                .max();
            let (value, _, status) = check_knapsack(&pairs, capacity, &options);
            assert_eq!((Some(value), status), (best, Status::Optimal));
        }
    }
    let beyond = [(1 << 61, 1), (1 << 61, 1)];
    assert!(knapsack(&items(&beyond), 1, &options).is_err());
}

/// A million items of the hardest kind under a small limit: an answer close below its bound, not a hang.
#[test]
fn a_million_items_end_at_the_limit() {
    for family in ["strongly", "almost", "similar"] {
        // Coefficients of a hundred million leave no exact filling to be found by chance.
        let (pairs, capacity) = knapsack_instance(family, 1_000_000, 100_000_000, 3);
        let options = SolverOptions::default().with_max_states(1 << 16);
        let (value, bound, _) = check_knapsack(&pairs, capacity, &options);
        assert!(
            (bound - value) as f64 <= 1e-6 * bound as f64,
            "{family}: {value} {bound}"
        );
    }
    let (classes, budget) = choice_instance("weakly", 100_000, 10, 1_000_000, 3);
    let items: Vec<Vec<Item>> = classes.iter().map(|class| items(class)).collect();
    let plan = choose_variants(&items, budget, &SolverOptions::default().with_max_states(1 << 16)).unwrap();
    assert!(plan.weight <= budget && plan.value <= plan.bound);
    assert!((plan.bound - plan.value) as f64 <= 1e-6 * plan.bound as f64);
}

/// Every family at ten thousand items, three seeds: proven within a hundredth of the limit of states.
#[test]
fn large_families_are_proven() {
    for family in KNAPSACK_FAMILIES {
        for seed in 1..4 {
            let (pairs, capacity) = knapsack_instance(family, 10_000, 10_000, seed);
            let options = SolverOptions::default().with_max_states(1 << 19);
            let (.., status) = check_knapsack(&pairs, capacity, &options);
            assert_eq!(status, Status::Optimal, "{family} {seed}");
        }
    }
    for family in CHOICE_FAMILIES {
        let (classes, budget) = choice_instance(family, 10_000, 10, 1_000, 1);
        let items: Vec<Vec<Item>> = classes.iter().map(|class| items(class)).collect();
        let plan = choose_variants(&items, budget, &SolverOptions::default()).unwrap();
        assert_eq!(plan.status, Status::Optimal, "{family}");
    }
}
