//! A new model under load.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use modelops_serve::{PublishOptions, publish};
use serde_json::json;

use crate::published::row;
use crate::{Served, run};

#[test]
fn rotated_keys_and_pruned_weights_are_taken_over_without_losing_a_request() {
    run(async {
        let served = Served::start(|settings| settings.quota = 10_000_000).await;
        let (client, key, operator) = (served.client(), served.key("analyst"), served.key("operator"));
        let folder = served.folder.path().to_owned();
        let done = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (client, key, done) = (client.clone(), key.clone(), Arc::clone(&done));
                tokio::spawn(async move {
                    let (mut names, mut calls) = (BTreeSet::new(), 0_u64);
                    while !done.load(Ordering::Relaxed) {
                        let answer = client.post("/v1/predict", &key, &json!({"rows": [row()]})).await;
                        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
                        names.insert(answer.json()["model"].to_string());
                        calls += 1;
                    }
                    (names, calls)
                })
            })
            .collect();

        let reload = || async {
            let answer = client.post("/admin/reload", &operator, &json!({})).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
            answer.json()
        };
        let publishing = |options: PublishOptions| async {
            tokio::task::spawn_blocking(move || publish(&options))
                .await
                .expect("ran")
                .expect("published")
        };
        let first = reload().await;
        assert_eq!(first["generation"], json!(1));
        // The keys alone: the weights keep their name.
        publishing(PublishOptions::new(&folder)).await;
        let rotated = reload().await;
        assert_eq!(
            (&rotated["model"], &rotated["generation"]),
            (&first["model"], &json!(2))
        );
        // Other weights: another name.
        publishing(PublishOptions::new(&folder).with_sparsity(0.5)).await;
        let pruned = reload().await;
        assert_ne!(pruned["model"], first["model"]);
        done.store(true, Ordering::Relaxed);
        let (mut names, mut calls) = (BTreeSet::new(), 0);
        for caller in callers {
            let (seen, count) = caller.await.expect("no request was lost");
            names.extend(seen);
            calls += count;
        }
        assert!(
            names.len() <= 2 && names.contains(&first["model"].to_string()),
            "{names:?}"
        );
        let served_rows = client
            .metric("serve_http_requests_total{route=\"/v1/predict\",code=\"200\"}")
            .await;
        assert_eq!(served_rows as u64, calls);
        let answer = client.post("/v1/predict", &key, &json!({"rows": [row()]})).await;
        assert_eq!(answer.json()["model"], pruned["model"]);
        served.running.shutdown().await.expect("a clean stop");
    });
}

#[test]
fn a_model_that_its_publisher_did_not_sign_is_refused_and_the_old_one_goes_on() {
    run(async {
        let served = Served::start(|_| ()).await;
        let (client, operator) = (served.client(), served.key("operator"));
        let protect = served.folder.path().join("5-protect");
        let before = client
            .post("/v1/predict", &operator, &json!({"rows": [row()]}))
            .await
            .json();

        // Another publisher, with a public key of their own beside it: the service keeps to the one it started with.
        let mine = served.folder.path().join("mine");
        crate::published::publish_first(&mine);
        for name in [
            "keyring.msc",
            "weights.msc",
            "config.msc",
            "model.sig",
            "publisher.pem",
        ] {
            let honest = std::fs::read(protect.join(name)).expect("read");
            std::fs::copy(mine.join("5-protect").join(name), protect.join(name)).expect("copied");
            let answer = client.post("/admin/reload", &operator, &json!({})).await;
            if name == "publisher.pem" {
                assert_eq!(
                    answer.status,
                    StatusCode::OK,
                    "the file is not looked at any more"
                );
            } else {
                assert_eq!(answer.status, StatusCode::CONFLICT, "{name}: {}", answer.text());
            }
            std::fs::write(protect.join(name), honest).expect("written");
        }
        // One bit of the sealed weights.
        let honest = std::fs::read(protect.join("weights.msc")).expect("read");
        let mut flipped = honest.clone();
        let at = flipped.len() - 20;
        flipped[at] ^= 1;
        std::fs::write(protect.join("weights.msc"), flipped).expect("written");
        let answer = client.post("/admin/reload", &operator, &json!({})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        std::fs::write(protect.join("weights.msc"), honest).expect("written");
        assert_eq!(
            client.post("/admin/reload", &operator, &json!({})).await.status,
            StatusCode::OK
        );

        let after = client
            .post("/v1/predict", &operator, &json!({"rows": [row()]}))
            .await
            .json();
        assert_eq!(before, after);
        assert!(
            client
                .metric("serve_model_reloads_total{outcome=\"refused\"}")
                .await
                >= 5.0
        );
        served.running.shutdown().await.expect("a clean stop");
    });
}
