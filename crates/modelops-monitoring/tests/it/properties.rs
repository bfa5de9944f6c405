//! Laws that hold for every input.

use std::time::Duration;

use modelops_monitoring::BurnRate;
use modelops_monitoring::openmetrics::parse;
use modelops_monitoring::{
    HistogramOptions, Objective, RecordLog, RecordLogOptions, RecordReader, Registry, Schema,
};
use modelops_monitoring::{Sketch, Status, WhenFull, label_set};
use modelops_testkit::monitoring::{any_value, bad_share, cumulative, positive_value, quantile};
use modelops_testkit::tolerance;
use proptest::collection::vec;
use proptest::prelude::*;

label_set! { struct Tenant<'a> { tenant: &'a str } }

fn sketch_of(schema: i8, values: &[f64]) -> Sketch {
    let mut sketch = Sketch::new(Schema::try_new(schema).unwrap());
    values.iter().for_each(|v| sketch.observe(*v));
    sketch
}

proptest! {
    /// |q̂ − x_q| ≤ α·|x_q| for every schema, quantile and stream of values beyond 2^-128.
    #[test]
    fn a_quantile_is_within_its_bound(
        values in vec(prop_oneof![positive_value(), positive_value().prop_map(|v| -v), Just(0.0)], 1..200),
        schema in -4..=8i8,
        q in 0.0..=1.0f64,
    ) {
        let sketch = sketch_of(schema, &values);
        let exact = quantile(&values, q).unwrap();
        let estimate = sketch.quantile(q).unwrap();
        let bound = sketch.relative_error() * exact.abs() * (1.0 + tolerance::REORDERED_SUM);
        prop_assert!((estimate - exact).abs() <= bound, "{estimate} for {exact}");
    }

    /// Shards merged in any split give, bit for bit, the sketch of the whole stream.
    #[test]
    fn merging_shards_gives_the_whole(
        values in vec(any_value().prop_filter("exact sums", |v| v.abs() < 9e15), 0..200),
        shards in 1..5usize,
        schema in 0..=8i8,
    ) {
        let whole = sketch_of(schema, &values);
        let mut merged = Sketch::new(Schema::try_new(schema).unwrap());
        for shard in 0..shards {
            let part: Vec<f64> = values.iter().copied().skip(shard).step_by(shards).collect();
            merged.merge(&sketch_of(schema, &part));
        }
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(merged.sum().to_bits(), whole.sum().to_bits());
    }

    /// The difference of two snapshots, merged onto the earlier one, is the later one.
    #[test]
    fn a_delta_is_what_came_between(
        before in vec(positive_value(), 0..50), between in vec(positive_value(), 0..50), schema in 0..=8i8,
    ) {
        let earlier = sketch_of(schema, &before);
        let mut later = earlier.clone();
        between.iter().for_each(|v| later.observe(*v));
        let delta = later.delta_since(&earlier).unwrap();
        let mut sum = earlier;
        sum.merge(&delta);
        prop_assert_eq!(sum, later);
        prop_assert_eq!(delta.count(), between.len() as u64);
    }

    /// A recorded histogram is the sketch of what it saw, and its classic buckets count exactly.
    #[test]
    fn a_histogram_is_a_sketch_with_exact_classic_buckets(
        values in vec(any_value(), 0..200),
        mut bounds in vec(any_value(), 0..12),
        schema in 0..=8i8,
    ) {
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let registry = Registry::new("law").unwrap();
        let options = HistogramOptions::seconds()
            .with_schema(Schema::try_new(schema).unwrap())
            .with_buckets(&bounds);
        let histogram = registry.histogram("h", "", options).unwrap();
        values.iter().for_each(|v| histogram.observe(*v));
        let (snapshot, sketch) = (histogram.snapshot(), sketch_of(schema, &values));
        prop_assert!(snapshot.positive_buckets().eq(sketch.positive_buckets()));
        prop_assert!(snapshot.negative_buckets().eq(sketch.negative_buckets()));
        prop_assert_eq!(snapshot.count(), values.len() as u64);
        let (sum, exact) = (snapshot.sum(), sketch.sum());
        prop_assert!(sum == exact || tolerance::close(sum, exact, tolerance::FIXED_POINT_SUM));
        let counted: Vec<u64> = bounds.iter().map(|b| histogram.count_at_most(*b).unwrap()).collect();
        prop_assert_eq!(counted, cumulative(&values, &bounds));
    }

    /// `observe_n(v, n)` is `observe(v)` n times over.
    #[test]
    fn observing_n_times_is_n_observations(value in positive_value(), n in 0..300u64) {
        let registry = Registry::new("law").unwrap();
        let once = registry.histogram("once", "", HistogramOptions::seconds()).unwrap();
        let many = registry.histogram("many", "", HistogramOptions::seconds()).unwrap();
        many.observe_n(value, n);
        (0..n).for_each(|_| once.observe(value));
        prop_assert_eq!(many.snapshot(), once.snapshot());
    }

    /// Every record comes back, whatever the length of the files; files stay within it.
    #[test]
    fn a_log_gives_back_what_was_written(values in vec(positive_value(), 1..60), limit in 1..400u64) {
        let folder = tempfile::tempdir().unwrap();
        let options = RecordLogOptions::default()
            .with_max_file_bytes(limit)
            .with_queue_bytes(100)
            .with_when_full(WhenFull::Wait);
        let log = RecordLog::create(folder.path(), options).unwrap();
        for value in &values {
            log.write(&serde_json::json!({"seconds": value, "error": "a\nb"})).unwrap();
        }
        let written = log.close().unwrap();
        prop_assert_eq!((written.records, written.dropped), (values.len() as u64, 0));
        let summary = RecordReader::open(folder.path()).unwrap().group_by("error").summarize("seconds").unwrap();
        prop_assert_eq!(&summary.values, &sketch_of(8, &values));
        prop_assert_eq!(&summary.groups["a\nb"], &summary.values);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            prop_assert!(text.len() as u64 <= limit || text.lines().count() == 1);
        }
    }

    /// What a registry exposes as OpenMetrics parses, strictly, to the values that went in.
    #[test]
    fn the_exposition_parses_to_what_was_recorded(
        counts in vec(("[ -~é\\n\"\\\\]{0,12}", 0..u64::from(u32::MAX)), 0..8),
        level in any_value(),
        values in vec(any_value(), 0..40),
        help in "[ -~é\\n\"\\\\]{0,20}",
    ) {
        let registry = Registry::new("law").unwrap();
        let family = registry.counter_family::<Tenant<'static>>("events", &help).unwrap();
        let mut totals = std::collections::BTreeMap::<&str, u64>::new();
        for (tenant, n) in &counts {
            family.with(&Tenant { tenant }).inc_by(*n);
            *totals.entry(tenant).or_default() += n;
        }
        registry.gauge("level_ratio", &help).unwrap().set(level);
        let histogram = registry.histogram("work_seconds", &help, HistogramOptions::seconds()).unwrap();
        values.iter().for_each(|v| histogram.observe(*v));
        let parsed = parse(&registry.to_openmetrics()).unwrap();
        let named = |name: &str| parsed.iter().find(|family| family.name == name);
        let samples = named("law_events").into_iter().flat_map(|family| &family.samples);
        let counted: Vec<_> = samples.map(|s| (s.label("tenant").unwrap(), s.value as u64)).collect();
        prop_assert!(parsed.iter().all(|family| family.help.as_ref() == Some(&help)));
        prop_assert_eq!(counted, totals.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(named("law_level_ratio").unwrap().samples[0].value, level);
        let buckets = &named("law_work_seconds").unwrap().samples;
        let seen: Vec<u64> = buckets.iter().filter(|s| s.name.ends_with("_bucket")).map(|s| s.value as u64).collect();
        let mut expected = cumulative(&values, modelops_monitoring::buckets::SECONDS);
        expected.push(values.len() as u64);
        prop_assert_eq!(seen, expected);
    }

    /// Spending more never helps, and the verdict agrees with exact integer arithmetic.
    #[test]
    fn a_verdict_is_exact_and_monotone(permille in 1..1000u64, total in 1..100_000u64, share in 0.0..=1.0f64) {
        let objective = Objective::availability("law", permille as f64 / 1000.0).unwrap();
        let bad = (share * total as f64) as u64;
        let verdict = objective.verdict(bad, total).unwrap();
        let met = (total - bad) * 1000 >= permille * total;
        prop_assert_eq!(verdict.status == Status::Met, met);
        prop_assert_eq!(verdict.budget_left >= 0.0, met || verdict.budget_left == 0.0);
        if bad < total {
            prop_assert!(objective.verdict(bad + 1, total).unwrap().budget_left <= verdict.budget_left);
        }
    }

    /// Minute by minute through any incidents, each rule says what recounting every event says.
    #[test]
    fn burn_rates_are_what_recounting_gives(
        phases in vec((1..2_000usize, 0..40u64, 0..=100u64), 1..6),
        target in prop::sample::select(vec![0.9, 0.99, 0.999]),
    ) {
        let objective = Objective::availability("law", target).unwrap();
        let mut burn = BurnRate::google_sre(&objective);
        let (mut steps, mut bad, mut total) = (Vec::new(), 0, 0);
        burn.observe(Duration::ZERO, 0, 0).unwrap();
        for (minutes, traffic, percent) in phases {
            for _ in 0..minutes {
                let step = (traffic * percent / 100, traffic);
                steps.push(step);
                (bad, total) = (bad + step.0, total + step.1);
                let minute = |m: usize| Duration::from_secs(60 * m as u64);
                burn.observe(minute(steps.len()), bad, total).unwrap();
                if !steps.len().is_multiple_of(37) {
                    continue;
                }
                for alert in burn.alerts() {
                    let rate = |window: Duration| {
                        bad_share(&steps, (window.as_secs() / 60) as usize).map(|share| share / (1.0 - target))
                    };
                    let (long, short) = (rate(alert.rule.long), rate(alert.rule.short));
                    prop_assert_eq!((alert.long, alert.short), (long, short));
                    let above = |rate: Option<f64>| rate.is_some_and(|rate| rate > alert.rule.factor);
                    prop_assert_eq!(alert.firing, above(long) && above(short));
                }
            }
        }
    }
}
