//! A simulated service: requests in a queue, continuous batches on replicas.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::RngExt;

use super::tuner::Measurement;
use crate::search::random::trial_generator;
use crate::{OptimizationError, ParameterError, Parameters, SearchSpace, SpaceError};

/// A model served by several replicas that take requests from one queue, to rehearse tuning with.
///
/// Four knobs: how many requests a replica works on at a time, the most tokens an answer may have, the share of memory for the
/// key-value cache, and the number of replicas. Larger batches make better use of a replica and slow each answer; longer
/// answers serve more tokens and reserve more cache; more cache lets more requests in and leaves less memory to read their
/// inputs with; replicas cost.
///
/// **Model**: requests arrive at random at a fixed rate, with inputs and answers of exponentially distributed lengths. Each goes to the
/// replica with the fewest, as soon as one has room in its batch and in its cache for the input and the longest possible answer. Reading
/// an input holds the replica up for 60 µs a token / (1 − share); then all of its k requests get a token every 12 ms + 0.2 ms · k.
///
/// **Complexity**: O(requests · replicas).
///
/// # Example
///
/// ```
/// use modelops_optimization::ServingQueue;
///
/// let queue = ServingQueue::new(20.0, 400.0, 250.0)?;
/// let in_use = ServingQueue::modest(&ServingQueue::space()?)?;
/// let measured = queue.simulate(&in_use, 1)?;
/// assert!(measured.latency < 12.0 && measured.throughput > 0.0);
/// assert_eq!(queue.simulate(&in_use, 1)?, measured); // the same requests
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServingQueue {
    rate: f64,
    input: f64,
    output: f64,
}

/// Tokens that the whole memory of a replica could cache.
const MEMORY: f64 = 100_000.0;
const REQUESTS: usize = 10_000;
const READING: f64 = 60e-6;
const STEP: f64 = 12e-3;
const STEP_A_REQUEST: f64 = 0.2e-3;

/// One request: when it came, its tokens in and out.
struct Request {
    arrival: f64,
    input: f64,
    output: f64,
}

/// A replica at work.
struct Replica {
    /// Up to when it is simulated; later than now while it reads an input.
    time: f64,
    /// Tokens that a request present from the start would have got.
    progress: f64,
    /// For each request the progress at which it is done, in thousandths of a token, and its place in the list.
    running: BinaryHeap<Reverse<(u64, usize)>>,
    cached: f64,
    /// When its requests last changed, and how full it was up to then, times the seconds.
    changed: f64,
    filled: f64,
}

impl Replica {
    /// Notes how full it was until now, of its batch or its cache, whichever is fuller.
    fn note(&mut self, now: f64, batch: usize, cache: f64) {
        let full = (self.running.len() as f64 / batch as f64).max(self.cached / cache);
        self.filled += (now - self.changed) * full.min(1.0);
        self.changed = now;
    }

    fn seconds_a_token(&self) -> f64 {
        STEP + STEP_A_REQUEST * self.running.len() as f64
    }

    /// When its next request is done.
    fn next_done(&self) -> f64 {
        self.running.peek().map_or(f64::INFINITY, |Reverse((done, _))| {
            self.time + (*done as f64 * 1e-3 - self.progress).max(0.0) * self.seconds_a_token()
        })
    }

    fn advance(&mut self, now: f64) {
        if now > self.time {
            if !self.running.is_empty() {
                self.progress += (now - self.time) / self.seconds_a_token();
            }
            self.time = now;
        }
    }
}

impl ServingQueue {
    /// A service at `rate` requests a second with so many tokens of input and of output on average.
    ///
    /// # Errors
    ///
    /// [`OptimizationError::InvalidHyperparameter`] for a number that is not above 0 and at most 10⁹.
    pub fn new(rate: f64, input: f64, output: f64) -> Result<Self, OptimizationError> {
        for (name, value) in [("rate", rate), ("input", input), ("output", output)] {
            if !(value > 0.0 && value <= 1e9) {
                return Err(OptimizationError::InvalidHyperparameter {
                    name,
                    value,
                    requirement: "above 0 and at most 1e9",
                });
            }
        }
        Ok(Self { rate, input, output })
    }

