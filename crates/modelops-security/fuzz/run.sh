#!/usr/bin/env bash
# Fuzzes every parser, or those named, for SECONDS_EACH seconds (60) on one core, guided by coverage; any crash ends the run.
# Needs no nightly compiler: coverage comes from LLVM's own passes. `cargo fuzz run TARGET` works too.
set -euo pipefail
cd "$(dirname "$0")"
target=x86_64-unknown-linux-gnu
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS=${RUSTFLAGS//$'\n'/ }
cargo build --release --quiet --bins --target "$target"
bin=$CARGO_TARGET_DIR/$target/release
# The binary that writes the seeds has no fuzzer to bring the callbacks of the coverage passes.
RUSTFLAGS= cargo run --release --quiet --example seeds
mapfile -t parsers < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else ls corpus; fi)
for parser in "${parsers[@]}"; do
    "$bin/$parser" "corpus/$parser" -max_total_time="${SECONDS_EACH:-60}" -timeout=5 -rss_limit_mb=512 -max_len=16384 \
        -print_final_stats=1 2>&1 | awk -v p="$parser" '/number_of_executed_units|average_exec|peak_rss/ {printf "%s %s %s\n", p, $1, $2} /cov:/ {last=$0} /ERROR|panicked/ {print; bad=1} END {print p, last; exit bad}'
done
