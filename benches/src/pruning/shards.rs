//! A checkpoint that is far larger than what pruning it may hold in memory.

use std::path::Path;

use modelops_benches::{Better, Comparison};
use modelops_pruning::weights::{Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint, verify_pruned};

/// Peak of resident memory of this process in MiB, from the kernel; it only grows, so that this case runs first.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(f64::NAN);
    kib / 1024.0
}

/// Prunes the shards that `shards.py FOLDER` has made in `FOLDER/shards`; left out where they are not there, since they take
/// 8 GB and as much again.
pub(crate) fn shards(run: &mut Comparison, folder: &Path) {
    let (input, output) = (folder.join("shards"), folder.join("shards-pruned"));
    let index = input.join("model.safetensors.index.json");
    let cases = [
        ("8 GB of bf16 shards, row, 50 %", Scope::Row),
        ("8 GB of bf16 shards, global, 50 %", Scope::Global),
    ];
    if !cases.iter().any(|(name, _)| run.wants(name)) {
        return;
    }
    if !index.exists() {
        eprintln!("shards: first run shards.py {}", folder.display());
        return;
    }
    std::fs::create_dir_all(&output).expect("the folder of results can be written");
    for (name, scope) in cases {
        let sparsity = Sparsity::try_new(0.5).expect("a half is a share");
        let recipe = Recipe::new(Pattern::Unstructured { sparsity, scope });
        let to = output.join("model.safetensors.index.json");
        run.case(name)
            .ours(|| {
                let report =
                    prune_checkpoint(&index, &to, &recipe, Format::Dense).expect("the shards are fine");
                let pruned: u64 = report.tensors.iter().map(|tensor| tensor.pruned).sum();
                let values: u64 = report.tensors.iter().map(|tensor| tensor.values).sum();
                [
                    peak_mib(),
                    (sparsity.count(values) as f64 - pruned as f64).abs(),
                    report.bytes_before as f64,
                ]
            })
            .value("peak memory", "MiB", Better::Lower, |found| found[0])
            .value("miscounted weights", "", Better::Lower, |found| found[1])
            .value("input", "bytes", Better::Higher, |found| found[2])
            .cold()
            .rounds(1)
            .run();
        if run.wants(name) {
            // Not part of what is measured; reads whole tensors.
            verify_pruned(&index, &to, &recipe).expect("the output is what the recipe says");
        }
    }
    std::fs::remove_dir_all(&output).expect("the folder of results can be written");
}
