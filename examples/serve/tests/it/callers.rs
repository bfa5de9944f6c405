//! Who is let in, and what those are told who are not.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::published::row;
use crate::{Served, run};

#[test]
fn every_wrong_credential_gets_the_same_answer_and_its_own_log_line() {
    run(async {
        let served = Served::start(|_| ()).await;
        let client = served.client();
        let analyst = served.key("analyst");
        let minted = client
            .post("/v1/tokens", &analyst, &json!({"seconds": 1}))
            .await
            .json();
        let short = minted["access_token"].as_str().expect("a token").to_owned();
        let minted = client.post("/v1/tokens", &analyst, &json!({})).await.json();
        let token = minted["access_token"].as_str().expect("a token").to_owned();
        let body = json!({"rows": [row()]});
        assert_eq!(
            client.post("/v1/predict", &token, &body).await.status,
            StatusCode::OK
        );
        tokio::time::sleep(Duration::from_millis(2100)).await;

        // The last character of a signature stands for four bits: A, Q, g or w, and any other is malformed.
        let last = if token.ends_with('A') { 'Q' } else { 'A' };
        let forged = format!("{}{last}", &token[..token.len() - 1]);
        let wrong = [
            ("", "no_credential"),
            ("Bearer", "malformed_credential"),
            ("Basic dXNlcjpwYXNz", "malformed_credential"),
            ("Bearer mo_demo_typo", "malformed_credential"),
            (&format!("Bearer {}", served.key("revoked")), "revoked"),
            (&format!("Bearer {short}"), "expired"),
            (&format!("Bearer {forged}"), "unknown_credential"),
        ];
        let mut answers = Vec::new();
        for (header, reason) in &wrong {
            let headers: &[(&str, &str)] = if header.is_empty() {
                &[]
            } else {
                &[("authorization", header)]
            };
            let answer = client
                .call(Method::POST, "/v1/predict", headers, body.to_string())
                .await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{header}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"serve\""));
            answers.push(answer.body);
            let series = format!("serve_refused_total{{reason=\"{reason}\"}}");
            assert!(client.metric(&series).await > 0.0, "{series}");
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "the answers tell the credentials apart");
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn what_a_connection_was_known_for_holds_for_nothing_else() {
    run(async {
        let served = Served::start(|_| ()).await;
        let client = served.client();
        let (analyst, guest) = (served.key("analyst"), served.key("guest"));
        let minted = client
            .post("/v1/tokens", &guest, &json!({"seconds": 2}))
            .await
            .json();
        let token = minted["access_token"].as_str().expect("a token").to_owned();
        let (now, later) = (Duration::ZERO, Duration::from_millis(3100));
        let rows = json!({"rows": [row()]});
        // Each of them as who they are, again and again; the token of two seconds ends though the connection goes on.
        let calls = [
            (&*analyst, now),
            (&analyst, now),
            (&guest, now),
            (&token, now),
            (&token, now),
            (&analyst, now),
            (&token, later),
        ];
        let statuses = client.keep("/v1/predict", &rows, &calls).await;
        assert_eq!(statuses[..6], [StatusCode::OK; 6]);
        assert_eq!(statuses[6], StatusCode::UNAUTHORIZED);
        for (caller, rows) in [("analyst", 3.0), ("guest", 3.0)] {
            let series = format!("serve_caller_tokens_total{{caller=\"{caller}\",kind=\"row\"}}");
            assert_eq!(client.metric(&series).await, rows, "{caller}");
        }
        // A scope is asked of whoever is recalled, not of the connection.
        let chat =
            json!({"model": "babble", "max_tokens": 1, "messages": [{"role": "user", "content": "Every"}]});
        let statuses = client
            .keep("/v1/chat/completions", &chat, &[(&analyst, now), (&guest, now)])
            .await;
        assert_eq!(statuses, [StatusCode::OK, StatusCode::FORBIDDEN]);
        let wrong = format!("{}x", &analyst[..analyst.len() - 1]);
        let statuses = client
            .keep("/v1/predict", &rows, &[(&analyst, now), (&wrong, now)])
            .await;
        assert_eq!(statuses, [StatusCode::OK, StatusCode::UNAUTHORIZED]);
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn a_scope_that_is_missing_is_403() {
    run(async {
        let served = Served::start(|_| ()).await;
        let client = served.client();
        let chat = json!({"model": "babble", "messages": [{"role": "user", "content": "Every"}]});
        let answer = client
            .post("/v1/chat/completions", &served.key("guest"), &chat)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text().contains("model:babble:infer"), "{}", answer.text());
        let answer = client
            .post("/admin/reload", &served.key("analyst"), &json!({}))
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        // A token carries the scopes of its key and makes no further tokens.
        let minted = client
            .post("/v1/tokens", &served.key("guest"), &json!({}))
            .await
            .json();
        let token = minted["access_token"].as_str().expect("a token").to_owned();
        assert_eq!(
            client.post("/v1/tokens", &token, &json!({})).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            client.post("/v1/chat/completions", &token, &chat).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            client
                .post("/v1/predict", &token, &json!({"rows": [row()]}))
                .await
                .status,
            StatusCode::OK
        );
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn a_quota_is_never_exceeded_and_says_when_it_is_filled_again() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, guest) = (served.client(), served.key("guest"));
        let rows = |n: usize| json!({"rows": vec![row(); n]});
        // The guest has 100 tokens a minute. No waiting helps a request that is larger.
        let answer = client.post("/v1/predict", &guest, &rows(101)).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (StatusCode::TOO_MANY_REQUESTS, None)
        );
        // Twenty callers at once ask for 20 rows each; a minute may turn between them.
        let calls = (0..20).map(|_| {
            let (client, guest, rows) = (client.clone(), guest.clone(), rows(20));
            tokio::spawn(async move { client.post("/v1/predict", &guest, &rows).await })
        });
        let mut answered = 0;
        for call in calls.collect::<Vec<_>>() {
            let answer = call.await.expect("an answer");
            if answer.status == StatusCode::OK {
                answered += 1;
                continue;
            }
            assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
            let wait: u64 = answer
                .header("retry-after")
                .and_then(|s| s.parse().ok())
                .expect("Retry-After");
            assert!((1..=60).contains(&wait), "{wait}");
        }
        assert!(
            answered == 5 || (6..=10).contains(&answered),
            "{answered} of 20 were let through"
        );
        let billed = client
            .metric("serve_caller_tokens_total{caller=\"guest\",kind=\"row\"}")
            .await;
        assert_eq!(billed as u64, answered * 20);
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn an_address_that_keeps_failing_waits_but_a_right_key_passes() {
    run(async {
        let served = Served::start(|_| ()).await;
        let client = served.client();
        let mut last = StatusCode::OK;
        for _ in 0..25 {
            let answer = client.call(Method::POST, "/v1/predict", &[], Body::empty()).await;
            last = answer.status;
            if last == StatusCode::TOO_MANY_REQUESTS {
                assert!(answer.header("retry-after").is_some());
            }
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
        let answer = client
            .post("/v1/predict", &served.key("analyst"), &json!({"rows": [row()]}))
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn no_secret_reaches_a_log_or_a_page() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, key) = (served.client(), served.key("analyst"));
        let minted = client.post("/v1/tokens", &key, &json!({})).await.json();
        let token = minted["access_token"].as_str().expect("a token").to_owned();
        for secret in [&key, &token] {
            client.get(&format!("/v1/models?key={secret}")).await;
            client.get(&format!("/nowhere/{secret}")).await;
            client
                .post("/v1/predict", secret, &json!({"rows": [row()]}))
                .await;
        }
        let pages = [client.get("/status").await, client.get("/metrics").await];
        assert!(pages[0].text().contains("[REDACTED]"));
        let folder = served.folder;
        served.running.shutdown().await.expect("a clean stop");
        let log = crate::log(folder.path());
        for secret in [&key, &token] {
            let tail = &secret[secret.len() - 30..];
            assert!(!log.contains(tail) && pages.iter().all(|page| !page.text().contains(tail)));
        }
        assert_eq!(log.matches("[REDACTED]").count(), 4);
    });
}
