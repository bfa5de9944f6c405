//! Prunes a checkpoint from file to file, three ways, and reads the result back.
//!
//! `cargo run --example prune_checkpoint` makes a small seeded checkpoint under `target/prune_checkpoint/`;
//! `cargo run --example prune_checkpoint -- IN.safetensors OUT.safetensors` halves one of yours.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use modelops::pruning::weights::{Checkpoint, Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn main() -> Result<(), Box<dyn Error>> {
    let half = Sparsity::try_new(0.5)?;
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if let [input, output] = arguments.as_slice() {
        let recipe = Recipe::new(Pattern::Unstructured {
            sparsity: half,
            scope: Scope::Row,
        });
        print!(
            "{}",
            prune_checkpoint(input, output, &recipe, Format::Bitmask)?.to_markdown()
        );
        return Ok(());
    }
    let folder = Path::new("target/prune_checkpoint");
    fs::create_dir_all(folder)?;
    let input = folder.join("model.safetensors");
    write_model(&input)?;

    // Half of all weights wherever they lie, 2 of 4 for sparse tensor cores, and a recipe with rules.
    let anywhere = Pattern::Unstructured {
        sparsity: half,
        scope: Scope::Global,
    };
    let two_of_four = Pattern::NM { keep: 2, group: 4 };
    let careful = Pattern::Unstructured {
        sparsity: Sparsity::try_new(0.3)?,
        scope: Scope::Row,
    };
    let mixed = Recipe::new(two_of_four)
        .with_ignored(r"^layers\.0\.")?
        .with_rule("attention", careful)?;
    let runs = [
        ("global", Recipe::new(anywhere), Format::Dense),
        ("two_of_four", Recipe::new(two_of_four), Format::Bitmask),
        ("mixed", mixed, Format::Bitmask),
    ];
    for (name, recipe, format) in runs {
        let output = folder.join(format!("{name}.safetensors"));
        let report = prune_checkpoint(&input, &output, &recipe, format)?;
        println!(
            "\n{name}: sparsity {:.4} of the chosen tensors, {}",
            report.sparsity(),
            output.display()
        );
        print!("{}", report.to_markdown());
    }

    // Compressed tensors read back as if they were dense.
    let dense = Checkpoint::open(&input)?.matrix("layers.1.mlp.weight")?;
    let pruned = Checkpoint::open(folder.join("two_of_four.safetensors"))?.matrix("layers.1.mlp.weight")?;
    let kept = pruned
        .iter()
        .zip(&dense)
        .filter(|(pruned, dense)| pruned == dense)
        .count();
    println!(
        "\nlayers.1.mlp.weight: {kept} of {} weights came back as they were, the others as 0",
        dense.len()
    );
    Ok(())
}

/// Two layers with a heavy-tailed spread of weights, as trained ones have; the second is stored in half the bits.
fn write_model(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut weights = |count: usize, scale: f32| -> Vec<f32> {
        (0..count)
            .map(|_| scale * rng.random_range(-1.0_f32..1.0).powi(3))
            .collect()
    };
    let bytes = |weights: &[f32]| weights.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let halves = |weights: &[f32]| {
        weights
            .iter()
            .flat_map(|w| w.to_bits().to_le_bytes()[2..].to_vec())
            .collect::<Vec<u8>>()
    };
    let mut stored = Vec::new();
    for (name, shape, scale, half) in [
        ("embed_tokens.weight", vec![1000, 64], 1.0, false),
        ("layers.0.attention.weight", vec![64, 64], 1.0, false),
        ("layers.0.mlp.weight", vec![256, 64], 0.5, false),
        ("layers.1.attention.weight", vec![64, 64], 1.0, true),
        ("layers.1.mlp.weight", vec![256, 64], 0.5, true),
        ("layers.1.mlp.bias", vec![256], 0.1, false),
    ] {
        let weights = weights(shape.iter().product(), scale);
        stored.push(if half {
            (name, Dtype::BF16, shape, halves(&weights))
        } else {
            (name, Dtype::F32, shape, bytes(&weights))
        });
    }
    let views: Result<Vec<_>, _> = stored
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<_, safetensors::SafeTensorError>>();
    safetensors::serialize_to_file(views?, None, path)?;
    Ok(())
}
