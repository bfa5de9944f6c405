//! One request's way through the server.

use std::sync::Arc;
use std::time::Duration;

use super::{FinishReason, Inner};
use crate::labels::LabelValue;

/// One request on its way; finish it, or dropping it counts it as aborted at its last event.
///
/// Times are readings of one monotonic clock. An event that is earlier than the one before it counts as simultaneous.
#[derive(Debug)]
pub struct Request {
    metrics: Arc<Inner>,
    tier: usize,
    prompt: u64,
    generated: u64,
    arrival: Duration,
    queued: Duration,
    scheduled: Option<Duration>,
    first: Option<Duration>,
    last_tokens: Duration,
    last_event: Duration,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    Ended,
}

impl Request {
    pub(super) fn new(metrics: Arc<Inner>, tier: usize, prompt: u64, at: Duration) -> Self {
        metrics.waiting.add(1.0);
        Self {
            metrics,
            tier,
            prompt,
            generated: 0,
            arrival: at,
            queued: at,
            scheduled: None,
            first: None,
            last_tokens: at,
            last_event: at,
            phase: Phase::Waiting,
        }
    }

    /// It entered the engine's queue, where that is later than its arrival.
    pub fn queued(&mut self, at: Duration) {
        self.queued = at;
        self.last_event = at;
    }

    /// The engine took it up, for the first time or again after a preemption.
    pub fn scheduled(&mut self, at: Duration) {
        self.last_event = at;
        if self.first.is_none() {
            self.scheduled = Some(at);
        }
        if self.phase == Phase::Waiting {
            self.metrics.waiting.sub(1.0);
            self.metrics.running.add(1.0);
            self.phase = Phase::Running;
        }
    }

    /// The engine put it back into the queue.
    pub fn preempted(&mut self, at: Duration) {
        self.last_event = at;
        self.metrics.preemptions.inc();
        if self.phase == Phase::Running {
            self.metrics.running.sub(1.0);
            self.metrics.waiting.add(1.0);
            self.phase = Phase::Waiting;
        }
    }

    /// `n` tokens came out of one step; the gap is divided evenly among them. No tokens, no event.
    #[inline]
    pub fn tokens(&mut self, n: u64, at: Duration) {
        if n == 0 {
            return;
        }
        if self.first.is_some() {
            let gap = seconds(self.last_tokens, at);
            if n == 1 {
                self.metrics.inter_token.observe(gap);
            } else {
                self.metrics.inter_token.observe_n(gap / n as f64, n);
            }
        } else {
            self.first = Some(at);
            self.metrics
                .time_to_first_token
                .observe(seconds(self.arrival, at));
        }
        self.generated += n;
        self.last_tokens = at;
        self.last_event = at;
    }

    /// It ended.
    pub fn finish(mut self, reason: FinishReason, at: Duration) {
        self.end(reason, at);
    }

    fn end(&mut self, reason: FinishReason, at: Duration) {
        let metrics = &*self.metrics;
        match self.phase {
            Phase::Waiting => metrics.waiting.sub(1.0),
            Phase::Running => metrics.running.sub(1.0),
            Phase::Ended => return,
        }
        self.phase = Phase::Ended;
        let whole = seconds(self.arrival, at);
        metrics.end_to_end.observe(whole);
        if let Some(scheduled) = self.scheduled {
            metrics.queue.observe(seconds(self.queued, scheduled));
            if let Some(first) = self.first {
                metrics.prefill.observe(seconds(scheduled, first));
            }
        }
        let further = self.generated.saturating_sub(1);
        let decode = self
            .last_tokens
            .saturating_sub(self.first.unwrap_or(self.last_tokens));
        if self.first.is_some() {
            metrics.decode.observe(decode.as_secs_f64());
        }
        if further > 0 {
            metrics.per_token.observe(decode.as_secs_f64() / further as f64);
        }
        metrics.prompt.observe(self.prompt as f64);
        metrics.generated.observe(self.generated as f64);
        metrics.prompt_total.inc_by(self.prompt);
        metrics.generated_total.inc_by(self.generated);
        metrics.finished[reason.index()].inc();
        if let Some((tier, counters)) = metrics.tiers.get(self.tier) {
            counters.requests.inc();
            counters.tokens.inc_by(self.generated);
            let first = self.first.map(|first| first.saturating_sub(self.arrival));
            let whole = at.saturating_sub(self.arrival);
            let finished = matches!(reason, FinishReason::Stop | FinishReason::Length);
            if finished && tier.keeps(first, decode, further, whole) {
                counters.good_requests.inc();
                counters.good_tokens.inc_by(self.generated);
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.end(FinishReason::Abort, self.last_event);
    }
}

fn seconds(from: Duration, to: Duration) -> f64 {
    to.saturating_sub(from).as_secs_f64()
}
