//! I re-pruned the model, or its keys must change: how does the running service get it?
//!
//! `cargo run --example republish` rotates the keys of what `operate` published; `-- 0.3` also prunes the model anew, with
//! 30 % of its weights removed. A service started by `cargo run --example serve` takes it over within two seconds,
//! without losing a request: its operator's page shows the new name and generation.

use std::path::Path;

use modelops_serve::{Failure, PublishOptions, publish};

fn main() -> Result<(), Failure> {
    let operate = Path::new("target/operate");
    if !operate.join("summary.json").exists() {
        return Err("no model in target/operate; make one first: cargo run --example operate".into());
    }
    let mut options = PublishOptions::new(operate);
    if let Some(sparsity) = std::env::args().nth(1) {
        options = options.with_sparsity(
            sparsity
                .parse()
                .map_err(|_| "usage: republish [SPARSITY], from 0 to 1")?,
        );
    }
    let published = publish(&options)?;
    println!(
        "published under key version {}, generation {}; target/operate/5-protect/model.sig is new",
        published.key_version, published.generation
    );
    Ok(())
}
