//! The rounds of one case.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::measure::{Sample, measure};
use crate::python::Python;
use crate::record::{self, Better, Provenance, Record, Spread};
use crate::table::table;

/// How many rounds a case has where nobody says otherwise.
const ROUNDS: usize = 7;

/// The side-by-side run of one crate.
#[derive(Debug)]
pub struct Comparison {
    krate: String,
    filter: Option<String>,
    rounds: Option<usize>,
    records: Vec<Record>,
}

impl Comparison {
    /// A run of `krate` as the command line asks: `[CASE] [--rounds N]`, where CASE is a part of a case's name.
    ///
    /// # Panics
    ///
    /// On an argument that is neither.
    #[must_use]
    pub fn from_args(krate: &str) -> Self {
        Self::from_list(krate, std::env::args().skip(1)).expect("usage: [CASE] [--rounds N]")
    }

    fn from_list(krate: &str, mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut run = Self {
            krate: krate.to_owned(),
            filter: None,
            rounds: None,
            records: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if argument == "--rounds" {
                run.rounds = Some(arguments.next()?.parse().ok().filter(|&n| n > 0)?);
            } else if run.filter.is_none() && !argument.starts_with("--") {
                run.filter = Some(argument);
            } else {
                return None;
            }
        }
        Some(run)
    }

    /// Whether the command line asks for the case of this name: ask before preparing expensive data.
    #[must_use]
    pub fn wants(&self, case: &str) -> bool {
        self.filter.as_deref().is_none_or(|part| case.contains(part))
    }

    /// Whether the command line asks for a part of this name: for a case too long for the run of all.
    #[must_use]
    pub fn asks(&self, case: &str) -> bool {
        self.filter.is_some() && self.wants(case)
    }

    /// A case: what is asked of ours and of each peer. `T` is the output that is compared.
    pub fn case<T>(&mut self, name: &str) -> Case<'_, T> {
        let wanted = self.wants(name);
        let rounds = self.rounds.unwrap_or(ROUNDS);
        Case {
            run: self,
            name: name.to_owned(),
            wanted,
            rounds,
            peer_rounds: None,
            warm_up: true,
            runners: Vec::new(),
            missing: BTreeMap::new(),
            per: None,
            times: true,
            values: Vec::new(),
            agree: Box::new(|_, _| true),
        }
    }

    /// Prints the table and writes `target/compare/CRATE.json`; cases that were not run stay in the file.
    ///
    /// # Panics
    ///
    /// Where the file cannot be written.
    pub fn finish(self) {
        print!("{}", table(&self.records));
        let file = record::results_dir().join(format!("{}.json", self.krate));
        record::merge(&file, &self.records).expect("the result file can be written");
        println!("\n{} records in {}", self.records.len(), file.display());
    }
}

/// Runs one round and gives the output with what it took.
type Runner<'a, T> = Box<dyn FnMut() -> Result<(T, Sample), String> + 'a>;
/// A number read off an output: its name, unit, direction.
type Value<'a, T> = (String, String, Better, Box<dyn Fn(&T) -> f64 + 'a>);

/// Whether two outputs agree.
type Agree<'a, T> = Box<dyn Fn(&T, &T) -> bool + 'a>;

/// A case under construction; [`Case::run`] runs it.
pub struct Case<'a, T> {
    run: &'a mut Comparison,
    name: String,
    wanted: bool,
    rounds: usize,
    /// In how many of the rounds the peers take part; `None`: in all, the one before the measured ones included.
    peer_rounds: Option<usize>,
    warm_up: bool,
    /// Ours first.
    runners: Vec<(String, Runner<'a, T>)>,
    missing: BTreeMap<String, String>,
    per: Option<(String, usize)>,
    times: bool,
    values: Vec<Value<'a, T>>,
    agree: Agree<'a, T>,
}

impl<T> std::fmt::Debug for Case<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<'a, T> Case<'a, T> {
    /// Ours. Call it before the peers.
    #[must_use]
    pub fn ours(self, f: impl FnMut() -> T + 'a) -> Self {
        self.peer("ours", f)
    }

    /// A peer that is linked in. Say its version in its name.
    #[must_use]
    pub fn peer(mut self, name: &str, mut f: impl FnMut() -> T + 'a) -> Self {
        self.runners
            .push((name.to_owned(), Box::new(move || Ok(measure(&mut f)))));
        self
    }

    /// A peer that needs fresh input every round, which `before` makes outside the measurement.
    #[must_use]
    pub fn peer_with<I>(
        mut self,
        name: &str,
        mut before: impl FnMut() -> I + 'a,
        mut f: impl FnMut(I) -> T + 'a,
    ) -> Self {
        let runner = move || {
            let input = before();
            Ok(measure(|| f(input)))
        };
        self.runners.push((name.to_owned(), Box::new(runner)));
        self
    }

