//! One pool shared fairly among tenants with different needs.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigUint;
use num_integer::Integer;

use crate::error::FairnessError;
use crate::fraction::Fraction;
use crate::resources::Resources;

/// Someone who shares a pool: what one of its tasks needs, its weight, and the most tasks it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    name: String,
    demand: Resources,
    weight: u64,
    limit: Option<u64>,
}

impl Tenant {
    /// A tenant of weight 1 whose tasks need `demand` each, and who takes as many as it gets.
    #[must_use]
    pub fn new(name: impl Into<String>, demand: Resources) -> Self {
        Self {
            name: name.into(),
            demand,
            weight: 1,
            limit: None,
        }
    }

    /// Entitled to `weight` times the share of a tenant of weight 1.
    #[must_use]
    pub fn with_weight(mut self, weight: u64) -> Self {
        self.weight = weight;
        self
    }

    /// Wants at most `tasks`; what it leaves goes to the others.
    #[must_use]
    pub fn with_limit(mut self, tasks: u64) -> Self {
        self.limit = Some(tasks);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What one tenant gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Share {
    /// Its tasks; [`Fraction::floor`] tells how many whole ones.
    pub tasks: Fraction,
    /// The part of the pool's `dominant` resource that it holds.
    pub dominant_share: Fraction,
    /// The resource of which a task takes the largest part of the pool; the first by name of equals.
    pub dominant: String,
    /// Why it does not get more.
    pub stop: Stop,
}

/// Why a tenant does not get more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// It has all that it wants.
    Limit,
    /// Its tasks need this resource, and nothing of it is left.
    Exhausted {
        /// The resource; the first by name of several.
        resource: String,
    },
}

/// Shares a pool by weighted dominant resource fairness. Exact.
///
/// Use it for teams or models whose tasks are bounded by different resources, where equal shares of each resource would leave
/// half of the pool idle. Shares are divisible; whole tasks are the shares rounded down. It places nothing: a share may
/// not fit on the nodes as they are, see [`crate::Greedy`].
///
/// **Formula**: one task of tenant i takes the part sᵢ = maxᵣ dᵢᵣ / Cᵣ of its dominant resource. With xᵢ tasks its level is
/// xᵢ sᵢ / wᵢ. The levels rise together; a tenant stops at its limit, or when a resource that it needs is used up. The result is
/// the only one where everybody below their limit needs a used-up resource of which no user has a higher level.
///
/// It follows, for tenants below their limit: each gets at least wᵢ / Σ wⱼ of its dominant resource; nobody would rather have
/// another's bundle scaled by their weights; nobody can get more without another getting less; asking for
/// other amounts than one needs never helps. All four are laws in the tests.
///
/// # Errors
/// [`FairnessError::DuplicateTenant`], [`FairnessError::ZeroWeight`], [`FairnessError::NoDemand`].
/// Needing a resource that the pool lacks is no error: the share is 0 and [`Stop`] names the resource.
///
/// **Complexity**: O(n · (m + log n)) operations for n tenants and m resources, on integers of as many bits as the least common
/// multiple of the tenants' dominant demands has.
///
/// # Example
/// The example of the paper: a task of A is memory-bound, one of B is processor-bound; both end at two thirds.
/// ```
/// use modelops_allocation::{Resources, Tenant, dominant_resource_fairness};
/// let needs = |cpu, memory_gb| Resources::new().with("cpu", cpu).with("memory_gb", memory_gb);
/// let tenants = [Tenant::new("A", needs(1, 4)), Tenant::new("B", needs(3, 1))];
/// let shares = dominant_resource_fairness(&needs(9, 18), &tenants)?;
/// assert_eq!((shares[0].tasks.floor(), shares[1].tasks.floor()), (3, 2));
/// assert_eq!(shares[0].dominant_share, shares[1].dominant_share);
/// assert_eq!(shares[0].dominant_share.to_string(), "2/3");
/// # Ok::<(), modelops_allocation::FairnessError>(())
/// ```
///
/// **References**: A. Ghodsi et al., *Dominant resource fairness: fair allocation of multiple resource types*, NSDI 2011;
/// D. C. Parkes, A. D. Procaccia, N. Shah, *Beyond dominant resource fairness*, 2015, doi:10.1145/2739040 (weights, and tasks
/// that need nothing of some resource).
#[doc(alias = "DRF")]
pub fn dominant_resource_fairness(
    capacity: &Resources,
    tenants: &[Tenant],
) -> Result<Vec<Share>, FairnessError> {
    check(tenants)?;
    let mut filling = Filling::new(capacity, tenants);
    while let Some((level, reached)) = filling.next_stop() {
        match reached {
            Reached::Limit(tenant) => filling.stop(tenant, &level, Stop::Limit),
            Reached::Exhausted(resource) => filling.exhaust(&resource, &level),
        }
    }
    Ok(filling.finish())
}

fn check(tenants: &[Tenant]) -> Result<(), FairnessError> {
    let mut names = BTreeSet::new();
    for tenant in tenants {
        let name = || tenant.name.clone();
        if !names.insert(&tenant.name) {
            return Err(FairnessError::DuplicateTenant { name: name() });
        }
        if tenant.weight == 0 {
            return Err(FairnessError::ZeroWeight { name: name() });
        }
        if tenant.demand.iter().all(|(_, amount)| amount == 0) {
            return Err(FairnessError::NoDemand { name: name() });
        }
    }
    Ok(())
}

/// A resource while the level rises: `free` is what those who have stopped leave, and the others take `rate` / scale of it for
/// each unit of the level.
struct Pool {
    free: Fraction,
    rate: BigUint,
    users: Vec<usize>,
}

/// The next thing that happens as the level rises.
enum Reached {
    Limit(usize),
    Exhausted(String),
}

struct Filling<'a> {
    tenants: &'a [Tenant],
    /// The dominant resource of each tenant, what a task takes of it and what there is.
    dominant: Vec<(&'a str, u64, u64)>,
    pools: BTreeMap<&'a str, Pool>,
    /// The common denominator of all rates, so that sums need no reduction.
    scale: BigUint,
    /// The levels at which tenants reach their limits, the highest first.
    limits: Vec<(Fraction, usize)>,
    shares: Vec<Option<Share>>,
}

impl<'a> Filling<'a> {
    fn new(capacity: &Resources, tenants: &'a [Tenant]) -> Self {
        let dominant: Vec<_> = tenants.iter().map(|tenant| dominant(capacity, tenant)).collect();
        let mut filling = Self {
            tenants,
            scale: dominant.iter().fold(BigUint::from(1_u64), |scale, (_, need, _)| {
                scale.lcm(&BigUint::from(*need))
            }),
            dominant,
            pools: BTreeMap::new(),
            limits: Vec::new(),
            shares: vec![None; tenants.len()],
        };
        for (i, tenant) in tenants.iter().enumerate() {
            let (resource, need, total) = filling.dominant[i];
            if total == 0 {
                let resource = resource.to_owned();
                filling.stop(i, &Fraction::zero(), Stop::Exhausted { resource });
                continue;
            }
            for (name, amount) in tenant.demand.iter().filter(|(_, amount)| *amount > 0) {
                let pool = filling.pools.entry(name).or_insert_with(|| Pool {
                    free: Fraction::whole(capacity.amount(name)),
                    rate: BigUint::ZERO,
                    users: Vec::new(),
                });
                pool.rate += rate(tenant, amount, need, total, &filling.scale);
                pool.users.push(i);
            }
            if let Some(limit) = tenant.limit {
                // x s / w with x = limit.
                let level = Fraction::whole(limit)
                    .scaled(u128::from(need), u128::from(total) * u128::from(tenant.weight));
                filling.limits.push((level, i));
            }
        }
        filling.limits.sort_by(|a, b| b.cmp(a));
        filling
    }

