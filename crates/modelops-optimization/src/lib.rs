#![doc = include_str!("../README.md")]

mod curvature;
mod descent;
mod error;
mod first_order;
mod gradient_check;
mod gradient_descent;
mod kernel;
mod model;
mod objective;
mod plot;
mod search;
mod solution;
mod solver;
mod table;

pub use descent::gradient_descent;
pub use error::OptimizationError;
pub use first_order::{FirstOrder, Rule};
pub use gradient_check::{GradientCheck, check_gradient};
pub use gradient_descent::{GradientDescent, LearningRate, Momentum};
pub use model::linear::{LinearModel, LinearRegression, SquaredLoss};
pub use model::logistic::{LogisticLoss, LogisticModel, LogisticRegression};
pub use model::softmax::{SoftmaxFit, SoftmaxLoss, SoftmaxModel, SoftmaxRegression};
pub use objective::{Differentiable, FnObjective, Objective};
pub use plot::LinePlot;
pub use search::error::{ParameterError, SpaceError, StudyError};
pub use search::parameters::Parameters;
pub use search::random::{RandomSampler, random_search};
pub use search::sampler::{Context, Sampler};
pub use search::space::{Domain, Parameter, SearchSpace};
pub use search::study::{Direction, Study};
pub use search::trial::{Outcome, Trial, TrialState};
pub use search::value::Value;
pub use solution::{Evaluations, Observer, Progress, Solution, Termination};
pub use solver::Solver;
