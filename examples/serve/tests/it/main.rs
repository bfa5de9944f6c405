//! The service, called over loopback as its callers do.

mod callers;
mod chat;
mod client;
mod document;
mod limits;
mod published;
mod reload;
mod shutdown;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;

use modelops_serve::{Running, Settings, start};
use tempfile::TempDir;

use crate::client::Client;

/// A service on a free port, with a model that was published for it alone.
pub(crate) struct Served {
    pub(crate) folder: TempDir,
    pub(crate) running: Running,
}

impl Served {
    /// Starts one; tokens take no time, unless `change` says otherwise.
    pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        published::publish_first(folder.path());
        let mut settings = Settings {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            model: folder.path().join("5-protect"),
            out: folder.path().join("out"),
            pace: 0.0,
            ..Settings::default()
        };
        change(&mut settings);
        let running = start(settings).await.expect("the service starts");
        Self { folder, running }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.running.address())
    }

    /// The key of a caller, as a shell would read it.
    pub(crate) fn key(&self, caller: &str) -> String {
        key(&self.folder.path().join("out"), caller)
    }
}

pub(crate) fn log(folder: &Path) -> String {
    let files = std::fs::read_dir(folder.join("out/log")).expect("a log");
    let texts = files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text"));
    texts.collect()
}

fn key(out: &Path, caller: &str) -> String {
    let file = std::fs::read_to_string(out.join("callers.env")).expect("the keys");
    let name = format!("{}_KEY=", caller.to_ascii_uppercase());
    let line = file.lines().find_map(|line| line.strip_prefix(&name));
    line.expect("the caller has a key").to_owned()
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(test);
}
