//! Laws of the service tuner and of the queue it is rehearsed on.

use modelops_optimization::{
    Direction, Measurement, OptimizationError, Outcome, ParameterError, Parameters, RandomSampler,
    RunOptions, SearchSpace, ServiceTuner, ServingQueue, Study, StudyError,
};

const TRIALS: usize = 60;
const WARM_UP: usize = 10;

fn knobs(batch: i64, max_tokens: i64, kv_share: f64, replicas: i64) -> Parameters {
    let values = [
        ("batch", batch.into()),
        ("max_tokens", max_tokens.into()),
        ("kv_share", kv_share.into()),
        ("replicas", replicas.into()),
    ];
    Parameters::from_values(&ServingQueue::space().unwrap(), values).unwrap()
}

fn chat() -> ServingQueue {
    ServingQueue::new(80.0, 400.0, 250.0).unwrap()
}

fn tuner(limit: f64, seed: u64) -> ServiceTuner {
    let space = ServingQueue::space().unwrap();
    let start = ServingQueue::modest(&space).unwrap();
    ServiceTuner::new(space, limit)
        .with_start(start)
        .with_seed(seed)
        .with_warm_up(WARM_UP)
}

fn tuned(queue: ServingQueue, limit: f64, seed: u64, trials: usize) -> Study {
    tuner(limit, seed)
        .tune(trials, |trial| {
            queue.simulate(trial.parameters(), trial.number() as u64)
        })
        .unwrap()
}

fn violations(study: &Study) -> usize {
    let late = study.trials()[WARM_UP..].iter();
    late.filter(|t| !t.is_feasible()).count()
}

/// What random search finds on as many trials, and how many of them break the limit.
fn at_random(queue: ServingQueue, limit: f64, seed: u64) -> (f64, usize) {
    let tuner = tuner(limit, 0);
    let mut study = Study::new("random", ServingQueue::space().unwrap(), Direction::Maximize)
        .with_sampler(RandomSampler::new(seed));
    let outcome = |m: Result<Measurement, ParameterError>| m.map(|m| tuner.outcome(m));
    study
        .run(&RunOptions::new(TRIALS), |t| {
            outcome(queue.simulate(t.parameters(), t.number() as u64))
        })
        .unwrap();
    let best = study.best_trial().and_then(|t| t.value()).unwrap_or(0.0);
    (best, violations(&study))
}

#[test]
fn the_tuner_beats_random_search_and_seldom_breaks_the_limit() {
    let study = tuned(chat(), 12.0, 1, TRIALS);
    let best = tuner(12.0, 1).recommend(&study).unwrap().value().unwrap();
    let (random, broken) = at_random(chat(), 12.0, 1);
    assert!(best > 1.2 * random, "{best} against {random} at random");
    assert!(violations(&study) < 4 && broken > 10, "{broken} at random");
}

#[test]
fn a_tuned_study_is_the_same_every_time() {
    let queue = ServingQueue::new(80.0, 800.0, 40.0).unwrap();
    let (a, b) = (tuned(queue, 2.0, 4, 25), tuned(queue, 2.0, 4, 25));
    assert_eq!(a.trials(), b.trials());
}

#[test]
fn the_queue_behaves_as_queues_do() {
    let at = |config: &Parameters| chat().simulate(config, 3).unwrap();
    let base = at(&knobs(32, 256, 0.5, 12));
    // More replicas are emptier, answer sooner and earn less each; one replica drowns.
    let more = at(&knobs(32, 256, 0.5, 24));
    assert!(more.latency < base.latency && more.throughput < 0.6 * base.throughput);
    assert!(more.saturation < base.saturation);
    let drowned = at(&knobs(32, 256, 0.5, 1));
    assert!(drowned.latency > 10.0 * base.latency && drowned.saturation > Some(0.9));
    // So do batches of one, and a cache that holds two requests.
    assert!(at(&knobs(1, 256, 0.5, 12)).latency > 10.0 * base.latency);
    assert!(at(&knobs(32, 2048, 0.1, 12)).latency > 5.0 * base.latency);
    // Longer answers earn more and take longer.
    let longer = at(&knobs(32, 512, 0.5, 12));
    assert!(longer.latency > base.latency && longer.throughput > base.throughput);
    assert_eq!(at(&knobs(32, 256, 0.5, 12)), base);
    assert_ne!(chat().simulate(&knobs(32, 256, 0.5, 12), 4).unwrap(), base);
}

/// With as many replicas as requests nobody waits: the latency of each is the time of its own tokens.
#[test]
fn a_request_alone_takes_the_time_of_its_tokens() {
    let queue = ServingQueue::new(1e-3, 1.0, 1e9).unwrap();
    let measured = queue.simulate(&knobs(1, 100, 0.5, 64), 0).unwrap();
    // 100 tokens of 12.2 ms each, as all answers are cut at 100, after a few tokens of input.
    assert!((measured.latency - 1.22).abs() < 0.01, "{measured:?}");
}

