//! Bad input gives a typed error that says what to change.

use modelops_allocation::{
    Catalogue, DeviceDemand, Fleet, FleetError, Item, Ledger, LedgerError, Milli, Node, Request,
    ResourceError, Resources, SolveError, SolverOptions, Workload, WorkloadError, choose_variants, divide,
    knapsack,
};

#[test]
fn fleets_are_checked() {
    let node = |name: &str| Node::new(name, Resources::new().with("cpu", u64::MAX / 4));
    let twice = Fleet::try_new(vec![node("a"), node("a")]);
    assert_eq!(twice.unwrap_err(), FleetError::DuplicateNode { name: "a".into() });
    let overflow = Fleet::try_new(vec![node("a"), node("b"), node("c")]);
    assert_eq!(
        overflow.unwrap_err(),
        FleetError::CapacityOverflow {
            resource: "cpu".into()
        }
    );
    assert_eq!(
        Fleet::try_new(vec![node("")]).unwrap_err(),
        FleetError::UnnamedNode { index: 0 }
    );
}

#[test]
fn files_are_checked_as_they_are_read() {
    for hostile in [
        r#"{"nodes": [{"name": "a", "resources": {"cpu": -1}}]}"#,
        r#"{"nodes": [{"name": "a", "resources": {"cpu": 1.5}}]}"#,
        r#"{"nodes": [{"name": "a", "typo": 1}]}"#,
        r#"{"nodes": [{"name": "a", "count": 18446744073709551615}]}"#,
        r#"{"nodes": [{"name": "a", "devices": [{"kind": "x", "count": 9999999999}]}]}"#,
        r#"{"nodes": [{"name": "a"}, {"name": "a"}]}"#,
        r#"{"nodes": "#,
    ] {
        assert!(serde_json::from_str::<Fleet>(hostile).is_err(), "{hostile}");
    }
    for hostile in [
        r#"{"requests": [{"name": "a", "devices": {"share_milli": 0}}]}"#,
        r#"{"requests": [{"name": "a", "devices": {"share_milli": 1001}}]}"#,
        r#"{"requests": [{"name": "a", "devices": {"count": 0}}]}"#,
        r#"{"requests": [{"name": "a"}, {"name": "a"}]}"#,
        r#"{"requests": [{"name": "a", "replicas": 4000000000, "value": 18446744073709551615}]}"#,
    ] {
        assert!(serde_json::from_str::<Workload>(hostile).is_err(), "{hostile}");
    }
    assert!(serde_json::from_str::<Catalogue>(r#"{"models": [{"name": "a", "variants": []}]}"#).is_err());
}

#[test]
fn what_is_written_is_read_back() {
    let fleet: Fleet = serde_json::from_str(
        r#"{"nodes": [{"name": "a", "count": 2, "labels": {"zone": "x"}, "resources": {"cpu": 4},
            "devices": [{"kind": "L4", "count": 2, "resources": {"vram": 24}}, {"kind": "T4"}]}]}"#,
    )
    .unwrap();
    let text = serde_json::to_string(&fleet).unwrap();
    assert_eq!(serde_json::from_str::<Fleet>(&text).unwrap(), fleet);
}

#[test]
fn shares_and_workloads_are_checked() {
    assert_eq!(
        Milli::try_new(1001).unwrap_err(),
        ResourceError::Share { milli: 1001 }
    );
    let none = Workload::try_new(vec![Request::new("a").with_devices(DeviceDemand::whole(0))]);
    assert_eq!(none.unwrap_err(), WorkloadError::NoDevices { name: "a".into() });
    let many = (0..101).fold(Request::new("a"), |r, i| r.with_resource(format!("r{i}"), 1));
    assert!(matches!(
        Workload::try_new(vec![many]),
        Err(WorkloadError::TooManyResources { resources: 101, .. })
    ));
}

#[test]
fn ledgers_refuse_and_stay_as_they_were() {
    let fleet: Fleet = serde_json::from_str(
        r#"{"nodes": [{"name": "n", "resources": {"cpu": 4}, "devices": [{"kind": "L4", "count": 2}]}]}"#,
    )
    .unwrap();
    let mut ledger = Ledger::new(&fleet);
    let pair = Request::new("pair").with_devices(DeviceDemand::whole(2));
    let picky = Request::new("picky").with_devices(DeviceDemand::whole(1).with_kinds(["T4"]));
    assert!(matches!(
        ledger.bind(&pair, 1, &[0, 1]),
        Err(LedgerError::UnknownNode { node: 1, nodes: 1 })
    ));
    for devices in [&[0_usize][..], &[0, 0], &[0, 7], &[0, 1, 1]] {
        assert!(matches!(
            ledger.bind(&pair, 0, devices),
            Err(LedgerError::DeviceMismatch { .. })
        ));
    }
    assert!(matches!(
        ledger.bind(&picky, 0, &[0]),
        Err(LedgerError::DeviceMismatch { .. })
    ));
    let alien = Request::new("alien").with_resource("fpga", 1);
    assert!(matches!(
        ledger.bind(&alien, 0, &[]),
        Err(LedgerError::Insufficient { free: 0, .. })
    ));
    assert_eq!(ledger.bound(), 0);
    assert_eq!(ledger.free_shares(0), [1000, 1000]);
    assert_eq!(ledger.free(9, "cpu"), 0);
}

#[test]
fn solvers_are_checked() {
    let options = SolverOptions::default();
    let huge = [Item::new(u64::MAX, 1), Item::new(1, 1)];
    assert_eq!(
        knapsack(&huge, 1, &options).unwrap_err(),
        SolveError::Overflow { what: "values" }
    );
    let empty = choose_variants(&[vec![]], 1, &options);
    assert_eq!(empty.unwrap_err(), SolveError::EmptyClass { class: 0 });
    let small = choose_variants(&[vec![Item::new(1, 5)]], 4, &options);
    assert_eq!(
        small.unwrap_err(),
        SolveError::BudgetTooSmall {
            lightest: 5,
            budget: 4
        }
    );
    assert_eq!(
        divide(&[vec![]], 1).unwrap_err(),
        SolveError::EmptyTable { table: 0 }
    );
    assert_eq!(knapsack(&[], 5, &options).unwrap().value, 0);
    // The largest capacity and the largest numbers that are allowed.
    let large = [Item::new(1 << 61, 1 << 61), Item::new(1 << 60, 1 << 60)];
    assert_eq!(knapsack(&large, u64::MAX, &options).unwrap().value, 3 << 60);
    assert_eq!(knapsack(&large, 1 << 61, &options).unwrap().value, 1 << 61);
}

/// Public types go between threads and are small to return.
#[test]
fn types_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Fleet>();
    check::<Ledger>();
    check::<modelops_allocation::Plan>();
    check::<modelops_allocation::Scheduler<modelops_allocation::score::BestFit>>();
    check::<modelops_allocation::Rejection>();
    check::<FleetError>();
}
