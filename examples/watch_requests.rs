//! What happened in my service? Metrics of a seeded stream of requests, a log that is read back, two objectives.
//!
//! `cargo run --example watch_requests` prints the same bytes on every run.
#![allow(clippy::print_stdout, reason = "an example prints")]

use modelops::monitoring::{
    HistogramOptions, LabelValue as _, Objective, RecordLog, RecordLogOptions, RecordReader, Registry,
    WhenFull, label_enum, label_set,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

label_enum! {
    /// How a request ended.
    enum Outcome { Ok = "ok", Denied = "denied", Timeout = "timeout" }
}

label_set! {
    /// The labels of a request.
    struct Route<'a> { tenant: &'a str, outcome: Outcome }
}

/// One line of the request log; the caller supplies time and duration.
#[derive(serde::Serialize)]
struct Request<'a> {
    at_seconds: f64,
    tenant: &'a str,
    error: Option<&'a str>,
    seconds: f64,
    tokens: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new("chat")?;
    let requests =
        registry.counter_family::<Route<'static>>("requests", "Finished requests by tenant and outcome.")?;
    let seconds = registry.histogram(
        "request_seconds",
        "Time to answer.",
        HistogramOptions::seconds().with_buckets(&[0.05, 0.1, 0.25, 0.5, 1.0]),
    )?;
    let tokens = registry.histogram(
        "generated_tokens",
        "Tokens in an answer.",
        HistogramOptions::sizes(),
    )?;

    let folder = std::path::Path::new("target/watch_requests");
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let options = RecordLogOptions::default()
        .with_max_file_bytes(64 << 10)
        .with_when_full(WhenFull::Wait);
    let log = RecordLog::create(folder, options)?;

    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let (mut clock, mut bad, total) = (0.0, 0, 2_000);
    for _ in 0..total {
        clock += 0.001 - 0.02 * (1.0 - rng.random::<f64>()).ln();
        let tenant = ["acme", "globex", "initech"][rng.random_range(0..3)];
        let generated = rng.random_range(8..256);
        let mut taken = 0.02 + 0.001 * generated as f64 * (0.5 + rng.random::<f64>());
        let outcome = match rng.random_range(0..1_000) {
            0..4 => Outcome::Timeout,
            4..12 => Outcome::Denied,
            _ => Outcome::Ok,
        };
        let error = (outcome != Outcome::Ok).then(|| outcome.text());
        if outcome == Outcome::Timeout {
            taken += 1.0;
            bad += 1;
        }
        requests.with(&Route { tenant, outcome }).inc();
        seconds.observe(taken);
        tokens.observe(generated as f64);
        log.write(&Request {
            at_seconds: clock,
            tenant,
            error,
            seconds: taken,
            tokens: generated,
        })?;
    }

    println!("{}", registry.to_prometheus_text());
    let written = log.close()?;
    println!(
        "log: {} records in {} files, {} dropped",
        written.records, written.files, written.dropped
    );

    let summary = RecordReader::open(folder)?
        .group_by("error")
        .summarize("seconds")?;
    print!("read back: {} records,", summary.values.count());
    for q in [0.5, 0.95, 0.99] {
        print!(
            " p{:.0} {:.3} s",
            100.0 * q,
            summary.values.quantile(q).unwrap_or(f64::NAN)
        );
    }
    println!();
    for (reason, values) in &summary.groups {
        println!("  {reason}: {}", values.count());
    }

    println!(
        "{}",
        Objective::availability("answered", 0.995)?.verdict(bad, total)?
    );
    if let Some(verdict) = Objective::latency("within 250 ms", 0.25, 0.9)?.verdict_of(&seconds) {
        println!("{verdict}");
    }
    Ok(())
}
