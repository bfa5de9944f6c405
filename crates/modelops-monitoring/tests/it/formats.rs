//! The five formats say the same, and say it as their specifications want it.

use std::fs;
use std::path::Path;

use modelops_monitoring::openmetrics::{self, FamilyKind, Fault, v2};
use modelops_monitoring::{
    Exemplar, Format, HistogramOptions, RegisterError, Registry, RegistryOptions, Schema, label_enum,
    label_set,
};
use modelops_testkit::monitoring::any_value;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::protobuf::{Histogram, MetricFamily, Span, otlp};

label_enum! { enum Phase { Loading = "loading", Ready = "ready" } }
label_set! { struct Tenant<'a> { tenant: &'a str } }

#[test]
fn every_example_of_openmetrics_2_comes_back_and_every_violation_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openmetrics-2.0");
    let (mut valid, mut refused) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let parsed = v2::parse(&text);
        if path.to_str().unwrap().contains("violation") {
            assert!(parsed.is_err(), "{path:?}");
            refused += 1;
            continue;
        }
        let families = parsed.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let written = v2::write(&families);
        assert_eq!(v2::parse(&written).unwrap(), families, "{path:?}");
        assert_eq!(v2::write(&v2::parse(&written).unwrap()), written, "{path:?}");
        valid += 1;
    }
    assert_eq!((valid, refused), (44, 2));
}

#[test]
fn what_openmetrics_2_forbids_is_refused() {
    let histogram = |value: &str| format!("# TYPE h histogram\nh {value}\n# EOF\n");
    let native = |rest: &str| {
        histogram(&format!(
            "{{count:1,sum:1,schema:0,zero_threshold:0,zero_count:0{rest}}}"
        ))
    };
    let cases = [
        (histogram("{count:2,sum:1,bucket:[1:1,+Inf:1]}"), Fault::Histogram),
        (
            histogram("{count:2,sum:1,bucket:[1:3,2:2,+Inf:2]}"),
            Fault::Histogram,
        ),
        (
            histogram("{count:2,sum:1,bucket:[2:1,1:2,+Inf:2]}"),
            Fault::Histogram,
        ),
        (histogram("{count:2,sum:1,bucket:[1:1]}"), Fault::Histogram),
        (histogram("{count:2,sum:1}"), Fault::Composite),
        (histogram("{count:2, sum:1,bucket:[+Inf:2]}"), Fault::Composite),
        (histogram("{sum:1,count:2,bucket:[+Inf:2]}"), Fault::Composite),
        (histogram("{gcount:2,gsum:1,bucket:[+Inf:2]}"), Fault::Value),
        (histogram("2"), Fault::Value),
        (histogram("{count:-1,sum:1,bucket:[+Inf:-1]}"), Fault::Value),
        (
            native(",positive_spans:[0:2],positive_buckets:[1]"),
            Fault::Composite,
        ),
        (
            native(",positive_spans:[0:1,-1:1],positive_buckets:[1,0]"),
            Fault::Composite,
        ),
        (
            native(",positive_spans:[0:1],positive_buckets:[2]"),
            Fault::Histogram,
        ),
        (
            native(",positive_spans:[1026:1],positive_buckets:[1]"),
            Fault::Composite,
        ),
        (
            native(",positive_spans:[0:99999999999],positive_buckets:[1]"),
            Fault::Composite,
        ),
        (
            native(",positive_spans:[9223372036854775807:1],positive_buckets:[1]"),
            Fault::Composite,
        ),
        (
            histogram("{count:0,sum:0,schema:9,zero_threshold:0,zero_count:0}"),
            Fault::Composite,
        ),
        ("# TYPE c counter\nc -1\n# EOF".into(), Fault::Value),
        ("# TYPE c counter\nc NaN\n# EOF".into(), Fault::Value),
        ("# TYPE c counter\nc 1 # {} 1\n# EOF".into(), Fault::Exemplar),
        (
            "# TYPE c counter\nc 1 # {} 1 1 st@1\n# EOF".into(),
            Fault::Exemplar,
        ),
        ("# TYPE g gauge\ng 1 st@1\n# EOF".into(), Fault::Start),
        ("# TYPE g gauge\ng 1\ng 2\n# EOF".into(), Fault::Grouping),
        ("# TYPE g gauge\ng 1 2\ng 2 1\n# EOF".into(), Fault::Grouping),
        (
            "# TYPE g gauge\ng{a=\"1\"} 1\ng{a=\"2\"} 1\ng{a=\"1\"} 1\n# EOF".into(),
            Fault::Grouping,
        ),
        (
            "# TYPE g gauge\n# TYPE h gauge\n# TYPE g gauge\n# EOF".into(),
            Fault::Clash,
        ),
        (
            "# TYPE g gauge\ng{a=\"1\",a=\"2\"} 1\n# EOF".into(),
            Fault::Labels,
        ),
        ("# TYPE i info\n# EOF".into(), Fault::Name),
        ("# TYPE i_info info\ni_info 2\n# EOF".into(), Fault::Value),
        ("# TYPE s stateset\ns 1\n# EOF".into(), Fault::TypeLabel),
        (
            "# TYPE s summary\ns {count:1,sum:1,quantile:[0.9:1,0.5:2]}\n# EOF".into(),
            Fault::Composite,
        ),
        ("{\"\"} 1\n# EOF".into(), Fault::Name),
        ("a 1 2 3\n# EOF".into(), Fault::Timestamp),
        ("a 1\r\n# EOF".into(), Fault::Number),
        ("\n# EOF".into(), Fault::Blank),
        ("a 1".into(), Fault::NoEnd),
        ("# EOF\na 1\n".into(), Fault::AfterEnd),
    ];
    for (text, fault) in cases {
        assert_eq!(
            v2::parse(&text).map_err(|error| error.fault),
            Err(fault),
            "{text}"
        );
    }
}

