//! Conformance data that is not part of the repository: the folder that `MODELOPS_DATA` names.

use std::fs;
use std::time::Duration;

use modelops_monitoring::Registry;
use modelops_monitoring::detect::{
    Adwin, AdwinOptions, ContextualAnomaly, ContextualAnomalyOptions, PageHinkley, PageHinkleyOptions,
};
use modelops_monitoring::drift::{ks_two_sample, population_stability};
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

/// One labelled series: its values and, for each, whether it counts, its worth, and the window it lies in.
struct Labelled {
    values: Vec<f64>,
    points: Vec<(bool, f64, Option<usize>)>,
}

/// The worth of a report by its place: within a window the earlier the better, after it ever worse.
fn sigmoid(x: f64) -> f64 {
    if x > 3.0 {
        -1.0
    } else {
        2.0 / (1.0 + (5.0 * x).exp()) - 1.0
    }
}

fn nab() -> (Vec<Labelled>, usize) {
    let folder = data_dir().expect("MODELOPS_DATA is set").join("nab");
    let labels = fs::read_to_string(folder.join("labels/combined_windows.json")).unwrap();
    let labels: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&labels).unwrap();
    let (mut series, mut windows) = (Vec::new(), 0);
    for (file, spans) in labels {
        let Ok(text) = fs::read_to_string(folder.join("data").join(&file)) else {
            continue;
        };
        let rows: Vec<(&str, f64)> = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(','))
            .map(|(time, value)| (&time[..19], value.trim().parse().unwrap()))
            .collect();
        let place = |time: &str| rows.iter().position(|(known, _)| *known == &time[..19]).unwrap();
        let spans: Vec<(usize, usize)> = spans
            .as_array()
            .unwrap()
            .iter()
            .map(|span| (place(span[0].as_str().unwrap()), place(span[1].as_str().unwrap())))
            .collect();
        let probation = (rows.len() as f64 * 0.15).floor().min(750.0) as usize;
        let mut last: Option<(usize, f64)> = None;
        let points = (0..rows.len())
            .map(|i| {
                let within = spans.iter().position(|(from, to)| (*from..=*to).contains(&i));
                let worth = match (within, last) {
                    (Some(span), _) => {
                        let (from, to) = spans[span];
                        let width = (to - from + 1) as f64;
                        if i == to {
                            last = Some((to, width));
                        }
                        sigmoid(-((to - i + 1) as f64) / width) / sigmoid(-1.0)
                    }
                    (None, Some((to, width))) => sigmoid((i - to) as f64 / (width - 1.0)),
                    (None, None) => -1.0,
                };
                (i >= probation, worth, within.map(|span| windows + span))
            })
            .collect();
        windows += spans.len();
        series.push(Labelled {
            values: rows.iter().map(|(_, value)| *value).collect(),
            points,
        });
    }
    (series, windows)
}

/// The score of a profile: 100 where every window is found at once and nothing else is reported, 0 where nothing is.
fn nab_score(series: &[Labelled], scores: &[Vec<f64>], missed: f64, false_report: f64) -> f64 {
    let mut points: Vec<(f64, f64, Option<usize>)> = Vec::new();
    for (labelled, scores) in series.iter().zip(scores) {
        let counted = labelled
            .points
            .iter()
            .zip(scores)
            .filter(|((counts, ..), _)| *counts);
        points.extend(counted.map(|((_, worth, window), score)| (*score, *worth, *window)));
    }
    points.sort_by(|a, b| b.0.total_cmp(&a.0));
    let found: std::collections::BTreeSet<usize> = points.iter().filter_map(|(.., window)| *window).collect();
    let mut gained: std::collections::BTreeMap<usize, f64> =
        found.iter().map(|window| (*window, -missed)).collect();
    let windows = found.len() as f64;
    let mut total = -missed * windows;
    let mut best = total;
    for (i, (score, worth, window)) in points.iter().enumerate() {
        match window {
            None => total += false_report * worth,
            Some(window) => {
                let gain = gained.get_mut(window).unwrap();
                let better = worth.max(*gain);
                total += better - *gain;
                *gain = better;
            }
        }
        // One threshold for the whole corpus: a cut lies between different scores only.
        if points.get(i + 1).is_none_or(|next| next.0 != *score) {
            best = best.max(total);
        }
    }
    100.0 * (best + missed * windows) / (windows + missed * windows)
}

