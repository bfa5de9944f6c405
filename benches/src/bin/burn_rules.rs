//! Writes rules for a Prometheus server and, for scripted incidents, what this process says at every minute, as tests for
//! `promtool test rules`: `burn_rules FOLDER`.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use modelops_monitoring::{BurnRate, Events, Objective, Severity};

/// Bad events of a hundred in each minute of an incident, and how long it lasts.
struct Incident {
    name: &'static str,
    minutes: u64,
    /// Events and bad events in a minute.
    traffic: fn(u64) -> (u64, u64),
}

/// A number that looks like chance, below `n`.
fn chance(seed: u64, n: u64) -> u64 {
    let mut x = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x1234_5678_9abc_def1);
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ x >> 29) % n
}

const INCIDENTS: [Incident; 22] = [
    Incident {
        name: "nothing",
        minutes: 120,
        traffic: |_| (100, 0),
    },
    Incident {
        name: "no traffic",
        minutes: 120,
        traffic: |_| (0, 0),
    },
    Incident {
        name: "total outage",
        minutes: 240,
        traffic: |m| (100, if (60..90).contains(&m) { 100 } else { 0 }),
    },
    Incident {
        name: "outage from the start",
        minutes: 120,
        traffic: |_| (100, 100),
    },
    Incident {
        name: "two in a hundred",
        minutes: 240,
        traffic: |m| (100, if m >= 30 { 2 } else { 0 }),
    },
    Incident {
        name: "just above the first factor",
        minutes: 240,
        traffic: |m| (1_000, if m >= 20 { 15 } else { 0 }),
    },
    Incident {
        name: "just below the first factor",
        minutes: 240,
        traffic: |m| (1_000, if m >= 20 { 14 } else { 0 }),
    },
    Incident {
        name: "exactly the second factor",
        minutes: 600,
        traffic: |m| (1_000, if m >= 20 { 6 } else { 0 }),
    },
    Incident {
        name: "slow burn",
        minutes: 1_800,
        traffic: |m| (1_000, if m >= 60 { 4 } else { 0 }),
    },
    Incident {
        name: "slower burn",
        minutes: 4_600,
        traffic: |m| (1_000, if m >= 60 { 2 } else { 0 }),
    },
    Incident {
        name: "one spike",
        minutes: 420,
        traffic: |m| (100, if m == 100 { 100 } else { 0 }),
    },
    Incident {
        name: "spikes",
        minutes: 480,
        traffic: |m| (100, if m.is_multiple_of(37) { 60 } else { 0 }),
    },
    Incident {
        name: "flapping",
        minutes: 360,
        traffic: |m| (100, if (m / 7).is_multiple_of(2) { 5 } else { 0 }),
    },
    Incident {
        name: "ramp",
        minutes: 300,
        traffic: |m| (1_000, m / 3),
    },
    Incident {
        name: "recovery",
        minutes: 500,
        traffic: |m| (1_000, 100u64.saturating_sub(m)),
    },
    Incident {
        name: "traffic stops within",
        minutes: 300,
        traffic: |m| if m < 80 { (100, 3) } else { (0, 0) },
    },
    Incident {
        name: "traffic comes late",
        minutes: 300,
        traffic: |m| if m < 80 { (0, 0) } else { (100, 3) },
    },
    Incident {
        name: "little traffic",
        minutes: 400,
        traffic: |m| (u64::from(m.is_multiple_of(5)), u64::from(m.is_multiple_of(45))),
    },
    Incident {
        name: "night and day",
        minutes: 900,
        traffic: |m| (10 + m % 300, if m % 300 > 250 { 9 } else { 0 }),
    },
    Incident {
        name: "noise",
        minutes: 480,
        traffic: |m| (500 + chance(m, 500), chance(m + 7, 12)),
    },
    Incident {
        name: "noise and outage",
        minutes: 480,
        traffic: |m| {
            (
                100 + chance(m, 50),
                if (200..230).contains(&m) {
                    50
                } else {
                    chance(m + 1, 3) / 2
                },
            )
        },
    },
    Incident {
        name: "everything bad by chance",
        minutes: 360,
        traffic: |m| {
            let total = chance(m, 20);
            (total, chance(m + 3, total + 1))
        },
    },
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("give a folder")?);
    let objective = Objective::availability("chat", 0.999)?;
    let events = Events::Counters {
        bad: "chat_errors_total".into(),
        total: "chat_requests_total".into(),
    };
    for least in [1, 50] {
        let rules = BurnRate::google_sre(&objective).with_least_events(least);
        fs::write(
            folder.join(format!("rules-{least}.yaml")),
            rules.prometheus_rules(&objective, &events)?,
        )?;
        let (mut minutes, mut firing) = (0, 0);
        for (place, incident) in INCIDENTS.iter().enumerate() {
            let (text, fired) = test(&objective, &rules, least, incident)?;
            fs::write(folder.join(format!("test-{least}-{place:02}.yaml")), text)?;
            minutes += incident.minutes;
            firing += fired;
        }
        println!(
            "{} incidents, {minutes} minutes, {firing} alerts expected",
            INCIDENTS.len()
        );
    }
    let latency = Objective::latency("first token", 1.0, 0.95)?;
    let events = Events::Histogram {
        name: "llm_time_to_first_token_seconds".into(),
    };
    let rules = BurnRate::google_sre(&latency).prometheus_rules(&latency, &events)?;
    fs::write(folder.join("rules-latency.yaml"), rules)?;
    Ok(())
}

