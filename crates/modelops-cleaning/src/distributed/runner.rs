//! Who runs the jobs of the shards.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::error::DistributedError;
use super::job::ShardJob;

/// Runs jobs somewhere: threads here, processes, an array job of a batch system, pods.
///
/// Jobs are idempotent and know nothing of one another, so they may run in any order, on any machine that sees the same
/// folders, and again after a failure. A runner need not notice failures: the driver looks for the results itself.
pub trait JobRunner {
    /// Runs every job once.
    ///
    /// # Errors
    /// The first that a runner chooses to report.
    fn run(&self, jobs: &[ShardJob]) -> Result<(), DistributedError>;
}

/// Runs jobs on threads of this process.
#[derive(Debug, Clone, Copy)]
pub struct Threads(pub NonZeroUsize);

impl JobRunner for Threads {
    fn run(&self, jobs: &[ShardJob]) -> Result<(), DistributedError> {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                job.run()?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.0.get().min(jobs.len()))
                .map(|_| scope.spawn(work))
                .collect();
            // Every worker is waited for, and the failure of the earliest of them is the one that is told.
            let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
            results
                .into_iter()
                .try_for_each(|result| result.expect("a job returns its failures"))
        })
    }
}
