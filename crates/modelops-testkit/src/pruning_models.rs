//! Small transformers computed in the most obvious way, with parts that can be masked: the oracle of structured pruning.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

/// A transformer as its tensors; vectors are matrices of one row.
#[derive(Debug, Clone)]
pub struct Model {
    /// By name.
    pub tensors: BTreeMap<String, Array2<f32>>,
    /// "bert", "gpt2", "llama" or "mixtral".
    pub family: String,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Features of a head.
    pub head_dim: usize,
    /// Experts.
    pub experts: usize,
    /// Experts that a token visits.
    pub experts_per_token: usize,
    /// Query heads of each layer, where they differ.
    pub heads_of: Option<Vec<usize>>,
    /// Key and value heads of each layer, where they differ.
    pub kv_heads_of: Option<Vec<usize>>,
}

/// What contributes nothing, as (layer, unit).
#[derive(Debug, Clone, Default)]
pub struct Masks {
    /// Query heads.
    pub heads: BTreeSet<(usize, usize)>,
    /// Feed-forward channels.
    pub channels: BTreeSet<(usize, usize)>,
    /// Experts, which are not routed to.
    pub experts: BTreeSet<(usize, usize)>,
    /// Layers.
    pub layers: BTreeSet<usize>,
}

impl Model {
    fn get(&self, ending: &str) -> Option<Array2<f64>> {
        let found = self
            .tensors
            .iter()
            .find(|(name, _)| *name == ending || name.ends_with(&format!(".{ending}")));
        found.map(|(_, tensor)| tensor.mapv(f64::from))
    }

    /// x W + b, with W as (inputs, outputs) where `transposed` says so, else as (outputs, inputs).
    fn linear(&self, x: &Array2<f64>, name: &str, transposed: bool) -> Array2<f64> {
        let weight = self
            .get(&format!("{name}.weight"))
            .expect("the model has all its tensors");
        let y = if transposed {
            x.dot(&weight)
        } else {
            x.dot(&weight.t())
        };
        match self.get(&format!("{name}.bias")) {
            Some(bias) => y + bias.row(0),
            None => y,
        }
    }

    fn norm(&self, x: &Array2<f64>, name: &str) -> Array2<f64> {
        let (weight, bias) = (
            self.get(&format!("{name}.weight"))
                .expect("the model has all its tensors"),
            self.get(&format!("{name}.bias")),
        );
        let mut out = x.clone();
        for mut row in out.axis_iter_mut(Axis(0)) {
            // Root mean square without a bias, else around the mean.
            let mean = if bias.is_some() {
                row.sum() / row.len() as f64
            } else {
                0.0
            };
            row.mapv_inplace(|v| v - mean);
            let scale = (row.dot(&row) / row.len() as f64 + 1e-6).sqrt();
            row.mapv_inplace(|v| v / scale);
        }
        out *= &weight.row(0);
        match bias {
            Some(bias) => out + bias.row(0),
            None => out,
        }
    }
}

/// Runs (tokens, hidden) through all layers.
#[must_use]
pub fn forward(model: &Model, masks: &Masks, x: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut x = x.to_owned();
    for n in (0..model.layers).filter(|n| !masks.layers.contains(n)) {
        x = match model.family.as_str() {
            "bert" => {
                let p = format!("encoder.layer.{n}");
                let parts = ["query", "key", "value"]
                    .map(|part| model.linear(&x, &format!("{p}.attention.self.{part}"), false));
                let mixed = attention(model, masks, n, &parts, false);
                let mixed = model.linear(&mixed, &format!("{p}.attention.output.dense"), false);
                let x = model.norm(&(mixed + &x), &format!("{p}.attention.output.LayerNorm"));
                let mut inner = model
                    .linear(&x, &format!("{p}.intermediate.dense"), false)
                    .mapv(gelu);
                mask_channels(&mut inner, masks, n);
                let y = model.linear(&inner, &format!("{p}.output.dense"), false);
                model.norm(&(y + &x), &format!("{p}.output.LayerNorm"))
            }
            "gpt2" => {
                let p = format!("h.{n}");
                let all = model.linear(
                    &model.norm(&x, &format!("{p}.ln_1")),
                    &format!("{p}.attn.c_attn"),
                    true,
                );
                let width = all.ncols() / 3;
                let parts = [0, 1, 2].map(|i| all.slice(s![.., i * width..(i + 1) * width]).to_owned());
                let mixed = attention(model, masks, n, &parts, true);
                let x = &x + &model.linear(&mixed, &format!("{p}.attn.c_proj"), true);
                let y = model.norm(&x, &format!("{p}.ln_2"));
                let mut inner = model.linear(&y, &format!("{p}.mlp.c_fc"), true).mapv(gelu);
                mask_channels(&mut inner, masks, n);
                &x + &model.linear(&inner, &format!("{p}.mlp.c_proj"), true)
            }
            _ => {
                let p = format!("layers.{n}");
                let y = model.norm(&x, &format!("{p}.input_layernorm"));
                let parts = ["q", "k", "v"]
                    .map(|part| model.linear(&y, &format!("{p}.self_attn.{part}_proj"), false));
                let mixed = attention(model, masks, n, &parts, true);
                let x = &x + &model.linear(&mixed, &format!("{p}.self_attn.o_proj"), false);
                let y = model.norm(&x, &format!("{p}.post_attention_layernorm"));
                &x + &if model.experts == 0 {
                    gated(
                        model,
                        masks,
                        n,
                        &y,
                        &format!("{p}.mlp"),
                        ["gate_proj", "up_proj", "down_proj"],
                    )
                } else {
                    routed(model, masks, n, &y, &format!("{p}.block_sparse_moe"))
                }
            }
        };
    }
    x
}