/// A registry with a series of every kind.
fn one_of_each() -> Registry {
    let options = RegistryOptions::default().with_start(1_700_000_000.25);
    let registry = Registry::with_options("shop", options).unwrap();
    let orders = registry
        .counter_family::<Tenant<'static>>("orders", "Orders.")
        .unwrap();
    orders
        .bind(&Tenant { tenant: "a\"b" })
        .inc_with_exemplar(3, Exemplar::new(7, 9, 1_700_000_001.5));
    orders.with(&Tenant { tenant: "c" }).inc();
    registry.gauge("cache_bytes", "Bytes.").unwrap().set(2.5);
    registry
        .info("build", "What runs.", &[("version", "1.4"), ("commit", "e0")])
        .unwrap();
    registry
        .state_set::<Phase>("phase", "Phase.")
        .unwrap()
        .set(Phase::Ready);
    let options = HistogramOptions::seconds().with_buckets(&[0.1, 1.0]);
    let seconds = registry.histogram("order_seconds", "Time.", options).unwrap();
    seconds.observe_with_exemplar(0.5, Exemplar::new(u128::MAX, 1, 1_700_000_002.0));
    seconds.observe_n(0.0, 2);
    seconds.observe(40.0);
    registry
}

fn decode_families(mut bytes: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut bytes).unwrap());
    }
    families
}

#[test]
fn info_and_states_are_written_as_each_text_format_wants_them() {
    let registry = Registry::new("shop").unwrap();
    registry
        .info("build", "What runs.", &[("version", "1.4")])
        .unwrap();
    let phase = registry.state_set::<Phase>("phase", "Phase.").unwrap();
    phase.switch(Phase::Loading, true);
    let states = "shop_phase{shop_phase=\"loading\"} 1\nshop_phase{shop_phase=\"ready\"} 0\n";
    assert_eq!(
        registry.to_prometheus_text(),
        format!(
            "# HELP shop_build_info What runs.\n# TYPE shop_build_info gauge\nshop_build_info{{version=\"1.4\"}} 1\n\
             # HELP shop_phase Phase.\n# TYPE shop_phase gauge\n{states}"
        )
    );
    let first = registry.to_openmetrics();
    assert!(first.starts_with("# TYPE shop_build info\n# HELP shop_build What runs.\nshop_build_info{"));
    assert!(first.ends_with(&format!(
        "# TYPE shop_phase stateset\n# HELP shop_phase Phase.\n{states}# EOF\n"
    )));
    assert_eq!(openmetrics::parse(&first).unwrap().len(), 2);
    let second = v2::parse(&registry.to_openmetrics2()).unwrap();
    assert_eq!(
        (second[0].name.as_str(), second[0].kind),
        ("shop_build_info", FamilyKind::Info)
    );
    phase.set(Phase::Ready);
    phase.switch(Phase::Ready, false);
    assert!(!phase.is_on(Phase::Loading) && !phase.is_on(Phase::Ready));
    assert!(matches!(
        registry.info("build_info", "", &[]),
        Err(RegisterError::Taken { .. })
    ));
    assert!(matches!(
        registry.gauge("build_info", ""),
        Err(RegisterError::Taken { .. })
    ));
    assert!(matches!(
        registry.state_set::<&str>("text", ""),
        Err(RegisterError::States)
    ));
    assert!(matches!(
        registry.info("x", "", &[("le", "")]),
        Err(RegisterError::Label { .. })
    ));
}

