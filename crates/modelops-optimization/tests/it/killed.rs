//! Processes whose pool of workers is killed amid a study: what was told stays told, and the study ends as one worker makes it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use modelops_optimization::{
    ActiveTrial, Direction, Outcome, PercentilePruner, RunOptions, SearchSpace, Study, StudyError,
    TpeSampler, TrialState,
};

use crate::folder::Folder;

/// Tell the child its file, and whether it is a database.
const CHILD_FILE: &str = "MODELOPS_TEST_POOL_FILE";
const CHILD_KIND: &str = "MODELOPS_TEST_POOL_KIND";
const WORKERS: usize = 4;
/// Trials of a study; a database syncs every change.
const ON_A_JOURNAL: usize = 300;
#[cfg(feature = "sqlite")]
const ON_A_DATABASE: usize = 40;

fn clock() -> Duration {
    Duration::from_secs(1_700_000_000)
}

fn build() -> Study {
    let space = SearchSpace::new()
        .float("x", -1.0..=1.0)
        .and_then(|s| s.log_int("width", 1..=64))
        .and_then(|s| s.categorical("kind", ["a", "b", "c"]))
        .unwrap();
    Study::new("pool", space, Direction::Minimize)
        .with_sampler(TpeSampler::new(5))
        .with_pruner(PercentilePruner::median())
        .with_concurrency(WORKERS)
}

/// Steps whose values the pruner sees, failures and values.
fn objective(trial: &mut ActiveTrial<'_>) -> Outcome {
    let x = trial.parameters().float("x").unwrap();
    for step in 0..3 {
        trial.report(step, x * x + 1.0 / (1.0 + step as f64)).unwrap();
    }
    if trial.should_prune() {
        return Outcome::Pruned;
    }
    match trial.number() % 7 {
        3 => Outcome::Failed("out of memory".to_owned()),
        _ => (x * x).into(),
    }
}

/// Kills 200 processes, ten on each file, each after another delay.
fn kill_pools(kind: &str, trials: usize, shortest: u64, open: impl Fn(&Path) -> Result<Study, StudyError>) {
    let folder = Folder::new(&format!("pool-{kind}"));
    let mut whole = build();
    whole.run(&RunOptions::new(trials), objective).unwrap();
    let (mut interrupted, mut several) = (0, 0);
    for round in 0..20u64 {
        let path = folder.file(&format!("round-{round}"));
        for kill in 0..10u64 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "killed::slow::child_with_a_pool", "--ignored"])
                .env(CHILD_FILE, &path)
                .env(CHILD_KIND, kind)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_micros(
                shortest * (4 + (7 * round + 3 * kill) % 13),
            ));
            child.kill().unwrap();
            child.wait().unwrap();
            let study = open(&path).unwrap();
            let mut running = 0;
            for (trial, right) in study.trials().iter().zip(whole.trials()) {
                // A trial that ended is what it would have been; the others are still to be run.
                if trial.state() == TrialState::Running {
                    running += 1;
                } else {
                    assert_eq!(trial, right, "round {round}, kill {kill}");
                }
            }
            assert!(running <= WORKERS, "{running} trials were running at once");
            let ended = study.trials().len() - running;
            interrupted += usize::from(ended > 0 && ended < trials);
            several += usize::from(running > 1);
        }
        let mut study = open(&path).unwrap();
        study
            .run(&RunOptions::new(trials).with_workers(WORKERS), objective)
            .unwrap();
        assert_eq!(study.trials(), whole.trials(), "round {round}");
        assert_eq!(
            open(&path).unwrap().trials(),
            whole.trials(),
            "round {round}, read again"
        );
    }
    println!("{kind}: 200 kills, {interrupted} of them amid a study, {several} with several trials running");
    assert!(
        interrupted > 0 && several > 0,
        "no kill hit a pool: the delays do not suit this machine"
    );
}

mod slow {
    use super::*;

    #[test]
    #[ignore = "starts and kills 200 processes"]
    fn pools_killed_on_a_journal_lose_nothing() {
        kill_pools("journal", ON_A_JOURNAL, 700, |path| {
            build().with_journal(path, clock)
        });
    }

    #[cfg(feature = "sqlite")]
    #[test]
    #[ignore = "starts and kills 200 processes"]
    fn pools_killed_on_a_database_lose_nothing() {
        kill_pools("database", ON_A_DATABASE, 5_000, |path| {
            build().with_sqlite(path, clock)
        });
    }

    #[test]
    #[ignore = "the child of the loops above"]
    #[expect(
        clippy::disallowed_methods,
        reason = "the parent names the file in the environment"
    )]
    fn child_with_a_pool() {
        let Some(path) = std::env::var_os(CHILD_FILE) else {
            return;
        };
        let path = Path::new(&path);
        let (study, trials) = match std::env::var_os(CHILD_KIND) {
            #[cfg(feature = "sqlite")]
            Some(kind) if kind == "database" => (build().with_sqlite(path, clock), ON_A_DATABASE),
            _ => (build().with_journal(path, clock), ON_A_JOURNAL),
        };
        let options = RunOptions::new(trials).with_workers(WORKERS);
        study.unwrap().run(&options, objective).unwrap();
    }
}
