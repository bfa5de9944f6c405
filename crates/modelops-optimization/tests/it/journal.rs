//! Laws of the journal: what is told is kept, whatever happens to the tail of the file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use modelops_optimization::{
    Direction, JournalError, Outcome, Parameters, RandomSampler, SearchSpace, Study, StudyError, Trial,
    TrialState,
};

use crate::folder::Folder;

fn clock() -> Duration {
    Duration::from_secs(1_700_000_000)
}

fn space() -> SearchSpace {
    SearchSpace::new()
        .float("x", -1.0..=1.0)
        .and_then(|s| s.log_int("width \"quoted\"", 1..=64))
        .and_then(|s| s.categorical("kind", ["a", "ß", "NaN"]))
        .and_then(|s| s.when("kind", "a", |s| s.stepped_float("clip", 0.0..=0.3, 0.1)))
        .unwrap()
}

fn open(path: &Path) -> Result<Study, StudyError> {
    Study::new("journalled", space(), Direction::Minimize)
        .with_sampler(RandomSampler::new(5))
        .with_journal(path, clock)
}

/// Values, failures with reasons, pruned trials and an infinity.
fn outcome(trial: &Trial) -> Outcome {
    match trial.number() % 5 {
        1 => Outcome::Failed("out of memory: {\"NaN\"}".to_owned()),
        2 => Outcome::Pruned,
        3 => f64::INFINITY.into(),
        _ => (trial.parameters().float("x").unwrap() / 3.0).into(),
    }
}

#[test]
fn a_journal_read_back_is_the_study() {
    let folder = Folder::new("read-back");
    let path = folder.file("study.jsonl");
    let mut study = open(&path).unwrap();
    study.optimize_until(12, outcome).unwrap();
    let running = study.ask().unwrap();
    study.report(running.number(), 7, 0.5).unwrap();
    study.report(running.number(), 3, f64::NAN).unwrap();
    study.report(running.number(), 7, 0.25).unwrap();
    let again = open(&path).unwrap();
    assert_eq!(again.trials().len(), 13);
    for (a, b) in study.trials().iter().zip(again.trials()).take(12) {
        assert_eq!(a, b);
    }
    let last = &again.trials()[12];
    assert_eq!(last.state(), TrialState::Running);
    assert_eq!(last.parameters(), running.parameters());
    assert!(last.intermediate()[0].1.is_nan());
    assert_eq!(last.intermediate()[1], (7, 0.25));
}

/// Optuna 5.0.0 opens no journal in which a trial starts without saying when.
#[test]
fn an_enqueued_trial_that_starts_says_when() {
    let folder = Folder::new("enqueued");
    let path = folder.file("study.jsonl");
    let mut study = open(&path).unwrap();
    let given = [
        ("x", 0.5.into()),
        ("width \"quoted\"", 8.into()),
        ("kind", "ß".into()),
    ];
    let given = Parameters::from_values(&space(), given).unwrap();
    study.enqueue(&given).unwrap();
    let started = study.ask().unwrap();
    assert_eq!(started.parameters(), &given);
    study.tell(started.number(), 0.5).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let states = text.lines().filter(|line| line.contains("\"op_code\":6"));
    let times: Vec<bool> = states
        .map(|line| line.contains("\"datetime_start\"") && !line.contains("\"datetime_complete\""))
        .collect();
    // It starts, then it ends.
    assert_eq!(times, [true, false], "{text}");
}

/// One trial of each outcome.
const TORN: usize = 4;

#[test]
fn a_tail_torn_at_any_byte_loses_only_its_own_record() {
    let folder = Folder::new("torn");
    let path = folder.file("whole.jsonl");
    let mut whole = open(&path).unwrap();
    whole.optimize_until(TORN, outcome).unwrap();
    let bytes = fs::read(&path).unwrap();
    let torn = folder.file("torn.jsonl");
    for length in 0..=bytes.len() {
        fs::write(&torn, &bytes[..length]).unwrap();
        let mut study = open(&torn).unwrap_or_else(|e| panic!("cut at {length}: {e}"));
        let lines = bytes[..length].iter().filter(|b| **b == b'\n').count();
        let told = study
            .trials()
            .iter()
            .filter(|t| t.state() != TrialState::Running)
            .count();
        // One line makes the study; a failed trial takes three lines, the others two.
        let complete = |line: usize| {
            let mut need = 1;
            (0..TORN)
                .take_while(|k| {
                    need += if k % 5 == 1 { 3 } else { 2 };
                    need <= line
                })
                .count()
        };
        assert!(
            told >= complete(lines),
            "cut at {length}: {told} of {}",
            complete(lines)
        );
        study.optimize_until(TORN, outcome).unwrap();
        assert_eq!(study.trials(), whole.trials(), "cut at {length}");
        assert_eq!(
            open(&torn).unwrap().trials(),
            whole.trials(),
            "cut at {length}, read again"
        );
    }
}

