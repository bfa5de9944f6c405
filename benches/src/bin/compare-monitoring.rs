//! Side-by-side runs of `modelops-monitoring` against its peers.
#![allow(clippy::print_stdout, reason = "it prints its table")]

#[path = "../monitoring/request_log.rs"]
mod request_log;

use std::sync::Barrier;
use std::time::Duration;

use measured::label::StaticLabelSet;
use measured::text::BufferedTextEncoder;
use measured::{CounterVec, FixedCardinalityLabel, LabelGroup, MetricGroup};
use metrics_exporter_prometheus::PrometheusBuilder;
use modelops_benches::Comparison;
use modelops_monitoring::llm::{FinishReason, NameScheme, Served, ServerMetrics, Tier};
use modelops_monitoring::{HistogramOptions, Registry, RegistryOptions};
use modelops_monitoring::{label_enum, label_set};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use paracord::ParaCord;
use prometheus_client::encoding::EncodeLabelSet;

const KINDS: [&str; 6] = ["user", "internal", "database", "postgres", "client", "network"];
const ROUTES: [&str; 3] = ["users", "user", "products"];
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

label_enum! { enum Kind {
    User = "user", Internal = "internal", Database = "database", Postgres = "postgres", Client = "client", Network = "network",
} }
label_enum! { enum Route { Users = "users", User = "user", Products = "products" } }
label_set! { struct Labels { kind: Kind, route: Route } }
label_set! { struct Text<'a> { kind: &'a str, route: &'a str } }
label_set! { struct Tenant<'a> { kind: &'a str } }
const OUR_KINDS: [Kind; 6] = [
    Kind::User,
    Kind::Internal,
    Kind::Database,
    Kind::Postgres,
    Kind::Client,
    Kind::Network,
];
const OUR_ROUTES: [Route; 3] = [Route::Users, Route::User, Route::Products];

#[derive(FixedCardinalityLabel, Copy, Clone)]
enum MeasuredKind {
    User,
    Internal,
    Database,
    Postgres,
    Client,
    Network,
}
#[derive(FixedCardinalityLabel, Copy, Clone)]
enum MeasuredRoute {
    Users,
    User,
    Products,
}
const MEASURED_KINDS: [MeasuredKind; 6] = [
    MeasuredKind::User,
    MeasuredKind::Internal,
    MeasuredKind::Database,
    MeasuredKind::Postgres,
    MeasuredKind::Client,
    MeasuredKind::Network,
];
const MEASURED_ROUTES: [MeasuredRoute; 3] =
    [MeasuredRoute::Users, MeasuredRoute::User, MeasuredRoute::Products];

#[derive(LabelGroup, Copy, Clone)]
#[label(set = MeasuredSet)]
struct MeasuredLabels {
    kind: MeasuredKind,
    route: MeasuredRoute,
}

#[derive(LabelGroup, Copy, Clone)]
#[label(set = MeasuredTenantSet)]
struct MeasuredTenant<'a> {
    #[label(dynamic_with = ParaCord)]
    kind: &'a str,
}

#[derive(MetricGroup)]
struct MeasuredMetrics {
    /// help text
    counters: CounterVec<MeasuredTenantSet>,
}

#[derive(Clone, Hash, PartialEq, Eq, Debug, EncodeLabelSet)]
struct ClientLabels {
    kind: &'static str,
    route: &'static str,
}

#[derive(Clone, Hash, PartialEq, Eq, Debug, EncodeLabelSet)]
struct ClientTenant {
    kind: String,
}

/// Runs `f(n)` on each of `threads` threads that start together, and says how many calls that were.
fn on(threads: usize, n: usize, f: impl Fn(usize) + Sync) -> u64 {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                barrier.wait();
                f(n);
            });
        }
    });
    (threads * n) as u64
}

/// Heavy-tailed durations from 0.5 ms on, in an order that no branch predictor learns.
fn durations() -> Vec<f64> {
    let n = 4096;
    let tail = |i: usize| 1.0 / (1.0 - (i as f64 + 0.5) / n as f64);
    (0..n).map(|i| 0.000_5 * tail(i * 1_237 % n).powf(1.3)).collect()
}

fn main() {
    let mut run = Comparison::from_args("monitoring");
    for threads in [1, 2] {
        bound_counter(&mut run, threads);
        labelled_counter(&mut run, threads);
        histogram(&mut run, threads);
    }
    encode(&mut run);
    lifecycle(&mut run);
    request_log::compare(&mut run);
    run.finish();
}

