//! Laws of studies in `SQLite` files: those of the journal, and the tables are Optuna's.

use std::fs;
use std::path::Path;
use std::time::Duration;

use modelops_optimization::{
    DatabaseError, Direction, Outcome, Parameters, RandomSampler, SearchSpace, Study, StudyError, TpeSampler,
    Trial, TrialState, Value,
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

fn build() -> Study {
    Study::new("kept", space(), Direction::Minimize)
        .with_sampler(TpeSampler::new(5))
        .with_concurrency(2)
}

fn open(path: &Path) -> Result<Study, StudyError> {
    build().with_sqlite(path, clock)
}

/// Values, failures with reasons, pruned trials, constraints and an infinity.
fn outcome(trial: &Trial) -> Outcome {
    match trial.number() % 6 {
        1 => Outcome::Failed("out of memory: {\"NaN\"}'; --".to_owned()),
        2 => Outcome::Pruned,
        3 => f64::INFINITY.into(),
        4 => Outcome::Constrained {
            values: vec![0.1],
            constraints: vec![-1.0, 0.1 + 0.2],
        },
        _ => (trial.parameters().float("x").unwrap() / 3.0).into(),
    }
}

#[test]
fn a_study_is_the_same_in_memory_in_a_journal_and_in_a_database() {
    let folder = Folder::new("sqlite-same");
    let mut memory = build();
    let mut journal = build().with_journal(&folder.file("study.jsonl"), clock).unwrap();
    let mut database = open(&folder.file("study.db")).unwrap();
    for study in [&mut memory, &mut journal, &mut database] {
        let first = study.trials().len();
        assert_eq!(first, 0);
        let given = [
            ("x", 0.5.into()),
            ("width \"quoted\"", 8.into()),
            ("kind", "ß".into()),
        ];
        study
            .enqueue(&Parameters::from_values(&space(), given).unwrap())
            .unwrap();
        study.optimize(20, outcome).unwrap();
        let running = study.ask().unwrap().number();
        study.report(running, 7, 0.5).unwrap();
        study.report(running, 3, f64::NEG_INFINITY).unwrap();
        study.report(running, 7, 0.25).unwrap();
    }
    assert_eq!(memory.trials(), database.trials());
    assert_eq!(memory.trials(), journal.trials());
    // Read back, it is the same again, and goes on alike.
    let mut again = open(&folder.file("study.db")).unwrap();
    assert_eq!(memory.trials(), again.trials());
    memory.optimize_until(30, outcome).unwrap();
    again.optimize_until(30, outcome).unwrap();
    assert_eq!(memory.trials(), again.trials());
}

#[test]
fn two_handles_share_a_study_and_files_hold_several() {
    let folder = Folder::new("sqlite-shared");
    let path = folder.file("study.db");
    let other = Study::new("other", space(), Direction::Maximize);
    other
        .with_sqlite(&path, clock)
        .unwrap()
        .optimize(3, outcome)
        .unwrap();
    let (mut a, mut b) = (open(&path).unwrap(), open(&path).unwrap());
    for _ in 0..10 {
        let (first, second) = (a.ask().unwrap(), b.ask().unwrap());
        assert_eq!(second.number(), first.number() + 1);
        a.report(first.number(), 1, 0.5).unwrap();
        b.tell(second.number(), outcome(&second)).unwrap();
        a.tell(first.number(), outcome(&first)).unwrap();
        let twice = b.tell(first.number(), 1.0);
        assert!(matches!(twice, Err(StudyError::AlreadyFinished { .. })));
    }
    let open_trial = a.ask().unwrap().number();
    assert_eq!(open_trial, 20);
    let refused = b.report(open_trial, u64::MAX, 0.5).unwrap_err();
    let too_large = DatabaseError::StepTooLarge {
        path: path.clone(),
        step: u64::MAX,
    };
    assert_eq!(refused, too_large.into());
    b.report(open_trial, i64::MAX as u64, 0.5).unwrap();
    assert_eq!(b.trials()[open_trial].intermediate(), [(i64::MAX as u64, 0.5)]);
    a.report(open_trial, 1, 0.25).unwrap();
    assert_eq!(open(&path).unwrap().trials(), a.trials());
}

#[test]
fn files_that_are_no_such_study_are_refused_and_left_alone() {
    let folder = Folder::new("sqlite-refused");
    let path = folder.file("study.db");
    open(&path).unwrap().optimize(2, outcome).unwrap();
    let reopened = Study::new("kept", space(), Direction::Maximize).with_sqlite(&path, clock);
    assert_eq!(
        reopened.unwrap_err(),
        DatabaseError::OtherDirections { path: path.clone() }.into()
    );
    let narrow = SearchSpace::new().float("x", 0.0..=0.5).unwrap();
    let reopened = Study::new("kept", narrow, Direction::Minimize).with_sqlite(&path, clock);
    assert!(matches!(
        reopened.unwrap_err(),
        StudyError::Database(DatabaseError::OtherSpace { trial: 0, .. })
    ));
    let text = folder.file("text.db");
    fs::write(
        &text,
        "this is no database, but long enough to be looked at as one".repeat(100),
    )
    .unwrap();
    let before = fs::read(&text).unwrap();
    let refused = open(&text).unwrap_err();
    assert_eq!(refused, DatabaseError::OtherTables { path: text.clone() }.into());
    assert_eq!(fs::read(&text).unwrap(), before);
    let nowhere = open(&folder.file("no such folder/study.db")).unwrap_err();
    assert!(
        matches!(
            nowhere,
            StudyError::Database(DatabaseError::Refused { code: 14, .. })
        ),
        "{nowhere}"
    );
    // Cut in half, it is refused with an error or read without one, never a panic.
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(whole.len() / 16 + 1) {
        let cut = folder.file("cut.db");
        fs::write(&cut, &whole[..length]).unwrap();
        let _ = open(&cut).map(|mut s| s.optimize(1, outcome));
    }
}

/// The file that Optuna 5.0.0 wrote: see `tests/data/README.md`.
#[test]
fn what_optuna_wrote_is_read_and_goes_on() {
    let folder = Folder::new("sqlite-optuna");
    let path = folder.file("study.db");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/optuna-5.0.0.db");
    fs::copy(source, &path).unwrap();
    let kinds = [Value::from("a"), Value::Null, Value::from(3), Value::from(true)];
    let space = SearchSpace::new()
        .float("x", -1.0..=1.0)
        .and_then(|s| s.categorical("k", kinds))
        .and_then(|s| s.log_int("n", 1..=64))
        .unwrap();
    let open = || {
        Study::new("demo", space.clone(), Direction::Minimize)
            .with_sampler(RandomSampler::new(1))
            .with_sqlite(&path, clock)
            .unwrap()
    };
    let mut study = open();
    let states: Vec<TrialState> = study.trials().iter().map(Trial::state).collect();
    use TrialState::{Complete, Failed, Pruned, Waiting};
    assert_eq!(states, [Complete, Failed, Pruned, Complete, Complete, Waiting]);
    let trials = study.trials();
    // The draws of NumPy's generator from seed 1, as Optuna printed them.
    assert_eq!(trials[0].value(), trials[0].parameters().float("x").ok());
    assert_eq!(trials[0].intermediate(), [(1, 0.5), (2, f64::INFINITY)]);
    assert!(trials[2].intermediate()[0].1.is_nan());
    assert_eq!(trials[3].value(), Some(f64::NEG_INFINITY));
    assert_eq!(
        (trials[4].value(), trials[4].constraints()),
        (Some(1.5), &[0.25, -1.0][..])
    );
    // The enqueued trial comes next, with what was given and the rest drawn.
    let next = study.ask().unwrap();
    assert_eq!(next.number(), 5);
    assert_eq!(next.parameters().float("x"), Ok(0.25));
    assert_eq!(next.parameters().value("k"), Ok(Value::Null));
    study.tell(5, 0.5).unwrap();
    study.optimize_until(8, |t| t.parameters().float("x")).unwrap();
    // As text, to the last bit, because one of the values is NaN, which equals nothing.
    assert_eq!(format!("{:?}", open().trials()), format!("{:?}", study.trials()));
    assert_eq!(study.trials().len(), 8);
}

/// Names the database to a child of the kill loop.
const CHILD: &str = "MODELOPS_TEST_DATABASE";
const KILLED: usize = 40;

mod slow {
    use std::process::{Command, Stdio};

    use super::*;

    fn child(path: &Path, test: &str) -> std::process::Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored"])
            .env(CHILD, path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    #[ignore = "starts and kills 200 processes"]
    fn two_hundred_killed_processes_lose_nothing() {
        let folder = Folder::new("sqlite-killed");
        let mut whole = build();
        whole.optimize(KILLED, outcome).unwrap();
        let mut interrupted = 0;
        for round in 0..20u64 {
            let path = folder.file(&format!("round-{round}.db"));
            let mut told = 0;
            for kill in 0..10u64 {
                let mut child = child(&path, "sqlite::slow::child_of_the_kill_loop");
                std::thread::sleep(Duration::from_micros(
                    10_000 + 5_000 * ((7 * round + 3 * kill) % 13),
                ));
                child.kill().unwrap();
                child.wait().unwrap();
                let study = open(&path).unwrap();
                let now = study
                    .trials()
                    .iter()
                    .filter(|t| t.state() != TrialState::Running)
                    .count();
                assert!(now >= told, "round {round}: {now} after {told}");
                told = now;
                interrupted += usize::from(told > 0 && told < KILLED);
            }
            let mut study = open(&path).unwrap();
            study.optimize_until(KILLED, outcome).unwrap();
            assert_eq!(study.trials(), whole.trials(), "round {round}");
        }
        println!("200 kills, {interrupted} of them amid a study");
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
        if let Some(path) = std::env::var_os(CHILD) {
            open(Path::new(&path))
                .unwrap()
                .optimize_until(KILLED, outcome)
                .unwrap();
        }
    }

    #[test]
    #[ignore = "starts two processes"]
    fn two_processes_share_a_study() {
        let folder = Folder::new("sqlite-processes");
        let path = folder.file("study.db");
        open(&path).unwrap();
        let children = [0, 1].map(|_| child(&path, "sqlite::slow::child_that_shares"));
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let study = open(&path).unwrap();
        assert_eq!(study.trials().len(), 2 * KILLED);
        assert!(
            study
                .trials()
                .iter()
                .enumerate()
                .all(|(k, t)| t.number() == k && t.state() != TrialState::Running)
        );
        // Each trial depends on a fixed part of those before it, whoever ran it.
        let mut alone = build();
        alone.optimize(2 * KILLED, outcome).unwrap();
        assert_eq!(study.trials(), alone.trials());
    }

    #[test]
    #[ignore = "a child of two that share a study"]
    #[expect(
        clippy::disallowed_methods,
        reason = "the parent names the file in the environment"
    )]
    fn child_that_shares() {
        let Some(path) = std::env::var_os(CHILD) else {
            return;
        };
        let mut study = open(Path::new(&path)).unwrap();
        let mut done = 0;
        while done < KILLED {
            match study.ask() {
                Ok(trial) => {
                    study.tell(trial.number(), outcome(&trial)).unwrap();
                    done += 1;
                }
                // The other process runs the trial that this one would depend on.
                Err(StudyError::TooManyRunning { .. }) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}