    /// The knobs: `batch`, `max_tokens`, `kv_share`, `replicas`.
    ///
    /// # Errors
    ///
    /// None in practice: the ranges are fixed.
    pub fn space() -> Result<SearchSpace, SpaceError> {
        SearchSpace::new()
            .log_int("batch", 1..=256)?
            .log_int("max_tokens", 16..=2048)?
            .float("kv_share", 0.1..=0.9)?
            .log_int("replicas", 1..=64)
    }

    /// A configuration that is far from the limits of an ordinary service: 48 replicas with batches of 16.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] for another space than [`ServingQueue::space`].
    pub fn modest(space: &SearchSpace) -> Result<Parameters, ParameterError> {
        let values = [
            ("batch", 16.into()),
            ("max_tokens", 128.into()),
            ("kv_share", 0.5.into()),
            ("replicas", 48.into()),
        ];
        Parameters::from_values(space, values)
    }

    /// Serves 10,000 requests, the same ones for the same seed: output tokens a second and replica, the 99th percentile of the seconds
    /// from arrival to answer, and how full the replicas are on average, of their batch or their cache, whichever is fuller.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] where a knob is missing.
    pub fn simulate(&self, knobs: &Parameters, seed: u64) -> Result<Measurement, ParameterError> {
        let batch = knobs.int("batch")?.max(1) as usize;
        let most = knobs.int("max_tokens")?.max(1) as f64;
        let share = knobs.float("kv_share")?.clamp(0.0, 0.99);
        let replicas = knobs.int("replicas")?.max(1) as usize;
        let reading = READING / (1.0 - share);
        let requests = self.requests(seed, most);
        let needs = |k: usize| requests[k].input + most;
        // More replicas than requests have nothing to do.
        let mut fleet: Vec<Replica> = (0..replicas.min(REQUESTS))
            .map(|_| Replica {
                time: 0.0,
                progress: 0.0,
                running: BinaryHeap::new(),
                cached: 0.0,
                changed: 0.0,
                filled: 0.0,
            })
            .collect();
        let mut queue: VecDeque<usize> = VecDeque::new();
        let (mut coming, mut end) = (0, 0.0f64);
        let mut waits = Vec::with_capacity(REQUESTS);
        while waits.len() < requests.len() {
            let arrival = requests.get(coming).map_or(f64::INFINITY, |r| r.arrival);
            let done = fleet.iter().map(Replica::next_done).enumerate();
            let (first, done) = done.fold((0, f64::INFINITY), |a, b| if b.1 < a.1 { b } else { a });
            let now = if arrival <= done {
                queue.push_back(coming);
                coming += 1;
                arrival
            } else {
                let replica = &mut fleet[first];
                replica.note(done, batch, share * MEMORY);
                replica.advance(done);
                if let Some(Reverse((_, k))) = replica.running.pop() {
                    replica.cached -= needs(k);
                    waits.push(done - requests[k].arrival);
                }
                end = end.max(done);
                done
            };
            while let Some(&k) = queue.front() {
                // A request alone always fits.
                let room = |r: &&mut Replica| {
                    r.running.is_empty() || (r.running.len() < batch && r.cached + needs(k) <= share * MEMORY)
                };
                let Some(replica) = fleet.iter_mut().filter(room).min_by_key(|r| r.running.len()) else {
                    break;
                };
                queue.pop_front();
                replica.note(now, batch, share * MEMORY);
                replica.advance(now);
                replica.time += reading * requests[k].input;
                replica.cached += needs(k);
                let done = ((replica.progress + requests[k].output) * 1e3) as u64;
                replica.running.push(Reverse((done, k)));
            }
        }
        waits.sort_by(f64::total_cmp);
        let tokens: f64 = requests.iter().map(|r| r.output).sum();
        Ok(Measurement {
            throughput: tokens / end / replicas as f64,
            saturation: Some(fleet.iter().map(|r| r.filled).sum::<f64>() / end / replicas as f64),
            latency: waits[(waits.len() * 99).div_ceil(100) - 1],
        })
    }

    fn requests(&self, seed: u64, most: f64) -> Vec<Request> {
        let mut generator = trial_generator(seed, 0);
        let mut now = 0.0;
        (0..REQUESTS)
            .map(|_| {
                let mut exponential = |mean: f64| -mean * (1.0 - generator.random::<f64>()).ln();
                now += exponential(1.0 / self.rate);
                let input = exponential(self.input).ceil().max(1.0);
                let output = exponential(self.output).ceil().clamp(1.0, most);
                Request {
                    arrival: now,
                    input,
                    output,
                }
            })
            .collect()
    }
}
