//! A service that can be scraped: serves metrics of every kind on loopback until its standard input ends.
//!
//! On standard output it says where it listens and what a scraper should find, as one line of JSON.

use std::io::{Read, Write};
use std::time::Duration;

use modelops_monitoring::llm::{FinishReason, NameScheme, Served, ServerMetrics, Tier};
use modelops_monitoring::{
    Endpoint, EndpointOptions, Exemplar, HistogramOptions, ProcessCollector, Registry, RegistryOptions,
    label_enum, label_set,
};
use serde_json::json;

label_enum! {
    /// What the service does.
    pub enum Phase { Loading = "loading", Ready = "ready" }
}
label_set! { struct Tenant<'a> { tenant: &'a str } }

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::with_options("shop", RegistryOptions::default().with_start(1_700_000_000.0))?;
    registry.info("build", "What runs.", &[("version", "1.4.0")])?;
    registry
        .state_set::<Phase>("phase", "What the service does.")?
        .set(Phase::Ready);
    registry.gauge("cache_bytes", "Bytes in the cache.")?.set(4096.0);
    let orders = registry.counter_family::<Tenant<'static>>("orders", "Orders taken.")?;
    for (tenant, count) in [("acme", 3), ("\"quoted\\", 4)] {
        orders
            .bind(&Tenant { tenant })
            .inc_with_exemplar(count, Exemplar::new(7, 9, 1_700_000_001.0));
    }
    // Durations between 1 ms and 100 s, whose logarithms are evenly spread.
    let mut values: Vec<f64> = (0..10_000)
        .map(|i| 0.001 * 10f64.powf(5.0 * f64::from(i * 7919 % 10_000) / 10_000.0))
        .collect();
    let native = registry.histogram(
        "wait_seconds",
        "Time in the queue.",
        HistogramOptions::seconds().with_buckets(&[]),
    )?;
    let both = registry.histogram(
        "order_seconds",
        "Time to take an order.",
        HistogramOptions::seconds(),
    )?;
    for value in &values {
        native.observe(*value);
        both.observe_with_exemplar(*value, Exemplar::new(1, 2, 1_700_000_002.0));
    }
    registry.add_collector(Box::new(ProcessCollector::new()))?;
    let mut schemes = Vec::new();
    for (scheme, namespace) in [
        (NameScheme::Own, "own"),
        (NameScheme::GenAi, "semantic"),
        (NameScheme::VllmCompat, "compat"),
    ] {
        let registry = Registry::new(namespace)?;
        let tiers = [Tier::new("chat").with_time_to_first_token(Duration::from_millis(500))];
        let metrics = ServerMetrics::new(&registry, scheme, &Served::new("m"), &tiers)?;
        let mut request = metrics.request(0, 128, Duration::from_secs(1));
        request.scheduled(Duration::from_millis(1_010));
        request.tokens(1, Duration::from_millis(1_200));
        request.tokens(3, Duration::from_millis(1_300));
        request.finish(FinishReason::Stop, Duration::from_millis(1_300));
        schemes.push(json!({ "scheme": namespace, "text": registry.to_prometheus_text() }));
    }
    values.sort_by(f64::total_cmp);
    let exact = |q: f64| values[((q * values.len() as f64).ceil() as usize).max(1) - 1];
    let quantiles: Vec<_> = [0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
        .iter()
        .map(|q| json!([q, exact(*q)]))
        .collect();

    let endpoint = Endpoint::serve(&registry, EndpointOptions::default())?;
    let told = json!({
        "address": endpoint.address().to_string(),
        "bound": native.snapshot().relative_error(),
        "count": native.snapshot().count(),
        "quantiles": quantiles,
        "registry": registry.to_prometheus_text(),
        "alerts": registry.prometheus_alerts(),
        "schemes": schemes,
    });
    println!("{told}");
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
