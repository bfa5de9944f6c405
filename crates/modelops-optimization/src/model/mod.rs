//! Models with `fit` and `predict`.

pub(crate) mod linear;
pub(crate) mod logistic;
pub(crate) mod softmax;
