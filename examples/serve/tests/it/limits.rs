//! Too much, too large, too slow, and gone.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::published::row;
use crate::{Served, run};

fn long(stream: bool) -> Value {
    json!({
        "model": "babble", "messages": [{"role": "user", "content": "Every"}], "max_tokens": 2000, "stream": stream,
        "temperature": 0, "seed": 1,
    })
}

/// Sends bytes as they are and reads what comes back until the end.
async fn raw(served: &Served, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.running.address())
        .await
        .expect("the service listens");
    let _cut_short_maybe = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _cut_short_maybe = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn heads_and_bodies_have_bounds() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, key) = (served.client(), served.key("analyst"));
        let head = format!(
            "GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
            "y".repeat(64 << 10)
        );
        assert!(raw(&served, head.as_bytes()).await.starts_with("HTTP/1.1 431 "));
        assert!(
            raw(&served, b"\x16\x03\x01 not HTTP\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 400 ")
        );
        let bearer = format!("Bearer {key}");
        let headers: &[(&str, &str)] = &[("authorization", &bearer)];
        let large = "x".repeat(300 << 10);
        let answer = client.call(Method::POST, "/v1/predict", headers, large).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        // Nobody's body is read before they are known.
        let answer = client
            .call(Method::POST, "/v1/predict", &[], "x".repeat(300 << 10))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        // Since it was not read, the connection ends, and the answer says so.
        for path in ["/v1/predict", "/v1/chat/completions", "/nowhere", "/livez"] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n");
            let answer = raw(&served, head.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
        }
        for (body, told) in [
            (json!({"rows": []}), "1 to 1000"),
            (json!({"rows": vec![json!({}); 1001]}), "1001"),
            (json!({"rows": [{"Wingspan": 1}]}), "Wingspan"),
            (json!({"rows": [{"Island": 3}]}), "is a text"),
            (json!({"rows": [{"Body Mass (g)": "heavy"}]}), "is a number"),
            (json!({"rows": [{"Body Mass (g)": [1]}]}), "did not match"),
            (json!({"row": []}), "unknown field"),
        ] {
            let answer = client.post("/v1/predict", &key, &body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
            assert!(answer.text().contains(told), "{}", answer.text());
        }
        // A number beyond the range of f64 is refused where it is read; a huge one gives a class all the same.
        let answer = client
            .call(
                Method::POST,
                "/v1/predict",
                headers,
                r#"{"rows":[{"Body Mass (g)":1e999}]}"#,
            )
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn beyond_the_queue_callers_are_told_when_to_come_back() {
    run(async {
        // Each token takes long, so that nothing ends while the test looks.
        let served = Served::start(|settings| {
            settings.pace = 100.0;
            settings.queue = 2;
            settings.quota = 1_000_000;
            settings.drain = Duration::ZERO;
        })
        .await;
        let (client, key) = (served.client(), served.key("analyst"));
        let bearer = format!("Bearer {key}");
        let status = client.get("/status").await.json();
        let replicas = status["placement"]["pools"][0]["replicas"]
            .as_array()
            .expect("replicas")
            .clone();
        let slots: u64 = replicas
            .iter()
            .map(|replica| replica["slots"].as_u64().expect("slots"))
            .sum();
        let mut open = Vec::new();
        for _ in 0..slots {
            let headers: &[(&str, &str)] = &[("authorization", &bearer)];
            let answer = client
                .open(
                    Method::POST,
                    "/v1/chat/completions",
                    headers,
                    long(true).to_string(),
                )
                .await;
            assert_eq!(answer.status(), StatusCode::OK);
            open.push(answer);
        }
        let busy = client.get("/status").await.json();
        let busy = busy["placement"]["pools"][0]["replicas"]
            .as_array()
            .expect("replicas")
            .clone();
        assert!(
            busy.iter().all(|replica| replica["busy"] == replica["slots"]),
            "the load is spread: {busy:?}"
        );
        // Two wait, the third is told to come back.
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let (client, key) = (client.clone(), key.clone());
                tokio::spawn(async move { client.post("/v1/chat/completions", &key, &long(true)).await })
            })
            .collect();
        while client.get("/status").await.json()["placement"]["pools"][0]["waiting"] != json!(2) {
            sleep(Duration::from_millis(5)).await;
        }
        let answer = client.post("/v1/chat/completions", &key, &long(false)).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let wait: u64 = answer
            .header("retry-after")
            .and_then(|s| s.parse().ok())
            .expect("Retry-After");
        assert!((1..=60).contains(&wait));
        for waiter in waiting {
            waiter.abort();
        }
        drop(open);
        // Everybody has gone: the slots and the held tokens are given back, and each request was counted once.
        while client.get("/status").await.json()["in_flight"] != json!(1) {
            sleep(Duration::from_millis(5)).await;
        }
        let status = client.get("/status").await.json();
        assert_eq!(status["quotas"]["callers"][0]["reserved"], json!(0));
        let pool = &status["placement"]["pools"][0];
        assert!(
            pool["replicas"]
                .as_array()
                .expect("replicas")
                .iter()
                .all(|replica| replica["busy"] == json!(0))
        );
        assert_eq!(pool["waiting"], json!(0));
        let gone = "serve_http_requests_total{route=\"/v1/chat/completions\",code=\"499\"}";
        assert_eq!(client.metric(gone).await as u64, slots + 2);
        let report = served.running.shutdown().await.expect("a clean stop");
        assert_eq!((report.requests, report.log.dropped), (report.log.records, 0));
    });
}

#[test]
fn idle_and_half_sent_connections_disturb_nobody() {
    run(async {
        let served = Served::start(|settings| settings.drain = Duration::from_millis(200)).await;
        let (client, key) = (served.client(), served.key("analyst"));
        let mut idle = Vec::new();
        for i in 0..300 {
            let mut stream = TcpStream::connect(served.running.address()).await.expect("room");
            if i % 2 == 1 {
                stream
                    .write_all(b"POST /v1/predict HTTP/1.1\r\nhost:")
                    .await
                    .expect("sent");
            }
            idle.push(stream);
        }
        let answer = client.post("/v1/predict", &key, &json!({"rows": [row()]})).await;
        assert_eq!(answer.status, StatusCode::OK);
        // A body that never comes does not hold the stop up for longer than it may.
        let mut half = TcpStream::connect(served.running.address()).await.expect("room");
        let head = format!(
            "POST /v1/predict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 9\r\n\r\n"
        );
        half.write_all(head.as_bytes()).await.expect("sent");
        while client.get("/status").await.json()["in_flight"] != json!(2) {
            sleep(Duration::from_millis(5)).await;
        }
        let report = served.running.shutdown().await.expect("a clean stop");
        assert!(report.cut >= 1, "{report:?}");
        assert_eq!((report.requests, report.log.dropped), (report.log.records, 0));
    });
}

#[test]
fn unknown_paths_and_methods_are_named() {
    run(async {
        let served = Served::start(|_| ()).await;
        let client = served.client();
        assert_eq!(client.get("/nowhere").await.status, StatusCode::NOT_FOUND);
        let answer = client
            .call(Method::DELETE, "/v1/predict", &[], Body::empty())
            .await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.header("allow").is_some());
        served.running.shutdown().await.expect("a clean stop");
    });
}
