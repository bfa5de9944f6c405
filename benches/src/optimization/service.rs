//! The service tuner on a simulated queue beside random search: how often each breaks the limit, and what it finds.

use modelops_benches::{Better, Comparison};
use modelops_optimization::{
    Direction, Measurement, Parameters, RandomSampler, RunOptions, SearchSpace, ServiceTuner, ServingQueue,
    Study,
};

const TRIALS: usize = 60;
const WARM_UP: usize = 10;
const SEEDS: u64 = 10;
/// Requests that no tuner saw.
const FRESH: u64 = 1000;

pub(crate) fn run(comparison: &mut Comparison) {
    for (name, rate, input, output, limit) in [
        ("chat", 80.0, 400.0, 250.0, 12.0),
        ("summaries", 30.0, 2500.0, 120.0, 6.0),
        ("completion", 80.0, 800.0, 40.0, 2.0),
    ] {
        let case = format!("tuning a service, {name}, {TRIALS} trials, {SEEDS} seeds");
        if !comparison.wants(&case) {
            continue;
        }
        let service = Service {
            queue: ServingQueue::new(rate, input, output).expect("a regular load"),
            // Tokens a second that all replicas together can be asked for.
            demand: rate * (output + 1.0) * 1.1,
            limit,
            space: ServingQueue::space().expect("a regular space"),
        };
        let best = service.best();
        comparison
            .case(&case)
            .ours(|| service.over_seeds(best, |seed| service.tuned(seed)))
            .peer("random search", || {
                service.over_seeds(best, |seed| service.random(seed))
            })
            .rounds(1)
            .cold()
            .without_times()
            .value(
                "trials over the limit after the warm-up",
                "%",
                Better::Lower,
                |out: &Figures| out.over_the_limit,
            )
            .value(
                "throughput against the best of a grid, mean",
                "",
                Better::Higher,
                |out| out.mean,
            )
            .value(
                "throughput against the best of a grid, least",
                "",
                Better::Higher,
                |out| out.least,
            )
            .value(
                "recommendations that keep the limit on other requests",
                "of 10",
                Better::Higher,
                |out| out.kept,
            )
            .run();
    }
}

struct Service {
    queue: ServingQueue,
    demand: f64,
    limit: f64,
    space: SearchSpace,
}

/// Over all seeds.
struct Figures {
    /// Per cent of the trials after the warm-up.
    over_the_limit: f64,
    mean: f64,
    least: f64,
    kept: f64,
}

/// The trials over the limit after the warm-up, and what the recommended configuration does on fresh requests.
type Run = (usize, Option<Measurement>);

impl Service {
    fn tuner(&self, seed: u64) -> ServiceTuner {
        let start = ServingQueue::modest(&self.space).expect("a regular space");
        ServiceTuner::new(self.space.clone(), self.limit)
            .with_start(start)
            .with_seed(seed)
            .with_warm_up(WARM_UP)
    }

    fn measure(&self, parameters: &Parameters, seed: u64) -> Measurement {
        let measured = self.queue.simulate(parameters, seed);
        measured.expect("a point of the space")
    }

    fn tuned(&self, seed: u64) -> Run {
        let tuner = self.tuner(seed);
        let measure = |number: usize, parameters: &Parameters| self.queue.simulate(parameters, number as u64);
        let study = tuner.tune(TRIALS, |t| measure(t.number(), t.parameters()));
        let study = study.expect("a regular study");
        let winner = tuner.recommend(&study);
        (late(&study), winner.map(|t| self.measure(t.parameters(), FRESH)))
    }

    /// Its best trial is what random search recommends.
    fn random(&self, seed: u64) -> Run {
        let tuner = self.tuner(0);
        let mut study = Study::new("random", self.space.clone(), Direction::Maximize)
            .with_sampler(RandomSampler::new(seed));
        study
            .run(&RunOptions::new(TRIALS), |t| {
                let measured = self.queue.simulate(t.parameters(), t.number() as u64);
                measured.map(|m| tuner.outcome(m))
            })
            .expect("a regular study");
        let best = study.best_trial();
        (late(&study), best.map(|t| self.measure(t.parameters(), FRESH)))
    }

    /// Two seeds at a time: what is measured is no time.
    fn over_seeds(&self, best: f64, run: impl Fn(u64) -> Run + Sync) -> Figures {
        let runs: Vec<Run> = in_two(&(0..SEEDS).collect::<Vec<_>>(), |seed| run(*seed));
        let found = || runs.iter().map(|(_, m)| m.map_or(0.0, |m| m.throughput / best));
        let after = SEEDS as usize * (TRIALS - WARM_UP);
        let late: usize = runs.iter().map(|(late, _)| late).sum();
        let keeps = |(_, m): &&Run| m.is_some_and(|m| m.latency <= self.limit);
        Figures {
            over_the_limit: 100.0 * late as f64 / after as f64,
            mean: found().sum::<f64>() / SEEDS as f64,
            least: found().fold(f64::INFINITY, f64::min),
            kept: runs.iter().filter(keeps).count() as f64,
        }
    }

    /// The largest throughput that keeps the limit on a grid of batches, shares and replicas, with the longest answers that do,
    /// over requests that no tuner saw.
    fn best(&self) -> f64 {
        let batches = [4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256];
        let bests = in_two(&batches, |batch| {
            let mut best = 0.0f64;
            for replicas in 1..=20 {
                for share in 1..=9 {
                    best = best.max(self.longest(*batch, f64::from(share) * 0.1, replicas, best));
                }
            }
            best
        });
        bests.into_iter().fold(0.0, f64::max)
    }

    /// The throughput with the longest answers that keep the limit, found by halving; 0 where it cannot exceed `known`.
    fn longest(&self, batch: i64, share: f64, replicas: i64, known: f64) -> f64 {
        let (mut keeps, mut breaks, mut best) = (15, 2049, 0.0f64);
        // No replica serves more than its part of what is asked for.
        if self.demand / replicas as f64 <= known {
            return best;
        }
        while breaks - keeps > 1 + keeps / 100 {
            let tokens: i64 = (keeps + breaks) / 2;
            let values = [
                ("batch", batch.into()),
                ("max_tokens", tokens.into()),
                ("kv_share", share.into()),
                ("replicas", replicas.into()),
            ];
            let parameters = Parameters::from_values(&self.space, values).expect("a point of the space");
            let measured = self.measure(&parameters, FRESH);
            if measured.latency <= self.limit {
                keeps = tokens;
                best = best.max(measured.throughput);
            } else {
                breaks = tokens;
            }
        }
        best
    }
}

/// Maps on two threads: every other item, as neighbours take alike; the results in the order of the items.
fn in_two<T: Sync, R: Send>(items: &[T], map: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let half = |first: usize| items.iter().skip(first).step_by(2).map(&map).collect::<Vec<R>>();
    let (even, odd) = std::thread::scope(|scope| {
        let odd = scope.spawn(|| half(1));
        (half(0), odd.join().expect("a regular service"))
    });
    let (mut even, mut odd) = (even.into_iter(), odd.into_iter());
    (0..items.len())
        .filter_map(|k| if k % 2 == 0 { even.next() } else { odd.next() })
        .collect()
}

fn late(study: &Study) -> usize {
    let trials = study.trials()[WARM_UP..].iter();
    trials.filter(|t| !t.is_feasible()).count()
}
