//! What do the guard and the metrics of the service cost a request?
//!
//! `cargo run --release -p modelops-serve --example serve_cost [ROUNDS]` calls the service from within its process, without a
//! network, with one part more each time, in turns; the difference of two rows is what the part costs. Processor time of all
//! threads, the writer of the log included.

use std::collections::BTreeMap;
use std::path::Path;

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode};
use modelops_serve::{Direct, Failure, Settings};
use rustix::time::{ClockId, clock_gettime};

/// The parts in the order in which they are added, and what is left out until then.
const STEPS: [(&str, &[&str]); 6] = [
    ("neither guard nor metrics", &["guard", "metrics"]),
    ("metrics", &["guard", "log"]),
    ("log", &["guard"]),
    ("keys and scopes", &["quotas", "admission"]),
    ("quotas", &["admission"]),
    ("admission", &[]),
];
const ROW: &str = r#"{"rows":[{"Island":"Biscoe","Culmen Length (mm)":50.0,"Culmen Depth (mm)":15.0,"Flipper Length (mm)":220}]}"#;
const CHAT: &str = r#"{"model":"babble","stream":true,"max_tokens":64,"seed":3,"messages":[{"role":"user","content":"Every row"}]}"#;
const PATHS: [(&str, &str, usize); 2] = [
    ("/v1/predict", ROW, 10_000),
    ("/v1/chat/completions", CHAT, 2_000),
];

fn main() -> Result<(), Failure> {
    let rounds = std::env::args()
        .nth(1)
        .map_or(Ok(25), |text| text.parse::<usize>())?;
    let folder = tempfile::tempdir()?;
    let mut services = Vec::new();
    for (n, (_, without)) in STEPS.iter().enumerate() {
        services.push(open(folder.path(), n, without)?);
    }
    let mut costs: BTreeMap<(usize, usize, usize), Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for threads in [1, 2] {
            for (n, (service, key)) in services.iter().enumerate() {
                for (p, (path, body, requests)) in PATHS.into_iter().enumerate() {
                    let cost = measure(service, key, threads, path, body, requests)?;
                    costs.entry((p, threads, n)).or_default().push(cost);
                }
            }
        }
    }
    for ((path, threads, n), of_step) in &costs {
        if *n == 0 {
            let path = PATHS[*path].0;
            println!(
                "\n{path}, {threads} thread(s), ns of processor time a request, median of {rounds} rounds"
            );
        }
        // Steps of one round are compared with one another, so that what slows a whole round down counts for nothing.
        let before = &costs[&(*path, *threads, n.saturating_sub(1))];
        let first = &costs[&(*path, *threads, 0)];
        let more = median(of_step.iter().zip(before).map(|(cost, before)| cost - before));
        let all = median(of_step.iter().zip(first).map(|(cost, first)| cost - first));
        let cost = median(of_step.iter().copied());
        println!(
            "{:>28} {cost:8.0}   adds {more:5.0}   all so far {all:5.0}",
            STEPS[*n].0
        );
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn open(folder: &Path, n: usize, without: &[&str]) -> Result<(Direct, HeaderValue), Failure> {
    let out = folder.join(n.to_string());
    let mut arguments = vec![
        "--quota".into(),
        "1000000000000".into(),
        "--pace".into(),
        "0".into(),
        "--out".into(),
    ];
    arguments.push(out.clone().into_os_string());
    for part in without {
        arguments.extend(["--without".into(), (*part).into()]);
    }
    let settings = Settings::parse(arguments.into_iter())?.ok_or("no help was asked for")?;
    let service = Direct::open(settings)?;
    let keys = std::fs::read_to_string(out.join("callers.env"))?;
    let key = keys.lines().find_map(|line| line.strip_prefix("ANALYST_KEY="));
    let key = HeaderValue::try_from(format!("Bearer {}", key.ok_or("the analyst has a key")?))?;
    Ok((service, key))
}

/// Processor nanoseconds a request.
fn measure(
    service: &Direct,
    key: &HeaderValue,
    threads: usize,
    path: &'static str,
    body: &'static str,
    requests: usize,
) -> Result<f64, Failure> {
    let begin = processor_time();
    std::thread::scope(|scope| {
        let callers = (0..threads).map(|_| scope.spawn(|| call(service, key, path, body, requests)));
        let callers: Vec<_> = callers.collect();
        callers
            .into_iter()
            .try_for_each(|caller| caller.join().map_err(|_| "a caller panicked")?)
    })?;
    // The log writes what is pending within this time; sleeping costs none.
    std::thread::sleep(std::time::Duration::from_millis(60));
    Ok((processor_time() - begin) / (threads * requests) as f64)
}

fn call(
    service: &Direct,
    key: &HeaderValue,
    path: &'static str,
    body: &'static str,
    requests: usize,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (caller, body) = (service.caller(), Bytes::from_static(body.as_bytes()));
    runtime.block_on(async {
        for _ in 0..requests {
            let (status, _) = caller.post(path, key, &body).await?;
            if status != StatusCode::OK {
                return Err(format!("{path}: {status}").into());
            }
        }
        Ok(())
    })
}

fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
