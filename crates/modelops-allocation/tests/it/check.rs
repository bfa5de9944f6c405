//! An independent checker of plans, in `u128` and by name, that shares nothing with the kernels.

use std::collections::{BTreeMap, BTreeSet};

use modelops_allocation::{Fleet, Plan, Workload};
use proptest::prelude::*;

/// Panics unless `plan` is feasible, places each replica at most once, and accounts for every replica.
pub(crate) fn check(fleet: &Fleet, workload: &Workload, plan: &Plan) {
    let mut used: BTreeMap<(usize, Option<usize>, String), u128> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for binding in plan.bindings() {
        assert!(seen.insert((binding.request, binding.replica)), "bound twice");
        let request = &workload.requests()[binding.request];
        let node = &fleet.nodes()[binding.node];
        for (name, amount) in request.resources().iter() {
            *used.entry((binding.node, None, name.to_owned())).or_default() += u128::from(amount);
        }
        let wanted = request.devices().map_or(0, |devices| devices.count());
        assert_eq!(binding.devices.len(), wanted as usize);
        assert_eq!(
            binding.devices.iter().collect::<BTreeSet<_>>().len(),
            wanted as usize
        );
        if let Some(devices) = request.devices() {
            for device in &binding.devices {
                let kind = node.devices()[*device].kind();
                assert!(devices.kinds().is_empty() || devices.kinds().iter().any(|k| k == kind));
                let mut add = |name: &str, amount: u64| {
                    let key = (binding.node, Some(*device), name.to_owned());
                    *used.entry(key).or_default() += u128::from(amount);
                };
                add("", devices.milli().to_u32().into());
                for (name, amount) in devices.resources().iter() {
                    add(name, amount);
                }
            }
        }
    }
    for ((node, device, name), amount) in used {
        let node = &fleet.nodes()[node];
        let capacity = match device {
            None => node.resources().amount(&name),
            Some(_) if name.is_empty() => 1000,
            Some(device) => node.devices()[device].resources().amount(&name),
        };
        assert!(
            amount <= u128::from(capacity),
            "{name} overbooked on {}",
            node.name()
        );
    }
    for rejected in plan.rejected() {
        assert!(
            seen.insert((rejected.request, rejected.replica)),
            "bound and rejected"
        );
    }
    assert_eq!(
        seen.len() as u64,
        workload.replicas(),
        "every replica is accounted for"
    );
    for (index, request) in workload.requests().iter().enumerate() {
        let bound = plan.bindings().iter().filter(|b| b.request == index);
        let count = bound.clone().count();
        if request.gang() {
            assert!(
                count == 0 || count == request.replicas() as usize,
                "a gang in parts"
            );
        }
        if let Some(most) = request.max_per_node() {
            let mut per_node: BTreeMap<usize, u32> = BTreeMap::new();
            bound.for_each(|b| *per_node.entry(b.node).or_default() += 1);
            assert!(per_node.values().all(|count| *count <= most));
        }
    }
    assert!(plan.value() <= plan.bound().value(), "value above the bound");
}

/// A small mixed fleet.
pub(crate) fn fleets() -> impl Strategy<Value = Fleet> {
    let device = (0..2_usize, 4..24_u64);
    let node = (4..16_u64, 4..40_u64, prop::collection::vec(device, 0..4));
    prop::collection::vec(node, 0..5).prop_map(|nodes| {
        let nodes = nodes.into_iter().enumerate().map(|(i, (cpu, memory, devices))| {
            use modelops_allocation::{Device, Node, Resources};
            let resources = Resources::new().with("cpu", cpu).with("memory", memory);
            devices
                .into_iter()
                .fold(Node::new(format!("n{i}"), resources), |node, (kind, vram)| {
                    let device = Device::new(["L4", "T4"][kind], Resources::new().with("vram", vram));
                    node.with_devices(1, &device)
                })
        });
        Fleet::try_new(nodes.collect()).unwrap()
    })
}

/// A workload that mixes plain, shared, whole, gang, capped, picky and impossible requests.
pub(crate) fn workloads() -> impl Strategy<Value = Workload> {
    use modelops_allocation::{DeviceDemand, Milli, Request};
    let devices = prop_oneof![
        Just(None),
        (1..1000_u32, 0..12_u64).prop_map(|(milli, vram)| Some(
            DeviceDemand::share(Milli::try_new(milli).unwrap()).with_resource("vram", vram)
        )),
        (1..3_u32, 0..20_u64)
            .prop_map(|(count, vram)| Some(DeviceDemand::whole(count).with_resource("vram", vram))),
        (1..3_u32).prop_map(|count| Some(DeviceDemand::whole(count).with_kinds(["T4"]))),
    ];
    let limits = (
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, 1..3_u32),
        -1..2_i32,
    );
    let request = (1..4_u32, 0..8_u64, 0..12_u64, devices, 1..20_u64, limits);
    prop::collection::vec(request, 0..10).prop_map(|requests| {
        let requests =
            requests
                .into_iter()
                .enumerate()
                .map(|(i, (replicas, cpu, memory, devices, value, limits))| {
                    let (gang, most, priority) = limits;
                    let mut request = Request::new(format!("r{i}"))
                        .with_replicas(replicas)
                        .with_resource("cpu", cpu)
                        .with_resource("memory", memory)
                        .with_value(value)
                        .with_gang(gang)
                        .with_priority(priority);
                    if let Some(devices) = devices {
                        request = request.with_devices(devices);
                    }
                    if let Some(most) = most {
                        request = request.with_max_per_node(most);
                    }
                    request
                });
        Workload::try_new(requests.collect()).unwrap()
    })
}
