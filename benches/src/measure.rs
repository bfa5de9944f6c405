//! One measured call.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// What one call took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Elapsed time.
    pub wall: f64,
    /// Processor time of all threads of the process.
    pub cpu: f64,
}

/// Runs `f` once and says what it took; dropping its result is not counted.
#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this package is for"
)]
pub fn measure<T>(f: impl FnOnce() -> T) -> (T, Sample) {
    let (wall, cpu) = (Instant::now(), process_seconds());
    let output = std::hint::black_box(f());
    let sample = Sample {
        wall: wall.elapsed().as_secs_f64(),
        cpu: process_seconds() - cpu,
    };
    (output, sample)
}

/// Processor time of this process since it began.
fn process_seconds() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

/// Processor time of the calling thread since it began, in seconds.
#[must_use]
pub fn thread_seconds() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::measure;

    #[test]
    fn work_takes_time_and_sleep_takes_no_processor() {
        let (sum, work) = measure(|| (0..5_000_000_u64).fold(0, |a, b| a ^ std::hint::black_box(b)));
        assert!(work.cpu > 0.0 && work.wall > 0.0, "{sum}");
        let ((), sleep) = measure(|| std::thread::sleep(std::time::Duration::from_millis(30)));
        assert!(sleep.wall >= 0.03);
    }
}
