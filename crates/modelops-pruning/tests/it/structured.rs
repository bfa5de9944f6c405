//! Structured pruning: sliced models compute what masked ones do.

use std::fs;

use modelops_pruning::structured::{Architecture, Coupling, Part, StructuredPlan, slice_checkpoint};
use modelops_pruning::weights::Checkpoint;
use modelops_pruning::{CheckpointError, StructureError};
use modelops_testkit::pruning::congruential;
use modelops_testkit::pruning_models::{Masks, Model, forward};
use modelops_testkit::tolerance::F32_LAYER;
use ndarray::Array2;
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const HIDDEN: usize = 16;
const FFN: usize = 20;

const BERT: &str = r#"{"model_type": "bert", "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4,
    "intermediate_size": 20, "vocab_size": 99}"#;
const GPT2: &str = r#"{"model_type": "gpt2", "n_layer": 2, "n_embd": 16, "n_head": 4, "n_inner": 20}"#;
const LLAMA: &str = r#"{"model_type": "llama", "num_hidden_layers": 3, "hidden_size": 16, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 20}"#;
const MIXTRAL: &str = r#"{"model_type": "mixtral", "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 20, "num_local_experts": 4, "num_experts_per_tok": 2}"#;

/// Names and shapes of a checkpoint of this config.
fn shapes(config: &str) -> Vec<(String, Vec<usize>)> {
    let a = Architecture::from_config(config).unwrap();
    let (h, kv) = (HIDDEN, a.kv_heads * a.head_dim);
    let mut all = vec![("extra.weight".to_owned(), vec![3, 5])];
    for n in 0..a.layers {
        let mut add =
            |name: &str, shape: &[usize]| all.push((name.replace('@', &n.to_string()), shape.to_vec()));
        if config == BERT {
            for part in [
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
            ] {
                add(&format!("bert.encoder.layer.@.{part}.weight"), &[h, h]);
                add(&format!("bert.encoder.layer.@.{part}.bias"), &[h]);
            }
            add("bert.encoder.layer.@.intermediate.dense.weight", &[FFN, h]);
            add("bert.encoder.layer.@.intermediate.dense.bias", &[FFN]);
            add("bert.encoder.layer.@.output.dense.weight", &[h, FFN]);
            add("bert.encoder.layer.@.output.dense.bias", &[h]);
            for norm in ["attention.output.LayerNorm", "output.LayerNorm"] {
                add(&format!("bert.encoder.layer.@.{norm}.weight"), &[h]);
                add(&format!("bert.encoder.layer.@.{norm}.bias"), &[h]);
            }
        } else if config == GPT2 {
            for (part, from, to) in [
                ("attn.c_attn", h, 3 * h),
                ("attn.c_proj", h, h),
                ("mlp.c_fc", h, FFN),
                ("mlp.c_proj", FFN, h),
            ] {
                add(&format!("h.@.{part}.weight"), &[from, to]);
                add(&format!("h.@.{part}.bias"), &[to]);
            }
            for norm in ["ln_1", "ln_2"] {
                add(&format!("h.@.{norm}.weight"), &[h]);
                add(&format!("h.@.{norm}.bias"), &[h]);
            }
        } else {
            for (part, rows, columns) in [("q", h, h), ("k", kv, h), ("v", kv, h), ("o", h, h)] {
                add(
                    &format!("model.layers.@.self_attn.{part}_proj.weight"),
                    &[rows, columns],
                );
            }
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                add(&format!("model.layers.@.{norm}.weight"), &[h]);
            }
            if config == LLAMA {
                for (part, rows, columns) in [("gate", FFN, h), ("up", FFN, h), ("down", h, FFN)] {
                    add(
                        &format!("model.layers.@.mlp.{part}_proj.weight"),
                        &[rows, columns],
                    );
                }
            } else {
                add("model.layers.@.block_sparse_moe.gate.weight", &[a.experts, h]);
                for e in 0..a.experts {
                    for (part, rows, columns) in [("w1", FFN, h), ("w2", h, FFN), ("w3", FFN, h)] {
                        let name = format!("model.layers.@.block_sparse_moe.experts.{e}.{part}.weight");
                        add(&name, &[rows, columns]);
                    }
                }
            }
        }
    }
    all
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(config: &str, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes(config)
            .into_iter()
            .enumerate()
            .map(|(i, (name, shape))| {
                let values = congruential(shape.iter().product(), seed ^ (i as u64) << 20);
                let bytes = values.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect();
                (name, shape, bytes)
            })
            .collect();
        let views: Vec<_> = tensors
            .iter()
            .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()))
            .collect();
        safetensors::serialize_to_file(views, None, &folder.path().join("in.safetensors")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn model(&self, file: &str, config: &str) -> Model {
        let tensors = self.model_tensors(file);
        let a = Architecture::from_config(config).unwrap();
        Model {
            tensors,
            family: format!("{:?}", a.family).to_lowercase(),
            layers: a.layers,
            heads: a.heads,
            kv_heads: a.kv_heads,
            head_dim: a.head_dim,
            experts: a.experts,
            experts_per_token: a.experts_per_token,
            heads_of: None,
            kv_heads_of: None,
        }
    }
}

