//! Threads that come, go and race: totals stay exact, scrapes never go backwards.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use modelops_monitoring::{Counter, Family, Gauge, Histogram, HistogramOptions, Registry, RegistryOptions};
use modelops_monitoring::{label_enum, label_set};

label_enum! { enum Outcome { Ok = "ok", Denied = "denied" } }
label_set! { struct Route<'a> { tenant: &'a str, outcome: Outcome } }

#[test]
fn handles_can_be_shared() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Counter>();
    shared::<Gauge>();
    shared::<Histogram>();
    shared::<Registry>();
    shared::<Family<Route<'static>, Counter>>();
}

#[test]
fn totals_are_exact_while_threads_are_born_and_die_and_no_scrape_goes_backwards() {
    let registry = Registry::new("t").unwrap();
    let counter = registry.counter("events", "").unwrap();
    let seconds = registry
        .histogram("event_seconds", "", HistogramOptions::seconds())
        .unwrap();
    let (generations, threads, each) = (200u64, 4u64, 250u64);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut count, mut sum, mut observed) = (0, 0.0, 0);
            while !done.load(Relaxed) {
                let now = (counter.value(), seconds.snapshot());
                assert!(now.0 >= count && now.1.sum() >= sum && now.1.count() >= observed);
                (count, sum, observed) = (now.0, now.1.sum(), now.1.count());
            }
        });
        for _ in 0..generations {
            std::thread::scope(|inner| {
                for _ in 0..threads {
                    inner.spawn(|| {
                        for i in 0..each {
                            counter.inc();
                            seconds.observe(0.001 * (i + 1) as f64);
                        }
                    });
                }
            });
        }
        done.store(true, Relaxed);
    });
    assert_eq!(counter.value(), generations * threads * each);
    assert_eq!(seconds.snapshot().count(), generations * threads * each);
}

#[test]
fn the_same_observations_give_the_same_bits_for_any_number_of_threads() {
    let snapshot_with = |threads: usize| {
        let registry = Registry::new("t").unwrap();
        let seconds = registry.histogram("h", "", HistogramOptions::seconds()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let seconds = &seconds;
                scope.spawn(move || {
                    (thread..10_000)
                        .step_by(threads)
                        .for_each(|i| seconds.observe(1e-4 * 1.001f64.powi(i as i32)));
                });
            }
        });
        (seconds.snapshot(), registry.to_prometheus_text())
    };
    let alone = snapshot_with(1);
    for threads in [2, 3, 8] {
        assert_eq!(snapshot_with(threads), alone);
    }
}

#[test]
fn storage_that_is_given_back_reads_zero_in_new_hands() {
    for round in 0..200 {
        let registry = Registry::new("t").unwrap();
        let counter = registry.counter("events", "").unwrap();
        assert_eq!(counter.value(), 0, "round {round}");
        std::thread::scope(|scope| {
            scope.spawn(|| counter.inc_by(3));
            counter.inc_by(4);
        });
        assert_eq!(counter.value(), 7);
    }
}

#[test]
fn the_limit_bounds_the_series_and_the_overflow_series_keeps_the_total_exact() {
    let options = RegistryOptions::default().with_cardinality_limit(50);
    let registry = Registry::with_options("t", options).unwrap();
    let family = registry.counter_family::<Route<'static>>("events", "").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let family = &family;
            scope.spawn(move || {
                for i in 0..5_000 {
                    let tenant = format!("tenant-{}", (i * 7 + thread) % 1_000);
                    family
                        .with(&Route {
                            tenant: &tenant,
                            outcome: Outcome::Ok,
                        })
                        .inc();
                }
            });
        }
    });
    assert_eq!(family.len(), 50);
    let cardinality = family.cardinality();
    assert!(cardinality.overflowed);
    assert_eq!(cardinality.labels[0], ("tenant", 50));
    let text = registry.to_prometheus_text();
    let counts = text.lines().filter(|line| !line.starts_with('#'));
    let total: u64 = counts
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(total, 10_000);
    assert!(text.contains("t_events_total{tenant=\"__overflow__\",outcome=\"__overflow__\"}"));
}

#[test]
fn a_bound_handle_counts_into_the_series_of_its_labels() {
    let registry = Registry::new("t").unwrap();
    let family = registry.counter_family::<Route<'static>>("events", "").unwrap();
    let labels = Route {
        tenant: "acme",
        outcome: Outcome::Denied,
    };
    let bound = family.bind(&labels);
    std::thread::scope(|scope| {
        scope.spawn(|| bound.inc_by(2));
    });
    family.with(&labels).inc();
    assert_eq!(bound.value(), 3);
}

#[test]
fn an_idle_series_is_dropped_and_begins_anew_while_a_bound_one_stays() {
    let registry = Registry::new("t").unwrap();
    let family = registry.counter_family::<Route<'static>>("events", "").unwrap();
    let labels = |tenant| Route {
        tenant,
        outcome: Outcome::Ok,
    };
    let (hour, series) = (Duration::from_secs(3600), |text: &str| {
        text.lines().filter(|l| l.contains("{")).count()
    });
    family.with(&labels("idle")).inc();
    family.with(&labels("busy")).inc();
    let bound = family.bind(&labels("bound"));
    assert_eq!(registry.evict_idle(hour, hour), 0);
    family.with(&labels("busy")).inc();
    assert_eq!(registry.evict_idle(2 * hour, hour), 1);
    assert_eq!(series(&registry.to_prometheus_text()), 2);
    // This thread remembered the dropped series, and must not go on counting into it.
    family.with(&labels("idle")).inc();
    bound.inc();
    let text = registry.to_prometheus_text();
    assert!(
        text.contains("{tenant=\"idle\",outcome=\"ok\"} 1\n")
            && text.contains("{tenant=\"bound\",outcome=\"ok\"} 1\n")
    );
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_bounded_under_a_million_label_sets_and_ten_thousand_threads() {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4096
    };
    let registry = Registry::new("t").unwrap();
    let family = registry.counter_family::<Route<'static>>("events", "").unwrap();
    let mut tenant = String::new();
    let before = resident();
    for i in 0..1_000_000 {
        tenant.clear();
        write!(tenant, "tenant-{i}").unwrap();
        family
            .with(&Route {
                tenant: &tenant,
                outcome: Outcome::Ok,
            })
            .inc();
    }
    let grown = resident() - before;
    assert_eq!(family.len(), 2_000);
    let counter = registry.counter("threads", "").unwrap();
    for _ in 0..10_000 {
        std::thread::scope(|scope| {
            scope.spawn(|| counter.inc());
        });
    }
    assert_eq!(counter.value(), 10_000);
    // The other tests of this process run beside this one, so the bound is a loose one.
    assert!(
        grown < 32 << 20 && resident() - before < 64 << 20,
        "grew by {grown} bytes"
    );
}