    /// The lowest level at which something happens: a limit before a resource, the first by name of several resources.
    fn next_stop(&mut self) -> Option<(Fraction, Reached)> {
        while self.limits.last().is_some_and(|(_, i)| self.shares[*i].is_some()) {
            self.limits.pop();
        }
        // A level is free · scale / rate; compared crosswise, reduced only once it is chosen.
        let parts = |pool: &Pool| {
            (
                pool.free.numerator() * &self.scale,
                pool.free.denominator() * &pool.rate,
            )
        };
        let mut first: Option<(&str, (BigUint, BigUint))> = None;
        for (name, pool) in self.pools.iter().filter(|(_, pool)| pool.rate > BigUint::ZERO) {
            let level = parts(pool);
            if first
                .as_ref()
                .is_none_or(|(_, least)| &level.0 * &least.1 < &least.0 * &level.1)
            {
                first = Some((name, level));
            }
        }
        let (resource, (num, den)) = first?;
        if let Some((level, tenant)) = self.limits.last()
            && level.numerator() * &den <= &num * level.denominator()
        {
            return Some((level.clone(), Reached::Limit(*tenant)));
        }
        Some((Fraction::new(num, den), Reached::Exhausted(resource.to_owned())))
    }

    /// Everybody who still rises and needs `resource` stops.
    fn exhaust(&mut self, resource: &str, level: &Fraction) {
        let users = self
            .pools
            .get_mut(resource)
            .map(|pool| std::mem::take(&mut pool.users))
            .expect("only a pool is exhausted");
        // What they take of each pool is one fraction: rate · level.
        let mut leaving: BTreeMap<&str, BigUint> = BTreeMap::new();
        for i in users {
            if self.shares[i].is_none() {
                let (_, need, total) = self.dominant[i];
                for (name, amount) in self.tenants[i].demand.iter().filter(|(_, amount)| *amount > 0) {
                    *leaving.entry(name).or_default() +=
                        rate(&self.tenants[i], amount, need, total, &self.scale);
                }
                let resource = resource.to_owned();
                self.stop_at(i, level, Stop::Exhausted { resource });
            }
        }
        for (name, rate) in leaving {
            let pool = self.pools.get_mut(name).expect("every need has its pool");
            // free − level · rate / scale
            let taken = level.numerator() * &rate * pool.free.denominator();
            let den = level.denominator() * &self.scale;
            let left = pool.free.numerator() * &den - taken;
            pool.free = Fraction::new(left, den * pool.free.denominator());
            pool.rate -= rate;
        }
    }

