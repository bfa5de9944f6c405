//! Quotas in trees of cohorts: the rules by a second reading, the fairness of the division, and the division unit by unit.

use modelops_allocation::{Cohort, FairnessError, QuotaShare, QuotaStop, divide_quota};
use num_bigint::BigUint;
use proptest::prelude::*;

use crate::fairness::parts;

/// The plain data of a tree, read apart from the library.
#[derive(Clone, Debug)]
struct Tree {
    nominal: u64,
    demand: u64,
    weight: u64,
    borrow: Option<u64>,
    lend: Option<u64>,
    members: Vec<Tree>,
}

impl Tree {
    fn build(&self, name: &str) -> Cohort {
        let mut cohort = if self.members.is_empty() {
            Cohort::queue(name, self.nominal, self.demand)
        } else {
            let members = self.members.iter().enumerate();
            Cohort::group(
                name,
                members.map(|(i, m)| m.build(&format!("{name}{i}"))).collect(),
            )
            .with_nominal(self.nominal)
        };
        cohort = cohort.with_weight(self.weight);
        if let Some(most) = self.borrow {
            cohort = cohort.with_borrowing_limit(most);
        }
        match self.lend {
            Some(most) => cohort.with_lending_limit(most),
            None => cohort,
        }
    }

    fn quota(&self) -> u64 {
        self.nominal + self.members.iter().map(Tree::lent).sum::<u64>()
    }

    fn lent(&self) -> u64 {
        self.quota().min(self.lend.unwrap_or(u64::MAX))
    }

    fn leaves(&self) -> Vec<&Tree> {
        if self.members.is_empty() {
            return vec![self];
        }
        self.members.iter().flat_map(Tree::leaves).collect()
    }

    /// What the subtree uses, counted where it draws from its parent; `None` where a limit is broken.
    fn usage(&self, queues: &mut impl Iterator<Item = f64>) -> Option<f64> {
        let used = if self.members.is_empty() {
            queues.next()?
        } else {
            let mut sum = 0.0;
            for member in &self.members {
                let kept = (member.quota() - member.lent()) as f64;
                sum += (member.usage(queues)? - kept).max(0.0);
            }
            sum
        };
        let most = self
            .borrow
            .map_or(f64::INFINITY, |limit| (self.quota() + limit) as f64);
        (used <= most + 1e-9).then_some(used)
    }

