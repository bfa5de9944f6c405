//! The same statements on Apache Spark. `MODELOPS_SPARK` names a Python that has `pyspark` and a Java; without it this
//! test is not run.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use modelops_cleaning::distributed::{EngineFailure, SqlEngine};

use crate::equality;

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
    equality::assert_pipelines(&engine, 9);
    equality::assert_questions(&engine, 10);
}
