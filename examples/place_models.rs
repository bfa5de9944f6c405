//! Which model goes on which accelerator, in which precision, and what stays out?
//!
//! Reads a fleet and a catalogue, places the catalogue greedily and by dynamic programming, and prints both plans with their
//! gap to the bound and the reason for everything that was left out.
//!
//! ```sh
//! cargo run --example place_models
//! cargo run --example place_models -- my-fleet.yaml my-catalogue.yaml
//! ```

use std::error::Error;
use std::path::PathBuf;

use modelops::allocation::score::BestFit;
use modelops::allocation::{
    Catalogue, Fleet, Greedy, Node, Order, Plan, Request, Resources, Workload, plan_variants,
};

fn main() -> Result<(), Box<dyn Error>> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data");
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let fleet = arguments.next().unwrap_or_else(|| data.join("fleet.yaml"));
    let catalogue = arguments.next().unwrap_or_else(|| data.join("catalogue.yaml"));
    let fleet: Fleet = serde_saphyr::from_str(&std::fs::read_to_string(fleet)?)?;
    let catalogue: Catalogue = serde_saphyr::from_str(&std::fs::read_to_string(catalogue)?)?;
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
    compare(&first, &exact);

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

fn compare(first: &Plan, exact: &Plan) {
    println!("{:<22}{:>8}{:>8}{:>8}", "", "placed", "value", "gap %");
    for (name, plan) in [("greedy", first), ("dynamic programming", exact)] {
        println!(
            "{name:<22}{:>8}{:>8}{:>8.2}",
            plan.bindings().len(),
            plan.value(),
            100.0 * plan.gap()
        );
    }
}