#[test]
fn measurements_that_are_none_are_failures_and_the_tuner_goes_on() {
    let space = SearchSpace::new().float("x", 0.0..=1.0).unwrap();
    let odd = |number: usize| match number % 5 {
        0 => (f64::NAN, 0.5, None),
        1 => (1.0, f64::INFINITY, Some(2.0)),
        2 => (0.0, 0.0, None),
        3 => (f64::INFINITY, 0.5, Some(0.0)),
        _ => (1.0, 0.5, Some(0.5)),
    };
    let study = ServiceTuner::new(space.clone(), 1.0).tune(30, |trial| {
        let (throughput, latency, saturation) = odd(trial.number());
        if trial.number() == 7 {
            return Err("no answer");
        }
        Ok(Measurement {
            throughput,
            latency,
            saturation,
        })
    });
    let study = study.unwrap();
    assert_eq!(study.trials().len(), 30);
    assert_eq!(study.trials()[7].reason(), Some("no answer"));
    assert!(study.best_trial().unwrap().is_feasible());
    // Nothing keeps the limit.
    let tuner = ServiceTuner::new(space.clone(), 1.0)
        .with_warm_up(0)
        .with_caution(-1.0);
    let hopeless = tuner.tune(15, |_| -> Result<_, OptimizationError> {
        Ok(Measurement {
            throughput: 1.0,
            latency: 5.0,
            saturation: None,
        })
    });
    assert!(tuner.recommend(&hopeless.unwrap()).is_none());
    // Spaces without parameters or without numbers.
    let choices = SearchSpace::new().categorical("quant", ["fp16", "int8"]).unwrap();
    for space in [SearchSpace::new(), choices] {
        let study = ServiceTuner::new(space, 1.0).tune(14, |_| -> Result<_, OptimizationError> {
            Ok(Measurement {
                throughput: 1.0,
                latency: 0.9,
                saturation: None,
            })
        });
        assert_eq!(study.unwrap().trials().len(), 14);
    }
    for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = ServiceTuner::new(space.clone(), limit).study("refused");
        assert!(matches!(refused, Err(StudyError::BadLimit { .. })));
    }
    for bad in [0.0, f64::NAN, f64::INFINITY, 1e10] {
        assert!(ServingQueue::new(bad, 1.0, 1.0).is_err() && ServingQueue::new(1.0, 1.0, bad).is_err());
    }
}

#[test]
fn a_tuner_on_workers_is_the_same_study() {
    let run = |workers| {
        let tuner = tuner(12.0, 2);
        let mut study = tuner.study("service").unwrap().with_concurrency(4);
        let options = RunOptions::new(24).with_workers(workers);
        study
            .run(&options, |trial| -> Result<Outcome, ParameterError> {
                Ok(tuner.outcome(chat().simulate(trial.parameters(), trial.number() as u64)?))
            })
            .unwrap();
        study
    };
    assert_eq!(run(1).trials(), run(4).trials());
}

mod slow {
    use super::*;

    /// The largest throughput that keeps the limit on a grid of batches, shares and replicas, with the longest answers that do, found by
    /// halving, over requests that no tuner saw.
    fn best_on_a_grid(queue: ServingQueue, limit: f64) -> f64 {
        let mut best = 0.0f64;
        for batch in [4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256] {
            for share in 1..=9 {
                for replicas in 1..=20 {
                    let at = |tokens| {
                        let config = knobs(batch, tokens, f64::from(share) * 0.1, replicas);
                        queue.simulate(&config, 1000).unwrap()
                    };
                    let (mut keeps, mut breaks) = (15, 2049);
                    while breaks - keeps > 1 + keeps / 100 {
                        let tokens = (keeps + breaks) / 2;
                        let measured = at(tokens);
                        if measured.latency <= limit {
                            keeps = tokens;
                            best = best.max(measured.throughput);
                        } else {
                            breaks = tokens;
                        }
                    }
                }
            }
        }
        best
    }

    #[test]
    #[ignore = "minutes"]
    fn three_services_with_ten_seeds_each() {
        for (name, rate, input, output, limit) in [
            ("chat", 80.0, 400.0, 250.0, 12.0),
            ("summaries", 30.0, 2500.0, 120.0, 6.0),
            ("completion", 80.0, 800.0, 40.0, 2.0),
        ] {
            let queue = ServingQueue::new(rate, input, output).unwrap();
            let best = best_on_a_grid(queue, limit);
            let (mut broken, mut found, mut kept) = (0, Vec::new(), 0);
            let (mut random, mut random_broken) = (Vec::new(), 0);
            for seed in 0..10 {
                let study = tuned(queue, limit, seed, TRIALS);
                broken += violations(&study);
                let winner = tuner(limit, seed).recommend(&study).unwrap().parameters();
                let again = queue.simulate(winner, 1000).unwrap();
                found.push(again.throughput / best);
                kept += usize::from(again.latency <= limit);
                let (value, over) = at_random(queue, limit, seed);
                random.push(value / best);
                random_broken += over;
            }
            let percent = |broken: usize| broken as f64 / (10 * (TRIALS - WARM_UP)) as f64 * 100.0;
            let mean = |parts: &[f64]| parts.iter().sum::<f64>() / 10.0;
            let least = found.iter().fold(f64::INFINITY, |a, b| a.min(*b));
            println!(
                "{name}: {:.1} % broke the limit; {:.3} of the best on average, {least:.3} at least, {kept} of 10 keep it again; \
                 random: {:.1} %, {:.3}",
                percent(broken),
                mean(&found),
                percent(random_broken),
                mean(&random),
            );
            assert!(
                percent(broken) <= 5.0 && mean(&found) >= 0.95,
                "{name}: {found:?}"
            );
        }
    }
}
