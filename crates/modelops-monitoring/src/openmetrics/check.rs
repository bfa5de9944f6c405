//! The rules of each type of family.

use std::collections::HashSet;

use super::scan::number;
use super::{FamilyKind, Fault, ParsedFamily, ParsedSample};

/// The endings of a family's samples.
pub(super) fn suffixes(kind: FamilyKind) -> &'static [&'static str] {
    match kind {
        FamilyKind::Unknown | FamilyKind::Gauge | FamilyKind::StateSet => &[""],
        FamilyKind::Counter => &["", "_total", "_created"],
        FamilyKind::Info => &["", "_info"],
        FamilyKind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
        FamilyKind::GaugeHistogram => &["", "_bucket", "_gcount", "_gsum"],
        FamilyKind::Summary => &["", "_count", "_sum", "_created"],
    }
}

/// Whether a sample of that name is one of the family's.
pub(super) fn belongs(kind: FamilyKind, family: &str, sample: &str) -> bool {
    let Some(suffix) = sample.strip_prefix(family) else {
        return false;
    };
    // These types have no sample that is named as the family itself.
    let bare = matches!(
        kind,
        FamilyKind::Counter | FamilyKind::Info | FamilyKind::Histogram | FamilyKind::GaugeHistogram
    );
    suffixes(kind).contains(&suffix) && !(bare && suffix.is_empty())
}

/// Checks one sample by itself.
pub(super) fn sample(family: &ParsedFamily, sample: &ParsedSample) -> Result<(), Fault> {
    let suffix = &sample.name[family.name.len().min(sample.name.len())..];
    let kind = family.kind;
    if sample.exemplar.is_some() {
        let allowed = matches!(
            (kind, suffix),
            (FamilyKind::Counter, "_total") | (FamilyKind::Histogram | FamilyKind::GaugeHistogram, "_bucket")
        );
        if !allowed {
            return Err(Fault::Exemplar);
        }
    }
    match (kind, suffix) {
        (FamilyKind::StateSet, _) if sample.label(&family.name).is_none() => return Err(Fault::TypeLabel),
        (FamilyKind::Summary, "") => {
            let quantile = sample.label("quantile").and_then(number);
            if !quantile.is_some_and(|q| (0.0..=1.0).contains(&q)) {
                return Err(Fault::TypeLabel);
            }
        }
        (_, "_bucket") if has_buckets(kind) => {
            bound(sample).ok_or(Fault::TypeLabel)?;
        }
        _ => {}
    }
    let value = sample.value;
    let fits = match (kind, suffix) {
        (FamilyKind::Info, _) => value == 1.0,
        (FamilyKind::StateSet, _) => value == 0.0 || value == 1.0,
        (_, "_bucket" | "_count" | "_gcount") if has_buckets(kind) => value >= 0.0 && value.fract() == 0.0,
        (FamilyKind::Summary, "_count") => value >= 0.0 && value.fract() == 0.0,
        (FamilyKind::Counter, "_total") | (FamilyKind::Histogram | FamilyKind::Summary, "_sum") => {
            value >= 0.0
        }
        (FamilyKind::GaugeHistogram, "_gsum") => !value.is_nan(),
        (FamilyKind::Summary, "") => value >= 0.0 || value.is_nan(),
        _ => true,
    };
    if fits { Ok(()) } else { Err(Fault::Value) }
}

fn has_buckets(kind: FamilyKind) -> bool {
    matches!(kind, FamilyKind::Histogram | FamilyKind::GaugeHistogram)
}

/// A bucket's bound; infinity is spelled `+Inf`.
fn bound(sample: &ParsedSample) -> Option<f64> {
    let text = sample.label("le")?;
    number(text).filter(|bound| bound.is_finite() || text == "+Inf")
}

/// The order of samples within a family.
#[derive(Default)]
pub(super) struct Groups {
    closed: HashSet<String>,
    current: Option<String>,
    timestamp: Option<f64>,
    /// The samples of the present group and timestamp.
    seen: HashSet<String>,
}

