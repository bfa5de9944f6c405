//! Fair shares: the published example, the laws, hostile input.

use modelops_allocation::{
    FairnessError, Fraction, Resources, Share, Stop, Tenant, dominant_resource_fairness,
};
use num_bigint::BigUint;
use proptest::prelude::*;

/// A pool of three resources and tenants as (needs, weight, limit).
type Tenancy = (Vec<u64>, u64, Option<u64>);

fn resources(amounts: &[u64]) -> Resources {
    let named = ["cpu", "gpu", "memory"].into_iter().zip(amounts);
    named.fold(Resources::new(), |all, (name, amount)| all.with(name, *amount))
}

fn shares(capacity: &[u64], tenants: &[Tenancy]) -> Vec<Share> {
    let tenants: Vec<Tenant> = tenants
        .iter()
        .enumerate()
        .map(|(i, (needs, weight, limit))| {
            let tenant = Tenant::new(format!("t{i}"), resources(needs)).with_weight(*weight);
            limit.map_or(tenant.clone(), |limit| tenant.with_limit(limit))
        })
        .collect();
    dominant_resource_fairness(&resources(capacity), &tenants).unwrap()
}

/// Numerator and denominator, as they are printed.
pub(crate) fn parts(fraction: &Fraction) -> (BigUint, BigUint) {
    let text = fraction.to_string();
    let (num, den) = text.split_once('/').unwrap_or((&text, "1"));
    (num.parse().unwrap(), den.parse().unwrap())
}

/// Whether a · times is at most b · others, exactly.
fn at_most(a: &Fraction, times: u128, b: &Fraction, others: u128) -> bool {
    let ((an, ad), (bn, bd)) = (parts(a), parts(b));
    an * bd * times <= bn * ad * others
}

/// What is used of each resource, over one denominator.
fn used(tenants: &[Tenancy], shares: &[Share], resource: usize) -> (BigUint, BigUint) {
    let zero = (BigUint::ZERO, BigUint::from(1_u64));
    tenants
        .iter()
        .zip(shares)
        .fold(zero, |(num, den), (tenant, share)| {
            let (tasks, whole) = parts(&share.tasks);
            (num * &whole + tasks * tenant.0[resource] * &den, den * whole)
        })
}

fn part_of_pool(needs: &[u64], capacity: &[u64]) -> (u64, u64) {
    let pairs = needs.iter().copied().zip(capacity.iter().copied());
    pairs
        .reduce(|top, next| {
            if u128::from(next.0) * u128::from(top.1) > u128::from(top.0) * u128::from(next.1) {
                next
            } else {
                top
            }
        })
        .unwrap()
}

fn pools() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(1..60_u64, 3)
}

fn tenancies(limited: bool) -> impl Strategy<Value = Vec<Tenancy>> {
    let needs =
        prop::collection::vec(0..8_u64, 3).prop_filter("needs something", |n| n.iter().any(|d| *d > 0));
    let limit = if limited {
        prop::option::of(0..12_u64).boxed()
    } else {
        Just(None).boxed()
    };
    prop::collection::vec((needs, 1..5_u64, limit), 1..6)
}

/// The example of Ghodsi et al., section 4.1: 9 processors and 18 GB; A needs (1, 4), B (3, 1); A gets 3 tasks, B 2.
#[test]
fn ghodsi_example() {
    let got = shares(&[9, 0, 18], &[(vec![1, 0, 4], 1, None), (vec![3, 0, 1], 1, None)]);
    let printed: Vec<_> = got
        .iter()
        .map(|share| (share.tasks.to_string(), share.dominant_share.to_string()))
        .collect();
    let third = |tasks: &str| (tasks.to_owned(), "2/3".to_owned());
    assert_eq!(printed, [third("3"), third("2")]);
    assert_eq!(
        (got[0].dominant.as_str(), got[1].dominant.as_str()),
        ("memory", "cpu")
    );
    // The processors are used up: 3 · 1 + 2 · 3 = 9.
    let cpu = Stop::Exhausted {
        resource: "cpu".into(),
    };
    assert!(got.iter().all(|share| share.stop == cpu));
}

/// With one resource it is weighted max-min: 12 among weights 1, 2, 3, where the third wants only 3: 3, 6, 3.
#[test]
fn one_resource_is_weighted_max_min() {
    let got = shares(
        &[12],
        &[(vec![1], 1, None), (vec![1], 2, None), (vec![1], 3, Some(3))],
    );
    let tasks: Vec<u64> = got.iter().map(|share| share.tasks.floor()).collect();
    assert_eq!(tasks, [3, 6, 3]);
    assert_eq!(got[2].stop, Stop::Limit);
    assert!((got[0].dominant_share.to_f64() - 0.25).abs() <= f64::EPSILON);
}

