//! The facades: `metrics`, `tracing`, tower.

#[cfg(feature = "metrics")]
mod metrics_facade {
    use modelops_monitoring::openmetrics::parse;
    use modelops_monitoring::{HistogramOptions, Registry, RegistryOptions, RegistryRecorder};

    #[test]
    fn what_the_facade_records_is_exposed_exactly() {
        let registry = Registry::new("app").unwrap();
        let recorder = RegistryRecorder::new(&registry)
            .with_histogram("sizes", HistogramOptions::sizes().with_buckets(&[10.0]));
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("http.requests_total", "code" => "200", "le" => "x").increment(2);
            metrics::counter!("http.requests_total", "le" => "x", "code" => "200").increment(3);
            metrics::counter!("absolute").absolute(7);
            metrics::counter!("absolute").absolute(4);
            metrics::gauge!("level").set(4.0);
            metrics::gauge!("level").decrement(1.5);
            metrics::histogram!("sizes").record(3.0);
            metrics::histogram!("sizes").record_many(30.0, 2);
            metrics::histogram!("wait_seconds").record(0.5);
            metrics::describe_gauge!("level", "Said afterwards.");
        });
        let text = registry.to_openmetrics();
        parse(&text).unwrap();
        for line in [
            "app_http_requests_total{code=\"200\",label_le=\"x\"} 5\n",
            "app_absolute_total 7\n",
            "# HELP app_level Said afterwards.\napp_level 2.5\n",
            "app_sizes_bucket{le=\"10.0\"} 1\n",
            "app_sizes_sum 63.0\n",
            "app_wait_seconds_count 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert_eq!(recorder.refused(), 0);
    }

    #[test]
    fn a_name_of_two_kinds_keeps_its_first_and_labels_without_end_share_a_series() {
        let options = RegistryOptions::default().with_cardinality_limit(3);
        let registry = Registry::with_options("", options).unwrap();
        let recorder = RegistryRecorder::new(&registry);
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("a").increment(1);
            metrics::gauge!("a").set(2.0);
            for user in 0..100 {
                metrics::counter!("seen", "user" => user.to_string()).increment(1);
            }
            metrics::counter!("").increment(1);
        });
        assert_eq!(recorder.refused(), 1);
        let text = registry.to_openmetrics();
        let families = parse(&text).unwrap();
        let seen = families.iter().find(|family| family.name == "seen").unwrap();
        assert_eq!(seen.samples.len(), 4);
        assert_eq!(seen.samples.iter().map(|sample| sample.value).sum::<f64>(), 100.0);
        assert!(text.contains("seen_total{user=\"__overflow__\"} 97\n"));
    }
}

#[cfg(feature = "tracing")]
mod tracing_layer {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    use modelops_monitoring::{
        MonitoringLayer, RecordLog, RecordLogOptions, RecordReader, RegisterError, Registry, WhenFull,
    };
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn spans_are_timed_and_events_are_counted_and_logged() {
        let registry = Registry::new("app").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = RecordLogOptions::default().with_when_full(WhenFull::Wait);
        let log = RecordLog::create(folder.path(), options).unwrap();
        let clock = Arc::new(AtomicU64::new(10));
        let read = Arc::clone(&clock);
        let layer = MonitoringLayer::new(&registry, move || Duration::from_secs(read.load(Relaxed)))
            .unwrap()
            .with_log(log);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("answer");
            span.in_scope(|| tracing::error!(target: "model", tokens = 7, time = "x", "failed at {}", 3));
            clock.store(14, Relaxed);
            drop(span);
            tracing::info!(target: "model", seconds = 0.5, ok = true, huge = u64::MAX, low = -1);
        });
        let text = registry.to_prometheus_text();
        assert!(
            text.contains("app_span_seconds_sum{span=\"answer\"} 4.0\n"),
            "{text}"
        );
        assert!(text.contains("app_events_total{target=\"model\",level=\"error\"} 1\n"));
        assert!(text.contains("app_events_unlogged_total 0\n"));
        let written = std::fs::read_to_string(folder.path().join("records-000001.jsonl")).unwrap();
        let record: serde_json::Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
        assert_eq!(record["message"], "failed at 3");
        assert_eq!(
            (&record["tokens"], &record["field_time"]),
            (&7.into(), &"x".into())
        );
        assert_eq!(
            (&record["time"], &record["span"]),
            (&10.0.into(), &"answer".into())
        );
        let summary = RecordReader::open(folder.path())
            .unwrap()
            .summarize("seconds")
            .unwrap();
        assert_eq!(summary.values.sum(), 0.5);
        assert!(matches!(
            MonitoringLayer::new(&registry, Duration::default),
            Err(RegisterError::Taken { .. })
        ));
    }
}

#[cfg(feature = "tower")]
mod tower_service_of_metrics {
    use modelops_monitoring::{Format, MetricsService, Registry};
    use tower_service::Service;

    #[test]
    fn the_service_answers_scrapes_alone() {
        let registry = Registry::new("app").unwrap();
        registry.counter("orders", "Orders.").unwrap().inc();
        let mut service = MetricsService::new(&registry);
        let request = |method: &str, accept: &[u8]| {
            let accept = http::HeaderValue::from_bytes(accept).unwrap();
            http::Request::builder()
                .method(method)
                .header("accept", accept)
                .body("ignored")
                .unwrap()
        };
        let mut ask = |method, accept| service.call(request(method, accept)).into_inner().unwrap();
        let answer = ask("GET", b"application/openmetrics-text");
        assert_eq!(
            answer.headers()["content-type"],
            Format::OpenMetrics1.content_type()
        );
        assert_eq!(
            answer.headers()["content-length"],
            registry.to_openmetrics().len().to_string()
        );
        assert_eq!(
            ask("HEAD", b"\xff").headers()["content-type"],
            Format::PrometheusText.content_type()
        );
        let refused = ask("POST", b"*/*");
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &http::HeaderValue::from_static("GET, HEAD"))
        );
    }
}
