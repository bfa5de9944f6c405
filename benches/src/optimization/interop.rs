//! One study, written by ours and by Optuna in turn: does each read what the other wrote?

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use modelops_benches::{Better, Comparison, interpreter, workspace_root};
use modelops_optimization::{
    Direction, Outcome, RandomSampler, SearchSpace, Study, StudyError, Trial, TrialState, Value,
};
use serde_json::{Value as Json, json};

const OURS: usize = 20;
/// What `interop.py` adds: ten trials and one enqueued.
const THEIRS: usize = 11;

pub(crate) fn run(comparison: &mut Comparison) {
    let folder = workspace_root().join("target/compare/optimization");
    for (name, file) in [("a journal", "shared.jsonl"), ("SQLite", "shared.db")] {
        let case = format!("one study in {name}, ours and Optuna 5.0.0 in turn");
        if !comparison.wants(&case) {
            continue;
        }
        std::fs::create_dir_all(&folder).expect("a writable target folder");
        let path = folder.join(file);
        let outcome = pass(&path);
        if let Err(reason) = &outcome {
            eprintln!("{case}: {reason}");
        }
        let total = (3 * OURS + 2 * THEIRS) as f64;
        comparison
            .case(&case)
            .ours(|| {
                let (same, shown) = outcome.as_ref().map_or((0, 0.0), |both| *both);
                (same as f64 / total, shown)
            })
            .rounds(1)
            .cold()
            .without_times()
            .value(
                "share of trials read alike, to the last bit",
                "",
                Better::Higher,
                |shares: &(f64, f64)| shares.0,
            )
            .value(
                "share of trials that its dashboard 0.21.0 shows alike",
                "",
                Better::Higher,
                |shares| shares.1,
            )
            .run();
    }
}

fn clock() -> Duration {
    Duration::from_secs(1_700_000_000)
}

fn open(path: &Path) -> Result<Study, StudyError> {
    let space = SearchSpace::new()
        .float("x", -1.0..=1.0)
        .and_then(|s| s.log_int("width", 1..=64))
        .and_then(|s| s.categorical("kind", ["a", "b"]));
    let study = Study::new("shared", space.expect("a regular space"), Direction::Minimize)
        .with_sampler(RandomSampler::new(5));
    if path.extension().is_some_and(|e| e == "db") {
        study.with_sqlite(path, clock)
    } else {
        study.with_journal(path, clock)
    }
}

/// Values, failures, pruned trials, constraints and an infinity.
fn outcome(trial: &Trial) -> Outcome {
    let x = trial.parameters().float("x").unwrap_or(f64::NAN);
    match trial.number() % 5 {
        1 => Outcome::Failed("out of memory".to_owned()),
        2 => Outcome::Pruned,
        3 => f64::INFINITY.into(),
        4 => Outcome::Constrained {
            values: vec![x / 3.0],
            constraints: vec![-1.0, 0.1 + 0.2],
        },
        _ => (x / 3.0).into(),
    }
}

/// Ours writes, Optuna reads and adds, ours reads and goes on, Optuna reads again; how many readings of a trial were alike, and what share of
/// them all in the dashboard.
fn pass(path: &Path) -> Result<(usize, f64), String> {
    // What an earlier run left is not to be gone on with.
    let _ = std::fs::remove_file(path);
    let words = |error: StudyError| error.to_string();
    let mut study = open(path).map_err(words)?;
    for _ in 0..OURS {
        let trial = study.ask().map_err(words)?;
        study.report(trial.number(), 2, 0.1).map_err(words)?;
        study.report(trial.number(), 7, -1e300).map_err(words)?;
        study.tell(trial.number(), outcome(&trial)).map_err(words)?;
    }
    let theirs = ask(path, "add")?;
    let mut same = alike(study.trials(), &theirs);
    let mut again = open(path).map_err(words)?;
    same += alike(again.trials(), &theirs);
    again.optimize_until(OURS + THEIRS + 5, outcome).map_err(words)?;
    let last = ask(path, "look")?;
    // Those that ours added are not counted, but they have to be there.
    if last.len() != again.trials().len() || alike(again.trials(), &last) != last.len() {
        return Err("what ours added last is not read alike".to_owned());
    }
    let shown = ask(path, "dashboard")?;
    let share = alike(again.trials(), &shown) as f64 / again.trials().len().max(shown.len()) as f64;
    Ok((same + alike(&again.trials()[..OURS + THEIRS], &last), share))
}

/// The trials as Optuna reads them.
fn ask(path: &Path, task: &str) -> Result<Vec<Json>, String> {
    let script = workspace_root().join("benches/peers/optimization/interop.py");
    let output = Command::new(interpreter("optimization")?)
        .arg(script)
        .arg(path)
        .arg(task)
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
}

fn alike(ours: &[Trial], theirs: &[Json]) -> usize {
    let pairs = ours.iter().zip(theirs);
    pairs.filter(|(ours, theirs)| described(ours) == **theirs).count()
}

/// A trial as `interop.py` prints it.
fn described(trial: &Trial) -> Json {
    let bits = |value: f64| json!(format!("{:016x}", value.to_bits()));
    let state = match trial.state() {
        TrialState::Waiting => "WAITING",
        TrialState::Running => "RUNNING",
        TrialState::Complete => "COMPLETE",
        TrialState::Pruned => "PRUNED",
        _ => "FAIL",
    };
    let params = trial.parameters().iter().map(|(name, value)| {
        let value = match value {
            Value::Float(x) => bits(x),
            Value::Int(k) => bits(k as f64),
            other => json!(other.to_string()),
        };
        (name.to_owned(), value)
    });
    let waiting = trial.state() == TrialState::Waiting;
    json!({
        "state": state,
        "values": trial.values().iter().map(|v| bits(*v)).collect::<Json>(),
        // Optuna keeps what was enqueued elsewhere until the trial runs.
        "params": if waiting { json!({}) } else { params.collect::<Json>() },
        "steps": trial.intermediate().iter().map(|(s, v)| json!([s, bits(*v)])).collect::<Json>(),
        "constraints": trial.constraints().iter().map(|c| bits(*c)).collect::<Json>(),
    })
}
