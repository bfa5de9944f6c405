//! The same with Sail, four workers. `MODELOPS_SAIL` names the program; without it these tests are not run.

use std::env;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use modelops_cleaning::distributed::{DistributedError, EngineFailure, FlightSql, SqlEngine, Threads};

use crate::{equality, shards};

const FOUR: Threads = Threads(NonZeroUsize::new(4).unwrap());

/// A server that ends with the test.
struct Sail {
    child: Child,
    address: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "which program to run is told by the environment"
)]
impl Sail {
    fn start() -> Self {
        let program = env::var("MODELOPS_SAIL").expect("MODELOPS_SAIL names the program of Sail");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new(program)
            .args([
                "flight",
                "server",
                "--ip",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .env("SAIL_MODE", "local-cluster")
            .env("SAIL_CLUSTER__WORKER_INITIAL_COUNT", "4")
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Sail starts");
        Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
        }
    }

    fn connect(&mut self) -> FlightSql {
        for _ in 0..150 {
            match FlightSql::connect(&self.address, Duration::from_secs(60)) {
                Ok(engine) => return engine,
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
            assert!(self.child.try_wait().unwrap().is_none(), "Sail ended");
        }
        panic!("Sail did not answer within 30 s");
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sail {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
#[ignore = "needs Sail: set MODELOPS_SAIL to its program"]
fn hostile_shards_give_the_same_rows_and_the_same_ledger() {
    let mut sail = Sail::start();
    equality::assert_pipelines(&sail.connect(), 7);
}

#[test]
#[ignore = "needs Sail: set MODELOPS_SAIL to its program"]
fn the_same_links_orphans_and_means() {
    let mut sail = Sail::start();
    equality::assert_questions(&sail.connect(), 8);
}

/// Kills the server when it is asked for an answer, once.
struct Killing<'a> {
    engine: &'a FlightSql,
    sail: std::sync::Mutex<&'a mut Sail>,
}

impl SqlEngine for Killing<'_> {
    fn execute(&self, statement: &str) -> Result<(), EngineFailure> {
        if !statement.starts_with("CREATE TABLE") {
            return self.engine.execute(statement);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                self.sail.lock().unwrap().kill();
            });
            let answer = self.engine.execute(statement);
            // The server may have been faster; ask until it is gone.
            (0..1000)
                .map(|_| self.engine.execute("SELECT 1"))
                .fold(answer, Result::and)
        })
    }
}

#[test]
#[ignore = "needs Sail: set MODELOPS_SAIL to its program"]
fn a_server_killed_half_way_is_lost_and_changes_nothing() {
    let mut sail = Sail::start();
    let engine = sail.connect();
    let records: Vec<Vec<Vec<u8>>> = (0..4)
        .map(|shard| {
            (0..20_000)
                .map(|i| format!("{},{shard},{}\n", i % 9001, i % 7).into_bytes())
                .collect()
        })
        .collect();
    let steps = [modelops_cleaning::DropDuplicates::default().into()];
    let folder = tempfile::tempdir().unwrap();
    shards::write(folder.path(), &records);
    let killing = Killing {
        engine: &engine,
        sail: std::sync::Mutex::new(&mut sail),
    };
    let error = shards::distributed(folder.path(), &steps, &killing, &FOUR).unwrap_err();
    assert!(
        matches!(error, DistributedError::Engine(EngineFailure::Lost(_))),
        "{error:?}"
    );
    assert!(!folder.path().join("clean").exists() && !folder.path().join("bad").exists());
    let mut sail = Sail::start();
    let report = shards::distributed(folder.path(), &steps, &sail.connect(), &FOUR).unwrap();
    shards::assert_as_local(folder.path(), &steps, &report);
}

#[test]
#[ignore = "needs Sail: set MODELOPS_SAIL to its program"]
fn a_statement_that_is_none_is_refused() {
    let mut sail = Sail::start();
    let engine = sail.connect();
    assert!(matches!(
        engine.execute("SELECT FROM WHERE"),
        Err(EngineFailure::Refused(_))
    ));
    assert_eq!(engine.execute("SELECT 1"), Ok(()));
}
