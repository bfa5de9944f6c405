//! What no plan can exceed.

use std::fmt;

use crate::catalogue::Catalogue;
use crate::fleet::Fleet;
use crate::greedy::ReplicaVariants;
use crate::kernel::fit;
use crate::solver::{Item, SolverOptions};
use crate::space::{Demand, Space};
use crate::variants::choose_variants;
use crate::workload::Workload;

/// An upper bound on the value of every plan, and what makes it so.
#[doc(alias = "upper_bound")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    value: u64,
    limit: Limit,
}

/// What limits the best plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Nothing but the demand: everything that could ever fit, together.
    Demand,
    /// The fleet's total of this resource, taken as if it were in one place and divisible.
    Total {
        /// The resource.
        resource: String,
    },
}

impl Bound {
    /// What no plan can exceed.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// What makes it so.
    #[must_use]
    pub fn limit(&self) -> &Limit {
        &self.limit
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.limit {
            Limit::Demand => write!(f, "{} (everything that could fit)", self.value),
            Limit::Total { resource } => write!(f, "{} (the total of {resource})", self.value),
        }
    }
}

/// One resource of the fleet as a single budget.
pub(crate) struct Budget {
    pub(crate) resource: String,
    pub(crate) total: u64,
    at: Position,
}

enum Position {
    Node(usize),
    Device(usize),
}

impl Budget {
    /// What one replica takes of it.
    pub(crate) fn weight(&self, demand: &Demand) -> u64 {
        match self.at {
            Position::Node(i) => demand.node[i],
            Position::Device(i) => u64::from(demand.count).saturating_mul(demand.device[i]),
        }
    }
}

/// Every resource of the fleet with its total.
pub(crate) fn budgets(space: &Space) -> Vec<Budget> {
    let sum = |cell: &dyn Fn(&[u64]) -> u64| {
        space
            .classes
            .iter()
            .map(|class| cell(&class.full) * class.nodes)
            .sum::<u64>()
    };
    let node = space.node_resources.iter().enumerate().map(|(i, name)| Budget {
        resource: name.clone(),
        total: sum(&|row| row[1 + i]),
        at: Position::Node(i),
    });
    let width = space.device_dims();
    let device = space.device_resources.iter().enumerate().map(|(i, name)| Budget {
        resource: name.clone(),
        total: sum(&|row| {
            row[1 + space.node_dims()..space.devices_end]
                .iter()
                .skip(i)
                .step_by(width)
                .sum()
        }),
        at: Position::Device(i),
    });
    node.chain(device).collect()
}

/// Whether one replica fits on some empty node; if not, no plan places it.
pub(crate) fn ever_fits(space: &Space, demand: &Demand) -> bool {
    space
        .classes
        .iter()
        .any(|class| fit::fits(space, &class.full, demand))
}

/// The smallest of the relaxations to one resource: fractional filling by value for weight.
pub(crate) fn of_workload(fleet: &Fleet, workload: &Workload) -> Bound {
    let space = Space::new(fleet, None, false);
    let possible: Vec<(Demand, u64, u64)> = workload
        .requests()
        .iter()
        .map(|request| {
            (
                space.demand(request),
                request.value(),
                u64::from(request.replicas()),
            )
        })
        .filter(|(demand, ..)| ever_fits(&space, demand))
        .collect();
    let everything = possible.iter().map(|(_, value, replicas)| value * replicas).sum();
    let mut bound = Bound {
        value: everything,
        limit: Limit::Demand,
    };
    for budget in budgets(&space) {
        let items = possible
            .iter()
            .map(|(demand, value, replicas)| (Item::new(*value, budget.weight(demand)), *replicas))
            .collect();
        let value = fractional(items, budget.total);
        if value < bound.value {
            bound = Bound {
                value,
                limit: Limit::Total {
                    resource: budget.resource,
                },
            };
        }
    }
    bound
}

/// The most value of divisible items within `capacity`, rounded down.
fn fractional(mut items: Vec<(Item, u64)>, capacity: u64) -> u64 {
    let mut left = u128::from(capacity);
    let mut value = 0_u128;
    // What weighs nothing has no density, and would make the order below none.
    items.retain(|(item, copies)| {
        if item.weight == 0 {
            value += u128::from(item.value) * u128::from(*copies);
        }
        item.weight > 0
    });
    items.sort_unstable_by(|(a, _), (b, _)| {
        (u128::from(b.value) * u128::from(a.weight)).cmp(&(u128::from(a.value) * u128::from(b.weight)))
    });
    for (item, copies) in items {
        let (each, copies) = (u128::from(item.weight), u128::from(copies));
        if each * copies <= left {
            left -= each * copies;
            value += u128::from(item.value) * copies;
        } else {
            value += u128::from(item.value) * left / each;
            break;
        }
    }
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The smallest of the exact choices under one resource each.
pub(crate) fn of_catalogue(fleet: &Fleet, catalogue: &Catalogue) -> Bound {
    let space = Space::new(fleet, None, false);
    let wanted = catalogue.replica_variants();
    let demands: Vec<Option<Demand>> = possible_demands(&space, catalogue);
    let values: Vec<u64> = catalogue
        .workload()
        .requests()
        .iter()
        .map(crate::Request::value)
        .collect();
    let best = |replica: &ReplicaVariants| {
        replica
            .variants
            .iter()
            .filter(|v| demands[**v].is_some())
            .map(|v| values[*v])
            .max()
            .unwrap_or(0)
    };
    let mut bound = Bound {
        value: wanted.iter().map(best).sum(),
        limit: Limit::Demand,
    };
    for budget in budgets(&space) {
        let classes = classes(&wanted, &demands, &values, &budget);
        // Every class may be left out and the totals were checked, so this cannot fail; if it did, the bound stands as it is.
        let Ok(plan) = choose_variants(
            &classes,
            budget.total,
            &SolverOptions::default().with_max_states(1 << 20),
        ) else {
            continue;
        };
        if plan.bound < bound.value {
            bound = Bound {
                value: plan.bound,
                limit: Limit::Total {
                    resource: budget.resource,
                },
            };
        }
    }
    bound
}

/// What each variant needs, where it could ever fit.
pub(crate) fn possible_demands(space: &Space, catalogue: &Catalogue) -> Vec<Option<Demand>> {
    let demands = catalogue
        .workload()
        .requests()
        .iter()
        .map(|request| space.demand(request));
    demands
        .map(|demand| ever_fits(space, &demand).then_some(demand))
        .collect()
}

/// One class a replica: its possible variants by this budget, and at last leaving it out.
pub(crate) fn classes(
    wanted: &[ReplicaVariants],
    demands: &[Option<Demand>],
    values: &[u64],
    budget: &Budget,
) -> Vec<Vec<Item>> {
    wanted
        .iter()
        .map(|replica| {
            let item = |v: &usize| {
                let demand = demands[*v].as_ref();
                // What can never fit is worth nothing and weighs nothing.
                demand.map_or(Item::new(0, 0), |demand| {
                    Item::new(values[*v], budget.weight(demand))
                })
            };
            replica
                .variants
                .iter()
                .map(item)
                .chain(std::iter::once(Item::new(0, 0)))
                .collect()
        })
        .collect()
}