    /// Whether these amounts obey every rule.
    fn allows(&self, amounts: &[f64]) -> bool {
        let within = self
            .leaves()
            .iter()
            .zip(amounts)
            .all(|(leaf, a)| *a <= leaf.demand as f64 + 1e-9);
        let root = Tree {
            borrow: Some(0),
            ..self.clone()
        };
        within && root.usage(&mut amounts.iter().copied()).is_some()
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let limits = || prop::option::weighted(0.4, 0..12_u64);
    let leaf = (0..10_u64, 0..25_u64, 1..4_u64, limits(), limits()).prop_map(
        |(nominal, demand, weight, borrow, lend)| Tree {
            nominal,
            demand,
            weight,
            borrow,
            lend,
            members: Vec::new(),
        },
    );
    leaf.prop_recursive(3, 12, 4, move |inner| {
        (
            prop::collection::vec(inner, 1..4),
            0..6_u64,
            1..4_u64,
            limits(),
            limits(),
        )
            .prop_map(|(members, nominal, weight, borrow, lend)| Tree {
                nominal,
                demand: 0,
                weight,
                borrow,
                lend,
                members,
            })
    })
}

fn amounts(shares: &[QuotaShare]) -> Vec<f64> {
    shares.iter().map(|share| share.amount.to_f64()).collect()
}

/// One unit at a time, each to the member of every cohort on the way down that has drawn least beyond what it lends, by weight;
/// own quota first. The slow way to the same division, up to whole units.
fn unit_by_unit(tree: &Tree, unit: f64) -> Vec<f64> {
    let count = tree.leaves().len();
    let mut amounts = vec![0.0; count];
    loop {
        // Every leaf that may take one more unit; the best by the levels from the root down.
        let mut best: Option<(Vec<(f64, f64)>, usize)> = None;
        for i in 0..count {
            amounts[i] += unit;
            if tree.allows(&amounts) {
                let mut key = Vec::new();
                levels(tree, i, &amounts, &mut key);
                if best
                    .as_ref()
                    .is_none_or(|(least, _)| key.partial_cmp(least) == Some(std::cmp::Ordering::Less))
                {
                    best = Some((key, i));
                }
            }
            amounts[i] -= unit;
        }
        match best {
            Some((_, i)) => amounts[i] += unit,
            None => return amounts,
        }
    }
}

/// By level from the root: what the member with leaf `i` borrows by weight, and what it draws.
fn levels(tree: &Tree, i: usize, amounts: &[f64], key: &mut Vec<(f64, f64)>) {
    let mut from = 0;
    for member in &tree.members {
        let count = member.leaves().len();
        if (from..from + count).contains(&i) {
            let own = &amounts[from..from + count];
            let free = Tree {
                borrow: None,
                ..member.clone()
            };
            let used = free.usage(&mut own.iter().copied()).unwrap_or(f64::INFINITY);
            let beyond = (used - member.quota() as f64).max(0.0);
            key.push((beyond / member.weight as f64, 0.0));
            levels(member, i - from, own, key);
            return;
        }
        from += count;
    }
}

proptest! {
    #[test]
    fn quotas_are_kept_and_used_up(tree in trees()) {
        let shares = divide_quota(&tree.build("r")).unwrap();
        let got = amounts(&shares);
        let leaves = tree.leaves();
        prop_assert_eq!(leaves.len(), shares.len());
        prop_assert!(tree.allows(&got), "{:?}", got);
        for (i, (leaf, share)) in leaves.iter().zip(&shares).enumerate() {
            // Its own quota, or all that it asks for.
            prop_assert!(got[i] + 1e-9 >= leaf.nominal.min(leaf.demand) as f64);
            let borrowed = (got[i] - leaf.nominal as f64).max(0.0);
            prop_assert!((share.borrowed.to_f64() - borrowed).abs() < 1e-9);
            prop_assert_eq!(share.stop == QuotaStop::Satisfied, got[i] == leaf.demand as f64);
            // Nobody can have more while nobody else has less.
            let mut more = got.clone();
            more[i] += 1e-6;
            prop_assert!(!tree.allows(&more), "{} of {:?}", i, got);
        }
    }

    #[test]
    fn the_division_is_that_of_unit_by_unit(tree in trees()) {
        let got = amounts(&divide_quota(&tree.build("r")).unwrap());
        let slow = unit_by_unit(&tree, 0.5);
        // A unit may go to one or the other in every cohort.
        let slack = 0.5 * 2.0 * got.len() as f64;
        for (a, b) in got.iter().zip(&slow) {
            prop_assert!((a - b).abs() <= slack, "{:?} {:?}", got, slow);
        }
    }

    #[test]
    fn asking_for_more_brings_no_more_of_what_is_needed(tree in trees(), more in 1..30_u64) {
        let honest = amounts(&divide_quota(&tree.build("r")).unwrap());
        for i in 0..honest.len() {
            let mut lying = tree.clone();
            let mut at = i;
            let demand = leaf_mut(&mut lying, &mut at).map(|leaf| {
                let needed = leaf.demand as f64;
                leaf.demand += more;
                needed
            });
            let got = amounts(&divide_quota(&lying.build("r")).unwrap());
            prop_assert!(got[i].min(demand.unwrap()) <= honest[i] + 1e-9);
        }
    }
}

fn leaf_mut<'a>(tree: &'a mut Tree, at: &mut usize) -> Option<&'a mut Tree> {
    if tree.members.is_empty() {
        if *at == 0 {
            return Some(tree);
        }
        *at -= 1;
        return None;
    }
    tree.members.iter_mut().find_map(|member| leaf_mut(member, at))
}

#[test]
fn cohorts_of_cohorts_lend_by_level() {
    // 6 idle in east go first to east's own, then by weight over the border, which limits west to 2.
    let tree = Cohort::group(
        "all",
        vec![
            Cohort::group("east", vec![Cohort::queue("a", 10, 4), Cohort::queue("b", 2, 5)]),
            Cohort::group("west", vec![Cohort::queue("c", 1, 9), Cohort::queue("d", 1, 9)])
                .with_borrowing_limit(2),
        ],
    );
    let shares = divide_quota(&tree).unwrap();
    let got: Vec<String> = shares.iter().map(|share| share.amount.to_string()).collect();
    assert_eq!(got, ["4", "5", "2", "2"]);
    let west = QuotaStop::BorrowingLimit {
        of: "west".to_owned(),
    };
    assert_eq!((&shares[1].stop, &shares[2].stop), (&QuotaStop::Satisfied, &west));
    // Thirds stay exact.
    let thirds = Cohort::group(
        "all",
        (0..3).map(|i| Cohort::queue(format!("q{i}"), 0, 9)).collect(),
    )
    .with_nominal(1);
    assert!(
        divide_quota(&thirds)
            .unwrap()
            .iter()
            .all(|share| share.amount.to_string() == "1/3")
    );
}