#[test]
#[ignore = "needs MODELOPS_DATA"]
fn the_contextual_detector_scores_above_65_in_the_standard_profile_of_nab() {
    let (series, windows) = nab();
    assert_eq!((series.len(), windows), (41, 64));
    let scores = |change: fn(f64) -> f64| -> Vec<Vec<f64>> {
        let one = |labelled: &Labelled| {
            let mut detector = ContextualAnomaly::new(ContextualAnomalyOptions::default());
            labelled
                .values
                .iter()
                .map(|value| detector.update(change(*value)))
                .collect()
        };
        series.iter().map(one).collect()
    };
    let plain = scores(|x| x);
    let [standard, few_false, few_missed] = [(1.0, 0.11), (1.0, 0.22), (2.0, 0.11)]
        .map(|(missed, false_report)| nab_score(&series, &plain, missed, false_report));
    println!("NAB standard {standard:.2}, low false reports {few_false:.2}, low misses {few_missed:.2}");
    assert!(standard >= 65.0, "{standard}");
    // Scaled by a power of two nothing rounds differently.
    assert_eq!(scores(|x| x * -0.25).len(), plain.len());
    assert!(scores(|x| x * 1024.0) == plain);
    let silent: Vec<Vec<f64>> = plain.iter().map(|scores| vec![0.0; scores.len()]).collect();
    assert!(nab_score(&series, &silent, 1.0, 0.11) <= f64::EPSILON);
}

#[test]
#[ignore = "needs MODELOPS_DATA"]
fn the_change_from_conversation_to_code_is_found_where_river_finds_it() {
    let tokens = |name, take: usize, field: fn(&(f64, u64, u64)) -> u64| -> Vec<f64> {
        azure_trace(name)
            .iter()
            .take(take)
            .map(|row| field(row) as f64)
            .collect()
    };
    let stream = |field: fn(&(f64, u64, u64)) -> u64| -> Vec<f64> {
        let mut values = tokens("AzureLLMInferenceTrace_conv.csv", 10_000, field);
        values.extend(tokens("AzureLLMInferenceTrace_code.csv", 5_000, field));
        values.iter().map(|x| (x + 1.0).ln() / 10.0).collect()
    };
    let adwin = |values: &[f64]| -> Vec<usize> {
        let mut adwin = Adwin::new(AdwinOptions::default());
        (0..values.len()).filter(|i| adwin.update(values[*i])).collect()
    };
    let page = |values: &[f64]| -> Vec<usize> {
        let mut test = PageHinkley::new(PageHinkleyOptions::default());
        (0..values.len()).filter(|i| test.update(values[*i])).collect()
    };
    let generated = stream(|row| row.2);
    assert_eq!(adwin(&generated), [6815, 10_015]);
    assert_eq!(page(&generated), [7780, 10_231]);
    let context = stream(|row| row.1);
    assert_eq!(adwin(&context), [1951, 5375, 11_295]);
    assert_eq!(page(&context), [12_462]);
    for (field, within, between) in [
        (
            (|row| row.1) as fn(&(f64, u64, u64)) -> u64,
            (0.0826, 0.1372),
            (0.3460, 0.8939),
        ),
        (|row| row.2, (0.0822, 0.0917), (0.8097, 4.1549)),
    ] {
        let conversation = tokens("AzureLLMInferenceTrace_conv.csv", usize::MAX, field);
        let code = tokens("AzureLLMInferenceTrace_code.csv", usize::MAX, field);
        let (first, second) = conversation.split_at(conversation.len() / 2);
        for (a, b, (distance, stability)) in [(first, second, within), (&conversation, &code, between)] {
            let test = ks_two_sample(a, b).unwrap();
            assert!((test.statistic - distance).abs() < 5e-5, "{test:?}");
            let index = population_stability(a, b, 10).unwrap();
            assert!((index - stability).abs() < 5e-5, "{index} for {stability}");
        }
    }
}
