//! Predictions of the model that `operate` built.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde::{Deserialize, Serialize};

use crate::admin::json;
use crate::callers::Need;
use crate::model::{Prediction, Row};
use crate::observe::Call;
use crate::refusal::Refusal;
use crate::service::{Service, body};

/// Rows of one request.
const MOST_ROWS: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Answered<'a> {
    model: &'a str,
    target: &'a str,
    predictions: Vec<Prediction<'a>>,
}

/// `POST /v1/predict`: a class for each row. A row costs one token.
pub(crate) async fn predict(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    let call = Call::of(&request);
    let who = service
        .admit_caller(request.headers(), &call, Need::Classify)
        .map_err(Refusal::with_body_unread)?;
    let body = body(request).await?;
    let Asked { rows } =
        serde_json::from_slice(&body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    if rows.is_empty() || rows.len() > MOST_ROWS {
        return Err(Refusal::bad_request(format!(
            "rows has 1 to {MOST_ROWS} entries, not {}",
            rows.len()
        )));
    }
    let cost = rows.len() as u64;
    let now = service.clock.seconds(call.begin);
    let reservation = who.map(|who| who.reserve(cost, now)).transpose()?.flatten();
    let slot = service.admit(&*service.admission.classify).await?;
    let model = service.model();
    let predictions = model.predict(&rows).map_err(Refusal::bad_request)?;
    let answer = json(&Answered {
        model: &model.name,
        target: &model.card.target,
        predictions,
    });
    call.asked(cost);
    if let Some(slot) = slot {
        call.placed(slot.number);
    }
    if let Some(reservation) = reservation {
        reservation.settle(cost, now);
    }
    answer
}
