//! Rules for a Prometheus server, generated from what is evaluated in the process.

use std::fmt::Write;
use std::time::Duration;

use crate::burn_rate::{BurnRate, Severity};
use crate::error::RuleError;
use crate::objective::Objective;
use crate::registry::Registry;
use crate::sample::Kind;
use crate::series::OVERFLOW;

/// The metrics that an objective's events are counted in: names, or names with a selector, such as
/// `http_requests_total{code=~"5.."}`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Events {
    /// Counters of bad events and of all, by their full names, `_total` included; their series are added up.
    Counters {
        /// The bad ones.
        bad: String,
        /// All of them.
        total: String,
    },
    /// A histogram by its full name, of which the objective's threshold is a classic bound.
    Histogram {
        /// Its name, without `_bucket`; a selector follows it, as in `http_seconds{route="/search"}`.
        name: String,
    },
}

impl BurnRate {
    /// The same rules for a Prometheus server, as the text of a rule file: burn rates are recorded as
    /// `slo:burn_rate:…`, and each rule is an alert `ErrorBudgetBurn` with the labels `objective`, `severity` and `window`.
    ///
    /// A server of version 2 that scrapes and evaluates at the same times as this process observes fires at the same
    /// times, as long as the counters do not restart: over a restart the server adds both lives up, and this process
    /// knows its own alone. The server needs the counters to begin at 0, as ours do.
    ///
    /// # Errors
    /// [`RuleError`] for a malformed metric name or selector, or a histogram with an objective that has no threshold.
    ///
    /// ```
    /// use modelops_monitoring::{BurnRate, Events, Objective};
    /// let objective = Objective::availability("chat", 0.999)?;
    /// let events = Events::Counters { bad: "chat_errors_total".into(), total: "chat_requests_total".into() };
    /// let rules = BurnRate::google_sre(&objective).prometheus_rules(&objective, &events)?;
    /// assert!(rules.contains("sum(increase(chat_errors_total[1h])) / sum(increase(chat_requests_total[1h]))"));
    /// assert!(rules.contains("> 14.4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prometheus_rules(&self, objective: &Objective, events: &Events) -> Result<String, RuleError> {
        let mut windows: Vec<Duration> = self
            .rules()
            .iter()
            .flat_map(|rule| [rule.long, rule.short])
            .collect();
        windows.sort_unstable();
        windows.dedup();
        let name = quoted(objective.name());
        let mut out = format!(
            "groups:\n- name: {}\n  rules:\n",
            quoted(&format!("slo {}", objective.name()))
        );
        for window in &windows {
            let share = bad_share(objective, events, *window)?;
            let (window, budget) = (span(*window), self.budget());
            push(
                &mut out,
                format_args!(
                    "  - record: slo:burn_rate:{window}\n    expr: {}\n    labels:\n      objective: {name}\n",
                    quoted(&format!("({share}) / {budget:?}"))
                ),
            );
        }
        for rule in self.rules() {
            let (long, short) = (span(rule.long), span(rule.short));
            let selector = format!("{{objective={name}}}");
            let factor = rule.factor;
            let mut expr = format!(
                "slo:burn_rate:{long}{selector} > {factor:?} and slo:burn_rate:{short}{selector} > {factor:?}"
            );
            if self.least_events() > 1 {
                let total = total(events, rule.long)?;
                push(
                    &mut expr,
                    format_args!(" and on() {total} >= {}", self.least_events()),
                );
            }
            let severity = match rule.severity {
                Severity::Page => "page",
                Severity::Ticket => "ticket",
            };
            push(
                &mut out,
                format_args!(
                    "  - alert: ErrorBudgetBurn\n    expr: {}\n    labels:\n      severity: {severity}\n      window: {long}\n    \
                     annotations:\n      summary: {}\n",
                    quoted(&expr),
                    quoted(&format!(
                        "{} burns its error budget {factor} times too fast over {long} and {short}",
                        objective.name()
                    ))
                ),
            );
        }
        Ok(out)
    }
}

/// The share of bad events within `window`, as `PromQL`.
fn bad_share(objective: &Objective, events: &Events, window: Duration) -> Result<String, RuleError> {
    let all = total(events, window)?;
    let window = span(window);
    match events {
        Events::Counters { bad, .. } => {
            split(bad)?;
            Ok(format!("sum(increase({bad}[{window}])) / {all}"))
        }
        Events::Histogram { name } => {
            let bound = objective.threshold().ok_or(RuleError::NoThreshold)?;
            // A whole bound is spelled with or without a decimal point, as the scrape's format has it.
            let le = if bound.fract() == 0.0 {
                format!("le=~\"{bound:.0}([.]0)?\"")
            } else {
                format!("le=\"{bound:?}\"")
            };
            let (name, matchers) = split(name)?;
            let comma = if matchers.is_empty() { "" } else { "," };
            Ok(format!(
                "({all} - sum(increase({name}_bucket{{{matchers}{comma}{le}}}[{window}]))) / {all}"
            ))
        }
    }
}

fn total(events: &Events, window: Duration) -> Result<String, RuleError> {
    let window = span(window);
    Ok(match events {
        Events::Counters { total, .. } => {
            split(total)?;
            format!("sum(increase({total}[{window}]))")
        }
        Events::Histogram { name } => {
            let (name, matchers) = split(name)?;
            let selector = if matchers.is_empty() {
                String::new()
            } else {
                format!("{{{matchers}}}")
            };
            format!("sum(increase({name}_count{selector}[{window}]))")
        }
    })
}

