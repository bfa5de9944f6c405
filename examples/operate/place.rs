//! Stage 6: which model goes on which accelerator, in which precision, and what stays out?

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use modelops::allocation::score::BestFit;
use modelops::allocation::{
    Catalogue, Fleet, Greedy, Node, Order, Plan, Request, Resources, Workload, plan_variants,
};

use crate::cycle::Stage;

/// Places a catalogue of models on a mixed fleet, greedily and by dynamic programming.
pub(crate) fn run(stage: &mut Stage<'_>) -> Result<(), Box<dyn Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let fleet: Fleet = serde_saphyr::from_str(&std::fs::read_to_string(data.join("fleet.yaml"))?)?;
    let catalogue: Catalogue =
        serde_saphyr::from_str(&std::fs::read_to_string(data.join("catalogue.yaml"))?)?;
    let (nodes, devices, models) = (fleet.nodes().len(), fleet.devices(), catalogue.models().len());
    println!(
        "{nodes} nodes with {devices} devices; {models} models, {} replicas",
        catalogue.replicas()
    );

    let policy = Greedy::new(BestFit::default()).with_order(Order::Decreasing);
    let greedy = policy.plan_catalogue(&fleet, &catalogue);
    let exact = plan_variants(&fleet, &catalogue, &policy);
    stage.write("greedy.txt", greedy.to_string())?;
    stage.write("dynamic-programming.txt", exact.to_string())?;
    let mut text = String::new();
    writeln!(
        text,
        "{:<22}{:>8}{:>8}{:>9}{:>8}",
        "", "placed", "value", "at most", "gap, %"
    )?;
    for (name, plan) in [("greedy", &greedy), ("dynamic programming", &exact)] {
        let (placed, bound) = (plan.bindings().len(), plan.bound().value());
        writeln!(
            text,
            "{name:<22}{placed:>8}{:>8}{bound:>9}{:>8.2}",
            plan.value(),
            100.0 * plan.gap()
        )?;
    }
    writeln!(text, "\nleft out by dynamic programming:")?;
    for (name, count, reason) in exact.rejected_by_reason() {
        writeln!(text, "  {name} x{count}: {reason}")?;
    }
    print!("{text}");
    stage.write("comparison.txt", text)?;

    let sample = sample(&policy)?;
    println!("\nresources 10, 5, 8 and demands 3, 4, 6:\n{sample}");
    stage.write("sample.txt", sample.to_string())?;
    stage.fact("greedy_value", greedy.value());
    stage.fact("exact_value", exact.value());
    stage.fact("bound", exact.bound().value());
    stage.fact("replicas", catalogue.replicas());
    stage.fact("placed", exact.bindings().len());
    stage.fact("rejected", exact.rejected().len());
    stage.fact("sample_placed", sample.bindings().len());
    let gap = 100.0 * exact.gap();
    stage.result(
        format!(
            "value {} of at most {} (gap {gap:.1} %)",
            exact.value(),
            exact.bound().value()
        ),
        "comparison.txt",
    );
    Ok(())
}

/// The smallest sample: three resources, three demands.
fn sample(policy: &Greedy<BestFit>) -> Result<Plan, Box<dyn Error>> {
    let units = |amount| Resources::new().with("units", amount);
    let nodes = [10, 5, 8].map(|amount| Node::new(format!("resource of {amount}"), units(amount)));
    let demands = [3, 4, 6].map(|amount| {
        Request::new(format!("demand of {amount}"))
            .with_resource("units", amount)
            .with_value(amount)
    });
    Ok(policy.plan(
        &Fleet::try_new(nodes.to_vec())?,
        &Workload::try_new(demands.to_vec())?,
    ))
}
