//! From families to lines.

use std::fmt::Write;

use super::{Family, Histogram, Native, Sample, Value};
use crate::encode::openmetrics2::spans;
use crate::encode::text::float;
use crate::openmetrics::scan::{is_label_name, is_name};
use crate::openmetrics::{FamilyKind, ParsedExemplar};

/// Writes families as OpenMetrics 2.0 text, which [`parse`](super::parse) gives back as the same families.
///
/// ```
/// use modelops_monitoring::openmetrics::v2::{parse, write};
/// let families = parse("# TYPE level gauge\nlevel 2\n# EOF")?;
/// assert_eq!(write(&families), "# TYPE level gauge\nlevel 2.0\n# EOF\n");
/// # Ok::<(), modelops_monitoring::openmetrics::ParseError>(())
/// ```
#[must_use]
pub fn write(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        head(family, &mut out);
        for sample in &family.samples {
            line(&family.name, sample, &mut out);
        }
    }
    out.push_str("# EOF\n");
    out
}

fn head(family: &Family, out: &mut String) {
    let name = if is_name(&family.name) {
        family.name.clone()
    } else {
        quoted(&family.name)
    };
    let kind = match family.kind {
        FamilyKind::Unknown => "unknown",
        FamilyKind::Gauge => "gauge",
        FamilyKind::Counter => "counter",
        FamilyKind::StateSet => "stateset",
        FamilyKind::Info => "info",
        FamilyKind::Histogram => "histogram",
        FamilyKind::GaugeHistogram => "gaugehistogram",
        FamilyKind::Summary => "summary",
    };
    push(out, format_args!("# TYPE {name} {kind}\n"));
    if let Some(unit) = &family.unit {
        push(out, format_args!("# UNIT {name} {unit}\n"));
    }
    if let Some(help) = &family.help {
        push(out, format_args!("# HELP {name} {}\n", escaped(help)));
    }
}

/// Appends formatted text; a `String` takes any.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(text);
}

fn line(name: &str, sample: &Sample, out: &mut String) {
    if is_name(name) {
        out.push_str(name);
        if !sample.labels.is_empty() {
            push(out, format_args!("{{{}}}", labels(&sample.labels)));
        }
    } else {
        let comma = if sample.labels.is_empty() { "" } else { "," };
        push(
            out,
            format_args!("{{{}{comma}{}}}", quoted(name), labels(&sample.labels)),
        );
    }
    out.push(' ');
    match &sample.value {
        Value::Number(n) => out.push_str(&number(*n)),
        Value::Histogram(value) => histogram(value, out),
        Value::Summary(value) => {
            push(
                out,
                format_args!("{{count:{},sum:{},", number(value.count), number(value.sum)),
            );
            push(out, format_args!("quantile:[{}]}}", pairs(&value.quantiles)));
        }
    }
    if let Some(seconds) = sample.timestamp {
        push(out, format_args!(" {}", number(seconds)));
    }
    if let Some(seconds) = sample.start {
        push(out, format_args!(" st@{}", number(seconds)));
    }
    for ParsedExemplar {
        labels: of,
        value,
        timestamp,
    } in &sample.exemplars
    {
        push(out, format_args!(" # {{{}}} {} ", labels(of), number(*value)));
        out.push_str(&number(timestamp.unwrap_or(0.0)));
    }
    out.push('\n');
}

fn histogram(value: &Histogram, out: &mut String) {
    let g = if value.gauge { "g" } else { "" };
    push(
        out,
        format_args!("{{{g}count:{},{g}sum:{}", number(value.count), number(value.sum)),
    );
    if let Some(native) = &value.native {
        push(out, format_args!(",schema:{},", native.schema));
        push(
            out,
            format_args!("zero_threshold:{},", number(native.zero_threshold)),
        );
        push(out, format_args!("zero_count:{}", number(native.zero_count)));
        sides(native, out);
    }
    if !value.classic.is_empty() {
        push(out, format_args!(",bucket:[{}]", pairs(&value.classic)));
    }
    out.push('}');
}

fn sides(native: &Native, out: &mut String) {
    for (name, buckets) in [("negative", &native.negative), ("positive", &native.positive)] {
        if buckets.is_empty() {
            continue;
        }
        // Positions stand in for the counts, which need not be whole.
        let places = buckets
            .iter()
            .zip(1u64..)
            .map(|((index, _), place)| (*index, place));
        let (spans, places) = spans(places);
        let spans: Vec<_> = spans
            .iter()
            .map(|(offset, length)| format!("{offset}:{length}"))
            .collect();
        let counts: Vec<_> = places
            .iter()
            .map(|place| match place.checked_sub(1) {
                Some(at) => number(buckets[at as usize].1),
                None => "0".to_owned(),
            })
            .collect();
        push(
            out,
            format_args!(
                ",{name}_spans:[{}],{name}_buckets:[{}]",
                spans.join(","),
                counts.join(",")
            ),
        );
    }
}

fn pairs(pairs: &[(f64, f64)]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(a, b)| format!("{}:{}", number(*a), number(*b)))
        .collect();
    pairs.join(",")
}

fn labels(labels: &[(String, String)]) -> String {
    let label = |(name, text): &(String, String)| {
        let name = if is_label_name(name) {
            name.clone()
        } else {
            quoted(name)
        };
        format!("{name}={}", quoted(text))
    };
    labels.iter().map(label).collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn number(value: f64) -> String {
    let mut out = Vec::new();
    float(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
