//! Journals that somebody meddled with, and disks that are full: a typed error or a study that works, never a panic or a wrong trial.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use modelops_optimization::{
    CmaEsSampler, Direction, GaussianProcessSampler, JournalError, Outcome, Parameters, PercentilePruner,
    RandomSampler, SearchSpace, Study, StudyError, TpeSampler, Trial, TrialState,
};

use crate::folder::Folder;

fn clock() -> Duration {
    Duration::from_secs(1_700_000_000)
}

fn space() -> SearchSpace {
    SearchSpace::new()
        .log_float("x", 0.1..=1.0)
        .and_then(|s| s.stepped_int("n", 8..=64, 8))
        .and_then(|s| s.categorical("kind", ["a", "b"]))
        .and_then(|s| s.when("kind", "a", |s| s.float("only", 0.0..=1.0)))
        .unwrap()
}

fn study() -> Study {
    Study::new("s", space(), Direction::Minimize)
        .with_sampler(RandomSampler::new(5))
        .with_pruner(PercentilePruner::median())
}

fn open(path: &Path) -> Result<Study, StudyError> {
    study().with_journal(path, clock)
}

fn outcome(trial: &Trial) -> Outcome {
    let x = trial.parameters().float("x").unwrap();
    match trial.number() % 4 {
        1 => Outcome::Failed("broken".to_owned()),
        2 => Outcome::Pruned,
        3 => Outcome::Constrained {
            values: vec![x],
            constraints: vec![-x],
        },
        _ => x.into(),
    }
}

/// A journal with trials of every kind, one of them waiting and one running.
fn sample(path: &Path) -> String {
    let mut study = open(path).unwrap();
    for _ in 0..7 {
        let trial = study.ask().unwrap();
        study.report(trial.number(), 1, 0.5).unwrap();
        study.tell(trial.number(), outcome(&trial)).unwrap();
    }
    study.ask().unwrap();
    let given = [("x", 0.5.into()), ("n", 16.into()), ("kind", "b".into())];
    let given = Parameters::from_values(&space(), given).unwrap();
    assert_eq!(study.enqueue(&given), Ok(8));
    fs::read_to_string(path).unwrap()
}

/// Whatever the file holds: it is refused, or all that can be done with a study works and no number is a silent NaN.
fn attack(path: &Path, what: &str) -> bool {
    let Ok(mut study) = open(path) else {
        return false;
    };
    for trial in study.trials() {
        let values = if trial.state() == TrialState::Complete {
            1
        } else {
            0
        };
        assert_eq!(trial.values().len(), values, "{what}: {trial:?}");
        assert!(trial.values().iter().all(|v| !v.is_nan()), "{what}: {trial:?}");
        for (name, value) in trial.parameters().iter() {
            assert!(!value.to_string().contains("NaN"), "{what}: {name} is {value}");
        }
        if let Ok(x) = trial.parameters().float("x") {
            assert!((0.1..=1.0).contains(&x), "{what}: x is {x}");
        }
    }
    let _ = (study.to_string(), study.to_html(), study.importance());
    let _ = study.best_trial().map(Trial::number);
    let running = |t: &&Trial| t.state() == TrialState::Running;
    let left: Vec<usize> = study.trials().iter().filter(running).map(Trial::number).collect();
    for number in left {
        study.tell(number, 0.3).unwrap();
    }
    // Each sampler has to make sense of what is there.
    for round in 0..3 {
        study = match round {
            0 => study.with_sampler(TpeSampler::new(1).with_startup_trials(2)),
            1 => study.with_sampler(GaussianProcessSampler::new(1).with_startup_trials(2)),
            _ => study.with_sampler(CmaEsSampler::new(1).with_population(4)),
        };
        let trial = study.ask().unwrap_or_else(|e| panic!("{what}: {e}"));
        let x = trial.parameters().float("x").unwrap();
        assert!((0.1..=1.0).contains(&x), "{what}: x is {x}");
        study.report(trial.number(), 1, 0.4).unwrap();
        let _ = study.should_prune(trial.number());
        study.tell(trial.number(), x).unwrap();
    }
    true
}

