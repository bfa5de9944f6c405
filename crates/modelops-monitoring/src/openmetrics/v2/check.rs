//! The rules of each type of family.

use std::collections::HashSet;

use super::{Family, Histogram, Native, Sample, Summary, Value};
use crate::openmetrics::check::key;
use crate::openmetrics::{FamilyKind, Fault};

/// Checks one sample by itself.
pub(super) fn sample(family: &Family, sample: &Sample) -> Result<(), Fault> {
    let kind = family.kind;
    match (kind, &sample.value) {
        (FamilyKind::Gauge, Value::Number(_)) => {}
        (FamilyKind::Counter, Value::Number(n)) => check(*n >= 0.0, Fault::Value)?,
        (FamilyKind::Info, Value::Number(n)) => check(*n == 1.0, Fault::Value)?,
        (FamilyKind::StateSet, Value::Number(n)) => {
            check(*n == 0.0 || *n == 1.0, Fault::Value)?;
            check(sample.label(&family.name).is_some(), Fault::TypeLabel)?;
        }
        (FamilyKind::Histogram, Value::Histogram(value)) if !value.gauge => histogram(value, sample)?,
        (FamilyKind::GaugeHistogram, Value::Histogram(value)) if value.gauge => histogram(value, sample)?,
        (FamilyKind::Summary, Value::Summary(value)) => summary(value, sample)?,
        (FamilyKind::Unknown, value) => match value {
            Value::Number(_) => {}
            Value::Histogram(value) => histogram(value, sample)?,
            Value::Summary(value) => summary(value, sample)?,
        },
        _ => return Err(Fault::Value),
    }
    let no_start = matches!(
        kind,
        FamilyKind::Gauge | FamilyKind::Info | FamilyKind::StateSet | FamilyKind::GaugeHistogram
    );
    check(!no_start || sample.start.is_none(), Fault::Start)?;
    let no_exemplar = matches!(kind, FamilyKind::Gauge | FamilyKind::Info | FamilyKind::StateSet);
    check(!no_exemplar || sample.exemplars.is_empty(), Fault::Exemplar)
}

fn check(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}

fn histogram(value: &Histogram, sample: &Sample) -> Result<(), Fault> {
    check(
        value.native.is_some() || !value.classic.is_empty(),
        Fault::Composite,
    )?;
    // What only grows is never negative; the gauges among the histograms may hold the results of calculations.
    let counts = |n: f64| value.gauge || n >= 0.0;
    check(counts(value.count), Fault::Value)?;
    if let Some((last, all)) = value.classic.last() {
        check(sample.label("le").is_none(), Fault::TypeLabel)?;
        let rising = value.classic.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let grows = value.gauge || value.classic.windows(2).all(|pair| pair[0].1 <= pair[1].1);
        let whole = *last == f64::INFINITY && (*all == value.count || all.is_nan() && value.count.is_nan());
        let counted = value.classic.iter().all(|(_, n)| counts(*n));
        check(rising && grows && whole && counted, Fault::Histogram)?;
    }
    let Some(native) = &value.native else {
        return Ok(());
    };
    check((-4..=8).contains(&native.schema), Fault::Composite)?;
    check(native.zero_threshold >= 0.0, Fault::Composite)?;
    // The bucket of infinity lies just beyond the one that holds the greatest number.
    let greatest = |schema: i8| {
        if schema >= 0 {
            1024 << schema
        } else {
            1024 >> -schema
        }
    };
    let buckets = || native.negative.iter().chain(&native.positive);
    let within = buckets().all(|(index, _)| *index <= greatest(native.schema) + 1);
    check(within && buckets().all(|(_, n)| counts(*n)), Fault::Composite)?;
    check(counts(native.zero_count), Fault::Composite)?;
    adds_up(value, native)
}

/// Whole counts add up to the count; what is missing was NaN, and then so is the sum.
fn adds_up(value: &Histogram, native: &Native) -> Result<(), Fault> {
    let buckets = native.negative.iter().chain(&native.positive);
    let parts: Vec<f64> = buckets.map(|(_, n)| *n).chain([native.zero_count]).collect();
    let whole = parts.iter().chain([&value.count]).all(|n| n.fract() == 0.0);
    let total: f64 = parts.iter().sum();
    let fits = !whole || total == value.count || (value.sum.is_nan() && total < value.count);
    check(fits, Fault::Histogram)
}

fn summary(value: &Summary, sample: &Sample) -> Result<(), Fault> {
    check(sample.label("quantile").is_none(), Fault::TypeLabel)?;
    check(value.count >= 0.0 && value.count.fract() == 0.0, Fault::Value)?;
    check(value.sum >= 0.0, Fault::Value)?;
    let rising = value.quantiles.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let sound = |(q, n): &(f64, f64)| (0.0..=1.0).contains(q) && (*n >= 0.0 || n.is_nan());
    check(rising && value.quantiles.iter().all(sound), Fault::Composite)
}

/// The order of samples within a family: metrics, and groups of states, are not interrupted.
#[derive(Default)]
pub(super) struct Order {
    metrics: Runs,
    groups: Runs,
    timestamp: Option<f64>,
}

/// Keys that come in runs.
#[derive(Default)]
struct Runs {
    current: Option<String>,
    closed: HashSet<String>,
}

impl Runs {
    /// Whether `key` goes on with the present run; an error where its run ended before.
    fn next(&mut self, key: String) -> Result<bool, Fault> {
        if self.current.as_ref() == Some(&key) {
            return Ok(true);
        }
        if self.closed.contains(&key) {
            return Err(Fault::Grouping);
        }
        let before = self.current.replace(key);
        self.closed.extend(before);
        Ok(false)
    }
}

impl Order {
    pub(super) fn admit(&mut self, family: &Family, sample: &Sample) -> Result<(), Fault> {
        if family.kind == FamilyKind::StateSet {
            self.groups
                .next(key(&sample.labels, |name| name == family.name))?;
        }
        if self.metrics.next(key(&sample.labels, |_| false))? {
            // Several samples of one metric are told apart by rising timestamps.
            let rises = self
                .timestamp
                .zip(sample.timestamp)
                .is_some_and(|(before, now)| before < now);
            check(rises, Fault::Grouping)?;
        }
        self.timestamp = sample.timestamp;
        Ok(())
    }
}
