//! Whatever stops a run, no output appears, and the next run finishes as if nothing had happened.

use std::cell::Cell;
use std::fs;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use modelops_cleaning::distributed::{
    Distributed, DistributedError, EngineFailure, FlightSql, GroupMeans, JobRunner, ShardJob, SqlEngine,
    Threads,
};
use modelops_cleaning::{
    Action, Deny, DropDuplicates, Equality, Isolate, Keep, OutlierMethod, Outliers, PipelineSpec, Read,
    References, RunError, Step,
};

use crate::oracle::Oracle;
use crate::shards;

const TWO: Threads = Threads(NonZeroUsize::new(2).unwrap());

fn steps() -> Vec<Step> {
    let outliers = Outliers {
        columns: vec!["score".into()],
        method: OutlierMethod::Mad(1.0),
        action: Action::Quarantine,
    };
    let last = DropDuplicates {
        keep: Keep::Last,
        columns: vec![shards::NAME.into()],
        ..DropDuplicates::default()
    };
    vec![DropDuplicates::default().into(), outliers.into(), last.into()]
}

fn records() -> Vec<Vec<Vec<u8>>> {
    (0..4)
        .map(|shard| {
            (0..25)
                .map(|i| format!("{},n{},{}\n", i % 7, (i * shard) % 5, i * i % 11).into_bytes())
                .collect()
        })
        .collect()
}

fn no_output(folder: &Path) -> bool {
    !folder.join("clean").exists() && !folder.join("bad").exists()
}

/// Fails at the `at`-th statement, after having written part of an answer.
struct Failing {
    engine: Oracle,
    at: usize,
    seen: Cell<usize>,
}

impl SqlEngine for Failing {
    fn execute(&self, statement: &str) -> Result<(), EngineFailure> {
        self.seen.set(self.seen.get() + 1);
        if self.seen.get() <= self.at {
            return self.engine.execute(statement);
        }
        if let Some((_, rest)) = statement.split_once("LOCATION '") {
            let output = Path::new(&rest[..rest.find('\'').unwrap()]).join("shard=0");
            fs::create_dir_all(&output).unwrap();
            fs::write(output.join("half.csv"), "0,").unwrap();
        }
        Err(EngineFailure::TimedOut { seconds: 1 })
    }
}

#[test]
fn an_engine_that_fails_at_any_statement_changes_nothing() {
    for at in 0.. {
        let folder = tempfile::tempdir().unwrap();
        shards::write(folder.path(), &records());
        let engine = Failing {
            engine: Oracle::default(),
            at,
            seen: Cell::new(0),
        };
        let first = shards::distributed(folder.path(), &steps(), &engine, &TWO);
        if first.is_ok() {
            assert!(at > 20, "every kind of statement failed once");
            break;
        }
        assert_eq!(
            first.unwrap_err(),
            DistributedError::Engine(EngineFailure::TimedOut { seconds: 1 })
        );
        assert!(no_output(folder.path()));
        let report = shards::distributed(folder.path(), &steps(), &Oracle::default(), &TWO).unwrap();
        shards::assert_as_local(folder.path(), &steps(), &report);
    }
}

/// Stops after a number of jobs, as a batch system does that is switched off; says nothing of it.
struct Stopping(Cell<usize>);

impl JobRunner for Stopping {
    fn run(&self, jobs: &[ShardJob]) -> Result<(), DistributedError> {
        for job in jobs {
            if self.0.get() == 0 {
                return Ok(());
            }
            self.0.set(self.0.get() - 1);
            // Sent as text, as to another machine, and run twice at once.
            let text = serde_json::to_string(job).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| serde_json::from_str::<ShardJob>(&text).unwrap().run().unwrap());
                }
            });
        }
        Ok(())
    }
}

#[test]
fn a_worker_lost_after_any_job_changes_nothing() {
    for jobs in 0.. {
        let folder = tempfile::tempdir().unwrap();
        shards::write(folder.path(), &records());
        let first = shards::distributed(
            folder.path(),
            &steps(),
            &Oracle::default(),
            &Stopping(Cell::new(jobs)),
        );
        if first.is_ok() {
            assert_eq!(
                jobs,
                4 * 5,
                "four shards; keys, values, deviations, keys, and the outputs"
            );
            break;
        }
        assert!(matches!(first, Err(DistributedError::JobLost { .. })));
        assert!(no_output(folder.path()));
        let report = shards::distributed(folder.path(), &steps(), &Oracle::default(), &TWO).unwrap();
        shards::assert_as_local(folder.path(), &steps(), &report);
    }
}

/// Loses one line of each answer by record.
struct Forgetful(Oracle);

impl SqlEngine for Forgetful {
    fn execute(&self, statement: &str) -> Result<(), EngineFailure> {
        self.0.execute(statement)?;
        if statement.contains("PARTITIONED BY") {
            let (_, rest) = statement.split_once("LOCATION '").unwrap();
            let file = Path::new(&rest[..rest.find('\'').unwrap()]).join("shard=2/x.csv");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(file, &text[text.find('\n').unwrap() + 1..]).unwrap();
        }
        Ok(())
    }
}

