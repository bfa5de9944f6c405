//! Generalised assignment: the published instances of Chu and Beasley, and two of them beside CP-SAT.

use std::fs;
use std::path::Path;

use modelops_allocation::{Offer, SolverOptions, Status, assign};
use modelops_benches::{Better, Comparison};
use modelops_testkit::allocation::Pair;
use serde_json::json;

use crate::{Answer, save};

const SIZES: [&str; 6] = ["05100", "05200", "10100", "10200", "20100", "20200"];
/// The best known costs, by class and size.
const BEST: [(&str, [u64; 6]); 4] = [
    ("a", [1698, 3235, 1360, 2623, 1158, 2339]),
    ("b", [1843, 3552, 1407, 2827, 1166, 2339]),
    ("c", [1931, 3456, 1402, 2806, 1243, 2391]),
    ("d", [6353, 12742, 6347, 12433, 6196, 12238]),
];

pub(crate) fn run(run: &mut Comparison, results: &Path) {
    let Some(folder) = modelops_testkit::data_dir().map(|data| data.join("gap").join("chu1997")) else {
        eprintln!("assignments are left out: MODELOPS_DATA does not name the folder of conformance data");
        return;
    };
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("the instance can be read");
    let text = &text;
    let name = "24 published assignments (Chu and Beasley)";
    if run.wants(name) {
        let all: Vec<(Instance, u64)> = BEST
            .iter()
            .flat_map(|(class, best)| {
                let of = SIZES.iter().zip(best);
                of.map(move |(size, best)| (Instance::read(&text(&format!("{class}{size}"))), *best))
            })
            .collect();
        // Of each: percent above the best known cost, percent of the bound below it, proven or not.
        run.case(name)
            .ours(|| {
                let gaps = all.iter().map(|(instance, best)| {
                    let found = instance.solve();
                    let percent = |cost: u64| 100.0 * (cost as f64 / *best as f64 - 1.0);
                    (percent(found.value), -percent(found.weight), found.proven)
                });
                gaps.collect::<Vec<_>>()
            })
            .per("assignment", all.len())
            .value("mean gap", "%", Better::Lower, |gaps| {
                gaps.iter().map(|gap| gap.0).sum::<f64>() / gaps.len() as f64
            })
            .value("worst gap", "%", Better::Lower, |gaps| {
                gaps.iter().map(|gap| gap.0).fold(0.0, f64::max)
            })
            .value("worst bound", "%", Better::Lower, |gaps| {
                gaps.iter().map(|gap| gap.1).fold(0.0, f64::max)
            })
            .value("proven", "", Better::Higher, |gaps| {
                gaps.iter().filter(|gap| gap.2).count() as f64
            })
            .rounds(1)
            .cold()
            .run();
    }
    for size in ["d10200", "d20200"] {
        let name = format!("assignment {size}");
        if !run.wants(&name) {
            continue;
        }
        let instance = Instance::read(&text(size));
        let path = save(
            results,
            &format!("assignment-{size}"),
            &json!({"offers": instance.pairs, "capacities": instance.rooms}),
        );
        run.case(&name)
            .ours(|| instance.solve())
            .python("CP-SAT 9.15, stopped at 3 s", "cp_sat.py", &[&path, "3"])
            .value("cost", "", Better::Lower, |answer| answer.value as f64)
            .agree(|ours, theirs| {
                // Ours has its bound in place of a weight: nobody may be below it.
                ours.weight <= theirs.value && (!theirs.proven || theirs.value <= ours.value)
            })
            .rounds(1)
            .cold()
            .run();
    }
}

/// Costs and weights by job, and what each agent has room for.
struct Instance {
    pairs: Vec<Vec<Pair>>,
    offers: Vec<Vec<Offer>>,
    rooms: Vec<u64>,
}

impl Instance {
    /// Reads an instance as they are published, the agents in rows.
    fn read(text: &str) -> Self {
        let words = text.split_whitespace().map(str::parse);
        let numbers: Vec<u64> = words.collect::<Result<_, _>>().expect("numbers");
        let (agents, jobs) = (numbers[0] as usize, numbers[1] as usize);
        let at = |table: usize, agent: usize, job: usize| numbers[2 + (table * agents + agent) * jobs + job];
        let at = &at;
        let row = |job| (0..agents).map(move |agent| (at(0, agent, job), at(1, agent, job)));
        let pairs: Vec<Vec<Pair>> = (0..jobs).map(|job| row(job).collect()).collect();
        let offer = |(cost, weight): &Pair| Offer::new(*cost, *weight);
        Self {
            offers: pairs.iter().map(|row| row.iter().map(offer).collect()).collect(),
            rooms: numbers[2 + 2 * agents * jobs..].to_vec(),
            pairs,
        }
    }

    /// The cost as value, the bound in place of a weight.
    fn solve(&self) -> Answer {
        let options = SolverOptions::default();
        let best = assign(&self.offers, &self.rooms, &options).expect("there is an assignment");
        Answer {
            value: best.cost,
            weight: best.bound,
            proven: best.status == Status::Optimal,
        }
    }
}
