//! Online placement: one replica after the other on a live ledger.

use std::sync::Arc;

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::explain::{Explanation, Gauges};
use crate::fleet::Fleet;
use crate::greedy::{Greedy, TieBreak};
use crate::kernel::fit;
use crate::ledger::{Ledger, Ticket, devices_of};
use crate::reject::Rejection;
use crate::score::{NodeView, Score, Trial};
use crate::space::{Demand, Space};
use crate::topology;
use crate::workload::Request;

/// Where one replica went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The receipt to release it with.
    pub ticket: Ticket,
    /// The position of the node in the fleet.
    pub node: usize,
    /// The positions of the devices on the node.
    pub devices: Vec<usize>,
}

/// A greedy policy at work on a live fleet: place, release, ask why not.
///
/// Use it where requests arrive one by one; [`Greedy::plan`] is for a batch that is known.
///
/// **Complexity**: a decision reads one remembered score for each distinct state of the nodes, and computes those that are new.
///
/// # Example
/// ```
/// use modelops_allocation::score::BestFit;
/// use modelops_allocation::{Fleet, Greedy, Node, Request, Resources, Scheduler};
/// let cpu = |n| Resources::new().with("cpu", n);
/// let fleet = Fleet::try_new(vec![Node::new("a", cpu(10)), Node::new("b", cpu(5))])?;
/// let mut scheduler = Scheduler::new(&fleet, &Greedy::new(BestFit::default()));
/// let job = Request::new("job").with_resource("cpu", 4);
/// let placed = scheduler.place(&job)?;
/// assert_eq!(placed.node, 1); // leaves 1 of 5, not 6 of 10
/// scheduler.release(placed.ticket)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("online", "place"))]
#[derive(Clone, Debug)]
pub struct Scheduler<S> {
    score: S,
    ledger: Ledger,
    memos: Vec<Memos>,
    /// The states that changed since a demand was last asked for: kept for its memory.
    changed: Vec<u32>,
    standings: Vec<(u32, i64)>,
    chance: Option<Xoshiro256PlusPlus>,
    gauges: Gauges,
}

/// What is known of one demand, by state and side by side: valid where the epoch is the state's.
#[derive(Clone, Debug, Default)]
struct Memos {
    epochs: Vec<u32>,
    scores: Vec<i64>,
    devices: Vec<u64>,
}

/// The score of a state on which the demand does not fit.
const NEVER: i64 = i64::MIN;

impl<S: Score> Scheduler<S> {
    /// A scheduler on an empty fleet.
    #[must_use]
    pub fn new(fleet: &Fleet, greedy: &Greedy<S>) -> Self {
        let space = Space::new(fleet, greedy.scored.as_deref(), greedy.score.reads_residents());
        let mut ranks: Vec<u32> = (0..fleet.nodes().len() as u32).collect();
        let mut chance = None;
        match greedy.ties {
            TieBreak::NodeOrder => {}
            TieBreak::Permuted(seed) => shuffle(&mut ranks, &mut Xoshiro256PlusPlus::seed_from_u64(seed)),
            TieBreak::Random(seed) => chance = Some(Xoshiro256PlusPlus::seed_from_u64(seed)),
        }
        let mut score = greedy.score.clone();
        score.prepare(&space);
        Self {
            score,
            ledger: Ledger::with_ranks(Arc::new(space), ranks.into()),
            memos: Vec::new(),
            changed: Vec::new(),
            standings: Vec::new(),
            chance,
            gauges: Gauges::default(),
        }
    }

    /// Places one replica of `request`, whatever its `replicas` say, and binds it.
    ///
    /// # Errors
    /// A [`Rejection`] where it fits nowhere or its constraints forbid it; nothing has changed then.
    pub fn place(&mut self, request: &Request) -> Result<Placement, Rejection> {
        let party = self.ledger.party(request);
        match self.bind_best(party, |_| true) {
            Some(placement) => Ok(placement),
            None => {
                let demand = self.ledger.demand_of(party);
                let answer = self.gauges.explain(&mut self.ledger, demand, request);
                let reason = answer.map_or(Rejection::NoNodes, |answer| answer.reason);
                self.ledger.forget(party);
                Err(reason)
            }
        }
    }

    /// Binds one replica of a party to its best place among the nodes that `eligible` and the constraints let through.
    pub(crate) fn bind_best(&mut self, party: u32, eligible: impl Fn(u32) -> bool) -> Option<Placement> {
        let demand = self.ledger.demand_of(party);
        let request = self.ledger.parties().request(party);
        let found = if topology::unruled(&self.ledger, request) {
            self.find(demand, &eligible)
        } else {
            let verdicts = topology::verdicts(&self.ledger, request);
            let allowed = |node: u32| verdicts.iter().all(|verdict| verdict.allowed[node as usize]);
            self.find(demand, &|node| eligible(node) && allowed(node))
        };
        let (node, devices) = found?;
        let ticket = self.ledger.bind_unchecked(party, node, devices);
        Some(Placement {
            ticket,
            node: node as usize,
            devices: devices_of(devices),
        })
    }