/// A metric's name, and what stands between the braces of its selector.
fn split(metric: &str) -> Result<(&str, &str), RuleError> {
    let selector = metric.find('{').map_or("", |at| &metric[at..]);
    let name = &metric[..metric.len() - selector.len()];
    let matchers = match selector {
        "" => Some(""),
        _ => selector
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|matchers| are_matchers(matchers)),
    };
    matchers
        .filter(|_| is_name(name, true))
        .map(|matchers| (name, matchers))
        .ok_or_else(|| RuleError::Name {
            name: metric.to_owned(),
        })
}

fn is_name(name: &str, colons: bool) -> bool {
    let mut bytes = name.bytes();
    let starts = |b: u8| b.is_ascii_alphabetic() || b == b'_' || (colons && b == b':');
    bytes.next().is_some_and(starts) && bytes.all(|b| starts(b) || b.is_ascii_digit())
}

/// One or more of `label="value"`, with `=`, `!=`, `=~` or `!~`, parted by commas; the value is up to its closing quote.
fn are_matchers(mut rest: &str) -> bool {
    loop {
        let Some(at) = rest.find(['=', '!']) else {
            return false;
        };
        let (label, after) = rest.split_at(at);
        let value = ["!=", "=~", "!~", "="]
            .iter()
            .find_map(|operator| after.strip_prefix(operator))
            .and_then(|value| value.strip_prefix('"'));
        let (true, Some(value)) = (is_name(label, false), value) else {
            return false;
        };
        let mut escaped = false;
        let end = value.bytes().position(|b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        });
        let Some(end) = end else { return false };
        match value[end + 1..].strip_prefix(',') {
            Some(next) => rest = next,
            None => return value.len() == end + 1,
        }
    }
}

/// A span of time as `PromQL` writes it.
fn span(time: Duration) -> String {
    let seconds = time.as_secs().max(1);
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("{}h", seconds / 3600),
        (_, 0) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// A text in double quotes, which YAML and `PromQL` read alike.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => push(&mut out, format_args!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Appends formatted text; a `String` takes any.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(text);
}

impl Registry {
    /// Alerts about the metrics themselves, as the text of a rule file: one for every family that can overflow, and
    /// one for file descriptors where a [`ProcessCollector`](crate::ProcessCollector) was added.
    ///
    /// ```
    /// use modelops_monitoring::{Registry, label_set};
    /// label_set! { struct Tenant<'a> { tenant: &'a str } }
    /// let registry = Registry::new("shop")?;
    /// registry.counter_family::<Tenant<'static>>("orders", "Orders taken.")?;
    /// assert!(registry.prometheus_alerts().contains("shop_orders_total{tenant=\\\"__overflow__\\\"}"));
    /// # Ok::<(), modelops_monitoring::RegisterError>(())
    /// ```
    #[must_use]
    pub fn prometheus_alerts(&self) -> String {
        let mut out = String::from("groups:\n- name: metrics\n  rules:\n");
        let mut alert = |name: &str, expr: &str, summary: &str| {
            push(
                &mut out,
                format_args!(
                    "  - alert: {name}\n    expr: {}\n    for: 5m\n    labels:\n      severity: ticket\n    annotations:\n      \
                     summary: {}\n",
                    quoted(expr),
                    quoted(summary)
                ),
            );
        };
        let mut none = true;
        for descriptor in self.descriptors() {
            if descriptor.name == "process_open_fds" {
                alert(
                    "FileDescriptorsRunOut",
                    "process_open_fds / process_max_fds > 0.9",
                    "more than nine tenths of the file descriptors are open",
                );
                none = false;
            }
            let Some(label) = descriptor.labels.first() else {
                continue;
            };
            let suffix = match descriptor.kind {
                Kind::Counter => "_total",
                Kind::Histogram => "_count",
                _ => "",
            };
            let expr = format!("count({}{suffix}{{{label}=\"{OVERFLOW}\"}}) > 0", descriptor.name);
            alert(
                "TooManySeries",
                &expr,
                &format!(
                    "{} has met its limit of series; see which label exploded",
                    descriptor.name
                ),
            );
            none = false;
        }
        if none {
            return "groups: []\n".to_owned();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_kept_and_what_is_none_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let objective = Objective::latency("search", 0.05, 0.99)?;
        let rules = |name: &str| {
            let events = Events::Histogram {
                name: name.to_owned(),
            };
            BurnRate::google_sre(&objective).prometheus_rules(&objective, &events)
        };
        let text = rules("http_seconds{route=\"/s\",code!~\"4..|a\\\"b\"}")?;
        let matchers = "{route=\"/s\",code!~\"4..|a\\\"b\"";
        for expected in [
            format!("http_seconds_count{matchers}}}[1h]"),
            format!("http_seconds_bucket{matchers},le=\"0.05\"}}[1h]"),
        ] {
            // As a text within a text, of YAML.
            let inner = quoted(&expected);
            assert!(text.contains(&inner[1..inner.len() - 1]), "{expected}: {text}");
        }
        for bad in [
            "",
            "9a",
            "a b",
            "a{",
            "a{}",
            "a}",
            "{a=\"b\"}",
            "a{b}",
            "a{b=c}",
            "a{b=\"c}",
            "a{b=\"c\\\"}",
            "a{b=\"c\"}) or vector(1",
            "a{b=\"c\"} or x{y=\"z\"}",
            "a{b:c=\"d\"}",
            "a{b=\"c\",}",
            "a{b==\"c\"}",
        ] {
            assert_eq!(rules(bad), Err(RuleError::Name { name: bad.to_owned() }));
        }
        Ok(())
    }
}
