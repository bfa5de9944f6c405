//! The way down loses no count and no log line, and the way up notices what was changed meanwhile.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use modelops_serve::{Settings, start};
use serde_json::{Value, json};

use crate::published::row;
use crate::{Served, log, run};

#[test]
fn requests_under_way_end_and_everything_is_counted_once() {
    run(async {
        let served = Served::start(|settings| {
            settings.pace = 1.0;
            settings.quota = 1_000_000;
        })
        .await;
        let (client, key) = (served.client(), served.key("analyst"));
        for _ in 0..50 {
            client.post("/v1/predict", &key, &json!({"rows": [row()]})).await;
        }
        let bearer = format!("Bearer {key}");
        let chat = json!({
            "model": "babble", "messages": [{"role": "user", "content": "Every"}], "max_tokens": 30, "stream": true,
            "temperature": 0, "seed": 1,
        });
        let mut streams = Vec::new();
        for _ in 0..20 {
            let headers: &[(&str, &str)] = &[("authorization", &bearer)];
            streams.push(
                client
                    .open(Method::POST, "/v1/chat/completions", headers, chat.to_string())
                    .await,
            );
        }
        let reading = streams.into_iter().map(|stream| {
            tokio::spawn(async move {
                let body = axum::body::to_bytes(Body::new(stream.into_body()), usize::MAX).await;
                String::from_utf8(body.expect("the whole stream").to_vec()).expect("text")
            })
        });
        let reading: Vec<_> = reading.collect();
        let folder = served.folder;
        let report = served.running.shutdown().await.expect("a clean stop");
        for stream in reading {
            assert!(
                stream.await.expect("read").ends_with("data: [DONE]\n\n"),
                "a stream was cut"
            );
        }
        assert_eq!((report.requests, report.cut), (70, 0));
        assert_eq!((report.log.records, report.log.dropped), (70, 0));
        let log = log(folder.path());
        let records: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).expect("a record"))
            .collect();
        assert_eq!(records.len(), 70);
        let mut ids: Vec<u64> = records
            .iter()
            .map(|record| record["id"].as_u64().expect("an id"))
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=70).collect::<Vec<u64>>());
        let metrics =
            std::fs::read_to_string(folder.path().join("out/metrics.prom")).expect("the last scrape");
        let counted = metrics
            .lines()
            .filter(|line| line.starts_with("serve_http_requests_total{"));
        let counted: f64 = counted
            .filter_map(|line| line.split(' ').next_back()?.parse::<f64>().ok())
            .sum();
        assert_eq!(counted as u64, 70);
        let tokens: u64 = records
            .iter()
            .map(|record| record["completion"].as_u64().unwrap_or(0))
            .sum();
        assert!(metrics.contains(&format!(
            "serve_llm_generated_tokens_total{{model=\"babble\"}} {tokens}\n"
        )));
    });
}

#[test]
fn a_changed_audit_log_stops_the_next_start() {
    run(async {
        let served = Served::start(|_| ()).await;
        let folder = served.folder;
        served.running.shutdown().await.expect("a clean stop");
        let settings = || Settings {
            address: ([127, 0, 0, 1], 0).into(),
            model: folder.path().join("5-protect"),
            out: folder.path().join("out"),
            drain: Duration::from_secs(1),
            ..Settings::default()
        };
        let again = start(settings()).await.expect("the log is as it was");
        again.shutdown().await.expect("a clean stop");
        let path = folder.path().join("out/audit.log");
        let log = std::fs::read(&path).expect("read");
        std::fs::write(&path, &log[..log.len() / 2]).expect("written");
        let error = start(settings())
            .await
            .err()
            .expect("the log was cut")
            .to_string();
        assert!(error.contains("audit.log"), "{error}");
    });
}

#[test]
fn each_promise_is_a_file_of_rules_for_prometheus() {
    run(async {
        let served = Served::start(|_| ()).await;
        let rules = served.folder.path().join("out/rules");
        let read = |name: &str| std::fs::read_to_string(rules.join(name)).expect("rules");
        assert!(read("availability.yml").contains("serve_http_requests_total{code=~\\\"5..\\\"}[1h]"));
        assert!(
            read("latency.yml")
                .contains("serve_http_request_seconds_bucket{route=\\\"/v1/predict\\\",le=\\\"0.05\\\"}[1h]")
        );
        // The names are those that are scraped, once there was a request.
        let client = served.client();
        let answer = client
            .post("/v1/predict", &served.key("analyst"), &json!({"rows": [row()]}))
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        let metrics = client.get("/metrics").await;
        for name in [
            "serve_http_requests_total{",
            "serve_http_request_seconds_bucket{route=\"/v1/predict\",le=\"0.05\"}",
        ] {
            assert!(metrics.text().contains(name), "{name}");
        }
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn without_a_model_the_one_command_is_named() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            model: folder.path().join("nothing"),
            out: folder.path().join("out"),
            ..Settings::default()
        };
        let error = start(settings)
            .await
            .err()
            .expect("there is no model")
            .to_string();
        assert!(error.contains("cargo run --example operate"), "{error}");
        assert!(!folder.path().join("out").exists());
    });
}
