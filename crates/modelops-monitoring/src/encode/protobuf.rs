//! The Prometheus protobuf format: length-delimited `io.prometheus.client.MetricFamily` messages.

use crate::encode::openmetrics2::spans;
use crate::encode::wire::{bytes, delimited, double, int, message, sint, uint};
use crate::exemplar::Exemplar;
use crate::histogram::Reading;
use crate::kernel::slab::Reader;
use crate::listing::Prepared;
use crate::sample::{Kind, Labels, Sample};
use crate::sketch::ZERO_THRESHOLD;

/// Appends every family that has a series.
pub(crate) fn encode(families: &[Box<dyn Prepared + '_>], out: &mut Vec<u8>) {
    let reader = Reader::new();
    for family in families {
        let family = &**family;
        let descriptor = family.descriptor();
        let before = out.len();
        let mut series = 0;
        delimited(out, |out| {
            bytes(
                1,
                [&descriptor.name, descriptor.suffix()].concat().as_bytes(),
                out,
            );
            bytes(2, descriptor.help.as_bytes(), out);
            let kind = match descriptor.kind {
                Kind::Counter => 0,
                Kind::Gauge | Kind::Info | Kind::StateSet => 1,
                Kind::Histogram => 4,
            };
            uint(3, kind, out);
            family.visit(&reader, &mut |labels, sample| {
                series += 1;
                message(4, out, |out| metric(&labels, &sample, family.start(), out));
            });
            if let Some((unit, _)) = descriptor.unit() {
                bytes(5, unit.as_bytes(), out);
            }
        });
        if series == 0 {
            // A family without series says nothing.
            out.truncate(before);
        }
    }
}

fn metric(labels: &Labels<'_>, sample: &Sample<'_>, start: Option<f64>, out: &mut Vec<u8>) {
    for (name, text) in labels.iter() {
        label(1, name, text, out);
    }
    match sample {
        Sample::Counter(count, found) => counter(*count as f64, found.as_ref(), start, out),
        Sample::Total(value) => counter(*value, None, start, out),
        Sample::Gauge(value) => gauge(*value, out),
        Sample::Info => gauge(1.0, out),
        Sample::State(on) => gauge(f64::from(u8::from(*on)), out),
        Sample::Histogram(reading) => message(7, out, |out| histogram(reading, start, out)),
    }
}

fn label(field: u32, name: &str, text: &str, out: &mut Vec<u8>) {
    message(field, out, |out| {
        bytes(1, name.as_bytes(), out);
        bytes(2, text.as_bytes(), out);
    });
}

fn gauge(value: f64, out: &mut Vec<u8>) {
    message(2, out, |out| double(1, value, out));
}

fn counter(value: f64, found: Option<&Exemplar>, start: Option<f64>, out: &mut Vec<u8>) {
    message(3, out, |out| {
        double(1, value, out);
        if let Some(found) = found {
            message(2, out, |out| exemplar(found, out));
        }
        if let Some(start) = start {
            timestamp(3, start, out);
        }
    });
}

fn exemplar(exemplar: &Exemplar, out: &mut Vec<u8>) {
    for (name, text) in exemplar.labels() {
        label(1, name, &text, out);
    }
    double(2, exemplar.value, out);
    timestamp(3, exemplar.seconds, out);
}

fn timestamp(field: u32, seconds: f64, out: &mut Vec<u8>) {
    message(field, out, |out| {
        int(1, seconds.floor() as i64, out);
        let nanos = ((seconds - seconds.floor()) * 1e9).round().min(999_999_999.0);
        int(2, nanos as i64, out);
    });
}

fn histogram(reading: &Reading<'_>, start: Option<f64>, out: &mut Vec<u8>) {
    let sketch = reading.sketch();
    uint(1, sketch.count(), out);
    double(2, sketch.exposed_sum(), out);
    let bounds = reading.bounds().iter().copied().chain([f64::INFINITY]);
    let counts = reading.cumulative().into_iter().chain([sketch.count()]);
    if !reading.bounds().is_empty() {
        for (place, (bound, count)) in bounds.zip(counts).enumerate() {
            message(3, out, |out| {
                uint(1, count, out);
                double(2, bound, out);
                if let Some(found) = reading.exemplar_at(place) {
                    message(3, out, |out| exemplar(found, out));
                }
            });
        }
    }
    sint(5, sketch.schema().number().into(), out);
    double(6, ZERO_THRESHOLD, out);
    uint(7, sketch.zero_count(), out);
    for (span_field, delta_field, negative) in [(9, 10, true), (12, 13, false)] {
        let (spans, counts) = spans(sketch.side(negative));
        for (offset, length) in spans {
            message(span_field, out, |out| {
                sint(1, offset.into(), out);
                uint(2, length.into(), out);
            });
        }
        let mut before = 0;
        for count in counts {
            sint(delta_field, count.wrapping_sub(before) as i64, out);
            before = count;
        }
    }
    if let Some(start) = start {
        timestamp(15, start, out);
    }
    for found in reading.exemplars() {
        message(16, out, |out| exemplar(found, out));
    }
}
