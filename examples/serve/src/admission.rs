//! Admission: the plan says which replicas run on which simulated devices; each takes so many requests at once, some
//! more may wait, and the rest is told when to come back.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use modelops_allocation::score::BestFit;
use modelops_allocation::{Catalogue, Fleet, Greedy, Order, Plan, plan_variants};
use modelops_monitoring::LogContext;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::Failure;
use crate::refusal::Refusal;

const FLEET: &str = include_str!("../data/fleet.yaml");
const CATALOGUE: &str = include_str!("../data/catalogue.yaml");
/// Requests that one replica works on at once.
const CHAT_SLOTS: usize = 8;
const CLASSIFY_SLOTS: usize = 64;
/// The longest that a request waits for a replica.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A replica on its device.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Replica {
    /// `MODEL/VARIANT#NUMBER`.
    pub(crate) name: Arc<str>,
    pub(crate) node: String,
    pub(crate) device: String,
    /// How long one token takes: a model that reads all of its weights for each token is as fast as its memory.
    pub(crate) token_seconds: f64,
    pub(crate) slots: usize,
    /// What the log says of it.
    #[serde(skip)]
    pub(crate) log: LogContext,
}

/// The replicas of one model.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) replicas: Vec<Replica>,
    /// One permit for each slot; who has one finds a free slot, since slots are freed before permits.
    semaphore: Semaphore,
    free: Box<[AtomicUsize]>,
    waiting: AtomicUsize,
    most_waiting: usize,
    slots: usize,
    /// A moving mean of how long a slot was held, while there were none left.
    mean_nanos: AtomicU64,
}

/// Room on a replica for one request; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Slot<P: Deref<Target = Pool>> {
    pool: P,
    pub(crate) number: usize,
    /// When it was taken, where it was the last or was waited for: only those say how long others have to wait.
    since: Option<Instant>,
}

/// The plan in force.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) chat: Arc<Pool>,
    pub(crate) classify: Arc<Pool>,
    pub(crate) plan: Plan,
    pub(crate) fleet: Fleet,
    pub(crate) text: String,
}

impl Admission {
    /// Plans the catalogue on the fleet, and opens a pool for each model that is served.
    pub(crate) fn plan(pace: f64, queue: usize) -> Result<Self, Failure> {
        let fleet: Fleet = serde_saphyr::from_str(FLEET)?;
        let catalogue: Catalogue = serde_saphyr::from_str(CATALOGUE)?;
        let policy = Greedy::new(BestFit::default()).with_order(Order::Decreasing);
        let plan = plan_variants(&fleet, &catalogue, &policy);
        let pool = |model: &str, slots: usize| -> Result<Arc<Pool>, Failure> {
            let replicas: Vec<Replica> = replicas(&fleet, &catalogue, &plan, pace, slots)
                .filter(|replica| replica.name.starts_with(model))
                .collect();
            if replicas.is_empty() {
                return Err(format!("the plan has no room for {model}").into());
            }
            Ok(Arc::new(Pool::new(replicas, queue)))
        };
        Ok(Self {
            chat: pool("babble/", CHAT_SLOTS)?,
            classify: pool("classifier/", CLASSIFY_SLOTS)?,
            text: plan.to_string(),
            plan,
            fleet,
        })
    }
}

#[derive(Serialize)]
struct Logged<'a> {
    replica: &'a str,
}

/// Every replica of the plan.
fn replicas<'a>(
    fleet: &'a Fleet,
    catalogue: &'a Catalogue,
    plan: &'a Plan,
    pace: f64,
    slots: usize,
) -> impl Iterator<Item = Replica> + 'a {
    plan.bindings().iter().map(move |binding| {
        let node = &fleet.nodes()[binding.node];
        let demand = catalogue.workload().requests()[binding.request].devices();
        // All tokens of all slots come out of one pass over the weights, so the slots share its time.
        let bytes =
            demand.map_or(0, |demand| demand.resources().amount("vram_mib")) as f64 / 1.2 * 1_048_576.0;
        let granted = demand.map_or(0, |demand| demand.resources().amount("bandwidth_gb_s")) as f64 * 1e9;
        let device = binding
            .devices
            .first()
            .map(|device| (device, node.devices()[*device].kind()));
        let name: Arc<str> = format!("{}#{}", plan.request_name(binding.request), binding.replica).into();
        let log = LogContext::new(&Logged { replica: &name });
        Replica {
            log: log.expect("a struct is a JSON object"),
            name,
            node: node.name().to_owned(),
            device: device
                .map(|(number, kind)| format!("{kind} {number}"))
                .unwrap_or_default(),
            token_seconds: if granted > 0.0 {
                pace * bytes / granted
            } else {
                0.0
            },
            slots,
        }
    })
}

