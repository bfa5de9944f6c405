//! The world outside: Kubernetes in and out, JSON, pictures.

use modelops_allocation::kubernetes::{Cluster, Manifests, NodeList, PodList, Unread};
use modelops_allocation::score::BestFit;
use modelops_allocation::{
    Blocker, Constraint, Device, DeviceDemand, Fleet, Greedy, KubernetesError, Ledger, Milli, Node, Picture,
    Plan, Rejection, Request, Resources, Selector, Workload,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::check::{fleets, workloads};

fn lists(nodes: &Value, pods: &Value) -> (NodeList, PodList) {
    let list = |items: &Value| json!({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {}});
    (
        serde_json::from_value(list(nodes)).unwrap(),
        serde_json::from_value(list(pods)).unwrap(),
    )
}

fn gpu_node(name: &str, zone: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
            "nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.memory": "23034"}},
        "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": "15890m", "memory": "63Gi", "nvidia.com/gpu": "2", "pods": "110"},
            "capacity": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "2"}}})
}

#[test]
fn a_cluster_is_read() {
    let plain =
        json!({"metadata": {"name": "cpu-0"}, "status": {"capacity": {"cpu": "4", "memory": "16777216Ki"}}});
    let cordoned = json!({"metadata": {"name": "old"}, "spec": {"unschedulable": true}});
    let container = |requests: Value| json!([{"name": "c", "resources": {"requests": requests}}]);
    let gpu = json!({"cpu": "1500m", "memory": "2G", "nvidia.com/gpu": 1.to_string()});
    let tolerations = json!([{"key": "gpu", "operator": "Exists"}]);
    let pods = json!([
        {"metadata": {"name": "run", "namespace": "prod", "labels": {"app": "chat"}},
         "spec": {"nodeName": "gpu-0", "containers": container(gpu.clone()), "tolerations": tolerations}, "status": {"phase": "Running"}},
        {"metadata": {"name": "done"}, "spec": {"nodeName": "gone", "containers": []}, "status": {"phase": "Succeeded"}},
        {"metadata": {"name": "on-old"}, "spec": {"nodeName": "old", "containers": []}},
        {"metadata": {"name": "wait", "namespace": "prod", "labels": {"app": "chat"},
            "annotations": {"controller.kubernetes.io/pod-deletion-cost": "12"}},
         "spec": {"priority": 5, "containers": container(gpu), "tolerations": tolerations,
            "initContainers": [{"name": "i", "resources": {"requests": {"cpu": "3"}}}], "overhead": {"cpu": "250m"},
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": "chat"}}, "topologyKey": "kubernetes.io/hostname"}]}}}},
        {"metadata": {"name": "part", "annotations": {"gpu-fraction": "0.5"}},
         "spec": {"containers": container(json!({})), "tolerations": tolerations,
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b", "c"]}]}]}}}}},
        {"metadata": {"name": "odd"}, "spec": {"containers": container(json!({"cpu": "1"})),
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}}]}},
        {"metadata": {"name": "shy"}, "spec": {"containers": container(json!({"cpu": "100m"}))}}
    ]);
    let (nodes, pods) = lists(
        &json!([gpu_node("gpu-0", "a"), gpu_node("gpu-1", "b"), plain, cordoned]),
        &pods,
    );
    let cluster = Cluster::try_new(&nodes, &pods).unwrap();
    assert_eq!(cluster.fleet.nodes().len(), 3);
    assert_eq!(cluster.fleet.nodes()[0].resources().amount("memory_mib"), 64_512);
    assert_eq!(
        cluster.fleet.nodes()[0].devices()[1]
            .resources()
            .amount("vram_mib"),
        23_034
    );
    assert_eq!(cluster.fleet.nodes()[2].resources().amount("memory_mib"), 16_384);
    assert_eq!(
        cluster.unread,
        [
            Unread::Unschedulable { node: "old".into() },
            Unread::Rule {
                pod: "default/odd".into(),
                field: "topologySpreadConstraints"
            },
        ]
    );
    let wait = &cluster.pending.requests()[0];
    assert_eq!((wait.priority(), wait.move_cost()), (5, 12));
    assert_eq!(wait.resources().amount("cpu_milli"), 3250); // the init container, and the overhead
    assert_eq!(wait.resources().amount("memory_mib"), 1908); // 2 GB rounded up
    assert_eq!(
        cluster.pending.requests()[1].devices().unwrap().milli().to_u32(),
        500
    );

    let mut scheduler = modelops_allocation::Scheduler::new(&cluster.fleet, &Greedy::new(BestFit::default()));
    let ledger_free = {
        let mut ledger = Ledger::new(&cluster.fleet);
        cluster.bind_running(&mut ledger).unwrap();
        ledger.free(0, "cpu_milli")
    };
    assert_eq!(ledger_free, 14_390);
    cluster.bind_running(scheduler.ledger_mut()).unwrap();
    let mut node = |name: &str| {
        let request = cluster
            .pending
            .requests()
            .iter()
            .find(|r| r.name() == name)
            .unwrap();
        scheduler.place(request).map(|placed| placed.node)
    };
    assert_eq!(node("prod/wait"), Ok(1)); // gpu-0 has the other chat, cpu-0 no device
    assert_eq!(node("default/part"), Ok(1)); // zone b
    assert_eq!(node("default/shy"), Ok(2)); // tolerates no taint
}

#[test]
fn an_untolerated_taint_is_named_as_kubectl_writes_it() {
    let container = json!([{"name": "c", "resources": {"requests": {"nvidia.com/gpu": 1.to_string()}}}]);
    let drained = json!({"metadata": {"name": "drained"}, "spec": {"taints": [
            {"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "drain", "effect": "NoExecute"}]},
        "status": {"capacity": {"cpu": "4", "nvidia.com/gpu": "1"}}});
    let gpu = json!([{"key": "gpu", "operator": "Exists"}]);
    let pods = json!([
        {"metadata": {"name": "shy"}, "spec": {"containers": container}},
        {"metadata": {"name": "some"}, "spec": {"containers": container, "tolerations": gpu}},
        {"metadata": {"name": "other"}, "spec": {"containers": container, "tolerations": gpu,
            "nodeSelector": {"topology.kubernetes.io/zone": "b"}}}
    ]);
    let (nodes, pods) = lists(&json!([gpu_node("gpu-0", "a"), drained]), &pods);
    let cluster = Cluster::try_new(&nodes, &pods).unwrap();
    let mut scheduler = modelops_allocation::Scheduler::new(&cluster.fleet, &Greedy::new(BestFit::default()));
    let [shy, some, other] = cluster.pending.requests() else {
        panic!("three pods wait")
    };
    let refused = scheduler.place(shy).unwrap_err();
    let taints = vec!["drain:NoExecute".to_owned(), "gpu=yes:NoSchedule".to_owned()];
    assert_eq!(refused, Rejection::UntoleratedTaint { taints });
    assert_eq!(refused.token(), "UntoleratedTaint");
    assert!(!refused.to_string().contains("modelops/"), "{refused}");
    let change = scheduler.why_not(shy).unwrap().change.unwrap();
    assert!(!change.to_string().contains("modelops/"), "{change}");
    // A taint that is tolerated is not named, and a second rule is named beside the taint.
    for _ in 0..2 {
        assert_eq!(scheduler.place(some).unwrap().node, 0);
    }
    let blocked = scheduler.why_not(some).unwrap();
    let taints = vec!["drain:NoExecute".to_owned()];
    assert_eq!(
        blocked.reason,
        Rejection::UntoleratedTaint {
            taints: taints.clone()
        }
    );
    assert_eq!(
        blocked.change.unwrap().waived,
        [Blocker::UntoleratedTaint { taints }]
    );
    let reason = scheduler.place(other).unwrap_err();
    assert!(!reason.to_string().contains("modelops/"), "{reason}");
}

#[test]
fn what_is_wrong_with_a_cluster_is_said() {
    let node = |cpu: &str| json!({"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": cpu}}});
    let (nodes, pods) = lists(&json!([node("-4")]), &json!([]));
    assert!(matches!(
        Cluster::try_new(&nodes, &pods),
        Err(KubernetesError::Quantity { .. })
    ));
    let pod = |name: &str, at: &str, cpu: &str| {
        json!({"metadata": {"name": name}, "spec": {"nodeName": at,
            "containers": [{"name": "c", "resources": {"limits": {"cpu": cpu}}}]}})
    };
    let (nodes, pods) = lists(&json!([node("4")]), &json!([pod("p", "m", "1")]));
    assert!(matches!(
        Cluster::try_new(&nodes, &pods),
        Err(KubernetesError::UnknownNode { .. })
    ));
    let (nodes, pods) = lists(&json!([node("4"), node("4")]), &json!([]));
    assert!(matches!(
        Cluster::try_new(&nodes, &pods),
        Err(KubernetesError::Fleet(_))
    ));
    let (nodes, pods) = lists(
        &json!([node("4")]),
        &json!([pod("p", "n", "3"), pod("q", "n", "3")]),
    );
    let cluster = Cluster::try_new(&nodes, &pods).unwrap();
    let mut ledger = Ledger::new(&cluster.fleet);
    assert!(
        matches!(cluster.bind_running(&mut ledger), Err(KubernetesError::Ledger { pod, .. }) if pod == "default/q")
    );
    for hostile in [
        r#"{"items": 3}"#,
        r#"{"items": [{"spec": {}}]}"#,
        "{}",
        "[]",
        r#"{"items": [{"metadata": {"name": "#,
    ] {
        assert!(serde_json::from_str::<NodeList>(hostile).is_err(), "{hostile}");
    }
}

/// A small plan with names that are illegal everywhere.
fn odd_plan() -> (Fleet, Workload, Plan) {
    let l4 = Device::new("L4", Resources::new().with("vram_mib", 23_034));
    let node = |name: &str| {
        Node::new(
            name,
            Resources::new().with("cpu_milli", 8_000).with("memory_mib", 256),
        )
        .with_devices(2, &l4)
        .with_label("zone", "z")
    };
    let fleet = Fleet::try_new(vec![node("gpu_0.Example"), node("b\"<&>\n")]).unwrap();
    let own = Selector::new([("app", "llama")]);
    let big = Request::new("Llama 3.1/bf16 <&>\"")
        .with_replicas(2)
        .with_label("app", "llama")
        .with_resource("cpu_milli", 1_500)
        .with_resource("memory_mib", 64)
        .with_devices(DeviceDemand::whole(1))
        .with_constraint(Constraint::Apart {
            from: own.clone(),
            domain: "kubernetes.io/hostname".into(),
        })
        .with_constraint(Constraint::Spread {
            of: own,
            domain: "kubernetes.io/hostname".into(),
            max_skew: 1,
        })
        .with_constraint(Constraint::NodeLabel {
            key: "zone".into(),
            values: vec!["z".into(), "y".into()],
        });
    let part = Request::new("embed").with_devices(DeviceDemand::share(Milli::try_new(250).unwrap()));
    let huge = Request::new("huge").with_devices(DeviceDemand::whole(8));
    let work = Workload::try_new(vec![big, part, huge]).unwrap();
    let plan = Greedy::new(BestFit::default()).plan(&fleet, &work);
    assert_eq!((plan.bindings().len(), plan.rejected().len()), (3, 1));
    (fleet, work, plan)
}

#[test]
fn manifests_are_legal() {
    let (fleet, work, plan) = odd_plan();
    let text = Manifests::new(&fleet, &work, &plan)
        .with_image("r/s:1")
        .to_string();
    // For `benches/peers/allocation/manifests.py`, which holds it against the published schemas.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/manifests.yaml"), &text).unwrap();
    assert_eq!(text.matches("kind: Deployment").count(), 3);
    for line in text
        .lines()
        .filter(|line| line.trim_start().starts_with("name: "))
    {
        let name = line.trim_start()["name: ".len()..].trim_matches('"');
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(
            name.len() <= 63 && name.chars().all(legal) && !name.starts_with('-') && !name.ends_with('-'),
            "{name}"
        );
    }
    assert!(
        text.contains("\"cpu\": \"1500m\"")
            && text.contains("\"memory\": \"64Mi\"")
            && text.contains("\"nvidia.com/gpu\": \"1\"")
    );
    assert!(
        text.contains("\"gpu-fraction\": \"0.250\"")
            && text.contains("podAntiAffinity")
            && text.contains("maxSkew: 1")
    );
    assert!(text.contains("key: \"zone\", operator: In, values: [\"z\", \"y\"]"));
    assert!(text.contains("values: [\"b\\\"<&>\\u000a\"]"));
}

#[test]
fn a_plan_is_data() {
    let (_, _, plan) = odd_plan();
    let data = serde_json::to_value(&plan).unwrap();
    assert_eq!(data["bindings"].as_array().unwrap().len(), 3);
    let rejected = &data["rejected"][0];
    assert_eq!(rejected["token"], "ExceedsEveryNode");
    assert_eq!(rejected["change"]["devices"].as_array().unwrap().len(), 7); // one is idle; six to add, one to free
}

proptest! {
    /// Whatever the plan, the picture is well formed, no bar is overfull, and every bound device is drawn.
    #[test]
    fn pictures_are_well_formed(fleet in fleets(), work in workloads()) {
        let plan = Greedy::new(BestFit::default()).plan(&fleet, &work);
        let svg = Picture::new(&fleet, &work, &plan).to_string();
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            if let Some(name) = tag.strip_prefix('/') {
                prop_assert_eq!(open.pop(), Some(name.to_owned()));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap().to_owned());
            }
        }
        prop_assert!(open.is_empty());
        let bound: usize = plan.bindings().iter().map(|b| {
            let bare = fleet.nodes()[b.node].devices().is_empty();
            if bare { 1 } else { b.devices.len() }
        }).sum();
        prop_assert_eq!(svg.matches("stroke=\"#fff\"").count(), bound);
    }
}

#[test]
fn a_picture_escapes_names() {
    let (fleet, work, plan) = odd_plan();
    let svg = Picture::new(&fleet, &work, &plan).with_width(0).to_string();
    assert!(svg.contains("bf16 &lt;&amp;&gt;&quot;") && svg.contains("b&quot;&lt;&amp;&gt;\u{fffd}"));
}