/// A plan drawn from bits; layers alike where one config has to describe them all.
fn plan(config: &str, bits: u64) -> StructuredPlan {
    let a = Architecture::from_config(config).unwrap();
    let mut plan = StructuredPlan::whole(&a);
    let take = |units: usize, keep: usize, turn: u64| -> Vec<usize> {
        let mut kept: Vec<usize> = (0..keep).map(|i| (i * 7 + turn as usize) % units).collect();
        kept.sort_unstable();
        kept.dedup();
        kept
    };
    let heads = 1 + (bits as usize & 0xff) % a.kv_heads;
    for (n, layer) in plan.layers.iter_mut().enumerate() {
        let Some(kept) = layer else { continue };
        let turn = bits >> 8 & 0xff;
        kept.heads = take(a.kv_heads, heads.min(a.kv_heads), turn + n as u64);
        if a.experts > 0 {
            kept.experts = take(a.experts, 3, turn + n as u64);
        } else {
            kept.ffn = take(a.ffn, 3 + (bits >> 16 & 0xf) as usize, turn);
        }
    }
    if bits >> 32 & 1 == 1 {
        plan.layers[(bits >> 40) as usize % a.layers] = None;
    }
    plan
}

fn masks(config: &str, plan: &StructuredPlan) -> Masks {
    let a = Architecture::from_config(config).unwrap();
    let mut masks = Masks::default();
    for (n, layer) in plan.layers.iter().enumerate() {
        let Some(layer) = layer else {
            masks.layers.insert(n);
            continue;
        };
        let gone =
            |units: usize, kept: &[usize]| (0..units).filter(|u| !kept.contains(u)).collect::<Vec<_>>();
        for group in gone(a.kv_heads, &layer.heads) {
            masks
                .heads
                .extend((0..a.group()).map(|i| (n, group * a.group() + i)));
        }
        masks
            .channels
            .extend(gone(a.ffn, &layer.ffn).into_iter().map(|c| (n, c)));
        masks
            .experts
            .extend(gone(a.experts, &layer.experts).into_iter().map(|e| (n, e)));
    }
    masks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// For any plan the sliced model, loaded with the rewritten config, computes what the masked one computes.
    #[test]
    fn sliced_models_are_masked_models(bits in any::<u64>(), seed in 1_u64..1 << 30) {
        for config in [BERT, GPT2, LLAMA, MIXTRAL] {
            let files = Files::new(config, seed);
            let plan = plan(config, bits);
            let report = slice_checkpoint(
                files.path("in.safetensors"), config, &plan, files.path("out.safetensors"), files.path("config.json"),
            ).unwrap();
            prop_assert!(report.values_after <= report.values_before);
            let small = fs::read_to_string(files.path("config.json")).unwrap();
            let x = Array2::from_shape_vec((5, HIDDEN), congruential(5 * HIDDEN, seed ^ 99)).unwrap();
            let masked = forward(&files.model("in.safetensors", config), &masks(config, &plan), x.view());
            // Readers of BERT and GPT-2 take the pruned heads out of what the config says; so does this one.
            let a = Architecture::from_config(config).unwrap();
            let mut model = files.model("in.safetensors", config);
            model.tensors = files.model_tensors("out.safetensors");
            model.layers = plan.layers.iter().flatten().count();
            model.experts = plan.layers.iter().flatten().next().unwrap().experts.len();
            let kept = plan.layers.iter().flatten().map(|layer| layer.heads.len() * a.group()).collect();
            model.kv_heads_of = Some(plan.layers.iter().flatten().map(|layer| layer.heads.len()).collect());
            model.heads_of = Some(kept);
            let sliced = forward(&model, &Masks::default(), x.view());
            for (a, b) in sliced.iter().zip(&masked) {
                prop_assert!((a - b).abs() <= F32_LAYER * b.abs().max(1.0), "{config} {a} {b}");
            }
            // The rewritten config describes the sliced tensors, as far as it can be read again.
            if config == LLAMA || config == MIXTRAL {
                let again = Architecture::from_config(&small).unwrap();
                Coupling::new(&Checkpoint::open(files.path("out.safetensors")).unwrap(), &again).unwrap();
            }
        }
    }
}