impl Groups {
    /// Whether the sample is new: of samples repeated with one timestamp only the first counts.
    pub(super) fn admit(&mut self, family: &ParsedFamily, sample: &ParsedSample) -> Result<bool, Fault> {
        let leaves_out = |label: &str| match family.kind {
            FamilyKind::Histogram | FamilyKind::GaugeHistogram => label == "le",
            FamilyKind::Summary => label == "quantile",
            FamilyKind::StateSet => label == family.name,
            // All the labels of an info are its content.
            _ => false,
        };
        let group = if family.kind == FamilyKind::Info {
            String::new()
        } else {
            key(&sample.labels, leaves_out)
        };
        let same = self.current.as_ref() == Some(&group);
        if same {
            if sample.timestamp.is_some() != self.timestamp.is_some() {
                return Err(Fault::Grouping);
            }
            let backwards = self
                .timestamp
                .zip(sample.timestamp)
                .is_some_and(|(before, now)| now < before);
            if backwards && family.kind != FamilyKind::Info {
                return Err(Fault::Grouping);
            }
        } else {
            let before = self.current.replace(group.clone());
            if let Some(before) = before {
                self.closed.insert(before);
            }
            if self.closed.contains(&group) {
                return Err(Fault::Grouping);
            }
        }
        if !same || self.timestamp != sample.timestamp {
            self.seen.clear();
        }
        self.timestamp = sample.timestamp;
        let new = self
            .seen
            .insert(format!("{}\0{}", sample.name, key(&sample.labels, |_| false)));
        if !new && sample.timestamp.is_none() {
            return Err(Fault::Grouping);
        }
        Ok(new)
    }
}

/// The labels as one text, sorted by name; quoted, so that no two sets give the same.
pub(super) fn key(labels: &[(String, String)], leaves_out: impl Fn(&str) -> bool) -> String {
    let mut kept: Vec<_> = labels.iter().filter(|(name, _)| !leaves_out(name)).collect();
    kept.sort_unstable();
    kept.iter()
        .map(|(name, text)| format!("{name:?}={text:?},"))
        .collect()
}

/// Checks a family once all its samples are there.
pub(super) fn family(family: &ParsedFamily) -> Result<(), Fault> {
    if !has_buckets(family.kind) {
        return Ok(());
    }
    let mut samples = family.samples.iter().peekable();
    while let Some(first) = samples.next() {
        let same = |other: &ParsedSample| {
            other.timestamp == first.timestamp
                && key(&other.labels, |label| label == "le") == key(&first.labels, |label| label == "le")
        };
        let mut metric = vec![first];
        while let Some(next) = samples.next_if(|next| same(next)) {
            metric.push(next);
        }
        histogram(family, &metric)?;
    }
    Ok(())
}

/// Checks the buckets, count and sum of one metric at one time.
fn histogram(family: &ParsedFamily, samples: &[&ParsedSample]) -> Result<(), Fault> {
    let (mut last, mut negative) = (None::<(f64, f64)>, false);
    let (mut count, mut sum) = (None, None);
    for sample in samples {
        match &sample.name[family.name.len()..] {
            "_bucket" => {
                let bound = bound(sample).ok_or(Fault::TypeLabel)?;
                if last.is_some_and(|(before, counted)| bound <= before || sample.value < counted) {
                    return Err(Fault::Histogram);
                }
                negative |= bound < 0.0;
                last = Some((bound, sample.value));
            }
            "_count" | "_gcount" => count = Some(sample.value),
            "_sum" | "_gsum" => sum = Some(sample.value),
            _ => {}
        }
    }
    let whole = last
        .filter(|(bound, _)| *bound == f64::INFINITY)
        .map(|(_, counted)| counted);
    let fits = whole.is_some()
        && count.is_none_or(|count| Some(count) == whole)
        && count.is_some() == sum.is_some()
        // A sum over negative values could fall, which a histogram's must not.
        && !(negative && sum.is_some() && family.kind == FamilyKind::Histogram)
        && (negative || sum.is_none_or(|sum| sum >= 0.0));
    if fits { Ok(()) } else { Err(Fault::Histogram) }
}
