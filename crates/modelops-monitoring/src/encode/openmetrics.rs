//! OpenMetrics text format 1.0.

use crate::encode::text::{
    TextFormat, buckets, each_family, exemplar, float, integer, line_start, number, push,
};
use crate::listing::Prepared;
use crate::sample::{Descriptor, Kind, Labels, Sample};

struct OpenMetrics;

/// Appends every family with its type, unit, help and samples, and the end mark.
pub(crate) fn encode(families: &[Box<dyn Prepared + '_>], out: &mut Vec<u8>) {
    each_family::<OpenMetrics>(families, out);
    out.extend_from_slice(b"# EOF\n");
}

/// Appends type, unit and help of a family under `name`.
pub(crate) fn head(name: [&str; 2], descriptor: &Descriptor, out: &mut Vec<u8>) {
    let [name, suffix] = name;
    let kind = match descriptor.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Info => "info",
        Kind::StateSet => "stateset",
    };
    push(out, &["# TYPE ", name, suffix, " ", kind, "\n"]);
    if let Some((unit, _)) = descriptor.unit() {
        push(out, &["# UNIT ", name, suffix, " ", unit, "\n"]);
    }
    push(out, &["# HELP ", name, suffix, " "]);
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

impl TextFormat for OpenMetrics {
    const EXEMPLARS: bool = true;

    fn head(descriptor: &Descriptor, out: &mut Vec<u8>) {
        head([&descriptor.name, ""], descriptor, out);
    }

    fn series(family: &dyn Prepared, labels: &Labels<'_>, sample: &Sample<'_>, out: &mut Vec<u8>) {
        let descriptor = family.descriptor();
        let name = &*descriptor.name;
        if let Sample::Histogram(reading) = sample {
            let sketch = reading.sketch();
            buckets(name, labels.body, reading, true, out);
            // The format has no sum, and so no count, where values may be negative.
            let negative = reading.bounds().first().is_some_and(|bound| *bound < 0.0)
                || sketch.negative_buckets().next().is_some()
                || sketch.infinite_counts()[1] > 0;
            if !negative {
                out.push(b'\n');
                line_start(name, "_count", labels.body, out);
                integer(sketch.count(), out);
                out.push(b'\n');
                line_start(name, "_sum", labels.body, out);
                float(sketch.sum(), out);
            }
        } else {
            line_start(name, descriptor.suffix(), labels.body, out);
            number(sample, out);
            if let Sample::Counter(_, Some(found)) = sample {
                exemplar(found, out);
            }
        }
        out.push(b'\n');
    }
}