proptest! {
    /// Nothing is overbooked, and the shares are the only fair ones: whoever is below its limit needs a used-up resource of
    /// which no user has a higher level. This implies Pareto efficiency, since one more task needs more of that resource.
    #[test]
    fn everyone_has_a_bottleneck(capacity in pools(), tenants in tenancies(true)) {
        let got = shares(&capacity, &tenants);
        let full: Vec<bool> = (0..3).map(|r| {
            let (num, den) = used(&tenants, &got, r);
            let all = den * capacity[r];
            assert!(num <= all, "resource {r} is overbooked");
            num == all
        }).collect();
        for (tenant, share) in tenants.iter().zip(&got) {
            if share.stop == Stop::Limit {
                prop_assert_eq!(Some(share.tasks.to_string()), tenant.2.map(|limit| limit.to_string()));
                continue;
            }
            if let Some(limit) = tenant.2 {
                prop_assert!(parts(&share.tasks).0 < parts(&share.tasks).1 * limit);
            }
            let bottleneck = (0..3).any(|r| {
                full[r] && tenant.0[r] > 0 && tenants.iter().zip(&got).all(|(other, theirs)| {
                    other.0[r] == 0
                        || at_most(&theirs.dominant_share, tenant.1.into(), &share.dominant_share, other.1.into())
                })
            });
            prop_assert!(bottleneck);
        }
    }

    /// The dominant share is what the tasks take of the pool.
    #[test]
    fn the_dominant_share_is_what_the_tasks_take(capacity in pools(), tenants in tenancies(true)) {
        for (tenant, share) in tenants.iter().zip(shares(&capacity, &tenants)) {
            let (need, total) = part_of_pool(&tenant.0, &capacity);
            prop_assert!(at_most(&share.tasks, need.into(), &share.dominant_share, total.into()));
            prop_assert!(at_most(&share.dominant_share, total.into(), &share.tasks, need.into()));
        }
    }

    /// Sharing incentive: nobody gets less than with a pool of its own, cut by weight.
    #[test]
    fn sharing_is_no_loss(capacity in pools(), tenants in tenancies(true)) {
        let weights: u64 = tenants.iter().map(|tenant| tenant.1).sum();
        for (tenant, share) in tenants.iter().zip(shares(&capacity, &tenants)) {
            let (num, den) = parts(&share.dominant_share);
            prop_assert!(share.stop == Stop::Limit || num * weights >= den * tenant.1);
        }
    }

    /// Envy-freeness: with another's bundle, scaled by the weights, nobody could run more tasks.
    #[test]
    fn nobody_envies(capacity in pools(), tenants in tenancies(true)) {
        let got = shares(&capacity, &tenants);
        for (tenant, share) in tenants.iter().zip(&got).filter(|(_, share)| share.stop != Stop::Limit) {
            for (other, theirs) in tenants.iter().zip(&got) {
                // Some resource of the bundle is too little: theirs · other / need · w / w' ≤ tasks.
                let short = (0..3).filter(|r| tenant.0[*r] > 0).any(|r| {
                    let (wanted, held) = (u128::from(tenant.0[r]), u128::from(other.0[r]));
                    at_most(&theirs.tasks, held * u128::from(tenant.1), &share.tasks, wanted * u128::from(other.1))
                });
                prop_assert!(short);
            }
        }
    }

    /// Strategy-proofness: whatever one claims to need or to want, the bundle runs no more of its true tasks.
    #[test]
    fn lying_never_helps(capacity in pools(), tenants in tenancies(true), claim in tenancies(true), liar in 0..6_usize) {
        let liar = liar % tenants.len();
        let honest = &shares(&capacity, &tenants)[liar];
        let mut told = tenants.clone();
        (told[liar].0, told[liar].2) = (claim[0].0.clone(), claim[0].2);
        let bundle = &shares(&capacity, &told)[liar];
        let truth = &tenants[liar];
        let no_more = honest.stop == Stop::Limit || (0..3).filter(|r| truth.0[*r] > 0).any(|r| {
            at_most(&bundle.tasks, told[liar].0[r].into(), &honest.tasks, truth.0[r].into())
        });
        prop_assert!(no_more);
    }

    /// Neither the order of the tenants nor the unit of a resource matters.
    #[test]
    fn order_and_units_do_not_matter(capacity in pools(), mut tenants in tenancies(true), unit in 1..1_000_u64) {
        let tasks = |capacity: &[u64], tenants: &[Tenancy]| -> Vec<String> {
            shares(capacity, tenants).iter().map(|share| share.tasks.to_string()).collect()
        };
        let mut expected = tasks(&capacity, &tenants);
        let mut scaled = capacity;
        scaled[1] *= unit;
        tenants.iter_mut().for_each(|tenant| tenant.0[1] *= unit);
        tenants.reverse();
        expected.reverse();
        prop_assert_eq!(tasks(&scaled, &tenants), expected);
    }

    /// Tenants who ask for the same get the same.
    #[test]
    fn equal_tenants_are_equal(capacity in pools(), tenants in tenancies(false)) {
        let twice: Vec<Tenancy> = tenants.iter().chain(&tenants).cloned().collect();
        let got = shares(&capacity, &twice);
        let (first, second) = got.split_at(tenants.len());
        prop_assert_eq!(first, second);
    }
}