    /// As [`Case::peer_with`], for ours.
    #[must_use]
    pub fn ours_with<I>(self, before: impl FnMut() -> I + 'a, f: impl FnMut(I) -> T + 'a) -> Self {
        self.peer_with("ours", before, f)
    }

    /// A peer in Python: `benches/peers/CRATE/SCRIPT`, which serves rounds by `benches/peers/harness.py`. The output is
    /// read from JSON. Missing where its virtual environment is not there or the script fails.
    #[must_use]
    pub fn python(mut self, name: &str, script: &str, arguments: &[&str]) -> Self
    where
        T: DeserializeOwned,
    {
        if self.wanted {
            match Python::start(&self.run.krate, script, arguments) {
                Ok(mut child) => self
                    .runners
                    .push((name.to_owned(), Box::new(move || child.round()))),
                Err(reason) => {
                    self.missing.insert(name.to_owned(), reason);
                }
            }
        }
        self
    }

    /// A peer that cannot be run here, and why.
    #[must_use]
    pub fn missing(mut self, name: &str, reason: &str) -> Self {
        self.missing.insert(name.to_owned(), reason.to_owned());
        self
    }

    /// Times in nanoseconds per item instead of milliseconds per call.
    #[must_use]
    pub fn per(mut self, item: &str, count: usize) -> Self {
        self.per = Some((item.to_owned(), count.max(1)));
        self
    }

    /// Compare values only, not times.
    #[must_use]
    pub fn without_times(mut self) -> Self {
        self.times = false;
        self
    }

    /// A number read off every output: a quality, a size.
    #[must_use]
    pub fn value(mut self, name: &str, unit: &str, better: Better, f: impl Fn(&T) -> f64 + 'a) -> Self {
        self.values
            .push((name.to_owned(), unit.to_owned(), better, Box::new(f)));
        self
    }

    /// When the output of ours and that of a peer agree; without it they always do.
    #[must_use]
    pub fn agree(mut self, f: impl Fn(&T, &T) -> bool + 'a) -> Self {
        self.agree = Box::new(f);
        self
    }

