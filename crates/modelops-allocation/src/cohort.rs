//! Quotas in a tree of cohorts: each has its own, lends what it does not use, and borrows what others lend.

use std::collections::BTreeSet;

use crate::error::FairnessError;
use crate::fraction::Fraction;

/// A queue with a quota and a demand, or a cohort of queues and cohorts that lend to each other; amounts of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohort {
    name: String,
    nominal: u64,
    demand: u64,
    weight: u64,
    borrowing_limit: Option<u64>,
    lending_limit: Option<u64>,
    members: Vec<Cohort>,
}

impl Cohort {
    /// A queue that is entitled to `nominal` and asks for `demand`.
    #[must_use]
    pub fn queue(name: impl Into<String>, nominal: u64, demand: u64) -> Self {
        Self {
            name: name.into(),
            nominal,
            demand,
            weight: 1,
            borrowing_limit: None,
            lending_limit: None,
            members: Vec::new(),
        }
    }

    /// A cohort of these members, without a quota of its own beside theirs.
    #[must_use]
    pub fn group(name: impl Into<String>, members: Vec<Cohort>) -> Self {
        Self {
            members,
            ..Self::queue(name, 0, 0)
        }
    }

    /// For a cohort: a quota beside those of its members, which all of them may use.
    #[must_use]
    pub fn with_nominal(mut self, nominal: u64) -> Self {
        self.nominal = nominal;
        self
    }

    /// May borrow `weight` times as much as a sibling of weight 1.
    #[must_use]
    pub fn with_weight(mut self, weight: u64) -> Self {
        self.weight = weight;
        self
    }

    /// Borrows at most this beyond its own quota (for a cohort: beyond what its members lend to each other).
    #[must_use]
    pub fn with_borrowing_limit(mut self, most: u64) -> Self {
        self.borrowing_limit = Some(most);
        self
    }

    /// Lends at most this to its siblings; the rest is kept for itself even where it is not used.
    #[must_use]
    pub fn with_lending_limit(mut self, most: u64) -> Self {
        self.lending_limit = Some(most);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What one queue may use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaShare {
    /// The queue.
    pub queue: String,
    /// What it may use; [`Fraction::floor`] for whole units.
    pub amount: Fraction,
    /// How much of that is beyond its own quota.
    pub borrowed: Fraction,
    /// Why it does not get more.
    pub stop: QuotaStop,
}

/// Why a queue does not get more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuotaStop {
    /// It has all that it asks for.
    Satisfied,
    /// This queue or cohort borrows as much as it may.
    BorrowingLimit {
        /// The queue, or the innermost cohort around it that is at its limit.
        of: String,
    },
    /// Nothing that may be lent is left in this cohort, which is the root or may not borrow.
    Exhausted {
        /// The cohort.
        cohort: String,
    },
}

/// Shares the quotas of a tree of cohorts by weighted max-min: own quota first, then what siblings lend, by level. Exact.
///
/// Use it where teams have quotas of a pool and idle quota should not stay idle. The amounts are of one resource; with several, it is
/// called once for each. Shares are divisible; whole units are the shares rounded down. It evicts nothing: it says what everybody is
/// entitled to now, given what all of them ask for.
///
/// **Formula**: the quota of a subtree is Q(v) = nominal(v) + Σ lent(c) over its members c, with lent(c) = min(Q(c), lending limit); what is not lent,
/// Q(c) − lent(c), only c may use. A subtree draws from its parent what it uses beyond that, e(c) = max(0, u(c) − (Q(c) − lent(c))), and
/// u(v) = Σ e(c) ≤ Q(v) + borrowing limit, at the root ≤ Q(root). In each cohort, from the root down, every member first draws up to lent(c),
/// as far as it has use for it; of what is left the members get amounts in the ratio of their weights, and who has use for no more
/// leaves the rest to the others.
///
/// It follows: every queue gets its nominal quota or all that it asks for; nothing idles that a queue could still use under the limits; of
/// two members of a cohort the one that borrows less by weight could use no more; asking for more than one needs never brings more
/// of what one needs. These are laws in the tests, and so is the same division one unit at a time.
///
/// # Errors
/// [`FairnessError::DuplicateTenant`] for two nodes of the tree with one name, [`FairnessError::ZeroWeight`].
///
/// **Complexity**: O(n log n) operations on fractions for a tree of n nodes; the depth of the tree is the depth of the recursion.
///
/// # Example
/// ```
/// use modelops_allocation::{Cohort, QuotaStop, divide_quota};
/// let tree = Cohort::group("all", vec![
///     Cohort::queue("search", 8, 2).with_lending_limit(4), // uses 2, lends 4, keeps 2
///     Cohort::queue("ads", 2, 20),
///     Cohort::queue("lab", 0, 20).with_weight(3),
/// ]);
/// let shares = divide_quota(&tree)?;
/// // 4 are lent: 1 to ads and 3 to lab.
/// let amounts: Vec<u64> = shares.iter().map(|share| share.amount.floor()).collect();
/// assert_eq!(amounts, [2, 3, 3]);
/// assert_eq!(shares[2].stop, QuotaStop::Exhausted { cohort: "all".to_owned() });
/// # Ok::<(), modelops_allocation::FairnessError>(())
/// ```
///
/// **References**: D. Bertsekas, R. Gallager, *Data networks*, 1992, section 6.5 (max-min fairness); Kueue, *Cluster queue* and *Cohort* (nominal
/// quota, borrowing and lending limits), kueue.sigs.k8s.io/docs/concepts.
#[doc(alias = "borrowing")]
pub fn divide_quota(root: &Cohort) -> Result<Vec<QuotaShare>, FairnessError> {
    check(root, &mut BTreeSet::new())?;
    let measured = Measured::new(root);
    let used = measured.want.min(measured.quota);
    let mut shares = Vec::new();
    let exhausted = QuotaStop::Exhausted {
        cohort: root.name.clone(),
    };
    measured.divide(Fraction::whole(used), &exhausted, &mut shares);
    Ok(shares)
}

fn check<'a>(cohort: &'a Cohort, names: &mut BTreeSet<&'a str>) -> Result<(), FairnessError> {
    let name = || cohort.name.clone();
    if !names.insert(&cohort.name) {
        return Err(FairnessError::DuplicateTenant { name: name() });
    }
    if cohort.weight == 0 {
        return Err(FairnessError::ZeroWeight { name: name() });
    }
    cohort.members.iter().try_for_each(|member| check(member, names))
}

