# The same lines as `.ci/run`, one at a time. `just` alone lists them.

default:
    @just --list

# One maintenance cycle on real input; everything lands under target/operate/.
operate *ARGS:
    cargo run --example operate -- {{ARGS}}

# The tests and doctests of all crates and examples.
test:
    cargo test

# Format, lints, documentation.
check:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --exclude modelops-benches --no-deps

# The kernels of one crate: `just bench allocation`.
bench CRATE *ARGS:
    cargo bench -p modelops-{{CRATE}} {{ARGS}}

# Ours and every peer in one run: `just compare allocation`.
compare CRATE *ARGS:
    cargo run --release -p modelops-benches --bin compare -- {{CRATE}} {{ARGS}}

# Everything that has to pass before a change lands.
ci:
    bash .ci/run
