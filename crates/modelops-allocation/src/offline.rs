//! A batch that is known in full: the best of several orders, then moves.

use std::collections::HashMap;

use crate::fleet::Fleet;
use crate::greedy::{Greedy, Order};
use crate::ledger::Ticket;
use crate::plan::{Binding, Plan, Rejected};
use crate::replan::{MoveBudget, Step, replan};
use crate::scheduler::Scheduler;
use crate::score::Score;
use crate::workload::{Request, Workload};

impl<S: Score> Greedy<S> {
    /// Places a batch that is known in full: plans it in every order, takes the best, and improves it by moves until none places more.
    ///
    /// Use it where nothing runs yet and a second is affordable. The plan is never worth less than [`Greedy::plan`] in any order.
    /// Requests with constraints stay where the greedy placed them.
    ///
    /// **Complexity**: six plans and one [`replan`] without a budget.
    ///
    /// # Example
    /// ```
    /// use modelops_allocation::score::WorstFit;
    /// use modelops_allocation::{Fleet, Greedy, Node, Request, Resources, Workload};
    /// let cpu = |n| Resources::new().with("cpu", n);
    /// let fleet = Fleet::try_new(vec![Node::new("a", cpu(10)), Node::new("b", cpu(10))])?;
    /// let work = Workload::try_new([3, 3, 4, 4, 6].iter().enumerate()
    ///     .map(|(i, n)| Request::new(format!("r{i}")).with_resource("cpu", *n).with_value(*n)).collect())?;
    /// let greedy = Greedy::new(WorstFit); // leaves the 6 out
    /// assert_eq!(greedy.plan(&fleet, &work).value(), 14);
    /// assert_eq!(greedy.plan_offline(&fleet, &work).value(), 17); // the largest first
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn plan_offline(&self, fleet: &Fleet, workload: &Workload) -> Plan {
        let orders = [
            self.order,
            Order::Decreasing,
            Order::ByDensity,
            Order::ByValue,
            Order::WholeFirst,
            Order::AsGiven,
        ];
        let mut best: Option<Plan> = None;
        for order in orders {
            let plan = self.clone().with_order(order).plan(fleet, workload);
            if best.as_ref().is_none_or(|best| plan.value() > best.value()) {
                best = Some(plan);
            }
        }
        let best = best.unwrap_or_else(|| self.plan(fleet, workload));
        if best.gap() == 0.0 {
            return best;
        }
        improve(self, fleet, workload, &best)
    }
}

/// A plan after moves that place more of what it left out.
fn improve<S: Score>(greedy: &Greedy<S>, fleet: &Fleet, workload: &Workload, plan: &Plan) -> Plan {
    let requests = workload.requests();
    let mut scheduler = Scheduler::new(fleet, greedy);
    let mut bindings: Vec<Binding> = plan.bindings().to_vec();
    let mut index: HashMap<Ticket, usize> = HashMap::new();
    for (i, binding) in bindings.iter().enumerate() {
        let ledger = scheduler.ledger_mut();
        let party = ledger.party(&requests[binding.request]);
        let devices = binding.devices.iter().fold(0, |mask, device| mask | 1 << device);
        index.insert(ledger.bind_unchecked(party, binding.node as u32, devices), i);
    }
    // The numbers of the replicas that were left out, the first last.
    let mut left: Vec<Vec<u32>> = vec![Vec::new(); requests.len()];
    for rejected in plan.rejected().iter().rev() {
        left[rejected.request].push(rejected.replica);
    }
    let pending: Vec<Request> = requests
        .iter()
        .zip(&left)
        .map(|(request, left)| request.clone().with_replicas(left.len() as u32))
        .collect();
    let migration = replan(scheduler.ledger(), &pending, MoveBudget::moves(usize::MAX));
    for step in migration.steps() {
        match step {
            Step::Move {
                ticket,
                node,
                devices,
            } => {
                if let Some(i) = index.get(ticket) {
                    bindings[*i].node = *node;
                    bindings[*i].devices.clone_from(devices);
                }
            }
            Step::Place {
                pending,
                node,
                devices,
            } => {
                if let Some(replica) = left[*pending].pop() {
                    bindings.push(Binding {
                        request: *pending,
                        replica,
                        node: *node,
                        devices: devices.clone(),
                    });
                }
            }
        }
    }
    let applied = migration.apply(scheduler.ledger_mut(), &pending);
    debug_assert!(applied.is_ok(), "it was planned for this ledger");
    let still = |rejected: &&Rejected| left[rejected.request].contains(&rejected.replica);
    let mut rejected: Vec<Rejected> = plan.rejected().iter().filter(still).cloned().collect();
    let mut answers = HashMap::new();
    for entry in &mut rejected {
        let request = &requests[entry.request];
        if request.gang() && request.replicas() > 1 {
            continue;
        }
        let answer = answers
            .entry(entry.request)
            .or_insert_with(|| scheduler.why_not(request));
        if let Some(answer) = answer {
            entry.reason = answer.reason.clone();
            entry.change.clone_from(&answer.change);
        }
    }
    Plan::new(fleet, workload, bindings, rejected, plan.bound().clone())
}