#[test]
fn exemplars_and_starts_reach_every_format_that_has_them() {
    let registry = one_of_each();
    let trace = "trace_id=\"00000000000000000000000000000007\",span_id=\"0000000000000009\"";
    let first = registry.to_openmetrics();
    assert!(first.contains(&format!(
        "shop_orders_total{{tenant=\"a\\\"b\"}} 3 # {{{trace}}} 3.0 1700000001.5\nshop_orders_total{{tenant=\"c\"}} 1\n"
    )));
    let families = openmetrics::parse(&first).unwrap();
    assert_eq!(
        families
            .iter()
            .flat_map(|f| &f.samples)
            .filter(|s| s.exemplar.is_some())
            .count(),
        2
    );

    let families = v2::parse(&registry.to_openmetrics2()).unwrap();
    let of = |name: &str| {
        &families
            .iter()
            .find(|family| family.name == name)
            .unwrap()
            .samples
    };
    assert_eq!(
        of("shop_orders_total")[0].exemplars[0].timestamp,
        Some(1_700_000_001.5)
    );
    assert_eq!(of("shop_orders_total")[1].start, Some(1_700_000_000.25));
    assert_eq!(of("shop_order_seconds")[0].start, Some(1_700_000_000.25));
    assert_eq!(of("shop_order_seconds")[0].exemplars[0].value, 0.5);
    assert_eq!(of("shop_cache_bytes")[0].start, None);
    assert!(!registry.to_prometheus_text().contains(" # {"));

    let mut bytes = Vec::new();
    registry.encode_in(Format::PrometheusProtobuf, &mut bytes);
    let families = decode_families(&bytes);
    let orders = families
        .iter()
        .find(|family| family.name == "shop_orders_total")
        .unwrap();
    let counter = orders.metric[0].counter.as_ref().unwrap();
    assert_eq!((orders.kind, counter.value), (0, 3.0));
    assert_eq!(orders.metric[0].label[0].value, "a\"b");
    assert_eq!(
        counter
            .exemplar
            .as_ref()
            .unwrap()
            .timestamp
            .as_ref()
            .unwrap()
            .nanos,
        500_000_000
    );
    assert_eq!(counter.created.as_ref().unwrap().seconds, 1_700_000_000);
    let seconds = families
        .iter()
        .find(|family| family.name == "shop_order_seconds")
        .unwrap();
    let histogram = seconds.metric[0].histogram.as_ref().unwrap();
    assert_eq!((seconds.kind, seconds.unit.as_str()), (4, "seconds"));
    assert_eq!(
        (histogram.sample_count, histogram.sample_sum, histogram.zero_count),
        (4, 40.5, 2)
    );
    assert_eq!(
        histogram
            .bucket
            .iter()
            .map(|b| b.cumulative_count)
            .collect::<Vec<_>>(),
        [2, 3, 4]
    );
    assert!(histogram.bucket[1].exemplar.is_some() && histogram.exemplars.len() == 1);

    let mut bytes = Vec::new();
    registry.encode_otlp(&[("service.name", "shop")], 1_700_000_009_000_000_000, &mut bytes);
    let request = otlp::Request::decode(&*bytes).unwrap();
    let resource = &request.resource_metrics[0];
    assert_eq!(
        resource.resource.as_ref().unwrap().attributes[0].key,
        "service.name"
    );
    let metrics = &resource.scope_metrics[0].metrics;
    let of = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();
    let orders = of("shop_orders").sum.as_ref().unwrap();
    assert_eq!((orders.aggregation_temporality, orders.is_monotonic), (2, true));
    let point = &orders.data_points[0];
    assert_eq!(
        (point.as_int, point.start_time_unix_nano),
        (Some(3), 1_700_000_000_250_000_000)
    );
    assert_eq!(point.exemplars[0].trace_id, 7u128.to_be_bytes());
    assert_eq!(of("shop_cache_bytes").unit, "By");
    assert_eq!(
        of("shop_phase").gauge.as_ref().unwrap().data_points[1].as_int,
        Some(1)
    );
    assert_eq!(
        of("shop_build_info").gauge.as_ref().unwrap().data_points[0]
            .attributes
            .len(),
        2
    );
    let point = &of("shop_order_seconds").exponential.as_ref().unwrap().data_points[0];
    assert_eq!(
        (point.count, point.sum, point.scale, point.zero_count),
        (4, Some(40.5), 5, 2)
    );
    // 0.5 = b^-32 lies in our bucket -32, which is bucket -33 there.
    let positive = point.positive.as_ref().unwrap();
    assert_eq!((positive.offset, positive.bucket_counts[0]), (-33, 1));
}