#[test]
fn an_engine_that_loses_a_row_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    shards::write(folder.path(), &records());
    let error =
        shards::distributed(folder.path(), &steps(), &Forgetful(Oracle::default()), &TWO).unwrap_err();
    assert_eq!(
        error,
        DistributedError::RecordsLost {
            asked: 25,
            answered: 24
        }
    );
    assert!(no_output(folder.path()));
    // The answer that missed a row must not meet the next run.
    let report = shards::distributed(folder.path(), &steps(), &Oracle::default(), &TWO).unwrap();
    shards::assert_as_local(folder.path(), &steps(), &report);
}

/// Loses a line of one answer that is not by record.
struct Careless {
    engine: Oracle,
    /// The answer, counted from 0.
    at: usize,
    line: usize,
    seen: Cell<usize>,
}

impl SqlEngine for Careless {
    fn execute(&self, statement: &str) -> Result<(), EngineFailure> {
        self.engine.execute(statement)?;
        if !statement.starts_with("CREATE TABLE") || statement.contains("PARTITIONED BY") {
            return Ok(());
        }
        let at = self.seen.replace(self.seen.get() + 1);
        if at == self.at {
            let (_, rest) = statement.split_once("LOCATION '").unwrap();
            let file = Path::new(&rest[..rest.find('\'').unwrap()]).join("x.csv");
            let text = fs::read_to_string(&file).unwrap();
            let mut lines: Vec<&str> = text.lines().collect();
            lines.remove(self.line % lines.len());
            fs::write(
                file,
                lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
            )
            .unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_row_lost_from_sums_or_counts_is_found_out() {
    for method in [
        OutlierMethod::ZScore(1.0),
        OutlierMethod::Mad(1.0),
        OutlierMethod::Iqr(1.0),
    ] {
        let outliers = Outliers {
            columns: vec!["score".into(), "id".into()],
            method,
            action: Action::Quarantine,
        };
        let steps = [outliers.into()];
        let answers = match method {
            OutlierMethod::ZScore(_) => 2,
            OutlierMethod::Mad(_) => 8,
            _ => 4,
        };
        for at in 0..answers {
            for line in 0..6 {
                let folder = tempfile::tempdir().unwrap();
                shards::write(folder.path(), &records());
                let engine = Careless {
                    engine: Oracle::default(),
                    at,
                    line,
                    seen: Cell::new(0),
                };
                let error = shards::distributed(folder.path(), &steps, &engine, &TWO).unwrap_err();
                assert!(
                    matches!(error, DistributedError::RecordsLost { asked, answered } if answered < asked),
                    "{method:?}, answer {at}, line {line}: {error}"
                );
                assert!(no_output(folder.path()));
            }
        }
        let folder = tempfile::tempdir().unwrap();
        shards::write(folder.path(), &records());
        let engine = Careless {
            engine: Oracle::default(),
            at: answers,
            line: 0,
            seen: Cell::new(0),
        };
        let report = shards::distributed(folder.path(), &steps, &engine, &TWO).unwrap();
        assert_eq!(engine.seen.get(), answers, "each answer lost a row once");
        shards::assert_as_local(folder.path(), &steps, &report);
    }
}

#[test]
fn a_row_lost_from_the_sums_of_groups_is_found_out_and_asked_for_anew() {
    let folder = tempfile::tempdir().unwrap();
    shards::write(folder.path(), &records());
    let means = GroupMeans::try_new(&["id"], "score", folder.path().join("means")).unwrap();
    for shard in 0..4 {
        let path = folder.path().join(format!("in/{shard}.csv"));
        means.shard(shard, &Read::csv(path)).unwrap();
    }
    let engine = Careless {
        engine: Oracle::default(),
        at: 0,
        line: 3,
        seen: Cell::new(0),
    };
    let error = means.means(&engine).unwrap_err();
    assert!(
        matches!(error, DistributedError::RecordsLost { asked, answered } if answered < asked),
        "{error}"
    );
    let groups = means.means(&engine).unwrap();
    assert_eq!(groups.iter().map(|group| group.values).sum::<u64>(), 100);
    let name = GroupMeans::try_new(&[], shards::NAME, folder.path().join("name")).unwrap();
    let error = name
        .shard(0, &Read::csv(folder.path().join("in/0.csv")))
        .unwrap_err();
    let column = shards::NAME.to_owned();
    assert_eq!(
        error,
        DistributedError::Shard {
            shard: 0,
            error: RunError::NotNumeric { column }
        }
    );
}

/// Runs jobs and keeps their failures to itself.
struct Silent;

impl JobRunner for Silent {
    fn run(&self, jobs: &[ShardJob]) -> Result<(), DistributedError> {
        for job in jobs {
            let _ = job.run();
        }
        Ok(())
    }
}

#[test]
fn a_lost_row_that_only_a_worker_saw_is_asked_for_anew() {
    let folder = tempfile::tempdir().unwrap();
    shards::write(folder.path(), &records());
    let error =
        shards::distributed(folder.path(), &steps(), &Forgetful(Oracle::default()), &Silent).unwrap_err();
    assert_eq!(error, DistributedError::JobLost { shard: 2 });
    assert!(no_output(folder.path()));
    let report = shards::distributed(folder.path(), &steps(), &Oracle::default(), &Silent).unwrap();
    shards::assert_as_local(folder.path(), &steps(), &report);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    shards::write(folder.path(), &records());
    let run = |steps: &[Step]| shards::distributed(folder.path(), steps, &Oracle::default(), &TWO);
    fs::create_dir(at("clean")).unwrap();
    assert_eq!(
        run(&steps()).unwrap_err(),
        DistributedError::OutputExists { path: at("clean") }
    );
    fs::remove_dir(at("clean")).unwrap();
    run(&steps()).unwrap();
    let other = &steps()[..2];
    assert_eq!(
        run(other).unwrap_err(),
        DistributedError::WorkInUse { path: at("work") }
    );
    fs::write(at("in/9.csv"), shards::HEADER).unwrap();
    assert_eq!(
        run(&steps()).unwrap_err(),
        DistributedError::WorkInUse { path: at("work") }
    );
}

#[test]
fn what_cannot_be_distributed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    shards::write(folder.path(), &records());
    let spec = || shards::spec(folder.path(), &[], "in", "clean", "bad");
    let refused = |spec: PipelineSpec, work: &Path| Distributed::try_new(spec, work).unwrap_err();
    let typed = PipelineSpec::new(Read::csv(at("in")));
    if cfg!(feature = "frame") {
        assert_eq!(refused(typed, &at("work")), DistributedError::Typed);
    }
    let mut by_value = spec();
    by_value.steps = vec![
        DropDuplicates {
            equality: Equality::Typed,
            ..DropDuplicates::default()
        }
        .into(),
    ];
    assert_eq!(refused(by_value, &at("work")), DistributedError::Typed);
    // A shard alone cannot say which of its records another shard contradicts, and a job is not given a second file.
    let whole: [Step; 3] = [
        Deny::new("t1&t2&EQ(t1.id,t2.id)&IQ(t1.score,t2.score)").into(),
        References::new(["id"], at("in/0.csv")).into(),
        Isolate::new(["score"]).into(),
    ];
    for step in whole {
        let mut sharded = spec();
        sharded.steps = vec![DropDuplicates::default().into(), step];
        let refused = refused(sharded, &at("work"));
        assert_eq!(refused, DistributedError::NotSharded { step: 1 });
        assert!(!at("work").exists() && no_output(folder.path()));
    }
    let glob = at("work*");
    assert_eq!(refused(spec(), &glob), DistributedError::Path { path: glob });
    let relative = Path::new("work");
    assert_eq!(
        refused(spec(), relative),
        DistributedError::Path {
            path: relative.into()
        }
    );
    let mut empty = spec();
    empty.read.path = at("none");
    assert_eq!(
        refused(empty, &at("work")),
        DistributedError::NoShard { path: at("none") }
    );
    fs::write(at("in/2.csv"), "id,other,score\n").unwrap();
    let error = shards::distributed(folder.path(), &steps(), &Oracle::default(), &TWO).unwrap_err();
    assert_eq!(error, DistributedError::Columns { path: at("in/2.csv") });
    fs::write(at("in/2.csv"), "").unwrap();
    fs::remove_dir_all(at("work")).unwrap();
    let error = shards::distributed(folder.path(), &steps(), &Oracle::default(), &TWO).unwrap_err();
    let path = at("in/2.csv");
    assert_eq!(
        error,
        DistributedError::Shard {
            shard: 2,
            error: RunError::EmptyInput { path }
        }
    );
    assert!(no_output(folder.path()));
}

#[test]
fn an_engine_that_is_not_there_is_a_typed_error() {
    let second = Duration::from_secs(1);
    let address = "no address";
    let error = FlightSql::connect(address, second).unwrap_err();
    assert_eq!(
        error,
        EngineFailure::Address {
            address: address.into()
        }
    );
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("http://{free}");
    let error = FlightSql::connect(&address, second).unwrap_err();
    assert_eq!(
        error,
        EngineFailure::Unreachable {
            address: address.into()
        }
    );
}

#[test]
fn a_server_that_hangs_up_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Accepts, and closes every connection at once.
    let server = std::thread::spawn(move || drop(listener.accept()));
    let failure = FlightSql::connect(&address, Duration::from_secs(5))
        .and_then(|engine| engine.execute("SELECT 1"))
        .unwrap_err();
    server.join().unwrap();
    assert!(
        matches!(
            failure,
            EngineFailure::Lost(_) | EngineFailure::Unreachable { .. }
        ),
        "{failure:?}"
    );
}

#[test]
fn a_server_that_says_nothing_is_timed_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let engine = FlightSql::connect(&address, Duration::from_millis(200)).unwrap();
    assert_eq!(
        engine.execute("SELECT 1"),
        Err(EngineFailure::TimedOut { seconds: 0 })
    );
}