/// A cohort with what follows from quotas and demands below it. Sums of `u64` in a tree that fits into memory fit into `u128`.
struct Measured<'a> {
    cohort: &'a Cohort,
    members: Vec<Measured<'a>>,
    /// Q(v).
    quota: u128,
    /// What it lends at most.
    lent: u128,
    /// What it could use at most.
    want: u128,
    /// Whether that is all that is asked for, and no limit is in the way.
    limited: bool,
}

impl<'a> Measured<'a> {
    fn new(cohort: &'a Cohort) -> Self {
        let members: Vec<Self> = cohort.members.iter().map(Self::new).collect();
        let quota = u128::from(cohort.nominal) + members.iter().map(|member| member.lent).sum::<u128>();
        let asked = if members.is_empty() {
            u128::from(cohort.demand)
        } else {
            members.iter().map(Self::drawn).sum()
        };
        let most = cohort
            .borrowing_limit
            .map_or(u128::MAX, |limit| quota.saturating_add(u128::from(limit)));
        Self {
            cohort,
            members,
            quota,
            lent: cohort
                .lending_limit
                .map_or(quota, |limit| quota.min(u128::from(limit))),
            want: asked.min(most),
            limited: asked > most,
        }
    }

    /// What only it may use.
    fn kept(&self) -> u128 {
        self.quota - self.lent
    }

    /// What it could draw from its parent at most.
    fn drawn(&self) -> u128 {
        self.want.saturating_sub(self.kept())
    }

    /// Divides what this subtree uses; `outside` is what stops it from using more.
    fn divide(&self, used: Fraction, outside: &QuotaStop, shares: &mut Vec<QuotaShare>) {
        let full = used == Fraction::whole(self.want);
        let stop = if full && self.limited {
            &QuotaStop::BorrowingLimit {
                of: self.cohort.name.clone(),
            }
        } else {
            outside
        };
        if self.members.is_empty() {
            shares.push(QuotaShare {
                queue: self.cohort.name.clone(),
                borrowed: used.minus(&Fraction::whole(self.cohort.nominal)),
                stop: if full && !self.limited {
                    QuotaStop::Satisfied
                } else {
                    stop.clone()
                },
                amount: used,
            });
            return;
        }
        // First what each lends, then by weight what is left.
        let first: Vec<u128> = self
            .members
            .iter()
            .map(|member| member.drawn().min(member.lent))
            .collect();
        let rest = used.minus(&Fraction::whole(first.iter().sum::<u128>()));
        let rooms = self.members.iter().zip(&first);
        let rooms: Vec<(u128, u64)> = rooms
            .map(|(member, first)| (member.drawn() - first, member.cohort.weight))
            .collect();
        for ((member, first), more) in self.members.iter().zip(first).zip(fill(&rest, &rooms)) {
            let drawn = Fraction::whole(first).plus(&more);
            let most = Fraction::whole(member.want);
            let used = drawn.plus(&Fraction::whole(member.kept()));
            member.divide(used.min(most), stop, shares);
        }
    }
}

/// Divides an amount among rooms with weights so that the least by weight is as much as it can be.
fn fill(amount: &Fraction, rooms: &[(u128, u64)]) -> Vec<Fraction> {
    let mut order: Vec<usize> = (0..rooms.len()).collect();
    // The room that is full at the lowest level first. Crosswise in fractions: the products exceed 128 bits.
    order.sort_by_cached_key(|i| Fraction::whole(rooms[*i].0).scaled(1, u128::from(rooms[*i].1)));
    let mut weight: u128 = rooms.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let mut left = amount.clone();
    let mut shares = vec![Fraction::zero(); rooms.len()];
    for i in order {
        let (room, own) = rooms[i];
        let fair = left.scaled(u128::from(own), weight);
        shares[i] = fair.min(Fraction::whole(room));
        left = left.minus(&shares[i]);
        weight -= u128::from(own);
    }
    shares
}
