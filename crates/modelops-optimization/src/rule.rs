//! First-order rules: how a gradient becomes a step.

use crate::OptimizationError;
use crate::gradient_descent::{not_negative, positive};

/// How a gradient becomes a step; η is the learning rate, g the gradient, t the step number from 1, and every state starts at 0.
///
/// Shares (β, μ, decay) lie in [0, 1), ε is above 0, the weight decay λ at least 0.
#[doc(alias = "optimizer")]
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// v ← μ v + g; x ← x − η v, or x ← x − η (g + μ v) with Nesterov.
    Sgd {
        /// μ.
        momentum: f64,
        /// Whether to look ahead.
        nesterov: bool,
    },
    /// s ← s + g²; x ← x − η g / (√s + ε). Duchi, Hazan and Singer, 2011, JMLR 12.
    AdaGrad {
        /// ε.
        epsilon: f64,
    },
    /// s ← ρ s + (1 − ρ) g²; x ← x − η g / (√s + ε). Tieleman and Hinton, 2012, lecture 6.5.
    RmsProp {
        /// ρ.
        decay: f64,
        /// ε.
        epsilon: f64,
    },
    /// m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; x ← x − η m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).
    /// Kingma and Ba, 2015, arXiv:1412.6980.
    Adam {
        /// β₁.
        beta1: f64,
        /// β₂.
        beta2: f64,
        /// ε.
        epsilon: f64,
    },
    /// x ← (1 − η λ) x, then as Adam. Loshchilov and Hutter, 2019, arXiv:1711.05101.
    AdamW {
        /// β₁.
        beta1: f64,
        /// β₂.
        beta2: f64,
        /// ε.
        epsilon: f64,
        /// λ.
        weight_decay: f64,
    },
    /// As Adam with v̂ = max over the steps so far of v, divided by 1 − β₂ᵗ. Reddi, Kale and Kumar, 2018, arXiv:1904.09237.
    AmsGrad {
        /// β₁.
        beta1: f64,
        /// β₂.
        beta2: f64,
        /// ε.
        epsilon: f64,
    },
    /// As Adam with m̂ = β₁ m / (1 − β₁ᵗ⁺¹) + (1 − β₁) g / (1 − β₁ᵗ). Dozat, 2016, ICLR workshop.
    NAdam {
        /// β₁.
        beta1: f64,
        /// β₂.
        beta2: f64,
        /// ε.
        epsilon: f64,
    },
    /// z ← z − η g; a ← (1 − c) a + c z with c = ηₜ² / Σ η²; the gradient is taken at x = (1 − β) z + β a. No schedule is needed; a, the average,
    /// is the answer. Defazio et al., 2024, arXiv:2405.15682.
    ScheduleFreeSgd {
        /// β.
        beta: f64,
    },
    /// As schedule-free SGD with z ← z − η (g / (√v̂ + ε) + λ x), v̂ as in Adam.
    ScheduleFreeAdamW {
        /// β.
        beta1: f64,
        /// β₂.
        beta2: f64,
        /// ε.
        epsilon: f64,
        /// λ.
        weight_decay: f64,
    },
    /// x ← x − η (sign(β₁ m + (1 − β₁) g) + λ x); m ← β₂ m + (1 − β₂) g. Chen et al., 2023, arXiv:2302.06675.
    Lion {
        /// β₁.
        beta1: f64,
        /// β₂.
        beta2: f64,
        /// λ.
        weight_decay: f64,
    },
}

impl Rule {
    /// Refuses settings out of their ranges.
    pub(crate) fn validate(self) -> Result<(), OptimizationError> {
        match self {
            Self::Sgd { momentum, .. } => share("momentum", momentum),
            Self::AdaGrad { epsilon } => positive("epsilon", epsilon),
            Self::RmsProp { decay, epsilon } => share("decay", decay).and(positive("epsilon", epsilon)),
            Self::Adam {
                beta1,
                beta2,
                epsilon,
            }
            | Self::AmsGrad {
                beta1,
                beta2,
                epsilon,
            }
            | Self::NAdam {
                beta1,
                beta2,
                epsilon,
            } => share("beta1", beta1)
                .and(share("beta2", beta2))
                .and(positive("epsilon", epsilon)),
            Self::ScheduleFreeSgd { beta } => share("beta", beta),
            Self::AdamW {
                beta1,
                beta2,
                epsilon,
                weight_decay,
            }
            | Self::ScheduleFreeAdamW {
                beta1,
                beta2,
                epsilon,
                weight_decay,
            } => share("beta1", beta1)
                .and(share("beta2", beta2))
                .and(positive("epsilon", epsilon))
                .and(not_negative("weight_decay", weight_decay)),
            Self::Lion {
                beta1,
                beta2,
                weight_decay,
            } => share("beta1", beta1)
                .and(share("beta2", beta2))
                .and(not_negative("weight_decay", weight_decay)),
        }
    }
}

/// Refuses a value outside 0 (included) to 1 (excluded).
pub(crate) fn share(name: &'static str, value: f64) -> Result<(), OptimizationError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(OptimizationError::InvalidHyperparameter {
        name,
        value,
        requirement: "at least 0 and below 1",
    })
}

/// The running means of one run.
pub(crate) struct State {
    rule: Rule,
    first: Vec<f64>,
    second: Vec<f64>,
    /// The largest second means so far, or the average of a schedule-free rule; empty for the rules that do not ask.
    extra: Vec<f64>,
    step: i32,
    /// Σ η² of a schedule-free rule.
    weight: f64,
}

