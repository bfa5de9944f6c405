//! One small enum per fallible step.

use std::io::ErrorKind;
use std::path::PathBuf;

use thiserror::Error;

/// Why a graph could not be pruned or drawn. Nothing was changed: pruning never touches its input.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The weight closure gave NaN or an infinity for this edge: clean the weights first.
    #[error("edge {edge} has a weight that is not finite")]
    NonFiniteWeight {
        /// Index of the edge in the input.
        edge: usize,
    },
    /// A cascade, a core or a backbone needs weights of at least zero; else removing a node could raise a neighbour.
    #[error("edge {edge} has a negative weight, which this operation cannot order")]
    NegativeWeight {
        /// Index of the edge in the input.
        edge: usize,
    },
    /// The threshold is NaN, or a quantile outside [0, 1].
    #[error("the threshold is not a number, or its quantile is outside 0 to 1")]
    InvalidThreshold,
    /// `Threshold::Keep` names a count, so there is no value to cascade on: use `Cascade::Snapshot`.
    #[error("keeping a count of nodes has no fixpoint: use a snapshot")]
    NoFixpoint,
    /// As many values are needed as the graph has nodes (or edges, for a mask of edges).
    #[error("{found} values were given for {expected} nodes or edges")]
    Length {
        /// How many the graph has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A value given for this node is NaN or infinite, or a cost is not above zero.
    #[error("the value of node {node} is not usable as a score or cost")]
    InvalidScore {
        /// Index of the node in the input.
        node: usize,
    },
    /// A terminal is not a node of the graph.
    #[error("terminal {node} is not in the graph")]
    UnknownTerminal {
        /// The index that was given.
        node: usize,
    },
}

/// Why features could not be scored or selected.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// The table has no column.
    #[error("the table has no feature")]
    NoFeatures,
    /// The target has another length than the table.
    #[error("the target has {found} values for {expected} rows")]
    TargetLength {
        /// Rows of the table.
        expected: usize,
        /// Values of the target.
        found: usize,
    },
    /// A training index is outside the table, or given twice.
    #[error("training index {index} is outside the {rows} rows, or given twice")]
    TrainingIndex {
        /// The index.
        index: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// There are fewer training rows than the statistic needs.
    #[error("{found} training rows are too few, at least {needed} are needed")]
    TooFewRows {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// The training rows hold fewer than two classes.
    #[error("the training rows hold fewer than two classes")]
    OneClass,
    /// A training value is NaN or infinite: impute or drop it first.
    #[error("row {row}, column {column} is not finite")]
    NonFinite {
        /// Row in the table.
        row: usize,
        /// Column in the table.
        column: usize,
    },
    /// A training target is NaN or infinite.
    #[error("the target of row {row} is not finite")]
    NonFiniteTarget {
        /// Row in the table.
        row: usize,
    },
    /// chi² reads values as counts, so they must not be negative.
    #[error("row {row}, column {column} is negative, chi² needs counts")]
    Negative {
        /// Row among the training rows, in their order.
        row: usize,
        /// Column in the table.
        column: usize,
    },
    /// This score needs the other kind of target: classes or values.
    #[error("this score needs {needed} as its target")]
    TargetKind {
        /// "classes" or "values".
        needed: &'static str,
    },
    /// This selector needs p-values and the score has none: use `SelectKBest` or `SelectPercentile`.
    #[error("this score has no p-values: select by count or percentile")]
    NoPValues,
    /// A level, percentile, or number of neighbours outside its range.
    #[error("{name} is outside its range")]
    Parameter {
        /// Which parameter.
        name: &'static str,
    },
    /// A column is a combination of others, so that coefficients mean nothing: drop it first.
    #[error("column {column} depends linearly on columns before it")]
    Collinear {
        /// Column in the table.
        column: usize,
    },
    /// A table given to `transform` has another number of columns than the one that was fitted.
    #[error("the table has {found} columns, {expected} were fitted")]
    Columns {
        /// Columns of the fitted table.
        expected: usize,
        /// Columns of this one.
        found: usize,
    },
}

/// Why weights could not be selected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A sparsity is NaN or outside 0 to 1.
    #[error("a sparsity must lie between 0 and 1")]
    InvalidSparsity,
    /// An N:M pattern must keep at least one and at most all of a group of 1 to 64.
    #[error("cannot keep {keep} of every {group} weights")]
    InvalidGroup {
        /// How many to keep.
        keep: usize,
        /// The size of a group.
        group: usize,
    },
    /// Rows or columns do not split into whole groups: use a rule that leaves this tensor out.
    #[error("{columns} weights in a line do not split into groups of {group}")]
    GroupDoesNotDivide {
        /// Length of a row, or of a column.
        columns: usize,
        /// The size of a group.
        group: usize,
    },
    /// A weight is NaN or infinite: the checkpoint is damaged.
    #[error("weight {index} is not finite")]
    NonFinite {
        /// Position in the tensor, row-major.
        index: usize,
    },
    /// A mask has another shape than the weights it is applied to.
    #[error("a mask of {expected:?} does not fit weights of {found:?}")]
    Shape {
        /// Rows and columns of the mask.
        expected: [usize; 2],
        /// Rows and columns of the weights.
        found: [usize; 2],
    },
    /// A rule is not a regular expression.
    #[error("{expression:?} is not a regular expression")]
    InvalidExpression {
        /// The rule as given.
        expression: String,
    },
}