    /// How many rounds, where the command line does not say.
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = self.run.rounds.unwrap_or(rounds.max(1));
        self
    }

    /// Peers that take seconds where ours takes milliseconds: they take part in the first so many measured rounds only.
    #[must_use]
    pub fn peer_rounds(mut self, rounds: usize) -> Self {
        self.peer_rounds = Some(rounds.max(1));
        self
    }

    /// No round before the measured ones, for cases of many seconds.
    #[must_use]
    pub fn cold(mut self) -> Self {
        self.warm_up = false;
        self
    }

    /// Runs the rounds and keeps the records.
    pub fn run(mut self) {
        if !self.wanted {
            return;
        }
        eprintln!("{}: {} rounds of {}", self.name, self.rounds, self.runners.len());
        let mut samples: Vec<Vec<Sample>> = self.runners.iter().map(|_| Vec::new()).collect();
        let mut read: Vec<Vec<Vec<f64>>> = self
            .runners
            .iter()
            .map(|_| self.values.iter().map(|_| Vec::new()).collect())
            .collect();
        let mut failed: Vec<Option<String>> = self.runners.iter().map(|_| None).collect();
        let mut correct = true;
        for round in 0..self.rounds + usize::from(self.warm_up) {
            let measured = !(self.warm_up && round == 0);
            let of_peers = self
                .peer_rounds
                .is_none_or(|rounds| measured && round < rounds + usize::from(self.warm_up));
            let mut outputs: Vec<Option<T>> = self.runners.iter().map(|_| None).collect();
            for step in 0..self.runners.len() {
                let at = (round + step) % self.runners.len();
                if failed[at].is_some() || at > 0 && !of_peers {
                    continue;
                }
                match (self.runners[at].1)() {
                    Ok((output, sample)) => {
                        if measured {
                            samples[at].push(sample);
                            for (value, (.., f)) in read[at].iter_mut().zip(&self.values) {
                                value.push(f(&output));
                            }
                        }
                        outputs[at] = Some(output);
                    }
                    Err(reason) => failed[at] = Some(reason),
                }
            }
            if let Some((Some(ours), peers)) = outputs.split_first() {
                correct &= peers.iter().flatten().all(|theirs| (self.agree)(ours, theirs));
            }
        }
        for ((name, _), reason) in self.runners.iter().zip(failed) {
            if let Some(reason) = reason {
                eprintln!("{name}: {reason}");
                self.missing.insert(name.clone(), reason);
            }
        }
        self.keep(&samples, &read, correct);
    }

    /// Turns the rounds into records.
    fn keep(self, samples: &[Vec<Sample>], read: &[Vec<Vec<f64>>], correct: bool) {
        let (unit, scale) = match &self.per {
            None => ("ms".to_owned(), 1e3),
            Some((item, count)) => (
                format!("ns/{item}"),
                Duration::from_secs(1).as_nanos() as f64 / *count as f64,
            ),
        };
        let mut metrics: Vec<(String, String, Better, Vec<Option<Spread>>)> = Vec::new();
        if self.times {
            let spreads = |f: fn(&Sample) -> f64| {
                let of = |s: &Vec<Sample>| Spread::of(&s.iter().map(|s| f(s) * scale).collect::<Vec<_>>());
                samples.iter().map(of).collect()
            };
            metrics.push(("cpu".to_owned(), unit.clone(), Better::Lower, spreads(|s| s.cpu)));
            metrics.push(("wall".to_owned(), unit, Better::Lower, spreads(|s| s.wall)));
        }
        for (index, (name, unit, better, _)) in self.values.iter().enumerate() {
            let spreads = read.iter().map(|values| Spread::of(&values[index])).collect();
            metrics.push((name.clone(), unit.clone(), *better, spreads));
        }
        let run = Provenance::here(self.rounds);
        for (metric, unit, better, spreads) in metrics {
            let Some(Some(ours)) = spreads.first() else {
                continue;
            };
            let names = self.runners.iter().map(|(name, _)| name).skip(1);
            self.run.records.push(Record {
                case: self.name.clone(),
                metric,
                unit,
                better,
                ours: *ours,
                peers: names
                    .zip(&spreads[1..])
                    .filter_map(|(n, s)| Some((n.clone(), (*s)?)))
                    .collect(),
                correct,
                missing: self.missing.clone(),
                run: run.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(arguments: &[&str]) -> Option<Comparison> {
        Comparison::from_list("pruning", arguments.iter().map(|&s| s.to_owned()))
    }

    #[test]
    fn a_case_gives_a_record_per_metric() {
        let mut run = comparison(&["--rounds", "3"]).unwrap();
        let mut fresh = 0;
        run.case("answer")
            .ours(|| 42.0)
            .peer("same", || 42.0)
            .peer_with(
                "counted",
                || 41.0,
                |x| {
                    fresh += 1;
                    x + 1.0
                },
            )
            .missing("absent", "not packaged")
            .per("answer", 10)
            .value("value", "", Better::Higher, |x| *x)
            .agree(|a, b| a == b)
            .run();
        assert_eq!(fresh, 4, "a warm-up and three rounds");
        let metrics: Vec<&str> = run.records.iter().map(|r| r.metric.as_str()).collect();
        assert_eq!(metrics, ["cpu", "wall", "value"]);
        assert!(
            run.records
                .iter()
                .all(|r| r.correct && r.peers.len() == 2 && r.missing.contains_key("absent"))
        );
        assert_eq!(run.records[0].unit, "ns/answer");
        assert_eq!(run.records[2].ours.median, 42.0);
    }

    #[test]
    fn slow_peers_take_part_in_the_first_measured_rounds() {
        let mut run = comparison(&["--rounds", "4"]).unwrap();
        let (mut ours, mut theirs) = (0, 0);
        run.case("x")
            .ours(|| ours += 1)
            .peer("slow", || theirs += 1)
            .peer_rounds(2)
            .run();
        assert_eq!((ours, theirs), (5, 2));
        assert!(run.records.iter().all(|record| record.peers.len() == 1));
    }

    #[test]
    fn outputs_that_differ_are_marked() {
        let mut run = comparison(&[]).unwrap();
        run.case("x")
            .ours(|| 1)
            .peer("other", || 2)
            .agree(|a, b| a == b)
            .rounds(1)
            .run();
        assert!(run.records.iter().all(|r| !r.correct));
    }

    #[test]
    fn a_peer_that_fails_is_missing_and_ours_stays() {
        let mut run = comparison(&["a b"]).unwrap();
        run.case::<f64>("a b c")
            .ours(|| 1.0)
            .python("absent", "no-such-script.py", &[])
            .cold()
            .rounds(1)
            .run();
        run.case("other").ours(|| 1.0).run();
        assert_eq!(run.records.len(), 2);
        assert!(run.records.iter().all(|r| r.missing.contains_key("absent")));
    }

    #[test]
    fn bad_arguments_are_refused() {
        assert!(comparison(&["--rounds", "0"]).is_none());
        assert!(comparison(&["--rounds"]).is_none());
        assert!(comparison(&["a", "b"]).is_none());
        assert!(comparison(&["--what"]).is_none());
    }
}