impl State {
    pub(crate) fn new(rule: Rule, x0: &[f64]) -> Self {
        let schedule_free = matches!(
            rule,
            Rule::ScheduleFreeSgd { .. } | Rule::ScheduleFreeAdamW { .. }
        );
        let zeros = vec![0.0; x0.len()];
        let extra = match rule {
            Rule::AmsGrad { .. } => zeros.clone(),
            _ if schedule_free => x0.to_vec(),
            _ => Vec::new(),
        };
        Self {
            rule,
            first: if schedule_free { x0.to_vec() } else { zeros.clone() },
            second: zeros,
            extra,
            step: 0,
            weight: 0.0,
        }
    }

    /// The average that a schedule-free rule keeps.
    pub(crate) fn average(&self) -> Option<&[f64]> {
        matches!(
            self.rule,
            Rule::ScheduleFreeSgd { .. } | Rule::ScheduleFreeAdamW { .. }
        )
        .then_some(self.extra.as_slice())
    }

    /// Moves `x` by one step against `gradient`.
    pub(crate) fn step(&mut self, rate: f64, gradient: &[f64], x: &mut [f64]) {
        self.step = self.step.saturating_add(1);
        let coordinates = x
            .iter_mut()
            .zip(gradient)
            .zip(&mut self.first)
            .zip(&mut self.second);
        let coordinates = coordinates.map(|(((x, g), m), v)| (x, *g, m, v));
        match self.rule {
            Rule::Sgd { momentum, nesterov } => {
                for (x, g, m, _) in coordinates {
                    *m = momentum * *m + g;
                    *x -= rate * if nesterov { g + momentum * *m } else { *m };
                }
            }
            Rule::AdaGrad { epsilon } => {
                for (x, g, _, v) in coordinates {
                    *v += g * g;
                    *x -= rate * g / (v.sqrt() + epsilon);
                }
            }
            Rule::RmsProp { decay, epsilon } => {
                for (x, g, _, v) in coordinates {
                    *v = decay * *v + (1.0 - decay) * g * g;
                    *x -= rate * g / (v.sqrt() + epsilon);
                }
            }
            Rule::Adam {
                beta1,
                beta2,
                epsilon,
            } => {
                let bias = Bias::at(self.step, beta1, beta2);
                for (x, g, m, v) in coordinates {
                    means(m, v, g, beta1, beta2);
                    *x -= rate * (*m / bias.first) / ((*v / bias.second).sqrt() + epsilon);
                }
            }
            Rule::AdamW {
                beta1,
                beta2,
                epsilon,
                weight_decay,
            } => {
                let bias = Bias::at(self.step, beta1, beta2);
                for (x, g, m, v) in coordinates {
                    means(m, v, g, beta1, beta2);
                    *x -= rate * weight_decay * *x;
                    *x -= rate * (*m / bias.first) / ((*v / bias.second).sqrt() + epsilon);
                }
            }
            Rule::AmsGrad {
                beta1,
                beta2,
                epsilon,
            } => {
                let bias = Bias::at(self.step, beta1, beta2);
                for ((x, g, m, v), most) in coordinates.zip(&mut self.extra) {
                    means(m, v, g, beta1, beta2);
                    *most = most.max(*v);
                    *x -= rate * (*m / bias.first) / ((*most / bias.second).sqrt() + epsilon);
                }
            }
            Rule::NAdam {
                beta1,
                beta2,
                epsilon,
            } => {
                let bias = Bias::at(self.step, beta1, beta2);
                let ahead = 1.0 - beta1.powi(self.step.saturating_add(1));
                for (x, g, m, v) in coordinates {
                    means(m, v, g, beta1, beta2);
                    let mean = beta1 * *m / ahead + (1.0 - beta1) * g / bias.first;
                    *x -= rate * mean / ((*v / bias.second).sqrt() + epsilon);
                }
            }
            // Here the first mean is z and the extra one the average.
            Rule::ScheduleFreeSgd { beta } => {
                self.weight += rate * rate;
                let c = rate * rate / self.weight;
                for ((x, g, z, _), average) in coordinates.zip(&mut self.extra) {
                    *z -= rate * g;
                    *average += c * (*z - *average);
                    *x = (1.0 - beta) * *z + beta * *average;
                }
            }
            Rule::ScheduleFreeAdamW {
                beta1,
                beta2,
                epsilon,
                weight_decay,
            } => {
                self.weight += rate * rate;
                let c = rate * rate / self.weight;
                let bias = Bias::at(self.step, beta1, beta2);
                for ((x, g, z, v), average) in coordinates.zip(&mut self.extra) {
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    *z -= rate * (g / ((*v / bias.second).sqrt() + epsilon) + weight_decay * *x);
                    *average += c * (*z - *average);
                    *x = (1.0 - beta1) * *z + beta1 * *average;
                }
            }
            Rule::Lion {
                beta1,
                beta2,
                weight_decay,
            } => {
                for (x, g, m, _) in coordinates {
                    let blend = beta1 * *m + (1.0 - beta1) * g;
                    // f64::signum calls the sign of zero positive.
                    let sign = if blend == 0.0 { 0.0 } else { blend.signum() };
                    *x -= rate * (sign + weight_decay * *x);
                    *m = beta2 * *m + (1.0 - beta2) * g;
                }
            }
        }
    }
}

/// 1 − βᵗ: what the means lack for having started at zero.
struct Bias {
    first: f64,
    second: f64,
}

impl Bias {
    fn at(step: i32, beta1: f64, beta2: f64) -> Self {
        Self {
            first: 1.0 - beta1.powi(step),
            second: 1.0 - beta2.powi(step),
        }
    }
}

fn means(m: &mut f64, v: &mut f64, g: f64, beta1: f64, beta2: f64) {
    *m = beta1 * *m + (1.0 - beta1) * g;
    *v = beta2 * *v + (1.0 - beta2) * g * g;
}