    /// One tenant stops at its limit, which is a whole number of tasks, so that what it holds is whole.
    fn stop(&mut self, i: usize, level: &Fraction, stop: Stop) {
        let tenant = &self.tenants[i];
        if let (Stop::Limit, Some(limit)) = (&stop, tenant.limit) {
            let (_, need, total) = self.dominant[i];
            for (name, amount) in tenant.demand.iter().filter(|(_, amount)| *amount > 0) {
                let pool = self.pools.get_mut(name).expect("every need has its pool");
                pool.rate -= rate(tenant, amount, need, total, &self.scale);
                let held = BigUint::from(u128::from(amount) * u128::from(limit));
                let left = pool.free.numerator() - held * pool.free.denominator();
                pool.free = Fraction::new(left, pool.free.denominator().clone());
            }
        }
        self.stop_at(i, level, stop);
    }

    fn finish(self) -> Vec<Share> {
        let stopped = |share: Option<Share>| share.expect("the filling ends when every tenant has stopped");
        self.shares.into_iter().map(stopped).collect()
    }

    fn stop_at(&mut self, i: usize, level: &Fraction, stop: Stop) {
        let (resource, need, total) = self.dominant[i];
        let weight = u128::from(self.tenants[i].weight);
        self.shares[i] = Some(Share {
            tasks: level.scaled(weight * u128::from(total), u128::from(need)),
            dominant_share: level.scaled(weight, 1),
            dominant: resource.to_owned(),
            stop,
        });
    }
}

/// What a tenant takes of one resource for each unit of the level, times `scale`: w · amount · total / need.
fn rate(tenant: &Tenant, amount: u64, need: u64, total: u64, scale: &BigUint) -> BigUint {
    (scale / need) * tenant.weight * amount * total
}

/// The resource of which a task takes the largest part, what it takes, and what there is.
fn dominant<'a>(capacity: &Resources, tenant: &'a Tenant) -> (&'a str, u64, u64) {
    tenant
        .demand
        .iter()
        .filter(|(_, amount)| *amount > 0)
        .map(|(name, amount)| (name, amount, capacity.amount(name)))
        // Crosswise, so that a resource of which there is nothing outweighs all others; the first of equals stays.
        .reduce(|top, next| {
            if u128::from(next.1) * u128::from(top.2) > u128::from(top.1) * u128::from(next.2) {
                next
            } else {
                top
            }
        })
        .expect("a tenant needs something")
}
