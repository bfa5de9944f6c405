//! What a scrape sees: a metric's description and one series' value.

use crate::exemplar::Exemplar;
use crate::histogram::Reading;

/// What kind of metric a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
    StateSet,
}

/// Name, help and labels of a family.
#[derive(Debug, Clone)]
pub(crate) struct Descriptor {
    /// Full name, namespace included, without the `_total` of a counter and the `_info` of an info.
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    /// Seconds since the epoch from which on the family counts, where the registry was told.
    pub(crate) start: Option<f64>,
}

/// Base units, which names end with, and how OpenTelemetry writes them.
const UNITS: [(&str, &str); 8] = [
    ("seconds", "s"),
    ("bytes", "By"),
    ("ratio", "1"),
    ("joules", "J"),
    ("celsius", "Cel"),
    ("volts", "V"),
    ("amperes", "A"),
    ("grams", "g"),
];

impl Descriptor {
    /// What the name of every sample that is a number ends with.
    pub(crate) fn suffix(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram | Kind::StateSet => "",
        }
    }

    /// The unit that the name ends with, in words and in the code of OpenTelemetry.
    pub(crate) fn unit(&self) -> Option<(&'static str, &'static str)> {
        if matches!(self.kind, Kind::Info | Kind::StateSet) {
            return None;
        }
        let ends_with = |(unit, _): &&(&str, &str)| {
            self.name
                .strip_suffix(*unit)
                .is_some_and(|stem| stem.ends_with('_'))
        };
        UNITS.iter().find(ends_with).copied()
    }
}

/// The labels of one series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    /// `a="b",c="d"`, escaped as the text formats want it.
    pub(crate) body: &'a str,
    pub(crate) pairs: Pairs<'a>,
}

/// Names and texts, in the order of the body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pairs<'a> {
    Fixed(&'a [&'static str], &'a [&'static str]),
    Owned(&'a [&'static str], &'a [Box<str>]),
    Loose(&'a [(Box<str>, Box<str>)]),
}

impl<'a> Labels<'a> {
    /// The label of that position.
    fn at(&self, i: usize) -> Option<(&'a str, &'a str)> {
        match self.pairs {
            Pairs::Fixed(names, texts) => Some((names.get(i)?, texts.get(i)?)),
            Pairs::Owned(names, texts) => Some((names.get(i)?, texts.get(i)?)),
            Pairs::Loose(pairs) => pairs.get(i).map(|(name, text)| (&**name, &**text)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let labels = *self;
        (0..).map_while(move |i| labels.at(i))
    }
}

/// One series' value at one moment.
pub enum Sample<'a> {
    Counter(u64, Option<Exemplar>),
    /// A count that is not whole: seconds of processor time, say.
    Total(f64),
    Gauge(f64),
    Info,
    State(bool),
    Histogram(Box<Reading<'a>>),
}
