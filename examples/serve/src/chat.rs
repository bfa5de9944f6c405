//! `POST /v1/chat/completions`: text in the wire format of OpenAI, in one piece or as it is made.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use http_body::Frame;
use modelops_monitoring::llm::{self, FinishReason};
use modelops_security::quota::Reservation;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::admin::json;
use crate::admission::{Pool, Slot};
use crate::callers::Need;
use crate::generator::{Draft, tokens};
use crate::observe::Call;
use crate::refusal::Refusal;
use crate::service::{Service, body};

/// What it is called.
pub(crate) const MODEL: &str = "babble";
/// Tokens of an answer, where the request does not say.
const USUAL_TOKENS: u64 = 64;
const MOST_TOKENS: u64 = 2048;
/// Tokens that a prompt may have.
const LONGEST_PROMPT: u64 = 8192;

/// The fields that are used; others are accepted, as OpenAI's clients send many.
#[derive(Deserialize)]
struct Asked {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    service_tier: Option<String>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

impl Asked {
    fn check(&self) -> Result<u64, Refusal> {
        if self.model != MODEL {
            return Err(Refusal::not_found(&format!(
                "model {:?}; this service has {MODEL:?}",
                self.model
            )));
        }
        let refuse = |what: &str| Err(Refusal::bad_request(what));
        let most = self
            .max_completion_tokens
            .or(self.max_tokens)
            .unwrap_or(USUAL_TOKENS);
        match self {
            _ if self.messages.is_empty() => refuse("messages has at least one entry"),
            _ if self.n.is_some_and(|n| n != 1) => refuse("n is 1: one answer a request"),
            _ if !(1..=MOST_TOKENS).contains(&most) => refuse("max_tokens is 1 to 2048"),
            _ if !(0.0..=2.0).contains(&self.temperature.unwrap_or(1.0)) => refuse("temperature is 0 to 2"),
            _ => Ok(most),
        }
    }

    fn prompt(&self) -> String {
        let texts = self
            .messages
            .iter()
            .filter_map(|message| message.content.as_ref());
        texts.fold(String::new(), |mut all, content| {
            match content {
                Content::Text(text) => all.push_str(text),
                Content::Parts(parts) => parts.iter().for_each(|part| all.push_str(&part.text)),
            }
            all.push('\n');
            all
        })
    }
}

pub(crate) async fn chat(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    let call = Call::of(&request);
    let who = service
        .admit_caller(request.headers(), &call, Need::Chat)
        .map_err(Refusal::with_body_unread)?;
    let body = body(request).await?;
    let asked: Asked =
        serde_json::from_slice(&body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let most = asked.check()?;
    let prompt = asked.prompt();
    let prompt_tokens = tokens(&prompt).count() as u64;
    if prompt_tokens > LONGEST_PROMPT {
        return Err(Refusal::bad_request(format!(
            "a prompt has at most {LONGEST_PROMPT} tokens, not {prompt_tokens}"
        )));
    }
    // The most that the request may cost is held first, so that nobody gets beyond the quota by asking twice at once.
    let now = service.clock.seconds(call.begin);
    let reservation = who
        .map(|who| who.reserve(prompt_tokens + most, now))
        .transpose()?
        .flatten();
    let flex = asked.service_tier.as_deref() == Some("flex");
    let mut measured = service.telemetry.as_ref().map(|telemetry| {
        telemetry
            .llm
            .request(usize::from(flex), prompt_tokens, call.begin)
    });
    let slot = service.admit(Arc::clone(&service.admission.chat)).await?;
    if let Some(measured) = &mut measured {
        let waited = slot.as_ref().is_some_and(Slot::is_scarce);
        let at = if waited {
            service.clock.elapsed()
        } else {
            call.begin
        };
        measured.scheduled(at);
    }
    call.asked(prompt_tokens);
    if let Some(slot) = &slot {
        call.placed(slot.number);
    }
    let seconds = slot.as_ref().map_or(0.0, |slot| slot.replica().token_seconds);
    let nanos = service.clock.unix(call.begin).as_nanos() as u64;
    let seed = asked.seed.map_or(nanos, |seed| seed as u64);
    let generation = Generation {
        draft: service
            .generator
            .begin(&prompt, seed, asked.temperature.unwrap_or(1.0)),
        id: format!("chatcmpl-{nanos:016x}"),
        created: now.0,
        prompt_tokens,
        made: 0,
        untimed: 0,
        ended: false,
        most,
        token_time: Duration::from_secs_f64(seconds),
        sleep: (seconds > 0.0)
            .then(|| Box::pin(sleep_until(Instant::now() + Duration::from_secs_f64(seconds)))),
        measured,
        reservation,
        _slot: slot,
        call,
        service,
    };
    if asked.stream {
        let usage = asked.stream_options.is_some_and(|options| options.include_usage);
        let stream = Stream {
            generation,
            usage,
            state: Stage::Opening,
        };
        let mut response = Response::new(Body::new(stream));
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream; charset=utf-8"),
        );
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return Ok(response);
    }
    whole(generation).await
}

/// The answer in one piece.
async fn whole(mut generation: Generation) -> Result<Response<Body>, Refusal> {
    let mut text = String::new();
    let finish = loop {
        match std::future::poll_fn(|cx| generation.poll_token(cx)).await {
            Token::Text(token) => text.push_str(&token),
            Token::End(reason) => break reason,
        }
    };
    json(&json!({
        "id": generation.id, "object": "chat.completion", "created": generation.created, "model": MODEL,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null,
            "finish_reason": finish,
        }],
        "usage": generation.usage(),
    }))
}