#[test]
fn bad_tenants_are_refused() {
    let needs = |amount| Resources::new().with("cpu", amount);
    let refused = |tenants: &[Tenant]| dominant_resource_fairness(&needs(4), tenants).unwrap_err();
    let name = || "a".to_owned();
    let a = Tenant::new("a", needs(1));
    assert_eq!(
        refused(&[a.clone(), a.clone()]),
        FairnessError::DuplicateTenant { name: name() }
    );
    assert_eq!(
        refused(&[a.with_weight(0)]),
        FairnessError::ZeroWeight { name: name() }
    );
    for nothing in [Resources::new(), needs(0)] {
        let idle = Tenant::new("a", nothing);
        assert_eq!(refused(&[idle]), FairnessError::NoDemand { name: name() });
    }
}

#[test]
fn nobody_and_nothing() {
    assert!(
        dominant_resource_fairness(&Resources::new(), &[])
            .unwrap()
            .is_empty()
    );
    // What the pool lacks stops one tenant and leaves the rest to the others.
    let got = shares(&[4, 0, 4], &[(vec![1, 1, 0], 1, None), (vec![1, 0, 0], 1, None)]);
    assert_eq!((got[0].tasks.floor(), got[1].tasks.floor()), (0, 4));
    assert_eq!(
        got[0].stop,
        Stop::Exhausted {
            resource: "gpu".into()
        }
    );
    let none = shares(
        &[4, 4, 4],
        &[(vec![1, 1, 0], 1, Some(0)), (vec![1, 0, 0], 1, None)],
    );
    assert_eq!(
        (none[0].tasks.to_string(), none[0].stop.clone()),
        ("0".into(), Stop::Limit)
    );
    assert_eq!(none[1].tasks.to_string(), "4");
}

/// The largest amounts overflow nothing.
#[test]
fn the_largest_amounts() {
    let most = u64::MAX;
    let got = shares(
        &[most; 3],
        &[
            (vec![most; 3], most, Some(most)),
            (vec![1, most, most - 1], most - 1, None),
        ],
    );
    // Both need all of the second resource for each task: they cut one task by weight.
    assert_eq!(
        got[0].tasks.to_string(),
        format!("{most}/{}", u128::from(most) * 2 - 1)
    );
    assert_eq!(
        got[1].tasks.to_string(),
        format!("{}/{}", most - 1, u128::from(most) * 2 - 1)
    );
    let tiny = shares(&[most], &[(vec![1], 1, Some(most)), (vec![most], 1, Some(0))]);
    assert_eq!((tiny[0].tasks.floor(), &tiny[0].stop), (most, &Stop::Limit));
}

/// Hundreds of tenants whose needs have no common divisor: long fractions, still exact.
#[test]
fn many_coprime_tenants() {
    let primes: Vec<u64> = (2..2_000_u64)
        .filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d > 0))
        .collect();
    let tenants: Vec<Tenancy> = primes
        .iter()
        .enumerate()
        .map(|(i, p)| {
            (
                vec![*p, primes[primes.len() - 1 - i], 1],
                1 + p % 3,
                (i % 5 == 0).then_some(2),
            )
        })
        .collect();
    let capacity = [1_000_003, 1_000_033, 1_500];
    let got = shares(&capacity, &tenants);
    for (r, total) in capacity.into_iter().enumerate() {
        let (num, den) = used(&tenants, &got, r);
        assert!(num <= den * total);
    }
    assert!(got.iter().any(|share| share.stop == Stop::Limit));
    let used_up = (0..3).any(|r| {
        let (num, den) = used(&tenants, &got, r);
        num == den * capacity[r]
    });
    assert!(used_up);
}