fn attention(
    model: &Model,
    masks: &Masks,
    layer: usize,
    [q, k, v]: &[Array2<f64>; 3],
    causal: bool,
) -> Array2<f64> {
    // Layers are numbered anew in a sliced model, whose masks are empty.
    let heads = model.heads_of.as_ref().map_or(model.heads, |of| of[layer]);
    let kv_heads = model.kv_heads_of.as_ref().map_or(model.kv_heads, |of| of[layer]);
    let d = model.head_dim;
    let mut out = Array2::zeros((q.nrows(), heads * d));
    for head in (0..heads).filter(|head| !masks.heads.contains(&(layer, *head))) {
        let at = |x: &Array2<f64>, head: usize| {
            rotated(&x.slice(s![.., head * d..(head + 1) * d]).to_owned(), causal)
        };
        let shared = head / (heads / kv_heads);
        let mut scores = at(q, head).dot(&at(k, shared).t()) / (d as f64).sqrt();
        for (i, mut row) in scores.axis_iter_mut(Axis(0)).enumerate() {
            for (j, score) in row.iter_mut().enumerate() {
                *score = if causal && j > i { 0.0 } else { score.exp() };
            }
            let sum = row.sum();
            row.mapv_inplace(|s| s / sum);
        }
        let value = v.slice(s![.., shared * d..(shared + 1) * d]);
        out.slice_mut(s![.., head * d..(head + 1) * d])
            .assign(&scores.dot(&value));
    }
    out
}

/// Turns pairs of features by an angle that grows with the position.
fn rotated(x: &Array2<f64>, turn: bool) -> Array2<f64> {
    if !turn {
        return x.clone();
    }
    let half = x.ncols() / 2;
    Array2::from_shape_fn(x.dim(), |(i, j)| {
        let angle = i as f64 / 10_f64.powf((j % half) as f64 / half as f64);
        let (sin, cos) = angle.sin_cos();
        if j < half {
            x[[i, j]] * cos - x[[i, j + half]] * sin
        } else {
            x[[i, j]] * cos + x[[i, j - half]] * sin
        }
    })
}

fn mask_channels(inner: &mut Array2<f64>, masks: &Masks, layer: usize) {
    for (_, channel) in masks.channels.iter().filter(|(n, _)| *n == layer) {
        inner.column_mut(*channel).fill(0.0);
    }
}

fn gated(
    model: &Model,
    masks: &Masks,
    layer: usize,
    x: &Array2<f64>,
    name: &str,
    parts: [&str; 3],
) -> Array2<f64> {
    let gate = model
        .linear(x, &format!("{name}.{}", parts[0]), false)
        .mapv(|v| v / (1.0 + (-v).exp()));
    let mut inner = gate * model.linear(x, &format!("{name}.{}", parts[1]), false);
    mask_channels(&mut inner, masks, layer);
    model.linear(&inner, &format!("{name}.{}", parts[2]), false)
}

fn routed(model: &Model, masks: &Masks, layer: usize, x: &Array2<f64>, name: &str) -> Array2<f64> {
    let scores = model.linear(x, &format!("{name}.gate"), false);
    let mut out = Array2::zeros(x.dim());
    for (i, row) in scores.axis_iter(Axis(0)).enumerate() {
        let mut open: Vec<usize> = (0..model.experts)
            .filter(|e| !masks.experts.contains(&(layer, *e)))
            .collect();
        open.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        open.truncate(model.experts_per_token);
        let all: f64 = open.iter().map(|e| row[*e].exp()).sum();
        let token = x.slice(s![i..=i, ..]).to_owned();
        let mut sum = Array1::<f64>::zeros(x.ncols());
        for e in open {
            let expert = gated(
                model,
                masks,
                layer,
                &token,
                &format!("{name}.experts.{e}"),
                ["w1", "w3", "w2"],
            );
            sum.scaled_add(row[e].exp() / all, &expert.row(0));
        }
        out.row_mut(i).assign(&sum);
    }
    out
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044_715 * x * x * x)).tanh())
}
