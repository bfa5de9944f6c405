//! Bad input gives a typed error that says what to change.

use modelops_monitoring::openmetrics::{Advice, lint, parse};
use modelops_monitoring::{
    Histogram, HistogramOptions, Objective, RegisterError, Registry, Schema, Sketch, SketchError, ValueError,
    label_set,
};

label_set! { struct Reserved { le: bool } }
label_set! { struct Internal { __name: bool } }

#[test]
fn names_are_checked_and_taken_once() {
    for name in ["", "1st", "a-b", "a:b", "ä"] {
        let registry = Registry::new("").unwrap();
        assert_eq!(
            registry.counter(name, "").unwrap_err(),
            RegisterError::Name {
                name: name.to_owned()
            }
        );
    }
    assert!(Registry::new("a b").is_err());
    let registry = Registry::new("app").unwrap();
    registry.counter("requests", "").unwrap();
    let taken = |name: &str| RegisterError::Taken {
        name: name.to_owned(),
    };
    assert_eq!(
        registry.counter("requests", "").unwrap_err(),
        taken("app_requests")
    );
    assert_eq!(
        registry.gauge("requests_total", "").unwrap_err(),
        taken("app_requests_total")
    );
    registry
        .histogram("seconds", "", HistogramOptions::seconds())
        .unwrap();
    assert_eq!(
        registry.gauge("seconds_sum", "").unwrap_err(),
        taken("app_seconds_sum")
    );
}

#[test]
fn reserved_labels_are_refused() {
    let registry = Registry::new("app").unwrap();
    let refused = |label: &str| RegisterError::Label {
        label: label.to_owned(),
    };
    assert_eq!(
        registry.counter_family::<Reserved>("a", "").unwrap_err(),
        refused("le")
    );
    assert_eq!(
        registry.counter_family::<Internal>("a", "").unwrap_err(),
        refused("__name")
    );
}

#[test]
fn bounds_and_ranges_are_checked() {
    let registry = Registry::new("app").unwrap();
    let with = |options: HistogramOptions| -> Result<Histogram, _> { registry.histogram("h", "", options) };
    for (bounds, position) in [(&[1.0, 1.0][..], 1), (&[f64::NAN], 0), (&[0.5, f64::INFINITY], 1)] {
        let options = HistogramOptions::seconds().with_buckets(bounds);
        assert_eq!(with(options).unwrap_err(), RegisterError::Bounds { position });
    }
    for (min, max) in [(3, 3), (4, 3), (-65, 0), (0, 65)] {
        let options = HistogramOptions::seconds().with_fast_range(min, max);
        assert_eq!(with(options).unwrap_err(), RegisterError::FastRange { min, max });
    }
}

#[test]
fn values_out_of_range_are_refused() {
    assert_eq!(Schema::try_new(9), Err(ValueError::Schema { given: 9 }));
    for target in [0.0, 1.0, -0.5, f64::INFINITY] {
        assert_eq!(
            Objective::availability("a", target),
            Err(ValueError::Target { given: target })
        );
    }
    assert!(Objective::availability("a", f64::NAN).is_err());
    assert_eq!(
        Objective::latency("a", 0.0, 0.5),
        Err(ValueError::Threshold { given: 0.0 })
    );
    let objective = Objective::availability("a", 0.5).unwrap();
    assert_eq!(
        objective.verdict(2, 1),
        Err(ValueError::Counts { bad: 2, total: 1 })
    );
}

#[test]
fn a_later_snapshot_cannot_be_taken_from_an_earlier_one() {
    let earlier = Sketch::new(Schema::S5);
    let mut later = earlier.clone();
    later.observe(1.0);
    assert_eq!(earlier.delta_since(&later), Err(SketchError::NotContained));
}

#[test]
fn troublesome_values_are_kept_apart() {
    let registry = Registry::new("app").unwrap();
    let histogram = registry.histogram("h", "", HistogramOptions::seconds()).unwrap();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -2.0, 1e300, 1.0] {
        histogram.observe(value);
    }
    let snapshot = histogram.snapshot();
    assert_eq!(
        (snapshot.count(), snapshot.nan_count(), snapshot.zero_count()),
        (7, 1, 1)
    );
    assert_eq!(snapshot.infinite_counts(), [1, 1]);
    assert!(snapshot.sum().is_nan());
    assert_eq!(snapshot.quantile(0.0), Some(f64::NEG_INFINITY));
    assert_eq!(snapshot.quantile(1.0), Some(f64::INFINITY));
    assert_eq!(histogram.count_at_most(1.0), Some(4));
    assert_eq!(Sketch::new(Schema::S5).quantile(0.5), None);
    assert_eq!(snapshot.quantile(1.5), None);
}

#[test]
fn the_linter_finds_what_troubles_readers() {
    let advice = |text: &str| {
        lint(&parse(text).unwrap())
            .into_iter()
            .map(|issue| issue.advice)
            .collect::<Vec<_>>()
    };
    let help = "# HELP a_seconds Time.\n# TYPE a_seconds gauge\na_seconds 1\n# EOF\n";
    assert_eq!(advice(help), []);
    assert_eq!(
        advice("a_waitTime_ms 1\n# EOF\n"),
        [Advice::Help, Advice::SnakeCase, Advice::Abbreviation]
    );
    let wrong = "# HELP a_total A.\n# TYPE a_total gauge\na_total{le=\"1\"} 1\n# EOF\n";
    assert_eq!(
        advice(wrong),
        [Advice::Suffix { suffix: "_total" }, Advice::Label { label: "le" }]
    );
    assert_eq!(
        advice("# HELP a_gauge A.\na_gauge 1\n# EOF\n"),
        [Advice::TypeInName]
    );
}
