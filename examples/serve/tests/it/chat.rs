//! Text in the wire format of OpenAI.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{Served, run};

fn asked(stream: bool) -> Value {
    json!({
        "model": "babble", "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "Every"}],
        "max_tokens": 40, "seed": 11, "stream": stream, "stream_options": {"include_usage": true},
    })
}

/// The events of a stream.
pub(crate) fn events(text: &str) -> Vec<&str> {
    let events: Vec<&str> = text.split("\n\n").filter(|event| !event.is_empty()).collect();
    events
        .iter()
        .map(|event| event.strip_prefix("data: ").expect("an event is data"))
        .collect()
}

#[test]
fn a_stream_is_the_whole_answer_in_pieces() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, key) = (served.client(), served.key("analyst"));
        let whole = client.post("/v1/chat/completions", &key, &asked(false)).await;
        assert_eq!(whole.status, StatusCode::OK);
        let whole = whole.json();
        let stream = client.post("/v1/chat/completions", &key, &asked(true)).await;
        assert_eq!(
            stream.header("content-type"),
            Some("text/event-stream; charset=utf-8")
        );
        let events = events(stream.text());
        assert_eq!(events.last(), Some(&"[DONE]"));
        let chunks: Vec<Value> = events[..events.len() - 1]
            .iter()
            .map(|event| serde_json::from_str(event).expect("a chunk"))
            .collect();
        let delta = |chunk: &Value| {
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let text: String = chunks.iter().map(delta).collect();
        assert_eq!(json!(text), whole["choices"][0]["message"]["content"]);
        assert!(!text.is_empty());
        let [.., finish, usage] = &chunks[..] else {
            panic!("too few chunks")
        };
        assert_eq!(
            finish["choices"][0]["finish_reason"],
            whole["choices"][0]["finish_reason"]
        );
        assert_eq!(usage["usage"], whole["usage"]);
        assert_eq!(usage["choices"], json!([]));

        // The metrics have the same tokens.
        let tokens = 2.0 * whole["usage"]["completion_tokens"].as_f64().expect("tokens");
        assert_eq!(
            client
                .metric("serve_llm_generated_tokens_total{model=\"babble\"}")
                .await,
            tokens
        );
        assert_eq!(
            client
                .metric("serve_caller_tokens_total{caller=\"analyst\",kind=\"completion\"}")
                .await,
            tokens
        );
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn what_cannot_be_answered_is_refused_with_what_to_change() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, key) = (served.client(), served.key("analyst"));
        let base = asked(false);
        let with = |field: &str, value: Value| {
            let mut body = base.clone();
            body[field] = value;
            body
        };
        for (body, status, told) in [
            (with("model", json!("gpt-x")), 404, "babble"),
            (with("messages", json!([])), 400, "messages"),
            (with("messages", json!("hello")), 400, "sequence"),
            (with("n", json!(2)), 400, "n is 1"),
            (with("max_tokens", json!(0)), 400, "1 to 2048"),
            (with("max_tokens", json!(-1)), 400, "u64"),
            (with("temperature", json!(3)), 400, "0 to 2"),
            (json!([]), 400, "length 0"),
            (json!(null), 400, "null"),
        ] {
            let answer = client.post("/v1/chat/completions", &key, &body).await;
            assert_eq!(answer.status.as_u16(), status, "{body}");
            let message = answer.json()["error"]["message"].to_string();
            assert!(message.contains(told), "{message}");
        }
        // What was refused cost nothing.
        let status = client.get("/status").await.json();
        let analyst = &status["quotas"]["callers"][0];
        assert_eq!((&analyst["used"], &analyst["reserved"]), (&json!(0), &json!(0)));
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn the_same_seed_writes_the_same_and_another_something_else() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, key) = (served.client(), served.key("analyst"));
        let mut texts = Vec::new();
        for seed in [1, 1, 2] {
            let mut body = asked(false);
            body["seed"] = json!(seed);
            let answer = client.post("/v1/chat/completions", &key, &body).await.json();
            texts.push(answer["choices"][0]["message"]["content"].to_string());
        }
        assert_eq!(texts[0], texts[1]);
        assert_ne!(texts[0], texts[2]);
        served.running.shutdown().await.expect("a clean stop");
    });
}
