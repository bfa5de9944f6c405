//! Conformance data that is not part of the repository: the folder that `MODELOPS_DATA` names.

use std::fs;
use std::time::Duration;

use modelops_monitoring::Registry;
use modelops_monitoring::llm::{FinishReason, NameScheme, Served, ServerMetrics, Tier};
use modelops_monitoring::openmetrics::parse;
use modelops_testkit::monitoring::quantile;
use modelops_testkit::{data_dir, tolerance};

#[test]
#[ignore = "needs MODELOPS_DATA"]
fn the_openmetrics_suite_parses_what_it_should_and_nothing_else() {
    let folder = data_dir().expect("MODELOPS_DATA is set").join("openmetrics");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        let Ok(test) = fs::read_to_string(case.join("test.json")) else {
            continue;
        };
        let test: serde_json::Value = serde_json::from_str(&test).unwrap();
        let text = fs::read_to_string(case.join(test["file"].as_str().unwrap_or("metrics"))).unwrap();
        cases += 1;
        let outcome = parse(&text);
        if outcome.is_ok() != test["shouldParse"].as_bool().unwrap() {
            wrong.push((case.file_name().unwrap().to_owned(), outcome.err()));
        }
    }
    assert_eq!(cases, 211);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Arrival in seconds of the day, prompt tokens, generated tokens.
fn azure_trace(name: &str) -> Vec<(f64, u64, u64)> {
    let folder = data_dir().expect("MODELOPS_DATA is set").join("azure-llm-2023");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let row = |line: &str| {
        let mut fields = line.trim().split(',');
        let clock = fields.next()?.split(' ').nth(1)?;
        let mut seconds = 0.0;
        for part in clock.split(':') {
            seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
        }
        Some((
            seconds,
            fields.next()?.parse().ok()?,
            fields.next()?.parse().ok()?,
        ))
    };
    text.lines().skip(1).filter_map(row).collect()
}

#[test]
#[ignore = "needs MODELOPS_DATA"]
fn replaying_the_azure_traces_agrees_exactly_with_an_offline_oracle() {
    // A model of a server: a request takes 15 ms and 0.12 ms a prompt token to its
    // first token, and 20 ms and 2 µs a prompt token for each further one. Times are whole nanoseconds.
    let mut rows: Vec<_> = azure_trace("AzureLLMInferenceTrace_code.csv");
    rows.extend(azure_trace("AzureLLMInferenceTrace_conv.csv"));
    assert_eq!(rows.len(), 28_185);
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let registry = Registry::new("replay").unwrap();
    let tiers = [
        Tier::new("short")
            .with_time_to_first_token(Duration::from_millis(150))
            .with_time_per_output_token(Duration::from_millis(22)),
        Tier::new("long").with_end_to_end(Duration::from_secs(5)),
    ];
    let metrics = ServerMetrics::new(&registry, NameScheme::Own, &Served::new("m"), &tiers).unwrap();
    let nanos = Duration::from_nanos;
    let mut oracle = [[0u64; 4]; 2];
    let (mut first_token, mut gaps, mut per_token, mut whole) = (vec![], vec![], vec![], vec![]);
    for (seconds, prompt, generated) in &rows {
        let tier = usize::from(*prompt > 2_000);
        let arrival = (seconds * 1e9) as u64;
        let first = 15_000_000 + 120_000 * prompt;
        let gap = 20_000_000 + 2_000 * prompt;
        let mut request = metrics.request(tier, *prompt, nanos(arrival));
        request.scheduled(nanos(arrival + 1_000_000));
        let mut now = arrival + first;
        for token in 0..*generated {
            if token > 0 {
                now += gap;
                gaps.push(gap);
            }
            request.tokens(1, nanos(now));
        }
        request.finish(FinishReason::Stop, nanos(now));
        let end = now - arrival;
        let good = match tier {
            0 => (*generated == 0 || first <= 150_000_000) && (*generated < 2 || gap <= 22_000_000),
            _ => end <= 5_000_000_000,
        };
        let row = &mut oracle[tier];
        *row = [
            row[0] + 1,
            row[1] + u64::from(good),
            row[2] + generated,
            row[3] + u64::from(good) * generated,
        ];
        if *generated > 0 {
            first_token.push(first);
        }
        if *generated > 1 {
            per_token.push(gap);
        }
        whole.push(end);
    }
    let goodput = metrics.goodput();
    for (ours, oracle) in goodput.iter().zip(oracle) {
        assert_eq!(
            [ours.requests, ours.good_requests, ours.tokens, ours.good_tokens],
            oracle,
            "{}",
            ours.tier
        );
    }
    assert_eq!(
        metrics.prompt_tokens().snapshot().sum(),
        (18_059_974 + 22_361_870) as f64
    );
    assert_eq!(
        metrics.generated_tokens().snapshot().sum(),
        (245_896 + 4_088_665) as f64
    );
    for (histogram, nanoseconds) in [
        (metrics.time_to_first_token(), &first_token),
        (metrics.inter_token_latency(), &gaps),
        (metrics.time_per_output_token(), &per_token),
        (metrics.end_to_end(), &whole),
    ] {
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), nanoseconds.len() as u64);
        let sum = nanoseconds.iter().sum::<u64>() as f64 * 1e-9;
        assert!(tolerance::close(snapshot.sum(), sum, tolerance::FIXED_POINT_SUM));
        let exact: Vec<f64> = nanoseconds.iter().map(|n| *n as f64 * 1e-9).collect();
        for q in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let (estimate, exact) = (snapshot.quantile(q).unwrap(), quantile(&exact, q).unwrap());
            assert!(
                (estimate - exact).abs()
                    <= snapshot.relative_error() * exact * (1.0 + tolerance::REORDERED_SUM)
            );
        }
    }
}
