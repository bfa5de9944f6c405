//! OpenMetrics text format 1.0.

use crate::encode::text::{buckets, each_family, float, integer, line_start, push};
use crate::sample::{Descriptor, Kind, Sample};
use crate::series::Prepared;

/// Base units, which names end with.
const UNITS: [&str; 8] = [
    "seconds", "bytes", "ratio", "joules", "celsius", "volts", "amperes", "grams",
];

/// Appends every family with its type, unit, help and samples, and the end mark.
pub(crate) fn encode(families: &[Box<dyn Prepared + '_>], out: &mut Vec<u8>) {
    each_family(families, head, series, out);
    out.extend_from_slice(b"# EOF\n");
}

fn head(descriptor: &Descriptor, out: &mut Vec<u8>) {
    let name = &*descriptor.name;
    let kind = match descriptor.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    push(out, &["# TYPE ", name, " ", kind, "\n"]);
    let ends_with = |unit: &&&str| name.strip_suffix(**unit).is_some_and(|stem| stem.ends_with('_'));
    if let Some(unit) = UNITS.iter().find(ends_with) {
        push(out, &["# UNIT ", name, " ", unit, "\n"]);
    }
    push(out, &["# HELP ", name, " "]);
    for c in descriptor.help.chars() {
        match c {
            '\\' => out.extend_from_slice(b"\\\\"),
            '"' => out.extend_from_slice(b"\\\""),
            '\n' => out.extend_from_slice(b"\\n"),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'\n');
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
            // The format has no sum, and so no count, where values may be negative.
            let negative = reading.bounds().first().is_some_and(|bound| *bound < 0.0)
                || sketch.negative_buckets().next().is_some()
                || sketch.infinite_counts()[1] > 0;
            if !negative {
                out.push(b'\n');
                line_start(name, "_count", labels, out);
                integer(sketch.count(), out);
                out.push(b'\n');
                line_start(name, "_sum", labels, out);
                float(sketch.sum(), out);
            }
        }
    }
    out.push(b'\n');
}
