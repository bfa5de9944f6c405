//! The same statements on Apache Spark. `MODELOPS_SPARK` names a Python that has `pyspark` and a Java; without it this
//! test is not run.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use modelops_cleaning::distributed::{EngineFailure, SqlEngine, Threads};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{equality, shards};

/// A session in a process of its own; it ends with its input.
struct Spark {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Spark {
    #[expect(
        clippy::disallowed_methods,
        reason = "which Python to run is told by the environment"
    )]
    fn start() -> Self {
        let python = env::var("MODELOPS_SPARK").expect("MODELOPS_SPARK names a Python with PySpark");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/distributed/spark_session.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let version: String = serde_json::from_str(&line(&mut output)).expect("Spark starts");
        assert!(version.starts_with('4'), "Spark {version}");
        Self {
            child,
            pipes: Mutex::new((input, output)),
        }
    }
}

fn line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    output.read_line(&mut line).expect("an answer");
    line
}

impl SqlEngine for Spark {
    fn execute(&self, statement: &str) -> Result<(), EngineFailure> {
        let mut pipes = self.pipes.lock().unwrap();
        let lost = |_| EngineFailure::lost("the session ended");
        writeln!(pipes.0, "{}", serde_json::Value::from(statement)).map_err(lost)?;
        match serde_json::from_str::<Option<String>>(&line(&mut pipes.1)) {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(EngineFailure::refused(&error)),
            Err(_) => Err(EngineFailure::lost("the session ended")),
        }
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs Apache Spark: set MODELOPS_SPARK to a Python with PySpark"]
fn whole_runs_give_what_a_local_run_gives() {
    let engine = Spark::start();
    let four = Threads(NonZeroUsize::new(4).unwrap());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..12 {
        let records = shards::hostile().new_tree(&mut runner).unwrap().current();
        let steps = shards::steps().new_tree(&mut runner).unwrap().current();
        let folder = tempfile::tempdir().unwrap();
        shards::write(folder.path(), &records);
        let report = shards::distributed(folder.path(), &steps, &engine, &four).unwrap();
        shards::assert_as_local(folder.path(), &steps, &report);
    }
    for _ in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let documents = equality::documents().new_tree(&mut runner).unwrap().current();
        equality::assert_links(folder.path(), &engine, &documents);
        let (tables, keys) = equality::tables().new_tree(&mut runner).unwrap().current();
        equality::assert_references(folder.path(), &engine, &tables, &keys);
        let values = equality::values().new_tree(&mut runner).unwrap().current();
        equality::assert_means(folder.path(), &engine, &values);
    }
}
