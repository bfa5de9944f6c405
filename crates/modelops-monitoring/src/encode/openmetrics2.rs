//! OpenMetrics text format 2.0, as of its release candidate 0.

use crate::encode::openmetrics::head;
use crate::encode::text::{TextFormat, each_family, exemplar, float, integer, line_start, number, push};
use crate::histogram::Reading;
use crate::listing::Prepared;
use crate::sample::{Descriptor, Labels, Sample};
use crate::sketch::{Sketch, ZERO_THRESHOLD};

struct OpenMetrics2;

/// Appends every family with its type, unit, help and samples, and the end mark.
pub(crate) fn encode(families: &[Box<dyn Prepared + '_>], out: &mut Vec<u8>) {
    each_family::<OpenMetrics2>(families, out);
    out.extend_from_slice(b"# EOF\n");
}

impl TextFormat for OpenMetrics2 {
    const EXEMPLARS: bool = true;

    fn head(descriptor: &Descriptor, out: &mut Vec<u8>) {
        head([&descriptor.name, descriptor.suffix()], descriptor, out);
    }

    fn series(family: &dyn Prepared, labels: &Labels<'_>, sample: &Sample<'_>, out: &mut Vec<u8>) {
        let descriptor = family.descriptor();
        line_start(&descriptor.name, descriptor.suffix(), labels.body, out);
        match sample {
            Sample::Histogram(reading) => {
                histogram(reading, out);
                start(family, out);
                reading.exemplars().for_each(|found| exemplar(found, out));
            }
            Sample::Counter(_, found) => {
                number(sample, out);
                start(family, out);
                if let Some(found) = found {
                    exemplar(found, out);
                }
            }
            Sample::Total(_) => {
                number(sample, out);
                start(family, out);
            }
            Sample::Gauge(_) | Sample::Info | Sample::State(_) => number(sample, out),
        }
        out.push(b'\n');
    }

    fn after_counter(family: &dyn Prepared, out: &mut Vec<u8>) {
        start(family, out);
    }
}

fn start(family: &dyn Prepared, out: &mut Vec<u8>) {
    if let Some(seconds) = family.start() {
        out.extend_from_slice(b" st@");
        float(seconds, out);
    }
}

fn histogram(reading: &Reading<'_>, out: &mut Vec<u8>) {
    let sketch = reading.sketch();
    out.extend_from_slice(b"{count:");
    integer(sketch.count(), out);
    out.extend_from_slice(b",sum:");
    float(sketch.exposed_sum(), out);
    out.extend_from_slice(b",schema:");
    push(out, &[itoa::Buffer::new().format(sketch.schema().number())]);
    out.extend_from_slice(b",zero_threshold:");
    float(ZERO_THRESHOLD, out);
    out.extend_from_slice(b",zero_count:");
    integer(sketch.zero_count(), out);
    side("negative", &sketch, out);
    side("positive", &sketch, out);
    if !reading.bounds().is_empty() {
        out.extend_from_slice(b",bucket:[");
        for (bound, count) in reading.bounds().iter().zip(reading.cumulative()) {
            float(*bound, out);
            out.push(b':');
            integer(count, out);
            out.push(b',');
        }
        out.extend_from_slice(b"+Inf:");
        integer(sketch.count(), out);
        out.push(b']');
    }
    out.push(b'}');
}

/// Appends the spans and counts of one side of zero, where it has any.
fn side(name: &str, sketch: &Sketch, out: &mut Vec<u8>) {
    let (spans, counts) = spans(sketch.side(name == "negative"));
    if counts.is_empty() {
        return;
    }
    push(out, &[",", name, "_spans:["]);
    for (i, (offset, length)) in spans.iter().enumerate() {
        let mut digits = itoa::Buffer::new();
        push(out, &[if i > 0 { "," } else { "" }, digits.format(*offset), ":"]);
        push(out, &[digits.format(*length)]);
    }
    push(out, &["],", name, "_buckets:["]);
    for (i, count) in counts.iter().enumerate() {
        push(out, &[if i > 0 { "," } else { "" }]);
        integer(*count, out);
    }
    out.push(b']');
}

/// Runs of neighbouring buckets, each as the gap before it and its length, and the counts of all.
///
/// A gap of one empty bucket is bridged: a zero is shorter than a span.
pub(crate) fn spans(buckets: impl Iterator<Item = (i32, u64)>) -> (Vec<(i32, u32)>, Vec<u64>) {
    let (mut spans, mut counts) = (Vec::<(i32, u32)>::new(), Vec::new());
    let mut next = 0;
    for (index, count) in buckets {
        let gap = index - next;
        match spans.last_mut() {
            Some((_, length)) if gap <= 1 => {
                counts.extend((0..gap).map(|_| 0));
                *length += 1 + gap as u32;
            }
            _ => spans.push((gap, 1)),
        }
        counts.push(count);
        next = index + 1;
    }
    (spans, counts)
}