#[test]
fn every_number_of_a_journal_may_be_anything() {
    let folder = Folder::new("meddled");
    let path = folder.file("study.jsonl");
    let good = sample(&path);
    assert!(attack(&path, "untouched"));
    let hostile = [
        "-1",
        "0",
        "1",
        "2",
        "7",
        "99",
        "0.5",
        "1e308",
        "18446744073709551615",
        "NaN",
        "-Infinity",
        "null",
        "\"x\"",
        "[]",
        "[1.0,2.0]",
        "[NaN]",
        "{}",
        "true",
    ];
    let (mut refused, mut taken) = (0, 0);
    for (number, line) in good.lines().enumerate() {
        // Every value after a colon, the nested ones included.
        for (colon, _) in line.match_indices(':') {
            let rest = &line[colon + 1..];
            let length = match rest.chars().next() {
                Some('"') => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
                Some('[') => rest.find(']').map_or(rest.len(), |end| end + 1),
                _ => rest.find([',', '}', ' ']).unwrap_or(rest.len()),
            };
            for value in hostile {
                let changed = format!("{}{value}{}", &line[..=colon], &rest[length..]);
                let lines = good.lines().enumerate();
                let whole: String = lines
                    .map(|(k, line)| format!("{}\n", if k == number { &changed } else { line }))
                    .collect();
                fs::write(&path, whole).unwrap();
                if attack(&path, &changed) {
                    taken += 1;
                } else {
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 500 && taken > 500, "{refused} refused, {taken} taken");
}

#[test]
fn lines_left_out_doubled_and_swapped() {
    let folder = Folder::new("shuffled");
    let path = folder.file("study.jsonl");
    let good = sample(&path);
    let lines: Vec<&str> = good.lines().collect();
    let write = |lines: &[&str]| fs::write(&path, lines.join("\n") + "\n").unwrap();
    for k in 0..lines.len() {
        let mut without = lines.clone();
        let line = without.remove(k);
        write(&without);
        attack(&path, &format!("without {line}"));
        let mut twice = lines.clone();
        twice.insert(k, line);
        write(&twice);
        attack(&path, &format!("twice {line}"));
        for other in 0..k {
            let mut swapped = lines.clone();
            swapped.swap(k, other);
            write(&swapped);
            attack(&path, &format!("{k} and {other} swapped"));
        }
    }
    for junk in [
        "",
        " ",
        "\u{feff}",
        "null",
        "[]",
        "{}",
        "{\"op_code\":6}",
        "\u{0}",
    ] {
        let mut more = lines.clone();
        more.insert(3, junk);
        write(&more);
        attack(&path, junk);
    }
    // Bytes that are no text.
    let mut bytes = good.into_bytes();
    bytes[40] = 0xff;
    fs::write(&path, bytes).unwrap();
    let error = open(&path).unwrap_err();
    assert!(
        matches!(error, StudyError::Journal(JournalError::Corrupt { line: 1, .. })),
        "{error:?}"
    );
}

/// A handle that is refused a line has lost its place, and says so until it is opened anew; one that the file system kept waiting goes on.
#[test]
fn a_live_handle_never_goes_on_past_a_line_that_it_could_not_take() {
    let folder = Folder::new("live");
    let path = folder.file("study.jsonl");
    let good = sample(&path);
    let mut live = open(&path).unwrap().with_concurrency(8);
    let before = live.trials().to_vec();
    let add = |line: &str| {
        fs::write(&path, good.clone() + line + "\n").unwrap();
    };
    // Damage is told until somebody mends it; nothing that was read with it is lost.
    let stray = good.lines().nth(1).unwrap();
    add(&format!("{stray}\nnonsense\n{stray}"));
    for _ in 0..2 {
        assert!(matches!(
            live.ask(),
            Err(StudyError::Journal(JournalError::Corrupt { .. }))
        ));
    }
    add(stray);
    let next = live.ask().unwrap();
    assert_eq!((next.number(), live.trials().len()), (8, 10));
    assert_eq!(live.trials()[..8], before[..8]);
    assert_eq!(open(&path).unwrap().trials(), live.trials());
    // A trial of another space: what comes after it has no place.
    let foreign = stray.replace("\"x\"", "\"y\"");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{foreign}\n{stray}\n")).unwrap();
    for _ in 0..3 {
        assert!(matches!(
            live.ask(),
            Err(StudyError::Journal(JournalError::OtherSpace { .. }))
        ));
    }
}

#[test]
fn a_study_that_was_deleted_begins_anew() {
    let folder = Folder::new("deleted");
    let path = folder.file("study.jsonl");
    let good = sample(&path);
    let mut live = open(&path).unwrap().with_concurrency(2);
    let open_one = live.ask().unwrap().number();
    let text = fs::read_to_string(&path).unwrap();
    let gone = r#"{"op_code":1,"worker_id":"w","study_id":0}"#;
    fs::write(&path, format!("{text}{gone}\n")).unwrap();
    assert_eq!(
        live.tell(open_one, 0.5),
        Err(StudyError::UnknownTrial { number: open_one })
    );
    let mut fresh = open(&path).unwrap();
    assert!(fresh.trials().is_empty());
    fresh.optimize_until(4, outcome).unwrap();
    assert_eq!(live.ask().unwrap().number(), 4);
    assert_eq!(open(&path).unwrap().trials()[..4], fresh.trials()[..4]);
    // Another one's deletion is none of ours.
    fs::write(&path, good + &gone.replace(":0}", ":1}") + "\n").unwrap();
    assert_eq!(open(&path).unwrap().trials().len(), 9);
}

const CHILD: &str = "MODELOPS_TEST_FULL_DISK";
const TRIALS: usize = 400;

/// A disk that takes no more, as a limit on the size of files: what was told is kept, the tail is whole, and the study goes on elsewhere.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let folder = Folder::new("full");
    let mut whole = study();
    whole.optimize(TRIALS, outcome).unwrap();
    for blocks in [3, 8, 9] {
        let path = folder.file(&format!("{blocks}.jsonl"));
        let test = std::env::current_exe().unwrap();
        // Without the trap the limit would end the process.
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact hostile_journal::child_on_a_full_disk --ignored"
        );
        let status = Command::new("sh")
            .args(["-c", &script])
            .arg(test)
            .env(CHILD, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{blocks} blocks");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.ends_with('\n') && text.len() > 256 * blocks,
            "{} bytes",
            text.len()
        );
        let mut study = open(&path).unwrap();
        assert!(!study.trials().is_empty() && study.trials().len() < TRIALS);
        study.optimize_until(TRIALS, outcome).unwrap();
        assert_eq!(study.trials(), whole.trials(), "{blocks} blocks");
    }
}

#[test]
#[ignore = "the child of the test of a full disk"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent names the file in the environment"
)]
fn child_on_a_full_disk() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let mut study = open(Path::new(&path)).unwrap();
    let full = StudyError::Journal(JournalError::Io {
        path: path.into(),
        kind: ErrorKind::FileTooLarge,
    });
    assert_eq!(study.optimize(TRIALS, outcome), Err(full.clone()));
    // Still full, and still the same study.
    let told = study.trials().to_vec();
    let again = study.optimize(1, outcome);
    assert!(
        again == Err(full) || matches!(again, Err(StudyError::TooManyRunning { .. })),
        "{again:?}"
    );
    assert_eq!(study.trials(), told);
}