impl Pool {
    fn new(replicas: Vec<Replica>, most_waiting: usize) -> Self {
        let slots = replicas.iter().map(|replica| replica.slots).sum();
        Self {
            free: replicas.iter().map(|replica| replica.slots.into()).collect(),
            semaphore: Semaphore::new(slots),
            replicas,
            waiting: AtomicUsize::new(0),
            most_waiting,
            slots,
            mean_nanos: AtomicU64::new(0),
        }
    }

    /// Waits for room on the replica with the most of it.
    pub(crate) async fn admit<P: Deref<Target = Self>>(pool: P) -> Result<Slot<P>, Refusal> {
        let scarce = match pool.semaphore.try_acquire() {
            Ok(permit) => {
                permit.forget();
                pool.semaphore.available_permits() == 0
            }
            Err(_) => {
                pool.wait().await?;
                true
            }
        };
        Ok(Slot {
            number: pool.take(),
            since: scarce.then(Instant::now),
            pool,
        })
    }

    /// Takes a slot of the replica with the most of them, for who has a permit.
    fn take(&self) -> usize {
        loop {
            let (mut best, mut most) = (0, 0);
            for (replica, free) in self.free.iter().enumerate() {
                let free = free.load(Ordering::Relaxed);
                if free > most {
                    (best, most) = (replica, free);
                }
            }
            // Others take and free slots meanwhile; then look again.
            let free = &self.free[best];
            if most > 0
                && free
                    .compare_exchange(most, most - 1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            {
                return best;
            }
            std::hint::spin_loop();
        }
    }

    /// Waits for a permit and takes it.
    async fn wait(&self) -> Result<(), Refusal> {
        /// A caller who goes away waits no more.
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let overloaded = || Refusal::overloaded(self.retry_after(before));
        if before >= self.most_waiting {
            return Err(overloaded());
        }
        match tokio::time::timeout(LONGEST_WAIT, self.semaphore.acquire()).await {
            Ok(Ok(permit)) => {
                permit.forget();
                Ok(())
            }
            _ => Err(overloaded()),
        }
    }

    /// The seconds in which those who wait now will have been served.
    fn retry_after(&self, waiting: usize) -> u64 {
        let mean = Duration::from_nanos(self.mean_nanos.load(Ordering::Relaxed)).as_secs_f64();
        (mean * waiting as f64 / self.slots as f64)
            .ceil()
            .clamp(1.0, 60.0) as u64
    }

    /// Requests that wait for a replica.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Requests that each replica works on.
    pub(crate) fn busy(&self) -> Vec<usize> {
        let replicas = self.replicas.iter().zip(&self.free);
        replicas
            .map(|(replica, free)| replica.slots - free.load(Ordering::Relaxed))
            .collect()
    }
}

impl<P: Deref<Target = Pool>> Slot<P> {
    /// Whether it was waited for, or was the last.
    pub(crate) fn is_scarce(&self) -> bool {
        self.since.is_some()
    }

    /// The replica that works on the request.
    pub(crate) fn replica(&self) -> &Replica {
        &self.pool.replicas[self.number]
    }
}

impl<P: Deref<Target = Pool>> Drop for Slot<P> {
    fn drop(&mut self) {
        if let Some(since) = self.since {
            let held = since.elapsed().as_nanos().min(u128::from(u64::MAX / 8)) as u64;
            // Racing updates lose one another; a mean may.
            let mean = &self.pool.mean_nanos;
            let before = mean.load(Ordering::Relaxed);
            mean.store(before - before / 8 + held / 8, Ordering::Relaxed);
        }
        self.pool.free[self.number].fetch_add(1, Ordering::AcqRel);
        self.pool.semaphore.add_permits(1);
    }
}
