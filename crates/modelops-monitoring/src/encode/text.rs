//! Prometheus text exposition format 0.0.4.

use crate::exemplar::Exemplar;
use crate::histogram::Reading;
use crate::kernel::slab::Reader;
use crate::listing::{CounterLines, Prepared};
use crate::sample::{Descriptor, Kind, Labels, Sample};

/// How one text format writes a family.
pub(crate) trait TextFormat {
    /// Whether samples may name exemplars.
    const EXEMPLARS: bool;

    /// Writes what goes before a family's samples.
    fn head(descriptor: &Descriptor, out: &mut Vec<u8>);

    /// Writes one series.
    fn series(family: &dyn Prepared, labels: &Labels<'_>, sample: &Sample<'_>, out: &mut Vec<u8>);

    /// Writes what follows the value of each counter.
    fn after_counter(_: &dyn Prepared, _: &mut Vec<u8>) {}
}

/// The Prometheus text format 0.0.4.
pub(crate) struct Text;

/// Appends every family with its help, type and samples.
pub(crate) fn encode(families: &[Box<dyn Prepared + '_>], out: &mut Vec<u8>) {
    each_family::<Text>(families, out);
}

/// Appends the families in the way of one text format.
pub(crate) fn each_family<F: TextFormat>(families: &[Box<dyn Prepared + '_>], out: &mut Vec<u8>) {
    let reader = Reader::new();
    for family in families {
        let family = &**family;
        let start = out.len();
        F::head(family.descriptor(), out);
        let after_head = out.len();
        let lines = if F::EXEMPLARS && family.exemplified() {
            None
        } else {
            family.counter_lines(&reader)
        };
        if let Some(lines) = lines {
            let mut after = Vec::new();
            F::after_counter(family, &mut after);
            counters(&lines, &after, out);
            if let Some((labels, sample)) = family.overflow(&reader) {
                F::series(family, &labels, &sample, out);
            }
        } else {
            family.visit(&reader, &mut |labels, sample| {
                F::series(family, &labels, &sample, out);
            });
        }
        if out.len() == after_head {
            // A family without series says nothing.
            out.truncate(start);
        }
    }
}

impl TextFormat for Text {
    const EXEMPLARS: bool = false;

    fn head(descriptor: &Descriptor, out: &mut Vec<u8>) {
        let kind = match descriptor.kind {
            Kind::Counter => "counter",
            Kind::Gauge | Kind::Info | Kind::StateSet => "gauge",
            Kind::Histogram => "histogram",
        };
        let suffix = descriptor.suffix();
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

    fn series(family: &dyn Prepared, labels: &Labels<'_>, sample: &Sample<'_>, out: &mut Vec<u8>) {
        let descriptor = family.descriptor();
        let name = &*descriptor.name;
        if let Sample::Histogram(reading) = sample {
            let sketch = reading.sketch();
            buckets(name, labels.body, reading, false, out);
            out.push(b'\n');
            line_start(name, "_sum", labels.body, out);
            float(sketch.sum(), out);
            out.push(b'\n');
            line_start(name, "_count", labels.body, out);
            integer(sketch.count(), out);
        } else {
            line_start(name, descriptor.suffix(), labels.body, out);
            number(sample, out);
        }
        out.push(b'\n');
    }
}

/// Appends the value of a sample that is one number.
pub(crate) fn number(sample: &Sample<'_>, out: &mut Vec<u8>) {
    match sample {
        Sample::Counter(count, _) => integer(*count, out),
        Sample::Total(value) | Sample::Gauge(value) => float(*value, out),
        Sample::Info => out.push(b'1'),
        Sample::State(on) => integer(u64::from(*on), out),
        Sample::Histogram(reading) => integer(reading.count(), out),
    }
}

/// Appends ` # {trace_id="…",span_id="…"} value time`.
pub(crate) fn exemplar(exemplar: &Exemplar, out: &mut Vec<u8>) {
    out.extend_from_slice(b" # {");
    for (i, (name, text)) in exemplar.labels().iter().enumerate() {
        push(out, &[if i > 0 { "," } else { "" }, name, "=\"", text, "\""]);
    }
    out.extend_from_slice(b"} ");
    float(exemplar.value, out);
    out.push(b' ');
    float(exemplar.seconds, out);
}

/// Appends the bucket lines of a histogram but the last line break.
pub(crate) fn buckets(name: &str, labels: &str, reading: &Reading<'_>, exemplars: bool, out: &mut Vec<u8>) {
    let separator = if labels.is_empty() { "" } else { "," };
    let named = |place, out: &mut Vec<u8>| {
        if exemplars && let Some(found) = reading.exemplar_at(place) {
            exemplar(found, out);
        }
    };
    for (place, (bound, count)) in reading.bounds().iter().zip(reading.cumulative()).enumerate() {
        push(out, &[name, "_bucket{", labels, separator, "le=\""]);
        float(*bound, out);
        out.extend_from_slice(b"\"} ");
        integer(count, out);
        named(place, out);
        out.push(b'\n');
    }
    push(out, &[name, "_bucket{", labels, separator, "le=\"+Inf\"} "]);
    integer(reading.count(), out);
    if reading.bounds().is_empty() {
        // All exemplars lie in the one bucket; a line takes one.
        if exemplars && let Some(found) = reading.exemplars().last() {
            exemplar(found, out);
        }
    } else {
        named(reading.bounds().len(), out);
    }
}

/// Appends the lines of a family of counters, which are written alike in all text formats.
fn counters(lines: &CounterLines<'_>, after: &[u8], out: &mut Vec<u8>) {
    let (bytes, count) = lines.size();
    // Few values are longer than ten digits.
    out.reserve(bytes + (11 + after.len()) * count);
    let mut digits = itoa::Buffer::new();
    for (start, value) in lines.iter() {
        out.extend_from_slice(start);
        out.extend_from_slice(digits.format(value).as_bytes());
        if !after.is_empty() {
            out.extend_from_slice(after);
        }
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
