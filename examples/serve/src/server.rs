//! Connections, their limits, and a way down that loses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use modelops_monitoring::LogReport;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::Failure;
use crate::admin::router;
use crate::callers::keys_hint;
use crate::files::write_private;
use crate::observe::Caller;
use crate::patient::{PATIENCE, Patient};
use crate::service::Service;
use crate::settings::Settings;

/// Connections at once; more wait for the system to accept them.
const MOST_CONNECTIONS: usize = 4096;
/// How long the head of a request may take, and how long a connection may idle before it.
const SLOWEST_HEAD: Duration = Duration::from_secs(30);
/// Bytes that the head of a request may have.
const LARGEST_HEAD: usize = 16 << 10;
/// How often the published model is looked at.
const LOOK: u64 = 2;

/// A service that runs.
pub struct Running {
    address: SocketAddr,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<u64>,
    ticking: JoinHandle<()>,
}

/// What a service did, counted in two ways that have to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Requests that were counted.
    pub requests: u64,
    /// What became of their log lines; nothing where the service ran without metrics.
    pub log: LogReport,
    /// Connections that were cut because their requests did not end in time.
    pub cut: u64,
}

/// Opens the model, plans the fleet, issues keys and listens.
///
/// # Errors
/// A sentence for the terminal: no model, a model that its publisher did not sign, an address that is taken.
pub async fn start(settings: Settings) -> Result<Running, Failure> {
    let address = settings.address;
    let opening = tokio::task::spawn_blocking(move || Service::open(settings));
    let service = Arc::new(opening.await??);
    let listening = TcpListener::bind(address).await;
    let listener = listening
        .map_err(|error| format!("cannot listen on {address}: {error}; choose another --address"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let accepting = tokio::spawn(accept(listener, Arc::clone(&service), stopped));
    let ticking = tokio::spawn(tick(Arc::clone(&service)));
    Ok(Running {
        address,
        service,
        stop,
        accepting,
        ticking,
    })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is served where, for the terminal.
    #[must_use]
    pub fn banner(&self) -> String {
        let (model, service) = (self.service.model(), &self.service);
        let (value, bound) = (
            service.admission.plan.value(),
            service.admission.plan.bound().value(),
        );
        format!(
            "{}: {} classes of {}, {} of {} weights, signed by its publisher\n\
             babble: learned from {} paragraphs, {} near-duplicates left out\n\n{}\n\
             value {value} of at most {bound}\n\n\
             keys for three callers: {}\n\
             operator's page: http://{}/   (stop with Ctrl-C)",
            model.name,
            model.card.classes.len(),
            model.card.target,
            model.weights.0,
            model.weights.1,
            service.generator.learned.0,
            service.generator.learned.1,
            service.admission.text.trim_end(),
            keys_hint(&service.settings.out),
            self.address,
        )
    }

    /// Takes no new connections, lets requests under way end, and closes the logs.
    ///
    /// # Errors
    /// What the logs could not write.
    pub async fn shutdown(self) -> Result<Report, Failure> {
        self.service.draining.store(true, Ordering::Relaxed);
        let _nobody_listens_any_more = self.stop.send(true);
        let cut = self.accepting.await?;
        self.ticking.abort();
        let service = self.service;
        let requests = service
            .telemetry
            .as_ref()
            .map_or(0, |telemetry| telemetry.counts().0);
        let mut log = LogReport::default();
        if let Some(telemetry) = &service.telemetry {
            write_private(
                &service.settings.out.join("metrics.prom"),
                &telemetry.scrape(None).body,
            )?;
            log = telemetry.close()?;
        }
        service
            .audit
            .note("stopped", "serve", json!({"requests": requests, "cut": cut}))?;
        service.audit.close()?;
        Ok(Report { requests, log, cut })
    }
}

/// Accepts until it is told to stop, then waits for what is under way; returns how many connections had to be cut.
async fn accept(listener: TcpListener, service: Arc<Service>, mut stopped: watch::Receiver<bool>) -> u64 {
    let (router, drain) = (router(&service), service.settings.drain);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            _ = stopped.changed() => break,
            // Those that ended are forgotten.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let caller = Caller::new(Arc::clone(&service), router.clone(), peer.ip());
                let connection = serve(stream, caller);
                let watched = graceful.watch(connection);
                connections.spawn(async move {
                    // A connection that broke has nobody left to tell.
                    let _ended = watched.await;
                    drop(place);
                });
            }
            // Out of descriptors, mostly: the system needs a moment.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
    drop(listener);
    let in_time = tokio::time::timeout(drain, graceful.shutdown()).await.is_ok();
    if in_time {
        while connections.join_next().await.is_some() {}
        return 0;
    }
    let mut cut = 0;
    connections.abort_all();
    while let Some(ended) = connections.join_next().await {
        cut += u64::from(ended.is_err());
    }
    cut
}

fn serve(stream: TcpStream, caller: Caller) -> http1::Connection<TokioIo<Patient>, Caller> {
    // Tokens are small and wanted at once.
    let _as_it_is = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOWEST_HEAD)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, PATIENCE)), caller)
}

/// Once a second: the curves of the page; every other second: is there a new model?
async fn tick(service: Arc<Service>) {
    let mut interval = interval(Duration::from_secs(1));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for second in 0_u64.. {
        interval.tick().await;
        service.clock.adjust();
        if let Some(telemetry) = &service.telemetry {
            let waiting = service.admission.chat.waiting() + service.admission.classify.waiting();
            telemetry.tick(service.clock.elapsed(), waiting);
        }
        if second % LOOK == 0 && service.is_outdated() {
            let service = Arc::clone(&service);
            // Refused or taken over: the audit log and the metrics say which.
            let _looked = tokio::task::spawn_blocking(move || service.reload("watcher").map(|_| ())).await;
        }
    }
}
