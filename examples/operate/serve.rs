//! Stage 7: what happens while the model is served?
//!
//! Requests arrive and are answered on a virtual clock, one worker with a queue, so that the metrics and the log are the
//! same on every run. Authentication and predictions are real.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use modelops::monitoring::{
    HistogramOptions, Objective, RecordLog, RecordLogOptions, RecordReader, Registry, Status, WhenFull,
    label_enum, label_set,
};
use modelops::security::ApiKeyError;
use ndarray::Axis;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::json;

use crate::SEED;
use crate::cycle::Stage;
use crate::protect::{Callers, NOW};
use crate::prune::Pruned;
use crate::select::Data;

const REQUESTS: usize = 4_000;
/// Seconds within which an answer is good.
const PROMISE: f64 = 0.05;

label_enum! {
    /// How a request ended.
    enum Outcome {
        Answered = "answered",
        NotANumber = "not_a_number",
        Unknown = "unknown_key",
        Revoked = "revoked_key",
        Expired = "expired_key",
    }
}

label_set! {
    /// The labels of a request.
    struct Labels<'a> { caller: &'a str, outcome: Outcome }
}

/// A line of the request log.
#[derive(serde::Serialize)]
struct Record<'a> {
    at_seconds: f64,
    caller: &'a str,
    seconds: f64,
    class: Option<&'a str>,
    error: Option<&'a str>,
}

/// Replays the stream, then reads the log back and judges the promise.
pub(crate) fn run(
    stage: &mut Stage<'_>,
    data: &Data,
    pruned: &Pruned,
    callers: &Callers,
) -> Result<(), Box<dyn Error>> {
    let registry = Registry::new("classifier")?;
    let requests =
        registry.counter_family::<Labels<'static>>("requests", "Finished requests by caller and outcome.")?;
    let options = HistogramOptions::seconds().with_buckets(&[0.005, 0.01, 0.025, PROMISE, 0.1, 0.25]);
    let latency = registry.histogram("request_seconds", "Time from arrival to answer.", options)?;
    let hits = registry.counter("correct_predictions", "Answers that were the true class.")?;
    let options = RecordLogOptions::default()
        .with_max_file_bytes(256 << 10)
        .with_when_full(WhenFull::Wait);
    let log = RecordLog::create(stage.path("log"), options)?;

    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut exponential = |mean: f64| -mean * (1.0 - rng.random::<f64>()).ln();
    let mut choose = Xoshiro256PlusPlus::seed_from_u64(SEED + 1);
    let (mut clock, mut free, mut answered, mut correct) = (0.0_f64, 0.0_f64, 0_u64, 0_u64);
    let bar = stage.bar(REQUESTS, "requests");
    for _ in 0..REQUESTS {
        clock += exponential(0.02);
        // Most calls come from those who may; the last three have a revoked, an expiring and a foreign key.
        let caller = match choose.random_range(0..100) {
            0..55 => 0,
            55..90 => 1,
            90..93 => 2,
            93..98 => 3,
            _ => 4,
        };
        let (caller, token) = &callers.tokens[caller];
        let row = choose.random_range(0..data.test.y.len());
        let mut features = data.test.x.row(row).to_owned();
        if choose.random_range(0..200) == 0 {
            features[0] = f64::NAN;
        }
        let (outcome, class) = match callers.keys.authenticate(token, NOW.plus(clock as u64)) {
            Ok(who) if !who.allows(&callers.scope) => (Outcome::Unknown, None),
            Ok(_) if features.iter().any(|x| !x.is_finite()) => (Outcome::NotANumber, None),
            Ok(_) => (
                Outcome::Answered,
                pruned.model.predict(features.view().insert_axis(Axis(0)))?.pop(),
            ),
            Err(ApiKeyError::Revoked) => (Outcome::Revoked, None),
            Err(ApiKeyError::Expired) => (Outcome::Expired, None),
            Err(_) => (Outcome::Unknown, None),
        };
        let work = if class.is_some() {
            0.002 + exponential(0.006)
        } else {
            0.0002
        };
        free = free.max(clock) + work;
        let seconds = free - clock;
        requests.with(&Labels { caller, outcome }).inc();
        latency.observe(seconds);
        if let Some(class) = class {
            answered += 1;
            correct += u64::from(class == data.test.y[row]);
        }
        log.write(&Record {
            at_seconds: clock,
            caller,
            seconds,
            class: class.map(|class| data.classes[class].as_str()),
            error: reason(outcome),
        })?;
        bar.step();
    }
    bar.done();
    hits.inc_by(correct);
    let written = log.close()?;
    stage.write("metrics.prom", registry.to_prometheus_text())?;

    let summary = RecordReader::open(stage.path("log"))?
        .group_by("error")
        .summarize("seconds")?;
    let mut text = String::new();
    writeln!(text, "requests  {}", summary.records)?;
    for (name, q) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        writeln!(
            text,
            "{name}       {:.4} s",
            summary.values.quantile(q).unwrap_or(f64::NAN)
        )?;
    }
    let errors: BTreeMap<&str, u64> = summary
        .groups
        .iter()
        .map(|(reason, values)| (reason.as_str(), values.count()))
        .collect();
    writeln!(text, "errors    {}", errors.values().sum::<u64>())?;
    for (reason, count) in &errors {
        writeln!(text, "  {reason:<14}{count:>6}")?;
    }
    let promise = Objective::latency("answers within 50 ms", PROMISE, 0.95)?;
    let verdict = promise
        .verdict_of(&latency)
        .ok_or("the promise is no bucket bound")?;
    writeln!(text, "{verdict}")?;
    print!("{text}");
    println!(
        "{answered} answers, {correct} of them right; {} log lines dropped",
        written.dropped
    );
    stage.write("summary.txt", text)?;

    stage.fact("requests", REQUESTS);
    stage.fact("logged", summary.records);
    stage.fact("dropped", written.dropped);
    stage.fact("answered", answered);
    stage.fact("correct", correct);
    stage.fact("errors", json!(errors));
    stage.fact("promise_kept", verdict.status == Status::Met);
    let p99 = 1e3 * summary.values.quantile(0.99).unwrap_or(f64::NAN);
    let kept = if verdict.status == Status::Met {
        "kept"
    } else {
        "missed"
    };
    stage.result(
        format!("{REQUESTS} requests, p99 {p99:.0} ms, promise {kept}"),
        "summary.txt",
    );
    Ok(())
}

fn reason(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Answered => None,
        Outcome::NotANumber => Some("not_a_number"),
        Outcome::Unknown => Some("unknown_key"),
        Outcome::Revoked => Some("revoked_key"),
        Outcome::Expired => Some("expired_key"),
    }
}