#[test]
fn bad_trees_are_refused_and_large_ones_are_exact() {
    let twice = Cohort::group("a", vec![Cohort::queue("a", 1, 1)]);
    assert_eq!(
        divide_quota(&twice),
        Err(FairnessError::DuplicateTenant { name: "a".to_owned() })
    );
    let light = Cohort::queue("a", 1, 1).with_weight(0);
    assert_eq!(
        divide_quota(&light),
        Err(FairnessError::ZeroWeight { name: "a".to_owned() })
    );
    // A queue alone, an empty cohort, and sums beyond 64 bits.
    let alone = divide_quota(&Cohort::queue("a", 3, 5).with_borrowing_limit(9)).unwrap();
    assert_eq!(
        (alone[0].amount.floor(), &alone[0].stop),
        (
            3,
            &QuotaStop::Exhausted {
                cohort: "a".to_owned()
            }
        )
    );
    let empty = divide_quota(&Cohort::group("a", Vec::new())).unwrap();
    assert_eq!(empty[0].amount.floor(), 0);
    let most = u64::MAX;
    let huge = Cohort::group(
        "all",
        (0..3)
            .map(|i| Cohort::queue(format!("q{i}"), most, if i == 0 { 0 } else { most }))
            .collect(),
    );
    let got: Vec<u64> = divide_quota(&huge)
        .unwrap()
        .iter()
        .map(|share| share.amount.floor())
        .collect();
    assert_eq!(got, [0, most, most]);
}

/// Weighted max-min by its definition, level by level from the root: the members of a cohort either have all that they want or
/// the same amount by weight, which is not less than what anybody else has by weight. Every set of satisfied members is tried.
/// Exact, as numerator and denominator; without quotas below the root and without limits.
fn by_definition(tree: &Tree, amount: (u128, u128), out: &mut Vec<(u128, u128)>) {
    if tree.members.is_empty() {
        out.push(amount);
        return;
    }
    let members = &tree.members;
    let wants: Vec<u128> = members
        .iter()
        .map(|member| member.leaves().iter().map(|leaf| u128::from(leaf.demand)).sum())
        .collect();
    let (num, den) = amount;
    let mut found = None;
    for set in 0..1_u32 << members.len() {
        let satisfied = |i: usize| set >> i & 1 == 1;
        let given: u128 = (0..members.len())
            .filter(|i| satisfied(*i))
            .map(|i| wants[i])
            .sum();
        let rest = (0..members.len()).filter(|i| !satisfied(*i));
        let weight: u128 = rest.map(|i| u128::from(members[i].weight)).sum();
        if given * den > num || (weight == 0 && given * den < num) {
            continue;
        }
        // The level: what the others have for a weight of one.
        let (level, unit) = (num - given * den, den * weight);
        let holds = (0..members.len()).all(|i| {
            let reached = wants[i] * unit <= level * u128::from(members[i].weight);
            weight == 0 || reached == satisfied(i)
        });
        if holds {
            let share = |i: usize| match satisfied(i) {
                true => (wants[i], 1),
                false => (level * u128::from(members[i].weight), unit),
            };
            found = Some((0..members.len()).map(share).collect::<Vec<_>>());
        }
    }
    for (member, share) in members.iter().zip(found.expect("one set is consistent")) {
        by_definition(member, share, out);
    }
}

proptest! {
    #[test]
    fn without_quotas_below_the_root_it_is_weighted_max_min_by_level(forest in prop::collection::vec(trees(), 2..5), pool in 0..60_u64) {
        fn bare(tree: &mut Tree) {
            (tree.nominal, tree.borrow, tree.lend) = (0, None, None);
            tree.members.iter_mut().for_each(bare);
        }
        let mut tree = Tree { nominal: 0, demand: 0, weight: 1, borrow: None, lend: None, members: forest };
        bare(&mut tree);
        let asked: u64 = tree.leaves().iter().map(|leaf| leaf.demand).sum();
        tree.nominal = pool;
        let shares = divide_quota(&tree.build("t")).unwrap();
        let mut expected = Vec::new();
        by_definition(&tree, (pool.min(asked).into(), 1), &mut expected);
        prop_assert_eq!(shares.len(), expected.len());
        for (share, (num, den)) in shares.iter().zip(expected) {
            let (n, d) = parts(&share.amount);
            prop_assert_eq!(n * BigUint::from(den), d * BigUint::from(num), "{} of {:?}", share.queue, tree);
        }
    }
}