    /// Why one more replica of a party fits nowhere; `None` where it does.
    pub(crate) fn explain(&mut self, party: u32) -> Option<Explanation> {
        let request = self.ledger.parties().request(party).clone();
        let demand = self.ledger.demand_of(party);
        self.gauges.explain(&mut self.ledger, demand, &request)
    }

    /// Gives back what a placement holds.
    ///
    /// # Errors
    /// [`crate::LedgerError::UnknownTicket`] where it was released before.
    pub fn release(&mut self, ticket: Ticket) -> Result<(), crate::LedgerError> {
        self.ledger.release(ticket)
    }

    /// Why one more replica of `request` fits nowhere now, and the smallest change after which it would; `None` where it fits.
    ///
    /// **Complexity**: O(states) after the first call for a demand; only states that changed since are read again.
    #[must_use]
    pub fn why_not(&mut self, request: &Request) -> Option<Explanation> {
        let demand = self.ledger.demand_id(request);
        self.gauges.explain(&mut self.ledger, demand, request)
    }

    /// The state of the fleet.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The state of the fleet, to mirror what happens elsewhere: what is bound or released here is seen by the next decision.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The best node that `eligible` lets through, and the devices on it.
    pub(crate) fn find(&mut self, demand: u32, eligible: &dyn Fn(u32) -> bool) -> Option<(u32, u64)> {
        self.score_states(demand);
        let memos = &self.memos[demand as usize];
        if let Some(chance) = &mut self.chance {
            let (node, devices) = random_best(&self.ledger, memos, eligible, chance)?;
            let shape = self.ledger.demand(demand);
            if shape.count != 1 || shape.device[0] == 1000 {
                return Some((node, devices));
            }
            let space = self.ledger.space();
            let best = best_devices(&self.score, space, self.ledger.row(node as usize), shape);
            return Some((node, 1 << nth(best, chance.random_range(0..best.count_ones()))));
        }
        let best = Some(largest(&memos.scores)).filter(|score| *score > NEVER)?;
        let scores = memos.scores.iter().copied();
        let mut first: Option<(u32, u32, u64)> = None;
        for (state, _) in (0_u32..).zip(scores).filter(|(_, score)| *score == best) {
            if let Some((rank, node)) = self.ledger.first(state)
                && first.is_none_or(|(lowest, ..)| rank < lowest)
            {
                first = Some((rank, node, memos.devices[state as usize]));
            }
        }
        if let Some((_, node, devices)) = first
            && eligible(node)
        {
            return Some((node, devices));
        }
        // Some node is not eligible: look at each.
        (0..self.ledger.state_of().len() as u32)
            .filter(|node| eligible(*node))
            .map(|node| (self.ledger.state_of()[node as usize] as usize, node))
            .filter(|(state, _)| memos.scores[*state] > NEVER)
            .max_by_key(|(state, node)| {
                (
                    memos.scores[*state],
                    std::cmp::Reverse(self.ledger.rank(*node as usize)),
                )
            })
            .map(|(state, node)| (node, memos.devices[state]))
    }

    /// Brings the remembered scores of one demand up to date.
    fn score_states(&mut self, demand: u32) {
        let Self {
            score,
            ledger,
            memos,
            changed,
            standings,
            ..
        } = self;
        while memos.len() <= demand as usize {
            memos.push(Memos::default());
        }
        let states = ledger.states();
        let memos = &mut memos[demand as usize];
        memos.epochs.resize(states.len(), 0);
        memos.scores.resize(states.len(), NEVER);
        memos.devices.resize(states.len(), 0);
        standings.resize(states.len(), (0, 0));
        let shape = ledger.demand(demand);
        let space = ledger.space();
        let mut after = vec![0; space.stride];
        changed.clear();
        differing(&memos.epochs, states.epochs(), changed);
        for state in changed.iter().copied() {
            let at = state as usize;
            let epoch = states.epochs()[at];
            memos.epochs[at] = epoch;
            memos.scores[at] = NEVER;
            if states.members(state) == 0 {
                continue;
            }
            let row = states.row(state);
            let Some(fitting) = fit::room(space, row, shape) else {
                continue;
            };
            let standing = &mut standings[at];
            if standing.0 != epoch {
                *standing = (epoch, score.standing(NodeView { space, row }));
            }
            (memos.scores[at], memos.devices[at]) =
                score_state(score, space, row, shape, fitting, standing.1, &mut after);
        }
    }
}