#[test]
fn a_start_is_not_claimed_once_series_began_anew() {
    let options = RegistryOptions::default().with_start(5.0);
    let registry = Registry::with_options("", options).unwrap();
    let orders = registry
        .counter_family::<Tenant<'static>>("orders", "Orders.")
        .unwrap();
    orders.with(&Tenant { tenant: "a" }).inc();
    assert!(registry.to_openmetrics2().contains("} 1 st@5.0\n"));
    let hour = std::time::Duration::from_secs(3600);
    assert_eq!(registry.evict_idle(hour, hour), 0);
    assert_eq!(registry.evict_idle(hour * 2, hour), 1);
    orders.with(&Tenant { tenant: "a" }).inc();
    assert!(registry.to_openmetrics2().contains("} 1\n"));
}

#[test]
fn the_format_is_the_one_the_scraper_likes_best() {
    let protobuf =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let server = format!(
        "{protobuf},application/openmetrics-text;version=1.0.0;q=0.8,\
         application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    );
    let cases = [
        (server.as_str(), Format::PrometheusProtobuf),
        (
            "application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.9",
            Format::OpenMetrics2,
        ),
        (
            "text/plain;q=0.2, Application/OpenMetrics-Text; Version=\"1.0.0\"; q=0.3",
            Format::OpenMetrics1,
        ),
        (
            "application/openmetrics-text;version=2.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.5",
            Format::OpenMetrics2,
        ),
        (
            "application/openmetrics-text;version=3.0.0,text/plain;q=0.1",
            Format::PrometheusText,
        ),
        (
            "application/vnd.google.protobuf;proto=other;encoding=delimited",
            Format::PrometheusText,
        ),
        ("application/openmetrics-text;q=0", Format::PrometheusText),
        ("application/openmetrics-text;q=NaN", Format::PrometheusText),
        ("application/openmetrics-text;q=2", Format::PrometheusText),
        ("text/html,*/*;q=0.8", Format::PrometheusText),
        (",;=,;;q=;", Format::PrometheusText),
        ("", Format::PrometheusText),
    ];
    for (accept, format) in cases {
        assert_eq!(Format::negotiate(Some(accept)), format, "{accept}");
    }
    let answer = Registry::new("").unwrap().expose(Some(&server));
    assert_eq!(answer.content_type, Format::PrometheusProtobuf.content_type());
    assert!(answer.body.is_empty());
}

/// Index and count of each bucket, the empty ones left out.
fn buckets(spans: &[Span], deltas: &[i64]) -> Vec<(i32, u64)> {
    let (mut index, mut count, mut deltas) = (0, 0i64, deltas.iter());
    let mut buckets = Vec::new();
    for span in spans {
        index += span.offset;
        for _ in 0..span.length {
            count += deltas.next().unwrap();
            buckets.push((index, count as u64));
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    buckets.retain(|(_, n)| *n > 0);
    buckets
}

fn of_otlp(side: Option<&otlp::Buckets>) -> Vec<(i32, u64)> {
    let Some(side) = side else { return Vec::new() };
    let indexed = (side.offset + 1..).zip(&side.bucket_counts);
    indexed.filter(|(_, n)| **n > 0).map(|(i, n)| (i, *n)).collect()
}

fn of_text(buckets: &[(i32, f64)]) -> Vec<(i32, u64)> {
    let whole = buckets.iter().map(|(i, n)| (*i, *n as u64));
    whole.filter(|(_, n)| *n > 0).collect()
}

proptest! {
    /// OpenMetrics 2.0, protobuf and OTLP hold the very buckets of the sketch, whatever was observed.
    #[test]
    fn all_formats_hold_the_histogram_that_was_recorded(
        values in vec(
            prop_oneof![8 => any_value(), 1 => Just(f64::INFINITY), 1 => Just(f64::NEG_INFINITY), 1 => Just(f64::NAN)],
            0..60,
        ),
        schema in -4..=8i8,
        bounds in prop_oneof![Just(vec![]), Just(vec![-1.0, 0.0, 2.0])],
    ) {
        let registry = Registry::new("law").unwrap();
        let options = HistogramOptions::seconds().with_schema(Schema::try_new(schema).unwrap()).with_buckets(&bounds);
        let histogram = registry.histogram("wait_seconds", "Wait.", options).unwrap();
        values.iter().for_each(|v| histogram.observe(*v));
        let sketch = histogram.snapshot();
        let positive: Vec<_> = sketch.positive_buckets().collect();
        let negative: Vec<_> = sketch.negative_buckets().collect();
        let beyond = if sketch.schema().number() >= 0 {
            (1024 << sketch.schema().number()) + 1
        } else {
            (1024 >> -sketch.schema().number()) + 1
        };
        let with_infinity = |side: &[(i32, u64)], n: u64| {
            let mut side = side.to_vec();
            if n > 0 {
                side.push((beyond, n));
            }
            side
        };
        let [above, below] = sketch.infinite_counts();

        let families = v2::parse(&registry.to_openmetrics2()).unwrap();
        let v2::Value::Histogram(text) = &families[0].samples[0].value else { panic!() };
        let native = text.native.as_ref().unwrap();
        prop_assert_eq!(text.count, sketch.count() as f64);
        prop_assert_eq!(of_text(&native.positive), with_infinity(&positive, above));
        prop_assert_eq!(of_text(&native.negative), with_infinity(&negative, below));
        prop_assert_eq!(v2::parse(&v2::write(&families)).map(|f| format!("{f:?}")), Ok(format!("{families:?}")));

        let mut bytes = Vec::new();
        registry.encode_in(Format::PrometheusProtobuf, &mut bytes);
        let family = decode_families(&bytes).remove(0);
        let Histogram { positive_span, positive_delta, negative_span, negative_delta, sample_count, zero_count, bucket, .. } =
            family.metric[0].histogram.clone().unwrap();
        prop_assert_eq!(buckets(&positive_span, &positive_delta), with_infinity(&positive, above));
        prop_assert_eq!(buckets(&negative_span, &negative_delta), with_infinity(&negative, below));
        prop_assert_eq!((sample_count, zero_count), (sketch.count(), sketch.zero_count()));
        let classic: Vec<_> = bucket.iter().map(|b| (b.upper_bound, b.cumulative_count as f64)).collect();
        prop_assert_eq!(classic, text.classic.clone());

        let mut bytes = Vec::new();
        registry.encode_otlp(&[], 1, &mut bytes);
        let request = otlp::Request::decode(&*bytes).unwrap();
        let point = request.resource_metrics[0].scope_metrics[0].metrics[0].exponential.as_ref().unwrap().data_points[0].clone();
        prop_assert_eq!(of_otlp(point.positive.as_ref()), positive);
        prop_assert_eq!(of_otlp(point.negative.as_ref()), negative);
        prop_assert_eq!(point.count, sketch.count() - sketch.nan_count() - above - below);
    }

    /// No text makes the parser panic, and what it takes it writes and takes again.
    #[test]
    fn the_parser_of_openmetrics_2_survives_any_change_of_a_valid_text(
        example in 0..44usize, at in any::<prop::sample::Index>(), with in "[ -~\n]{0,3}", cut in 0..4usize,
    ) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openmetrics-2.0");
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.retain(|path| path.to_str().unwrap().contains("-valid") || path.to_str().unwrap().contains("-disputed"));
        let mut text: Vec<u8> = fs::read(&paths[example]).unwrap();
        let at = at.index(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, with.bytes());
        let text = String::from_utf8_lossy(&text).into_owned();
        if let Ok(families) = v2::parse(&text) {
            let again = v2::parse(&v2::write(&families));
            prop_assert_eq!(format!("{:?}", Ok::<_, ()>(families)), format!("{:?}", again.map_err(|_| ())));
        }
    }
}