/// Why a checkpoint could not be read, pruned or written. Nothing appears under the output's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file could not be opened, read or written.
    #[error("cannot read or write {}: {kind}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        kind: ErrorKind,
    },
    /// Not a safetensors file: the header is malformed, or the file is shorter or longer than the header says.
    #[error("{} is not a whole safetensors file", path.display())]
    Header {
        /// The file.
        path: PathBuf,
    },
    /// Not an index of shards, or it names a shard outside its folder, or a tensor that its shard does not hold.
    #[error("{} is not a usable index of shards", path.display())]
    Index {
        /// The file.
        path: PathBuf,
    },
    /// Input and output are the same file: pruning never writes over what it reads.
    #[error("{} is the input itself", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// There is no such tensor.
    #[error("there is no tensor {tensor:?}")]
    NoTensor {
        /// The name that was asked for.
        tensor: String,
    },
    /// The tensor cannot be read as a matrix of floating-point weights.
    #[error("tensor {tensor:?} is not a matrix of f32, f16 or bf16, or its compressed parts disagree")]
    NotAMatrix {
        /// Its name.
        tensor: String,
    },
    /// The recipe cannot be applied to this tensor.
    #[error("tensor {tensor:?}: {source}")]
    Pattern {
        /// Its name.
        tensor: String,
        /// Why.
        source: PatternError,
    },
    /// A layer could not be pruned against its calibration inputs.
    #[error("tensor {tensor:?}: {source}")]
    Layer {
        /// Its name.
        tensor: String,
        /// Why.
        source: LayerError,
    },
    /// The solver needs inputs or gradients of this tensor, and the calibration has none.
    #[error("tensor {tensor:?} has no calibration data")]
    NotCalibrated {
        /// Its name.
        tensor: String,
    },
    /// The format cannot hold this tensor: see what [`Format`](crate::weights::Format) needs.
    #[error("tensor {tensor:?} cannot be stored in this format")]
    Format {
        /// Its name.
        tensor: String,
    },
    /// A pruned checkpoint does not hold what its recipe promises.
    #[error("tensor {tensor:?} is not what the recipe makes of its input")]
    Violated {
        /// Its name.
        tensor: String,
    },
}

/// Why a layer could not be pruned against its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayerError {
    /// Weights, inputs or gradients of another width.
    #[error("{found} columns where {expected} are needed")]
    Width {
        /// Inputs of the layer.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// An input or a Gram matrix with NaN or infinities, usually an overflow in the forward pass.
    #[error("a calibration input is not finite")]
    NonFiniteInput,
    /// A matrix given as a Gram matrix is not symmetric with a diagonal of at least zero.
    #[error("not a symmetric matrix with a diagonal of at least zero")]
    NotAGram,
    /// No damping up to the mean of the diagonal made the Gram matrix positive definite: calibrate on more inputs.
    #[error("the Gram matrix cannot be factored, even with its mean diagonal added")]
    NotPositiveDefinite,
    /// Damping is negative or not finite, or a block is empty.
    #[error("{name} is outside its range")]
    Parameter {
        /// Which parameter.
        name: &'static str,
    },
    /// The pattern does not fit the weights, or a weight is not finite.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Why sparsity could not be shared out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AllocationError {
    /// A tensor offers no level, a level whose error is not a finite number of at least zero, or a sensitivity that is not.
    #[error("the curve of tensor {tensor} has no levels, or a value that is not finite and at least zero")]
    Curve {
        /// Position among the curves.
        tensor: usize,
    },
    /// Even the sparsest levels together leave more weights than the target allows.
    #[error("the sparsest levels remove {most} weights, {needed} are needed")]
    OutOfReach {
        /// What the sparsest levels remove.
        most: u64,
        /// What the target asks for.
        needed: u64,
    },
    /// Two lists that go together differ in length, or a parameter is outside its range.
    #[error("{name} is outside its range")]
    Parameter {
        /// Which parameter.
        name: &'static str,
    },
}

/// Why a model's structure could not be read or pruned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StructureError {
    /// The config is not JSON (an empty key), or this key is missing or has a value that does not fit the others.
    #[error("the config's {key:?} is missing or does not fit")]
    Config {
        /// The key.
        key: &'static str,
    },
    /// A model type whose layout is not known here.
    #[error("the config's model_type is none of bert, gpt2, llama, mistral, qwen2, mixtral")]
    Family,
    /// The architecture needs this tensor, and it is missing or has another shape.
    #[error("tensor {tensor:?} is missing or has another shape than the config says")]
    Tensor {
        /// Its name.
        tensor: String,
    },
    /// The plan does not fit the model, or no one config can describe what it leaves.
    #[error("the plan for layer {layer} does not fit the model or the layers before it")]
    Plan {
        /// The first such layer.
        layer: usize,
    },
    /// The checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(CheckpointError),
}