/// An answer under way. Dropped before its end it counts as aborted; what was made is billed, the rest given back.
struct Generation {
    service: Arc<Service>,
    draft: Draft,
    id: String,
    created: u64,
    prompt_tokens: u64,
    made: u64,
    /// Of those made, the ones that the metrics do not know of yet.
    untimed: u64,
    ended: bool,
    most: u64,
    token_time: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    measured: Option<llm::Request>,
    reservation: Option<Reservation>,
    call: Arc<Call>,
    _slot: Option<Slot<Arc<Pool>>>,
}

enum Token {
    Text(String),
    End(&'static str),
}

impl Generation {
    fn poll_token(&mut self, cx: &mut Context<'_>) -> Poll<Token> {
        if self.made == self.most {
            return Poll::Ready(self.end("length", FinishReason::Length));
        }
        if let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() {
                self.time();
                return Poll::Pending;
            }
            // By the clock of the device: a late look does not delay the tokens after.
            let next = sleep.deadline() + self.token_time;
            sleep.as_mut().reset(next);
        }
        match self.service.generator.next(&mut self.draft) {
            Some(text) => {
                self.made += 1;
                self.untimed += 1;
                if self.made == 1 {
                    self.time();
                }
                Poll::Ready(Token::Text(text))
            }
            None => Poll::Ready(self.end("stop", FinishReason::Stop)),
        }
    }

    /// Tokens between two waits leave together, so they share a time, and the clock is read once for all of them.
    fn time(&mut self) -> Duration {
        let at = self.service.clock.elapsed();
        if let Some(measured) = &mut self.measured {
            measured.tokens(std::mem::take(&mut self.untimed), at);
        }
        at
    }

    fn end(&mut self, text: &'static str, reason: FinishReason) -> Token {
        let at = self.time();
        if let Some(measured) = self.measured.take() {
            measured.finish(reason, at);
        }
        self.settle(at);
        Token::End(text)
    }

    fn settle(&mut self, at: Duration) {
        self.ended = true;
        self.call.answered(self.made);
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(self.prompt_tokens + self.made, self.service.clock.seconds(at));
        }
    }

    fn usage(&self) -> serde_json::Value {
        json!({
            "prompt_tokens": self.prompt_tokens, "completion_tokens": self.made,
            "total_tokens": self.prompt_tokens + self.made,
        })
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        // The request of the metrics counts itself as aborted.
        if !self.ended {
            let at = self.time();
            self.settle(at);
        }
    }
}

/// Server-sent events: the answer as it is made.
struct Stream {
    generation: Generation,
    usage: bool,
    state: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Opening,
    Writing,
    Counting,
    Closing,
    Closed,
}

impl Stream {
    fn chunk(&self, delta: &serde_json::Value, finish: Option<&str>) -> Bytes {
        let Generation { id, created, .. } = &self.generation;
        // Where the usage follows at the end, the chunks before say that it is not here.
        let usage = if self.usage { ",\"usage\":null" } else { "" };
        let finish = finish.map_or_else(|| "null".to_owned(), |finish| format!("\"{finish}\""));
        Bytes::from(format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":\"{MODEL}\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n"
        ))
    }

    fn usage_chunk(&self) -> Bytes {
        let Generation { id, created, .. } = &self.generation;
        let usage = self.generation.usage();
        Bytes::from(format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":\"{MODEL}\",\
             \"choices\":[],\"usage\":{usage}}}\n\n"
        ))
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        let bytes = match self.state {
            Stage::Opening => {
                self.state = Stage::Writing;
                self.chunk(&json!({"role": "assistant", "content": ""}), None)
            }
            Stage::Writing => match ready!(self.generation.poll_token(cx)) {
                Token::Text(text) => self.chunk(&json!({"content": text}), None),
                Token::End(reason) => {
                    self.state = if self.usage {
                        Stage::Counting
                    } else {
                        Stage::Closing
                    };
                    self.chunk(&json!({}), Some(reason))
                }
            },
            Stage::Counting => {
                self.state = Stage::Closing;
                self.usage_chunk()
            }
            Stage::Closing => {
                self.state = Stage::Closed;
                Bytes::from_static(b"data: [DONE]\n\n")
            }
            Stage::Closed => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}
