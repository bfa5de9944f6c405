//! Records as pairs of a case and a peer, with all their figures.

use crate::table::{number, spread};
use crate::{Better, Record, Spread, Verdict};

/// Ours and one peer on one case.
pub(crate) struct Pair<'a> {
    /// The case.
    pub(crate) case: &'a str,
    /// The peer.
    pub(crate) peer: &'a str,
    /// What was measured of both, the main figure first.
    pub(crate) figures: Vec<Figure<'a>>,
}

/// One metric of a pair.
#[derive(Clone, Copy)]
pub(crate) struct Figure<'a> {
    record: &'a Record,
    theirs: &'a Spread,
}

/// The pairs, in the order of the records.
pub(crate) fn pairs(records: &[Record]) -> Vec<Pair<'_>> {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for record in records {
        for (peer, theirs) in &record.peers {
            let figure = Figure { record, theirs };
            match pairs
                .iter_mut()
                .find(|pair| pair.case == record.case && pair.peer == *peer)
            {
                Some(pair) => pair.figures.push(figure),
                None => pairs.push(Pair {
                    case: &record.case,
                    peer,
                    figures: vec![figure],
                }),
            }
        }
    }
    pairs
}

impl<'a> Pair<'a> {
    /// What the pair is judged by.
    pub(crate) fn main(&self) -> Figure<'a> {
        self.figures[0]
    }

    /// The figures in which the peer is better.
    pub(crate) fn losses(&self) -> impl Iterator<Item = Figure<'a>> {
        self.figures
            .iter()
            .copied()
            .filter(|figure| figure.verdict() == Some(Verdict::Behind))
    }
}

impl<'a> Figure<'a> {
    /// The verdict; `None` where the outputs differ and nothing can be said.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        let Record { ours, better, .. } = self.record;
        self.record
            .correct
            .then(|| Verdict::of(ours, self.theirs, *better))
    }

    /// How many times better ours is; below 1 it is worse.
    pub(crate) fn times(&self) -> f64 {
        match self.record.better {
            Better::Lower => self.theirs.median / self.record.ours.median,
            Better::Higher => self.record.ours.median / self.theirs.median,
        }
    }

    /// Ours, theirs, and how many times better ours is.
    pub(crate) fn cells(&self) -> [String; 3] {
        let with_unit = |text: String| format!("{text} {}", self.record.unit).trim_end().to_owned();
        let times = match self.verdict() {
            None => "outputs differ".to_owned(),
            Some(Verdict::Ahead) => number(self.times()),
            Some(Verdict::Level) => format!("{}, level", number(self.times())),
            Some(Verdict::Behind) => format!("**{}**", number(self.times())),
        };
        [
            with_unit(spread(&self.record.ours)),
            with_unit(spread(self.theirs)),
            times,
        ]
    }

    /// The figure in a few words.
    pub(crate) fn words(&self) -> String {
        let Record {
            metric, unit, ours, ..
        } = self.record;
        let (mine, theirs) = (number(ours.median), number(self.theirs.median));
        if ours == self.theirs {
            return format!(
                "{metric} the same ({mine}{}{unit})",
                if unit.is_empty() { "" } else { " " }
            );
        }
        let worse = if self.verdict() == Some(Verdict::Behind) {
            ", **behind**"
        } else {
            ""
        };
        format!("{metric} {mine} against {theirs} {unit}")
            .trim_end()
            .to_owned()
            + worse
    }

    /// The name of the metric.
    pub(crate) fn metric(&self) -> &'a str {
        &self.record.metric
    }
}
