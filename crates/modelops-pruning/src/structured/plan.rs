//! What stays.

use super::coupling::Axis;
use super::{Architecture, Coupling, Family, Part};
use crate::error::StructureError;
use crate::weights::Checkpoint;

/// What stays of one layer, as rising numbers of the units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPlan {
    /// Key and value heads, with all query heads of each.
    pub heads: Vec<usize>,
    /// Channels of the feed-forward layer; with experts, all of them.
    pub ffn: Vec<usize>,
    /// Experts; empty where there are none.
    pub experts: Vec<usize>,
}

/// What stays of a model, layer by layer; `None` where a layer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructuredPlan {
    /// One entry a layer of the input.
    pub layers: Vec<Option<LayerPlan>>,
}

impl StructuredPlan {
    /// Everything stays: where plans by hand begin.
    #[must_use]
    pub fn whole(architecture: &Architecture) -> Self {
        let layer = LayerPlan {
            heads: (0..architecture.kv_heads).collect(),
            ffn: (0..architecture.ffn).collect(),
            experts: (0..architecture.experts).collect(),
        };
        Self {
            layers: vec![Some(layer); architecture.layers],
        }
    }

    /// Keeps in every layer this many key-value heads, channels and experts: those whose coupled slices have the largest sum
    /// of squares, of equals the first.
    ///
    /// # Errors
    /// [`StructureError`] where more is to be kept than there is, or a tensor cannot be read.
    pub fn by_magnitude(
        checkpoint: &Checkpoint,
        architecture: &Architecture,
        [heads, ffn, experts]: [usize; 3],
    ) -> Result<Self, StructureError> {
        let coupling = Coupling::new(checkpoint, architecture)?;
        let mut plan = Self::whole(architecture);
        for (number, layer) in plan.layers.iter_mut().enumerate() {
            let Some(layer) = layer else { continue };
            for (part, keep, kept) in [
                (Part::Heads, heads, &mut layer.heads),
                (Part::Ffn, ffn, &mut layer.ffn),
                (Part::Experts, experts, &mut layer.experts),
            ] {
                if coupling.group(number, part).next().is_none() {
                    continue;
                }
                if keep == 0 || keep > kept.len() {
                    return Err(StructureError::Plan { layer: number });
                }
                let scores = scores(checkpoint, coupling.group(number, part), kept.len())?;
                kept.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
                kept.truncate(keep);
                kept.sort_unstable();
            }
        }
        Ok(plan)
    }

    /// Whether the plan fits, and whether one config can describe what it leaves.
    ///
    /// # Errors
    /// [`StructureError::Plan`] names the first layer that keeps nothing of a part, a unit that is not there or twice, or
    /// another number of units than the layers before it where the config has one number for all: channels and experts
    /// everywhere, heads in the families of Llama. Fewer experts than a token visits are refused as well.
    pub fn check(&self, architecture: &Architecture) -> Result<(), StructureError> {
        let wrong = |layer| StructureError::Plan { layer };
        if self.layers.len() != architecture.layers {
            return Err(wrong(self.layers.len().min(architecture.layers)));
        }
        let uniform_heads = matches!(architecture.family, Family::Llama | Family::Mixtral);
        let mut first: Option<&LayerPlan> = None;
        for (number, layer) in self.layers.iter().enumerate() {
            let Some(layer) = layer else { continue };
            let rising = |kept: &[usize], units: usize| {
                kept.windows(2).all(|pair| pair[0] < pair[1]) && kept.last().is_none_or(|last| *last < units)
            };
            let fits = rising(&layer.heads, architecture.kv_heads)
                && rising(&layer.ffn, architecture.ffn)
                && rising(&layer.experts, architecture.experts)
                && !layer.heads.is_empty()
                && !layer.ffn.is_empty()
                && layer.experts.len() >= architecture.experts_per_token
                && (architecture.experts == 0 || layer.ffn.len() == architecture.ffn);
            let first = first.get_or_insert(layer);
            let alike = layer.ffn.len() == first.ffn.len()
                && layer.experts.len() == first.experts.len()
                && (!uniform_heads || layer.heads.len() == first.heads.len());
            if !fits || !alike {
                return Err(wrong(number));
            }
        }
        if first.is_none() {
            return Err(wrong(0));
        }
        Ok(())
    }
}

/// Sum of squares of every unit over all dimensions that it is taken from.
fn scores<'a>(
    checkpoint: &Checkpoint,
    axes: impl Iterator<Item = &'a Axis>,
    units: usize,
) -> Result<Vec<f64>, StructureError> {
    let mut scores = vec![0.0; units];
    for axis in axes {
        let unreadable = || StructureError::Tensor {
            tensor: axis.tensor.clone(),
        };
        let matrix = checkpoint.matrix(&axis.tensor).map_err(|_| unreadable())?;
        // A vector is read as one row, so that its only dimension is the second.
        let along_rows = axis.axis == 0 && matrix.nrows() == axis.segments * units * axis.width;
        for ((i, j), w) in matrix.indexed_iter() {
            let at = if along_rows { i } else { j };
            scores[at / axis.width % units] += f64::from(*w).powi(2);
        }
    }
    Ok(scores)
}
