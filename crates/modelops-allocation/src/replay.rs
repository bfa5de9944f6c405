//! A trace of arrivals and departures against a policy, without a clock.

use std::collections::{BTreeMap, HashMap};

use crate::fleet::Fleet;
use crate::greedy::Greedy;
use crate::ledger::Ticket;
use crate::scheduler::Scheduler;
use crate::score::Score;
use crate::workload::Request;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// One replica of the request at this position arrives under this number.
    Arrive {
        /// The position of the request.
        request: usize,
        /// A number to name it by when it leaves.
        id: u64,
    },
    /// What arrived under this number leaves; nothing happens if it was not placed.
    Depart {
        /// The number.
        id: u64,
    },
}

/// The state after one arrival, in thousandths of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadPoint {
    /// What has arrived so far and not left.
    pub arrived: u64,
    /// What of it is placed.
    pub allocated: u64,
}

/// What a policy made of a trace.
///
/// # Example
/// ```
/// use modelops_allocation::score::BestFit;
/// use modelops_allocation::{DeviceDemand, Event, Fleet, Greedy, Replay, Request};
/// let fleet: Fleet = serde_json::from_str(r#"{"nodes": [{"name": "n", "devices": [{"kind": "L4"}]}]}"#)?;
/// let work = [Request::new("job").with_devices(DeviceDemand::whole(1))];
/// let arrive = |id| Event::Arrive { request: 0, id };
/// let events = [arrive(0), arrive(1), Event::Depart { id: 0 }, arrive(2)];
/// let replay = Replay::run(&fleet, &Greedy::new(BestFit::default()), &work, &events);
/// assert_eq!((replay.placed(), replay.rejected()), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    points: Vec<LoadPoint>,
    placed: u64,
    rejected: BTreeMap<usize, u64>,
    capacity: u64,
}

impl Replay {
    /// Plays the events in their order. Events that name no request are ignored.
    ///
    /// **Complexity**: one decision an arrival, see [`Scheduler`].
    #[must_use]
    pub fn run<S: Score>(fleet: &Fleet, greedy: &Greedy<S>, requests: &[Request], events: &[Event]) -> Self {
        Self::run_with(&mut Scheduler::new(fleet, greedy), fleet, requests, events)
    }

    /// The same on a scheduler that may hold something already, and holds what was placed afterwards.
    #[must_use]
    pub fn run_with<S: Score>(
        scheduler: &mut Scheduler<S>,
        fleet: &Fleet,
        requests: &[Request],
        events: &[Event],
    ) -> Self {
        let ledger = scheduler.ledger_mut();
        let mut parties = Vec::with_capacity(requests.len());
        let mut shares = Vec::with_capacity(requests.len());
        for request in requests {
            let party = ledger.party(request);
            ledger.pin(party);
            parties.push(party);
            shares.push(ledger.demand(ledger.demand_of(party)).total_share());
        }
        let departing: bool = events.iter().any(|event| matches!(event, Event::Depart { .. }));
        let mut present: HashMap<u64, (usize, Option<Ticket>)> = HashMap::new();
        let mut now = LoadPoint {
            arrived: 0,
            allocated: 0,
        };
        let mut points = Vec::with_capacity(events.len());
        let (mut placed, mut rejected) = (0, BTreeMap::new());
        for event in events {
            match *event {
                Event::Arrive { request, id } if request < requests.len() => {
                    now.arrived += shares[request];
                    let found = scheduler.bind_best(parties[request], |_| true);
                    let ticket = found.map(|placement| placement.ticket);
                    if ticket.is_some() {
                        now.allocated += shares[request];
                        placed += 1;
                    } else {
                        *rejected.entry(request).or_insert(0) += 1;
                    }
                    if departing {
                        present.insert(id, (request, ticket));
                    }
                    points.push(now);
                }
                Event::Depart { id } => {
                    if let Some((request, ticket)) = present.remove(&id) {
                        now.arrived -= shares[request];
                        if ticket.is_some_and(|ticket| scheduler.release(ticket).is_ok()) {
                            now.allocated -= shares[request];
                        }
                    }
                }
                Event::Arrive { .. } => {}
            }
        }
        Self {
            points,
            placed,
            rejected,
            capacity: 1000 * fleet.devices() as u64,
        }
    }

    /// The state after each arrival.
    #[must_use]
    pub fn points(&self) -> &[LoadPoint] {
        &self.points
    }

    /// How many replicas were placed.
    #[must_use]
    pub fn placed(&self) -> u64 {
        self.placed
    }

    /// How many were rejected.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// How many were rejected of the request at this position.
    #[must_use]
    pub fn rejected_of(&self, request: usize) -> u64 {
        self.rejected.get(&request).copied().unwrap_or(0)
    }

    /// The allocated part of all devices, in percent, when the load that has arrived is `percent` of them.
    ///
    /// The mean over the arrivals at which that load rounds to `percent`; `None` where there was no such arrival.
    #[must_use]
    pub fn allocation_at(&self, percent: u64) -> Option<f64> {
        let of = |part: u64| 100.0 * part as f64 / self.capacity as f64;
        let at = self
            .points
            .iter()
            .filter(|point| of(point.arrived).round() == percent as f64);
        let (sum, count) = at.fold((0.0, 0_u32), |(sum, count), point| {
            (sum + of(point.allocated), count + 1)
        });
        (count > 0).then(|| sum / f64::from(count))
    }
}