#[test]
fn nothing_cut_is_nothing_changed() {
    for config in [BERT, GPT2, LLAMA, MIXTRAL] {
        let files = Files::new(config, 5);
        let a = Architecture::from_config(config).unwrap();
        let report = slice_checkpoint(
            files.path("in.safetensors"),
            config,
            &StructuredPlan::whole(&a),
            files.path("out.safetensors"),
            files.path("config.json"),
        )
        .unwrap();
        assert_eq!(report.values_after, report.values_before);
        assert_eq!(
            files.model_tensors("in.safetensors"),
            files.model_tensors("out.safetensors")
        );
    }
}

impl Files {
    fn model_tensors(&self, file: &str) -> std::collections::BTreeMap<String, Array2<f32>> {
        let checkpoint = Checkpoint::open(self.path(file)).unwrap();
        checkpoint
            .names()
            .map(|name| (name.to_owned(), checkpoint.matrix(name).unwrap()))
            .collect()
    }
}

/// The slices that are coupled are scored together: a channel that is large on one side only stays.
#[test]
fn magnitudes_are_of_the_whole_group() {
    let files = Files::new(LLAMA, 3);
    let checkpoint = Checkpoint::open(files.path("in.safetensors")).unwrap();
    let a = Architecture::from_config(LLAMA).unwrap();
    let plan = StructuredPlan::by_magnitude(&checkpoint, &a, [1, 7, 0]).unwrap();
    plan.check(&a).unwrap();
    for (n, layer) in plan.layers.iter().enumerate() {
        let layer = layer.as_ref().unwrap();
        let part = |name: &str| {
            checkpoint
                .matrix(&format!("model.layers.{n}.mlp.{name}_proj.weight"))
                .unwrap()
        };
        let (gate, up, down) = (part("gate"), part("up"), part("down"));
        let score = |c: usize| -> f64 {
            let all = gate
                .row(c)
                .iter()
                .chain(up.row(c))
                .chain(down.column(c))
                .copied()
                .collect::<Vec<f32>>();
            all.iter().map(|w| f64::from(*w).powi(2)).sum()
        };
        let least = layer.ffn.iter().map(|c| score(*c)).fold(f64::INFINITY, f64::min);
        let most = (0..FFN)
            .filter(|c| !layer.ffn.contains(c))
            .map(score)
            .fold(0.0, f64::max);
        assert!(least >= most);
        assert_eq!((layer.heads.len(), layer.ffn.len()), (1, 7));
    }
    assert_eq!(
        Coupling::new(&checkpoint, &a)
            .unwrap()
            .group(0, Part::Heads)
            .count(),
        4
    );
}

#[test]
fn plans_that_no_config_describes_are_refused() {
    let files = Files::new(LLAMA, 3);
    let a = Architecture::from_config(LLAMA).unwrap();
    let run = |plan: &StructuredPlan, config: &str| {
        slice_checkpoint(
            files.path("in.safetensors"),
            config,
            plan,
            files.path("out.safetensors"),
            files.path("config.json"),
        )
    };
    let whole = StructuredPlan::whole(&a);
    let with = |change: &dyn Fn(&mut modelops_pruning::structured::LayerPlan)| {
        let mut plan = whole.clone();
        if let Some(layer) = &mut plan.layers[1] {
            change(layer);
        }
        plan
    };
    let wrong = Err(StructureError::Plan { layer: 1 });
    assert_eq!(run(&with(&|l| l.heads = vec![0]), LLAMA), wrong, "heads differ");
    assert_eq!(
        run(&with(&|l| l.ffn.truncate(3)), LLAMA),
        wrong,
        "channels differ"
    );
    assert_eq!(run(&with(&|l| l.heads = vec![]), LLAMA), wrong, "no head");
    assert_eq!(run(&with(&|l| l.heads = vec![1, 0]), LLAMA), wrong, "not rising");
    assert_eq!(run(&with(&|l| l.heads = vec![0, 2]), LLAMA), wrong, "not there");
    let none = StructuredPlan {
        layers: vec![None; 3],
    };
    assert_eq!(run(&none, LLAMA), Err(StructureError::Plan { layer: 0 }));
    assert_eq!(run(&whole, "{}"), Err(StructureError::Family));
    assert_eq!(run(&whole, "{"), Err(StructureError::Config { key: "" }));
    let wider = LLAMA.replace("20", "21");
    let mut plan = whole.clone();
    plan.layers.iter_mut().flatten().for_each(|l| l.ffn.truncate(3));
    assert!(matches!(run(&plan, &wider), Err(StructureError::Tensor { .. })));
    let same = slice_checkpoint(
        files.path("in.safetensors"),
        LLAMA,
        &whole,
        files.path("in.safetensors"),
        files.path("config.json"),
    );
    assert!(matches!(
        same,
        Err(StructureError::Checkpoint(CheckpointError::SameFile { .. }))
    ));
    assert!(!files.path("out.safetensors").exists());
}
