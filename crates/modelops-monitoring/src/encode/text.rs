//! Prometheus text exposition format 0.0.4.

use crate::histogram::Reading;
use crate::kernel::slab::Reader;
use crate::sample::{Descriptor, Kind, Sample};
use crate::series::{CounterLines, Prepared};

/// Appends every family with its help, type and samples.
pub(crate) fn encode(families: &[Box<dyn Prepared + '_>], out: &mut Vec<u8>) {
    each_family(families, head, series, out);
}

/// Appends the families in the way of one text format: `head` writes what goes before a family's samples, `series` one
/// series.
pub(crate) fn each_family(
    families: &[Box<dyn Prepared + '_>],
    head: fn(&Descriptor, &mut Vec<u8>),
    series: fn(&str, &str, &Sample<'_>, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let reader = Reader::new();
    for family in families {
        let descriptor = family.descriptor();
        let start = out.len();
        head(descriptor, out);
        let after_head = out.len();
        let each = |labels: &str, sample: Sample<'_>, out: &mut Vec<u8>| {
            series(&descriptor.name, labels, &sample, out);
        };
        if let Some(lines) = family.counter_lines(&reader) {
            counters(&lines, out);
            if let Some((labels, sample)) = family.overflow(&reader) {
                each(labels, sample, out);
            }
        } else {
            family.visit(&reader, &mut |labels, sample| each(labels, sample, out));
        }
        if out.len() == after_head {
            // A family without series says nothing.
            out.truncate(start);
        }
    }
}

fn head(descriptor: &Descriptor, out: &mut Vec<u8>) {
    let (suffix, kind) = match descriptor.kind {
        Kind::Counter => ("_total", "counter"),
        Kind::Gauge => ("", "gauge"),
        Kind::Histogram => ("", "histogram"),
    };
    push(out, &["# HELP ", &descriptor.name, suffix, " "]);
    for c in descriptor.help.chars() {
        match c {
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    push(out, &["\n# TYPE ", &descriptor.name, suffix, " ", kind, "\n"]);
}

fn series(name: &str, labels: &str, sample: &Sample<'_>, out: &mut Vec<u8>) {
    match sample {
        Sample::Counter(count) => {
            line_start(name, "_total", labels, out);
            integer(*count, out);
        }
        Sample::Gauge(value) => {
            line_start(name, "", labels, out);
            float(*value, out);
        }
        Sample::Histogram(reading) => {
            let sketch = reading.sketch();
            buckets(name, labels, reading, out);
            out.push(b'\n');
            line_start(name, "_sum", labels, out);
            float(sketch.sum(), out);
            out.push(b'\n');
            line_start(name, "_count", labels, out);
            integer(sketch.count(), out);
        }
    }
    out.push(b'\n');
}

/// Appends the bucket lines of a histogram but the last line break.
pub(crate) fn buckets(name: &str, labels: &str, reading: &Reading<'_>, out: &mut Vec<u8>) {
    let separator = if labels.is_empty() { "" } else { "," };
    for (bound, count) in reading.bounds().iter().zip(reading.cumulative()) {
        push(out, &[name, "_bucket{", labels, separator, "le=\""]);
        float(*bound, out);
        out.extend_from_slice(b"\"} ");
        integer(count, out);
        out.push(b'\n');
    }
    push(out, &[name, "_bucket{", labels, separator, "le=\"+Inf\"} "]);
    integer(reading.sketch().count(), out);
}

/// Appends the lines of a family of counters, which are written alike in all text formats.
fn counters(lines: &CounterLines<'_>, out: &mut Vec<u8>) {
    let (bytes, count) = lines.size();
    // Few values are longer than ten digits.
    out.reserve(bytes + 11 * count);
    let mut digits = itoa::Buffer::new();
    for (start, value) in lines.iter() {
        out.extend_from_slice(start);
        out.extend_from_slice(digits.format(value).as_bytes());
        out.push(b'\n');
    }
}

pub(crate) fn line_start(name: &str, suffix: &str, labels: &str, out: &mut Vec<u8>) {
    push(out, &[name, suffix]);
    if !labels.is_empty() {
        push(out, &["{", labels, "}"]);
    }
    out.push(b' ');
}

pub(crate) fn push(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

pub(crate) fn integer(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub(crate) fn float(value: f64, out: &mut Vec<u8>) {
    let mut buffer = ryu::Buffer::new();
    let text = if value.is_nan() {
        "NaN"
    } else if value == f64::INFINITY {
        "+Inf"
    } else if value == f64::NEG_INFINITY {
        "-Inf"
    } else {
        buffer.format_finite(value)
    };
    out.extend_from_slice(text.as_bytes());
}
