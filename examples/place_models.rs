//! Which model goes on which accelerator, in which precision, and what stays out?
//!
//! Reads a fleet and a catalogue, places the catalogue greedily and by dynamic programming, prints both plans with their gap to the
//! bound, the reason for everything that was left out and the least change that would let it in. The better plan is written as
//! JSON, as a picture of the fleet and as Kubernetes manifests under `target/place_models/`. Two JSON files instead place the
//! pending pods of a cluster.
//!
//! ```sh
//! cargo run --example place_models
//! cargo run --example place_models -- my-fleet.yaml my-catalogue.yaml
//! kubectl get nodes -o json > nodes.json; kubectl get pods -A -o json > pods.json
//! cargo run --example place_models -- nodes.json pods.json
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};

use modelops::allocation::kubernetes::{Cluster, Manifests};
use modelops::allocation::score::BestFit;
use modelops::allocation::{
    Catalogue, Fleet, Greedy, Node, Order, Picture, Plan, Request, Resources, Scheduler, Workload,
    plan_variants,
};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let fleet = arguments.next().unwrap_or_else(|| root.join("data/fleet.yaml"));
    let wanted = arguments
        .next()
        .unwrap_or_else(|| root.join("data/catalogue.yaml"));
    if fleet.extension().is_some_and(|extension| extension == "json") {
        return place_pods(&fleet, &wanted);
    }
    let fleet: Fleet = serde_saphyr::from_str(&std::fs::read_to_string(fleet)?)?;
    let catalogue: Catalogue = serde_saphyr::from_str(&std::fs::read_to_string(wanted)?)?;
    println!(
        "{} nodes with {} devices; {} models, {} replicas wanted\n",
        fleet.nodes().len(),
        fleet.devices(),
        catalogue.models().len(),
        catalogue.replicas()
    );

    let greedy = Greedy::new(BestFit::default()).with_order(Order::Decreasing);
    let first = greedy.plan_catalogue(&fleet, &catalogue);
    let exact = plan_variants(&fleet, &catalogue, &greedy);
    println!("greedy: each replica in the best variant that still fits\n{first}");
    println!("dynamic programming: variants chosen together, then placed\n{exact}");
    println!("bound: {}", exact.bound());
    println!("{:<22}{:>8}{:>8}{:>8}", "", "placed", "value", "gap %");
    for (name, plan) in [("greedy", &first), ("dynamic programming", &exact)] {
        let (placed, gap) = (plan.bindings().len(), 100.0 * plan.gap());
        println!("{name:<22}{placed:>8}{:>8}{gap:>8.2}", plan.value());
    }
    let folder = root.join("../target/place_models");
    save(&folder, &fleet, catalogue.workload(), &exact)?;

    println!("\nthe smallest sample: resources 10, 5, 8 and demands 3, 4, 6");
    let units = |n| Resources::new().with("units", n);
    let nodes = [10, 5, 8].into_iter().zip(["r10", "r5", "r8"]);
    let fleet = Fleet::try_new(nodes.map(|(n, name)| Node::new(name, units(n))).collect())?;
    let demands = [3, 4, 6].map(|n| {
        Request::new(format!("d{n}"))
            .with_resource("units", n)
            .with_value(n)
    });
    print!("{}", greedy.plan(&fleet, &Workload::try_new(demands.to_vec())?));
    Ok(())
}

/// Writes a plan in every form that others read.
fn save(folder: &Path, fleet: &Fleet, work: &Workload, plan: &Plan) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("plan.json"), serde_json::to_string_pretty(plan)?)?;
    let picture = Picture::new(fleet, work, plan).to_string();
    std::fs::write(folder.join("fleet.svg"), picture)?;
    let manifests = Manifests::new(fleet, work, plan).to_string();
    std::fs::write(folder.join("manifests.yaml"), manifests)?;
    println!("plan.json, fleet.svg and manifests.yaml are in target/place_models");
    Ok(())
}

/// Places the pending pods of a cluster, the most urgent first.
fn place_pods(nodes: &Path, pods: &Path) -> Result<(), Box<dyn Error>> {
    let nodes = serde_json::from_str(&std::fs::read_to_string(nodes)?)?;
    let pods = serde_json::from_str(&std::fs::read_to_string(pods)?)?;
    let cluster = Cluster::try_new(&nodes, &pods)?;
    for unread in &cluster.unread {
        println!("not read: {unread}");
    }
    let mut scheduler = Scheduler::new(&cluster.fleet, &Greedy::new(BestFit::default()));
    cluster.bind_running(scheduler.ledger_mut())?;
    let mut pending: Vec<&Request> = cluster.pending.requests().iter().collect();
    pending.sort_by_key(|request| std::cmp::Reverse(request.priority()));
    for request in pending {
        match scheduler.place(request) {
            Ok(placed) => println!(
                "{} goes to {}",
                request.name(),
                cluster.fleet.nodes()[placed.node].name()
            ),
            Err(reason) => {
                println!("{} stays out: {reason} [{}]", request.name(), reason.token());
                if let Some(change) = scheduler.why_not(request).and_then(|answer| answer.change) {
                    println!(
                        "    would fit on {} with {change}",
                        cluster.fleet.nodes()[change.node].name()
                    );
                }
            }
        }
    }
    Ok(())
}
