//! What is allowed but unwise.

use thiserror::Error;

use super::{FamilyKind, ParsedFamily};

/// Units that are not base units, and the base unit to use.
const DERIVED: [(&str, &str); 20] = [
    ("nanoseconds", "seconds"),
    ("microseconds", "seconds"),
    ("milliseconds", "seconds"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("kelvin", "celsius"),
    ("fahrenheit", "celsius"),
    ("bits", "bytes"),
    ("kilobytes", "bytes"),
    ("megabytes", "bytes"),
    ("gigabytes", "bytes"),
    ("kibibytes", "bytes"),
    ("mebibytes", "bytes"),
    ("gibibytes", "bytes"),
    ("percent", "ratio"),
    ("millijoules", "joules"),
    ("kilojoules", "joules"),
    ("milliwatts", "watts"),
];

/// Abbreviations that readers have to guess at.
const ABBREVIATED: [&str; 16] = [
    "s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d", "j", "c",
];

/// A family that works but will trouble its readers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{family}: {advice}")]
#[non_exhaustive]
pub struct LintIssue {
    /// The family's name.
    pub family: String,
    /// What to change.
    pub advice: Advice,
}

/// What to change about a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Advice {
    /// There is no help text, or an empty one.
    #[error("write a help text")]
    Help,
    /// The name holds a unit that is not a base unit.
    #[error("use the base unit {base}")]
    BaseUnit {
        /// The base unit to use.
        base: &'static str,
    },
    /// The name holds an abbreviated unit.
    #[error("write the unit out")]
    Abbreviation,
    /// The name is not in snake case.
    #[error("write the name in snake case")]
    SnakeCase,
    /// Colons are for recording rules.
    #[error("leave colons to recording rules")]
    Colon,
    /// The name says what kind of metric it is.
    #[error("leave the type out of the name")]
    TypeInName,
    /// The name ends with a suffix that belongs to another type.
    #[error("the suffix {suffix} belongs to another type")]
    Suffix {
        /// The suffix.
        suffix: &'static str,
    },
    /// A label that belongs to another type.
    #[error("the label {label} belongs to another type")]
    Label {
        /// The label.
        label: &'static str,
    },
}

/// Checks names, units, help and labels of parsed families against the naming practices of Prometheus.
///
/// **Complexity**: O(families + samples).
///
/// ```
/// use modelops_monitoring::openmetrics::{Advice, lint, parse};
/// let families = parse("# TYPE wait_milliseconds gauge\n# HELP wait_milliseconds Wait.\nwait_milliseconds 3\n# EOF\n")?;
/// assert_eq!(lint(&families)[0].advice, Advice::BaseUnit { base: "seconds" });
/// # Ok::<(), modelops_monitoring::openmetrics::ParseError>(())
/// ```
///
/// **References**: Prometheus, "Metric and label naming".
#[must_use]
pub fn lint(families: &[ParsedFamily]) -> Vec<LintIssue> {
    let of_family = |family: &ParsedFamily| -> Vec<LintIssue> {
        let issue = |advice| LintIssue {
            family: family.name.clone(),
            advice,
        };
        advice(family).into_iter().map(issue).collect()
    };
    families.iter().flat_map(of_family).collect()
}

fn advice(family: &ParsedFamily) -> Vec<Advice> {
    let mut advice = Vec::new();
    if family.help.as_deref().is_none_or(str::is_empty) {
        advice.push(Advice::Help);
    }
    if family.name.contains(':') {
        advice.push(Advice::Colon);
    }
    if family.name.contains(|c: char| c.is_ascii_uppercase()) {
        advice.push(Advice::SnakeCase);
    }
    let words: Vec<&str> = family.name.split(['_', ':']).collect();
    if let Some((_, base)) = DERIVED.iter().find(|(unit, _)| words.contains(unit)) {
        advice.push(Advice::BaseUnit { base });
    }
    // The first word is the namespace, which may be short.
    if words.iter().skip(1).any(|word| ABBREVIATED.contains(word)) {
        advice.push(Advice::Abbreviation);
    }
    if words
        .iter()
        .any(|word| matches!(*word, "counter" | "gauge" | "histogram" | "summary"))
    {
        advice.push(Advice::TypeInName);
    }
    let buckets = matches!(family.kind, FamilyKind::Histogram | FamilyKind::GaugeHistogram);
    let foreign = |suffix: &&&'static str| family.name.ends_with(**suffix);
    if let Some(suffix) = ["_total", "_bucket", "_count", "_sum", "_info"]
        .iter()
        .find(foreign)
    {
        advice.push(Advice::Suffix { suffix });
    }
    let labelled = |label| family.samples.iter().any(|sample| sample.label(label).is_some());
    if !buckets && labelled("le") {
        advice.push(Advice::Label { label: "le" });
    }
    if family.kind != FamilyKind::Summary && labelled("quantile") {
        advice.push(Advice::Label { label: "quantile" });
    }
    advice
}
