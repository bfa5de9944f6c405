//! Checkpoints that are far larger than what pruning them may hold in memory.

use std::io::Write;
use std::path::Path;

use modelops_benches::{Better, Comparison};
use modelops_pruning::weights::{
    Checkpoint, Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint, verify_pruned,
};
use modelops_testkit::pruning::congruential;

/// Peak of resident memory of this process in MiB, from the kernel; it only grows, so that these cases run first.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(f64::NAN);
    kib / 1024.0
}

/// Side of the square tensors of the small checkpoint, how many a shard has, and how many shards there are: 1 GiB.
const SIDE: usize = 4096;
const TENSORS: usize = 16;
const SHARDS: usize = 2;

/// Prunes 1 GiB from the page cache, for the speed, and where it is asked for by name the 8 GB that `shards.py FOLDER` has made
/// in `FOLDER/shards`, for the bound on memory.
pub(crate) fn shards(run: &mut Comparison, folder: &Path) {
    for (size, scope) in [
        ("1 GiB", Scope::Row),
        ("1 GiB", Scope::Global),
        ("8 GB", Scope::Row),
        ("8 GB", Scope::Global),
    ] {
        let small = size == "1 GiB";
        let name = format!(
            "{size} of bf16 shards, {}, 50 %",
            if scope == Scope::Row { "row" } else { "global" }
        );
        if !(if small { run.wants(&name) } else { run.asks(&name) }) {
            continue;
        }
        let input = folder.join(if small { "shards-small" } else { "shards" });
        let index = input.join("model.safetensors.index.json");
        if small {
            make(&input, &index).expect("the folder of results can be written");
        } else if !index.exists() {
            eprintln!("shards: first run shards.py {}", folder.display());
            continue;
        }
        prune(run, &name, &index, scope, if small { 3 } else { 1 });
    }
}

fn prune(run: &mut Comparison, name: &str, index: &Path, scope: Scope, rounds: usize) {
    let output = index
        .parent()
        .expect("it is in a folder")
        .with_extension("pruned");
    std::fs::create_dir_all(&output).expect("the folder of results can be written");
    let sparsity = Sparsity::try_new(0.5).expect("a half is a share");
    let recipe = Recipe::new(Pattern::Unstructured { sparsity, scope });
    let to = output.join("model.safetensors.index.json");
    let bytes = Checkpoint::open(index)
        .expect("the shards are fine")
        .names()
        .count()
        * SIDE
        * SIDE
        * 2;
    run.case(name)
        .ours(|| {
            let report = prune_checkpoint(index, &to, &recipe, Format::Dense).expect("the shards are fine");
            let pruned: u64 = report.tensors.iter().map(|tensor| tensor.pruned).sum();
            let values: u64 = report.tensors.iter().map(|tensor| tensor.values).sum();
            [peak_mib(), (sparsity.count(values) as f64 - pruned as f64).abs()]
        })
        .per("byte of input", bytes)
        .value("peak memory", "MiB", Better::Lower, |found| found[0])
        .value("miscounted weights", "", Better::Lower, |found| found[1])
        .rounds(rounds)
        .cold()
        .run();
    // Not part of what is measured; reads whole tensors.
    verify_pruned(index, &to, &recipe).expect("the output is what the recipe says");
    std::fs::remove_dir_all(&output).expect("the folder of results can be written");
}

/// Writes the small checkpoint where it is not there: sums of three uniform draws, other rows first in every tensor.
fn make(folder: &Path, index: &Path) -> std::io::Result<()> {
    if index.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    let draws = congruential(SIDE * SIDE * 3, 17);
    let weights: Vec<u8> = draws
        .chunks_exact(3)
        .flat_map(|draws| (((draws.iter().sum::<f64>() as f32).to_bits() >> 16) as u16).to_le_bytes())
        .collect();
    let mut map = Vec::new();
    for shard in 0..SHARDS {
        let file = format!("model-{shard}.safetensors");
        let mut tensors = Vec::new();
        for tensor in 0..TENSORS {
            let name = format!("layers.{}.weight", shard * TENSORS + tensor);
            let offsets = [tensor * weights.len(), (tensor + 1) * weights.len()];
            tensors.push(format!(
                r#""{name}":{{"dtype":"BF16","shape":[{SIDE},{SIDE}],"data_offsets":{offsets:?}}}"#
            ));
            map.push(format!(r#""{name}":"{file}""#));
        }
        let mut head = format!("{{{}}}", tensors.join(","));
        while !head.len().is_multiple_of(8) {
            head.push(' ');
        }
        let mut out = std::fs::File::create(folder.join(&file))?;
        out.write_all(&(head.len() as u64).to_le_bytes())?;
        out.write_all(head.as_bytes())?;
        for tensor in 0..TENSORS {
            let (last, first) = weights.split_at((shard * TENSORS + tensor) * 37 * SIDE * 2);
            out.write_all(first)?;
            out.write_all(last)?;
        }
    }
    let size = SHARDS * TENSORS * weights.len();
    let map = map.join(",");
    std::fs::write(
        index,
        format!(r#"{{"metadata":{{"total_size":{size}}},"weight_map":{{{map}}}}}"#),
    )
}
