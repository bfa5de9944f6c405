//! OTLP metrics: `ExportMetricsServiceRequest` of OpenTelemetry, in protobuf.

use crate::encode::wire::{bytes, double, fixed, message, sint, uint, varint};
use crate::exemplar::Exemplar;
use crate::histogram::Reading;
use crate::kernel::slab::Reader;
use crate::listing::Prepared;
use crate::sample::{Kind, Labels, Sample};
use crate::sketch::ZERO_THRESHOLD;

/// Counts are since the start, not since the last export.
const CUMULATIVE: u64 = 2;

/// Appends one request that holds every family; `nanos` is now, in nanoseconds since the epoch.
pub(crate) fn encode(
    families: &[Box<dyn Prepared + '_>],
    resource: &[(&str, &str)],
    nanos: u64,
    out: &mut Vec<u8>,
) {
    let reader = Reader::new();
    message(1, out, |out| {
        message(1, out, |out| {
            for (name, text) in resource {
                attribute(1, name, text, out);
            }
        });
        message(2, out, |out| {
            message(1, out, |out| {
                bytes(1, env!("CARGO_PKG_NAME").as_bytes(), out);
                bytes(2, env!("CARGO_PKG_VERSION").as_bytes(), out);
            });
            for family in families {
                metric(&**family, &reader, nanos, out);
            }
        });
    });
}

/// Seconds since the epoch in nanoseconds; the whole seconds are kept apart, so that they round nothing.
fn unix_nanos(seconds: f64) -> u64 {
    let seconds = seconds.max(0.0);
    let nanos = ((seconds - seconds.floor()) * 1e9).round() as u64;
    (seconds.floor() as u64)
        .saturating_mul(1_000_000_000)
        .saturating_add(nanos)
}

fn metric(family: &dyn Prepared, reader: &Reader, nanos: u64, out: &mut Vec<u8>) {
    let descriptor = family.descriptor();
    let start = family.start().map_or(0, unix_nanos);
    let mut points = Vec::new();
    family.visit(reader, &mut |labels, sample| {
        message(1, &mut points, |out| match &sample {
            Sample::Histogram(reading) => exponential(reading, &labels, [start, nanos], out),
            sample => number(sample, &labels, [start, nanos], out),
        });
    });
    if points.is_empty() {
        return;
    }
    message(2, out, |out| {
        let suffix = if descriptor.kind == Kind::Info {
            descriptor.suffix()
        } else {
            ""
        };
        bytes(1, [&descriptor.name, suffix].concat().as_bytes(), out);
        bytes(2, descriptor.help.as_bytes(), out);
        if let Some((_, code)) = descriptor.unit() {
            bytes(3, code.as_bytes(), out);
        }
        let field = match descriptor.kind {
            Kind::Gauge | Kind::Info | Kind::StateSet => 5,
            Kind::Counter => 7,
            Kind::Histogram => 10,
        };
        message(field, out, |out| {
            out.extend_from_slice(&points);
            if field != 5 {
                uint(2, CUMULATIVE, out);
            }
            if field == 7 {
                uint(3, 1, out);
            }
        });
    });
}

fn attribute(field: u32, name: &str, text: &str, out: &mut Vec<u8>) {
    message(field, out, |out| {
        bytes(1, name.as_bytes(), out);
        message(2, out, |out| bytes(1, text.as_bytes(), out));
    });
}

/// The time the counts began, unknown as 0, and now.
fn times([start, now]: [u64; 2], out: &mut Vec<u8>) {
    if start > 0 {
        fixed(2, start, out);
    }
    fixed(3, now, out);
}

fn number(sample: &Sample<'_>, labels: &Labels<'_>, time: [u64; 2], out: &mut Vec<u8>) {
    let counts = matches!(sample, Sample::Counter(..) | Sample::Total(_));
    times([if counts { time[0] } else { 0 }, time[1]], out);
    match sample {
        // Signed in the format; a count beyond it is no whole number any more.
        Sample::Counter(count, _) if i64::try_from(*count).is_err() => double(4, *count as f64, out),
        Sample::Counter(count, _) => fixed(6, *count, out),
        Sample::Total(value) | Sample::Gauge(value) => double(4, *value, out),
        Sample::Info => fixed(6, 1, out),
        Sample::State(on) => fixed(6, u64::from(*on), out),
        Sample::Histogram(reading) => fixed(6, reading.count(), out),
    }
    if let Sample::Counter(_, Some(found)) = sample {
        message(5, out, |out| exemplar(found, out));
    }
    for (name, text) in labels.iter() {
        attribute(7, name, text, out);
    }
}

/// The format has no place for NaN and infinities, whose buckets it does not know: they are left out.
fn exponential(reading: &Reading<'_>, labels: &Labels<'_>, time: [u64; 2], out: &mut Vec<u8>) {
    let sketch = reading.sketch();
    let [above, below] = sketch.infinite_counts();
    for (name, text) in labels.iter() {
        attribute(1, name, text, out);
    }
    times(time, out);
    fixed(4, sketch.count() - sketch.nan_count() - above - below, out);
    double(5, sketch.finite_sum(), out);
    sint(6, sketch.schema().number().into(), out);
    fixed(7, sketch.zero_count(), out);
    message(8, out, |out| buckets(sketch.positive_buckets(), out));
    message(9, out, |out| buckets(sketch.negative_buckets(), out));
    for found in reading.exemplars().filter(|found| found.value.is_finite()) {
        message(11, out, |out| exemplar(found, out));
    }
    double(14, ZERO_THRESHOLD, out);
}

/// Counts from the first occupied bucket on. What is bucket `i` here is `i − 1` there, where it begins at `b^i`.
fn buckets(buckets: impl Iterator<Item = (i32, u64)>, out: &mut Vec<u8>) {
    let mut buckets = buckets.peekable();
    let Some((first, _)) = buckets.peek().copied() else {
        return;
    };
    sint(1, i64::from(first) - 1, out);
    message(2, out, |out| {
        let mut next = first;
        for (index, count) in buckets {
            for _ in next..index {
                varint(0, out);
            }
            varint(count, out);
            next = index + 1;
        }
    });
}

fn exemplar(exemplar: &Exemplar, out: &mut Vec<u8>) {
    fixed(2, unix_nanos(exemplar.seconds), out);
    double(3, exemplar.value, out);
    bytes(4, &exemplar.span_id.to_be_bytes(), out);
    bytes(5, &exemplar.trace_id.to_be_bytes(), out);
}
