//! The model that `operate` built, served: `cargo run --example serve`.
//!
//! The subject of each module is said in `src/lib.rs`; what to try is said in examples/README.md.

use std::process::ExitCode;

use modelops_serve::{Failure, Report, Settings, USAGE, start};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let settings = match Settings::parse(std::env::args_os().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("serve: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(settings) {
        Ok(report) => {
            let Report {
                requests, log, cut, ..
            } = report;
            println!(
                "stopped: {requests} requests, {} log lines, {} dropped, {cut} connections cut",
                log.records, log.dropped
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("serve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: Settings) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let running = start(settings).await?;
        println!("{}", running.banner());
        let mut terminated = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        println!("\nstopping: requests under way may end");
        running.shutdown().await
    })
}
