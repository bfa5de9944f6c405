//! Models with `fit` and `predict`.

pub(crate) mod automatic_descent;
pub(crate) mod elastic_net;
pub(crate) mod linear;
pub(crate) mod logistic;
pub(crate) mod softmax;
