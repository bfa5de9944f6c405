//! The OpenAPI document and the service say the same.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use modelops_monitoring::openmetrics;
use serde_json::{Value, json};

use crate::chat::events;
use crate::published::row;
use crate::{Served, run};

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

#[test]
fn every_operation_answers_as_the_document_says() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, operator) = (served.client(), served.key("operator"));
        let document = client.get("/openapi.json").await.json();
        let bearer = format!("Bearer {operator}");
        let mut operations = 0;
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for name in METHODS {
                let method = Method::from_bytes(name.to_ascii_uppercase().as_bytes()).expect("a method");
                let Some(operation) = methods.get(name) else {
                    let answer = client.call(method, path, &[], Body::empty()).await;
                    assert_eq!(
                        answer.status,
                        StatusCode::METHOD_NOT_ALLOWED,
                        "{name} {path} is not documented"
                    );
                    continue;
                };
                operations += 1;
                // As documented, without a credential, and with a body that is none.
                let request = &operation["requestBody"]["content"]["application/json"];
                let example = match path.as_str() {
                    "/v1/predict" => json!({"rows": [row()]}),
                    _ => request["example"].clone(),
                };
                if !request["schema"].is_null() {
                    holds(&document, &request["schema"], &request["example"], path);
                }
                let key: &[(&str, &str)] = &[("authorization", &bearer)];
                let text = if example.is_null() {
                    String::new()
                } else {
                    example.to_string()
                };
                let mut answers = vec![client.call(method.clone(), path, key, text.clone()).await];
                assert_eq!(
                    answers[0].status,
                    StatusCode::OK,
                    "{name} {path}: {}",
                    answers[0].text()
                );
                if !operation["security"].is_null() {
                    answers.push(client.call(method.clone(), path, &[], text).await);
                    assert_eq!(answers[1].status, StatusCode::UNAUTHORIZED, "{name} {path}");
                }
                if !request["schema"].is_null() {
                    answers.push(client.call(method, path, key, "{\"nonsense\": ").await);
                    assert_eq!(
                        answers.last().map(|a| a.status),
                        Some(StatusCode::BAD_REQUEST),
                        "{name} {path}"
                    );
                }
                for answer in answers {
                    let documented = &operation["responses"][answer.status.as_str()];
                    assert!(
                        !documented.is_null(),
                        "{name} {path}: {} is not documented",
                        answer.status
                    );
                    let content_type = answer.header("content-type").expect("a content type");
                    let bare = content_type.split(';').next().unwrap_or_default();
                    let content = &documented["content"][bare];
                    assert!(!content.is_null(), "{name} {path}: {bare} is not documented");
                    if bare == "application/json" {
                        holds(&document, &content["schema"], &answer.json(), path);
                    }
                }
            }
        }
        assert_eq!(operations, 13);
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn every_chunk_of_a_stream_is_as_documented() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, key) = (served.client(), served.key("analyst"));
        let document = client.get("/openapi.json").await.json();
        let schema = &document["components"]["schemas"]["ChatChunk"];
        let body = json!({"model": "babble", "messages": [{"role": "user", "content": "a"}], "stream": true});
        let answer = client.post("/v1/chat/completions", &key, &body).await;
        let events = events(answer.text());
        for event in &events[..events.len() - 1] {
            holds(
                &document,
                schema,
                &serde_json::from_str(event).expect("a chunk"),
                event,
            );
        }
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, key) = (served.client(), served.key("analyst"));
        client.post("/v1/predict", &key, &json!({"rows": [row()]})).await;
        let plain = client.get("/metrics").await;
        assert_eq!(
            plain.header("content-type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        let asked = async |accept: &str| {
            let headers: &[(&str, &str)] = &[("accept", accept)];
            client.call(Method::GET, "/metrics", headers, Body::empty()).await
        };
        for (accept, content_type) in [
            (
                "application/openmetrics-text;version=2.0.0",
                "application/openmetrics-text; version=2.0.0; charset=utf-8",
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
            ),
            ("image/png", "text/plain; version=0.0.4; charset=utf-8"),
        ] {
            let answer = asked(accept).await;
            assert_eq!(answer.header("content-type"), Some(content_type));
            assert!(!answer.body.is_empty());
        }
        let open = asked("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
        assert_eq!(
            open.header("content-type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        let families = openmetrics::parse(open.text()).expect("it is OpenMetrics");
        assert_eq!(openmetrics::lint(&families), []);
        served.running.shutdown().await.expect("a clean stop");
    });
}

/// Fails unless `value` is what `schema` says, by the words of JSON Schema that the document uses.
fn holds(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document
            .pointer(reference.trim_start_matches('#'))
            .expect("the reference leads somewhere");
        return holds(document, target, value, place);
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let is = |name: &&str| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{place}: unknown type {other}"),
    };
    assert!(
        names.is_empty() || names.iter().any(is),
        "{place}: {value} is not {names:?}"
    );
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place}: {value} is none of {allowed:?}");
    }
    if let Some(number) = value.as_f64() {
        assert!(
            schema["minimum"].as_f64().is_none_or(|least| number >= least),
            "{place}: {number} is too small"
        );
        assert!(
            schema["maximum"].as_f64().is_none_or(|most| number <= most),
            "{place}: {number} is too large"
        );
    }
    if let Some(items) = value.as_array() {
        let count = items.len() as u64;
        assert!(
            schema["minItems"].as_u64().is_none_or(|least| count >= least),
            "{place}: too few items"
        );
        assert!(
            schema["maxItems"].as_u64().is_none_or(|most| count <= most),
            "{place}: too many items"
        );
        if !schema["items"].is_null() {
            items
                .iter()
                .for_each(|item| holds(document, &schema["items"], item, place));
        }
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            assert!(fields.contains_key(name), "{place}: {name} is missing in {value}");
        }
        for (name, field) in fields {
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => panic!("{place}: {name} is not documented"),
                (Value::Null, more @ Value::Object(_)) => holds(document, more, field, name),
                (Value::Null, _) => {}
                (property, _) => holds(document, property, field, name),
            }
        }
    }
}
