//! Values from elsewhere; `tests/data/README.md` tells where from.

use modelops_monitoring::{HistogramOptions, Registry, Schema, label_enum, label_set};
use modelops_testkit::monitoring::is_nearest_root;

#[test]
fn every_bucket_bound_is_the_nearest_number_to_its_power() {
    let finest = Schema::S8;
    for i in 0..256 {
        let bits = finest.upper_bound(i).to_bits() & ((1 << 52) - 1);
        assert!(is_nearest_root(bits, i as u32), "2^({i}/256)");
    }
}

#[test]
fn relative_errors_are_those_of_the_native_histogram_specification() {
    for (schema, percent) in [(3, 4.329), (5, 1.083), (7, 0.2708), (8, 0.1354)] {
        let error = 100.0 * Schema::try_new(schema).unwrap().relative_error();
        assert!((error - percent).abs() < 0.001, "schema {schema}: {error}");
    }
}

label_enum! { enum Outcome { Ok = "ok", Denied = "denied" } }
label_set! { struct Route<'a> { tenant: &'a str, outcome: Outcome } }
label_set! { struct Kind { outcome: Outcome, cached: bool } }

#[test]
fn the_text_format_is_what_prometheus_documents() {
    let registry = Registry::new("shop").unwrap();
    let orders = registry
        .counter_family::<Route<'static>>("orders", "Orders,\nby \\tenant.")
        .unwrap();
    let owned = String::from("a\"b\\c\nd");
    orders
        .with(&Route {
            tenant: &owned,
            outcome: Outcome::Denied,
        })
        .inc_by(2);
    orders
        .with(&Route {
            tenant: "zoo",
            outcome: Outcome::Ok,
        })
        .inc();
    let kinds = registry.counter_family::<Kind>("kinds", "Kinds.").unwrap();
    kinds
        .with(&Kind {
            outcome: Outcome::Denied,
            cached: true,
        })
        .inc_by(7);
    registry
        .gauge("level", "A level.")
        .unwrap()
        .set(f64::NEG_INFINITY);
    registry.gauge("silent", "Never set.").unwrap();
    let options = HistogramOptions::seconds().with_buckets(&[0.5, 1.0]);
    let seconds = registry.histogram("work_seconds", "Work.", options).unwrap();
    [0.5, 0.75, 3.0].iter().for_each(|v| seconds.observe(*v));
    let expected = concat!(
        "# HELP shop_kinds_total Kinds.\n# TYPE shop_kinds_total counter\n",
        "shop_kinds_total{outcome=\"ok\",cached=\"false\"} 0\n",
        "shop_kinds_total{outcome=\"ok\",cached=\"true\"} 0\n",
        "shop_kinds_total{outcome=\"denied\",cached=\"false\"} 0\n",
        "shop_kinds_total{outcome=\"denied\",cached=\"true\"} 7\n",
        "# HELP shop_level A level.\n# TYPE shop_level gauge\nshop_level -Inf\n",
        "# HELP shop_orders_total Orders,\\nby \\\\tenant.\n# TYPE shop_orders_total counter\n",
        "shop_orders_total{tenant=\"a\\\"b\\\\c\\nd\",outcome=\"denied\"} 2\n",
        "shop_orders_total{tenant=\"zoo\",outcome=\"ok\"} 1\n",
        "# HELP shop_work_seconds Work.\n# TYPE shop_work_seconds histogram\n",
        "shop_work_seconds_bucket{le=\"0.5\"} 1\nshop_work_seconds_bucket{le=\"1.0\"} 2\n",
        "shop_work_seconds_bucket{le=\"+Inf\"} 3\nshop_work_seconds_sum 4.25\nshop_work_seconds_count 3\n",
    );
    assert_eq!(registry.to_prometheus_text(), expected);
}
