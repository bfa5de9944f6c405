//! What was lost.

use std::fmt::Write;

use serde::Serialize;

use super::checkpoint::Tensor;
use super::plan::Job;
use super::{Certificate, Format, Pattern, Solver, format};

/// Bytes of a pruned tensor in every format, `None` where the format cannot hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FormatBytes {
    /// [`Format::Dense`].
    pub dense: u64,
    /// [`Format::Bitmask`].
    pub bitmask: u64,
    /// [`Format::Cutlass24`].
    pub cutlass24: Option<u64>,
    /// [`Format::Packed24`].
    pub packed24: Option<u64>,
    /// [`Format::Csr`].
    pub csr: Option<u64>,
}

impl FormatBytes {
    pub(crate) fn of(tensor: &Tensor, job: &Job) -> Self {
        let size = |of: Format| {
            of.accepts(tensor.dtype, job.pattern, job.rows, job.columns)
                .then(|| format::bytes(of, tensor.dtype, &tensor.shape, job.kept))
        };
        Self {
            dense: tensor.bytes,
            bitmask: size(Format::Bitmask).unwrap_or(tensor.bytes),
            cutlass24: size(Format::Cutlass24),
            packed24: size(Format::Packed24),
            csr: size(Format::Csr),
        }
    }
}

/// What pruning did to one tensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// Storage type, as the file names it.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How it was pruned; `None` where it was copied byte for byte.
    pub pattern: Option<Pattern>,
    /// How its mask was chosen; `None` where it was copied.
    pub solver: Option<Solver>,
    /// Number of values, and so of multiplications for one input of a linear layer.
    pub values: u64,
    /// Weights that the mask removed, those that were zero already included.
    pub pruned: u64,
    /// Zeros before, counted in pruned tensors only.
    pub zeros_before: u64,
    /// Zeros after, counted in pruned tensors only.
    pub zeros_after: u64,
    /// Σ(w − ŵ)² / Σw², 0 where nothing was lost.
    pub relative_error: f64,
    /// ‖X(W − Ŵ)ᵀ‖² / ‖XWᵀ‖² over the calibration inputs, with the weights as they are stored; `None` where there were none.
    pub output_error: Option<f64>,
    /// What the solver can say, before weights were rounded to the type of the file.
    pub certificate: Option<Certificate>,
    /// What it would take in every format; `None` where it was copied.
    pub bytes: Option<FormatBytes>,
    /// Bytes in the input.
    pub bytes_before: u64,
    /// Bytes in the output, all its parts together.
    pub bytes_after: u64,
}

impl TensorReport {
    pub(crate) fn untouched(tensor: &Tensor) -> Self {
        Self {
            name: tensor.name.clone(),
            dtype: tensor.dtype.to_string(),
            shape: tensor.shape.clone(),
            pattern: None,
            solver: None,
            values: tensor.values(),
            pruned: 0,
            zeros_before: 0,
            zeros_after: 0,
            relative_error: 0.0,
            output_error: None,
            certificate: None,
            bytes: None,
            bytes_before: tensor.bytes,
            bytes_after: tensor.bytes,
        }
    }

    /// Multiplications that are left for one input, if zeros are skipped.
    #[must_use]
    pub fn macs_after(&self) -> u64 {
        self.values - self.pruned
    }
}

/// What pruning did to a checkpoint, tensor by tensor in the order of the files.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// One row a tensor.
    pub tensors: Vec<TensorReport>,
    /// Bytes of all input files, headers included.
    pub bytes_before: u64,
    /// Bytes of all output files, headers included.
    pub bytes_after: u64,
}

impl Report {
    /// Share of pruned weights in the tensors that a pattern applied to; 0 where there are none.
    #[must_use]
    pub fn sparsity(&self) -> f64 {
        let chosen = || self.tensors.iter().filter(|tensor| tensor.pattern.is_some());
        let values: u64 = chosen().map(|tensor| tensor.values).sum();
        if values == 0 {
            0.0
        } else {
            chosen().map(|tensor| tensor.pruned).sum::<u64>() as f64 / values as f64
        }
    }

    /// A table of the pruned tensors, with a closing row for the files.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a String takes all text")]
    pub fn to_markdown(&self) -> String {
        let mut out = String::from(
            "| tensor | type | shape | pruned | zeros before | zeros after | weights lost | outputs lost | MACs | bytes before | bytes after |\n\
             | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        );
        let mut write = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("a String takes all text");
        let (mut pruned, mut before, mut after) = (0, 0, 0);
        for t in self.tensors.iter().filter(|tensor| tensor.pattern.is_some()) {
            let shape: Vec<String> = t.shape.iter().map(ToString::to_string).collect();
            write(format_args!(
                "| `{}` | {} | {} | {} of {} | {} | {} | {:.5} | {} | {} | {} | {} |\n",
                t.name,
                t.dtype,
                shape.join("×"),
                t.pruned,
                t.values,
                t.zeros_before,
                t.zeros_after,
                t.relative_error,
                t.output_error
                    .map_or_else(String::new, |error| format!("{error:.5}")),
                t.macs_after(),
                t.bytes_before,
                t.bytes_after
            ));
            pruned += t.pruned;
            before += t.zeros_before;
            after += t.zeros_after;
        }
        write(format_args!(
            "| files | | | {pruned} | {before} | {after} | | | | {} | {} |\n",
            self.bytes_before, self.bytes_after
        ));
        out
    }
}