#[test]
fn two_studies_share_a_file_and_two_handles_share_a_study() {
    let folder = Folder::new("shared");
    let path = folder.file("shared.jsonl");
    let other = || {
        let space = SearchSpace::new().int("n", 0..=9).unwrap();
        Study::new("other", space, Direction::Maximize)
            .with_journal(&path, clock)
            .unwrap()
    };
    let handle = || open(&path).unwrap().with_concurrency(2);
    let (mut one, mut two, mut apart) = (handle(), handle(), other());
    for _ in 0..6 {
        let (a, b) = (one.ask().unwrap(), two.ask().unwrap());
        assert_ne!(a.number(), b.number());
        let c = apart.ask().unwrap();
        two.tell(a.number(), outcome(&a)).unwrap();
        one.tell(b.number(), outcome(&b)).unwrap();
        apart.tell(c.number(), 1.0).unwrap();
        assert_eq!(
            one.tell(a.number(), 1.0),
            Err(StudyError::AlreadyFinished { number: a.number() })
        );
    }
    let mut alone = Study::new("journalled", space(), Direction::Minimize)
        .with_sampler(RandomSampler::new(5))
        .with_concurrency(2);
    alone.optimize(12, outcome).unwrap();
    assert_eq!(open(&path).unwrap().trials(), alone.trials());
    assert_eq!(other().trials().len(), 6);
}

#[test]
fn damage_before_the_tail_and_foreign_studies_are_refused() {
    let folder = Folder::new("damage");
    let path = folder.file("study.jsonl");
    open(&path).unwrap().optimize_until(3, outcome).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let damaged = good.replacen("\"op_code\":6", "\"op_code\":x", 1);
    fs::write(&path, &damaged).unwrap();
    assert_eq!(
        open(&path).unwrap_err(),
        StudyError::Journal(JournalError::Corrupt {
            path: path.clone(),
            line: 3
        })
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    fs::write(&path, &good).unwrap();
    let elsewhere = SearchSpace::new().float("x", -1.0..=2.0).unwrap();
    assert_eq!(
        Study::new("journalled", elsewhere, Direction::Minimize)
            .with_journal(&path, clock)
            .unwrap_err(),
        StudyError::Journal(JournalError::OtherSpace {
            path: path.clone(),
            trial: 0
        })
    );
    assert_eq!(
        Study::new("journalled", space(), Direction::Maximize)
            .with_journal(&path, clock)
            .unwrap_err(),
        StudyError::Journal(JournalError::OtherDirections { path })
    );
    let nowhere = folder.file("no/such/folder.jsonl");
    let kind = std::io::ErrorKind::NotFound;
    assert_eq!(
        open(&nowhere).unwrap_err(),
        StudyError::Journal(JournalError::Io { path: nowhere, kind })
    );
}

#[test]
fn lines_from_optuna_are_understood() {
    let folder = Folder::new("optuna");
    let path = folder.file("optuna.jsonl");
    fs::write(&path, include_str!("../data/optuna-5.0.0.jsonl")).unwrap();
    let space = SearchSpace::new()
        .float("x", -5.0..=5.0)
        .and_then(|s| s.log_float("lr", 1e-5..=1e-1))
        .and_then(|s| s.stepped_int("n", 8..=64, 8))
        .and_then(|s| s.categorical("kind", ["a", "b"]))
        .unwrap();
    let study = Study::new("from-optuna", space, Direction::Minimize)
        .with_journal(&path, clock)
        .unwrap();
    let states: Vec<TrialState> = study.trials().iter().map(Trial::state).collect();
    assert_eq!(
        states,
        [
            TrialState::Complete,
            TrialState::Pruned,
            TrialState::Failed,
            TrialState::Complete
        ]
    );
    let last = &study.trials()[3];
    let p = last.parameters();
    let x = p.float("x").unwrap();
    assert_eq!(
        last.value(),
        Some(x * x + p.float("lr").unwrap() + p.int("n").unwrap() as f64)
    );
    assert_eq!(study.trials()[1].intermediate().len(), 2);
}

/// How the child of the kill loop learns its file.
const CHILD_JOURNAL: &str = "MODELOPS_TEST_CHILD_JOURNAL";
/// Trials of a study in the kill loop.
const KILLED: usize = 300;

mod slow {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    #[test]
    #[ignore = "starts and kills 200 processes"]
    fn two_hundred_killed_processes_lose_nothing() {
        let folder = Folder::new("killed");
        let mut whole =
            Study::new("journalled", space(), Direction::Minimize).with_sampler(RandomSampler::new(5));
        whole.optimize(KILLED, outcome).unwrap();
        let (mut kills, mut interrupted) = (0, 0);
        for round in 0..20u64 {
            let path = folder.file(&format!("round-{round}.jsonl"));
            for kill in 0..10u64 {
                let mut child = Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "journal::slow::child_of_the_kill_loop", "--ignored"])
                    .env(CHILD_JOURNAL, &path)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                std::thread::sleep(Duration::from_micros(2_000 + 700 * ((7 * round + 3 * kill) % 13)));
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                let told = open(&path)
                    .unwrap()
                    .trials()
                    .iter()
                    .filter(|t| t.state() != TrialState::Running)
                    .count();
                interrupted += usize::from(told > 0 && told < KILLED);
            }
            let mut study = open(&path).unwrap();
            study.optimize_until(KILLED, outcome).unwrap();
            assert_eq!(study.trials(), whole.trials(), "round {round}");
        }
        println!("{kills} kills, {interrupted} of them amid a study");
        assert_eq!(kills, 200);
        assert!(
            interrupted > 0,
            "no kill hit a study: the delays do not suit this machine"
        );
    }

    #[test]
    #[ignore = "the child of the kill loop"]
    #[expect(
        clippy::disallowed_methods,
        reason = "the parent names the file in the environment"
    )]
    fn child_of_the_kill_loop() {
        if let Some(path) = std::env::var_os(CHILD_JOURNAL) {
            open(Path::new(&path))
                .unwrap()
                .optimize_until(KILLED, outcome)
                .unwrap();
        }
    }
}