/// The largest score, in eight lines of comparisons that do not wait for each other.
fn largest(scores: &[i64]) -> i64 {
    let mut best = [NEVER; 8];
    let (eights, rest) = scores.as_chunks::<8>();
    for eight in eights {
        for (best, score) in best.iter_mut().zip(eight) {
            *best = (*best).max(*score);
        }
    }
    best.iter().chain(rest).copied().max().unwrap_or(NEVER)
}

/// The positions where two lists of one length differ, looked at sixteen at a time.
pub(crate) fn differing(seen: &[u32], now: &[u32], changed: &mut Vec<u32>) {
    const AT_ONCE: usize = 16;
    let pairs = seen.chunks(AT_ONCE).zip(now.chunks(AT_ONCE));
    for (at, (seen, now)) in (0_u32..).step_by(AT_ONCE).zip(pairs) {
        if seen != now {
            let pairs = (at..).zip(seen.iter().zip(now));
            changed.extend(
                pairs
                    .filter(|(_, (seen, now))| seen != now)
                    .map(|(state, _)| state),
            );
        }
    }
}

/// The best score on one state and the devices that give it.
fn score_state<S: Score>(
    score: &S,
    space: &Space,
    row: &[u64],
    shape: &Demand,
    fitting: u64,
    standing: i64,
    after: &mut [u64],
) -> (i64, u64) {
    let mut trial = |devices: u64| {
        after.copy_from_slice(row);
        fit::take(space, after, shape, devices);
        score
            .score(&Trial {
                before: NodeView { space, row },
                standing,
                after: NodeView { space, row: after },
                demand: shape,
            })
            // Below every real score is the mark of what does not fit.
            .max(NEVER + 1)
    };
    if shape.count != 1 || shape.device[0] == 1000 {
        let devices = fit::tightest(space, row, fitting, shape.count);
        return (trial(devices), devices);
    }
    // One share of one device: every distinct device is a candidate, the tightest first.
    let (mut best, mut rest) = ((NEVER, 0), fitting);
    let mut last: Option<&[u64]> = None;
    while rest != 0 {
        let device = fit::tightest(space, row, rest, 1);
        rest &= !device;
        let width = space.device_dims();
        let cells = &row[1 + space.node_dims() + device.trailing_zeros() as usize * width..][..width];
        if last == Some(cells) {
            continue;
        }
        last = Some(cells);
        let value = trial(device);
        if value > best.0 {
            best = (value, device);
        }
    }
    best
}

/// Every device that is as good as the best for one share of one device.
fn best_devices<S: Score>(score: &S, space: &Space, row: &[u64], shape: &Demand) -> u64 {
    let before = NodeView { space, row };
    let standing = score.standing(before);
    let mut after = row.to_vec();
    let (mut best, mut mask, mut rest) = (NEVER, 0, fit::fitting(space, row, shape));
    while rest != 0 {
        let device = rest & rest.wrapping_neg();
        rest &= !device;
        after.copy_from_slice(row);
        fit::take(space, &mut after, shape, device);
        let after = NodeView { space, row: &after };
        let value = score.score(&Trial {
            before,
            standing,
            after,
            demand: shape,
        });
        if value > best || mask == 0 {
            (best, mask) = (value, 0);
        }
        if value == best {
            mask |= device;
        }
    }
    mask
}

/// The position of the bit number `n` of a mask.
fn nth(mut mask: u64, n: u32) -> u32 {
    for _ in 0..n {
        mask &= mask - 1;
    }
    mask.trailing_zeros()
}

/// One of the best nodes, each with the same probability.
fn random_best(
    ledger: &Ledger,
    memos: &Memos,
    eligible: &dyn Fn(u32) -> bool,
    chance: &mut Xoshiro256PlusPlus,
) -> Option<(u32, u64)> {
    let mut best = NEVER;
    let mut ties = 0_u64;
    let mut chosen = None;
    for (node, state) in (0_u32..).zip(ledger.state_of()) {
        let score = memos.scores[*state as usize];
        if score == NEVER || score < best || !eligible(node) {
            continue;
        }
        if score > best {
            (best, ties) = (score, 0);
        }
        ties += 1;
        if chance.random_range(0..ties) == 0 {
            chosen = Some((node, memos.devices[*state as usize]));
        }
    }
    chosen
}

/// A uniform permutation, the same on every platform.
fn shuffle(values: &mut [u32], chance: &mut impl Rng) {
    for i in (1..values.len()).rev() {
        values.swap(i, chance.random_range(0..=i as u64) as usize);
    }
}