/// One test file, and how many alerts it expects over all minutes.
fn test(
    objective: &Objective,
    rules: &BurnRate,
    least: u64,
    incident: &Incident,
) -> Result<(String, u64), Box<dyn std::error::Error>> {
    let mut burn = rules.clone();
    let (mut bad, mut total, mut fired) = (0, 0, 0);
    let (mut bads, mut totals, mut checks) = (String::new(), String::new(), String::new());
    for minute in 0..incident.minutes {
        if minute > 0 {
            let (more, worse) = (incident.traffic)(minute);
            total += more;
            bad += worse.min(more);
        }
        burn.observe(Duration::from_secs(60 * minute), bad, total)?;
        write!(bads, "{bad} ")?;
        write!(totals, "{total} ")?;
        writeln!(
            checks,
            "  - eval_time: {minute}m\n    alertname: ErrorBudgetBurn\n    exp_alerts:"
        )?;
        let before = fired;
        for alert in burn.alerts().into_iter().filter(|alert| alert.firing) {
            let severity = if alert.rule.severity == Severity::Page {
                "page"
            } else {
                "ticket"
            };
            let (long, short) = (alert.rule.long.as_secs() / 60, alert.rule.short.as_secs() / 60);
            let span = |minutes: u64| {
                if minutes.is_multiple_of(60) {
                    format!("{}h", minutes / 60)
                } else {
                    format!("{minutes}m")
                }
            };
            writeln!(
                checks,
                "    - exp_labels: {{ objective: {name}, severity: {severity}, window: {window} }}\n      \
                 exp_annotations: {{ summary: {name} burns its error budget {factor} times too fast over {window} and {short} }}",
                name = objective.name(),
                window = span(long),
                short = span(short),
                factor = alert.rule.factor,
            )?;
            fired += 1;
        }
        if before == fired {
            // Without this the test would expect nothing to be said, not that nothing fires.
            checks.truncate(checks.len() - "\n".len());
            checks.push_str(" []\n");
        }
    }
    let text = format!(
        "rule_files: [rules-{least}.yaml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  name: {}\n  input_series:\n  \
         - series: chat_errors_total\n    values: \"{}\"\n  - series: chat_requests_total\n    values: \"{}\"\n  alert_rule_test:\n{checks}",
        incident.name,
        bads.trim_end(),
        totals.trim_end()
    );
    Ok((text, fired))
}