fn bound_counter(run: &mut Comparison, threads: usize) {
    let n = 2_000_000;
    let ours = Registry::new("x")
        .expect("a good name")
        .counter("c", "")
        .expect("a free name");
    let prometheus = prometheus::IntCounter::new("c", "c").expect("a good name");
    let client: prometheus_client::metrics::counter::Counter = Default::default();
    let measured = measured::Counter::new();
    let recorder = PrometheusBuilder::new().build_recorder();
    let facade = metrics::with_local_recorder(&recorder, || metrics::counter!("c"));
    let provider = SdkMeterProvider::builder()
        .with_reader(ManualReader::builder().build())
        .build();
    let otel = provider.meter("m").u64_counter("c").build();
    let otel = otel.bind(&[KeyValue::new("kind", "user")]);
    let counted = |value: u64, seen: &std::cell::Cell<u64>| value - seen.replace(value);
    let seen: [std::cell::Cell<u64>; 3] = Default::default();
    run.case(&format!("bound counter, {threads} thread(s)"))
        .ours(|| {
            on(threads, n, |n| {
                (0..n).for_each(|_| std::hint::black_box(&ours).inc());
            });
            counted(ours.value(), &seen[0])
        })
        .peer("prometheus 0.14", || {
            on(threads, n, |n| (0..n).for_each(|_| prometheus.inc()));
            counted(prometheus.get(), &seen[1])
        })
        .peer("prometheus-client 0.25", || {
            on(threads, n, |n| {
                (0..n).for_each(|_| {
                    client.inc();
                });
            });
            counted(client.get(), &seen[2])
        })
        .peer("measured 0.0.25", || {
            on(threads, n, |n| (0..n).for_each(|_| measured.inc()))
        })
        .peer("metrics 0.24", || {
            on(threads, n, |n| (0..n).for_each(|_| facade.increment(1)))
        })
        .peer("opentelemetry 0.33, bound", || {
            on(threads, n, |n| (0..n).for_each(|_| otel.add(1)))
        })
        .per("call", n)
        .agree(|ours, theirs| ours == theirs)
        .run();
}

