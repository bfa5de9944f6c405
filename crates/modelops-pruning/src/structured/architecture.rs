//! What a config says about a transformer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::StructureError;

/// How tensors are named and laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Family {
    /// `encoder.layer.N`, linear layers as (outputs, inputs), feed-forward of two matrices.
    Bert,
    /// `h.N`, weights transposed, query, key and value in one matrix.
    Gpt2,
    /// `model.layers.N`, grouped-query attention, gated feed-forward: Llama, Mistral, Qwen2.
    Llama,
    /// As Llama, with experts and a router in place of the feed-forward.
    Mixtral,
}

/// The sizes of a transformer whose parts can be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Architecture {
    /// Names and layout.
    pub family: Family,
    /// Number of layers.
    pub layers: usize,
    /// Query heads in a layer.
    pub heads: usize,
    /// Heads that keys and values have; a group of `heads / kv_heads` query heads shares one, and goes with it.
    pub kv_heads: usize,
    /// Features of a head.
    pub head_dim: usize,
    /// Channels of a feed-forward layer, or of an expert.
    pub ffn: usize,
    /// Experts in a layer; 0 where there are none.
    pub experts: usize,
    /// Experts that one token visits; 0 where there are none.
    pub experts_per_token: usize,
}

impl Architecture {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`StructureError::Config`] names the key that is missing or does not fit; [`StructureError::Family`] for a
    /// `model_type` that is none of bert, gpt2, llama, mistral, qwen2 and mixtral.
    ///
    /// # Example
    /// ```
    /// use modelops_pruning::structured::Architecture;
    ///
    /// let config = r#"{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4,
    ///                  "num_key_value_heads": 2, "intermediate_size": 64}"#;
    /// let architecture = Architecture::from_config(config)?;
    /// assert_eq!((architecture.kv_heads, architecture.head_dim), (2, 8));
    /// # Ok::<(), modelops_pruning::StructureError>(())
    /// ```
    pub fn from_config(text: &str) -> Result<Self, StructureError> {
        let config: Value = serde_json::from_str(text).map_err(|_| StructureError::Config { key: "" })?;
        let read = |key: &'static str| size(&config, key).ok_or(StructureError::Config { key });
        let or = |key: &'static str, default: usize| match config.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(_) => read(key),
        };
        let family = match config.get("model_type").and_then(Value::as_str) {
            Some("bert") => Family::Bert,
            Some("gpt2") => Family::Gpt2,
            Some("llama" | "mistral" | "qwen2") => Family::Llama,
            Some("mixtral") => Family::Mixtral,
            _ => return Err(StructureError::Family),
        };
        let found = if family == Family::Gpt2 {
            let (hidden, heads) = (read("n_embd")?, read("n_head")?);
            Self {
                family,
                layers: read("n_layer")?,
                heads,
                kv_heads: heads,
                head_dim: hidden / heads.max(1),
                ffn: or("n_inner", 4 * hidden)?,
                experts: 0,
                experts_per_token: 0,
            }
        } else {
            let (hidden, heads) = (read("hidden_size")?, read("num_attention_heads")?);
            let grouped = matches!(family, Family::Llama | Family::Mixtral);
            let routed = family == Family::Mixtral;
            Self {
                family,
                layers: read("num_hidden_layers")?,
                heads,
                kv_heads: if grouped {
                    or("num_key_value_heads", heads)?
                } else {
                    heads
                },
                head_dim: or("head_dim", hidden / heads.max(1))?,
                ffn: read("intermediate_size")?,
                experts: if routed { read("num_local_experts")? } else { 0 },
                experts_per_token: if routed { or("num_experts_per_tok", 2)? } else { 0 },
            }
        };
        let pruned_before = config
            .get("pruned_heads")
            .and_then(Value::as_object)
            .is_some_and(|heads| !heads.is_empty());
        if pruned_before {
            return Err(StructureError::Config { key: "pruned_heads" });
        }
        if found.kv_heads == 0 || !found.heads.is_multiple_of(found.kv_heads) || found.head_dim == 0 {
            return Err(StructureError::Config {
                key: "num_key_value_heads",
            });
        }
        Ok(found)
    }

    /// Query heads that share one key and value.
    #[must_use]
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Where the layers' names begin, before the number.
    pub(crate) fn layer_marker(&self) -> &'static str {
        match self.family {
            Family::Bert => "encoder.layer.",
            Family::Gpt2 => "h.",
            Family::Llama | Family::Mixtral => "layers.",
        }
    }

    /// Splits a name into what stands before the number of its layer, the number, and what follows.
    pub(crate) fn split<'a>(&self, name: &'a str) -> Option<(&'a str, usize, &'a str)> {
        let marker = self.layer_marker();
        let at = if name.starts_with(marker) {
            0
        } else {
            name.find(&format!(".{marker}"))? + 1
        };
        let (before, rest) = name.split_at(at + marker.len());
        let (number, after) = rest.split_once('.')?;
        Some((before, number.parse().ok()?, after))
    }
}

fn size(config: &Value, key: &str) -> Option<usize> {
    usize::try_from(config.get(key)?.as_u64()?)
        .ok()
        .filter(|n| *n > 0)
}