fn labelled_counter(run: &mut Comparison, threads: usize) {
    let n = 500_000;
    let registry = Registry::new("x").expect("a good name");
    let ours = registry.counter_family::<Labels>("c", "").expect("a free name");
    let vector = prometheus::IntCounterVec::new(prometheus::Opts::new("c", "c"), &["kind", "route"])
        .expect("good names");
    let client = prometheus_client::metrics::family::Family::<
        ClientLabels,
        prometheus_client::metrics::counter::Counter,
    >::default();
    let measured = CounterVec::<MeasuredSet>::with_label_set(MeasuredSet {
        kind: StaticLabelSet::new(),
        route: StaticLabelSet::new(),
    });
    let recorder = PrometheusBuilder::new().build_recorder();
    let provider = SdkMeterProvider::builder()
        .with_reader(ManualReader::builder().build())
        .build();
    let otel = provider.meter("m").u64_counter("c").build();
    let sets: Vec<_> = (0..18)
        .map(|i| {
            [
                KeyValue::new("kind", KINDS[i % 6]),
                KeyValue::new("route", ROUTES[i / 6]),
            ]
        })
        .collect();
    // The label sets are made beforehand, for everybody: the arithmetic that picks them is not what is compared.
    let our_sets: Vec<_> = (0..18)
        .map(|i| Labels {
            kind: OUR_KINDS[i % 6],
            route: OUR_ROUTES[i / 6],
        })
        .collect();
    let measured_sets: Vec<_> = (0..18)
        .map(|i| MeasuredLabels {
            kind: MEASURED_KINDS[i % 6],
            route: MEASURED_ROUTES[i / 6],
        })
        .collect();
    let texts: Vec<[&'static str; 2]> = (0..18).map(|i| [KINDS[i % 6], ROUTES[i / 6]]).collect();
    let client_sets: Vec<_> = texts
        .iter()
        .map(|[kind, route]| ClientLabels { kind, route })
        .collect();
    let facade_sets: Vec<_> = texts
        .iter()
        .map(|[kind, route]| [("kind", *kind), ("route", *route)])
        .collect();
    run.case(&format!("counter with 2 enum labels, {threads} thread(s)"))
        .ours(|| {
            on(threads, n, |n| {
                our_sets
                    .iter()
                    .cycle()
                    .take(n)
                    .for_each(|labels| ours.inc(labels));
            })
        })
        .peer("measured 0.0.25", || {
            on(threads, n, |n| {
                measured_sets
                    .iter()
                    .cycle()
                    .take(n)
                    .for_each(|labels| measured.inc(*labels));
            })
        })
        .peer("prometheus 0.14", || {
            on(threads, n, |n| {
                texts
                    .iter()
                    .cycle()
                    .take(n)
                    .for_each(|texts| vector.with_label_values(texts).inc());
            })
        })
        .peer("prometheus-client 0.25", || {
            on(threads, n, |n| {
                for labels in client_sets.iter().cycle().take(n) {
                    client.get_or_create(labels).inc();
                }
            })
        })
        .peer("opentelemetry 0.33", || {
            on(threads, n, |n| {
                sets.iter().cycle().take(n).for_each(|labels| otel.add(1, labels));
            })
        })
        .peer("metrics 0.24", || {
            on(threads, n, |n| {
                metrics::with_local_recorder(&recorder, || {
                    for labels in facade_sets.iter().cycle().take(n) {
                        metrics::counter!("c", labels).increment(1);
                    }
                });
            })
        })
        .per("call", n)
        .run();
    let text = registry
        .counter_family::<Text<'static>>("t", "")
        .expect("a free name");
    run.case(&format!("counter with 2 text labels, {threads} thread(s)"))
        .ours(|| {
            on(threads, n, |n| {
                texts
                    .iter()
                    .cycle()
                    .take(n)
                    .for_each(|[kind, route]| text.with(&Text { kind, route }).inc());
            })
        })
        .peer("prometheus 0.14", || {
            on(threads, n, |n| {
                texts
                    .iter()
                    .cycle()
                    .take(n)
                    .for_each(|texts| vector.with_label_values(texts).inc());
            })
        })
        .peer("prometheus-client 0.25", || {
            on(threads, n, |n| {
                for labels in client_sets.iter().cycle().take(n) {
                    client.get_or_create(labels).inc();
                }
            })
        })
        .per("call", n)
        .run();
}

fn histogram(run: &mut Comparison, threads: usize) {
    let n = 500_000;
    let values = durations();
    let registry = Registry::new("x").expect("a good name");
    let options = HistogramOptions::seconds().with_buckets(&BUCKETS);
    let ours = registry.histogram("h", "", options).expect("a free name");
    let options = prometheus::HistogramOpts::new("h", "h").buckets(BUCKETS.to_vec());
    let prometheus = prometheus::Histogram::with_opts(options).expect("a good name");
    let client = prometheus_client::metrics::histogram::Histogram::new(BUCKETS);
    let thresholds = measured::metric::histogram::Thresholds::with_buckets(BUCKETS);
    let measured = measured::Histogram::<11>::with_metadata(thresholds);
    let recorder = PrometheusBuilder::new().build_recorder();
    let facade = metrics::with_local_recorder(&recorder, || metrics::histogram!("h"));
    let handle = recorder.handle();
    let provider = SdkMeterProvider::builder()
        .with_reader(ManualReader::builder().build())
        .build();
    let otel = provider.meter("m").f64_histogram("h").build();
    let otel = otel.bind(&[KeyValue::new("kind", "user")]);
    run.case(&format!(
        "histogram of 11 buckets (ours: schema 5 beside them), {threads} thread(s)"
    ))
    .ours(|| {
        on(threads, n, |n| {
            (0..n).for_each(|i| ours.observe(values[i & 4095]));
        })
    })
    .peer("prometheus 0.14", || {
        on(threads, n, |n| {
            (0..n).for_each(|i| prometheus.observe(values[i & 4095]));
        })
    })
    .peer("prometheus-client 0.25", || {
        on(threads, n, |n| {
            (0..n).for_each(|i| client.observe(values[i & 4095]));
        })
    })
    .peer("measured 0.0.25", || {
        on(threads, n, |n| {
            (0..n).for_each(|i| measured.get_metric().observe(values[i & 4095]));
        })
    })
    .peer("opentelemetry 0.33, bound", || {
        on(threads, n, |n| (0..n).for_each(|i| otel.record(values[i & 4095])))
    })
    .peer("metrics 0.24, upkeep included", || {
        let calls = on(threads, n, |n| {
            (0..n).for_each(|i| facade.record(values[i & 4095]));
        });
        handle.run_upkeep();
        calls
    })
    .per("call", n)
    .run();
}

fn encode(run: &mut Comparison) {
    let name = "text of 100,000 counters";
    if !run.wants(name) {
        return;
    }
    let n = 100_000;
    let registry = Registry::with_options("x", RegistryOptions::default().with_cardinality_limit(n))
        .expect("a good name");
    let ours = registry
        .counter_family::<Tenant<'static>>("counters", "help text")
        .expect("a free name");
    let prometheus = prometheus::Registry::new();
    let options = prometheus::Opts::new("counters_total", "help text");
    let vector = prometheus::IntCounterVec::new(options, &["kind"]).expect("good names");
    prometheus
        .register(Box::new(vector.clone()))
        .expect("a free name");
    let mut client = prometheus_client::registry::Registry::default();
    let family = prometheus_client::metrics::family::Family::<
        ClientTenant,
        prometheus_client::metrics::counter::Counter,
    >::default();
    client.register("counters", "help text", family.clone());
    let measured = MeasuredMetrics {
        counters: CounterVec::with_label_set(MeasuredTenantSet {
            kind: ParaCord::default(),
        }),
    };
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    for i in 0..n {
        let kind = i.to_string();
        ours.with(&Tenant { kind: &kind }).inc();
        vector.with_label_values(&[&kind]).inc();
        measured.counters.inc(MeasuredTenant { kind: &kind });
        let labels = [("kind", kind.clone())];
        metrics::with_local_recorder(&recorder, || metrics::counter!("counters", &labels).increment(1));
        family.get_or_create(&ClientTenant { kind }).inc();
    }
    let mut encoder = BufferedTextEncoder::new();
    run.case(name)
        .ours(|| {
            let mut out = Vec::new();
            registry.encode_prometheus_text(&mut out);
            bytes::Bytes::from(out)
        })
        .peer("measured 0.0.25", || {
            measured.collect_group_into(&mut encoder).expect("memory");
            encoder.finish()
        })
        .peer("prometheus-client 0.25", || {
            let mut out = String::new();
            prometheus_client::encoding::text::encode(&mut out, &client).expect("memory");
            bytes::Bytes::from(out)
        })
        .peer("metrics 0.24", || bytes::Bytes::from(handle.render()))
        .peer("prometheus 0.14", || {
            let mut out = String::new();
            prometheus::TextEncoder::new()
                .encode_utf8(&prometheus.gather(), &mut out)
                .expect("memory");
            bytes::Bytes::from(out)
        })
        .per("series", n)
        .agree(|ours, theirs| samples(ours) == samples(theirs) && samples(ours) == 100_000)
        .run();
}

/// No peer records this; the figures stand by themselves. The clock is the caller's and not in them.
fn lifecycle(run: &mut Comparison) {
    let metrics = |name| {
        let registry = Registry::new(name).expect("a good name");
        let tier = Tier::new("t").with_time_to_first_token(Duration::from_millis(200));
        ServerMetrics::new(&registry, NameScheme::Own, &Served::new("m"), &[tier]).expect("free names")
    };
    let at = |i: usize| Duration::from_nanos(i as u64 * 17_000_000);
    let n = 200_000;
    let tokens = metrics("tokens");
    run.case("LLM token event")
        .ours(|| {
            let mut request = tokens.request(0, 100, at(0));
            (0..n).for_each(|i| request.tokens(1, at(i)));
            request.finish(FinishReason::Stop, at(n));
        })
        .per("event", n)
        .run();
    let requests = metrics("requests");
    run.case("LLM request: arrival, scheduling, two token events, end")
        .ours(|| {
            for i in 0..n {
                let mut request = requests.request(0, i as u64 % 4_000, at(i));
                request.scheduled(at(i + 1));
                request.tokens(1, at(i + 2));
                request.tokens(1, at(i + 3));
                request.finish(FinishReason::Stop, at(i + 4));
            }
        })
        .per("request", n)
        .run();
}

/// The sample lines with the value 1.
fn samples(text: &[u8]) -> usize {
    text.split(|b| *b == b'\n')
        .filter(|line| line.ends_with(b" 1"))
        .count()
}
